//! `frex log …`: the published log, read from its files. Needs no lock: the files only grow.

use std::path::PathBuf;

use bytes::Bytes;
use clap::{Args, Subcommand};
use frex_proto::{
    error::WireCode,
    label::Hash,
    log::{self, Checkpoint, LogVerifier, Tile, TlogProof, inclusion_proof, tile},
};
use serde_json::json;

use super::{
    DirArgs,
    failure::{Done, Failure, OrCode, OrFail},
    output,
};

pub mod audit;
pub mod evidence;
pub mod export;
mod find;
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
    Checkpoint(LogArgs),
    /// Prove that an entry is in the published log
    Prove(LogProveArgs),
    /// Check that the published files make the tree that the log signed
    Verify(LogArgs),
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

/// Which log is read.
#[derive(Debug, Args)]
pub struct LogArgs {
    /// The folder that `frex init` made, or a copy that `frex log export` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    #[command(flatten)]
    pub which: WhichLog,
}

/// Which of several logs in one folder is meant.
#[derive(Debug, Args)]
pub struct WhichLog {
    /// The log, where the folder holds several: its name, frex/FEDERATION/NODE/log/NUMBER
    #[arg(long, value_name = "LOG")]
    pub origin: Option<String>,
}

/// `frex log prove`.
#[derive(Debug, Args)]
pub struct LogProveArgs {
    /// Position of the entry
    pub index: u64,
    #[command(flatten)]
    pub log: LogArgs,
}

/// Entries or hashes of a full tile.
const WIDTH: u64 = tile::TILE_WIDTH as u64;

/// A published log with the key that its checkpoints verify by.
pub struct LogFiles {
    /// The folder in which its files lie.
    pub folder: PathBuf,
    /// That as what files are read from.
    pub source: Source,
    /// Who signs it.
    pub verifier: LogVerifier,
    /// Its newest published head.
    pub head: Checkpoint,
    /// That head as signed.
    pub note: Bytes,
}

impl LogFiles {
    /// The verifier key line of the key that signed the head.
    pub fn vkey(&self) -> String {
        let signer = self.verifier.vkey_for(&self.note);
        signer.unwrap_or_else(|| self.verifier.vkey())
    }

    /// The first entry of the first bundle that is there, where those before `minimum` were taken away:
    /// the log's end, if that is a bundle's end and all of them were.
    fn first_kept(&self, minimum: u64) -> u64 {
        let size = self.head.size;
        match minimum >= size && size.is_multiple_of(WIDTH) {
            true => size,
            false => minimum.min(size.saturating_sub(1)),
        }
    }

    /// The root of a complete subtree of the published tree.
    fn subtree(&self, level: u8, index: u64) -> Result<Hash, Failure> {
        let what = "the published files do not hold what the checkpoint says";
        let tile = Tile::holding(level, index, self.head.size)
            .ok_or_else(|| Failure::new(WireCode::BadProof, what))?;
        let content = self.source.tile(&tile)?;
        let hash = tile.subtree(&content, level, index);
        let hash = hash.or_code(WireCode::BadProof, what);
        hash.map_err(|failure| failure.advise(read::damaged(&tile.path())))
    }

    /// One entry of those below the head's size.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, Failure> {
        let what = "the published entries are not what the checkpoint says";
        let bundle = Tile::bundle(index / WIDTH, self.head.size);
        let content = self.source.tile(&bundle)?;
        let entries = tile::entries(&content, bundle.width).or_code(WireCode::BadProof, what);
        let entries = entries.map_err(|failure| failure.advise(read::damaged(&bundle.path())))?;
        let place = usize::try_from(index % WIDTH).unwrap_or_default();
        let entry = entries
            .get(place)
            .ok_or_else(|| Failure::new(WireCode::BadProof, what))?;
        Ok(entry.to_vec())
    }
}

/// Prints the newest published checkpoint as it is.
pub fn checkpoint(args: &LogArgs, json: bool) -> Done {
    let log = LogFiles::open(&args.dir, &args.which)?;
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
    let log = LogFiles::open(&args.log.dir, &args.log.which)?;
    let (index, size) = (args.index, log.head.size);
    if index >= size {
        let what = format!("there is no entry #{index}: the published log has {size}");
        return Err(Failure::new(WireCode::NotFound, what)
            .advise(format!("frex log checkpoint {}", args.log.dir.display())));
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
