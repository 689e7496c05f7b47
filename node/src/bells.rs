//! Wakes those who wait for something to be recorded: delivery workers, inbox streams, submitters.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use frex_proto::error::WireCode;
use tokio::sync::{mpsc, watch};

use crate::{
    journal::RecordKind,
    ledger::{
        MessageKey,
        records::{self, Record},
    },
};

/// What a submitter hears after SUBMITTED.
#[derive(Debug, Clone)]
pub enum Notice {
    /// A receipt of a node, encoded.
    Receipt {
        /// Who issued it.
        node: String,
        /// The receipt.
        receipt: Bytes,
    },
    /// Delivery to a node was given up.
    Undeliverable {
        /// Which.
        node: String,
        /// Why.
        code: WireCode,
    },
}

impl Notice {
    /// What a submitter hears of this record, made at the node `own`.
    #[must_use]
    pub fn of(kind: RecordKind, record: &Record, own: &str) -> Option<Self> {
        if record.erased {
            return None;
        }
        let node = record.nodes.first().cloned().unwrap_or_default();
        let receipt = record.receipt.clone();
        match kind {
            records::PEER_RECEIPT => Some(Self::Receipt { node, receipt }),
            records::ACCEPTED | records::STAGE => Some(Self::Receipt {
                node: own.to_owned(),
                receipt,
            }),
            // A dead letter that goes was told of when it died.
            records::DROPPED if record.code == 0 => None,
            records::UNDELIVERABLE | records::DROPPED => Some(Self::Undeliverable {
                node,
                code: WireCode::from_number(record.code),
            }),
            _ => None,
        }
    }
}

/// Where a submitter hears of its messages. As many notices come as a message has nodes and
/// stages, so the channel needs no bound of its own.
pub type Ear = mpsc::UnboundedSender<(MessageKey, Notice)>;

/// One bell per queue, and the submitters who listen for their message.
pub struct Bells {
    node: String,
    outbox: Queues,
    inbox: Queues,
    peers: Queues,
    log: watch::Sender<()>,
    listeners: Mutex<BTreeMap<MessageKey, Vec<(u64, Ear)>>>,
    next: AtomicU64,
}

/// The bells of queues that somebody waits for. The roster names the owners, so there are no
/// more of them than it has had entries.
#[derive(Default)]
struct Queues(Mutex<BTreeMap<String, watch::Sender<()>>>);

/// A submitter's ear; taken off the list when dropped.
pub struct Listener<'a> {
    bells: &'a Bells,
    message: MessageKey,
    number: u64,
}

impl Bells {
    /// The bells of `node`.
    #[must_use]
    pub fn new(node: &str) -> Self {
        Self {
            node: node.to_owned(),
            outbox: Queues::default(),
            inbox: Queues::default(),
            peers: Queues::default(),
            log: watch::Sender::default(),
            listeners: Mutex::default(),
            next: AtomicU64::new(0),
        }
    }

    /// Rings when something new waits for `node`.
    #[must_use]
    pub fn outbox(&self, node: &str) -> watch::Receiver<()> {
        self.outbox.subscribe(node)
    }

    /// Rings when something new waits for `member`.
    #[must_use]
    pub fn inbox(&self, member: &str) -> watch::Receiver<()> {
        self.inbox.subscribe(member)
    }

    /// Rings when the log has grown by more than sights of other logs: those do not need to be
    /// witnessed, or two idle nodes would keep each other busy. Spec: WIT-7.
    #[must_use]
    pub fn log(&self) -> watch::Receiver<()> {
        self.log.subscribe()
    }

    /// Rings when `node` opens a session: it is there. Spec: DEL-48.
    #[must_use]
    pub fn peer(&self, node: &str) -> watch::Receiver<()> {
        self.peers.subscribe(node)
    }

    /// A node has opened a session.
    pub fn ring_peer(&self, node: &str) {
        self.peers.ring(node);
    }

    /// Rings an outbox again: something that waited before is to be looked at now.
    pub fn ring_outbox(&self, node: &str) {
        self.outbox.ring(node);
    }

    /// Rings an inbox again: a lease was given back.
    pub fn ring_inbox(&self, member: &str) {
        self.inbox.ring(member);
    }

    /// Sends what becomes of `message` to `ear` from now on.
    pub fn listen(&self, message: MessageKey, ear: Ear) -> Listener<'_> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let mut listeners = self.listeners.lock().expect("no holder of the list panics");
        listeners.entry(message).or_default().push((number, ear));
        Listener {
            bells: self,
            message,
            number,
        }
    }

    fn tell(&self, message: MessageKey, notice: &Notice) {
        let listeners = self.listeners.lock().expect("no holder of the list panics");
        for (_, ear) in listeners.get(&message).into_iter().flatten() {
            // Whoever went away is taken off the list by its own guard.
            let _ = ear.send((message, notice.clone()));
        }
    }
}

impl Queues {
    fn subscribe(&self, owner: &str) -> watch::Receiver<()> {
        let mut bells = self.0.lock().expect("no holder of the bells panics");
        bells.entry(owner.to_owned()).or_default().subscribe()
    }

    fn ring(&self, owner: &str) {
        let bells = self.0.lock().expect("no holder of the bells panics");
        if let Some(bell) = bells.get(owner) {
            bell.send_replace(());
        }
    }
}

impl Drop for Listener<'_> {
    fn drop(&mut self) {
        let mut listeners = self
            .bells
            .listeners
            .lock()
            .expect("no holder of the list panics");
        if let Some(ears) = listeners.get_mut(&self.message) {
            ears.retain(|(number, _)| *number != self.number);
            if ears.is_empty() {
                listeners.remove(&self.message);
            }
        }
    }
}

impl Bells {
    /// Rings for a record that is durable and in the index.
    pub fn committed(&self, kind: RecordKind, record: &Record) {
        let Ok(message) = record.message.as_ref().try_into().map(MessageKey) else {
            return;
        };
        if records::has_leaf(kind) && kind != records::SEEN_LOGGED {
            self.log.send_replace(());
        }
        if kind == records::SENT || kind == records::STAGE {
            for node in &record.nodes {
                self.outbox.ring(node);
            }
        }
        if kind == records::ACCEPTED {
            for member in &record.members {
                self.ring_inbox(member);
            }
        }
        if let Some(notice) = Notice::of(kind, record, &self.node) {
            self.tell(message, &notice);
        }
    }
}
