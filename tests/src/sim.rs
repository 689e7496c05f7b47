//! A deterministic world in one process.
//!
//! Time is tokio's paused clock, which stands still while anything can run and then jumps to the
//! next timer. Every decision is drawn from the seed, in an order that does not depend on the
//! machine, so that a failing seed replays exactly. Two rules bind the code under test: a
//! current-thread runtime without threads or `spawn_blocking`, and `biased` in every
//! `tokio::select!` (the unbiased one draws from the thread's own randomness).
//!
//! [`network`] holds the datagrams, [`disk`] the files, [`world`] the machines.

use std::{collections::VecDeque, fmt, net::SocketAddr, time::Duration};

use rand_core::Rng;
use ring::digest;

pub mod disk;
pub mod network;
pub mod world;

/// Events that a trace keeps readable; the hash covers all of them.
const EVENTS_KEPT_MAX: usize = 4096;

/// How one direction between two machines treats datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Link {
    /// Datagrams lost, per million.
    pub loss_ppm: u32,
    /// Datagrams that arrive twice, per million.
    pub duplicate_ppm: u32,
    /// Datagrams held back by up to ten latencies, so that later ones overtake; per million.
    pub reorder_ppm: u32,
    /// Time on the way. Whole milliseconds count: the paused clock knows nothing finer.
    pub latency: Duration,
    /// Further time on the way, drawn from zero to this for each datagram.
    pub jitter: Duration,
    /// Longer datagrams vanish, as in a path with a smaller MTU than its ends believe.
    pub datagram_bytes_max: usize,
}

impl Link {
    /// Ten milliseconds, nothing lost.
    pub const CALM: Self = Self {
        loss_ppm: 0,
        duplicate_ppm: 0,
        reorder_ppm: 0,
        latency: Duration::from_millis(10),
        jitter: Duration::ZERO,
        datagram_bytes_max: 65_527,
    };

    /// A link as bad as a seed makes it: up to 30 % lost, 50 % twice, 20 % late.
    pub fn draw(rng: &mut impl Rng) -> Self {
        Self {
            loss_ppm: below(rng, 300_001),
            duplicate_ppm: below(rng, 500_001),
            reorder_ppm: below(rng, 200_001),
            latency: Duration::from_millis(1 + u64::from(below(rng, 150))),
            jitter: Duration::from_millis(u64::from(below(rng, 50))),
            ..Self::CALM
        }
    }
}

/// What became of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fate {
    /// On its way; it counts for one arrival.
    Sent = 1,
    /// A second copy, on its way too.
    Duplicated = 2,
    /// Lost by chance.
    Lost = 3,
    /// Its direction is partitioned.
    Cut = 4,
    /// Longer than the path allows.
    TooLong = 5,
    /// Nobody is bound to its address.
    NobodyThere = 6,
}

/// One line of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Virtual time since the world began.
    pub at: Duration,
    /// Who sent.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Datagram length in bytes.
    pub length: usize,
    /// What became of it.
    pub fate: Fate,
    /// When it arrives, if it does.
    pub arrives: Duration,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:>12} us  {} -> {}  {:>5} B  {:?}",
            self.at.as_micros(),
            self.from,
            self.to,
            self.length,
            self.fate
        )
    }
}

/// Everything that was sent, as one running hash and the last few lines.
///
/// Contents are left out: they hold key shares and ciphertext that differ from run to run.
pub struct Trace {
    hash: digest::Context,
    recent: VecDeque<Event>,
    datagrams: u64,
    faults: u64,
}

impl Trace {
    fn new() -> Self {
        Self {
            hash: digest::Context::new(&digest::SHA256),
            recent: VecDeque::new(),
            datagrams: 0,
            faults: 0,
        }
    }

    fn record(&mut self, event: Event) {
        let line = format!(
            "{} {} {} {} {} {}\n",
            event.at.as_nanos(),
            event.from,
            event.to,
            event.length,
            event.fate as u8,
            event.arrives.as_nanos()
        );
        self.hash.update(line.as_bytes());
        self.datagrams += 1;
        self.faults += u64::from(event.fate != Fate::Sent);
        if self.recent.len() == EVENTS_KEPT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(event);
    }

    /// SHA-256 of all events so far, in hexadecimal. Equal for equal seeds.
    #[must_use]
    pub fn hash(&self) -> String {
        hex::encode(self.hash.clone().finish())
    }

    /// Datagrams seen.
    #[must_use]
    pub fn datagrams(&self) -> u64 {
        self.datagrams
    }

    /// Datagrams that did not simply arrive once.
    #[must_use]
    pub fn faults(&self) -> u64 {
        self.faults
    }

    /// The last events, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = &Event> {
        self.recent.iter()
    }
}

/// A number below `bound`; the bias of the remainder does not matter here.
pub(crate) fn below(rng: &mut impl Rng, bound: u32) -> u32 {
    if bound == 0 {
        0
    } else {
        rng.next_u32() % bound
    }
}

/// Whether an event of `ppm` per million happens.
pub(crate) fn happens(rng: &mut impl Rng, ppm: u32) -> bool {
    // A draw is made even for 0 so that a changed rate does not shift all later draws.
    below(rng, 1_000_000) < ppm
}
