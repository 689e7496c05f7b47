//! Until when attachments are kept. An envelope that is recorded needs its attachments: at the
//! sender's node until every delivery of it is settled, at a recipient's until every member there
//! has confirmed it and the grace is over. When that comes to pass it is recorded, and so is the
//! removal, so that the index follows from the journal here too. Spec: ATT-20, ATT-21.

use std::{collections::BTreeMap, io, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{error::WireCode, label::Hash, limits};

use super::{Attachments, map};
use crate::{
    index::Table,
    ledger::{
        AttachmentEntry, Entry, LedgerError, Outcome,
        query::Ledger,
        records::{self, AttachmentRow, Need},
    },
    shared::Shared,
};

/// How often the list is gone through.
const SWEEP_PAUSE: Duration = Duration::from_secs(10 * 60);
/// Rows looked at in one step.
const PAGE_ROWS: usize = 256;

/// Removes what nothing needs any more, until the node stops.
pub async fn run(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep(SWEEP_PAUSE) => {}
        }
        if let Err(error) = sweep(&shared).await {
            // The next round tries again.
            tracing::error!(error = ?error, "attachments are not gone through");
        }
    }
}

/// Goes through all that is needed, and then through all that is there.
async fn sweep(shared: &Shared) -> Result<(), LedgerError> {
    let now_ms = shared.now_ms();
    let mut after: Option<Bytes> = None;
    let mut over: BTreeMap<Hash, Vec<AttachmentRow>> = BTreeMap::new();
    loop {
        let index = &shared.ledger.index;
        let rows = index.scan(Table::Attachment, &[], after.as_deref(), PAGE_ROWS)?;
        let Some((last, _)) = rows.last() else { break };
        after = Some(last.clone());
        for (key, value) in rows {
            let row = AttachmentRow::parse(&key, &value).ok_or(LedgerError::Record)?;
            match row.until_ms {
                None => note_settled(shared, row, now_ms).await?,
                Some(until_ms) if until_ms <= now_ms => over.entry(row.root).or_default().push(row),
                Some(_) => {}
            }
        }
    }
    for (root, rows) in over {
        remove_over(
            &shared.ledger,
            &shared.attachments,
            root,
            rows,
            Some(now_ms),
        )
        .await?;
    }
    shared.attachments.remove_stale(now_ms).await
}

/// Records from when on a row needs its attachment no more, once that can be said.
async fn note_settled(shared: &Shared, row: AttachmentRow, now_ms: u64) -> Result<(), LedgerError> {
    let record = shared.ledger.read(row.position)?.record;
    let (table, owners) = match row.need {
        Need::Deliver => (Table::Outbox, &record.nodes),
        Need::Fetch => (Table::Inbox, &record.members),
    };
    let mut waiting = false;
    for owner in owners {
        let key = records::queue_key(owner, record.lane, row.position);
        let index = &shared.ledger.index;
        waiting |= index.get(table, &key)?.is_some();
        // A dead letter may be queued again until it expires.
        let may_return = row.need == Need::Deliver && record.expires_ms > now_ms;
        waiting |= may_return && index.get(Table::Dead, &key)?.is_some();
    }
    let last_ms = record
        .expires_ms
        .saturating_add(limits::ATTACHMENT_GRACE_MS);
    let until_ms = match (row.need, waiting) {
        (Need::Deliver, true) => return Ok(()),
        (Need::Deliver, false) => now_ms,
        (Need::Fetch, true) if last_ms > now_ms => return Ok(()),
        (Need::Fetch, _) => last_ms.min(now_ms.saturating_add(limits::ATTACHMENT_GRACE_MS)),
    };
    note(&shared.ledger, &row, Some(until_ms)).await
}

