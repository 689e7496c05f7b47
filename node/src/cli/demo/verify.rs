//! What third parties do: check receipts and logs with nobody to ask.

use std::{
    fs,
    path::{Path, PathBuf},
};

use frex_proto::error::WireCode;

use super::{PARTIES, Stage};
use crate::cli::{failure::Failure, files};

/// Collects the platform's receipts and verifies every one offline.
pub fn receipts(stage: &mut Stage) -> Result<(), Failure> {
    let kept = stage
        .dir
        .join(Stage::member_dir(&PARTIES[0]))
        .join("member/receipts");
    let folder = stage.dir.join("receipts");
    files::ensure_folder(&folder)?;
    let failed = |error| Failure::file("copy receipts to", &folder, &error);
    for entry in fs::read_dir(&kept).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        fs::copy(entry.path(), folder.join(entry.file_name())).map_err(failed)?;
    }
    let files = proof_files(&folder)?;
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    let mut args = vec![
        "receipt",
        "verify",
        "--roster",
        "roster.frex",
        "--root",
        "root.frex",
        "--final",
    ];
    args.extend(names.iter().map(String::as_str));
    let report = stage.expect(0, &args)?;
    let found = report["receipts"].as_array().map_or(0, Vec::len);
    // SUBMITTED once; ACCEPTED and OPENED for each recipient.
    let due = 1 + 2 * (PARTIES.len() - 1);
    if report["verified"] != true || found != due {
        let what = format!("{found} receipts where {due} were due, or not all verify");
        return Err(Failure::new(WireCode::BadReceipt, what));
    }
    // The same with nothing but the log's verifier key, as a third party would.
    for (file, name) in files.iter().zip(&names) {
        let vkey = file.with_extension("vkey").display().to_string();
        stage.expect(0, &["receipt", "verify", name, "--vkey", &vkey])?;
    }
    stage.done(
        "receipts",
        &format!("{found} receipts verified offline: 1 submitted, 3 accepted, 3 opened"),
    );
    Ok(())
}

/// Exports every node's log and recomputes its tree.
pub fn logs(stage: &mut Stage) -> Result<(), Failure> {
    let mut entries = 0;
    for party in &PARTIES {
        let dir = Stage::member_dir(party);
        stage.expect(0, &["log", "export", "log", &dir])?;
        let report = stage.expect(0, &["log", "verify", &dir])?;
        entries += report["size"].as_u64().unwrap_or_default();
        stage.expect(0, &["log", "prove", "0", &dir])?;
        stage.expect(0, &["fsck", &dir])?;
    }
    stage.done(
        "logs",
        &format!("4 logs with {entries} entries recomputed from their files; journals check out"),
    );
    Ok(())
}

/// The proof files of a folder, sorted.
pub fn proof_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::file("list", folder, &error);
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "tlog-proof")
        {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
