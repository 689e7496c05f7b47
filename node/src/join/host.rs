//! The inviting side: judges who knocks, keeps it, and only then answers.

use std::{
    path::Path,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use frex_client::{environment::Environment, join::Reply, keys::MemberHome};
use frex_proto::{
    error::WireCode,
    join::{self, Applicant, Decision, Listing, RequestError},
    keys::{SigningError, SigningKey},
    label::Hash,
    roster::Roster,
    v1::JoinRequest,
};
use prost::Message;
use tokio::sync::mpsc;

use super::{
    HostDesk, InvitationRecord, InvitationUse, Invitations, JoinStoreError, PeerRecord, Peers,
    Side, Standing, State,
    invitations::{keep_usage, standing, terms, usage},
    peers::{Enclosure, role_of},
};

/// Each wrong secret holds its answer back by so much more, up to the longest pause.
const PAUSE_PER_TRY: Duration = Duration::from_secs(1);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What happened at the door, for the person who opened it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A newcomer came, and is kept as pending.
    Came {
        /// Who.
        member: String,
        /// Whether the roster lists it already.
        listing: Listing,
    },
    /// The newcomer's people have decided.
    Decided {
        /// Who.
        member: String,
        /// What.
        state: State,
    },
    /// The newcomer, accepted on both sides, was given the roster that lists it.
    Handed {
        /// Who.
        member: String,
    },
    /// Somebody did not know the secret, for the so-many-th time.
    WrongSecret(u32),
    /// Somebody who does know it was refused.
    Refused(RequestError),
    /// A second newcomer came with an invitation that is used.
    UsedByAnother,
    /// What came could not be kept, so nothing was promised.
    NotKept(WireCode),
}

/// Why a newcomer gets a code instead of a welcome.
enum Refusal {
    Request(RequestError),
    Closed,
    /// Another newcomer of the same id waits for an answer.
    Store(JoinStoreError),
    NoRoster,
    /// Our identity key does not sign the answer.
    Signing(SigningError),
}

impl From<JoinStoreError> for Refusal {
    fn from(error: JoinStoreError) -> Self {
        Self::Store(error)
    }
}

