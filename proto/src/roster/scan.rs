//! Counts before decoding: a repeated field is bounded before memory is taken for it.

use bytes::Buf;
use prost::encoding::{WireType, decode_key, decode_varint};

/// How often the length-delimited field `field` stands at the top level of `message`; none if
/// the bytes are not a message.
pub(crate) fn count_field(mut message: &[u8], field: u32) -> Option<usize> {
    let mut count = 0;
    while !message.is_empty() {
        let (tag, wire_type) = decode_key(&mut message).ok()?;
        let length = match wire_type {
            WireType::Varint => {
                decode_varint(&mut message).ok()?;
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => decode_varint(&mut message).ok()?,
            // Groups are of an older language: no schema of ours has one.
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let length = usize::try_from(length).ok()?;
        if length > message.len() {
            return None;
        }
        message.advance(length);
        count += usize::from(tag == field);
    }
    Some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    // LIM-13
    #[test]
    fn fields_are_counted_without_decoding_them() {
        let message = [0x1a, 0, 0x08, 5, 0x1a, 1, 9, 0x12, 2, 0x1a, 0];
        assert_eq!(count_field(&message, 3), Some(2));
        assert_eq!(count_field(&[0x1a, 200], 3), None);
        assert_eq!(count_field(&[0x1b], 3), None);
    }
}
