//! The log of what was submitted: one line for each report, only ever added to.
//!
//! `reference words message envelope expires_ms address`, the first four in hexadecimal. The address
//! is JSON on the same line; older programs wrote none, and newer ones may say more in it.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::{File, OpenOptions, TryLockError},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use frex_proto::{
    id::{EnvelopeId, MessageId},
    limits::LIFE_MS_MAX,
};
use serde_json::json;

use super::{
    Kept, Name, Row, SentBefore, SentError,
    store::{damaged, io},
};
use crate::keys::file;

pub(super) const NAME: &str = "submitted.log";
const LOCK: &str = "lock";

type Rows = BTreeMap<Name, Row>;

/// Keeps other programs out until it is dropped.
pub(super) fn lock(folder: &Path) -> Result<File, SentError> {
    let path = folder.join(LOCK);
    let lock = opened(&path)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SentError::Locked),
        Err(TryLockError::Error(source)) => Err(io(&path, source)),
    }
}

/// Opens the log and reads it. Where most of it is of no use any more it is written anew.
pub(super) fn open(folder: &Path, now_ms: u64) -> Result<(File, Rows), SentError> {
    let path = folder.join(NAME);
    let mut log = opened(&path)?;
    let mut text = String::new();
    let read = log.read_to_string(&mut text);
    read.map_err(|source| io(&path, source))?;
    let whole = whole(&text);
    let (mut found, mut count) = (BTreeMap::new(), 0);
    for line in whole.lines() {
        let (name, row, _) = parse(line).ok_or_else(|| no_entry(&path))?;
        count += 1;
        if row.expires_ms.saturating_add(LIFE_MS_MAX) > now_ms {
            found.insert(name, (row, line));
        }
    }
    if found.len() < count / 2 || whole.len() < text.len() {
        let text: String = found.values().flat_map(|(_, line)| [*line, "\n"]).collect();
        file::replace(&path, text.as_bytes())?;
        log = opened(&path)?;
    }
    let rows = found.into_iter().map(|(name, (row, _))| (name, row));
    Ok((log, rows.collect()))
}

/// The log without a line that a crash has cut short: that was never relied on.
pub(super) fn whole(text: &str) -> &str {
    &text[..text.rfind('\n').map_or(0, |end| end + 1)]
}

pub(super) fn no_entry(path: &Path) -> SentError {
    damaged(path.to_owned(), "a line is no entry")
}

/// Adds lines. Durable when this returns.
pub(super) fn append(log: &mut File, folder: &Path, lines: &[u8]) -> Result<(), SentError> {
    let written = log.write_all(lines);
    written
        .and_then(|()| log.sync_data())
        .map_err(|source| io(&folder.join(NAME), source))
}

pub(super) fn opened(path: &Path) -> Result<File, SentError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path).map_err(|source| io(path, source))
}

/// The line of what was submitted, with its end.
pub(super) fn line(kept: &Kept) -> String {
    let address = json!({
        "reference": kept.reference, "to": kept.envelope.members, "kind": kept.kind as i32,
        "lane": kept.lane as i32, "created_ms": kept.created_ms,
    });
    let mut line = hex::encode(kept.named.name);
    // Writing to a string has no failure to report.
    let _ = writeln!(
        line,
        " {} {} {} {} {address}",
        hex::encode(kept.named.words),
        kept.message,
        kept.envelope.id,
        kept.expires_ms
    );
    line
}

/// An entry, and its address where there is one.
pub(super) fn parse(line: &str) -> Option<(Name, Row, Option<&str>)> {
    let mut fields = line.splitn(6, ' ');
    let mut name = || -> Option<Name> { hex::decode(fields.next()?).ok()?.try_into().ok() };
    let (reference, words) = (name()?, name()?);
    let row = Row {
        words,
        sent: SentBefore {
            message: MessageId::from_hex(fields.next()?).ok()?,
            envelope: EnvelopeId::from_hex(fields.next()?).ok()?,
        },
        expires_ms: fields.next()?.parse().ok()?,
        submitted: true,
    };
    Some((reference, row, fields.next()))
}
