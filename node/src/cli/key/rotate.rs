//! `frex key rotate …`: one key follows another, step by step. Each step is durable before the
//! next begins, so the same command again goes on where it stopped. Spec: FIL-14 to FIL-18.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::{Args, Subcommand, ValueEnum};
use frex_client::{
    client::{Client, ClientConfig},
    environment::Clock,
    keys::{
        MemberHome, MemberKeys,
        file::KeyPlace,
        rotation::{KeyFolder, KeyRecord, KeyState, KeyUse},
        text::SecretKey,
    },
};
use frex_proto::{
    error::WireCode,
    id::KeyId,
    keys::SigningKey,
    limits,
    roster::{Roster, build, document},
    v1,
};
use serde_json::{Value, json};

use super::{
    log::{self, RotateLogArgs},
    next, node_tls,
    witness::{self, RotateWitnessArgs},
};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
    time::{Span, rfc3339},
};

mod identity;
mod sealing;
mod tls;
mod waiting;

/// A node that is not there is looked for so long.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

/// `frex key rotate …`.
#[derive(Debug, Subcommand)]
pub enum RotateCommand {
    /// Let the key of a member's connections, or of its node's, follow another
    Tls(RotateTlsArgs),
    /// Let the key that others seal to follow another; what is under way still opens
    Sealing(RotateSealingArgs),
    /// Let the key that signs in the member's name follow another; the governance lists it
    Identity(RotateIdentityArgs),
    /// Let the key that signs a node's log follow another; the governance lists it
    Log(RotateLogArgs),
    /// Make the key by which a node cosigns other nodes' logs, or let another follow it; the
    /// governance lists it
    Witness(RotateWitnessArgs),
}

/// Whose key it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)] // The names are the documentation, also on the screen.
pub enum Owner {
    Member,
    Node,
}

/// `frex key rotate tls`.
#[derive(Debug, Args)]
pub struct RotateTlsArgs {
    /// Whose connections
    #[arg(long, value_enum, default_value = "member")]
    pub of: Owner,
    /// How long the old key is still let in
    #[arg(long, default_value = "7d", value_name = "DURATION")]
    pub overlap: Span,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex key rotate sealing`.
#[derive(Debug, Args)]
pub struct RotateSealingArgs {
    /// How long nodes still take what is sealed to the old key [default: 31d, the longest life]
    #[arg(
        long,
        default_value = "31d",
        value_name = "DURATION",
        hide_default_value = true
    )]
    pub overlap: Span,
    /// Somebody else may hold the keys: destroy every sealing key there is, and make a new one
    #[arg(long, conflicts_with = "overlap")]
    pub compromised: bool,
    /// Do what --compromised plans
    #[arg(long, requires = "compromised")]
    pub confirm: bool,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex key rotate identity`.
#[derive(Debug, Args)]
pub struct RotateIdentityArgs {
    /// How long the old key is still good, from the moment the card is written
    #[arg(long, default_value = "31d", value_name = "DURATION")]
    pub overlap: Span,
    /// Give the next key an ML-DSA-65 companion; a key that has one is followed by one that has
    #[arg(long)]
    pub post_quantum: bool,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Carries out a rotation.
pub fn rotate(command: &RotateCommand, json: bool) -> Done {
    match command {
        RotateCommand::Tls(args) => match args.of {
            Owner::Member => tls::rotate(args, json),
            Owner::Node => node_tls::rotate(args, json),
        },
        RotateCommand::Sealing(args) => sealing::rotate(args, json),
        RotateCommand::Identity(args) => identity::rotate(args, json),
        RotateCommand::Log(args) => log::rotate(args, json),
        RotateCommand::Witness(args) => witness::rotate(args, json),
    }
}

/// One rotation under way.
struct Rotation {
    usage: KeyUse,
    /// As it was typed.
    dir: PathBuf,
    /// Options that the same command again needs, each with a space after it.
    options: &'static str,
    home: MemberHome,
    folder: KeyFolder,
    steps: Steps,
}

/// What was done, said as it is done or in one document at the end.
struct Steps {
    json: bool,
    said: Vec<Value>,
}

impl Rotation {
    fn begin(usage: KeyUse, dir: &Path, json: bool) -> Result<Self, Failure> {
        let home = member::open(dir)?;
        member::roster(&home)?;
        let (folder, destroyed) = home
            .key_folder(Clock::System.now_ms())
            .or_fail("the keys cannot be changed here")
            .map_err(|failure| match home.settings().keys_from_credentials {
                true => failure.advise(format!(
                    "Lay the keys into {}, set keys_from_credentials = false in member.toml, rotate, and hand the files over again as credentials",
                    home.keys_dir().display()
                )),
                false => failure,
            })?;
        member::tell_destroyed(&destroyed);
        Ok(Self {
            usage,
            dir: dir.to_owned(),
            options: "",
            home,
            folder,
            steps: Steps {
                json,
                said: Vec::new(),
            },
        })
    }

