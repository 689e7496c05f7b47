//! `frex log …`: the published log, read from its files. Needs no lock: the files only grow.

use std::{
    fs,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::{Args, Subcommand};
use frex_client::{environment::Clock, keys::KeyFileError};
use frex_proto::{
    error::WireCode,
    label::Hash,
    log::{
        self, ANY_TIME_MS, Checkpoint, LogVerifier, Origin, Tile, TileKind, TlogProof, checkpoint,
        inclusion_proof, tile,
    },
};
use serde_json::json;

use super::{
    DirArgs,
    failure::{Done, Failure, OrCode, OrFail},
    files, output, passphrase,
};
use crate::{
    config::NodeConfig,
    home::{CONFIG_FILE, LOG_DIR, NodeHome, NodeHomeError},
};

pub mod audit;
pub mod evidence;
pub mod export;
pub mod new_epoch;
pub mod prune;
pub mod read;
pub mod source;
pub mod trust;
pub mod verify;

use source::Source;

/// `frex log …`.
#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Print the newest published checkpoint
    Checkpoint(DirArgs),
    /// Prove that an entry is in the published log
    Prove(LogProveArgs),
    /// Check that the published files make the tree that the log signed
    Verify(DirArgs),
    /// Show what logs have signed against themselves
    Evidence(DirArgs),
    /// Follow a log by its published files, from a folder or a web server; needs no node
    Audit(audit::LogAuditArgs),
    /// Copy the published log with its verifier key for others to check, or bring a copy up to date
    Export(export::LogExportArgs),
    /// Take old entries away from a published copy
    Prune(prune::LogPruneArgs),
    /// Begin the log anew where it cannot go on, as another that names this one
    NewEpoch(new_epoch::NewEpochArgs),
}

/// `frex log prove`.
#[derive(Debug, Args)]
pub struct LogProveArgs {
    /// Position of the entry
    pub index: u64,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Entries or hashes of a full tile.
const WIDTH: u64 = tile::TILE_WIDTH as u64;

/// A published log with the key that its checkpoints verify by.
pub struct LogFiles {
    /// Where it lies.
    pub source: Source,
    /// Who signs it.
    pub verifier: LogVerifier,
    /// Its newest published head.
    pub head: Checkpoint,
    /// That head as signed.
    pub note: Bytes,
}

impl LogFiles {
    /// Finds the log of the node in `dir`, or the exported log in `dir`, and verifies its head.
    pub fn open(dir: &Path) -> Result<Self, Failure> {
        match files::home(dir, "node", CONFIG_FILE) {
            Ok(home) => Self::of_node(&home),
            Err(failure) => match exported(dir)? {
                Some((folder, verifier)) => Self::read(folder, verifier),
                None => Err(failure),
            },
        }
    }

    fn of_node(home: &Path) -> Result<Self, Failure> {
        let config = NodeHome::config(home).or_fail("cannot read the node's settings")?;
        let (origin, folder) = newest(home, &config)?;
        Self::read(folder, verifier_of(home, &config, origin)?)
    }

    fn read(folder: PathBuf, verifier: LogVerifier) -> Result<Self, Failure> {
        let source = Source::Folder(folder);
        let note = source.checkpoint()?;
        // Files of one's own, or handed over with their key: which key signed them is the question.
        let head = checkpoint::parse_and_verify(&note, &verifier, ANY_TIME_MS).or_code(
            WireCode::BadProof,
            "the published checkpoint does not verify",
        )?;
        Ok(Self {
            source,
            verifier,
            head,
            note,
        })
    }

    /// The verifier key line of the key that signed the head.
    pub fn vkey(&self) -> String {
        let signer = self.verifier.vkey_for(&self.note);
        signer.unwrap_or_else(|| self.verifier.vkey())
    }

    /// The root of a complete subtree of the published tree.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Failure> {
        let what = "the published files do not hold what the checkpoint says";
        let tile = Tile::holding(level, index, self.head.size)
            .ok_or_else(|| Failure::new(WireCode::BadProof, what))?;
        let content = self.source.tile(&tile)?;
        tile.subtree(&content, level, index)
            .or_code(WireCode::BadProof, what)
    }

    /// One entry of those below the head's size.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Failure> {
        let what = "the published entries are not what the checkpoint says";
        let bundle = index / WIDTH;
        let width = WIDTH.min(self.head.size - bundle * WIDTH);
        let bundle = Tile {
            kind: TileKind::Entries,
            index: bundle,
            width: u16::try_from(width).unwrap_or(tile::TILE_WIDTH),
        };
        let content = self.source.tile(&bundle)?;
        let entries = tile::entries(&content, bundle.width).or_code(WireCode::BadProof, what)?;
        let place = usize::try_from(index % WIDTH).unwrap_or_default();
        let entry = entries
            .get(place)
            .ok_or_else(|| Failure::new(WireCode::BadProof, what))?;
        Ok(entry.to_vec())
    }
}

