//! Erases what the settings say is not to be kept any longer.
//!
//! The journal is in the order of time, so it is gone through once for each kind that has a period,
//! after every start, from its beginning to where nothing is old enough; the next round goes on from
//! there. What cannot go yet, because its delivery has not ended or a hold keeps it, is remembered and
//! tried again. Spec: ERA-15.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use frex_proto::{
    envelope, erasure,
    error::WireCode,
    log::Leaf,
    v1::{self, Kind},
};
use prost::Message;

use super::erase;
use crate::{
    config::retention::Retention,
    journal::{JournalReader, Position, RecordKind, Walked},
    ledger::{
        EraseEntry, LedgerError, MessageKey,
        records::{self, Record},
    },
    shared::Shared,
};

/// How often it is looked for what is over.
const PAUSE: Duration = Duration::from_secs(30);
/// When that is tried again which could not go, milliseconds.
const AGAIN_MS: u64 = 60 * 60 * 1000;

/// Erases what is over until the node stops; nothing if the settings name no period.
pub async fn run(shared: Arc<Shared>) {
    let kinds = [
        Kind::Report,
        Kind::Feedback,
        Kind::Request,
        Kind::Response,
        Kind::Notice,
        Kind::Statistics,
        Kind::Ping,
        Kind::Recall,
    ];
    let retention = &shared.config.retention;
    let rounds = kinds.into_iter().filter_map(|kind| {
        let period_ms = retention.of(kind)?;
        Some(Round::new(kind, period_ms))
    });
    let mut rounds: Vec<Round> = rounds.collect();
    while !rounds.is_empty() {
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
        for round in &mut rounds {
            let gone_on = tokio::select! {
                biased;
                () = shared.stopped() => return,
                gone_on = round.go_on(&shared) => gone_on,
            };
            match gone_on {
                Ok(0) => {}
                Ok(count) => tracing::info!(count, "messages were erased: their time was over"),
                // The next round tries again.
                Err(error) => tracing::error!(error = ?error, "what is over is not looked for"),
            }
        }
    }
}

/// How far the journal was gone through for messages of one kind.
struct Round {
    kind: Kind,
    period_ms: u64,
    at: Position,
    /// What could not go yet, by when it may.
    later: BTreeSet<(u64, MessageKey)>,
}

/// A message whose time is over.
struct Over {
    message: MessageKey,
    /// Its delivery ends only then.
    expires_ms: u64,
}

impl Round {
    fn new(kind: Kind, period_ms: u64) -> Self {
        Self {
            kind,
            period_ms,
            at: Position::default(),
            later: BTreeSet::new(),
        }
    }

    /// Erases what is over by now; says how many messages that were.
    async fn go_on(&mut self, shared: &Shared) -> Result<usize, LedgerError> {
        let now_ms = shared.now_ms();
        let mut erased = 0;
        while let Some((due_ms, message)) = self.later.first().copied() {
            if due_ms > now_ms {
                break;
            }
            self.later.pop_first();
            erased += self.erase(shared, message, now_ms).await;
        }
        let until = shared.ledger.end();
        loop {
            let reader = shared.ledger.reader.clone();
            let (at, kind, period_ms) = (self.at, self.kind, self.period_ms);
            let look =
                move || over_in(&reader, (at, until), kind, now_ms.saturating_sub(period_ms));
            let looked = shared.workers.run(look).await;
            let Some((end, over)) = looked.transpose()?.flatten() else {
                return Ok(erased);
            };
            for one in over {
                if one.expires_ms > now_ms {
                    self.later.insert((one.expires_ms, one.message));
                } else {
                    erased += self.erase(shared, one.message, now_ms).await;
                }
            }
            self.at = end;
        }
    }

    async fn erase(&mut self, shared: &Shared, message: MessageKey, now_ms: u64) -> usize {
        let retention: &Retention = &shared.config.retention;
        let entry = EraseEntry {
            message,
            ground: erasure::RETENTION_OVER.to_owned(),
            authority: retention.authority().to_owned(),
            ordered_by: String::new(),
        };
        match erase(&shared.ledger, &shared.attachments, &entry).await {
            Ok(_) => 1,
            Err(WireCode::NotFound) => 0,
            Err(code) => {
                tracing::debug!(%code, "a message whose time is over stays");
                self.later
                    .insert((now_ms.saturating_add(AGAIN_MS), message));
                0
            }
        }
    }
}

/// Messages of `kind` in the block at a place, if all that is in it was recorded before
/// `before_ms`, and where it ends; nothing if something is younger, or there is no such block.
fn over_in(
    reader: &JournalReader,
    (at, until): (Position, Position),
    kind: Kind,
    before_ms: u64,
) -> Result<Option<(Position, Vec<Over>)>, LedgerError> {
    let Some(Walked { records, end }) = reader.block_from(at, until)? else {
        return Ok(None);
    };
    let mut over = Vec::new();
    for (_, number, bytes) in records {
        if !records::has_leaf(number) {
            continue;
        }
        let record = Record::decode(bytes).map_err(|_| LedgerError::Record)?;
        let receipt =
            v1::Receipt::decode(record.receipt.clone()).map_err(|_| LedgerError::Record)?;
        let leaf = Leaf::parse(&receipt.leaf).map_err(|_| LedgerError::Record)?;
        if leaf.time_ms() >= before_ms {
            return Ok(None);
        }
        if let Some(message) = message_of(number, &record, kind)? {
            over.push(Over {
                message,
                expires_ms: record.expires_ms,
            });
        }
    }
    Ok(Some((end, over)))
}

/// The message whose envelope a record holds, if it is of this kind.
fn message_of(
    number: RecordKind,
    record: &Record,
    kind: Kind,
) -> Result<Option<MessageKey>, LedgerError> {
    let holds = matches!(
        number,
        records::SENT | records::ACCEPTED | records::REJECTED
    );
    if !holds || record.erased {
        return Ok(None);
    }
    let envelope = v1::Envelope::decode(record.envelope.clone());
    let envelope = envelope.map_err(|_| LedgerError::Record)?;
    let carried = envelope::parse_carried(&envelope).map_err(|_| LedgerError::Record)?;
    if carried.original().core.kind != kind {
        return Ok(None);
    }
    let message = record.message.as_ref().try_into();
    let message = message.map_err(|_| LedgerError::Record)?;
    Ok(Some(MessageKey(message)))
}
