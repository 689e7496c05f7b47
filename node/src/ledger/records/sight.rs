//! What the index keeps of a log that was seen: where the journal has it, and not the heads themselves.
//! Two heads of a log whose key has a companion are larger than any row.

use bytes::Bytes;

use crate::journal::Position;

/// One row of [`Table::Seen`](crate::index::Table::Seen).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sight {
    /// The record that has what was seen.
    pub position: Position,
    /// Whether that is two histories.
    pub forked: bool,
}

impl Sight {
    /// Reads a row's value.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Self> {
        let (place, rest) = value.split_first_chunk()?;
        let forked = match rest {
            [0] => false,
            [1] => true,
            _ => return None,
        };
        Some(Self {
            position: Position::from_u64(u64::from_be_bytes(*place)),
            forked,
        })
    }

    /// The row's value.
    #[must_use]
    pub fn value(self) -> Bytes {
        let place = self.position.to_u64().to_be_bytes();
        Bytes::from([&place[..], &[u8::from(self.forked)]].concat())
    }
}
