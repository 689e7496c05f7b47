//! Domain-separation strings and the keyed and unkeyed hashes under them.
//!
//! A label has one use, so that bytes made for one purpose never verify for another.
//! Spec: chapter LBL.

use ring::{digest, hmac};

/// Hash output, 32 bytes.
pub type Hash = [u8; 32];

/// Binds a content to its header. Spec: ENV-11.
pub const CONTENT: &[u8] = b"frex/v1/content\0";
/// Hash of the header bytes. Spec: ENV-12.
pub const CORE: &[u8] = b"frex/v1/core\0";
/// Context of the body keys.
pub const BODY: &[u8] = b"frex/v1/body\0";
/// Id of a sealing key.
pub const HPKE_KEY: &[u8] = b"frex/v1/hpke-key\0";
/// Context of a single wrap.
pub const WRAP: &[u8] = b"frex/v1/wrap\0";
/// Context of a wrap whose HPKE context serves a batch.
pub const WRAP_SHARED: &[u8] = b"frex/v1/wrap-shared\0";
/// Exporter context of the wrap key under a shared HPKE context.
pub const WRAP_KEY: &[u8] = b"frex/v1/wrap-key\0";
/// Context of a wrap inside a forward.
pub const WRAP_FORWARD: &[u8] = b"frex/v1/wrap-forward\0";
/// Hash of a wrap in the manifest.
pub const WRAP_HASH: &[u8] = b"frex/v1/wrap-hash\0";
/// Identity of an envelope.
pub const MANIFEST: &[u8] = b"frex/v1/manifest\0";
/// Identity of a signing key.
pub const SIGNATURE_KEY: &[u8] = b"frex/v1/sig-key\0";
/// Context of every ML-DSA-65 signature. Spec: KEY-31.
pub const SIGNATURE_CONTEXT: &[u8] = b"frex/v1";
/// Commitment of a log leaf.
pub const LEAF: &[u8] = b"frex/v1/leaf\0";
/// State of what a holder knows of the roster.
pub const ROSTER_STATE: &[u8] = b"frex/v1/roster-state\0";
/// Seed of the key that proves an invitation's secret. Spec: JOI-4.
pub const JOIN_SECRET: &[u8] = b"frex/v1/join-secret\0";
/// Key of one counted report. Spec: STA-18.
pub const STATISTICS_RECORD: &[u8] = b"frex/v1/statistics-record\0";
/// Noise of one figure. Spec: STA-18.
pub const STATISTICS_NOISE: &[u8] = b"frex/v1/statistics-noise\0";
/// Id of the key that noise comes from. Spec: STA-17.
pub const STATISTICS_KEY: &[u8] = b"frex/v1/statistics-key\0";
/// Hash of the set of reports that a table counts. Spec: STA-8.
pub const STATISTICS_SET: &[u8] = b"frex/v1/statistics-set\0";
/// Commitment to the figures that a member brings to a sum. Spec: STA-31.
pub const SUM_INPUT: &[u8] = b"frex/v1/sum-input\0";
/// Commitment to one member's share of them. Spec: STA-31.
pub const SUM_SHARE: &[u8] = b"frex/v1/sum-share\0";

/// Ids of the messages that carry out a decision about whom a report goes to. Spec: RTE-29.
pub const ROUTE: &[u8] = b"frex/v1/route\0";
/// Tag of an identifier or hash that a member has sent before. Spec: RTE-6.
pub const TOKEN: &[u8] = b"frex/v1/token\0";

/// Input of the function by which members compare identifiers. Spec: DCF-9.
pub const DECONFLICT_INPUT: &[u8] = b"frex/v1/deconflict-input\0";
/// Row of a book of what a member holds. Spec: DCF-12.
pub const DECONFLICT_ROW: &[u8] = b"frex/v1/deconflict-row\0";
/// Key of a desk's line in such a book. Spec: DCF-13.
pub const DECONFLICT_DESK: &[u8] = b"frex/v1/deconflict-desk\0";

/// Payload type of a manifest.
pub const TYPE_MANIFEST: &str = "application/vnd.frex.manifest.v1+protobuf";
/// Payload type of a batch root.
pub const TYPE_BATCH: &str = "application/vnd.frex.batch.v1";
/// Payload type of a forward.
pub const TYPE_FORWARD: &str = "application/vnd.frex.forward.v1+protobuf";
/// Payload type of a root.
pub const TYPE_ROOT: &str = "application/vnd.frex.root.v1+protobuf";
/// Payload type of a roster.
pub const TYPE_ROSTER: &str = "application/vnd.frex.roster.v1+protobuf";
/// Payload type of a member document.
pub const TYPE_MEMBER_DOC: &str = "application/vnd.frex.memberdoc.v1+protobuf";
/// Payload type of a freshness statement.
pub const TYPE_FRESHNESS: &str = "application/vnd.frex.freshness.v1+protobuf";
/// Payload type of a governance holder's card.
pub const TYPE_HOLDER: &str = "application/vnd.frex.holder.v1+protobuf";
/// Payload type of a member's stage statement.
pub const TYPE_STAGE: &str = "application/vnd.frex.stage.v1+protobuf";
/// Payload type of a member's word that no answer has come. Spec: EVD-9.
pub const TYPE_SILENCE: &str = "application/vnd.frex.silence.v1+protobuf";
/// Payload type of what newcomer and inviter state to each other.
pub const TYPE_JOIN: &str = "application/vnd.frex.join.v1+protobuf";
/// Payload type of a table of figures. Spec: STA-1.
pub const TYPE_STATISTICS: &str = "application/vnd.frex.statistics-table.v1+protobuf";
/// Payload type of a round of a secure sum.
pub const TYPE_SUM_ROUND: &str = "application/vnd.frex.sum-round.v1+protobuf";
/// Payload type of a member's commitments in a round.
pub const TYPE_SUM_COMMITMENTS: &str = "application/vnd.frex.sum-commitments.v1+protobuf";
/// Payload type of what a member adds up in a round.
pub const TYPE_SUM_PARTIAL: &str = "application/vnd.frex.sum-partial.v1+protobuf";

/// Payload type of what a member states of an epoch of deconfliction. Spec: DCF-15.
pub const TYPE_DECONFLICT_EPOCH: &str = "application/vnd.frex.deconflict-epoch.v1+protobuf";

/// SHA-256 over the concatenation of `parts`.
#[must_use]
pub fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    into_hash(context.finish().as_ref())
}

/// SHA-256 of what comes piece by piece: a file that is not held in memory.
pub struct Hasher(digest::Context);

impl Default for Hasher {
    fn default() -> Self {
        Self::new()
    }
}

impl Hasher {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The hash of all of it.
    #[must_use]
    pub fn finish(self) -> Hash {
        into_hash(self.0.finish().as_ref())
    }
}

/// HMAC-SHA256 under `key` over the concatenation of `parts`.
#[must_use]
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> Hash {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    let mut context = hmac::Context::with_key(&key);
    for part in parts {
        context.update(part);
    }
    into_hash(context.sign().as_ref())
}

fn into_hash(bytes: &[u8]) -> Hash {
    bytes.try_into().expect("SHA-256 output is 32 bytes")
}
