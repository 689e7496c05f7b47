//! What stays of a record that was erased. Spec: ERA-8.

use bytes::Bytes;
use frex_proto::v1;
use prost::{
    Message,
    encoding::{self, WireType},
};

use super::{ACCEPTED, REJECTED, Record, SENT, has_leaf};
use crate::journal::{FREE_BYTES, RecordKind};

/// Field of [`Record`] that fills what is left of a record's length.
const PADDING_TAG: u32 = 41;
/// Its length is written in so many bytes, so that any length can be filled.
const LENGTH_BYTES: usize = 4;

/// The first bytes of what takes the place of a record of `length` bytes, and where in them the
/// bytes begin that the journal may choose; zeros follow. None if the record has no room for it.
///
/// It keeps the leaf, which makes the tree, and by what an envelope is known again: whoever sends
/// it once more must not find it taken as new.
#[must_use]
pub fn stub(kind: RecordKind, record: &Record, length: usize) -> Option<(Vec<u8>, usize)> {
    let mut left = Record {
        message: record.message.clone(),
        erased: true,
        ..Record::default()
    };
    if has_leaf(kind) {
        let receipt = v1::Receipt::decode(record.receipt.clone()).ok()?;
        let receipt = v1::Receipt {
            leaf: receipt.leaf,
            index: receipt.index,
            ..v1::Receipt::default()
        };
        left.receipt = Bytes::from(receipt.encode_to_vec());
    }
    if matches!(kind, SENT | ACCEPTED | REJECTED) {
        left.envelope_id = record.envelope_id.clone();
        left.resealed = record.resealed;
    }
    let mut head = left.encode_to_vec();
    encoding::encode_key(PADDING_TAG, WireType::LengthDelimited, &mut head);
    let padding = length.checked_sub(head.len() + LENGTH_BYTES)?;
    if padding < FREE_BYTES {
        return None;
    }
    for place in 0..LENGTH_BYTES {
        let more = if place + 1 < LENGTH_BYTES { 0x80 } else { 0 };
        let seven = (padding >> (7 * place)) & 0x7f;
        head.push(u8::try_from(seven).ok()? | more);
    }
    let free = head.len();
    head.resize(free + FREE_BYTES, 0);
    Some((head, free))
}

#[cfg(test)]
mod tests {
    use super::*;

    // ERA-8: whatever the length was, what stays reads as a record of that length, and holds the
    // leaf and the ids and nothing else.
    #[test]
    fn what_stays_fills_any_length() {
        let receipt = v1::Receipt {
            statement: Bytes::from_static(b"who sent what to whom"),
            salt: vec![3; 32].into(),
            leaf: vec![1; 48].into(),
            index: 70_000,
            hashes: vec![vec![2; 32].into(); 20],
            ..v1::Receipt::default()
        };
        let record = Record {
            receipt: receipt.encode_to_vec().into(),
            envelope_id: vec![5; 32].into(),
            message: vec![6; 16].into(),
            members: vec!["police.es".to_owned()],
            nodes: vec!["node.es".to_owned()],
            resealed: true,
            ..Record::default()
        };
        let longest = (1 << 14) + 300;
        for length in (160..600).chain([16_500, longest, 3_000_000]) {
            let (mut bytes, free) = stub(SENT, &record, length).expect("there is room");
            assert!(free + FREE_BYTES <= bytes.len() && bytes.len() < 180);
            bytes.resize(length, 0);
            let mut read = Record::decode(&bytes[..]).expect("a record");
            read.padding = Bytes::new();
            let leaf = v1::Receipt {
                leaf: vec![1; 48].into(),
                index: 70_000,
                ..v1::Receipt::default()
            };
            let wanted = Record {
                receipt: leaf.encode_to_vec().into(),
                envelope_id: vec![5; 32].into(),
                message: vec![6; 16].into(),
                resealed: true,
                erased: true,
                ..Record::default()
            };
            assert_eq!(read, wanted, "{length}");
        }
        assert_eq!(stub(SENT, &record, 100), None);
    }
}
