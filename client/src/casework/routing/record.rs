//! What was decided, in one form that can be hashed, and how the log is bound to it.
//!
//! A record holds the plan with its reasons, which tables and policy it was made by, who agreed, and a salt;
//! of the case it holds the countries and where in the report they stood. The ids of the messages that carry
//! the plan out are made of its hash. They stand in the signed headers and in the statements of the logs, so
//! that whoever is shown the record and the evidence of a message sees that this and no other decision
//! was made before it was sent, without seeing the report. Spec: RTE-27 to RTE-32.

use std::fmt::Write as _;

use frex_proto::{error::WireCode, id::MessageId, label};
use serde_json::{Value, json};

use super::{Part, Plan, RECIPIENTS_MAX, RECORD_BYTES_MAX};

/// What a record says it is.
const FORM: &str = "frex-route/v1";
const SALT_BYTES: usize = 32;

/// A record of a decision.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    value: Value,
    bytes: Vec<u8>,
}

/// Why a text is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not JSON, or too long.
    #[error("it is no JSON of at most 1 MiB")]
    Json,
    /// JSON in another form than the one that is hashed.
    #[error("it is not in the form that is hashed")]
    Form,
    /// A field is missing, is another's, or is not what it should be.
    #[error("it is no record of a decision")]
    Fields,
    /// Its messages are not those of its plan.
    #[error("its messages are not those of its plan")]
    Parts,
}

impl From<&RecordError> for WireCode {
    fn from(_: &RecordError) -> Self {
        Self::BadInput
    }
}

impl From<RecordError> for WireCode {
    fn from(error: RecordError) -> Self {
        Self::from(&error)
    }
}

impl Record {
    /// Records a plan that is about to be carried out. The salt must be random.
    #[must_use]
    pub fn new(plan: &Plan, approved: &[String], created_ms: u64, salt: &[u8; SALT_BYTES]) -> Self {
        let mut approved = approved.to_vec();
        approved.sort();
        approved.dedup();
        let value = json!({
            "form": FORM, "salt": hex::encode(salt), "created_ms": created_ms,
            "plan": plan, "parts": plan.parts(), "approved": approved,
        });
        let bytes = canonical(&value).into_bytes();
        Self { value, bytes }
    }

    /// Reads a record that was kept or is shown.
    ///
    /// # Errors
    /// [`RecordError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(RecordError::Json);
        }
        let value: Value = serde_json::from_slice(bytes).map_err(|_| RecordError::Json)?;
        if canonical(&value).as_bytes() != bytes || !is_whole(&value) {
            return Err(RecordError::Form);
        }
        check(&value)?;
        Ok(Self {
            value,
            bytes: bytes.to_vec(),
        })
    }

    /// It as it is kept and hashed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What it says.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// How many messages carry it out.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.value["parts"].as_array().map_or(0, Vec::len)
    }

    /// The id of one of its messages; that of the first names the case.
    #[must_use]
    pub fn message_id(&self, part: usize) -> MessageId {
        message_id(&self.bytes, u8::try_from(part).unwrap_or(u8::MAX))
    }

    /// SHA-256 of it.
    #[must_use]
    pub fn sha256(&self) -> label::Hash {
        label::sha256(&[&self.bytes])
    }
}

/// The id of a message that carries out part of a record: what binds the one to the other. Spec: RTE-29.
#[must_use]
pub fn message_id(record: &[u8], part: u8) -> MessageId {
    let hash = label::sha256(&[label::ROUTE, &[part], record]);
    let mut id = [0; 16];
    id.copy_from_slice(&hash[..16]);
    MessageId(id)
}

/// Whether all its numbers are whole: of others there is more than one form. Spec: RTE-27.
fn is_whole(value: &Value) -> bool {
    match value {
        Value::Number(number) => !number.is_f64(),
        Value::Array(list) => list.iter().all(is_whole),
        Value::Object(fields) => fields.values().all(is_whole),
        _ => true,
    }
}

/// Spec: RTE-28.
fn check(value: &Value) -> Result<(), RecordError> {
    let fields = value.as_object().ok_or(RecordError::Fields)?;
    let known = ["approved", "created_ms", "form", "parts", "plan", "salt"];
    let all = known.iter().all(|name| fields.contains_key(*name));
    let salt = value["salt"].as_str().unwrap_or_default();
    let is_salt = salt.len() == 2 * SALT_BYTES && crate::report::format::is_hex(salt, salt.len());
    let words = |value: &Value| {
        let list = value.as_array();
        list.is_some_and(|list| list.iter().all(Value::is_string))
    };
    if fields.len() != known.len()
        || !all
        || value["form"] != FORM
        || !is_salt
        || value["created_ms"].as_u64().is_none()
        || !words(&value["approved"])
        || !value["plan"].is_object()
    {
        return Err(RecordError::Fields);
    }
    let expected = parts_of(&value["plan"]).ok_or(RecordError::Parts)?;
    match value["parts"] == serde_json::to_value(expected).unwrap_or_default() {
        true => Ok(()),
        false => Err(RecordError::Parts),
    }
}

/// The messages of a plan as it is written in a record.
fn parts_of(plan: &Value) -> Option<Vec<Part>> {
    let mut found: std::collections::BTreeMap<_, Vec<String>> = std::collections::BTreeMap::new();
    let recipients = plan["recipients"].as_array()?;
    if !(1..=RECIPIENTS_MAX).contains(&recipients.len()) {
        return None;
    }
    for one in recipients {
        let copy = serde_json::from_value(one["copy"].clone()).ok()?;
        let lane = serde_json::from_value(one["lane"].clone()).ok()?;
        let member = one["member"].as_str()?.to_owned();
        found.entry((copy, lane)).or_default().push(member);
    }
    let part = |((copy, lane), members)| Part {
        copy,
        lane,
        members,
    };
    Some(found.into_iter().map(part).collect())
}

/// JSON in one form: names in the order of their bytes, no blanks, whole numbers. Spec: RTE-27.
#[must_use]
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, &mut text);
    text
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by(|a, b| a.0.cmp(b.0));
            text.push('{');
            for (at, (name, value)) in fields.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                // Writing to a string has no failure to report.
                let _ = write!(text, "{}:", Value::from(name.as_str()));
                write_value(value, text);
            }
            text.push('}');
        }
        Value::Array(list) => {
            text.push('[');
            for (at, value) in list.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(value, text);
            }
            text.push(']');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}
