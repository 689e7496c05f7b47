//! The log of what was submitted: one line for each report, only ever added to.
//!
//! `reference words message envelope expires_ms`, the first four in hexadecimal.

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

use super::{
    Name, Row, SentBefore, SentError,
    store::{damaged, io},
};
use crate::keys::file;

const NAME: &str = "submitted.log";
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
    // A line that a crash has cut short was never relied on.
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    let (mut rows, mut count) = (Rows::new(), 0);
    for line in text[..whole].lines() {
        let (name, row) = parse(line).ok_or_else(|| damaged(path.clone(), "a line is no entry"))?;
        count += 1;
        if row.expires_ms.saturating_add(LIFE_MS_MAX) > now_ms {
            rows.insert(name, row);
        }
    }
    if rows.len() < count / 2 || whole < text.len() {
        let text: String = rows.iter().map(line).collect();
        file::replace(&path, text.as_bytes())?;
        log = opened(&path)?;
    }
    Ok((log, rows))
}

/// Adds lines. Durable when this returns.
pub(super) fn append(log: &mut File, folder: &Path, rows: &[(Name, Row)]) -> Result<(), SentError> {
    let text: String = rows.iter().map(|(name, row)| line((name, row))).collect();
    let written = log.write_all(text.as_bytes());
    written
        .and_then(|()| log.sync_data())
        .map_err(|source| io(&folder.join(NAME), source))
}

fn opened(path: &Path) -> Result<File, SentError> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    options.open(path).map_err(|source| io(path, source))
}

fn line((name, row): (&Name, &Row)) -> String {
    let mut line = hex::encode(name);
    // Writing to a string has no failure to report.
    let _ = writeln!(
        line,
        " {} {} {} {}",
        hex::encode(row.words),
        row.sent.message,
        row.sent.envelope,
        row.expires_ms
    );
    line
}

fn parse(line: &str) -> Option<(Name, Row)> {
    let mut fields = line.split(' ');
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
    fields.next().is_none().then_some((reference, row))
}
