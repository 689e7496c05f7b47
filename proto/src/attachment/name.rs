//! File names that can do no harm where they are used. Spec: ATT-7.

use crate::limits::{CONTENT_TYPE_BYTES_MAX, FILE_NAME_BYTES_MAX};

/// Characters that mean something to a file system or shell of some kind.
const SPECIAL: &str = "/\\:*?\"<>|";
const SUBSTITUTE: char = '_';

/// Whether `name` may stand as the name of an attached file: no folder, nothing hidden, nothing
/// that moves a cursor or turns the writing round.
pub(super) fn is_file_name(name: &str) -> bool {
    (1..=FILE_NAME_BYTES_MAX).contains(&name.len())
        && name.chars().all(is_harmless)
        && !name.starts_with(['.', '-', ' '])
        && !name.ends_with(['.', ' '])
}

/// Whether `text` may stand as a media type.
pub(super) fn is_media_type(text: &str) -> bool {
    (1..=CONTENT_TYPE_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The nearest name to `name` that an attachment may have.
#[must_use]
pub fn clean_file_name(name: &str) -> String {
    let harmless = |c: char| if is_harmless(c) { c } else { SUBSTITUTE };
    let mut clean: String = name.chars().map(harmless).collect();
    let end = clean.floor_char_boundary(FILE_NAME_BYTES_MAX);
    clean.truncate(end);
    clean.truncate(clean.trim_end_matches(['.', ' ']).len());
    if clean.is_empty() {
        clean.push(SUBSTITUTE);
    }
    if clean.starts_with(['.', '-', ' ']) {
        clean.replace_range(..1, "_");
    }
    clean
}

fn is_harmless(c: char) -> bool {
    let unseen = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
    !c.is_control() && !unseen && !SPECIAL.contains(c)
}
