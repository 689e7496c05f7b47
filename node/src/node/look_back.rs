//! Before anything is signed: whether others have seen more of the log than is here, whether that is
//! certain enough of a directory that was restored, and a log that begins anew.
//! Spec: WIT-9, BAK-11 to BAK-13, BAK-20.

use std::sync::Arc;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    log::{ANY_TIME_MS, Checkpoint, LogVerifier, checkpoint},
};
use tokio::sync::watch;

use super::{NodeParts, StartError, status};
use crate::{
    anew::{self, Next},
    backup,
    journal::JournalError,
    ledger::{BeginEntry, Entry, LedgerError, Outcome, publish::Publisher},
    shared::Shared,
    witness::seen,
};

/// The copy of a node's data that it starts with.
pub(super) struct Copied {
    /// The log that the journal goes on with.
    pub(super) origin: String,
    /// Whether the operator answers for it that nothing was lost.
    pub(super) vouched: bool,
}

impl Copied {
    /// The log that the journal goes on with must be the one in force, or one before it where the
    /// operator wants that to begin.
    pub(super) fn judge(
        parts: &NodeParts,
        in_force: &LogVerifier,
        origin: &str,
    ) -> Result<Self, StartError> {
        let copy = Self {
            origin: origin.to_owned(),
            vouched: parts.nothing_was_lost,
        };
        if origin == in_force.origin {
            return Ok(copy);
        }
        let next = Next::read(parts.disk.as_ref(), &parts.data).map_err(LedgerError::from)?;
        let logs = parts.roster.current().log_verifiers(&parts.config.node);
        let follows = logs.iter().any(|log| log.origin == origin);
        let listed = u32::try_from(logs.len()).ok();
        if follows && next.is_some_and(|next| Some(next.epoch) == listed) {
            return Ok(copy);
        }
        Err(StartError::OtherLog {
            here: copy.origin,
            listed: in_force.origin.clone(),
        })
    }
}

/// Lets the node go on, or stops it and says why it must not.
pub(super) async fn look_back(
    shared: &Arc<Shared>,
    copy: &Copied,
    stop: &watch::Sender<bool>,
) -> Result<(), StartError> {
    let looked = look(shared, copy).await;
    match &looked {
        Ok(()) => shared.looked_back.send_replace(true),
        Err(_) => stop.send_replace(true),
    };
    looked
}

async fn look(shared: &Arc<Shared>, copy: &Copied) -> Result<(), StartError> {
    let (disk, data) = (shared.disk.as_ref(), &shared.data);
    let roster = shared.roster();
    let log = roster.log_verifier(&shared.id);
    let log = log.ok_or(StartError::NotListed)?;
    let begins = copy.origin != log.origin;
    let restored = backup::is_restored(disk, data).map_err(LedgerError::from)?;
    // Also after a start that some did not answer: they may have seen more than what was restored.
    let base = anew::base(disk, data).map_err(LedgerError::from)?.is_some();
    let seen = seen::ask(shared, restored || base).await?;
    let before = match begins {
        true => None,
        false => shown_before(shared, &log)?,
    };
    let elsewhere = [seen.elsewhere, before].into_iter().flatten();
    if let Some((theirs, note)) = elsewhere.max_by_key(|(theirs, _)| theirs.size) {
        if !begins {
            anew::keep_seen(disk, data, &note).map_err(LedgerError::from)?;
        }
        return Err(StartError::RolledBack {
            seen: theirs.size,
            here: status::log_size(shared),
        });
    }
    let vouched = copy.vouched || backup::is_vouched(disk, data).map_err(LedgerError::from)?;
    if restored && !vouched {
        let (answered, needed) = (seen.answered, seen::enough(&roster, &shared.id));
        // Where nobody witnesses, the governance's word that the log before has ended is all there is.
        if needed.map_or(!begins, |needed| answered < needed) {
            return Err(StartError::Unconfirmed { answered, needed });
        }
    }
    if begins {
        begin(shared, &log).await?;
    }
    if begins {
        anew::forget_base(disk, data).map_err(LedgerError::from)?;
    } else if base && seen.silent == 0 {
        anew::asked(disk, data).map_err(LedgerError::from)?;
    }
    if restored {
        backup::settle(disk, data).map_err(LedgerError::from)?;
    }
    anew::forget(disk, data).map_err(LedgerError::from)?;
    Ok(())
}

/// What was shown before a start that was refused, or to a node that stopped, if it is still not here: that nobody
/// can be asked now does not undo it. Spec: BAK-14.
fn shown_before(
    shared: &Shared,
    log: &LogVerifier,
) -> Result<Option<(Checkpoint, Bytes)>, LedgerError> {
    let Some(note) = anew::seen(shared.disk.as_ref(), &shared.data)? else {
        return Ok(None);
    };
    let Ok(theirs) = checkpoint::parse_and_verify(&note, log, ANY_TIME_MS) else {
        return Ok(None);
    };
    let here = seen::is_here(shared, &theirs)?;
    Ok((!here).then_some((theirs, note)))
}

/// Ends the log before, and begins the one that the roster lists.
async fn begin(shared: &Arc<Shared>, log: &LogVerifier) -> Result<(), StartError> {
    let next = Next::read(shared.disk.as_ref(), &shared.data).map_err(LedgerError::from)?;
    let seen = next.map_or_else(Bytes::new, |next| next.seen.into());
    shared.ledger.publish()?;
    let entry = BeginEntry {
        origin: log.origin.clone(),
        seen,
    };
    match shared.ledger.record(Entry::Begin(entry)).await {
        Outcome::Receipt(receipt) => {
            let logs = shared.data.join("log");
            Publisher::begin(shared.disk.as_ref(), &logs, &log.origin, &receipt)?;
            tracing::warn!(log = %log.origin, "the log begins anew");
            Ok(())
        }
        Outcome::Failed(WireCode::DiskFull) => Err(LedgerError::from(JournalError::Full).into()),
        _ => Err(LedgerError::Inconsistent.into()),
    }
}
