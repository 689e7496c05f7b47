//! What became of the reports that an earlier run has submitted. Spec: CLI-35.

use frex_client::{
    client::{Client, OutboxQuery},
    keys::MemberHome,
};
use frex_proto::{
    error::WireCode,
    id::MessageId,
    v1::{OutboxItem, OutboxShelf},
};
use serde_json::Value;

use super::Tally;
use crate::cli::{
    ended::{self, GIVEN_UP},
    failure::Failure,
    files,
    member::SENT_DIR,
    messages::{self, RECALLS},
};

/// Pages that are asked for at most.
const PAGES_MAX: usize = 100_000;

/// Asks the home node what it has given up, all at once and not for each report, and looks up what
/// was dropped or recalled from here.
pub(super) async fn ask(
    client: &Client,
    home: &MemberHome,
    tally: &mut Tally,
) -> Result<(), Failure> {
    if tally.before.is_empty() || tally.gave_up.is_some() {
        return Ok(());
    }
    known_here(home, tally)?;
    let query = OutboxQuery {
        shelf: OutboxShelf::Dead,
        ..OutboxQuery::default()
    };
    let mut after = None;
    for _ in 0..PAGES_MAX {
        let page = match client.outbox(&query, after).await {
            Ok(page) => page,
            Err(error) => {
                tally.unknown = Some(error.to_string());
                break;
            }
        };
        for one in page.deliveries {
            // A retired key is said of in its own way, and such a report may have got there since.
            let code = one.code.filter(|code| *code != WireCode::KeyRetired);
            let reference = tally.before.get(&one.message).cloned();
            if let (OutboxItem::Envelope, Some(code), Some(reference)) = (one.item, code, reference)
            {
                tally.ended(&reference, one.message, Some(&one.node), code);
            }
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(())
}

fn known_here(home: &MemberHome, tally: &mut Tally) -> Result<(), Failure> {
    for path in files::with_extension(&home.dir().join(SENT_DIR), "json")? {
        let id = path.file_stem().and_then(|stem| stem.to_str());
        let Some(id) = id.and_then(|id| MessageId::from_hex(id).ok()) else {
            continue;
        };
        let Some(reference) = tally.before.get(&id).cloned() else {
            continue;
        };
        let about = messages::sent(home, &id.to_string())?.unwrap_or_default();
        let rows = |field: &str| about[field].as_array().cloned().unwrap_or_default();
        for row in rows(GIVEN_UP) {
            let code = ended::code(&row);
            // What ended for another reason may have been requeued; the node tells of it.
            if matches!(code, WireCode::Expired | WireCode::Withdrawn) {
                tally.ended(&reference, id, row["node"].as_str(), code);
            }
        }
        if rows(RECALLS).iter().any(Value::is_object) {
            tally.ended(&reference, id, None, WireCode::Recalled);
        }
    }
    Ok(())
}
