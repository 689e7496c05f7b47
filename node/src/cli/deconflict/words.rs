//! Identifiers as people write them: one on each line, `#` begins a remark.

use std::{
    io::{self, Read},
    path::Path,
};

use frex_client::casework::deconflict::Identifier;
use frex_proto::error::WireCode;

use crate::cli::{
    failure::{Failure, OrCode},
    files,
};

/// Longest file of identifiers: some millions.
const FILE_BYTES_MAX: usize = 1024 * 1024 * 1024;
/// Lines that are named when they are wrong.
const NAMED_MAX: usize = 20;

/// Reads a file of identifiers.
///
/// # Errors
/// It cannot be read, or lines of it are none: each is named by its number, and none is taken.
pub fn read(path: &Path) -> Result<Vec<Identifier>, Failure> {
    let bytes = if path == Path::new("-") {
        let mut bytes = Vec::new();
        let mut input = io::stdin().lock().take(FILE_BYTES_MAX as u64 + 1);
        input
            .read_to_end(&mut bytes)
            .or_code(WireCode::Files, "cannot read standard input")?;
        // A line that was cut may be an identifier all the same, and of somebody else.
        if bytes.len() > FILE_BYTES_MAX {
            let what = format!("standard input is larger than {FILE_BYTES_MAX} bytes");
            return Err(Failure::new(WireCode::TooLarge, what));
        }
        bytes
    } else {
        files::read(path, FILE_BYTES_MAX)?
    };
    let text = String::from_utf8(bytes).or_code(
        WireCode::BadInput,
        format_args!("{} is no text", path.display()),
    )?;
    let lines = (1..).zip(text.lines());
    let lines = lines.map(|(number, line)| (number, line.trim()));
    parse(lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')))
}

/// Reads identifiers that are numbered.
///
/// # Errors
/// One is none.
pub fn parse<'a>(
    lines: impl Iterator<Item = (usize, &'a str)>,
) -> Result<Vec<Identifier>, Failure> {
    let (mut found, mut wrong) = (Vec::new(), Vec::new());
    for (number, line) in lines {
        match Identifier::parse(line) {
            Ok(identifier) => found.push(identifier),
            Err(error) => wrong.push((number, error)),
        }
    }
    let Some((_, first)) = wrong.first() else {
        return Ok(found);
    };
    let mut failure = Failure::new(WireCode::from(*first), "these are no identifiers");
    for (number, error) in wrong.iter().take(NAMED_MAX) {
        failure = failure.cause(format!("{number}: {error}"));
    }
    if wrong.len() > NAMED_MAX {
        failure = failure.cause(format!("and {} more", wrong.len() - NAMED_MAX));
    }
    Err(failure.advise(
        "Write each as in: email a@b.example, phone +999 12345678, account SERVICE ID, username SERVICE NAME, ip ADDRESS PORT TIME, url URL, onion ADDRESS, hash ALGORITHM VALUE",
    ))
}
