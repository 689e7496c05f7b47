//! `frex restore`: a node's directory made of a backup.

use std::path::Path;

use frex_client::keys::MEMBER_FILE;
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
        files, output,
        run::NOTHING_WAS_LOST,
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
        "restored     {} as of {}, {}, into {}",
        manifest.node,
        rfc3339(manifest.made_ms),
        output::counted(manifest.log_size, "log entry"),
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
        "What was erased since that day came back with it. With the list that `frex erase export` made: {}",
        erase_again(&args.dir)
    ));
    match args.nothing_was_lost {
        true => output::message(format_args!(
            "WARNING: {NOTHING_WAS_LOST}. Who can be reached when it starts is asked all the same"
        )),
        false => output::data(
            "Before it signs anything it asks its witnesses whether they have seen more of its log than is here.",
        ),
    }
}

/// How erasures are done again: a member orders that, and no member's folder is in a backup.
fn erase_again(dir: &Path) -> String {
    let dir_shown = dir.display();
    match files::home(dir, "member", MEMBER_FILE) {
        Ok(_) => format!("frex erase again LIST {dir_shown}"),
        Err(_) => format!(
            "put the folder of the member that runs it back as {dir_shown}/member, which is in no backup of a node, then: frex erase again LIST {dir_shown}; or, where that folder is elsewhere and the node runs: frex erase again LIST FOLDER"
        ),
    }
}

fn hash(text: &str) -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| {
        Failure::new(WireCode::BadInput, "--manifest is no SHA-256 in hex")
            .advise("Give the 64 hexadecimal digits that frex backup printed behind `manifest`, and nothing else of that line")
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
        BackupError::OtherManifest => failure
            .cause("it is whole or not, but it is another backup than the one whose hash you gave")
            .advise(format!(
                "See which one lies there: frex backup verify {folder}; every new frex backup into a folder has another hash"
            )),
        BackupError::Incomplete { .. } => failure.advise(
            "Name the folder in which backup.json lies; one that was cut short is made again: frex backup DIR --to FOLDER",
        ),
        // The folder named in the command is the one to restore into, where there is no node to back up.
        _ if failure.code() == WireCode::BackupDamaged => failure.advise(format!(
            "See what holds: frex backup verify {folder}; then restore another backup, or make one anew where the node still is: frex backup NODE-FOLDER --to NEW-FOLDER"
        )),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    // CLI-3: of a folder that holds no node no backup can be made.
    #[test]
    fn a_backup_that_does_not_hold_is_not_made_of_the_place_to_restore_into() {
        let args = RestoreArgs {
            folder: PathBuf::from("kbad"),
            dir: PathBuf::from("xx"),
            manifest: None,
            nothing_was_lost: false,
        };
        for error in [
            BackupError::File("frex.toml".to_owned()),
            BackupError::Manifest("no JSON".to_owned()),
            BackupError::Log,
            BackupError::OtherManifest,
            BackupError::Incomplete {
                folder: args.folder.clone(),
            },
        ] {
            let failure = format!("{:?}", not_restored(&error, &args).in_folder(&args.dir));
            assert!(!failure.contains("frex backup xx"), "{failure}");
            assert!(
                failure.contains("kbad") || failure.contains("backup.json"),
                "{failure}"
            );
        }
    }

    // ERA-16: a member orders that erasures are done again, so its folder comes first.
    #[test]
    fn erasing_again_needs_the_folder_of_the_member() {
        let dir = tempfile::tempdir().unwrap();
        assert!(erase_again(dir.path()).starts_with("put the folder of the member"));
        let member = dir.path().join("member");
        fs::create_dir(&member).unwrap();
        fs::write(member.join(MEMBER_FILE), "").unwrap();
        assert!(erase_again(dir.path()).starts_with("frex erase again LIST"));
    }
}
