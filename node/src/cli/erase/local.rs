//! What a member's folder keeps of messages, and removing it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use frex_client::{
    casework::{deconflict::store::Store, quality::SEEN_FOLDER},
    environment::Clock,
    keys::MemberHome,
    sent::SentStore,
};
use frex_proto::{
    id::MessageId,
    v1::{self, Event},
};
use prost::Message;
use serde_json::Value;

use crate::cli::{
    casework::desk,
    evidence::keep,
    failure::{Failure, OrFail},
    files,
    member::{ABOUT, INBOX_DIR, REFERENCES_DIR},
    messages, output, receipt,
    route::ROUTES_DIR,
};

/// Ending of the name of a receipt.
const PROOF: &str = "tlog-proof";
const STEP_BYTES: usize = 64 * 1024;

/// A member's folder, read once, however many messages are looked for in it.
pub struct Folder<'a> {
    home: &'a MemberHome,
    /// What is known of messages that came, and where that stands.
    received: Vec<(PathBuf, Value)>,
    /// Files of the inbox, by the envelope in their names.
    inbox: BTreeMap<String, Vec<PathBuf>>,
    /// What was signed of what was sent.
    exhibits: Vec<(Option<MessageId>, PathBuf)>,
    /// By the message in their names.
    receipts: BTreeMap<String, Vec<PathBuf>>,
    /// Questions about identifiers: those asked by their message, those answered by their envelope.
    deconflict: BTreeMap<String, Vec<PathBuf>>,
    /// What was decided of it, and by what it is noticed again, by its message. Spec: RTE-9, RTE-30.
    routed: BTreeMap<String, Vec<PathBuf>>,
}

/// What is kept of one message.
#[derive(Debug, Default)]
pub struct Found {
    /// To be removed in this order: what a repeated run finds the message by comes last.
    pub files: Vec<PathBuf>,
    /// Fetched attachments that are not what was noted of them, or of which it is not known where:
    /// whoever runs this removes them by hand.
    pub by_hand: Vec<String>,
    /// Whether receipts are among the files.
    pub receipts: bool,
}

impl<'a> Folder<'a> {
    /// Reads what there is.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn read(home: &'a MemberHome) -> Result<Self, Failure> {
        let inbox = home.dir().join(INBOX_DIR);
        let mut received = Vec::new();
        for path in files::with_extension(&inbox, ABOUT)? {
            let about = messages::read(&path)?;
            received.push((path, about));
        }
        Ok(Self {
            received,
            inbox: named(&inbox, '.')?,
            exhibits: keep::all(home)?,
            receipts: named(&home.receipts_dir(), '-')?,
            deconflict: questions(home)?,
            routed: routed(home)?,
            home,
        })
    }

    /// What is kept of a message of this sender, or of the folder's member; receipts too if asked for.
    ///
    /// # Errors
    /// What is noted of a sent message cannot be read.
    pub fn find(
        &self,
        message: MessageId,
        sender: Option<&str>,
        receipts: bool,
    ) -> Result<Found, Failure> {
        let own = self.home.settings().member.as_str();
        let sender = sender.filter(|sender| !sender.is_empty()).unwrap_or(own);
        let id = message.to_string();
        let (mut found, mut records) = (Found::default(), Vec::new());
        if sender == own {
            let of_it = self.exhibits.iter();
            let of_it = of_it.filter(|(of, _)| of.is_none_or(|of| of == message));
            found.files.extend(of_it.map(|(_, path)| path.clone()));
            found
                .files
                .extend(self.deconflict.get(&id).into_iter().flatten().cloned());
            found
                .files
                .extend(self.routed.get(&id).into_iter().flatten().cloned());
            let record = messages::path_of(self.home, &id);
            if record.exists() {
                found.files.extend(said(self.home, &record)?);
                records.push(record);
            }
        }
        let came = self.received.iter();
        let came = came.filter(|(_, about)| about["message"] == id && about["from"] == sender);
        for (record, about) in came {
            let envelope = about["envelope"].as_str().unwrap_or_default();
            let beside = self.inbox.get(envelope).into_iter();
            let beside = beside.chain(self.deconflict.get(envelope)).flatten();
            found
                .files
                .extend(beside.filter(|path| *path != record).cloned());
            records.push(record.clone());
            for row in about["attachments"].as_array().into_iter().flatten() {
                match fetched(row) {
                    Some(Ok(path)) => found.files.push(path),
                    Some(Err(name)) => found.by_hand.push(name),
                    None => {}
                }
            }
        }
        if receipts {
            let of_it = self.receipts.get(&id).into_iter().flatten();
            let before = found.files.len();
            found
                .files
                .extend(of_it.filter(|path| goes(path, sender)).cloned());
            found.receipts = found.files.len() > before;
        }
        found.files.sort();
        found.files.dedup();
        found.files.append(&mut records);
        Ok(found)
    }

    /// Whose folder it is.
    #[must_use]
    pub fn home(&self) -> &MemberHome {
        self.home
    }

    /// By which orders a sender's message was erased, as those receipts say of it that are kept here.
    #[must_use]
    pub fn erased_for(&self, message: MessageId, sender: &str) -> Vec<String> {
        let of_it = self
            .receipts
            .get(&message.to_string())
            .into_iter()
            .flatten();
        let said = of_it.filter_map(|path| stated(path));
        let erased = said.filter(|said| said.event() == Event::Erased && said.sender == sender);
        erased.map(|said| said.authority).collect()
    }
}

