//! Messages of a store, for whoever looks one up while another program sends from the folder.

use std::{collections::BTreeMap, fs, io::ErrorKind, path::Path};

use frex_proto::v1;
use serde::Deserialize;

use super::{
    Address, Kept, Remembered, SentBefore, SentError, SentStore, log, sealed,
    store::{damaged, io},
};

/// An address as the log has it.
#[derive(Deserialize)]
struct Written {
    reference: String,
    to: Vec<String>,
    kind: i32,
    lane: i32,
    created_ms: u64,
}

impl SentStore {
    /// The messages in `folder` whose message or envelope id, in hexadecimal, begins with `id`.
    /// Keeps no other program out. Spec: MBR-17.
    ///
    /// # Errors
    /// [`SentError::Damaged`], [`SentError::Envelope`], [`SentError::Io`].
    pub fn recollect(folder: &Path, id: &str) -> Result<Vec<Remembered>, SentError> {
        if !folder.exists() {
            return Ok(Vec::new());
        }
        let mut found = BTreeMap::new();
        // What moves to the log meanwhile is found there.
        for path in sealed::list(folder)? {
            let batch = match sealed::read(path) {
                Err(SentError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                    continue;
                }
                read => read?,
            };
            let items = batch.items.into_iter().map(pending);
            let fitting = items.filter(|one| fits(&one.sent, id));
            found.extend(fitting.map(|one| (one.sent.message, one)));
        }
        let submitted = submitted(folder, id)?.into_iter();
        found.extend(submitted.map(|one| (one.sent.message, one)));
        Ok(found.into_values().collect())
    }
}

fn submitted(folder: &Path, id: &str) -> Result<Vec<Remembered>, SentError> {
    let path = folder.join(log::NAME);
    let text = match fs::read_to_string(&path) {
        Err(source) if source.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|source| io(&path, source))?,
    };
    let mut found = Vec::new();
    for line in log::whole(&text).lines() {
        let (_, row, written) = log::parse(line).ok_or_else(|| log::no_entry(&path))?;
        if !fits(&row.sent, id) {
            continue;
        }
        let written: Option<Written> = written
            .map(serde_json::from_str)
            .transpose()
            .map_err(|_| damaged(path.clone(), "an address does not read"))?;
        found.push(Remembered {
            sent: row.sent,
            expires_ms: row.expires_ms,
            submitted: true,
            address: written.map(address),
        });
    }
    Ok(found)
}

fn fits(sent: &SentBefore, id: &str) -> bool {
    sent.message.to_string().starts_with(id) || sent.envelope.to_string().starts_with(id)
}

fn address(written: Written) -> Address {
    Address {
        reference: written.reference,
        to: written.to,
        kind: v1::Kind::try_from(written.kind).unwrap_or_default(),
        lane: v1::Lane::try_from(written.lane).unwrap_or_default(),
        created_ms: written.created_ms,
    }
}

fn pending(kept: Kept) -> Remembered {
    Remembered {
        sent: SentBefore {
            message: kept.message,
            envelope: kept.envelope.id,
        },
        expires_ms: kept.expires_ms,
        submitted: false,
        address: Some(Address {
            reference: kept.reference,
            to: kept.envelope.members,
            kind: kept.kind,
            lane: kept.lane,
            created_ms: kept.created_ms,
        }),
    }
}
