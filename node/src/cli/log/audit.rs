//! `frex log audit`: follows a log by what it publishes, with no node and no account. Spec: chapter AUD.

use std::{
    path::{Path, PathBuf},
    thread,
};

use bytes::Bytes;
use clap::Args;
use frex_client::monitor::{Followed, Monitor, extends, state::STATE_BYTES_MAX};
use frex_proto::{error::WireCode, log::Checkpoint, roster::Finality};
use serde_json::json;

use super::{
    evidence, read,
    source::Source,
    trust::{Trust, TrustArgs},
};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, output,
        receipt::finality,
        time::Span,
    },
    ledger::publish::WITNESSED,
};

/// `frex log audit`.
#[derive(Debug, Args)]
pub struct LogAuditArgs {
    /// Where the log is published: a folder, or an http(s) address
    pub source: String,
    /// Folder in which what was verified is kept from one audit to the next
    #[arg(long, value_name = "DIR")]
    pub state: PathBuf,
    #[command(flatten)]
    pub trust: TrustArgs,
    /// Begin at this entry, where the ones before it are not published any more
    #[arg(long, value_name = "ENTRY", default_value_t = 0)]
    pub from: u64,
    /// Go on auditing, with so much time in between (10s, 15m, 24h)
    #[arg(long, value_name = "SPAN")]
    pub watch: Option<Span>,
}

/// What is kept of the log.
const STATE: &str = "audit.state";
/// The newest head that was verified, as served.
const VERIFIED: &str = "checkpoint";

/// What may be over by the next time: the web server, or a copy that is being made.
const AWAY: [WireCode; 2] = [WireCode::Unreachable, WireCode::NotFound];

/// Of a check: that it does not hold, or that it could not be done to its end.
const FAILED: &str = "failed";
const STOPPED: &str = "stopped";

/// Of a log that another one follows. Spec: AUD-12.
const ENDED: &str = "ended";

