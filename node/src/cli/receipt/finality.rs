//! Whether a receipt is final: enough of the witnesses that the roster names have cosigned the head
//! that it leads to. Spec: RCP-17, RCP-18.

use std::path::{Path, PathBuf};

use frex_client::client::{Client, ProvenReceipt};
use frex_proto::{
    error::WireCode,
    log::{Cosignature, NoteError, Origin},
    receipt,
    roster::{Finality, Roster},
    v1,
};
use serde_json::{Value, json};

use crate::cli::{
    failure::{Failure, OrFail},
    files, member,
};

/// What is said of a receipt whose roster names witnesses.
pub const FINAL: &str = "final";
/// As [`FINAL`], while too few have cosigned.
pub const PROVISIONAL: &str = "provisional";
/// Why nothing is final where nobody could make it so. Spec: RCP-18.
pub const NO_WITNESSES: &str = "the roster names no witnesses, so nothing is final";
/// How that is mended, and how it is done without.
pub const NAME_WITNESSES: &str = "The governance names witnesses: frex roster propose --root root.frex --previous roster.frex --out next.proposal --witnesses node.a,node.b,node.c --quorum 2; until then leave out --final";

/// How far the log that a receipt names can still take it back.
///
/// # Errors
/// A line of a witness on it is wrong.
pub fn of(roster: &Roster, receipt: &v1::Receipt) -> Result<Finality, NoteError> {
    let origin = member::origin_of(receipt).unwrap_or_default();
    match Origin::parse(&origin) {
        Ok(origin) => roster.finality(origin.node, &receipt.checkpoint),
        Err(_) => Ok(Finality::Unwitnessed),
    }
}

/// The word for it; null where no witnesses are named, and where a line is wrong.
#[must_use]
pub fn word(roster: &Roster, receipt: &v1::Receipt) -> Value {
    match of(roster, receipt) {
        Ok(Finality::Final(_)) => FINAL.into(),
        Ok(Finality::Provisional(..)) => PROVISIONAL.into(),
        Ok(Finality::Unwitnessed) | Err(_) => Value::Null,
    }
}

/// The nodes that cosigned.
#[must_use]
pub fn witnesses(cosignatures: &[Cosignature]) -> Vec<String> {
    let nodes = cosignatures.iter().map(Cosignature::node);
    nodes.map(str::to_owned).collect()
}

/// What is said where only what is final was asked for and nothing can be.
#[must_use]
pub fn without_witnesses(what: &str) -> Failure {
    Failure::new(WireCode::Provisional, what)
        .cause(NO_WITNESSES)
        .advise(NAME_WITNESSES)
}

/// What is known of it, as JSON.
#[must_use]
pub fn describe(finality: &Finality) -> Value {
    match finality {
        Finality::Unwitnessed => Value::Null,
        Finality::Provisional(cosigned, quorum) => json!({
            "state": PROVISIONAL, "witnesses": witnesses(cosigned), "needed": quorum,
        }),
        Finality::Final(cosigned) => json!({ "state": FINAL, "witnesses": witnesses(cosigned) }),
    }
}

/// Makes a receipt final if it can be by now, and keeps it in the place of what was; gives the word for
/// what it is then. Spec: WIT-12.
///
/// # Errors
/// A receipt cannot be kept, or what came in its place does not hold.
pub async fn make_final(
    client: &Client,
    proven: &ProvenReceipt,
    path: &Path,
) -> Result<Value, Failure> {
    let roster = client.roster().current();
    // What was made final before is not asked for again.
    let kept = super::read(path)?;
    let known = word(&roster, &kept);
    if known != PROVISIONAL {
        return Ok(known);
    }
    let made = match client.finalize(proven).await {
        Ok(made) => made,
        Err(error) => match WireCode::from(&error) {
            // Not yet, or not now.
            WireCode::NotFound
            | WireCode::Unreachable
            | WireCode::TimedOut
            | WireCode::RetryAfter
            | WireCode::ShuttingDown => return Ok(known),
            _ => return Err(error).or_fail("a receipt cannot be made final"),
        },
    };
    replace(path, &made)?;
    Ok(FINAL.into())
}

fn replace(path: &Path, made: &ProvenReceipt) -> Result<(), Failure> {
    let text = receipt::to_tlog_proof_text(&made.receipt).or_fail("a receipt cannot be kept")?;
    let vkey: PathBuf = path.with_extension("vkey");
    files::replace(&vkey, member::vkey_text(made).as_bytes())?;
    files::replace(path, text.as_bytes())
}
