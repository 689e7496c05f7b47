//! How far a message has come for each of its recipients, as far as the folder knows. Spec: CLI-27.

use frex_proto::{delivery::Stage, error::WireCode, roster::Roster, v1};
use serde_json::{Value, json};

use crate::cli::{
    ended::{self, GIVEN_UP},
    member,
    messages::RECALLS,
    output,
};

/// What was heard of one recipient that says most. Spec: DEL-5.
#[derive(Clone, Default)]
struct Fate {
    stage: Option<Stage>,
    code: Option<WireCode>,
    outcome: Option<String>,
    /// The recall by which it was withdrawn.
    recall: Option<Value>,
    /// How far it had come before that.
    was: Option<Stage>,
}

impl Fate {
    fn hear(&mut self, heard: Self) {
        if heard.stage > self.stage {
            let was = heard.stage.filter(|stage| *stage == Stage::Recalled);
            let was = was.and(self.stage);
            *self = Self { was, ..heard };
        }
    }
}

/// A row for each recipient. `roster` tells for whom a refusal is that names nobody.
#[must_use]
pub fn rows(about: &Value, statements: &[v1::Statement], roster: Option<&Roster>) -> Vec<Value> {
    let names = about["recipients"].as_array().into_iter().flatten();
    names
        .filter_map(Value::as_str)
        .map(|member| row(member, &fate(member, about, statements, roster)))
        .collect()
}

/// The same rows, with a mark on those whose node has lost with the end of a log what it had stated about them.
/// Spec: BAK-19.
#[must_use]
pub fn marked(
    mut rows: Vec<Value>,
    lost: &[&v1::Statement],
    roster: Option<&Roster>,
) -> Vec<Value> {
    for row in &mut rows {
        let member = row["member"].as_str().unwrap_or_default();
        // What the sender's own node has lost says nothing of what others have.
        let there = |one: &&&v1::Statement| one.event() != v1::Event::Submitted;
        let mut there = lost.iter().filter(there);
        let is_lost = there.any(|one| is_about(one, member, roster));
        row["lost"] = is_lost.into();
    }
    rows
}

fn fate(
    member: &str,
    about: &Value,
    statements: &[v1::Statement],
    roster: Option<&Roster>,
) -> Fate {
    let mut fate = Fate::default();
    let about_them = statements
        .iter()
        .filter(|one| is_about(one, member, roster));
    about_them.for_each(|statement| fate.hear(stated(statement)));
    for ended in rows_naming(member, &about[GIVEN_UP], "members") {
        fate.hear(given_up(ended));
    }
    for recall in rows_naming(member, &about[RECALLS], "from") {
        fate.hear(Fate {
            stage: Some(Stage::Recalled),
            ..Fate::default()
        });
        fate.recall = Some(recall["message"].clone());
    }
    fate
}

fn row(member: &str, fate: &Fate) -> Value {
    json!({
        "member": member, "state": fate.stage.map(Stage::name), "was": fate.was.map(Stage::name),
        "code_name": fate.code.map(|code| code.info().name), "outcome": fate.outcome,
        "recall": fate.recall,
    })
}

/// Prints the rows; says whether for one of them delivery is under way, as far as it is known here.
pub fn print(rows: &[Value]) -> bool {
    let mut table = output::table(&["RECIPIENT", "STATE", "IT WAS"]);
    for row in rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let state = match row["state"].is_null() {
            true => "unknown".to_owned(),
            false => text("state"),
        };
        // EXPIRED and RECALLED are their own reason.
        let why = [text("code_name"), text("outcome")].concat();
        let state = match why.is_empty() || why == state {
            true => state,
            false => format!("{state} {why}"),
        };
        let state = match row["lost"] == true {
            true => format!("{state}, lost since"),
            false => state,
        };
        table.add_row([text("member"), state, text("was")]);
    }
    output::print_table(&table);
    rows.iter().any(is_open)
}

/// Whether for the recipient of a row delivery is under way, as far as it is known here.
#[must_use]
pub fn is_open(row: &Value) -> bool {
    row["state"].is_null() || row["state"] == Stage::Submitted.name()
}

