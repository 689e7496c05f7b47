//! Wire codes: the one table in which a refusal becomes a number, a sentence and an exit code.
//!
//! Each operation has its own error enum beside it; all of them map into [`WireCode`] by `From`
//! in the module that owns them. Texts are log-safe: no case data, key or peer-supplied string.
//! Spec: chapter ERR.

/// Whether trying the same thing again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same bytes will be refused again.
    Never,
    /// Later, by itself.
    Later,
    /// After the roster has changed.
    AfterRosterUpdate,
}

/// Who must act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The one who sent the bytes.
    Peer,
    /// The program or person who made the call.
    Caller,
    /// Disk, clock, network, memory.
    Environment,
}

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeInfo {
    /// Stable upper-case name.
    pub name: &'static str,
    /// What happened, as one log-safe sentence.
    pub text: &'static str,
    /// What to do, as one sentence.
    pub advice: &'static str,
    /// Exit code of the command line.
    pub exit: u8,
    /// Who must act.
    pub blame: Blame,
    /// Whether to try again.
    pub retry: Retry,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $number:literal, $name:literal, $exit:literal, $blame:ident, $retry:ident, $text:literal, $advice:literal;)*) => {
        /// A refusal as it travels: in `Refusal.code`, `Statement.code` and QUIC close codes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        #[repr(u16)]
        pub enum WireCode { $($(#[$doc])* $variant = $number,)* }

        impl WireCode {
            /// Every code, in ascending order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The row of this code.
            #[must_use]
            pub const fn info(self) -> CodeInfo {
                match self {
                    $(Self::$variant => CodeInfo { name: $name, text: $text, advice: $advice, exit: $exit, blame: Blame::$blame, retry: Retry::$retry },)*
                }
            }

            /// The code of a number from the wire; an unknown one is [`WireCode::Unknown`].
            #[must_use]
            pub const fn from_number(number: u32) -> Self {
                match number { $($number => Self::$variant,)* _ => Self::Unknown }
            }
        }
    };
}

codes! {
    /// A code of a later version.
    Unknown = 1, "UNKNOWN", 1, Peer, Never, "the peer answered with a code this version does not know", "Update this program, then look the number up with: frex errors";
    /// Bytes that are not what the protocol says.
    Malformed = 1001, "MALFORMED", 1, Peer, Never, "the bytes are not a well-formed message", "Ask the sender which program made it; the same bytes will be refused again";
    /// Over a limit.
    TooLarge = 1002, "TOO_LARGE", 22, Caller, Never, "a size or count is over the protocol's limit", "Split the report or send the large part as an attachment; see spec chapter LIM";
    /// No common version or an unknown critical feature.
    Unsupported = 1003, "UNSUPPORTED", 22, Peer, Never, "a version or critical feature is not supported here", "Update the older of the two programs";
    /// A signature, hash or proof does not hold.
    BadSignature = 2001, "BAD_SIGNATURE", 20, Peer, Never, "a signature does not match", "The file was changed or is for something else: ask for it again";
    /// The envelope's parts do not belong together.
    BadEnvelope = 2002, "BAD_ENVELOPE", 20, Peer, Never, "the envelope's parts do not match its signed manifest", "The envelope was changed on its way: ask the sender to send it again";
    /// Opening failed; one code for every reason.
    CannotOpen = 2003, "CANNOT_OPEN", 20, Peer, Never, "the envelope cannot be opened with the keys held here", "Check that it was sealed to your current key: frex status DIR";
    /// A receipt does not verify.
    BadReceipt = 2004, "BAD_RECEIPT", 20, Peer, Never, "the receipt does not verify", "Keep the file as evidence and ask the node for the receipt again";
    /// A log proof does not verify.
    BadProof = 2005, "BAD_PROOF", 20, Peer, Never, "a log proof does not verify", "Keep both checkpoints: they may be evidence against the log";
    /// A key with a companion has signed by one of the two alone.
    HalfSigned = 2006, "HALF_SIGNED", 20, Peer, Never, "of a key that must sign by Ed25519 and ML-DSA-65 one signature is missing", "Sign with the whole key, as the roster lists it; see what is here with: frex key ls DIR";
    /// Two histories of one log.
    Forked = 2007, "FORKED", 20, Peer, Never, "a log has signed two checkpoints that contradict each other", "Keep the evidence and tell the governance: frex log evidence DIR";
    /// A log took back what it had signed.
    LogRewritten = 2010, "LOG_REWRITTEN", 20, Peer, Never, "a log has signed a head that does not begin with what it signed before", "Show both checkpoints to the governance and to other members: the log cannot prove the one from the other";
    /// A log shows less than it did.
    LogShrunk = 2011, "LOG_SHRUNK", 20, Peer, Later, "a log shows fewer entries than it has signed before", "A cache may have served an old checkpoint: try again; if it stays, ask the log's node for its newest one";
    /// A file of evidence does not prove what it should.
    BadEvidence = 2013, "BAD_EVIDENCE", 20, Peer, Never, "the evidence does not hold", "See which check fails: frex evidence verify FILE --root root.frex; ask for the file again";
    /// A receipt holds that too few witnesses have cosigned so far.
    Provisional = 2014, "PROVISIONAL", 20, Environment, Later, "the receipt holds, but fewer witnesses have cosigned it than the roster asks for", "Make it final, then verify it again: frex receipt fetch MESSAGE DIR --final";
    /// A stranger, or a key the roster does not list.
    NotTrusted = 3001, "NOT_TRUSTED", 21, Peer, AfterRosterUpdate, "the peer's key is not in the roster", "Ask the federation to list it, then install the new roster: frex roster install FILE";
    /// Revoked or suspended.
    Revoked = 3002, "REVOKED", 21, Peer, AfterRosterUpdate, "the member or node is revoked or suspended", "Ask the federation's governance why";
    /// The role does not allow this.
    WrongRole = 3003, "WRONG_ROLE", 21, Peer, Never, "the connection's role does not allow this request", "Use a member key to submit and a node key to deliver";
    /// Another federation.
    WrongFederation = 3004, "WRONG_FEDERATION", 22, Peer, Never, "the message belongs to another federation", "Check the roster file in use: frex status DIR";
    /// The connection's owner is not the envelope's sender.
    WrongSender = 3005, "WRONG_SENDER", 21, Peer, Never, "the envelope names another sender than the connection's owner", "Submit with the keys of the member named as sender";
    /// The roster itself does not verify.
    BadRoster = 3006, "BAD_ROSTER", 21, Peer, AfterRosterUpdate, "the roster does not verify", "Get the roster again from the governance: frex roster show FILE lists what fails";
    /// The peer is not the node it was expected to be.
    WrongNode = 3007, "WRONG_NODE", 21, Peer, AfterRosterUpdate, "the peer is not the node that was asked for", "Check the addresses in the roster: frex roster show DIR";
    /// The roster's end or its freshness has passed.
    RosterStale = 3008, "ROSTER_STALE", 22, Environment, AfterRosterUpdate, "the roster in force has ended, or nobody has vouched for it for too long", "Ask the governance for the roster in force now: frex roster install FILE";
    /// The organisation has suspended the exchange with the other one.
    PeerSuspended = 3009, "PEER_SUSPENDED", 22, Peer, Later, "the other organisation has suspended the exchange with this one", "Ask its people why; what waits is delivered when they resume, until it expires";
    /// An invitation that is over.
    InvitationClosed = 3011, "INVITATION_CLOSED", 22, Caller, Never, "the invitation was used, withdrawn or tried with too many wrong secrets", "Ask for a new one, which they make with: frex invite";
    /// Someone else has this id.
    IdTaken = 3012, "ID_TAKEN", 22, Caller, Never, "another member or node has this id or one of these keys already", "Choose another id: frex init --member ID";
    /// Not a recipient served here.
    UnknownRecipient = 4001, "UNKNOWN_RECIPIENT", 22, Caller, AfterRosterUpdate, "a recipient is not in the roster or not served by this node", "List the members with: frex roster show DIR";
    /// Past its expiry.
    Expired = 4002, "EXPIRED", 22, Peer, Never, "the message is past its expiry", "Send it anew";
    /// Created in the future.
    FutureDated = 4003, "FUTURE_DATED", 22, Peer, Later, "the message is dated in the future", "Set the clock of the sender's machine";
    /// Same message id, other bytes.
    IdReuse = 4004, "ID_REUSE", 22, Peer, Never, "the message id was used before for other bytes", "Draw a new message id; both envelopes are kept as evidence";
    /// The recipient does not take this kind in this lane.
    NotAccepted = 4005, "NOT_ACCEPTED", 22, Caller, AfterRosterUpdate, "the recipient does not accept this kind of message in this lane", "See what it accepts with: frex roster show DIR";
    /// Life longer than allowed.
    LifeTooLong = 4006, "LIFE_TOO_LONG", 22, Caller, Never, "the message would live longer than the protocol allows", "Choose an expiry within 31 days";
    /// Sealed to a key whose secret is gone.
    KeyRetired = 4007, "KEY_RETIRED", 22, Peer, Never, "the envelope is sealed to a key that the recipient has retired", "Seal it anew under the same message id: frex send FILE --to MEMBER --message ID --from DIR";
    /// Sealed to a key that nobody here has heard of yet.
    KeyUnknown = 4008, "KEY_UNKNOWN", 23, Peer, Later, "the envelope is sealed to a key that the recipient does not list, or not yet", "The sender's node tries again by itself; see the keys with: frex roster show DIR";
    /// Ended by an order of those whose it is, or of the operator.
    Withdrawn = 4009, "WITHDRAWN", 22, Caller, Never, "the delivery was ended by its sender or by who runs the node", "If it should get there after all, file it anew: frex send";
    /// The envelope came before its attachments.
    AttachmentMissing = 4010, "ATTACHMENT_MISSING", 23, Peer, Later, "an attachment of the envelope is not whole at this node yet", "Whoever sends it goes on with the transfer by itself; a stopped one goes on with the same frex send and --message ID";
    /// A recipient takes no attachments.
    AttachmentsRefused = 4011, "ATTACHMENTS_REFUSED", 22, Caller, AfterRosterUpdate, "a recipient does not take attachments", "Send it without, or ask the federation to list the recipient as one that takes them: frex roster propose --attachments MEMBER=yes";
    /// Withdrawn by its sender.
    Recalled = 4012, "RECALLED", 22, Peer, Never, "the sender has withdrawn the message", "Nothing to do; a message of the sender in the inbox says why: frex inbox DIR";
    /// What was here of it is gone.
    Erased = 4020, "ERASED", 22, Peer, Never, "the message was erased here", "Nothing to do; which messages were erased, and why: frex erase ls DIR";
    /// It must not be erased.
    OnHold = 4021, "ON_HOLD", 22, Caller, Never, "a legal hold keeps the message", "See by which authority with: frex hold ls DIR; release it with: frex hold release MESSAGE DIR --ground CODE --authority CODE";
    /// Not the asker's alone.
    HeldByOthers = 4022, "HELD_BY_OTHERS", 22, Caller, Never, "other members that this node serves have the message too", "Ask the node's operator, who may erase it for all of them";
    /// Busy or over quota.
    RetryAfter = 5001, "RETRY_AFTER", 23, Environment, Later, "the node is busy or a quota is used up", "The sender's node tries again by itself";
    /// No space left.
    DiskFull = 5002, "DISK_FULL", 1, Environment, Later, "the node's disk is full: nothing was accepted", "Free space on the node's disk; it resumes by itself";
    /// The node cannot be sure of its disk and has stopped.
    StorageFailed = 5003, "STORAGE_FAILED", 1, Environment, Later, "the node's storage failed and it has stopped", "Check the disk, then run: frex fsck";
    /// Shutting down.
    ShuttingDown = 5004, "SHUTTING_DOWN", 23, Environment, Later, "the node is shutting down", "Try again in a moment";
    /// Cannot be reached.
    Unreachable = 5005, "UNREACHABLE", 23, Environment, Later, "the node cannot be reached", "Check that it runs and that UDP passes: frex status DIR";
    /// Nothing under this id.
    NotFound = 5006, "NOT_FOUND", 1, Caller, Never, "nothing is kept under this id", "Check the id";
    /// The peer stopped talking.
    TimedOut = 5007, "TIMED_OUT", 23, Environment, Later, "the peer did not answer in time", "Try again; check the network if it stays";
    /// The token that holds a key does not sign.
    KeyUnavailable = 5008, "KEY_UNAVAILABLE", 23, Environment, Later, "a key is in a token that does not sign", "See what is wrong with the token: frex doctor DIR; the sender tries again by itself";
    /// Too many requests opened or broken off on one session.
    Flooding = 5009, "FLOODING", 23, Peer, Later, "the peer opened or broke off too many requests and is not served for a minute", "Wait a minute; if it happens again, update the program that sends, or put envelopes in batches";
    /// Not initialised.
    NotInitialised = 6001, "NOT_INITIALISED", 10, Caller, Never, "this directory holds no FREX keys or configuration", "Make them with: frex init";
    /// Another process holds the directory.
    Locked = 6002, "LOCKED", 11, Caller, Later, "another process uses this data directory", "Stop it first, or choose another directory";
    /// Key files readable by others.
    LooseMode = 6003, "LOOSE_MODE", 78, Caller, Never, "a key file can be read by other users", "Run: chmod 600 FILE (and chmod 700 on its folder)";
    /// Configuration is wrong.
    BadConfig = 6004, "BAD_CONFIG", 78, Caller, Never, "the configuration cannot be used", "Mend the line named above";
    /// The journal is damaged.
    JournalDamaged = 6005, "JOURNAL_DAMAGED", 20, Environment, Never, "the journal is damaged: acknowledged entries do not read back", "Do not delete anything; run: frex fsck, and restore from a backup";
    /// Something is there already and is never overwritten.
    AlreadyExists = 6006, "ALREADY_EXISTS", 1, Caller, Never, "something is there already and is never overwritten", "Choose another path";
    /// A file cannot be read or written.
    Files = 6007, "FILES", 1, Environment, Later, "a file cannot be read or written", "Check the path, its permissions and the free space";
    /// What the caller handed over is not what the command takes.
    BadInput = 6008, "BAD_INPUT", 2, Caller, Never, "the input is not what this command takes", "Mend what is named above";
    /// Stopped by whoever started it.
    Cancelled = 6009, "CANCELLED", 130, Caller, Later, "stopped before the end", "Start it again";
    /// A key is encrypted, and there is no passphrase that opens it.
    Sealed = 6010, "SEALED", 12, Caller, Never, "a key is encrypted or in a token, and no passphrase or PIN opens it", "Give the passphrase: --passphrase-fd 3 3<FILE, the systemd credential frex-passphrase, or at a terminal; the PIN of a token: --pin-fd 3 3<FILE, frex-token-pin, or at a terminal";
    /// A key file is damaged, or asks for what no key file of ours asks for.
    KeyUnusable = 6011, "KEY_UNUSABLE", 78, Caller, Never, "a key file cannot be used", "Restore it from a backup; see how the others are: frex key ls DIR";
    /// A key of our own has ended, and what must be signed now is not signed with it.
    KeyEnded = 6013, "KEY_ENDED", 78, Caller, AfterRosterUpdate, "the time of a key held here is over", "Start the node again to take up the next one; without one, make it: frex key rotate log DIR";
    /// This program was built without what is asked for.
    NotBuilt = 6015, "NOT_BUILT", 78, Caller, Never, "this program was built without the support for keys in a token", "Build one that has it: cargo build --release --bin frex --features pkcs11";
    /// Others have seen more of our own log than is here.
    LogRolledBack = 6016, "LOG_ROLLED_BACK", 20, Environment, Never, "others have seen entries of this node's log that are not here any more", "The directory is an old copy: bring back the newer one; if there is none: frex log new-epoch DIR";
    /// Entries that a copy of a log does not hold any more.
    Pruned = 6020, "PRUNED", 1, Peer, Never, "the published copy of the log does not hold these entries any more", "Begin at a later entry, in an empty folder: frex log audit SOURCE --state NEW --from ENTRY";
    /// Entries that must stay published.
    TooYoung = 6021, "TOO_YOUNG", 22, Caller, Later, "these entries must stay published for longer", "Take away only what is older than the log's retention allows: frex log prune DIR --older-than 400d";
    /// What would prove it is not here.
    NotHeld = 6023, "NOT_HELD", 1, Caller, Never, "what would prove it is not held here", "Ask a party that holds it, or leave it out of the evidence";
    /// Silence cannot be stated of who has spoken.
    Answered = 6024, "ANSWERED", 1, Caller, Never, "an answer has come, so that nobody can state that none has", "Take what waits off the inbox, and make the evidence again: frex inbox DIR";
    /// A backup does not hold what it says.
    BackupDamaged = 6030, "BACKUP_DAMAGED", 20, Environment, Never, "the backup does not hold what it says, or was not made to its end", "Use another backup, or make it again: frex backup DIR --to FOLDER";
    /// Secret keys would leave the machine as they are.
    KeysPlain = 6031, "KEYS_PLAIN", 22, Caller, Never, "the keys are not encrypted, and would lie open in the backup", "Encrypt them: frex key encrypt DIR; or leave out --with-keys";
    /// Nobody has said that the copy of a log that was restored is its newest.
    LogUnconfirmed = 6032, "LOG_UNCONFIRMED", 23, Environment, Later, "the node was restored, and too few others have said that they saw no more of its log", "Start it again once its witnesses can be reached";
    /// The roster lists another log of the node than the one that is here.
    LogEnded = 6033, "LOG_ENDED", 78, Environment, Never, "by the roster the log that is here has ended", "Bring back the directory that goes on with the log in force; if there is none: frex log new-epoch DIR";
    /// A report looks like one that this member has sent before.
    LooksSent = 6055, "LOOKS_SENT", 22, Caller, Never, "this looks like a report that this member has sent before", "Send it all the same: --anyway; or into the case of the one before: --duplicate-of MESSAGE";
    /// No member would get a report.
    Unrouted = 6056, "UNROUTED", 22, Caller, AfterRosterUpdate, "by what the report says and the roster lists, this cannot be sent", "Say in the report which country it concerns, or name recipients: frex send FILE --to MEMBER";
    /// Somebody must agree before a report goes.
    NotApproved = 6057, "NOT_APPROVED", 22, Caller, Never, "the member's own policy wants somebody to agree first", "Name who has agreed: --approved WHO";
    /// A plan does not hold any more.
    PlanChanged = 6058, "PLAN_CHANGED", 22, Caller, Never, "by now the report would go to others, or otherwise, than the plan says", "Look at the plan of now, and send by that: frex route FILE DIR --out PLAN";
    /// An answer to a question about identifiers does not prove itself.
    BadAnswer = 6070, "BAD_ANSWER", 20, Peer, Never, "an answer about identifiers does not hold", "Keep the message as evidence, and ask the member again; each question counts";
    /// A member has shown two keys or two books for one epoch.
    TwoBooks = 6071, "TWO_BOOKS", 20, Peer, Never, "a member has signed two keys or books for one epoch", "Both are kept; show them to the governance: frex deconflict keys DIR";
    /// A table of figures, or what belongs to a sum, is not what it should be.
    BadStatistics = 6075, "BAD_STATISTICS", 20, Peer, Never, "the figures do not hold", "See which check fails: frex stats verify FILE --root root.frex; ask for the file again";
    /// What would be published gives a small cell away.
    Discloses = 6076, "DISCLOSES", 22, Caller, Never, "these figures could give away what concerns few people", "Count whole months that are over, and periods that do not overlap those counted before";
    /// A round of a secure sum that misses somebody.
    SumVoid = 6077, "SUM_VOID", 3, Environment, Later, "somebody's part of the sum is missing, so that it says nothing", "Take what waits off the inbox: frex inbox DIR; if they do not take part, begin another round without them: frex stats sum open --help";
}

impl std::fmt::Display for WireCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let info = self.info();
        write!(f, "{} [{} {}]", info.text, info.name, *self as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // ERR-2: what a later version may say is a refusal for good.
    #[test]
    fn an_unknown_number_is_unknown_and_not_tried_again() {
        for number in [0, 2, 1004, 9999, 70_000, u32::MAX] {
            assert_eq!(WireCode::from_number(number), WireCode::Unknown);
        }
        assert_eq!(WireCode::Unknown.info().retry, Retry::Never);
    }

    // ERR-1: numbers and names are unique and map back.
    #[test]
    fn every_code_maps_back_to_itself() {
        for pair in WireCode::ALL.windows(2) {
            assert!(pair[0] < pair[1]);
        }
        for code in WireCode::ALL {
            assert_eq!(WireCode::from_number(*code as u32), *code);
            assert!(!code.info().advice.is_empty());
        }
    }
}
