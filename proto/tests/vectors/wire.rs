//! Frames and messages.

use crate::Vector;

pub(crate) fn make() -> Vec<Vector> {
    frames().into_iter().chain(contents()).collect()
}

#[rustfmt::skip] // A table: one row a vector.
fn frames() -> Vec<Vector> {
    let frame = |name: &str, spec: &str, what: &str, header: [u8; 5], expect: &str| {
        Vector::new("wire", name, spec, what, "parse_frame_header")
            .hex("header", header)
            .expect(expect)
    };
    vec![
        frame("frame-hello", "WIR-1", "a HELLO frame of 36 bytes", [1, 0, 0, 0, 36], "ok"),
        frame("frame-empty", "WIR-1", "a frame may be empty", [2, 0, 0, 0, 0], "ok"),
        frame("frame-hello-at-its-cap", "LIM-15", "a HELLO frame of 12288 bytes", [1, 0, 0, 0x30, 0], "ok"),
        frame("frame-hello-over-its-cap", "LIM-15", "a HELLO frame of 12289 bytes is refused from its header", [1, 0, 0, 0x30, 1], "TooLong"),
        frame("frame-request-over-its-cap", "LIM-16", "a REQUEST frame of 24577 bytes", [2, 0, 0, 0x60, 1], "TooLong"),
        frame("frame-envelope-over-its-cap", "LIM-17", "an ENVELOPE frame of 262145 bytes", [3, 0, 4, 0, 1], "TooLong"),
        frame("frame-body-at-its-cap", "LIM-5", "a BODY frame of 1200000 bytes", [4, 0, 0x12, 0x4f, 0x80], "ok"),
        frame("frame-body-over-its-cap", "LIM-5", "a BODY frame of 1200001 bytes", [4, 0, 0x12, 0x4f, 0x81], "TooLong"),
        frame("frame-answer-over-its-cap", "LIM-18", "an ANSWER frame of 163841 bytes", [5, 0, 2, 0x80, 1], "TooLong"),
        frame("frame-confirm-over-its-cap", "LIM-19", "a CONFIRM frame of 8193 bytes", [7, 0, 0, 0x20, 1], "TooLong"),
        frame("frame-of-four-gigabytes", "WIR-3", "the largest length there is", [6, 255, 255, 255, 255], "TooLong"),
        frame("frame-type-zero", "WIR-2", "type 0 does not exist", [0, 0, 0, 0, 0], "UnknownType"),
        frame("frame-hashes-over-its-cap", "LIM-73", "a HASHES frame of 262145 bytes", [8, 0, 4, 0, 1], "TooLong"),
        frame("frame-chunk-at-its-cap", "LIM-74", "a CHUNK frame of 1048596 bytes", [9, 0, 16, 0, 20], "ok"),
        frame("frame-chunk-over-its-cap", "LIM-74", "a CHUNK frame of 1048597 bytes", [9, 0, 16, 0, 21], "TooLong"),
        frame("frame-type-ten", "WIR-2", "type 10 does not exist", [10, 0, 0, 0, 0], "UnknownType"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn contents() -> Vec<Vector> {
    let content = |name: &str, spec: &str, what: &str, bytes: &[u8], expect: &str| {
        Vector::new("wire", name, spec, what, "read_content")
            .hex("content", bytes)
            .expect(expect)
    };
    vec![
        content("message", "WIR-6", "a Content with both fields", b"\x0a\x01t\x12\x02hi", "ok"),
        content("message-empty", "WIR-6", "absent fields are empty", b"", "ok"),
        content("message-last-wins", "WIR-6", "the last of two occurrences counts", b"\x0a\x01a\x12\x01x\x0a\x01b", "ok"),
        content("message-unknown-field", "WIR-6", "a field 15 is passed over", b"\x0a\x01a\x7a\x02zz\x12\x01x", "ok"),
        content("message-unknown-number", "WIR-6", "a field 9 of another wire type is passed over", b"\x0a\x01a\x48\x05\x12\x01x", "ok"),
        content("message-not-utf8", "WIR-7", "a string that is not UTF-8", b"\x0a\x01\xff", "Malformed"),
        content("message-cut-off", "WIR-7", "a field longer than what is left", b"\x0a\x05ab", "Malformed"),
        content("message-half-a-key", "WIR-7", "a field key that ends in its middle", b"\x0a\x01a\x92", "Malformed"),
        content("message-wrong-wire-type", "WIR-7", "a number where text belongs", b"\x08\x01", "Malformed"),
        content("message-field-zero", "WIR-7", "field 0 does not exist", b"\x02\x00", "Malformed"),
        content("message-long-number", "WIR-7", "a number of eleven bytes", b"\x48\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "Malformed"),
    ]
}
