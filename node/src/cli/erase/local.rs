//! What a member's folder keeps of one message, and removing it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use frex_client::{
    casework::deconflict::store::Store, environment::Clock, keys::MemberHome, sent::SentStore,
};
use frex_proto::id::MessageId;
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
const STEP_BYTES: usize = 64 * 1024;

/// The files that hold something of a message; receipts among them if asked for.
///
/// # Errors
/// The folder cannot be read.
pub fn find(
    home: &MemberHome,
    message: MessageId,
    receipts: bool,
) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    let id = message.to_string();
    let sent = messages::path_of(home, &id);
    if sent.exists() {
        found.push(sent);
    }
    found.extend(keep::of_message(home, message)?);
    let deconflict = Store::of(home.dir());
    found.extend(named(&deconflict.asked_dir(), &format!("{id}."))?);
    let inbox = home.dir().join(INBOX_DIR);
    for path in files::with_extension(&inbox, ABOUT)? {
        let bytes = files::read(&path, ABOUT_BYTES_MAX)?;
        let about: Value = serde_json::from_slice(&bytes).or_code(
            frex_proto::error::WireCode::Files,
            format_args!("{} is damaged", path.display()),
        )?;
        if about["message"] == id.as_str() {
            let envelope = about["envelope"].as_str().unwrap_or_default();
            found.extend(named(&inbox, &format!("{envelope}."))?);
            found.extend(named(&deconflict.served_dir(), &format!("{envelope}."))?);
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
        found.extend(of_it.filter(|path| !says_so(path)));
    }
    found.sort();
    found.dedup();
    Ok(found)
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
/// with that a hash of its content is kept. Identifiers that are held because of it are let go of, and
/// the book in which they stand is destroyed. Spec: DCF-24.
///
/// # Errors
/// The failure names the file; those before it are gone.
pub fn remove(home: &MemberHome, message: MessageId, found: &[PathBuf]) -> Result<(), Failure> {
    for path in found {
        overwrite(path).map_err(|error| Failure::file("overwrite", path, &error))?;
        fs::remove_file(path).map_err(|error| Failure::file("remove", path, &error))?;
        let folder = path.parent().unwrap_or(home.dir());
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|error| Failure::file("sync", folder, &error))?;
    }
    let deconflict = Store::of(home.dir());
    if deconflict.dir().exists() {
        let id = message.to_string();
        let gone = deconflict.let_go(|holding| holding.source == id);
        let gone = gone.or_fail("identifiers that it named are still held")?;
        if gone.removed > 0 {
            let destroyed = deconflict.destroy_ended(u64::MAX);
            destroyed.or_fail("a book in which they stand is not destroyed")?;
        }
    }
    let references = home.dir().join(REFERENCES_DIR);
    if references.exists() {
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
