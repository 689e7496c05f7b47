//! `frex backup` and `frex restore`: their words, and making a backup.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use frex_client::environment::Clock;
use frex_proto::error::WireCode;
use serde_json::json;

use super::{
    failure::{Done, Failure, OrFail},
    files, output,
    time::rfc3339,
};
use crate::{
    backup::{
        BackupError, KeysKept, MANIFEST_FILE,
        take::{self, Taken, Wanted, WithKeys},
    },
    home::{CONFIG_FILE, NodeHome},
};

pub mod restore;
pub mod verify;

/// `frex backup`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct BackupArgs {
    /// What else to do with backups
    #[command(subcommand)]
    pub action: Option<BackupAction>,
    /// What to back up
    #[command(flatten)]
    pub make: BackupMakeArgs,
}

/// `frex backup …`.
#[derive(Debug, Subcommand)]
pub enum BackupAction {
    /// Read a backup through: files, journal, and the log up to its signed head
    Verify(BackupVerifyArgs),
}

/// `frex backup DIR`.
#[derive(Debug, Args)]
pub struct BackupMakeArgs {
    /// The folder that `frex init` made; its node may run
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Folder of the backup: a new one, or one of this node, to which only what is new is copied
    #[arg(long, value_name = "FOLDER")]
    pub to: Option<PathBuf>,
    /// Copy the node's keys too, if they are encrypted or in a token
    #[arg(long)]
    pub with_keys: bool,
    /// Copy them as they are: who reads the backup can act as the node
    #[arg(long, requires = "with_keys")]
    pub even_unencrypted: bool,
}

/// `frex backup verify`.
#[derive(Debug, Args)]
pub struct BackupVerifyArgs {
    /// Folder of the backup
    pub folder: PathBuf,
}

/// `frex restore`.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// Folder of the backup
    pub folder: PathBuf,
    /// Folder in which to make the node, which has none
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Take this very backup and no other: the 64 digits that frex backup printed behind `manifest`
    #[arg(long, value_name = "SHA256")]
    pub manifest: Option<String>,
    /// Answer for it that the node did nothing since the backup was made, also for those who cannot be asked
    #[arg(long)]
    pub nothing_was_lost: bool,
}

/// Makes a backup, or brings one up to date.
pub fn backup(args: &BackupMakeArgs, json: bool) -> Done {
    let home = files::home(&args.dir, "node", CONFIG_FILE)?;
    let Some(folder) = &args.to else {
        return Err(Failure::new(WireCode::BadInput, "no folder is named")
            .advise(format!("frex backup {} --to FOLDER", args.dir.display())));
    };
    let config = NodeHome::config(&home).or_fail("cannot read the node's settings")?;
    let anchor = NodeHome::anchor(&home);
    let federation = anchor.map_or_else(|_| String::new(), |anchor| anchor.federation);
    let wanted = Wanted {
        home: &home,
        folder,
        federation: &federation,
        node: &config.node,
        keys: match (args.with_keys, args.even_unencrypted) {
            (false, _) => WithKeys::No,
            (true, false) => WithKeys::Encrypted,
            (true, true) => WithKeys::Plain,
        },
        now_ms: Clock::System.now_ms(),
    };
    let bar = output::progress("copying");
    let taken = take::take(&wanted, &mut |done, total| {
        output::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let taken = taken.map_err(|error| not_made(&error, args, &home))?;
    report(args, folder, &taken, json);
    Ok(0)
}

fn report(args: &BackupMakeArgs, folder: &Path, taken: &Taken, json: bool) {
    let manifest = &taken.manifest;
    let sha256 = hex::encode(taken.sha256);
    if json {
        output::document(json!({
            "node": manifest.node, "folder": folder, "made": rfc3339(manifest.made_ms),
            "log_size": manifest.log_size, "files": manifest.files.len(), "copied": taken.copied,
            "copied_bytes": taken.copied_bytes, "removed": taken.removed, "keys": manifest.keys,
            "manifest": sha256,
        }));
        return;
    }
    output::data(format_args!(
        "backed up    {}, {}, into {}",
        manifest.node,
        output::counted(manifest.log_size, "log entry"),
        folder.display()
    ));
    output::data(format_args!(
        "files        {}, {} of them copied now ({} bytes); {} that it held before went",
        manifest.files.len(),
        taken.copied,
        taken.copied_bytes,
        taken.removed
    ));
    output::data(format_args!("keys         {}", keys_text(manifest.keys)));
    output::data(format_args!(
        "manifest     {sha256}   {MANIFEST_FILE}, to be kept elsewhere"
    ));
    output::data("Next: check it where it lies, and make it again every day:");
    output::data(format_args!("  frex backup verify {}", folder.display()));
    output::data(format_args!(
        "  frex backup {} --to {}",
        args.dir.display(),
        folder.display()
    ));
}

/// Whether keys are in a backup, for people.
fn keys_text(keys: KeysKept) -> &'static str {
    match keys {
        KeysKept::None => "none: they are kept elsewhere",
        KeysKept::Encrypted => "all of them, encrypted or in a token",
        KeysKept::Plain => {
            "all of them, some not encrypted: who reads the backup can act as the node"
        }
    }
}

fn not_made(error: &BackupError, args: &BackupMakeArgs, home: &Path) -> Failure {
    let (dir, to) = (args.dir.display(), args.to.clone().unwrap_or_default());
    let failure = Failure::new(error.into(), "the backup is not made").because(error);
    match error {
        BackupError::PlainKey { .. } => failure.advise(format!(
            "Encrypt them: frex key encrypt {dir}; or leave them out: frex backup {dir} --to {}; or take them as they are: --with-keys --even-unencrypted",
            to.display()
        )),
        BackupError::NotEmpty { .. } => failure
            .cause("it holds something else than a backup of this node")
            .advise(format!("Name a new folder: frex backup {dir} --to FOLDER")),
        BackupError::Inside { .. } => {
            failure.advise("Name a folder outside of it, best on another machine")
        }
        BackupError::Log | BackupError::Journal(_) => failure.advise(format!(
            "A backup that was there before is whole. Stop the node, then: frex fsck {}",
            home.display()
        )),
        _ => failure,
    }
}
