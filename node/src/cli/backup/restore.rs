//! `frex restore`: a node's directory made of a backup.

use std::path::Path;

use frex_proto::error::WireCode;
use serde_json::json;

use super::RestoreArgs;
use crate::{
    backup::{
        BackupError,
        restore::{self, Wanted},
    },
    cli::{
        failure::{Done, Failure},
        output,
        time::rfc3339,
    },
    home::CONFIG_FILE,
};

/// Restores a node where there is none.
pub fn restore(args: &RestoreArgs, json: bool) -> Done {
    let dir = args.dir.display();
    if args.dir.join(CONFIG_FILE).is_file() {
        let what = format!("{dir} holds a node, and nothing is restored over one");
        return Err(Failure::new(WireCode::AlreadyExists, what)
            .advise(format!("frex restore {} NEW-FOLDER", args.folder.display())));
    }
    let sha256 = args.manifest.as_deref().map(hash).transpose()?;
    let home = args.dir.join("node");
    let wanted = Wanted {
        folder: &args.folder,
        home: &home,
        sha256,
        nothing_was_lost: args.nothing_was_lost,
    };
    let bar = output::progress("restoring");
    let restored = restore::restore(&wanted, &mut |done, total| {
        output::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let restored = restored.map_err(|error| not_restored(&error, args))?;
    let manifest = &restored.manifest;
    let has_keys = restore::has_keys(&home);
    if json {
        output::document(json!({
            "node": manifest.node, "home": home, "made": rfc3339(manifest.made_ms),
            "log_size": manifest.log_size, "files": manifest.files.len(), "has_keys": has_keys,
            "confirmed": args.nothing_was_lost,
        }));
        return Ok(0);
    }
    output::data(format_args!(
        "restored     {} as of {}, {} log entries, into {}",
        manifest.node,
        rfc3339(manifest.made_ms),
        manifest.log_size,
        home.display()
    ));
    next(args, &home, has_keys);
    Ok(0)
}

/// What is to be done before the node runs, and what the start then asks.
fn next(args: &RestoreArgs, home: &Path, has_keys: bool) {
    let dir = args.dir.display();
    if !has_keys {
        output::data(format_args!(
            "Its keys are not in the backup: put tls.key, log.key and witness.key into {}/keys, mode 0600.",
            home.display()
        ));
    }
    output::data(format_args!(
        "Look over its settings, {}, then start it:",
        home.join(CONFIG_FILE).display()
    ));
    output::data(format_args!("  frex run {dir}"));
    output::data(format_args!(
        "What was erased since that day came back with it. With the list that `frex erase export` made: frex erase again LIST {dir}"
    ));
    if !args.nothing_was_lost {
        output::data(
            "Before it signs anything it asks its witnesses whether they have seen more of its log than is here.",
        );
    }
}

fn hash(text: &str) -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| {
        Failure::new(WireCode::BadInput, "--manifest is no SHA-256 in hex")
            .advise("Give the line that frex backup printed as manifest")
    })?;
    Ok(bytes)
}

fn not_restored(error: &BackupError, args: &RestoreArgs) -> Failure {
    let failure = Failure::new(error.into(), "nothing is restored").because(error);
    let folder = args.folder.display();
    match error {
        BackupError::NotEmpty { .. } => failure
            .cause("a node is restored to an empty place only")
            .advise(format!("frex restore {folder} NEW-FOLDER")),
        BackupError::Incomplete { .. } => failure.advise(
            "Name the folder in which backup.json lies; one that was cut short is made again: frex backup DIR --to FOLDER",
        ),
        _ => failure,
    }
}
