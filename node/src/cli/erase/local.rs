//! What a member's folder keeps of one message, and removing it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use frex_client::{environment::Clock, keys::MemberHome, sent::SentStore};
use frex_proto::{error::WireCode, id::MessageId, limits, receipt, v1};
use prost::Message;
use serde_json::Value;

use crate::cli::{
    evidence::keep,
    failure::{Failure, OrCode, OrFail},
    files,
    member::{ABOUT, ABOUT_BYTES_MAX, INBOX_DIR, REFERENCES_DIR},
    messages,
};

/// Part of the name of a receipt that states an erasure.
const ERASED: &str = "-erased.";
/// Ending of the name of a receipt.
const PROOF: &str = "tlog-proof";
const STEP_BYTES: usize = 64 * 1024;

/// The files that hold something of a message; receipts among them if asked for. Nothing of a message
/// of another sender, who may have chosen the same id, if it is said whose it is.
///
/// # Errors
/// The folder cannot be read.
pub fn find(
    home: &MemberHome,
    message: MessageId,
    sender: Option<&str>,
    receipts: bool,
) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let id = message.to_string();
    if is_own(home, sender) {
        let sent = messages::path_of(home, &id);
        found.extend(sent.exists().then_some(sent));
        found.extend(keep::of_message(home, message)?);
    }
    let inbox = home.dir().join(INBOX_DIR);
    for path in files::with_extension(&inbox, ABOUT)? {
        let bytes = files::read(&path, ABOUT_BYTES_MAX)?;
        let about: Value = serde_json::from_slice(&bytes).or_code(
            WireCode::Files,
            format_args!("{} is damaged", path.display()),
        )?;
        let theirs = sender.is_none_or(|sender| about["from"] == sender);
        if about["message"] == id.as_str() && theirs {
            let envelope = about["envelope"].as_str().unwrap_or_default();
            found.extend(named(&inbox, &format!("{envelope}."))?);
            let fetched = about["attachments"].as_array().into_iter().flatten();
            let fetched = fetched
                .filter_map(|row| row["file"].as_str())
                .map(PathBuf::from);
            found.extend(fetched.filter(|file| file.is_file()));
        }
    }
    if receipts {
        // That it was erased stays provable: the receipt of that names no content.
        let of_it = named(&home.receipts_dir(), &format!("{id}-"))?.into_iter();
        let says_so = |path: &PathBuf| path.to_string_lossy().contains(ERASED);
        found.extend(of_it.filter(|path| !says_so(path) && !is_of_another(path, sender)));
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// By which orders a sender's message was erased, as those receipts say of it that are kept here.
///
/// # Errors
/// The folder cannot be read.
pub fn erased_for(
    home: &MemberHome,
    message: MessageId,
    sender: &str,
) -> Result<Vec<String>, Failure> {
    let of_it = named(&home.receipts_dir(), &format!("{message}-"))?.into_iter();
    let says_so = of_it.filter(|path| path.to_string_lossy().contains(ERASED));
    let said = says_so.filter_map(|path| statement(&path));
    let erased = said.filter(|said| said.event() == v1::Event::Erased && said.sender == sender);
    Ok(erased.map(|said| said.authority).collect())
}

/// Whether what is said whose it is, is this member's own.
fn is_own(home: &MemberHome, sender: Option<&str>) -> bool {
    sender.is_none_or(|sender| sender == home.settings().member)
}

/// Whether a file of a receipt is about a message of somebody else than `sender`.
fn is_of_another(path: &Path, sender: Option<&str>) -> bool {
    let said = sender.and_then(|_| statement(&path.with_extension(PROOF)));
    said.is_some_and(|said| !said.sender.is_empty() && Some(said.sender.as_str()) != sender)
}

/// What the receipt in a file states, not verified; none if it is none.
fn statement(path: &Path) -> Option<v1::Statement> {
    let is_proof = path.extension().is_some_and(|end| end == PROOF);
    let text = is_proof.then(|| files::read(path, limits::ANSWER_FRAME_BYTES_MAX * 4))?;
    let text = String::from_utf8(text.ok()?).ok()?;
    let receipt = receipt::from_tlog_proof_text(&text).ok()?;
    v1::Statement::decode(receipt.statement).ok()
}

/// Files of a folder whose names begin so.
fn named(folder: &Path, start: &str) -> Result<Vec<PathBuf>, Failure> {
    if !folder.exists() || start.len() < 2 {
        return Ok(Vec::new());
    }
    let failed = |error| Failure::file("list", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if name.is_some_and(|name| name.starts_with(start)) {
            found.push(path);
        }
    }
    Ok(found)
}

/// Overwrites these files, removes them, and forgets under which reference the message was sent:
/// with that a hash of its content is kept.
///
/// # Errors
/// The failure names the file; those before it are gone.
pub fn remove(
    home: &MemberHome,
    (message, sender): (MessageId, Option<&str>),
    found: &[PathBuf],
) -> Result<(), Failure> {
    for path in found {
        overwrite(path).map_err(|error| Failure::file("overwrite", path, &error))?;
        fs::remove_file(path).map_err(|error| Failure::file("remove", path, &error))?;
        let folder = path.parent().unwrap_or(home.dir());
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Failure::file("sync", folder, &error))?;
    }
    let references = home.dir().join(REFERENCES_DIR);
    if references.exists() && is_own(home, sender) {
        let store = SentStore::open(&references, Clock::System.now_ms());
        let mut store = store.or_fail("what was sent under references cannot be changed")?;
        store
            .forget(message)
            .or_fail("the reference of the message is not forgotten")?;
    }
    Ok(())
}

/// A file system may keep the old bytes elsewhere all the same; where it writes in place they are
/// gone from the disk with this.
fn overwrite(path: &Path) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).open(path)?;
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
        v1::Event,
    };
    use serde_json::json;

    use super::*;

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
        let receipt = receipt::build(statement.into(), &[1; 32], &leaf, 0, &[], note);
        receipt::to_tlog_proof_text(&receipt).expect("a receipt")
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
        let found = |sender| find(&home, MESSAGE, sender, true).expect("our folder");
        let of_it = |word: &str| format!("{id}-node.own-{word}.tlog-proof");
        assert_eq!(
            names(&found(Some("evil"))),
            ["bb.about", &of_it("accepted")]
        );
        assert_eq!(names(&found(Some("other"))), ["aa.about"]);
        assert_eq!(
            names(&found(Some("own"))),
            [of_it("submitted"), format!("{id}.json")]
        );
        let erased = |sender| erased_for(&home, MESSAGE, sender).expect("our folder");
        assert_eq!(erased("evil"), ["recall:1"]);
        assert!(erased("other").is_empty());
    }
}