/// A check: its name and whether it holds.
type Row = (String, &'static str);

/// Audits once, or again and again.
pub fn audit(args: &LogAuditArgs, json: bool) -> Done {
    let mut trust = Trust::of(&args.trust)?;
    files::ensure_folder(&args.state)?;
    let Some(pause) = args.watch else {
        return once(args, &trust, json);
    };
    loop {
        match once(args, &trust, json) {
            // Away for now: what was read is kept.
            Err(failure) if is_away(&failure) => failure.report(json),
            Err(failure) => return Err(failure),
            Ok(_) => {}
        }
        thread::sleep(pause.0);
        // Keys end and follow each other while it watches.
        trust = Trust::of(&args.trust)?;
    }
}

fn once(args: &LogAuditArgs, trust: &Trust, json: bool) -> Done {
    let mut rows = Vec::new();
    let outcome = examine(args, trust, &mut rows);
    if json {
        if let Ok((monitor, finality, covers)) = &outcome {
            let head = monitor.target();
            output::document(json!({
                "verified": true, "origin": head.origin, "size": head.size,
                "root": hex::encode(head.root), "before": monitor.before(),
                "first": monitor.followed().first, "finality": finality::describe(finality),
                "final_size": covers, "ended": trust.ended(head).map(|ended| json!({ "kept": ended.kept })),
                "state": args.state,
            }));
        }
    } else {
        for (name, outcome) in &rows {
            output::data(format_args!("    {outcome:<12} {name}"));
        }
        let verdict = match outcome.as_ref().err().map(word) {
            None => output::good("VERIFIED"),
            Some(FAILED) => output::bad("FAILED"),
            Some(_) => output::bad("NOT FINISHED"),
        };
        if !rows.is_empty() {
            output::data(format_args!("  {verdict}"));
        }
    }
    outcome.map(|_| 0)
}

/// Does one audit, and names each check as it comes to it.
fn examine(
    args: &LogAuditArgs,
    trust: &Trust,
    rows: &mut Vec<Row>,
) -> Result<(Monitor, Finality, Option<u64>), Failure> {
    let place = args.state.join(STATE);
    let _held = files::hold(&place)?;
    evidence::refuse_caught(&args.state)?;
    let source = Source::of(&args.source)?;
    let note = source.checkpoint()?;
    let signed = "checkpoint is signed by the log";
    let head = check(rows, signed.to_owned(), trust.judge(&note))?;
    let followed = match load(&place)? {
        Some(followed) => followed,
        None if args.from == 0 => Followed::default(),
        None => Followed::from_entry(args.from, &head, |tile| source.tile(tile))?,
    };
    let name = match followed.taken() {
        Some(before) => format!(
            "it begins with the {} entries that were signed before",
            before.size
        ),
        None => "it is the first that is seen here".to_owned(),
    };
    let begun = begin(&source, followed, head, &note, &args.state);
    let mut monitor = check(rows, name, begun)?;
    // From here on no other head is taken that does not extend this one.
    save(&place, monitor.followed())?;
    let name = format!(
        "{} new entries are leaves, in order, and make every hash tile and the root",
        monitor.target().size - monitor.before(),
    );
    let read = read::read(&source, &mut monitor, |followed| save(&place, followed));
    check(rows, name, read)?;
    save(&place, monitor.followed())?;
    files::replace(&args.state.join(VERIFIED), &monitor.followed().verified)?;
    let witnessed = witnessed(&source, trust, &monitor, args);
    let name = "what is published as final is so, and begins it";
    if let Err(failure) = &witnessed {
        rows.push((name.to_owned(), word(failure)));
    }
    let (finality, covers) = witnessed?;
    rows.extend(in_words(&finality, covers));
    rows.extend(trust.ended(monitor.target()).map(|ended| {
        let kept = output::counted(ended.kept, "entry");
        (
            format!("another log follows it, and its node keeps {kept} of it"),
            ENDED,
        )
    }));
    Ok((monitor, finality, covers))
}

/// How far the log can still take back what it shows, and how many entries it cannot: by the lines on
/// the head that was read, or on an earlier one that is published as final and lies in it. Spec: AUD-10.
fn witnessed(
    source: &Source,
    trust: &Trust,
    monitor: &Monitor,
    args: &LogAuditArgs,
) -> Result<(Finality, Option<u64>), Failure> {
    let followed = monitor.followed();
    let (head, finality) = trust.finality(&followed.verified)?;
    match finality {
        Finality::Unwitnessed => return Ok((finality, None)),
        Finality::Final(_) => return Ok((finality, Some(head.size))),
        Finality::Provisional(..) => {}
    }
    let Some(note) = source.beside(WITNESSED)? else {
        return Ok((finality, None));
    };
    let (earlier, found) = trust.finality(&note)?;
    // One that is newer than what was read is for the next visit.
    if !matches!(found, Finality::Final(_)) || earlier.size > head.size {
        return Ok((finality, None));
    }
    let lies = extends(&earlier, &head, |tile| source.tile(tile));
    lies.map_err(|failure| with_evidence(failure, &args.state, [&note, &followed.verified]))?;
    Ok((found, Some(earlier.size)))
}

/// Takes up the head; what contradicts the one before is kept as evidence.
fn begin(
    source: &Source,
    followed: Followed,
    head: Checkpoint,
    note: &Bytes,
    state: &Path,
) -> Result<Monitor, Failure> {
    let before = followed.head.clone();
    let begun = Monitor::begin(followed, head, note.clone(), |tile| source.tile(tile));
    begun.map_err(|failure| with_evidence(failure, state, [&before, note]))
}

/// Keeps the heads where they contradict each other.
fn with_evidence(failure: Failure, state: &Path, heads: [&[u8]; 2]) -> Failure {
    let kind = match failure.code() {
        WireCode::Forked => evidence::FORK,
        WireCode::LogRewritten => evidence::REWRITTEN,
        _ => return failure,
    };
    match evidence::keep(state, kind, heads) {
        Ok([one, other]) => failure
            .cause(format!(
                "both checkpoints are kept: {} and {}",
                one.display(),
                other.display()
            ))
            .advise(evidence::SHOW_BOTH),
        Err(unkept) => failure.cause(unkept.cause_text()),
    }
}

fn check<T>(rows: &mut Vec<Row>, name: String, outcome: Result<T, Failure>) -> Result<T, Failure> {
    rows.push((name, outcome.as_ref().err().map_or("ok", word)));
    outcome
}

/// What a failure says of a check: one that could not be done to its end says nothing of the log.
fn word(failure: &Failure) -> &'static str {
    match is_away(failure) || failure.code() == WireCode::Files {
        true => STOPPED,
        false => FAILED,
    }
}

fn is_away(failure: &Failure) -> bool {
    AWAY.contains(&failure.code())
}

fn in_words(finality: &Finality, covers: Option<u64>) -> Option<Row> {
    let covers = covers.unwrap_or_default();
    Some(match finality {
        Finality::Unwitnessed => return None,
        Finality::Provisional(cosigned, needed) => {
            let names = finality::witnesses(cosigned).join(", ");
            let text = format!("cosigned by {names}; {needed} needed");
            (text, finality::PROVISIONAL)
        }
        Finality::Final(cosigned) => {
            let names = finality::witnesses(cosigned).join(", ");
            (
                format!("the first {covers} entries are cosigned by {names}"),
                finality::FINAL,
            )
        }
    })
}

fn load(place: &Path) -> Result<Option<Followed>, Failure> {
    if !place.exists() {
        return Ok(None);
    }
    let text = files::read(place, STATE_BYTES_MAX)?;
    let text = String::from_utf8_lossy(&text);
    let followed = Followed::from_text(&text);
    let what = format!("{} cannot be used", place.display());
    let followed = followed.or_fail(what).map_err(|failure| {
        failure.advise("Keep it, and audit from the beginning in an empty folder: --state NEW")
    })?;
    Ok(Some(followed))
}

fn save(place: &Path, followed: &Followed) -> Result<(), Failure> {
    files::replace(place, followed.to_text().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    // AUD-4: who could not read to the end accuses nobody.
    #[test]
    fn an_audit_that_was_stopped_is_not_one_that_failed() {
        for (code, said) in [
            (WireCode::Unreachable, STOPPED),
            (WireCode::NotFound, STOPPED),
            (WireCode::Files, STOPPED),
            (WireCode::BadProof, FAILED),
            (WireCode::Forked, FAILED),
        ] {
            assert_eq!(word(&Failure::new(code, "made up")), said, "{code}");
        }
    }
}