impl Found {
    /// Overwrites these files and removes them; what is gone already, by another message of the same
    /// list, stays so.
    ///
    /// # Errors
    /// The failure names the file; those before it are gone.
    pub fn remove(&self) -> Result<(), Failure> {
        for path in &self.files {
            match overwrite(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                other => other.map_err(|error| Failure::file("overwrite", path, &error))?,
            }
            fs::remove_file(path).map_err(|error| Failure::file("remove", path, &error))?;
            let folder = path.parent().unwrap_or(Path::new("/"));
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|error| Failure::file("sync", folder, &error))?;
        }
        Ok(())
    }

    /// Says what is not removed here.
    pub fn tell_by_hand(&self) {
        for name in &self.by_hand {
            output::message(format_args!(
                "note: an attachment was fetched to {}, where it is not, or not any more as it came; wherever it is, remove it by hand",
                output::clean(name)
            ));
        }
    }
}

/// Whether a reference is kept under which the message was sent.
///
/// # Errors
/// What was sent under references cannot be read.
pub fn is_referenced(home: &MemberHome, message: MessageId) -> Result<bool, Failure> {
    let found = SentStore::recollect(&home.dir().join(REFERENCES_DIR), &message.to_string());
    let found = found.or_fail("what was sent under references cannot be read")?;
    Ok(found.iter().any(|one| one.sent.message == message))
}

/// Forgets under which references messages were sent: with each a hash of its content is kept. To be
/// done before their files are removed, by which they are found again.
///
/// # Errors
/// The store cannot be changed.
pub fn forget(home: &MemberHome, gone: &BTreeSet<MessageId>) -> Result<(), Failure> {
    let references = home.dir().join(REFERENCES_DIR);
    if gone.is_empty() || !references.exists() {
        return Ok(());
    }
    let store = SentStore::open(&references, Clock::System.now_ms());
    let mut store = store.or_fail("what was sent under references cannot be changed")?;
    let forgotten = store.forget(gone);
    forgotten.or_fail("the reference of a message is not forgotten")?;
    Ok(())
}

/// Lets go of the identifiers that are held because of messages, and destroys the book in which they
/// stand. To be done before their files are removed, unless a list names them again. Spec: DCF-24.
///
/// # Errors
/// They are still held, or the book is still there.
pub fn let_go(home: &MemberHome, gone: &BTreeSet<MessageId>) -> Result<(), Failure> {
    let deconflict = Store::of(home.dir());
    if gone.is_empty() || !deconflict.dir().exists() {
        return Ok(());
    }
    let ids: BTreeSet<String> = gone.iter().map(ToString::to_string).collect();
    let merged = deconflict.let_go(|holding| ids.contains(&holding.source));
    let merged = merged.or_fail("identifiers that it named are still held")?;
    if merged.removed > 0 {
        let destroyed = deconflict.destroy_ended(u64::MAX);
        destroyed.or_fail("a book in which they stand is not destroyed")?;
    }
    Ok(())
}

