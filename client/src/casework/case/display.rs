//! A message and a view as JSON: field names as in the schema, enums as lower-case words, what is absent
//! left out, what is unknown kept. Spec: CSE-7, CSE-28.

use prost::Message;
use prost_reflect::{DynamicMessage, Kind as FieldKind, Value as Field};
use serde_json::{Map, Value, json};

use super::{Deadline, Entry, Key, Not, Thread, View};
use crate::casework::{clock::rfc3339, schema, v1::CaseMessage};

/// A message as JSON, from its bytes, with what this program does not know. Null if they do not decode.
#[must_use]
pub fn json_of(bytes: &[u8]) -> Value {
    let message = DynamicMessage::decode(schema::message("CaseMessage"), bytes);
    message.map_or(Value::Null, |message| object(&message))
}

impl CaseMessage {
    /// As JSON, by its descriptor.
    #[must_use]
    pub fn to_json(&self) -> Value {
        json_of(&self.encode_to_vec())
    }
}

fn object(message: &DynamicMessage) -> Value {
    let mut fields = Map::new();
    for (field, value) in message.fields() {
        fields.insert(field.name().to_owned(), value_of(value, &field.kind()));
    }
    let unknown: Vec<Value> = message
        .unknown_fields()
        .map(|field| {
            let mut bytes = Vec::new();
            field.encode(&mut bytes);
            json!({ "number": field.number(), "field": hex::encode(bytes) })
        })
        .collect();
    if !unknown.is_empty() {
        fields.insert("unknown_fields".to_owned(), unknown.into());
    }
    Value::Object(fields)
}

fn value_of(value: &Field, kind: &FieldKind) -> Value {
    match value {
        Field::Bool(value) => (*value).into(),
        Field::I32(value) => (*value).into(),
        Field::I64(value) => (*value).into(),
        Field::U32(value) => (*value).into(),
        Field::U64(value) => (*value).into(),
        Field::F32(value) => (*value).into(),
        Field::F64(value) => (*value).into(),
        Field::String(text) => text.clone().into(),
        Field::Bytes(bytes) => hex::encode(bytes).into(),
        Field::EnumNumber(number) => word(*number, kind).into(),
        Field::Message(message) => object(message),
        Field::List(list) => list.iter().map(|one| value_of(one, kind)).collect(),
        // The schema has no maps.
        Field::Map(_) => Value::Null,
    }
}

/// The word of an enum's number, or the number where this program knows none.
fn word(number: i32, kind: &FieldKind) -> String {
    let known = match kind {
        FieldKind::Enum(descriptor) => descriptor.get_value(number),
        _ => None,
    };
    known.map_or_else(|| format!("#{number}"), |known| schema::word(&known))
}

/// A view as JSON: instants both in milliseconds and in RFC 3339.
#[must_use]
pub fn view_json(view: &View) -> Value {
    let reopenings = view.reopenings.iter().map(|one| {
        json!({
            "member": one.member, "reason": one.reason, "because": one.because,
            "by": key(&one.by), "at": rfc3339(one.at_ms), "at_ms": one.at_ms,
        })
    });
    json!({
        "case": view.id.to_string(), "state": view.state, "now": rfc3339(view.now_ms),
        "now_ms": view.now_ms, "parties": view.parties, "references": view.references,
        "timeline": view.timeline.iter().map(entry).collect::<Vec<_>>(),
        "threads": view.threads.iter().map(thread).collect::<Vec<_>>(),
        "deadlines": view.deadlines.iter().map(|one| deadline(one, view)).collect::<Vec<_>>(),
        "reopens": reopenings.collect::<Vec<_>>(),
    })
}

fn key(key: &Key) -> Value {
    json!({ "from": key.from, "message": key.message.to_string() })
}

/// A line of the timeline; what is said in words is the writer's.
fn entry(one: &Entry) -> Value {
    json!({
        "at": rfc3339(one.at_ms), "at_ms": one.at_ms, "from": one.key.from,
        "message": one.key.message.to_string(), "what": one.what, "says": one.says, "to": one.to,
        "thread": one.thread, "counts": one.not.is_none(), "why_not": one.not.map(Not::text),
        "contradicts": one.contradicts, "fits": one.fits, "note": one.note,
    })
}

fn thread(one: &Thread) -> Value {
    json!({
        "matter": one.matter.word(), "request": one.request.as_ref().map(key), "member": one.member,
        "subject": one.subject, "state": one.state, "reason": one.reason,
        "since": rfc3339(one.since_ms), "since_ms": one.since_ms, "profile": one.profile,
        "until": one.until_ms.map(rfc3339), "until_ms": one.until_ms,
        "contradictions": one.contradictions,
    })
}

/// A deadline, with the request that it belongs to.
fn deadline(one: &Deadline, view: &View) -> Value {
    let request = one
        .thread
        .and_then(|thread| view.threads[thread].request.as_ref());
    json!({
        "what": one.what.word(), "who": one.who, "thread": one.thread, "request": request.map(key),
        "profile": one.profile, "source": one.source, "zone": one.zone, "state": one.state.word(),
        "from": one.from_ms.map(rfc3339), "from_ms": one.from_ms,
        "due": one.due_ms.map(rfc3339), "due_ms": one.due_ms,
        "met": one.met_ms.map(rfc3339), "met_ms": one.met_ms, "warning_days": one.warning,
        "overdue_ms": one.overdue_ms(view.now_ms),
    })
}

impl Deadline {
    /// For how long it is, or was, overdue; none if it was never.
    #[must_use]
    pub fn overdue_ms(&self, now_ms: u64) -> Option<u64> {
        use super::Standing;
        let due_ms = self.due_ms?;
        match self.state {
            Standing::Overdue => Some(now_ms.saturating_sub(due_ms)),
            Standing::AnsweredLate => Some(self.met_ms?.saturating_sub(due_ms)),
            _ => None,
        }
    }
}
