//! Counts what a report would become in memory before it becomes it: a field of two bytes may be a
//! message of two hundred. Spec: MOD-2, LIM-117.

use prost::encoding::{WireType, decode_key, decode_varint};

use super::VALUES_MAX;
use crate::{casework::schema::Shape, report::ReportErrors};

/// Refuses encoded bytes that hold too many values, or are not Protobuf of this shape.
pub(super) fn measure(shape: &Shape, bytes: &[u8]) -> Result<(), ReportErrors> {
    let mut left = VALUES_MAX;
    match walk(shape, bytes, &mut left) {
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

fn walk(shape: &Shape, mut bytes: &[u8], left: &mut usize) -> Option<()> {
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
                let field = shape.descriptor.get_field(number);
                let field = field.and_then(|field| shape.by_name(field.name()));
                match field.and_then(crate::casework::schema::Field::message) {
                    // The schema has no message inside itself, so this ends.
                    Some(inner) => walk(&inner, value, left)?,
                    // Packed numbers are a byte each at least.
                    None if field.is_some_and(|field| field.descriptor.is_packed()) => {
                        take(left, value.len())?;
                    }
                    None => {}
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
