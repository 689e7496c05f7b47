//! Counters of a node, in the text format that Prometheus reads.
//!
//! Labels are events, codes and node ids of the roster: never anything that a peer chose, so
//! nobody can grow them or write into them. Spec: NOD-9.

use frex_proto::{error::WireCode, v1};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Registry,
};

pub mod serve;

/// What a node counts. Shared by all its parts.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    entries: Family<EventLabel, Counter>,
    refusals: Family<CodeLabel, Counter>,
    sessions: Gauge,
    sessions_opened: Counter,
    deliveries: Family<ResultLabel, Counter>,
    block_entries: Histogram,
    block_seconds: Histogram,
    resting: Family<NodeLabel, Gauge>,
    requests: Family<NodeLabel, Gauge>,
    half_life: Family<LaneLabel, Gauge>,
    unwitnessed: Gauge,
    doubted: Family<NodeLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct EventLabel {
    event: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ResultLabel {
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NodeLabel {
    node: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct LaneLabel {
    node: String,
    lane: &'static str,
}

impl Metrics {
    /// All zero.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("frex"),
            entries: Family::default(),
            refusals: Family::default(),
            sessions: Gauge::default(),
            sessions_opened: Counter::default(),
            deliveries: Family::default(),
            block_entries: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            // From a quiet solid-state disk to a busy spinning one.
            block_seconds: Histogram::new(exponential_buckets(0.000_05, 2.0, 15)),
            resting: Family::default(),
            requests: Family::default(),
            half_life: Family::default(),
            unwitnessed: Gauge::default(),
            doubted: Family::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("log_entries", "Log entries by event", self.entries.clone());
        registry.register(
            "refusals",
            "Requests refused, by code",
            self.refusals.clone(),
        );
        registry.register("sessions", "Sessions open now", self.sessions.clone());
        registry.register(
            "sessions_opened",
            "Sessions opened",
            self.sessions_opened.clone(),
        );
        registry.register(
            "deliveries",
            "Delivery attempts by result",
            self.deliveries.clone(),
        );
        registry.register(
            "block_entries",
            "Entries of one group commit",
            self.block_entries.clone(),
        );
        registry.register(
            "block_seconds",
            "Time of one group commit: write, sync and sign",
            self.block_seconds.clone(),
        );
        registry.register(
            "outbox_resting",
            "Deliveries that were refused for a while, each by itself, by node",
            self.resting.clone(),
        );
        registry.register(
            "outbox_requests",
            "Delivery requests under way, by node",
            self.requests.clone(),
        );
        registry.register(
            "outbox_half_life",
            "Deliveries past half of their life, by node and lane",
            self.half_life.clone(),
        );
        registry.register(
            "log_unwitnessed_seconds",
            "For how long entries of the log have waited for enough witnesses; 0: for none",
            self.unwitnessed.clone(),
        );
        registry.register(
            "log_doubted",
            "1: the log of this node does not prove that it extends what it has shown",
            self.doubted.clone(),
        );
    }

    /// An entry was logged.
    pub fn entry(&self, event: v1::Event) {
        let event = event_name(event);
        self.entries.get_or_create(&EventLabel { event }).inc();
    }

    /// For how long the log has waited for its witnesses.
    pub fn unwitnessed(&self, seconds: u64) {
        self.unwitnessed
            .set(i64::try_from(seconds).unwrap_or(i64::MAX));
    }

    /// Whether something is to be said against the log of `node`, a node of the roster.
    pub fn doubted(&self, node: &str, doubted: bool) {
        let node = node.to_owned();
        let gauge = self.doubted.get_or_create(&NodeLabel { node });
        gauge.set(i64::from(doubted));
    }

    /// Something was refused.
    pub fn refused(&self, code: WireCode) {
        let code = code.info().name;
        self.refusals.get_or_create(&CodeLabel { code }).inc();
    }

    /// A session was opened, or closed.
    pub fn session(&self, opened: bool) {
        if opened {
            self.sessions.inc();
            self.sessions_opened.inc();
        } else {
            self.sessions.dec();
        }
    }

    /// A delivery was answered, or failed and will be tried again.
    pub fn delivery(&self, ok: bool) {
        let result = if ok { "answered" } else { "failed" };
        self.deliveries.get_or_create(&ResultLabel { result }).inc();
    }

    /// A block of the journal became durable.
    #[allow(clippy::cast_precision_loss)] // A measurement: the last of 53 bits does not matter.
    pub fn block(&self, entries: usize, micros: u64) {
        self.block_entries.observe(entries as f64);
        self.block_seconds.observe(micros as f64 / 1e6);
    }

    /// How one destination of the roster is served: deliveries that rest, requests under way.
    pub fn destination(&self, node: &str, resting: usize, requests: usize) {
        for (family, count) in [(&self.resting, resting), (&self.requests, requests)] {
            let node = node.to_owned();
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            family.get_or_create(&NodeLabel { node }).set(count);
        }
    }

    /// So many deliveries to `node`, a node of the roster, are past half of their life.
    pub fn half_life(&self, node: &str, lane: v1::Lane, count: usize) {
        let label = LaneLabel {
            node: node.to_owned(),
            lane: lane_name(lane),
        };
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.half_life.get_or_create(&label).set(count);
    }

    /// Everything as text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        // Writing to a string has no failure to report.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

/// An event in lower case, without the prefix of the schema.
#[must_use]
pub fn event_name(event: v1::Event) -> &'static str {
    match event {
        v1::Event::Unspecified => "unspecified",
        v1::Event::Submitted => "submitted",
        v1::Event::Accepted => "accepted",
        v1::Event::Rejected => "rejected",
        v1::Event::Stage => "stage",
        v1::Event::Forwarded => "forwarded",
        v1::Event::Erased => "erased",
        v1::Event::TrustChange => "trust_change",
        v1::Event::PeerSeen => "peer_seen",
        v1::Event::Operator => "operator",
        v1::Event::ForkEvidence => "fork_evidence",
    }
}

/// A lane in lower case.
#[must_use]
pub fn lane_name(lane: v1::Lane) -> &'static str {
    match lane {
        v1::Lane::Unspecified => "unspecified",
        v1::Lane::Urgent => "urgent",
        v1::Lane::Normal => "normal",
        v1::Lane::Bulk => "bulk",
        v1::Lane::Control => "control",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happened_is_in_the_text() {
        let metrics = Metrics::new();
        metrics.entry(v1::Event::Accepted);
        metrics.entry(v1::Event::Accepted);
        metrics.refused(WireCode::BadEnvelope);
        metrics.session(true);
        metrics.session(false);
        metrics.delivery(true);
        metrics.block(3, 250);
        metrics.destination("node.es", 2, 3);
        metrics.half_life("node.es", v1::Lane::Urgent, 1);
        let text = metrics.text();
        for line in [
            "frex_log_entries_total{event=\"accepted\"} 2",
            "frex_refusals_total{code=\"BAD_ENVELOPE\"} 1",
            "frex_sessions 0",
            "frex_sessions_opened_total 1",
            "frex_deliveries_total{result=\"answered\"} 1",
            "frex_block_entries_count 1",
            "frex_outbox_resting{node=\"node.es\"} 2",
            "frex_outbox_requests{node=\"node.es\"} 3",
            "frex_outbox_half_life{node=\"node.es\",lane=\"urgent\"} 1",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
    }
}
