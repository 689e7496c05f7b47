//! `frex key …`: the secret keys in a folder, and how they are kept.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand};
use frex_proto::error::WireCode;

use super::failure::{Done, Failure};

mod change;
mod list;
mod log;
mod tls;

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
    /// Have another key follow the one in use
    #[command(subcommand)]
    Rotate(RotateCommand),
}

/// `frex key rotate …`.
#[derive(Debug, Subcommand)]
pub enum RotateCommand {
    /// Of a node: make the log's next key, and the card by which the governance lists it
    Log(log::RotateLogArgs),
    /// Of a node: state another connection key, test it against a peer, and put it in use
    Tls(tls::RotateTlsArgs),
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
        KeyCommand::Rotate(RotateCommand::Log(args)) => log::rotate(args, json),
        KeyCommand::Rotate(RotateCommand::Tls(args)) => tls::rotate(args, json),
    }
}

/// The key files below a folder.
struct Found {
    keys: Vec<PathBuf>,
    /// What changes that were interrupted have left beside them.
    drafts: Vec<PathBuf>,
}

/// Looks where `frex init` and `frex federation init` put keys, and nowhere deeper.
fn find(dir: &Path) -> Result<Found, Failure> {
    if dir.is_file() {
        return Ok(Found {
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
    let (mut keys, mut drafts) = (Vec::new(), Vec::new());
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
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
    Ok(Found { keys, drafts })
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
