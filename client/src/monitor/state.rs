//! What is kept of a log, as text: one line of JSON, and one that tells whether it is whole.

use bytes::Bytes;
use frex_proto::{error::WireCode, label, limits, log::Edge};
use serde::{Deserialize, Serialize};

use super::{Followed, StateError};

/// Largest text of a state, bytes: eight rows of 255 hashes and two checkpoints as served, each character
/// of which may take two.
pub const STATE_BYTES_MAX: usize = 1024 * 1024;

const _: () = assert!(4 * limits::CHECKPOINT_BYTES_MAX + 8 * 255 * 64 + 4096 <= STATE_BYTES_MAX);

/// Version of the form.
const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    v: u32,
    head: String,
    verified: String,
    first: u64,
    read: u64,
    last_ms: u64,
    rows: Vec<String>,
}

impl From<StateError> for WireCode {
    fn from(_: StateError) -> Self {
        Self::BadInput
    }
}

impl Followed {
    /// As text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let note = |note: &Bytes| String::from_utf8_lossy(note).into_owned();
        let rows = self.edge.rows().iter();
        let form = Form {
            v: VERSION,
            head: note(&self.head),
            verified: note(&self.verified),
            first: self.first,
            read: self.edge.size(),
            last_ms: self.last_ms,
            rows: rows.map(|row| hex::encode(row.as_flattened())).collect(),
        };
        let line = serde_json::to_string(&form).unwrap_or_default();
        format!("{line}\n{}\n", sum(&line))
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    /// [`StateError`] for anything else: whoever goes on from damaged hashes would accuse the log.
    pub fn from_text(text: &str) -> Result<Self, StateError> {
        Self::read_text(text).ok_or(StateError::Damaged)
    }

    fn read_text(text: &str) -> Option<Self> {
        let (line, sum_line) = text.strip_suffix('\n')?.split_once('\n')?;
        if sum_line != sum(line) {
            return None;
        }
        let form: Form = serde_json::from_str(line).ok()?;
        let rows = form.rows.iter().map(|row| {
            let bytes = hex::decode(row).ok()?;
            let (hashes, odd) = bytes.as_chunks();
            odd.is_empty().then(|| hashes.to_vec())
        });
        let edge = Edge::from_rows(form.read, rows.collect::<Option<_>>()?).ok()?;
        (form.v == VERSION).then_some(Self {
            head: form.head.into(),
            verified: form.verified.into(),
            first: form.first,
            edge,
            last_ms: form.last_ms,
        })
    }
}

fn sum(line: &str) -> String {
    hex::encode(label::sha256(&[line.as_bytes()]))
}
