//! `frex receipt verify`: each check by name, then the verdict. Asks nobody. Spec: CLI-4, RCP-9, RCP-13.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use frex_client::keys::{MEMBER_FILE, MemberHome};
use frex_proto::{
    error::WireCode,
    id::EnvelopeId,
    log::{Checkpoint, CheckpointError, Leaf, LogVerifier, NoteError},
    receipt::{self, Check, Outcome, ReceiptError},
    roster::{Finality, Roster, TrustAnchor},
    sign::SignError,
    v1::{self, Event},
};
use prost::Message;
use serde_json::{Value, json};

use super::{ReceiptVerifyArgs, finality};
use crate::cli::{
    failure::{Done, Failure, OrCode, OrFail},
    files,
    log::trust::read_vkey,
    member, output,
    roster::{Judged, judge_even_expired, read_bundle, read_root, refused, words},
    time::rfc3339,
};

/// Where the key of a log comes from.
enum Trust {
    Vkey(Box<LogVerifier>),
    Roster {
        bundle: Vec<u8>,
        anchor: TrustAnchor,
        file: PathBuf,
    },
}

/// None of the keys that the roster lists for the log has signed.
const UNKNOWN_SIGNER: Outcome = Outcome::Fails(ReceiptError::Checkpoint(CheckpointError::Note(
    NoteError::Unsigned,
)));

const WITNESSED: &str = "head is cosigned by witnesses";
/// Outcome of [`WITNESSED`] where there is nobody to do it.
const NOT_FINAL: &str = "not final";

