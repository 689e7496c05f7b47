//! Counts what a report would become in memory before it becomes it: a field of two bytes may be a
//! message of two hundred. Spec: MOD-2, LIM-117.

use prost::encoding::{WireType, decode_key, decode_varint};
use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};

use super::VALUES_MAX;
use crate::report::ReportErrors;

/// Refuses encoded bytes that hold too many values, or are not Protobuf of this kind.
pub(super) fn measure(kind: &MessageDescriptor, bytes: &[u8]) -> Result<(), ReportErrors> {
    let mut left = VALUES_MAX;
    match walk(kind, bytes, &mut left) {
        Some(()) => Ok(()),
        None if left == 0 => Err(ReportErrors {
            too_large: true,
            ..ReportErrors::one(
                "holds more values than a report may",
                "at most 100,000 values",
            )
        }),
        None => Err(ReportErrors::one("is not Protobuf", "one encoded Report")),
    }
}

fn walk(kind: &MessageDescriptor, mut bytes: &[u8], left: &mut usize) -> Option<()> {
    while !bytes.is_empty() {
        take(left, 1)?;
        let (number, wire) = decode_key(&mut bytes).ok()?;
        match wire {
            WireType::Varint => {
                decode_varint(&mut bytes).ok()?;
            }
            WireType::SixtyFourBit => bytes = bytes.get(8..)?,
            WireType::ThirtyTwoBit => bytes = bytes.get(4..)?,
            WireType::LengthDelimited => {
                let length = usize::try_from(decode_varint(&mut bytes).ok()?).ok()?;
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let field = kind.get_field(number);
                match field.as_ref().map(FieldDescriptor::kind) {
                    // The schema has no message inside itself, so this ends.
                    Some(Kind::Message(inner)) => walk(&inner, value, left)?,
                    // Packed numbers are a byte each at least.
                    _ if field.as_ref().is_some_and(FieldDescriptor::is_packed) => {
                        take(left, value.len())?;
                    }
                    _ => {}
                }
            }
            // Groups are of an older Protobuf, and nest.
            WireType::StartGroup | WireType::EndGroup => return None,
        }
    }
    Some(())
}

/// Takes so many of what is left, or all and none.
fn take(left: &mut usize, count: usize) -> Option<()> {
    let rest = left.checked_sub(count).filter(|rest| *rest > 0);
    *left = rest.unwrap_or_default();
    rest.map(|_| ())
}
