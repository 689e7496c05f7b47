//! `frex route verify`: whether messages were sent by a decision. Spec: RTE-31, RTE-32.

use frex_client::casework::routing::Record;
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::{Value, json};

use super::RouteVerifyArgs;
use crate::cli::{
    failure::{Done, Failure, OrCode},
    output,
};

/// Checks that messages are of a record, and shows what that says.
pub fn verify(args: &RouteVerifyArgs, json: bool) -> Done {
    let record = super::read(&args.record)?;
    let ids: Vec<MessageId> = (0..record.parts())
        .map(|part| record.message_id(part))
        .collect();
    let mut checks = Vec::new();
    for id in &args.message {
        let wanted = MessageId::from_hex(id);
        let wanted = wanted.or_code(WireCode::BadInput, format_args!("{id} is no message id"))?;
        checks.push((wanted, ids.iter().position(|known| *known == wanted)));
    }
    let holds = checks.iter().all(|(_, part)| part.is_some());
    if json {
        let row = |(id, part): &(MessageId, Option<usize>)| json!({"message": id.to_string(), "part": part, "holds": part.is_some()});
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
        false => Err(Failure::new(
            WireCode::BadEvidence,
            "a message was not sent by this decision",
        )),
    }
}

fn print(record: &Record, ids: &[MessageId], checks: &[(MessageId, Option<usize>)]) {
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