impl HostDesk {
    /// A desk for the invitation of `record`.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn new(
        home: &MemberHome,
        identity: SigningKey,
        record: InvitationRecord,
        environment: Environment,
        events: mpsc::Sender<Event>,
    ) -> Result<Self, JoinStoreError> {
        let invitations = Invitations::of(home.dir());
        Ok(Self {
            invitation: invitations.folder(&record.id)?,
            record,
            peers: Peers::of(home.dir()),
            member_dir: home.dir().to_owned(),
            member: home.settings().member.clone(),
            identity,
            environment,
            events,
            turn: Mutex::new(()),
        })
    }

    /// Judges what came over the connection of `channel`. What an answer promises is on disk
    /// before it is given; of two newcomers that race the second finds the invitation used.
    /// Spec: JOI-6, JOI-7, JOI-10, JOI-11.
    #[must_use]
    pub fn judge(&self, question: &[u8], channel: &Hash) -> Reply {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        match self.welcome(question, channel) {
            Ok(answer) => Reply {
                answer,
                pause: Duration::ZERO,
            },
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn welcome(&self, question: &[u8], channel: &Hash) -> Result<Bytes, Refusal> {
        let now_ms = self.environment.clock.now_ms();
        let dir = &self.invitation;
        if matches!(
            standing(dir, &self.record, now_ms)?,
            Standing::Withdrawn | Standing::Spent
        ) {
            return Err(Refusal::Closed);
        }
        let terms = terms(dir, &self.record)?;
        let guest = join::judge_request(question, &terms, channel, now_ms);
        let guest = guest.map_err(Refusal::Request)?;
        let roster = self.roster(now_ms).ok_or(Refusal::NoRoster)?;
        let usage = usage(dir)?;
        let card_sha256 = hex::encode(guest.card_sha256);
        match &usage.card_sha256 {
            Some(bound) if *bound != card_sha256 => return Err(Refusal::Closed),
            _ => {}
        }
        let listing = join::check_listing(&guest, &roster).map_err(Refusal::Request)?;
        let record = self.keep(question, &guest, &usage, listing, now_ms)?;
        let ours = self.peers.ours(&record)?;
        self.hear(&record, &guest.decision, ours.state, now_ms)?;
        let theirs = State::from(guest.decision.state);
        if listing == Listing::Listed && [ours.state, theirs] == [State::Accepted; 2] {
            let member = record.member.clone();
            self.tell(Event::Handed { member });
        }
        let decision = Decision::from(&ours);
        Ok(join::welcome(
            &roster,
            &self.member,
            &self.identity,
            &guest,
            &decision,
            channel,
        )
        .map_err(Refusal::Signing)?
        .into())
    }

    /// Binds the invitation to the newcomer, and keeps the newcomer.
    fn keep(
        &self,
        question: &[u8],
        guest: &Applicant,
        usage: &InvitationUse,
        listing: Listing,
        now_ms: u64,
    ) -> Result<PeerRecord, Refusal> {
        let member = &guest.card.member;
        let card_sha256 = hex::encode(guest.card_sha256);
        let held = match self.peers.find(&member.id) {
            Ok(held) => Some(held),
            Err(JoinStoreError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(held) = &held {
            let same = held.card_sha256 == card_sha256;
            if same && held.invitation == self.record.id {
                return Ok(held.clone());
            }
            // Invited anew after a no: what was decided then does not bind now.
            if self.peers.is_over(held)? {
                self.peers.lay_aside(held)?;
            } else if !same {
                return Err(Refusal::Request(RequestError::IdTaken));
            }
        }
        let record = PeerRecord {
            member: member.id.clone(),
            name: member.name.clone(),
            country: member.country.clone(),
            role: role_of(member.role).ok_or(Refusal::Request(RequestError::Malformed))?,
            node: guest.card.node.as_ref().map(|node| node.id.clone()),
            identity: hex::encode(guest.identity.encoded()),
            side: Side::Inviter,
            federation: self.record.federation.clone(),
            invitation: self.record.id.clone(),
            card_sha256: card_sha256.clone(),
            since_ms: now_ms,
        };
        // The invitation first: a crash in between leaves it bound to a newcomer who may return.
        let bound = InvitationUse {
            member: Some(record.member.clone()),
            card_sha256: Some(card_sha256),
            used_ms: Some(now_ms),
            ..usage.clone()
        };
        keep_usage(&self.invitation, &bound)?;
        let card = JoinRequest::decode(question).map(|request| request.card);
        let card = card.map_err(|_| Refusal::Request(RequestError::Malformed))?;
        self.peers.keep(&record, &[(Enclosure::Card, &card)])?;
        self.tell(Event::Came {
            member: record.member.clone(),
            listing,
        });
        Ok(record)
    }

    fn hear(
        &self,
        record: &PeerRecord,
        said: &Decision,
        told: State,
        now_ms: u64,
    ) -> Result<(), JoinStoreError> {
        let before = self.peers.theirs(record)?;
        let heard = self.peers.hear(record, said, told, now_ms)?;
        if heard.state != before.state {
            self.tell(Event::Decided {
                member: record.member.clone(),
                state: heard.state,
            });
        }
        Ok(())
    }

    fn refuse(&self, refusal: Refusal) -> Reply {
        let mut pause = Duration::ZERO;
        let code = match refusal {
            Refusal::Request(error) => {
                if matches!(error, RequestError::WrongSecret | RequestError::Replayed) {
                    pause = self.count_try();
                }
                if error != RequestError::WrongSecret {
                    self.tell(Event::Refused(error));
                }
                error.into()
            }
            Refusal::Closed => {
                self.tell(Event::UsedByAnother);
                WireCode::InvitationClosed
            }
            Refusal::Store(error) => {
                self.tell(Event::NotKept(error.into()));
                WireCode::RetryAfter
            }
            Refusal::NoRoster => {
                self.tell(Event::NotKept(WireCode::BadRoster));
                WireCode::RetryAfter
            }
            Refusal::Signing(error) => {
                self.tell(Event::NotKept(error.into()));
                WireCode::RetryAfter
            }
        };
        Reply {
            answer: join::refusal(code).into(),
            pause,
        }
    }

    /// Counts a wrong secret, on disk before it is answered, and says how long to hold it back.
    fn count_try(&self) -> Duration {
        let counted = usage(&self.invitation).and_then(|mut usage| {
            usage.tries = usage.tries.saturating_add(1);
            keep_usage(&self.invitation, &usage)?;
            Ok(usage.tries)
        });
        match counted {
            Ok(tries) => {
                self.tell(Event::WrongSecret(tries));
                PAUSE_MAX.min(PAUSE_PER_TRY * tries)
            }
            Err(error) => {
                self.tell(Event::NotKept(error.into()));
                PAUSE_MAX
            }
        }
    }

    /// The roster in force at this moment, which may be another than when the door was opened.
    fn roster(&self, now_ms: u64) -> Option<Roster> {
        let home = MemberHome::open(Path::new(&self.member_dir)).ok()?;
        home.roster(now_ms).ok()
    }

    fn tell(&self, event: Event) {
        // A person who reads slowly misses a line; what counts is on disk.
        let _ = self.events.try_send(event);
    }
}
