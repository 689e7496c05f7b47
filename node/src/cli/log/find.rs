//! Finding a published log: a node's own, or a copy with the key beside it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use frex_client::{environment::Clock, keys::KeyFileError};
use frex_proto::{
    error::WireCode,
    limits,
    log::{ANY_TIME_MS, Checkpoint, LogVerifier, Origin, checkpoint},
};

use super::{LogFiles, WhichLog, source::Source};
use crate::{
    cli::{
        failure::{Failure, OrCode, OrFail},
        files, passphrase,
    },
    config::NodeConfig,
    home::{CONFIG_FILE, LOG_DIR, NodeHome, NodeHomeError},
};

/// Ending of the files that hold the verifier key of an exported log.
pub const VKEY: &str = "vkey";

/// Folders that the name of a log has: `frex/<federation>/<node>/log/<epoch>`.
const DEPTH: usize = 5;

impl WhichLog {
    /// The only one, or a node's newest.
    pub const ANY: Self = Self { origin: None };

    fn means(&self, origin: &str) -> bool {
        self.origin.as_ref().is_none_or(|wanted| wanted == origin)
    }
}

impl LogFiles {
    /// Finds the log of the node in `dir`, or the exported log in `dir`, and verifies its head.
    pub fn open(dir: &Path, which: &WhichLog) -> Result<Self, Failure> {
        match files::home(dir, "node", CONFIG_FILE) {
            Ok(home) => {
                let config = NodeHome::config(&home).or_fail("cannot read the node's settings")?;
                let (origin, folder) = newest(&home, &config, which)?;
                return Self::read(folder, verifier_of(&home, &config, origin)?);
            }
            Err(failure) if logs_in(dir)?.is_empty() => return Err(failure),
            Err(_) => {}
        }
        let (origin, folder) = one_of(dir, which)?;
        let verifier = verifier_beside(dir, &folder, &origin)?;
        Self::read(folder, verifier)
    }

    fn read(folder: PathBuf, verifier: LogVerifier) -> Result<Self, Failure> {
        let source = Source::Folder(folder.clone());
        let note = source.checkpoint()?;
        // Files of one's own, or handed over with their key: which key signed them is the question.
        let head = checkpoint::parse_and_verify(&note, &verifier, ANY_TIME_MS).or_code(
            WireCode::BadProof,
            "the published checkpoint does not verify",
        )?;
        Ok(Self {
            folder,
            source,
            verifier,
            head,
            note,
        })
    }
}

/// The newest log that the node in `home` publishes, of those that are meant.
fn newest(
    home: &Path,
    config: &NodeConfig,
    which: &WhichLog,
) -> Result<(String, PathBuf), Failure> {
    let mut found = published(&home.join(LOG_DIR))?;
    let epoch = |origin: &str| {
        let parts = Origin::parse(origin).ok()?;
        (parts.node == config.node).then_some(parts.epoch)
    };
    found.retain(|(origin, _)| epoch(origin).is_some());
    let meant = found.iter().filter(|(origin, _)| which.means(origin));
    let newest = meant.max_by_key(|(origin, _)| epoch(origin)).cloned();
    newest.ok_or_else(|| match found.is_empty() {
        false => not_there(home, &found),
        true => Failure::new(WireCode::NotFound, "nothing has been published yet")
            .cause("the log has no entry, or the node has not run")
            .advise(format!("frex run {}", home.display())),
    })
}

/// The folder with the files of the one log that is published in `dir`: that itself, a node's, or a
/// copy's.
pub fn folder_of(dir: &Path) -> Result<PathBuf, Failure> {
    if dir.join("checkpoint").is_file() {
        return Ok(dir.to_owned());
    }
    if let Ok(home) = files::home(dir, "node", CONFIG_FILE) {
        let config = NodeHome::config(&home).or_fail("cannot read the node's settings")?;
        return Ok(newest(&home, &config, &WhichLog::ANY)?.1);
    }
    match one_of(dir, &WhichLog::ANY) {
        Ok((_, folder)) => Ok(folder),
        Err(failure) if failure.code() == WireCode::BadInput => {
            let found = published(dir)?;
            let paths = found.iter().map(|(_, folder)| folder.display().to_string());
            let paths: Vec<String> = paths.collect();
            Err(failure.advise(format!("Name one of them: {}", paths.join(", "))))
        }
        Err(failure) => Err(failure),
    }
}

/// The one log that is meant of those that are published in `dir`, or whose files lie there.
fn one_of(dir: &Path, which: &WhichLog) -> Result<(String, PathBuf), Failure> {
    let mut found = logs_in(dir)?;
    if found.is_empty() {
        let what = format!("{} holds no published log", dir.display());
        return Err(Failure::new(WireCode::NotFound, what)
            .advise("Name the folder that frex init or frex log export made, or the folder or address in which the file `checkpoint` lies"));
    }
    let mut meant: Vec<_> = found.clone();
    meant.retain(|(origin, _)| which.means(origin));
    match (meant.pop(), meant.is_empty()) {
        (Some(one), true) => Ok(one),
        (None, _) => Err(not_there(dir, &found)),
        (Some(_), false) => {
            found.sort();
            let what = format!("{} holds several logs", dir.display());
            Err(Failure::new(WireCode::BadInput, what)
                .cause(names(&found))
                .advise(format!(
                    "Name the one that is meant: --origin {}",
                    found[0].0
                )))
        }
    }
}

