//! Every limit of the protocol, in one place.
//!
//! A length, count or queue that a peer can influence is bounded here and checked before memory
//! is taken. Spec: chapter LIM.

use crate::delivery::Allowance;

/// Recipients of one envelope. Spec: LIM-1.
pub const RECIPIENTS_MAX: usize = 64;
/// Envelopes of one request, and payloads under one batch signature. Spec: LIM-2.
pub const BATCH_ENVELOPES_MAX: usize = 64;
/// Characters of a federation, member or node id. Spec: LIM-3.
pub const ID_BYTES_MAX: usize = 64;
/// Content of one envelope, before padding. Larger things travel as attachments. Spec: LIM-4.
pub const CONTENT_BYTES_MAX: usize = 1024 * 1024 + 4096;
/// Sealed body: the padded content with its chunk tags. Spec: LIM-5.
pub const BODY_BYTES_MAX: usize = 1_200_000;
/// Body that travels inside an ENVELOPE frame; a larger one follows in a BODY frame. Spec: LIM-6.
pub const INLINE_BODY_BYTES_MAX: usize = 64 * 1024;
/// Encoded `Signed` object of any type but a roster or a root. Spec: LIM-7.
pub const SIGNED_BYTES_MAX: usize = 64 * 1024;
/// Encoded `Signed` roster. Spec: LIM-8.
pub const ROSTER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Encoded roster bundle with all member documents. Spec: LIM-9.
pub const ROSTER_BUNDLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Members of one roster. Spec: LIM-10.
pub const MEMBERS_MAX: usize = 4096;
/// Keys of one kind in one roster entry. Spec: LIM-11.
pub const KEYS_PER_ENTRY_MAX: usize = 16;
/// Governance keys of one root. Spec: LIM-12.
pub const GOVERNANCE_KEYS_MAX: usize = 64;
/// Signatures on one object: of 64 keys, each with a companion. Spec: LIM-13.
pub const SIGNATURES_MAX: usize = 128;
/// Characters of a content type. Spec: LIM-14.
pub const CONTENT_TYPE_BYTES_MAX: usize = 128;
/// Encoded HELLO frame. Spec: LIM-15.
pub const HELLO_FRAME_BYTES_MAX: usize = 12 * 1024;
/// Encoded REQUEST frame (it may carry one receipt). Spec: LIM-16.
pub const REQUEST_FRAME_BYTES_MAX: usize = 24 * 1024;
/// Encoded ENVELOPE or ITEM frame: signed manifest, 64 wraps and an inline body. Spec: LIM-17.
pub const ENVELOPE_FRAME_BYTES_MAX: usize = 256 * 1024;
/// Encoded ANSWER frame. Spec: LIM-18.
pub const ANSWER_FRAME_BYTES_MAX: usize = 160 * 1024;
/// Encoded CONFIRM frame. Spec: LIM-19.
pub const CONFIRM_FRAME_BYTES_MAX: usize = 8 * 1024;
/// Encoded statement of a receipt. Spec: LIM-20.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024;
/// Hashes of an inclusion or consistency proof. Spec: LIM-21.
pub const PROOF_HASHES_MAX: usize = 63;
/// Text of a signed checkpoint with its signatures. Spec: LIM-22.
pub const CHECKPOINT_BYTES_MAX: usize = 128 * 1024;
/// Signature lines of a signed note. Spec: LIM-23.
pub const NOTE_SIGNATURES_MAX: usize = 128;
/// How far a peer's or an envelope's clock may differ from ours, milliseconds. Spec: LIM-24.
pub const CLOCK_SKEW_MS_MAX: u64 = 10 * 60 * 1000;
/// Longest life of an envelope, milliseconds: 31 days. Spec: LIM-25.
pub const LIFE_MS_MAX: u64 = 31 * 24 * 60 * 60 * 1000;
/// Unconfirmed inbox items that one stream holds. Spec: LIM-26.
pub const INBOX_CREDIT_MAX: u32 = 256;
/// Longest wait that a request may ask for, milliseconds. Spec: LIM-27.
pub const WAIT_MS_MAX: u32 = 10 * 60 * 1000;
/// Characters of a member's display name. Spec: LIM-28.
pub const DISPLAY_NAME_BYTES_MAX: usize = 256;
/// Addresses of one node. Spec: LIM-29.
pub const ADDRESSES_MAX: usize = 16;
/// Characters of one `host:port` address. Spec: LIM-30.
pub const ADDRESS_BYTES_MAX: usize = 262;
/// Features that a Hello or a signed object lists. Spec: LIM-31.
pub const FEATURES_MAX: usize = 64;
/// Bodies of one request together. Spec: LIM-32.
pub const REQUEST_BODY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Roots before the one in force in one roster bundle. Spec: LIM-33.
pub const EARLIER_ROOTS_MAX: usize = 64;
/// Fields that a member's minimum report profile lists. Spec: LIM-34.
pub const REPORT_FIELDS_MAX: usize = 32;
/// Bytes of one of them. Spec: LIM-34.
pub const REPORT_FIELD_BYTES_MAX: usize = 128;
/// Countries that a member is competent for. Spec: LIM-35.
pub const JURISDICTIONS_MAX: usize = 256;
/// Documents of an offered roster that are tried one by one where they do not all fit together.
/// Spec: LIM-36.
pub const MERGE_TRIES_MAX: usize = 64;
/// Bytes of a roster in one BODY frame. Spec: LIM-37.
pub const ROSTER_CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How long after its end a freshness statement still lets a node take new submissions,
/// milliseconds: 7 days. Spec: LIM-38.
pub const FRESHNESS_GRACE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How long after its end a roster still lets nodes finish what was submitted before,
/// milliseconds: 14 days. Spec: LIM-39.
pub const ROSTER_GRACE_MS: u64 = 14 * 24 * 60 * 60 * 1000;
/// Encoded `Signed` root: 64 keys for each purpose, with companions, and their signatures.
/// Spec: LIM-45.
pub const ROOT_BYTES_MAX: usize = 512 * 1024;
/// Characters of an invitation's text. Spec: LIM-50.
pub const INVITATION_BYTES_MAX: usize = 1024;
/// Encoded `Signed` join statement. Spec: LIM-51.
pub const JOIN_STATEMENT_BYTES_MAX: usize = 8 * 1024;
/// Encoded join request: a statement and a card. Spec: LIM-52.
pub const JOIN_REQUEST_BYTES_MAX: usize = SIGNED_BYTES_MAX + 12 * 1024;
/// Encoded join answer: a statement and a roster bundle. Spec: LIM-53.
pub const JOIN_ANSWER_BYTES_MAX: usize = ROSTER_BUNDLE_BYTES_MAX + 12 * 1024;
/// Bytes of the reason for which a peer is refused. Spec: LIM-54.
pub const JOIN_REASON_BYTES_MAX: usize = 512;
/// Wrong secrets after which an invitation ends. Spec: LIM-55.
pub const JOIN_TRIES_MAX: u32 = 10;
/// Longest life of an invitation, milliseconds: 31 days. Spec: LIM-56.
pub const INVITATION_LIFE_MS_MAX: u64 = 31 * 24 * 60 * 60 * 1000;
/// For how long a freshness statement vouches at most, milliseconds: 7 days. Spec: LIM-57.
pub const FRESHNESS_LIFE_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// Items of one destination that a node remembers as refused for a while. Spec: LIM-60.
pub const RESTING_ITEMS_MAX: usize = 4096;
/// Rows of one page of an outbox. Spec: LIM-61.
pub const OUTBOX_ROWS_MAX: usize = 48;
/// Deliveries that a node looks at for one page of an outbox. Spec: LIM-62.
pub const OUTBOX_LOOKED_AT_MAX: usize = 256;
/// Sessions of one peer at once. Spec: LIM-63.
pub const SESSIONS_OF_PEER_MAX: usize = 32;
/// Bytes of requests and of unread answers that a node holds at once, for all its peers together.
/// Spec: LIM-64.
pub const UNDER_WAY_BYTES_MAX: usize = 96 * 1024 * 1024;
/// What each peer may hold beyond that, if nothing else is left. Spec: LIM-64.
pub const PEER_UNDER_WAY_BYTES_MIN: usize = 256 * 1024 + 8 * 1024;
/// Requests that a peer may open on one session at once, and again each minute. Spec: LIM-65.
pub const OPENED_MAX: Allowance = Allowance {
    burst: 40_000,
    per_minute: 1_200_000,
};
/// Requests that a peer may break off on one session at once, and again each minute. Spec: LIM-66.
pub const BROKEN_OFF_MAX: Allowance = Allowance {
    burst: 1_000,
    per_minute: 6_000,
};
/// For how long a peer whose session was closed for a flood gets no other, milliseconds.
/// Spec: LIM-67.
pub const FLOODING_PENALTY_MS: u64 = 60 * 1000;
/// Handshakes from one network that may fail at once, and again each minute. Spec: LIM-68.
pub const FAILED_HANDSHAKES_MAX: Allowance = Allowance::per_minute(60);
/// How long a reader may hold inbox items without a word, milliseconds. Spec: LIM-69.
pub const LEASE_MS_MAX: u64 = 5 * 60 * 1000;
/// Characters of the code that says why a message is withdrawn. Spec: LIM-80.
pub const RECALL_REASON_BYTES_MAX: usize = 64;
/// Attachments of one envelope. Spec: LIM-70.
pub const ATTACHMENTS_MAX: usize = 16;
/// One attachment before it is sealed: 8 GiB. Spec: LIM-71.
pub const ATTACHMENT_BYTES_MAX: u64 = 8 * 1024 * 1024 * 1024;
/// All attachments of one envelope, sealed: 32 GiB and their tags. Spec: LIM-72.
pub const ATTACHMENTS_SEALED_BYTES_MAX: u64 = 32 * (1024 * 1024 * 1024 + 1024 * 16);
/// Plaintext of one chunk of an attachment; the last may have less. Spec: ATT-4.
pub const CHUNK_BYTES: usize = 1024 * 1024;
/// HASHES frame: one for each chunk of the largest attachment. Spec: LIM-73.
pub const HASHES_FRAME_BYTES_MAX: usize = 256 * 1024;
/// CHUNK frame: its number, the sealed chunk. Spec: LIM-74.
pub const CHUNK_FRAME_BYTES_MAX: usize = 4 + CHUNK_BYTES + 16;
/// Characters of an attachment's file name. Spec: LIM-75.
pub const FILE_NAME_BYTES_MAX: usize = 128;
/// Attachments that a node takes or gives at the same time. Spec: LIM-76.
pub const TRANSFERS_MAX: usize = 64;
/// Those of one peer among them: one, and a few whose session was lost unnoticed. Spec: LIM-76.
pub const PEER_TRANSFERS_MAX: usize = 4;
/// What a node takes of one sender that no envelope held there needs yet: twice what one envelope
/// may have. Spec: LIM-77.
pub const STAGED_BYTES_MAX: u64 = 2 * ATTACHMENTS_SEALED_BYTES_MAX;
/// How long a node keeps what no envelope needs and nothing was added to, milliseconds: 7 days.
/// Spec: LIM-78.
pub const STAGED_MS_MAX: u64 = 7 * 24 * 60 * 60 * 1000;
/// How long a recipient's node keeps an attachment after the last of its members has confirmed,
/// and at most after the expiry, milliseconds: 7 days. Spec: LIM-79.
pub const ATTACHMENT_GRACE_MS: u64 = 7 * 24 * 60 * 60 * 1000;
/// How often a sight of one log is stated in another at most, milliseconds. Spec: LIM-84.
pub const SEEN_LOGGED_MS: u64 = 5 * 60 * 1000;
/// Nodes whose cosignatures count. Spec: LIM-81.
pub const WITNESSES_MAX: usize = 32;
/// Checkpoint that a statement names, with the log's signature alone. Spec: LIM-82.
pub const SEEN_CHECKPOINT_BYTES_MAX: usize = 4 * 1024;
/// Request of a log to its witness: old size, proof and checkpoint. Spec: LIM-83.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = 16 * 1024;
/// How long an entry stays published at least after its time, milliseconds: 400 days, for an auditor
/// who comes once a year. Spec: LIM-85.
pub const PUBLISHED_MS_MIN: u64 = 400 * 24 * 60 * 60 * 1000;
/// File of a published log, other than its checkpoint. Spec: LIM-86.
pub const TILE_BYTES_MAX: usize = 64 * 1024;
/// File of evidence: a roster, exhibits with their contents, receipts. Spec: LIM-90.
pub const EVIDENCE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Exhibits in one file of evidence. Spec: LIM-91.
pub const EXHIBITS_MAX: usize = 64;
/// Receipts in one file of evidence. Spec: LIM-92.
pub const EVIDENCE_RECEIPTS_MAX: usize = 1024;
/// Words that no answer has come, in one file of evidence. Spec: LIM-93.
pub const SILENCES_MAX: usize = 64;
/// Word that no answer has come: its head may have the lines of every witness. Spec: LIM-94.
pub const SILENCE_BYTES_MAX: usize = CHECKPOINT_BYTES_MAX + 16 * 1024;
/// Logs that a node has had before the one it has. Spec: LIM-100.
pub const ENDED_LOGS_MAX: usize = 64;
/// Entries of the log that one ERASED statement names. Spec: LIM-95.
pub const ERASED_ENTRIES_MAX: usize = 512;
/// Characters of the code that says why something is erased or held. Spec: LIM-96.
pub const GROUND_BYTES_MAX: usize = 32;
/// Characters of the code that says by which order or rule. Spec: LIM-97.
pub const AUTHORITY_BYTES_MAX: usize = 64;
/// Rows of one page of erasures. Spec: LIM-98.
pub const ERASURE_ROWS_MAX: usize = 48;
/// Holds on one message. Spec: LIM-99.
pub const HOLDS_MAX: usize = 64;
/// Encoded `Signed` table of figures, and every other message about figures. Spec: LIM-140.
pub const STATISTICS_BYTES_MAX: usize = 1024 * 1024;
/// Months of one table of figures. Spec: LIM-141.
pub const STATISTICS_MONTHS_MAX: usize = 24;
/// Values that an axis of a table of figures tells apart; the rest is counted together. Spec: LIM-142.
pub const STATISTICS_VALUES_MAX: usize = 128;
/// Bytes of one of these values. Spec: LIM-145.
pub const STATISTICS_VALUE_BYTES_MAX: usize = 200;
/// Bytes of the time zone of a table of figures. Spec: LIM-146.
pub const STATISTICS_ZONE_BYTES_MAX: usize = 64;
/// Cells of one round of a secure sum. Spec: LIM-143.
pub const SUM_CELLS_MAX: usize = 1024;
/// Fewest members of a round: of two, each could subtract itself. Spec: LIM-144.
pub const SUM_MEMBERS_MIN: usize = 3;