/// What is kept of questions about identifiers.
fn questions(home: &MemberHome) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let deconflict = Store::of(home.dir());
    let mut found = named(&deconflict.asked_dir(), '.')?;
    found.extend(named(&deconflict.served_dir(), '.')?);
    Ok(found)
}

/// What is kept of reports that were sent, besides the messages themselves.
fn routed(home: &MemberHome) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut found = named(&home.dir().join(SEEN_FOLDER), '.')?;
    for (message, mut paths) in named(&home.dir().join(ROUTES_DIR), '.')? {
        found.entry(message).or_default().append(&mut paths);
    }
    Ok(found)
}

/// What this member said itself in a case is kept by its hash. Spec: CSE-9.
fn said(home: &MemberHome, record: &Path) -> Result<Option<PathBuf>, Failure> {
    let about = messages::read(record)?;
    let path = desk::said_path(home, about["sha256"].as_str().unwrap_or_default());
    Ok(Some(path).filter(|path| path.exists()))
}

/// Files of a folder, by what stands before the first `end` in their names.
fn named(folder: &Path, end: char) -> Result<BTreeMap<String, Vec<PathBuf>>, Failure> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    if !folder.exists() {
        return Ok(found);
    }
    let failed = |error| Failure::file("list", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((start, _)) = name.and_then(|name| name.split_once(end)) {
            found
                .entry(start.to_owned())
                .or_default()
                .push(path.clone());
        }
    }
    Ok(found)
}

/// Where an attachment was fetched to, if it was: the file, if it is one of ours to remove. A place that
/// older programs noted as seen from some folder may name anything by now.
fn fetched(row: &Value) -> Option<Result<PathBuf, String>> {
    let name = row["file"].as_str()?;
    let path = PathBuf::from(name);
    let there = path.symlink_metadata().ok().filter(fs::Metadata::is_file);
    let ours = there.is_some_and(|there| row["bytes"] == there.len());
    Some(match path.is_absolute() && ours {
        true => Ok(path),
        false => Err(name.to_owned()),
    })
}

/// Whether a receipt, or what lies beside one, goes with the message of this sender. That it was erased
/// stays provable: the receipt of that names no content.
fn goes(path: &Path, sender: &str) -> bool {
    stated(&path.with_extension(PROOF)).is_none_or(|said| {
        said.event() != Event::Erased && (said.sender.is_empty() || said.sender == sender)
    })
}

/// What the receipt in a file states, not verified; none if it is none.
fn stated(path: &Path) -> Option<v1::Statement> {
    let is_proof = path.extension().is_some_and(|end| end == PROOF);
    let kept = is_proof.then(|| receipt::read(path))?.ok()?;
    v1::Statement::decode(kept.statement).ok()
}