/// The logs that are published in `dir`, or the one whose files lie there.
fn logs_in(dir: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let note = dir.join("checkpoint");
    if !note.is_file() {
        return published(dir);
    }
    let head = Checkpoint::of_note(&files::read(&note, limits::CHECKPOINT_BYTES_MAX)?);
    let head = head.or_fail(format!("{} is no checkpoint", note.display()))?;
    Ok(vec![(head.origin, dir.to_owned())])
}

fn not_there(dir: &Path, found: &[(String, PathBuf)]) -> Failure {
    let what = format!("{} holds no log of this name", dir.display());
    Failure::new(WireCode::NotFound, what)
        .cause(format!("it holds {}", names(found)))
        .advise("Name one of these: --origin LOG")
}

fn names(found: &[(String, PathBuf)]) -> String {
    let names: Vec<&str> = found.iter().map(|(origin, _)| origin.as_str()).collect();
    names.join(", ")
}

/// Every folder below `root` that holds a checkpoint, with the name of its log.
pub fn published(root: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    let mut level = vec![(String::new(), root.to_owned())];
    for _ in 0..DEPTH {
        let mut next = Vec::new();
        for (name, folder) in level {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let path = entry
                    .map_err(|error| Failure::file("list", &folder, &error))?
                    .path();
                let Some(part) = path.file_name().and_then(|part| part.to_str()) else {
                    continue;
                };
                let name = if name.is_empty() {
                    part.to_owned()
                } else {
                    format!("{name}/{part}")
                };
                next.push((name, path));
            }
        }
        level = next;
    }
    level.retain(|(name, folder)| {
        Origin::parse(name).is_ok() && folder.join("checkpoint").is_file()
    });
    Ok(level)
}

/// The keys that the node's checkpoints verify by: those that its roster lists for this log, or the
/// key in its file where no roster says more.
fn verifier_of(home: &Path, config: &NodeConfig, origin: String) -> Result<LogVerifier, Failure> {
    let unread = "cannot read the log's key";
    let roster = NodeHome::held_roster(home, Clock::System.now_ms());
    let listed = roster.as_ref().ok();
    let listed = listed.and_then(|roster| roster.log_verifier_of(&origin));
    let own = match NodeHome::log_public_key(home, config, &passphrase::unlock()) {
        Ok(key) => key,
        // Only a service is handed credentials; whoever looks on is not.
        Err(NodeHomeError::File(KeyFileError::NoCredentials { .. })) => None,
        Err(error) => return Err(error).or_fail(unread),
    };
    match (listed, own) {
        // Another key than any listed signs here: then what it signed is to be seen, not hidden.
        (Some(log), Some(own)) if log.keys().iter().all(|listed| listed.key != own) => {
            Ok(LogVerifier::new(origin, own))
        }
        (Some(log), _) => Ok(log),
        (None, Some(own)) => Ok(LogVerifier::new(origin, own)),
        (None, None) => {
            roster.or_fail(unread)?;
            let what = "the roster does not list this node";
            Err(Failure::new(WireCode::NotTrusted, what))
        }
    }
}

/// The key beside a log that was exported: that of its name, wherever in the folder of the copy.
fn verifier_beside(dir: &Path, folder: &Path, origin: &str) -> Result<LogVerifier, Failure> {
    // Of the log's own folder the copy is as many folders above as its name has.
    let above = folder
        .ends_with(origin)
        .then(|| folder.ancestors().nth(DEPTH));
    let root = match above.flatten() {
        Some(root) if root.as_os_str().is_empty() => Path::new("."),
        Some(root) => root,
        None => dir,
    };
    for path in files::with_extension(root, VKEY)? {
        if let Some(verifier) = read_vkey(&path)?.filter(|found| found.origin == origin) {
            return Ok(verifier);
        }
    }
    let what = format!(
        "{} holds no verifier key of the log {origin}",
        root.display()
    );
    Err(Failure::new(WireCode::NotFound, what)
        .cause("frex log export writes it beside the log, as NODE.vkey")
        .advise("Get that file from whoever made the copy, or read the log by a key or roster: frex log audit"))
}

/// The verifier key in a file; none if it holds another thing.
pub fn read_vkey(path: &Path) -> Result<Option<LogVerifier>, Failure> {
    let text = String::from_utf8_lossy(&files::read(path, 4096)?).into_owned();
    Ok(LogVerifier::from_vkey(text.trim()).ok())
}
