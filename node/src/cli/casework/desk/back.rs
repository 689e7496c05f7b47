//! What recalls do to what a member's folder keeps: forwards are taken back with what they pass on, and of what is
//! erased the case is known by them. Spec: CSE-26, CSE-32.

use std::collections::BTreeMap;

use frex_client::casework::case::CaseId;
use frex_proto::id::MessageId;
use serde_json::Value;

use super::{Row, case_named, case_of, is_forward, message_of, passes_on};

/// Whether it takes back a message.
pub(super) fn is_recall(row: &Value) -> bool {
    row["recalls"].is_string() || row["kind"] == "recall"
}

/// The case of each message: of a forward of ours that of what it passes on. Where that is here no more it is as
/// it was noted, and only without that its id is the case's.
pub(super) fn cases_of(
    rows: &[Row],
    came: &BTreeMap<(MessageId, &str), &Value>,
) -> BTreeMap<MessageId, CaseId> {
    let (mut cases, mut guessed) = (BTreeMap::new(), Vec::new());
    for (direction, row) in rows.iter().filter(|(_, row)| !is_recall(row)) {
        let Some(message) = message_of(row) else {
            continue;
        };
        let case = match is_forward(direction, row).then(|| passes_on(row)) {
            None => case_of(row),
            Some(None) => None,
            Some(Some(of)) => match came.get(&of) {
                Some(of) => case_of(of),
                None => {
                    guessed.push((message, CaseId(of.0.0)));
                    None
                }
            },
        };
        if let Some(case) = case {
            cases.insert(message, case);
        }
    }
    let noted = rows.iter().flat_map(|(_, row)| noted(row));
    for (message, case) in noted.chain(guessed) {
        cases.entry(message).or_insert(case);
    }
    cases
}

/// The case of what a recall may have erased, and of what was passed on of it, as it was noted before: the header of
/// a recall names its message alone, and that need not have begun the case.
pub(super) fn noted(row: &Value) -> Vec<(MessageId, CaseId)> {
    let Some(case) = row["case"].as_str().and_then(case_named) else {
        return Vec::new();
    };
    let passed_on = row["forwarded"].as_array().into_iter().flatten();
    let ids = passed_on.chain([&row["recalls"]]);
    ids.filter_map(|id| Some((MessageId::from_hex(id.as_str()?).ok()?, case)))
        .collect()
}

/// Forwards of reports that their author has taken back, by what the inbox has noted of that.
pub(super) fn taken_back(
    rows: &[Row],
    came: &BTreeMap<(MessageId, &str), &Value>,
) -> BTreeMap<MessageId, (MessageId, String)> {
    let found = rows.iter().filter_map(|(direction, row)| {
        let of = match is_forward(direction, row) {
            true => *came.get(&passes_on(row)?)?,
            false => Some(row).filter(|row| row["original"].is_string())?,
        };
        if of["recalled"]["by_author"] != true {
            return None;
        }
        let original = MessageId::from_hex(of["original"].as_str().or(of["message"].as_str())?);
        Some((
            message_of(row)?,
            (original.ok()?, of["author"].as_str()?.to_owned()),
        ))
    });
    found.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::messages::{RECEIVED, SENT};

    fn id(byte: u8) -> MessageId {
        MessageId([byte; 16])
    }

    // CSE-26: what a recall has erased is in its case still, and so is what was passed on of it.
    #[test]
    fn a_recall_says_of_which_case_its_message_was() {
        let (recalled, went) = (id(2), id(3));
        let row = json!({
            "message": id(4).to_string(), "kind": "recall", "recalls": recalled.to_string(),
            "conversation": recalled.to_string(), "case": CaseId([1; 16]).to_string(),
            "forwarded": [went.to_string()],
        });
        let case = CaseId([1; 16]);
        assert_eq!(noted(&row), [(went, case), (recalled, case)]);
        let mut older = row;
        older["case"] = Value::Null;
        assert!(noted(&older).is_empty());
    }

    // CSE-26: what was noted of a forward says more than the id of what it passed on, which is here no more.
    #[test]
    fn the_case_of_a_forward_is_as_it_was_noted() {
        let (recalled, went) = (id(2), id(3));
        let forward = json!({
            "message": went.to_string(), "forwards": recalled.to_string(), "kind": "report",
            "author": "platform.example-c",
        });
        let recall = json!({
            "message": id(4).to_string(), "kind": "recall", "recalls": recalled.to_string(),
            "case": CaseId([1; 16]).to_string(), "forwarded": [went.to_string()],
        });
        let rows = [(SENT, forward), (RECEIVED, recall)];
        let none = BTreeMap::new();
        let case = |rows: &[Row]| cases_of(rows, &none).get(&went).copied();
        assert_eq!(case(&rows), Some(CaseId([1; 16])));
        assert_eq!(case(&rows[..1]), Some(CaseId(recalled.0)));
    }

    // CSE-32: of a forward of a forward too, its author's word is about the report itself; not that of somebody
    // else whose message has the same id.
    #[test]
    fn a_recall_reaches_the_report_through_each_forward() {
        let (report, came, went) = (id(1), id(2), id(3));
        let recalled = |by_author: bool| {
            json!({
                "message": came.to_string(), "original": report.to_string(), "kind": "report",
                "author": "platform.example-c", "from": "hotline.example-a",
                "recalled": { "by_author": by_author },
            })
        };
        let forward = json!({
            "message": went.to_string(), "forwards": came.to_string(), "kind": "report",
            "author": "platform.example-c",
        });
        for by_author in [true, false] {
            let mut other = recalled(!by_author);
            other["author"] = "police.example-b".into();
            other["original"] = Value::Null;
            let rows = [
                (SENT, forward.clone()),
                (RECEIVED, recalled(by_author)),
                (RECEIVED, other),
            ];
            let found = taken_back(&rows, &super::super::came(&rows));
            let author = || (report, "platform.example-c".to_owned());
            let all = BTreeMap::from([(came, author()), (went, author())]);
            assert_eq!(found, if by_author { all } else { BTreeMap::new() });
        }
    }
}