/// Whether the recipient of a row has not got it and will not, or it was withdrawn.
#[must_use]
pub fn is_lost(row: &Value) -> bool {
    let ended = [
        Stage::Undeliverable,
        Stage::Expired,
        Stage::Rejected,
        Stage::Recalled,
    ];
    ended.iter().any(|stage| row["state"] == stage.name())
}

fn is_about(statement: &v1::Statement, member: &str, roster: Option<&Roster>) -> bool {
    if let Some(stage) = stage(statement) {
        return stage.member == member;
    }
    match statement.recipients.is_empty() {
        true => roster.is_some_and(|roster| roster.is_served_by(member, &statement.node)),
        false => statement.recipients.iter().any(|name| name == member),
    }
}

fn stage(statement: &v1::Statement) -> Option<v1::StageStatement> {
    let said = Some(statement).filter(|statement| statement.event() == v1::Event::Stage);
    said.and_then(member::stage_of)
}

fn stated(statement: &v1::Statement) -> Fate {
    let rejected = statement.event() == v1::Event::Rejected;
    Fate {
        stage: match stage(statement) {
            Some(said) => Stage::of_word(said.stage()),
            None => Stage::of_event(statement.event()),
        },
        code: rejected.then(|| WireCode::from_number(statement.code)),
        outcome: member::outcome_of(statement),
        ..Fate::default()
    }
}

fn given_up(row: &Value) -> Fate {
    let code = ended::code(row);
    Fate {
        stage: Some(ended::stage(code)),
        code: Some(code),
        ..Fate::default()
    }
}

fn rows_naming<'a>(
    member: &'a str,
    rows: &'a Value,
    field: &'a str,
) -> impl Iterator<Item = &'a Value> {
    let names = move |row: &&Value| {
        let mut names = row[field].as_array().into_iter().flatten();
        names.any(|name| name == member)
    };
    rows.as_array().into_iter().flatten().filter(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement(event: v1::Event, code: WireCode) -> v1::Statement {
        let mut statement = v1::Statement {
            recipients: vec!["a".to_owned()],
            ..v1::Statement::default()
        };
        statement.set_event(event);
        if event == v1::Event::Rejected {
            statement.code = code as u32;
        }
        statement
    }

    // BAK-19: who has lost what was taken for a recipient is marked, whatever the sender's own node has lost.
    #[test]
    fn what_went_with_the_end_of_a_log_is_marked() {
        let about = json!({ "recipients": ["a", "b"] });
        let accepted = statement(v1::Event::Accepted, WireCode::Unknown);
        let submitted = statement(v1::Event::Submitted, WireCode::Unknown);
        let marks = |lost: &[&v1::Statement]| {
            let rows = rows(&about, std::slice::from_ref(&accepted), None);
            let rows = marked(rows, lost, None);
            [0, 1].map(|row| rows[row]["lost"] == true)
        };
        assert_eq!(marks(&[]), [false, false]);
        assert_eq!(marks(&[&submitted]), [false, false]);
        assert_eq!(marks(&[&submitted, &accepted]), [true, false]);
    }

    // DEL-5, DEL-46, CLI-27: the greatest of what was heard counts, whoever said it in what order.
    #[test]
    fn a_receipt_stands_above_the_home_nodes_word() {
        let about = json!({
            "recipients": ["a", "b"],
            "given_up": [{ "node": "n", "members": ["a"], "code": WireCode::Expired as u16 }],
        });
        let state = |statements: &[v1::Statement]| {
            let rows = rows(&about, statements, None);
            assert_eq!(rows[1]["state"], Value::Null);
            ["state", "code_name"].map(|field| rows[0][field].clone())
        };
        let rejected = statement(v1::Event::Rejected, WireCode::KeyRetired);
        let accepted = statement(v1::Event::Accepted, WireCode::Unknown);
        assert_eq!(state(&[]), ["EXPIRED", "EXPIRED"].map(Value::from));
        assert_eq!(
            state(std::slice::from_ref(&rejected)),
            ["REJECTED", "KEY_RETIRED"].map(Value::from)
        );
        assert_eq!(
            state(&[accepted, rejected]),
            ["ACCEPTED".into(), Value::Null]
        );
    }
}