/// Prints the newest published checkpoint as it is.
pub fn checkpoint(dir: &Path, json: bool) -> Done {
    let log = LogFiles::open(dir)?;
    let text = String::from_utf8_lossy(&log.note).into_owned();
    if json {
        output::document(json!({
            "origin": log.head.origin, "size": log.head.size, "root": hex::encode(log.head.root),
            "vkey": log.vkey(), "checkpoint": text,
        }));
    } else {
        output::data(text.trim_end());
    }
    Ok(0)
}

/// Prints a proof file that an entry is in the published log.
pub fn prove(args: &LogProveArgs, json: bool) -> Done {
    let log = LogFiles::open(&args.dir)?;
    let (index, size) = (args.index, log.head.size);
    if index >= size {
        let what = format!("there is no entry #{index}: the published log has {size}");
        return Err(Failure::new(WireCode::NotFound, what)
            .advise(format!("frex log checkpoint {}", args.dir.display())));
    }
    let entry = log.entry(index)?;
    let hashes = inclusion_proof(index, size, |level, position| log.subtree(level, position))?;
    log::verify_inclusion(
        &log::leaf_hash(&entry),
        index,
        size,
        &hashes,
        &log.head.root,
    )
    .or_fail("the published files do not make the tree that was signed")?;
    let proof = TlogProof {
        extra: None,
        index,
        hashes,
        checkpoint: log.note.clone(),
    };
    let text = proof.to_text().or_fail("the proof cannot be written")?;
    if json {
        output::document(json!({
            "origin": log.head.origin, "index": index, "size": size, "leaf": hex::encode(entry),
            "proof": text, "vkey": log.vkey(),
        }));
    } else {
        output::data(text.trim_end());
        output::message(format_args!("leaf: {}", hex::encode(entry)));
    }
    Ok(0)
}

/// The newest log that the node in `home` publishes.
fn newest(home: &Path, config: &NodeConfig) -> Result<(String, PathBuf), Failure> {
    let newest = published(&home.join(LOG_DIR))?
        .into_iter()
        .filter_map(|(origin, folder)| {
            let parts = Origin::parse(&origin).ok()?;
            (parts.node == config.node).then_some((parts.epoch, origin.clone(), folder))
        })
        .max_by_key(|(epoch, _, _)| *epoch);
    let newest = newest.map(|(_, origin, folder)| (origin, folder));
    newest.ok_or_else(|| {
        Failure::new(WireCode::NotFound, "nothing has been published yet")
            .cause("the log has no entry, or the node has not run")
            .advise(format!("frex run {}", home.display()))
    })
}

/// The folder with the files of the one log that is published in `dir`: that itself, a node's, or a
/// copy's.
fn folder_of(dir: &Path) -> Result<PathBuf, Failure> {
    if dir.join("checkpoint").is_file() {
        return Ok(dir.to_owned());
    }
    if let Ok(home) = files::home(dir, "node", CONFIG_FILE) {
        let config = NodeHome::config(&home).or_fail("cannot read the node's settings")?;
        return Ok(newest(&home, &config)?.1);
    }
    let mut found = published(dir)?;
    match (found.pop(), found.is_empty()) {
        (Some((_, folder)), true) => Ok(folder),
        (None, _) => Err(Failure::new(
            WireCode::NotFound,
            format!("{} holds no published log", dir.display()),
        )
        .advise("Name the folder or address in which the file `checkpoint` lies")),
        (Some((origin, _)), false) => Err(Failure::new(
            WireCode::BadInput,
            format!("{} holds several logs", dir.display()),
        )
        .advise(format!("Name one of them: {}", dir.join(origin).display()))),
    }
}

/// Every folder below `root` that holds a checkpoint, with the name of its log.
fn published(root: &Path) -> Result<Vec<(String, PathBuf)>, Failure> {
    /// `frex/<federation>/<node>/log/<epoch>`.
    const DEPTH: usize = 5;
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
    Ok(level
        .into_iter()
        .filter(|(_, folder)| folder.join("checkpoint").is_file())
        .collect())
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

/// The log that was exported into `dir`, with the key beside it; none unless it is exactly one.
fn exported(dir: &Path) -> Result<Option<(PathBuf, LogVerifier)>, Failure> {
    let mut found = published(dir)?;
    let (Some((origin, folder)), true) = (found.pop(), found.is_empty()) else {
        return Ok(None);
    };
    let Ok(parts) = Origin::parse(&origin) else {
        return Ok(None);
    };
    let path = dir.join(format!("{}.vkey", parts.node));
    let text = String::from_utf8_lossy(&files::read(&path, 4096)?).into_owned();
    let verifier = LogVerifier::from_vkey(text.trim()).or_code(
        WireCode::BadInput,
        format_args!("{} is no verifier key", path.display()),
    )?;
    Ok(Some((folder, verifier)))
}
