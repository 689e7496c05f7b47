//! `frex route verify`: whether messages were sent by a decision. Spec: RTE-31, RTE-32.

use std::path::Path;

use frex_client::casework::routing::{RECORD_BYTES_MAX, Record};
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::{Value, json};

use super::{ROUTES_DIR, RouteVerifyArgs, draw};
use crate::cli::{
    failure::{Done, Failure},
    files, messages, output,
};

/// A message that was asked about: its id as far as it is known, and which part of the record it carries out.
type Check = (String, Option<usize>);

/// Checks that messages are of a record, and shows what that says.
pub fn verify(args: &RouteVerifyArgs, json: bool) -> Done {
    let record = read(&args.record)?;
    let ids: Vec<MessageId> = (0..record.parts())
        .map(|part| record.message_id(part))
        .collect();
    let mut checks = Vec::new();
    for id in &args.message {
        checks.push(check(&ids, id)?);
    }
    let holds = checks.iter().all(|(_, part)| part.is_some());
    if json {
        let row =
            |(id, part): &Check| json!({"message": id, "part": part, "holds": part.is_some()});
        output::document(json!({
            "holds": holds, "sha256": hex::encode(record.sha256()),
            "messages": ids.iter().map(MessageId::to_string).collect::<Vec<_>>(),
            "checks": checks.iter().map(row).collect::<Vec<_>>(), "record": record.value(),
        }));
    } else {
        print(&record, &ids, &checks);
    }
    match holds {
        true => Ok(0),
        false => {
            let ids: Vec<String> = ids.iter().map(MessageId::to_string).collect();
            let what = "a message was not sent by this decision";
            Err(Failure::new(WireCode::BadEvidence, what)
                .cause(format!("those of it are {}", ids.join(", ")))
                .advise(format!(
                    "Find the record of that message: one in DIR/member/{ROUTES_DIR} is named by the id of the first message of its case, as  frex case show MESSAGE DIR  names it"
                )))
        }
    }
}

/// The record; a plan that lies beside it is mistaken for one.
fn read(path: &Path) -> Result<Record, Failure> {
    super::read(path).map_err(|failure| {
        let bytes = files::read(path, RECORD_BYTES_MAX).unwrap_or_default();
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let failure = match draw::is_plan(&value) {
            true => Failure::new(
                WireCode::BadInput,
                format!("{} is a plan, and no record of a decision", path.display()),
            ),
            false => failure,
        };
        match failure.code() {
            WireCode::BadInput => failure.advise(format!(
                "Give the record that was made when it was sent, as  frex send --route  named it: DIR/member/{ROUTES_DIR}/MESSAGE.json"
            )),
            _ => failure,
        }
    })
}

/// A message by its id or the beginning of it, looked for among those of the record alone: whoever verifies
/// need not have them. Spec: CLI-28.
fn check(ids: &[MessageId], id: &str) -> Result<Check, Failure> {
    let wanted = messages::beginning(id)?;
    let ids: Vec<String> = ids.iter().map(MessageId::to_string).collect();
    let all = ids.iter().enumerate();
    let mut fitting = all.filter(|(_, known)| known.starts_with(&wanted));
    match (fitting.next(), fitting.next()) {
        (Some((part, known)), None) => Ok((known.clone(), Some(part))),
        (None, _) => Ok((wanted, None)),
        (Some(_), Some(_)) => {
            let what = format!("{wanted} begins more than one message of the record");
            Err(Failure::new(WireCode::BadInput, what).advise("Give more letters of the id"))
        }
    }
}

fn print(record: &Record, ids: &[MessageId], checks: &[Check]) {
    output::data(format_args!("record   {}", hex::encode(record.sha256())));
    let parts = record.value()["parts"].as_array().into_iter().flatten();
    for (id, part) in ids.iter().zip(parts) {
        let members = part["members"].as_array().into_iter().flatten();
        let members: Vec<String> = members
            .filter_map(Value::as_str)
            .map(output::clean)
            .collect();
        output::data(format_args!(
            "message  {id}  {} copy to {}",
            output::clean(part["copy"].as_str().unwrap_or_default()),
            members.join(", ")
        ));
    }
    for (id, part) in checks {
        let verdict = match part {
            Some(_) => output::good("holds"),
            None => output::bad("does not hold"),
        };
        output::data(format_args!("{id} was sent by this decision: {verdict}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-31, CLI-28: a message of the record is named by the beginning of its id, and by no longer a text.
    #[test]
    fn a_message_is_named_by_its_beginning() {
        let mut alike = [7; 16];
        alike[15] = 8;
        let ids = [MessageId([7; 16]), MessageId(alike), MessageId([0xab; 16])];
        let whole = ids[2].to_string();
        for id in [&whole[..8], &whole, &whole.to_uppercase()] {
            assert_eq!(check(&ids, id).unwrap(), (whole.clone(), Some(2)), "{id}");
        }
        for id in ["abac", &format!("{whole}ab")] {
            assert_eq!(check(&ids, id).unwrap(), (id.to_owned(), None), "{id}");
        }
        for id in ["0707", "090", "no id"] {
            assert!(check(&ids, id).is_err(), "{id}");
        }
    }
}
