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
    let (bundle, findings) = verified(&home, &file, &args.id)?;
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
    id: &str,
) -> Result<(v1::EvidenceBundle, evidence::Findings), Failure> {
    let bundle = evidence::parse(file).or_fail("the evidence does not read back")?;
    let anchor = home.anchor().or_fail("no root is pinned here")?;
    let roster = evidence::roster_of(&bundle, &anchor);
    let roster = roster.or_fail("the roster in force does not verify as of its issue")?;
    let findings = evidence::verify(&bundle, &roster);
    match findings.failure() {
        None => Ok((bundle, findings)),
        Some(error) => Err(not_held(&findings, error, id, member::folder(home))),
    }
}

fn not_held(findings: &evidence::Findings, error: EvidenceError, id: &str, dir: &Path) -> Failure {
    let check = print::failed(findings, error);
    let advice = without(&check, id, dir);
    Failure::new(
        WireCode::BadEvidence,
        "what is held here does not hold, and was not written",
    )
    .because(&error)
    .cause(check)
    .advise(advice)
}

/// What is done about a part that does not hold, by the name of the check: each lies elsewhere.
fn without(check: &str, id: &str, dir: &Path) -> String {
    let dir = dir.display();
    match check.split_whitespace().next() {
        Some("exhibit") => format!(
            "Without what was signed, by its receipts alone: frex evidence export {id} {dir} --without-manifest --out FILE; keep what is here, it may be evidence against its sender"
        ),
        Some("silence") => format!(
            "Without the word that no answer came: frex evidence export {id} {dir} --out FILE"
        ),
        _ => format!(
            "See which receipt it is: frex receipt ls {dir}, frex receipt verify FILE --dir {dir}; keep it, it may be evidence against a node"
        ),
    }
}

/// The parts of a file that has not been written.
pub(super) fn findings(
    home: &MemberHome,
    parts: Parts,
    id: &str,
) -> Result<evidence::Findings, Failure> {
    let file = evidence::build(parts).map_err(|error| nothing(id, error))?;
    Ok(verified(home, &file, id)?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-3: what is advised is about the part that does not hold.
    #[test]
    fn a_part_that_does_not_hold_is_not_taken_for_another() {
        for (check, mends) in [
            ("exhibit 2: is an envelope, once", "--without-manifest"),
            ("silence 1: is signed by a.b", "c0de police --out"),
            (
                "receipt 3: log is one of the roster",
                "frex receipt ls police",
            ),
        ] {
            let advice = without(check, "c0de", Path::new("police"));
            assert!(advice.contains(mends), "{check}: {advice}");
            assert_eq!(advice.contains("receipt ls"), check.starts_with("receipt"));
        }
    }
}