/// Removes an attachment that no row needs any more, then the rows. The other way round a crash
/// would leave a file of which nobody knows that it was needed once.
async fn remove_over(
    ledger: &Ledger,
    attachments: &Attachments,
    root: Hash,
    rows: Vec<AttachmentRow>,
    now_ms: Option<u64>,
) -> Result<(), LedgerError> {
    let needed = ledger
        .index
        .scan(Table::Attachment, &root, None, rows.len() + 1)?;
    if needed.len() == rows.len() && !attachments.remove(root, now_ms).await? {
        return Ok(());
    }
    for row in rows {
        note(ledger, &row, None).await?;
    }
    Ok(())
}

/// Removes at once what only erased records had needed. Spec: ERA-11.
///
/// # Errors
/// Index, journal or disk.
pub async fn remove_erased(
    ledger: &Ledger,
    attachments: &Attachments,
    rows: Vec<AttachmentRow>,
) -> Result<(), LedgerError> {
    let mut over: BTreeMap<Hash, Vec<AttachmentRow>> = BTreeMap::new();
    for row in rows {
        let there = ledger.index.get(Table::Attachment, &row.key())?;
        if there.is_some() {
            over.entry(row.root).or_default().push(row);
        }
    }
    for (root, rows) in over {
        remove_over(ledger, attachments, root, rows, None).await?;
    }
    Ok(())
}

async fn note(
    ledger: &Ledger,
    row: &AttachmentRow,
    until_ms: Option<u64>,
) -> Result<(), LedgerError> {
    let entry = AttachmentEntry {
        message: ledger.read(row.position)?.record.message,
        row: row.key(),
        until_ms,
    };
    if let Outcome::Failed(code) = ledger.record(Entry::Attachment(entry)).await {
        tracing::warn!(%code, "what is known of an attachment is not recorded");
    }
    Ok(())
}

impl Attachments {
    /// Whether some record needs it.
    pub(super) fn is_needed(&self, root: &Hash) -> Result<bool, WireCode> {
        let rows = self.0.index.scan(Table::Attachment, root, None, 1);
        rows.map(|rows| !rows.is_empty()).map_err(WireCode::from)
    }

    /// Removes one that is whole, unless an envelope was judged by it just now. False if it is
    /// still needed so; one that is being brought anew waits for an envelope of its own. Without a
    /// time it goes whatever it is.
    async fn remove(&self, root: Hash, now_ms: Option<u64>) -> Result<bool, LedgerError> {
        {
            let mut known = self.known();
            match (known.get(&root), now_ms) {
                (Some(entry), Some(now_ms)) if Self::was_judged(entry, now_ms) => {
                    return Ok(false);
                }
                (Some(entry), Some(_)) if !entry.whole => return Ok(true),
                _ => known.remove(&root),
            };
        }
        self.remove_files(vec![root]).await.map(|()| true)
    }

    /// Removes what no envelope needed and nobody added to for too long. Spec: LIM-78.
    pub(super) async fn remove_stale(&self, now_ms: u64) -> Result<(), LedgerError> {
        let mut stale = Vec::new();
        {
            let mut known = self.known();
            for (root, entry) in known.iter() {
                let old = now_ms.saturating_sub(entry.touched_ms) >= limits::STAGED_MS_MAX;
                if old
                    && self
                        .0
                        .index
                        .scan(Table::Attachment, root, None, 1)?
                        .is_empty()
                {
                    stale.push(*root);
                }
            }
            stale.iter().for_each(|root| drop(known.remove(root)));
        }
        self.remove_files(stale).await
    }

    /// The chunks first: a map alone is swept up at the next start.
    async fn remove_files(&self, roots: Vec<Hash>) -> Result<(), LedgerError> {
        if roots.is_empty() {
            return Ok(());
        }
        let store = self.clone();
        let removed = self.0.workers.run(move || {
            let parts = &store.0;
            for root in &roots {
                for extension in [map::SEALED, map::PART, map::MAP] {
                    match parts
                        .disk
                        .remove(&map::path(&parts.folder, root, extension))
                    {
                        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                        _ => {}
                    }
                }
            }
            parts.disk.sync_dir(&parts.folder)
        });
        Ok(removed.await.unwrap_or(Ok(()))?)
    }
}
