//! Evidence: what sender and recipient can show to others, and that it holds with nobody to ask.

use std::fs;

use frex_proto::error::WireCode;

use super::{PARTIES, Stage};
use crate::cli::{failure::Failure, files};

/// The sender's file with its content, a recipient's without, and receipts alone.
const FILES: [&str; 3] = ["platform.ie", "hotline.fr", "receipts-alone"];

fn path(name: &str) -> String {
    format!("evidence/{name}.frexev")
}

/// Sender and one recipient put what they hold in a file each; the sender makes a narrower one of its.
pub fn export(stage: &mut Stage, message: &str) -> Result<(), Failure> {
    files::ensure_folder(&stage.dir.join("evidence"))?;
    for (party, name) in PARTIES.iter().zip(&FILES[..2]) {
        let (dir, out) = (Stage::member_dir(party), path(name));
        let words = ["evidence", "export", message, &dir, "--out", &out];
        let sender = party.id == PARTIES[0].id;
        let more: &[&str] = if sender {
            &["--reveal", "content"]
        } else {
            &[]
        };
        stage.expect(0, &[&words[..], &["--wait", "30s"], more].concat())?;
    }
    let (from, to) = (path(FILES[0]), path(FILES[2]));
    let words = [
        "evidence",
        "disclose",
        &from,
        "--out",
        &to,
        "--without-manifest",
    ];
    stage.expect(0, &words)?;
    Ok(())
}

/// Each file verifies with the root alone, and a copy that was changed in one bit does not.
pub fn verify(stage: &mut Stage) -> Result<(), Failure> {
    let trust = ["--root", "root.frex", "--final"];
    for name in FILES {
        let file = path(name);
        let found = stage.expect(0, &[&["evidence", "verify", &file][..], &trust].concat())?;
        if found["verified"] != true {
            let what = format!("the evidence in {file} does not verify");
            return Err(Failure::new(WireCode::BadEvidence, what));
        }
    }
    let page = [
        "evidence",
        "report",
        &path(FILES[0]),
        "--out",
        "evidence/platform.ie.html",
    ];
    stage.expect(0, &[&page[..], &["--root", "root.frex"]].concat())?;
    let (good, forged) = (
        stage.dir.join(path(FILES[0])),
        stage.dir.join("forged.frexev"),
    );
    let mut bytes = fs::read(&good).map_err(|error| Failure::file("read", &good, &error))?;
    // Within the last receipt.
    let place = bytes.len().saturating_sub(40);
    bytes[place] ^= 1;
    fs::write(&forged, &bytes).map_err(|error| Failure::file("write", &forged, &error))?;
    let refused = stage.expect(
        20,
        &["evidence", "verify", "forged.frexev", "--root", "root.frex"],
    );
    let removed = fs::remove_file(&forged);
    refused?;
    removed.map_err(|error| Failure::file("remove", &forged, &error))?;
    stage.done(
        "evidence",
        "3 files of evidence, of sender, recipient and receipts alone, verified offline; a changed copy refused",
    );
    Ok(())
}
