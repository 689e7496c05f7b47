//! `frex key rotate log`: the log's next key, and the card by which the governance lists it.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use frex_client::{
    environment::{Clock, Random},
    keys::{
        KEYS_DIR,
        file::KeyPlace,
        rotation::{KeyFolder, KeyUse},
        text::{PublicKey, SecretKey},
    },
};
use frex_proto::{
    error::WireCode,
    id::KeyId,
    keys::{SigningKey, VerifyingKey},
    roster::{Card, Node, Roster, build},
    v1,
};
use prost::Message;
use serde_json::json;

use super::next;
use crate::{
    cli::{
        failure::{Done, Failure, OrCode, OrFail},
        files, output, passphrase,
        time::rfc3339,
    },
    config::NodeConfig,
    home::{CONFIG_FILE, NodeHome},
};

/// `frex key rotate log`.
#[derive(Debug, Args)]
pub struct RotateLogArgs {
    /// The folder that `frex init` made, with the node in it
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// A node's directory as far as a change of its keys needs it.
pub struct OwnNode {
    /// The directory.
    pub home: PathBuf,
    /// Its settings.
    pub config: NodeConfig,
    /// The roster in force.
    pub roster: Roster,
    /// The node as that lists it.
    pub listed: Node,
    /// Its keys.
    pub keys: KeyFolder,
}

impl OwnNode {
    /// Opens the node in `dir`.
    ///
    /// # Errors
    /// The failure says what is missing, and how to come by it.
    pub fn open(dir: &Path, now_ms: u64) -> Result<Self, Failure> {
        let home = files::home(dir, "node", CONFIG_FILE)?;
        let config = NodeHome::config(&home).or_fail("cannot read the node's settings")?;
        if config.keys_from_credentials {
            let what = "this node's keys come from the service manager";
            return Err(Failure::new(WireCode::BadConfig, what)
                .cause("frex.toml says keys_from_credentials = true: there is no file to change")
                .advise("Change them where they are kept, or set keys_from_credentials = false"));
        }
        let roster = NodeHome::roster(&home, now_ms)
            .or_fail("the roster in force cannot be used")
            .map_err(|failure| {
                failure.advise(format!("frex roster install FILE {}", dir.display()))
            })?;
        let listed = roster.node(&config.node).cloned().ok_or_else(|| {
            let what = format!("the roster does not list {}", config.node);
            Failure::new(WireCode::NotTrusted, what).advise(format!(
                "Hand the card that frex init made to the governance, then: frex roster install FILE {}",
                dir.display()
            ))
        })?;
        let (keys, _) = KeyFolder::open(&home.join(KEYS_DIR), now_ms)
            .or_fail("cannot open the folder of keys")?;
        Ok(Self {
            home,
            config,
            roster,
            listed,
            keys,
        })
    }

    /// The public half of the key in this file.
    ///
    /// # Errors
    /// The failure names the file.
    pub fn public_key(&self, file: &str) -> Result<VerifyingKey, Failure> {
        let place = KeyPlace::file(&self.keys.dir().join(file));
        let what = "cannot read the node's keys";
        if let Some(PublicKey::Signing(key)) = place.read().or_fail(what)?.public() {
            return Ok(key.clone());
        }
        let key = place
            .read_signing_key(&passphrase::unlock())
            .or_fail(what)?;
        Ok(key.verifying_key())
    }

