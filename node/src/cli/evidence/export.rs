//! `frex evidence export`: everything that proves a message, in one file, verified before it is written.

use std::path::Path;

use frex_client::keys::MemberHome;
use frex_proto::{
    error::WireCode,
    evidence::{self, EvidenceError, FileError, Parts},
    v1,
};
use serde_json::json;

use super::{ExportArgs, clocks::Told, gather::gather, print, reveal, silence};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, member, output,
};

/// Writes the file.
pub fn export(args: &ExportArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let mut gathered = gather(&home, &args.id, &args.gathering)?;
    if args.silence {
        let instead = format!(
            "Without --silence the file is made, with what is kept of an answer: frex evidence export {} {} --out {}",
            args.id,
            args.dir.display(),
            args.out.display()
        );
        silence::state(&home, &mut gathered.parts, &instead)?;
    }
    let mut left_out = Vec::new();
    if args.reveal.is_some() {
        let subject = &gathered.messages[0];
        let exhibits = &mut gathered.parts.exhibits;
        left_out = reveal::reveal(&home, subject, args.content.as_deref(), exhibits)?;
    }
    let file = evidence::build(gathered.parts).map_err(|error| nothing(&args.id, error))?;
    let file = match args.without_manifest {
        true => narrowed(&file, &args.id)?,
        false => file,
    };
    let (bundle, findings) = verified(&home, &file)?;
    files::write_new(&args.out, &file)?;
    if json {
        output::document(json!({
            "file": args.out, "bytes": file.len(), "message": evidence::subject(&bundle).map(|id| id.to_string()),
            "exhibits": bundle.exhibits.len(), "receipts": bundle.receipts.len(),
            "silences": bundle.silences.len(), "final": print::is_final(&findings),
            "clocks": print::clocks_json(&findings, Told::File), "left_out": left_out,
        }));
    } else {
        output::data(format_args!(
            "{}  {}, {}, {}, {}",
            args.out.display(),
            output::counted(bundle.exhibits.len(), "exhibit"),
            output::counted(bundle.receipts.len(), "receipt"),
            output::counted(bundle.silences.len(), "silence"),
            how_final(&findings)
        ));
        for what in left_out {
            output::message(format_args!("left out: {what}"));
        }
        tell(&args.out);
    }
    Ok(0)
}

fn how_final(findings: &evidence::Findings) -> &'static str {
    match (
        print::is_final(findings),
        print::is_unwitnessed(findings),
        print::is_provisional(findings),
    ) {
        (true, ..) => "all final",
        (_, true, _) => "none final: the roster names no witnesses",
        (_, _, true) => "not all final",
        _ => "nothing that could be final",
    }
}

fn tell(out: &Path) {
    let out = out.display();
    output::message(format_args!(
        "Whoever gets it verifies it, with a root of their own:  frex evidence verify {out} --root root.frex"
    ));
    output::message(format_args!(
        "For people to read and print:  frex evidence report {out} --root root.frex --out {out}.html"
    ));
}

fn narrowed(file: &[u8], id: &str) -> Result<Vec<u8>, Failure> {
    let bundle = evidence::parse(file).or_fail("the evidence does not read back")?;
    evidence::without_manifests(bundle).map_err(|error| nothing(id, error))
}

fn nothing(id: &str, error: FileError) -> Failure {
    let code = match error {
        FileError::Empty => WireCode::NotHeld,
        other => other.into(),
    };
    Failure::new(code, format!("there is no evidence of {id} here")).because(&error)
}

/// What others would find: nothing leaves that does not hold.
fn verified(
    home: &MemberHome,
    file: &[u8],
) -> Result<(v1::EvidenceBundle, evidence::Findings), Failure> {
    let bundle = evidence::parse(file).or_fail("the evidence does not read back")?;
    let anchor = home.anchor().or_fail("no root is pinned here")?;
    let roster = evidence::roster_of(&bundle, &anchor);
    let roster = roster.or_fail("the roster in force does not verify as of its issue")?;
    let findings = evidence::verify(&bundle, &roster);
    match findings.failure() {
        None => Ok((bundle, findings)),
        Some(error) => Err(not_held(home, &findings, error)),
    }
}

fn not_held(home: &MemberHome, findings: &evidence::Findings, error: EvidenceError) -> Failure {
    Failure::new(WireCode::BadEvidence, "what is held here does not hold, and was not written")
        .because(&error)
        .cause(print::failed(findings, error))
        .advise(format!(
            "See which receipt it is: frex receipt ls {0}, frex receipt verify FILE --dir {0}; keep it, it may be evidence against a node",
            member::folder(home).display()
        ))
}

/// The parts of a file that has not been written.
pub(super) fn findings(
    home: &MemberHome,
    parts: Parts,
    id: &str,
) -> Result<evidence::Findings, Failure> {
    let file = evidence::build(parts).map_err(|error| nothing(id, error))?;
    Ok(verified(home, &file)?.1)
}
