//! Log entries: 48 bytes that commit to a statement and reveal nothing of it.
//!
//! ```text
//! "FREX" ‖ 0x01 ‖ event ‖ 0x0000 ‖ u64 time_ms ‖ HMAC-SHA256(salt, "frex/v1/leaf\0" ‖ the 16 bytes before ‖ statement)
//! ```
//! The salt is random and kept beside the statement: when both are erased, the leaf is
//! meaningless and every proof over it still holds. Spec: LOG-2, LOG-3.

use subtle::ConstantTimeEq as _;

use super::{Hash, LEAF_BYTES, Leaf, SALT_BYTES};
use crate::{error::WireCode, label, v1::Event};

const HEAD_BYTES: usize = 16;
const MAGIC: &[u8; 5] = b"FREX\x01";

/// Why bytes are not a leaf, or not the leaf of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LeafError {
    /// Not 48 bytes.
    #[error("leaf has the wrong length")]
    Length,
    /// Not this format and version.
    #[error("leaf has an unknown format")]
    Format,
    /// No such event.
    #[error("leaf has an unknown event")]
    Event,
    /// The commitment is to other bytes or under another salt.
    #[error("leaf does not match the statement and its salt")]
    Mismatch,
}

impl From<LeafError> for WireCode {
    fn from(error: LeafError) -> Self {
        match error {
            LeafError::Mismatch => Self::BadReceipt,
            _ => Self::Malformed,
        }
    }
}

impl Leaf {
    /// Commits to a statement. Spec: LOG-2, LOG-3.
    #[must_use]
    pub fn build(event: Event, time_ms: u64, salt: &[u8; SALT_BYTES], statement: &[u8]) -> Self {
        let mut bytes = [0; LEAF_BYTES];
        let (head, commitment) = bytes.split_at_mut(HEAD_BYTES);
        head[..5].copy_from_slice(MAGIC);
        head[5] = number(event);
        head[8..].copy_from_slice(&time_ms.to_be_bytes());
        commitment.copy_from_slice(&commit(salt, head, statement));
        Self(bytes)
    }

    /// Reads a leaf. Spec: LOG-2.
    ///
    /// # Errors
    /// [`LeafError::Length`], [`LeafError::Format`], [`LeafError::Event`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        let bytes: [u8; LEAF_BYTES] = bytes.try_into().map_err(|_| LeafError::Length)?;
        if !bytes.starts_with(MAGIC) || bytes[6..8] != [0, 0] {
            return Err(LeafError::Format);
        }
        match Event::try_from(i32::from(bytes[5])) {
            Ok(Event::Unspecified) | Err(_) => Err(LeafError::Event),
            Ok(_) => Ok(Self(bytes)),
        }
    }

    /// Checks that this leaf commits to these bytes. Spec: LOG-3.
    ///
    /// # Errors
    /// [`LeafError::Mismatch`].
    pub fn check(&self, salt: &[u8; SALT_BYTES], statement: &[u8]) -> Result<(), LeafError> {
        let (head, commitment) = self.0.split_at(HEAD_BYTES);
        let same: bool = commit(salt, head, statement).ct_eq(commitment).into();
        same.then_some(()).ok_or(LeafError::Mismatch)
    }

    /// What happened.
    #[must_use]
    pub fn event(&self) -> Event {
        Event::try_from(i32::from(self.0[5])).unwrap_or(Event::Unspecified)
    }

    /// When the node logged it, milliseconds since the Unix epoch.
    ///
    /// # Panics
    /// Never: a leaf has its length.
    #[must_use]
    pub fn time_ms(&self) -> u64 {
        let time = self.0[8..HEAD_BYTES].try_into().expect("eight bytes");
        u64::from_be_bytes(time)
    }

    /// The bytes that the log holds.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; LEAF_BYTES] {
        &self.0
    }

    /// Hash of this entry in the tree. Spec: LOG-1.
    #[must_use]
    pub fn hash(&self) -> Hash {
        super::leaf_hash(&self.0)
    }
}

fn commit(salt: &[u8; SALT_BYTES], head: &[u8], statement: &[u8]) -> Hash {
    label::hmac_sha256(salt, &[label::LEAF, head, statement])
}

fn number(event: Event) -> u8 {
    u8::try_from(i32::from(event)).expect("event numbers are registered below 256")
}

#[cfg(test)]
mod tests {
    use super::*;

    // LOG-2, LBL-1: the layout, byte for byte.
    #[test]
    fn a_leaf_is_laid_out_as_specified() {
        let leaf = Leaf::build(Event::Accepted, 0x0102_0304_0506_0708, &[9; 32], b"word");
        let head = b"FREX\x01\x02\0\0\x01\x02\x03\x04\x05\x06\x07\x08";
        assert_eq!(&leaf.as_bytes()[..16], head);
        let commitment = label::hmac_sha256(&[9; 32], &[b"frex/v1/leaf\0", head, b"word"]);
        assert_eq!(leaf.as_bytes()[16..], commitment);
        assert_eq!(Leaf::parse(leaf.as_bytes()), Ok(leaf));
        assert_eq!(leaf.event(), Event::Accepted);
        assert_eq!(leaf.time_ms(), 0x0102_0304_0506_0708);
    }

    // LOG-3: the commitment covers statement, salt, event and time.
    #[test]
    fn a_leaf_matches_only_its_statement_and_salt() {
        let leaf = Leaf::build(Event::Accepted, 5, &[9; 32], b"word");
        assert_eq!(leaf.check(&[9; 32], b"word"), Ok(()));
        assert_eq!(leaf.check(&[9; 32], b"ward"), Err(LeafError::Mismatch));
        assert_eq!(leaf.check(&[8; 32], b"word"), Err(LeafError::Mismatch));
        for position in [5, 15, 16, 47] {
            let mut bytes = *leaf.as_bytes();
            bytes[position] ^= 1;
            let altered = Leaf::parse(&bytes).expect("still a leaf");
            assert_eq!(altered.check(&[9; 32], b"word"), Err(LeafError::Mismatch));
        }
    }

    // LOG-2
    #[test]
    fn malformed_leaves_are_refused_by_their_reason() {
        let good = *Leaf::build(Event::Operator, 5, &[9; 32], b"").as_bytes();
        let with = |position: usize, value: u8| {
            let mut bytes = good;
            bytes[position] = value;
            Leaf::parse(&bytes)
        };
        assert_eq!(Leaf::parse(&good[..47]), Err(LeafError::Length));
        assert_eq!(with(0, b'f'), Err(LeafError::Format));
        assert_eq!(with(4, 2), Err(LeafError::Format));
        assert_eq!(with(7, 1), Err(LeafError::Format));
        assert_eq!(with(5, 0), Err(LeafError::Event));
        assert_eq!(with(5, 11), Err(LeafError::Event));
        assert_eq!(WireCode::from(LeafError::Mismatch), WireCode::BadReceipt);
    }
}
