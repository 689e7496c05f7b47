//! `frex key …`: the secret keys in a folder, and how they are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use frex_client::{
    environment::Clock,
    keys::rotation::{KeyFolder, ROTATION_FILE},
};
use frex_proto::error::WireCode;

use super::{
    failure::{Done, Failure, OrFail},
    member,
};

mod change;
mod list;
mod log;
mod next;
mod node_tls;
mod own_node;
pub mod rotate;
mod token;
mod witness;

/// `frex key …`.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// List the keys with their fingerprints, and whether they are encrypted
    Ls(KeyArgs),
    /// Encrypt the keys under a passphrase; those that are stay as they are
    Encrypt(KeyArgs),
    /// Write the keys without encryption, for a disk that is encrypted itself
    Decrypt(KeyArgs),
    /// Put encrypted keys under another passphrase
    Passphrase(KeyPassphraseArgs),
    /// Make a signing key in a hardware token, or take one that is there, and write its key file
    Token(token::KeyTokenArgs),
    /// Let a new key follow one that is in use, without losing anything under way
    #[command(subcommand)]
    Rotate(rotate::RotateCommand),
}

/// `frex key ls`, `encrypt`, `decrypt`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    /// The folder of a member, a node, a holder or the governance, or one key file
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex key passphrase`.
#[derive(Debug, Args)]
pub struct KeyPassphraseArgs {
    /// Read the new passphrase from this file descriptor, one line: 4 with 4<FILE
    #[arg(long, value_name = "N")]
    pub new_passphrase_fd: Option<u32>,
    /// The folder of a member, a node, a holder or the governance, or one key file
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// Carries out a command about keys.
pub fn key(command: &KeyCommand, json: bool) -> Done {
    match command {
        KeyCommand::Ls(args) => list::list(&find(&args.dir)?, json),
        KeyCommand::Encrypt(args) => change::encrypt(&args.dir, &find(&args.dir)?.keys, json),
        KeyCommand::Decrypt(args) => change::decrypt(&args.dir, &find(&args.dir)?.keys, json),
        KeyCommand::Passphrase(args) => change::passphrase(
            &args.dir,
            &find(&args.dir)?.keys,
            args.new_passphrase_fd,
            json,
        ),
        KeyCommand::Rotate(command) => rotate::rotate(command, json),
        KeyCommand::Token(args) => token::token(args, json),
    }
}

/// The key files below a folder.
struct Found {
    /// What is recorded of the keys in each folder that has a record.
    folders: Vec<KeyFolder>,
    keys: Vec<PathBuf>,
    /// What changes that were interrupted have left beside them.
    drafts: Vec<PathBuf>,
}

/// Looks where `frex init` and `frex federation init` put keys, and nowhere deeper.
fn find(dir: &Path) -> Result<Found, Failure> {
    if dir.is_file() {
        return Ok(Found {
            folders: Vec::new(),
            keys: vec![dir.to_owned()],
            drafts: Vec::new(),
        });
    }
    let mut folders: Vec<PathBuf> = ["", "keys", "member/keys", "node/keys"]
        .iter()
        .map(|part| {
            if part.is_empty() {
                dir.to_owned()
            } else {
                dir.join(part)
            }
        })
        .collect();
    let holder = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("holder-")) && path.is_dir()
    };
    folders.extend(listed(dir)?.into_iter().filter(holder));
    let (mut recorded, mut keys, mut drafts) = (Vec::new(), Vec::new(), Vec::new());
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        if folder.join(ROTATION_FILE).exists() {
            let (opened, destroyed) = KeyFolder::open(folder, Clock::System.now_ms())
                .or_fail("the record of the keys cannot be used")?;
            member::tell_destroyed(&destroyed);
            recorded.push(opened);
        }
        for path in listed(folder)? {
            let name = path.to_string_lossy();
            if name.ends_with(".key") {
                keys.push(path);
            } else if name.ends_with(".key.new") {
                drafts.push(path);
            }
        }
    }
    if keys.is_empty() {
        let what = format!("there are no keys in {}", dir.display());
        return Err(Failure::new(WireCode::NotInitialised, what));
    }
    Ok(Found {
        folders: recorded,
        keys,
        drafts,
    })
}

fn listed(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = fs::read_dir(folder)
        .and_then(|entries| {
            let paths = entries.map(|entry| entry.map(|entry| entry.path()));
            paths.collect::<Result<Vec<_>, _>>()
        })
        .map_err(|error| Failure::file("list", folder, &error))?;
    paths.sort();
    Ok(paths)
}