/// A check: its name, its outcome, and why it failed.
type Row = (String, &'static str, Option<String>);

/// One file with what was found.
struct Finding {
    file: String,
    checks: Vec<Row>,
    verified: bool,
    /// It holds, and only is not final, which was asked for.
    provisional: bool,
    /// The receipt is of a time after the roster's: its log may sign with a key that only a
    /// later roster lists.
    after_roster: bool,
    summary: Option<Value>,
    /// Whether it is final, and who cosigned.
    finality: Value,
}

/// Verifies receipts.
pub fn verify(args: &ReceiptVerifyArgs, json: bool) -> Done {
    let trust = trust(args)?;
    let envelope = args
        .envelope
        .as_deref()
        .map(EnvelopeId::from_hex)
        .transpose()
        .or_code(WireCode::BadInput, "--envelope takes 64 hexadecimal digits")?;
    let mut findings = Vec::new();
    for file in receipts(&args.files) {
        findings.push(examine(file, &trust, envelope, args.finals)?);
    }
    let failed = findings.iter().filter(|finding| !finding.verified).count();
    if json {
        let list: Vec<Value> = findings.iter().map(to_json).collect();
        output::document(json!({ "verified": failed == 0, "receipts": list }));
    } else {
        findings.iter().for_each(print);
    }
    if failed == 0 {
        return Ok(0);
    }
    let what = format!(
        "{failed} of {} receipts failed verification",
        findings.len()
    );
    let first = findings.iter().find(|finding| !finding.verified);
    let cause = first.and_then(|finding| finding.checks.iter().find_map(|(_, _, why)| why.clone()));
    if findings
        .iter()
        .all(|finding| finding.verified || finding.provisional)
    {
        let what = format!("{failed} of {} receipts are not final", findings.len());
        let cause = cause.unwrap_or_else(|| "too few witnesses have cosigned".to_owned());
        return Err(Failure::new(WireCode::Provisional, what)
            .cause(cause)
            .advise(upgrade(&findings, args)));
    }
    let failure = Failure::new(WireCode::BadReceipt, what)
        .cause(cause.unwrap_or_else(|| "a check failed".to_owned()));
    // One that was never a receipt is no evidence of anything.
    let is_receipt = |finding: &Finding| {
        let first = finding.checks.first();
        first.is_some_and(|(_, outcome, _)| *outcome == "ok")
    };
    if !findings.iter().any(is_receipt) {
        let mut advice = super::NO_RECEIPT.to_owned();
        if args.roster.is_none() && args.vkey.is_none() {
            let dir = args.dir.display();
            advice.push_str(&format!(": frex receipt ls {dir} lists those kept"));
        }
        return Err(failure.advise(advice));
    }
    let mut failed = findings.iter().filter(|finding| !finding.verified);
    Err(match failed.all(|finding| finding.after_roster) {
        true => failure.advise(
            "What failed is younger than this roster: get the newest one and verify again before you doubt the receipt",
        ),
        false => failure,
    })
}

/// The command by which the first of these that is not final becomes so.
fn upgrade(findings: &[Finding], args: &ReceiptVerifyArgs) -> String {
    let first = findings.iter().find(|finding| finding.provisional);
    if first.is_some_and(Finding::is_unwitnessed) {
        return finality::NAME_WITNESSES.to_owned();
    }
    let message = first
        .and_then(|finding| finding.summary.as_ref())
        .and_then(|summary| summary["message"].as_str())
        .unwrap_or("MESSAGE");
    // Who verifies by a roster need be no member.
    if files::home(&args.dir, "member", MEMBER_FILE).is_err() {
        return format!(
            "Its sender makes it final, and hands it over again: frex receipt fetch {message} DIR --final, where DIR is the sender's folder; a recipient does so by: frex evidence timeline {message} DIR"
        );
    }
    format!(
        "Make it final, then verify it again: frex receipt fetch {message} {0} --final; of a message that came to you: frex evidence timeline {message} {0}",
        args.dir.display()
    )
}

/// The receipts among these files: what is kept beside one for other programs is none itself, and comes
/// along where a pattern named them.
fn receipts(files: &[PathBuf]) -> Vec<&PathBuf> {
    let is_beside = |file: &&PathBuf| {
        let ending = file.extension().and_then(OsStr::to_str);
        matches!(ending, Some("leaf" | "vkey"))
            && files.contains(&file.with_extension("tlog-proof"))
    };
    files.iter().filter(|file| !is_beside(file)).collect()
}

fn trust(args: &ReceiptVerifyArgs) -> Result<Trust, Failure> {
    if let Some(vkey) = &args.vkey {
        return Ok(Trust::Vkey(Box::new(read_vkey(vkey)?)));
    }
    if let (Some(roster), Some(root)) = (&args.roster, &args.root) {
        let (_, anchor) = read_root(root)?;
        return Ok(Trust::Roster {
            bundle: read_bundle(roster)?,
            anchor,
            file: roster.clone(),
        });
    }
    let folder = files::home(&args.dir, "member", MEMBER_FILE).map_err(|failure| {
        failure.advise(
            "frex receipt verify FILE --roster roster.frex --root root.frex (or --vkey FILE)",
        )
    })?;
    let home = MemberHome::open(&folder).or_fail("cannot open the member")?;
    let anchor = home.anchor().or_fail("no root is pinned here")?;
    let file = home.roster_path();
    Ok(Trust::Roster {
        bundle: read_bundle(&file)?,
        anchor,
        file,
    })
}

fn examine(
    file: &Path,
    trust: &Trust,
    envelope: Option<EnvelopeId>,
    finals: bool,
) -> Result<Finding, Failure> {
    let mut finding = Finding {
        file: file.display().to_string(),
        checks: Vec::new(),
        verified: false,
        provisional: false,
        after_roster: false,
        summary: None,
        finality: Value::Null,
    };
    let receipt = match super::read(file) {
        Err(failure) if failure.code() == WireCode::BadReceipt => {
            finding.fail("file is a receipt", failure.cause_text());
            return Ok(finding);
        }
        other => other?,
    };
    finding.hold("file is a receipt");
    let time_ms = Leaf::parse(&receipt.leaf).map_or(0, |leaf| leaf.time_ms());
    let judged = trust.judged(time_ms)?;
    let log = match (trust, &judged) {
        (Trust::Vkey(log), _) => Some(log.as_ref().clone()),
        (_, Some(judged)) => {
            let (version, expired) = (judged.roster.version(), judged.expired);
            finding.after_roster = time_ms > judged.roster.issued_ms();
            let ended = if expired {
                ", in force at that time"
            } else {
                ""
            };
            finding.hold(&format!(
                "roster version {version} is signed under the root you gave{ended}"
            ));
            member::log_of(&receipt, &judged.roster)
        }
        _ => None,
    };
    let Some(log) = log else {
        let why = "the receipt names a log that the roster does not list";
        finding.fail("log is one of the roster", why.to_owned());
        return Ok(finding);
    };
    let checks = receipt::checks(&receipt, &log, envelope);
    finding.checks.extend(checks.iter().map(check_row));
    finding.after_roster &= checks.iter().any(|check| check.outcome == UNKNOWN_SIGNER);
    if let Some(judged) = &judged {
        let (row, finality) = witnessed_row(&receipt, &judged.roster, finals);
        finding.checks.extend(row);
        finding.finality = finality;
    }
    let verified = receipt::verify(&receipt, &log, envelope).is_ok();
    if let Ok(statement) = v1::Statement::decode(receipt.statement.clone()) {
        if statement.event() == Event::Stage {
            finding
                .checks
                .push(stage_row(&statement, time_ms, judged.as_ref()));
        }
        finding.summary = Some(summarise(&statement, &receipt, time_ms));
    }
    finding.judge(verified, finals);
    Ok(finding)
}

impl Trust {
    /// The roster as of the receipt's time, if that is where the key comes from.
    fn judged(&self, time_ms: u64) -> Result<Option<Judged>, Failure> {
        match self {
            Self::Vkey(_) => Ok(None),
            Self::Roster {
                bundle,
                anchor,
                file,
            } => judge_even_expired(bundle, anchor, Some(time_ms))
                .map(Some)
                .map_err(|error| refused(file, error)),
        }
    }
}

impl Finding {
    fn hold(&mut self, name: &str) {
        self.checks.push((name.to_owned(), "ok", None));
    }

    /// The verdict, once every check has its row.
    fn judge(&mut self, verified: bool, finals: bool) {
        let holds = ["ok", "not checked", NOT_FINAL, finality::PROVISIONAL];
        let sound = verified && self.checks.iter().all(|row| holds.contains(&row.1));
        let provisional = self.finality["state"] == finality::PROVISIONAL;
        self.provisional = sound && finals && (provisional || self.is_unwitnessed());
        self.verified = sound && !self.provisional;
    }

    /// What is final was asked for, and the roster names nobody who could make it so.
    fn is_unwitnessed(&self) -> bool {
        self.checks.iter().any(|row| row.1 == NOT_FINAL)
    }

    fn fail(&mut self, name: &str, why: String) {
        self.checks.push((name.to_owned(), "failed", Some(why)));
    }
}

/// Whether enough witnesses have cosigned; no row where the roster names none, unless it is asked for.
fn witnessed_row(receipt: &v1::Receipt, roster: &Roster, finals: bool) -> (Option<Row>, Value) {
    let wrong = |why: String| Some((WITNESSED.to_owned(), "failed", Some(why)));
    match finality::of(roster, receipt) {
        Err(error) => (wrong(error.to_string()), Value::Null),
        Ok(Finality::Unwitnessed) if finals => {
            let why = Some(finality::NO_WITNESSES.to_owned());
            (Some((WITNESSED.to_owned(), NOT_FINAL, why)), Value::Null)
        }
        Ok(Finality::Unwitnessed) => (None, Value::Null),
        Ok(finality) => {
            let row = match &finality {
                Finality::Provisional(cosigned, quorum) => Some((
                    format!("{WITNESSED}: {} of {quorum}", cosigned.len()),
                    finality::PROVISIONAL,
                    finals
                        .then(|| format!("{} of {quorum} witnesses have cosigned", cosigned.len())),
                )),
                Finality::Final(cosigned) => {
                    let names = finality::witnesses(cosigned).join(", ");
                    Some((format!("{WITNESSED}: {names}"), "ok", None))
                }
                Finality::Unwitnessed => None,
            };
            (row, finality::describe(&finality))
        }
    }
}

fn check_row(check: &Check) -> Row {
    let why = match &check.outcome {
        Outcome::Fails(error) => Some(error.to_string()),
        Outcome::Holds | Outcome::NotReached => None,
    };
    (check.name.clone(), check.outcome.word(), why)
}

/// A stage is the member's word: its own signature counts, not only the node's.
fn stage_row(statement: &v1::Statement, time_ms: u64, judged: Option<&Judged>) -> Row {
    let who = member::stage_of(statement)
        .map(|stage| stage.member)
        .unwrap_or_default();
    let name = format!("stage is signed by {}", output::clean(&who));
    match judged {
        None => (format!("{name} (needs --roster)"), "not checked", None),
        Some(judged) => match member::stage_signer(statement, time_ms, &judged.roster) {
            Ok(key) => {
                let signs = words::algorithms_of([&key]);
                (format!("{name}, by {signs}"), "ok", None)
            }
            Err(Some(SignError::HalfSigned)) => {
                let why = "the roster lists a key that signs by Ed25519 and ML-DSA-65, and one of the two signatures is missing";
                (name, "failed", Some(why.to_owned()))
            }
            Err(_) => {
                let why = "the member's signature does not hold";
                (name, "failed", Some(why.to_owned()))
            }
        },
    }
}

fn summarise(statement: &v1::Statement, receipt: &v1::Receipt, time_ms: u64) -> Value {
    json!({
        "event": member::event_label(statement), "outcome": member::outcome_of(statement),
        "node": statement.node, "index": receipt.index,
        "time": rfc3339(time_ms), "envelope": hex::encode(&statement.envelope_id),
        "message": hex::encode(&statement.message_id), "sender": statement.sender,
        "recipients": statement.recipients,
        "code": (statement.code != 0).then_some(statement.code),
        "follows": log_before(&statement.ended_log), "seen": log_before(&statement.seen_log),
    })
}

/// Name and size of the log that another follows, as the statement names it.
fn log_before(checkpoint: &[u8]) -> Option<String> {
    let head = Checkpoint::of_note(checkpoint).ok()?;
    Some(format!("{} of {} entries", head.origin, head.size))
}

fn to_json(finding: &Finding) -> Value {
    let checks: Vec<Value> = finding
        .checks
        .iter()
        .map(|(name, outcome, why)| json!({ "name": name, "outcome": outcome, "why": why }))
        .collect();
    let holds = finding.verified || finding.provisional;
    json!({
        "file": finding.file, "verified": finding.verified, "checks": checks,
        "finality": holds.then_some(&finding.finality),
        // What an unverified receipt says is not repeated as if it were so.
        "receipt": holds.then_some(finding.summary.as_ref()).flatten(),
    })
}

fn print(finding: &Finding) {
    output::data(&finding.file);
    output::data("  checks performed:");
    for (name, outcome, _) in &finding.checks {
        output::data(format_args!("    {outcome:<12} {name}"));
    }
    if finding.verified {
        if let Some(summary) = &finding.summary {
            let text = |field: &str| summary[field].as_str().unwrap_or_default().to_owned();
            let outcome = summary["outcome"].as_str();
            let outcome =
                outcome.map_or_else(String::new, |code| format!(" {}", output::clean(code)));
            output::data(format_args!(
                "  {}{} by {} at {}, entry #{}, envelope {}",
                text("event"),
                outcome,
                text("node"),
                text("time"),
                summary["index"],
                text("envelope")
            ));
            if summary["follows"].is_string() || summary["seen"].is_string() {
                let named = |field: &str| output::clean(summary[field].as_str().unwrap_or("none"));
                output::data(format_args!(
                    "  the log begins here, after {}; others had seen {}",
                    named("follows"),
                    named("seen")
                ));
            }
        }
        let finality = finding.finality["state"].as_str();
        let finality = finality.map_or_else(String::new, |word| format!(", {word}"));
        output::data(format_args!("  {}{finality}", output::good("VERIFIED")));
        return;
    }
    let code = match finding.provisional {
        true => WireCode::Provisional,
        false => WireCode::BadReceipt,
    };
    let why = finding
        .checks
        .iter()
        .find_map(|(_, _, why)| why.as_deref())
        .unwrap_or("a check failed");
    output::data(format_args!(
        "  {}  {why}  [{} {}]",
        output::bad("FAILED"),
        code.info().name,
        code as u16
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-3: a folder that is no member's stands in no command.
    #[test]
    fn who_is_no_member_is_not_told_to_fetch_in_its_own_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let args = ReceiptVerifyArgs {
            files: Vec::new(),
            roster: Some(PathBuf::from("roster.frex")),
            root: Some(PathBuf::from("root.frex")),
            vkey: None,
            envelope: None,
            finals: true,
            dir: dir.path().to_owned(),
        };
        let finding = Finding {
            file: "a.tlog-proof".to_owned(),
            checks: Vec::new(),
            verified: false,
            provisional: true,
            after_roster: false,
            summary: Some(json!({ "message": "c0de" })),
            finality: json!({ "state": finality::PROVISIONAL }),
        };
        let advice = upgrade(&[finding], &args);
        assert!(
            advice.contains("receipt fetch c0de DIR --final"),
            "{advice}"
        );
        let folder = dir.path().display().to_string();
        assert!(!advice.contains(&folder), "{advice}");
    }
}