    /// The NEXT key for `usage`: the one that is there, or one made now. Says whether it is new.
    ///
    /// # Errors
    /// The failure names the file; a key in a token is not followed by one in a file.
    pub fn next_key(
        &mut self,
        usage: KeyUse,
        now_ms: u64,
    ) -> Result<(VerifyingKey, bool), Failure> {
        let make = || SecretKey::Signing(Box::new(SigningKey::generate(&mut Random::System.rng())));
        let unlock = passphrase::unlock();
        let (record, made) = next::find_or_make(&mut self.keys, usage, &unlock, now_ms, make)?;
        let key = self.public_key(&usage.next_file())?;
        let path = self.keys.dir().join(usage.next_file());
        next::check_recorded(path, key.key_id(), &record)?;
        Ok((key, made))
    }
}

/// Makes the log's next key and writes the card that names it.
pub fn rotate(args: &RotateLogArgs, json: bool) -> Done {
    let now_ms = Clock::System.now_ms();
    let mut node = OwnNode::open(&args.dir, now_ms)?;
    let in_force = node.listed.log_key.key.key_id();
    if node.keys.next(KeyUse::Log).map(|record| record.key_id) == Some(in_force) {
        return listed(args, &node, json);
    }
    // Should the key in force be lost, one before it can still be followed by another.
    let active = node.public_key(&KeyUse::Log.active_file())?;
    if node.listed.listed_log_key(&active).is_none() {
        return Err(unlisted(args, &node));
    }
    let member = node.listed.operator.clone();
    let path = args.dir.join(format!("{member}.card"));
    // Whatever can be wrong with the card comes before the key: nothing is to be made in vain.
    card(
        &node,
        &SigningKey::generate(&mut Random::System.rng()).verifying_key(),
        now_ms,
    )?;
    let (next, made) = node.next_key(KeyUse::Log, now_ms)?;
    files::replace(&path, &card(&node, &next, now_ms)?)?;
    report(args, &node, (next.key_id(), made), &path, json);
    Ok(0)
}

/// The member's entry and document as they are, and the node's with another log key.
fn card(node: &OwnNode, log_key: &VerifyingKey, now_ms: u64) -> Result<Bytes, Failure> {
    let (operator, id) = (&node.listed.operator, &node.config.node);
    let unlisted = || {
        let what = format!("the roster has no document of {operator}, which runs the node");
        Failure::new(WireCode::NotTrusted, what)
            .advise("Get the newest roster from the governance: frex roster install FILE DIR")
    };
    let member = node.roster.member_entry(operator).ok_or_else(unlisted)?;
    let (member_doc, _) = node.roster.member_doc(operator).ok_or_else(unlisted)?;
    let listed = node.roster.node_entry(id).ok_or_else(unlisted)?;
    let card = v1::MemberCard {
        member: Some(member),
        node: Some(v1::Node {
            log_key: Some(build::signing_key(log_key)),
            earlier_log_keys: Vec::new(),
            ..listed
        }),
        member_doc,
    };
    let card = Bytes::from(card.encode_to_vec());
    Card::judge(&card, node.roster.federation(), now_ms).or_code(
        WireCode::BadRoster,
        "no governance could list the card: the member's document does not verify now",
    )?;
    Ok(card)
}

/// The governance has done its part.
fn listed(args: &RotateLogArgs, node: &OwnNode, json: bool) -> Done {
    let dir = args.dir.display();
    let former = node.listed.earlier_log_keys.first();
    let end_ms = former.and_then(|listed| listed.validity.not_after_ms);
    if json {
        output::document(json!({
            "state": "listed", "node": node.config.node, "key_id": node.listed.log_key.key.key_id().to_string(),
            "former_ends": end_ms.map(rfc3339),
        }));
        return Ok(0);
    }
    let version = node.roster.version();
    output::data(format_args!(
        "listed       by roster version {version}: {}",
        node.listed.log_key.key.key_id()
    ));
    if let Some(end_ms) = end_ms {
        output::data(format_args!(
            "until then   the present key signs, to {} at the latest",
            rfc3339(end_ms)
        ));
    }
    output::data("Next: stop the node and start it again, which takes up the key:");
    output::data(format_args!("  frex run {dir}"));
    Ok(0)
}

fn unlisted(args: &RotateLogArgs, node: &OwnNode) -> Failure {
    Failure::new(
        WireCode::NotTrusted,
        "log.key was never this log's, so nothing can follow it",
    )
    .cause("the roster lists other keys for this log")
    .advise(format!(
        "Restore {}/log.key from the backup of the keys, then: frex doctor {}",
        node.keys.dir().display(),
        args.dir.display()
    ))
}

fn report(
    args: &RotateLogArgs,
    node: &OwnNode,
    (next, made): (KeyId, bool),
    card: &Path,
    json: bool,
) {
    let file = node.keys.dir().join(KeyUse::Log.next_file());
    if json {
        output::document(json!({
            "state": "next", "node": node.config.node, "file": file, "made": made,
            "key_id": next.to_string(), "card": card,
        }));
        return;
    }
    let (dir, file, card) = (args.dir.display(), file.display(), card.display());
    match made {
        true => output::data(format_args!("made         {file}   the log's next key")),
        false => output::data(format_args!(
            "kept         {file}   made earlier, not listed yet"
        )),
    }
    output::data(format_args!("key          {next}"));
    output::data(format_args!("card         {card}"));
    output::data("");
    let federation = node.roster.federation();
    output::data(format_args!(
        "Hand {card} to the governance of {federation}; read them the key by telephone. They:"
    ));
    output::data(format_args!(
        "  frex roster propose {}.card --root root.frex --previous roster.frex --out next.proposal",
        node.listed.operator
    ));
    output::data(
        "Until then the log goes on under its present key. Next, when you have their roster:",
    );
    output::data(format_args!("  frex roster install roster.frex {dir}"));
    output::data("Then stop the node and start it again, which takes up the key:");
    output::data(format_args!("  frex run {dir}"));
}