/// A file system may keep the old bytes elsewhere all the same; where it writes in place they are
/// gone from the disk with this.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(path)?;
    let mut left = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    let zeros = [0; STEP_BYTES];
    while left > 0 {
        let step = left.min(STEP_BYTES);
        file.write_all(&zeros[..step])?;
        left -= step;
    }
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use frex_client::{
        environment::Random,
        keys::{MemberRole, MemberSettings},
    };
    use frex_proto::{
        keys::SigningKey,
        log::{Checkpoint, Leaf, checkpoint},
    };
    use serde_json::json;

    use super::*;

    // ERA-14: only what is surely the file that came is removed; what is not is named.
    #[test]
    fn an_attachment_is_removed_where_it_was_put_and_as_it_came() {
        let dir = tempfile::tempdir().unwrap();
        let there = dir.path().join("case.zip");
        fs::write(&there, "four").unwrap();
        let link = dir.path().join("link.zip");
        std::os::unix::fs::symlink(&there, &link).unwrap();
        let row = |file: &Path, bytes: u64| json!({ "file": file, "bytes": bytes });
        assert_eq!(fetched(&row(&there, 4)), Some(Ok(there.clone())));
        for (file, bytes) in [
            (there.as_path(), 5),
            (link.as_path(), 4),
            (Path::new("Cargo.toml"), 4),
            (dir.path(), 4),
        ] {
            let name = file.to_string_lossy().into_owned();
            assert_eq!(fetched(&row(file, bytes)), Some(Err(name)));
        }
        assert_eq!(fetched(&json!({ "bytes": 4 })), None);
    }

    const MESSAGE: MessageId = MessageId([7; 16]);

    fn home(dir: &Path) -> MemberHome {
        let settings = MemberSettings {
            member: "own".to_owned(),
            federation: "fed".to_owned(),
            home_node: "node.own".to_owned(),
            country: "NL".to_owned(),
            name: "Example".to_owned(),
            role: MemberRole::Hotline,
            keys_from_credentials: false,
        };
        let made = MemberHome::create(dir, settings, None, &mut Random::System.rng());
        made.expect("an empty folder").0
    }

    /// A receipt about a message of this sender.
    fn proof(sender: &str, event: Event) -> String {
        let statement = v1::Statement {
            event: event.into(),
            message_id: MESSAGE.0.to_vec().into(),
            sender: sender.to_owned(),
            authority: "recall:1".to_owned(),
            ..v1::Statement::default()
        };
        let statement = statement.encode_to_vec();
        let leaf = Leaf::build(event, 1_900_000_000_000, &[1; 32], &statement);
        let head = Checkpoint {
            origin: "frex/fed/node.own/log/1".to_owned(),
            size: 1,
            root: leaf.hash(),
        };
        let note = checkpoint::sign(&head, &SigningKey::from_seed(&[7; 32])).expect("a head");
        let receipt = frex_proto::receipt::build(statement.into(), &[1; 32], &leaf, 0, &[], note);
        frex_proto::receipt::to_tlog_proof_text(&receipt).expect("a receipt")
    }

    fn names(paths: &[PathBuf]) -> Vec<&str> {
        let names = paths.iter().filter_map(|path| path.file_name());
        names.filter_map(|name| name.to_str()).collect()
    }

    // ERA-17, RCL-7: whoever learns the id of a message can send another under it, and has that erased alone:
    // not what was sent or came under this id before, and no receipt of that.
    #[test]
    fn what_another_sent_under_the_same_id_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let home = home(dir.path());
        let write = |folder: &str, name: &str, text: &str| {
            let folder = home.dir().join(folder);
            fs::create_dir_all(&folder).expect("our folder");
            fs::write(folder.join(name), text).expect("our folder");
        };
        let id = MESSAGE.to_string();
        write("sent", &format!("{id}.json"), "{}");
        for (from, envelope) in [("other", "aa"), ("evil", "bb")] {
            let about = json!({ "message": id, "envelope": envelope, "from": from });
            write(INBOX_DIR, &format!("{envelope}.about"), &about.to_string());
        }
        let receipts = [
            ("submitted", "own", Event::Submitted),
            ("accepted", "evil", Event::Accepted),
            ("erased", "evil", Event::Erased),
        ];
        for (word, sender, event) in receipts {
            let name = format!("{id}-node.own-{word}.tlog-proof");
            let path = home.receipts_dir().join(name);
            fs::write(path, proof(sender, event)).expect("our folder");
        }
        let folder = Folder::read(&home).expect("our folder");
        let found = |sender| folder.find(MESSAGE, sender, true).unwrap().files;
        let of_it = |word: &str| format!("{id}-node.own-{word}.tlog-proof");
        assert_eq!(
            names(&found(Some("evil"))),
            [&of_it("accepted"), "bb.about"],
            "what it is found by comes last"
        );
        assert_eq!(names(&found(Some("other"))), ["aa.about"]);
        assert_eq!(
            names(&found(Some("own"))),
            [of_it("submitted"), format!("{id}.json")]
        );
        let erased = |sender| folder.erased_for(MESSAGE, sender);
        assert_eq!(erased("evil"), ["recall:1"]);
        assert!(erased("other").is_empty());
    }
}