    fn now_ms(&self) -> u64 {
        Clock::System.now_ms()
    }

    fn keys(&self) -> Result<MemberKeys, Failure> {
        member::keys(&self.home)
    }

    /// The next key, made if there is none, and read back from the disk.
    fn next_key(&mut self, make: impl FnOnce() -> SecretKey) -> Result<SecretKey, Failure> {
        let (usage, now_ms) = (self.usage, self.now_ms());
        let unlock = self.home.unlock();
        let (record, made) = next::find_or_make(&mut self.folder, usage, unlock, now_ms, make)?;
        let word = if made { "made" } else { "found" };
        let path = self.folder.dir().join(usage.next_file());
        let key = KeyPlace::file(&path)
            .read_key(self.home.unlock())
            .or_fail("the next key cannot be read")?;
        next::check_recorded(path, key.as_ref().public().key_id(), &record)?;
        let (name, id) = (usage.name(), record.key_id);
        self.steps.say(
            word,
            format!("the next {name} key {id}, in {}", usage.next_file()),
        );
        Ok(key)
    }

    /// A client with these keys that connects when it is first asked for something.
    async fn client(&self, keys: MemberKeys) -> Result<Client, Failure> {
        let mut config = ClientConfig::of_keys(&self.home, keys)
            .or_fail("the member's roster cannot be used")?;
        config.patience = PATIENCE;
        let node = &self.home.settings().home_node;
        let client = Client::new(config).await;
        client
            .or_fail(format_args!("cannot connect to {node}"))
            .map_err(|failure| self.again(failure))
    }

    /// A client whose node is there, and which has heard what is newer of the roster.
    async fn connected(&self, keys: MemberKeys) -> Result<Client, Failure> {
        let client = self.client(keys).await?;
        let node = &self.home.settings().home_node;
        client
            .hear_news()
            .await
            .or_fail(format_args!(
                "there is no way to {node} yet, so the key in use stays"
            ))
            .map_err(|failure| self.again(failure))?;
        Ok(client)
    }

    /// Signs a document and does not return before the home node holds it.
    async fn publish(
        &mut self,
        client: &Client,
        doc: &v1::MemberDoc,
        identity: &SigningKey,
        what: String,
    ) -> Result<(), Failure> {
        let signed = build::sign_member_doc(doc, identity)
            .or_fail("the member's new document cannot be signed")?;
        self.bring(client, signed).await?;
        self.steps.say(
            "listed",
            format!(
                "{what}, in version {} of the member's document",
                doc.version
            ),
        );
        if self.usage != KeyUse::Identity {
            tell_of_card(&self.folder, &self.dir);
        }
        Ok(())
    }

    /// Does not return before the home node holds this signed document.
    async fn bring(&self, client: &Client, signed: Bytes) -> Result<(), Failure> {
        let node = &self.home.settings().home_node;
        let published = client.publish(signed).await;
        published
            .or_fail(format_args!(
                "{node} does not take the member's new document"
            ))
            .map_err(|failure| self.again(failure))
    }

    /// The member's document in force: as it is signed, and what it says.
    fn doc(&self, roster: &Roster) -> Result<(Bytes, v1::MemberDoc), Failure> {
        let member = &self.home.settings().member;
        roster.member_doc(member).ok_or_else(|| {
            let what = format!("the roster in force holds no document of {member}");
            Failure::new(WireCode::NotTrusted, what).advise(format!(
                "Have the governance list the member's card: frex roster propose {member}.card --root root.frex --out next.proposal"
            ))
        })
    }

    /// The document that follows.
    fn next_version(&self, doc: &v1::MemberDoc) -> v1::MemberDoc {
        next_version(doc, &self.folder, self.now_ms())
    }

    /// The document that follows, if it has room for one more key of a kind.
    fn next_doc(
        &self,
        doc: &v1::MemberDoc,
        keys: impl Fn(&v1::MemberDoc) -> usize,
    ) -> Result<v1::MemberDoc, Failure> {
        let next = self.next_version(doc);
        if keys(&next) < limits::KEYS_PER_ENTRY_MAX {
            return Ok(next);
        }
        let what = format!(
            "the member's document lists {} {} keys already, the most there may be",
            limits::KEYS_PER_ENTRY_MAX,
            self.usage.name()
        );
        Err(Failure::new(WireCode::TooLarge, what)
            .cause("keys that have ended stay listed for as long as something sealed to them, or signed by them, may be under way")
            .advise(format!("Wait until the oldest are dropped, at most 31 days after their end: frex key ls {}", self.dir.display())))
    }