/// Identifiers that one question names. Spec: LIM-135.
pub const DECONFLICT_ITEMS_MAX: usize = 64;
/// One identifier as it is compared, bytes. Spec: LIM-136.
pub const IDENTIFIER_BYTES_MAX: usize = 4 * 1024;
/// Rows of the smallest book of what a member holds. Spec: LIM-137.
pub const BOOK_ROWS_MIN: usize = 256;
/// Rows of the largest book. Spec: LIM-137.
pub const BOOK_ROWS_MAX: usize = 4 * 1024 * 1024;
/// Desks of one book. Spec: LIM-138.
pub const BOOK_DESKS_MAX: usize = 64;
/// Encoded contact of one desk. Spec: LIM-138.
pub const DESK_BYTES_MAX: usize = 494;
/// Life of an epoch of deconfliction, milliseconds: 31 days. Spec: LIM-139.
pub const EPOCH_MS_MAX: u64 = 31 * 24 * 60 * 60 * 1000;

const _: () = {
    // The largest content, padded by at most 12 %, with its salt, length, header and a 16-byte
    // tag per 16 KiB chunk, still fits a body.
    assert!(CONTENT_BYTES_MAX + CONTENT_BYTES_MAX / 8 + 8 * 1024 <= BODY_BYTES_MAX);
    assert!(
        INLINE_BODY_BYTES_MAX + RECIPIENTS_MAX * 1200 + SIGNED_BYTES_MAX
            <= ENVELOPE_FRAME_BYTES_MAX
    );
    // A root of all its keys, each 1,952 bytes of companion and 100 more, and all its signatures.
    assert!(2 * GOVERNANCE_KEYS_MAX * 2052 + SIGNATURES_MAX / 2 * (3340 + 90) <= ROOT_BYTES_MAX);
    assert!(ATTACHMENT_BYTES_MAX / CHUNK_BYTES as u64 * 32 == HASHES_FRAME_BYTES_MAX as u64);
    // A receipt, also one under a head of every witness, and one that is relayed under the log's own lines.
    assert!(
        STATEMENT_BYTES_MAX + PROOF_HASHES_MAX * 34 + CHECKPOINT_BYTES_MAX + 1024
            <= ANSWER_FRAME_BYTES_MAX
    );
    assert!(
        STATEMENT_BYTES_MAX + PROOF_HASHES_MAX * 34 + SEEN_CHECKPOINT_BYTES_MAX + 1024
            <= REQUEST_FRAME_BYTES_MAX
    );
    // Two heads and what else a statement says; two heads in one question; a head and its proof in another.
    assert!(2 * SEEN_CHECKPOINT_BYTES_MAX + 1024 <= STATEMENT_BYTES_MAX);
    assert!(2 * SEEN_CHECKPOINT_BYTES_MAX + 1024 <= REQUEST_FRAME_BYTES_MAX);
    assert!(SEEN_CHECKPOINT_BYTES_MAX + PROOF_HASHES_MAX * 45 + 64 <= ADD_CHECKPOINT_BYTES_MAX);
    assert!(ADD_CHECKPOINT_BYTES_MAX + 1024 <= REQUEST_FRAME_BYTES_MAX);
    // A word of silence about so many, signed by a key with a companion.
    assert!(RECIPIENTS_MAX * (ID_BYTES_MAX + 2) + 3340 + 1024 <= 16 * 1024);
    // The head of a log and every witness, each by two lines under the longest names; and of outside
    // witnesses eight more.
    assert!(1024 + (1 + WITNESSES_MAX) * 3648 <= CHECKPOINT_BYTES_MAX);
    assert!(2 * (1 + WITNESSES_MAX + 8) <= NOTE_SIGNATURES_MAX);
    assert!(2 * SEEN_CHECKPOINT_BYTES_MAX + 2 * 1024 <= HELLO_FRAME_BYTES_MAX);
    // A row: key, node and member of the longest names, two ids, ten numbers.
    assert!(OUTBOX_ROWS_MAX * (3 * (ID_BYTES_MAX + 12) + 60 + 10 * 12) < ANSWER_FRAME_BYTES_MAX);
};
