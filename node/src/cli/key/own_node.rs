//! A node's directory, for the commands that change its keys, and the card that lists them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use frex_client::{
    environment::Random,
    keys::{
        KEYS_DIR,
        file::KeyPlace,
        rotation::{KeyFolder, KeyUse},
        text::{PublicKey, SecretKey},
    },
};
use frex_proto::{
    error::WireCode,
    keys::{SigningKey, VerifyingKey},
    roster::{Node, Roster, build},
    v1,
};
use serde_json::json;

use super::next;
use crate::{
    cli::{
        card,
        failure::{Failure, OrFail},
        files, output, passphrase,
    },
    config::NodeConfig,
    home::{CONFIG_FILE, NodeHome},
};

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

/// A key that waits to be listed.
pub struct Next<'a> {
    /// What it is for.
    pub usage: KeyUse,
    /// The key.
    pub key: &'a VerifyingKey,
    /// Whether it was made now.
    pub made: bool,
    /// The card that names it.
    pub card: &'a Path,
    /// How the node goes on meanwhile.
    pub until: &'a str,
}

/// A use in names of fields, and its next key for people.
fn words(usage: KeyUse) -> (&'static str, &'static str) {
    match usage {
        KeyUse::Witness => ("witness", "the next witness key"),
        _ => ("log", "the log's next key"),
    }
}

/// What else may wait, and stand on the same card.
fn other(usage: KeyUse) -> KeyUse {
    match usage {
        KeyUse::Witness => KeyUse::Log,
        _ => KeyUse::Witness,
    }
}

/// A key that signs heads, with a companion if it is wished for.
fn new_key(pair: bool) -> SigningKey {
    let mut rng = Random::System.rng();
    match pair {
        true => SigningKey::generate_head_pair(&mut rng),
        false => SigningKey::generate(&mut rng),
    }
}

/// The key that waits was made without a companion, and gets none.
fn lacks_companion(path: &Path) -> Failure {
    let what = format!("{} has no ML-DSA-44 companion", path.display());
    Failure::new(WireCode::BadInput, what)
        .cause("it was made earlier, and a key keeps its companion or stays without")
        .advise("Have the roster list it and start the node, then run this again for the key that follows it")
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
        pair: bool,
        now_ms: u64,
    ) -> Result<(VerifyingKey, bool), Failure> {
        let make = || SecretKey::Signing(Box::new(new_key(pair)));
        let unlock = passphrase::unlock();
        let (record, made) = next::find_or_make(&mut self.keys, usage, &unlock, now_ms, make)?;
        let key = self.public_key(&usage.next_file())?;
        let path = self.keys.dir().join(usage.next_file());
        if pair && key.companion().is_none() {
            return Err(lacks_companion(&path));
        }
        next::check_recorded(path, key.key_id(), &record)?;
        Ok((key, made))
    }

    /// Says which key waits to be listed, and what is to be done for that.
    pub fn report(&self, dir: &Path, next: &Next<'_>, json: bool) {
        let beside = other(next.usage);
        let (ours, others) = (words(next.usage), words(beside));
        let file = self.keys.dir().join(next.usage.next_file());
        let other = self.keys.next(beside).map(|record| record.key_id);
        if json {
            let mut said = json!({
                "state": "next", "node": self.config.node, "file": file, "made": next.made,
                "key_id": next.key.key_id().to_string(), "card": next.card,
                "post_quantum": next.key.companion().is_some(),
            });
            said[format!("next_{}_key", others.0)] = json!(other.map(|key| key.to_string()));
            return output::document(said);
        }
        let (dir, file, card) = (dir.display(), file.display(), next.card.display());
        match next.made {
            true => output::data(format_args!("made         {file}   {}", ours.1)),
            false => output::data(format_args!(
                "kept         {file}   made earlier, not listed yet"
            )),
        }
        output::data(format_args!("key          {}", next.key.key_id()));
        if next.key.companion().is_some() {
            output::data("signs by     Ed25519 and ML-DSA-44, both in this file");
        }
        output::data(format_args!("card         {card}"));
        if let Some(other) = other {
            output::data(format_args!("also in it   {}, {other}", others.1));
        }
        output::data("");
        let federation = self.roster.federation();
        output::data(format_args!(
            "Hand {card} to the governance of {federation}; read them the key by telephone. They:"
        ));
        output::data(format_args!(
            "  frex roster propose {}.card --root root.frex --previous roster.frex --out next.proposal",
            self.listed.operator
        ));
        output::data(next.until);
        output::data(format_args!("  frex roster install roster.frex {dir}"));
        output::data("Then stop the node and start it again, which takes up the key:");
        output::data(format_args!("  frex run {dir}"));
    }

    /// Finds before a key is made what no governance could list: nothing is to be made in vain.
    ///
    /// # Errors
    /// As [`card`](Self::card).
    pub fn check_card(&self, usage: KeyUse, pair: bool, now_ms: u64) -> Result<(), Failure> {
        let key = new_key(pair);
        self.card(usage, &key.verifying_key(), now_ms).map(drop)
    }

    /// The card by which the governance lists another log key or witness key: the member's entry
    /// and document as they are, and the node's entry with that key. What waits to be listed
    /// anyhow is in it too, for one card takes the place of the other.
    ///
    /// # Errors
    /// The failure says what the roster lacks.
    pub fn card(&self, usage: KeyUse, key: &VerifyingKey, now_ms: u64) -> Result<Bytes, Failure> {
        let id = &self.config.node;
        let listed = self.roster.node_entry(id).ok_or_else(|| {
            let what = format!("the roster does not list {id}");
            Failure::new(WireCode::NotTrusted, what)
        })?;
        let other = |wanted: KeyUse| match self.keys.next(wanted) {
            _ if wanted == usage => Ok(Some(key.clone())),
            Some(_) => self.public_key(&wanted.next_file()).map(Some),
            None => Ok(None),
        };
        let (log, witness) = (other(KeyUse::Log)?, other(KeyUse::Witness)?);
        let node = v1::Node {
            log_key: log.as_ref().map(build::signing_key).or(listed.log_key),
            witness_key: witness
                .as_ref()
                .map(build::signing_key)
                .or(listed.witness_key),
            ..listed
        };
        card::of_node(&self.roster, node, now_ms)
    }
}
