//! `frex stats verify`: each check by name, then the verdict. Asks nobody. Spec: STA-26 to STA-28.

use frex_client::casework::statistics::{self, Signed, view::Rests};
use frex_proto::{error::WireCode, limits, log::Checkpoint, roster::Roster};
use serde_json::{Value, json};

use super::{VerifyArgs, make, read, roster};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, member, output,
};

/// A check: its name, and what is wrong if anything is.
type Row = (String, Option<String>);

/// Verifies a table.
pub fn verify(args: &VerifyArgs, json: bool) -> Done {
    let signed = read(&args.file)?;
    let roster = roster(&args.trust)?;
    let mut rows = checks(&signed, &roster);
    if let Some(path) = &args.checkpoint {
        rows.push(compare_heads(&signed, path)?);
    }
    if let Some(dir) = &args.recount {
        let home = member::open(dir)?;
        let differs = make::recount(&home, &roster, &signed)?;
        rows.push((
            "the reports in this folder make the same figures".to_owned(),
            differs,
        ));
    }
    let failed = rows
        .iter()
        .find_map(|(name, why)| Some((name, why.as_ref()?)));
    if json {
        let list: Vec<Value> = rows
            .iter()
            .map(|(name, why)| json!({ "check": name, "ok": why.is_none(), "why": why }))
            .collect();
        output::document(json!({
            "verified": failed.is_none(), "checks": list,
            "sha256": hex::encode(signed.sha256), "member": signed.table.member,
        }));
    } else {
        output::data(args.file.display());
        for (name, why) in &rows {
            let word = if why.is_none() { "ok" } else { "FAILED" };
            let why = why
                .as_ref()
                .map_or_else(String::new, |why| format!(": {why}"));
            output::data(format_args!("    {word:<8} {name}{why}"));
        }
        output::data(match failed {
            None => output::good("VERIFIED"),
            Some(_) => output::bad("FAILED"),
        });
    }
    match failed {
        None => Ok(0),
        Some((name, why)) => {
            let failure = Failure::new(WireCode::BadStatistics, "the figures failed verification");
            Err(failure.cause(format!("{name}: {why}")))
        }
    }
}

/// Every check that needs nothing but the roster.
pub(super) fn checks(signed: &Signed, roster: &Roster) -> Vec<Row> {
    let checks = statistics::verify(signed, roster).into_iter();
    checks
        .map(|check| {
            (
                check.name.to_owned(),
                check.problem.map(|problem| problem.to_string()),
            )
        })
        .collect()
}

/// Two heads of one log and one size have one root; of another size only a proof could tell.
fn compare_heads(signed: &Signed, path: &std::path::Path) -> Result<Row, Failure> {
    let bytes = files::read(path, limits::CHECKPOINT_BYTES_MAX)?;
    let head = Checkpoint::of_note(&bytes);
    let head = head.or_fail(format_args!("{} is no head of a log", path.display()))?;
    let rests = Rests::of(&signed.table);
    let name = "the head is the one that you have".to_owned();
    let why = if head.origin != rests.origin {
        Some("it is of another log".to_owned())
    } else if head.size != rests.size {
        Some(format!(
            "yours is of size {} and not {}: follow the log from one to the other with frex log audit",
            head.size, rests.size
        ))
    } else if head.root != rests.root {
        Some(
            "the log has signed two histories of one size: keep both heads, they prove it"
                .to_owned(),
        )
    } else {
        None
    };
    Ok((name, why))
}