    /// Puts the next key in use, and keeps the former one until then.
    fn promote(&mut self, former: KeyId, until_ms: u64) -> Result<(), Failure> {
        let now_ms = self.now_ms();
        let moved = self.folder.promote(self.usage, former, now_ms, until_ms);
        moved.or_fail("the next key cannot be put in use")?;
        let name = self.usage.name();
        self.steps.say("in use", format!("the new {name} key"));
        Ok(())
    }

    fn again(&self, failure: Failure) -> Failure {
        failure.advise(format!(
            "Nothing is lost; run it again and it goes on: frex key rotate {} {}{}",
            self.usage.name(),
            self.options,
            self.dir.display()
        ))
    }

    /// Ends the command: everything that was done, and what comes next.
    fn end(self, state: &str, next: &[String], more: Value) -> Done {
        if self.steps.json {
            let mut document = json!({
                "use": self.usage.name(), "state": state, "steps": self.steps.said, "next": next,
                "keys": self.folder.records().iter().map(to_json).collect::<Vec<_>>(),
            });
            if let (Some(document), Value::Object(more)) = (document.as_object_mut(), more) {
                document.extend(more);
            }
            output::document(document);
        } else {
            next.iter().for_each(output::data);
        }
        Ok(0)
    }
}

impl Steps {
    fn say(&mut self, step: &str, what: String) {
        if !self.json {
            output::data(format_args!("{step:<10} {what}"));
        }
        let said = [("step", Value::from(step)), ("what", Value::from(what))];
        self.said.push(said.into_iter().collect());
    }
}

/// The member's document that follows. The card of a next identity key holds a version of its own,
/// which the governance may put in force any day: what is stated meanwhile goes above it, so that
/// neither is taken for the other. Spec: ROS-38.
pub(super) fn next_version(
    doc: &v1::MemberDoc,
    member_keys: &KeyFolder,
    now_ms: u64,
) -> v1::MemberDoc {
    let mut next = document::next_version(doc, now_ms);
    next.version += u64::from(member_keys.next(KeyUse::Identity).is_some());
    next
}

/// A card that waits to be listed is older than what was stated now.
pub(super) fn tell_of_card(member_keys: &KeyFolder, dir: &Path) {
    if member_keys.next(KeyUse::Identity).is_some() {
        output::message(format_args!(
            "note: the card of the next identity key is older than this; unless the roster lists the key already, write it anew with: frex key rotate identity {}",
            dir.display()
        ));
    }
}

/// A record as `--json` prints it.
pub(super) fn to_json(record: &KeyRecord) -> Value {
    json!({
        "use": record.usage.name(), "state": record.state.name(),
        "key_id": record.key_id.to_string(), "since": rfc3339(record.since_ms),
        "until": record.until_ms.map(rfc3339), "file": record.file(),
    })
}

/// A signing key of its own kind.
fn signing(key: SecretKey) -> Result<SigningKey, Failure> {
    match key {
        SecretKey::Signing(key) => Ok(*key),
        SecretKey::Sealing(_) => Err(Failure::new(
            WireCode::BadConfig,
            "the next key is a sealing key, where one that signs belongs",
        )),
    }
}

/// Lists a key that signs as good until withdrawn: from now on, also by clocks that are behind.
fn listed(mut key: v1::PublicKey, now_ms: u64) -> v1::PublicKey {
    key.not_before_ms = now_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX);
    key
}

/// The key that was followed last.
fn retiring(folder: &KeyFolder, usage: KeyUse) -> Option<KeyRecord> {
    folder.of(usage, KeyState::Retiring).next().cloned()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use frex_client::{environment::Random, keys::file, passphrase::Unlock};

    use super::*;

    // ROS-38, DIS-3: what a member states while a card waits does not take the card's version.
    #[test]
    fn a_document_goes_above_the_one_in_a_card_that_waits() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let key = |seed| SigningKey::from_seed(&[seed; 32]);
        file::write_signing_key(&dir.path().join("identity.key"), &key(1)).unwrap();
        let (mut folder, _) = KeyFolder::open(dir.path(), 1).unwrap();
        let held = v1::MemberDoc {
            version: 4,
            ..v1::MemberDoc::default()
        };
        assert_eq!(next_version(&held, &folder, 1).version, 5);
        let (next, mut rng) = (key(2), Random::seeded([1; 32]).rng());
        let usage = KeyUse::Identity;
        let unlock = Unlock::none();
        let made = folder.add_next(usage, (&next).into(), &unlock, &mut rng, 1);
        assert!(made.is_ok());
        assert_eq!(document::next_version(&held, 1).version, 5, "of the card");
        assert_eq!(next_version(&held, &folder, 1).version, 6);
    }
}
