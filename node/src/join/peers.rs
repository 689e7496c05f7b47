//! Keeping peers that came by an invitation, and what either side decides.

use std::{fs, path::PathBuf};

use frex_client::keys::{MemberRole, file};
use frex_proto::{id::check_name, join::Decision, limits, v1};

use super::{DecisionRecord, JoinStoreError, PeerRecord, Peers, State, files};

const RECORD_FILE: &str = "peer.json";
const OURS_FILE: &str = "ours.json";
const THEIRS_FILE: &str = "theirs.json";
/// Peers that came again with other keys after one side had refused them.
const PAST_DIR: &str = "_past";

/// A file beside a peer's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enclosure {
    /// The newcomer's card.
    Card,
    /// The federation's root, as it came.
    Root,
    /// The roster, as it came.
    Roster,
    /// The invitation in the newcomer's hand: a secret.
    Invitation,
}

impl Enclosure {
    const fn name(self) -> &'static str {
        match self {
            Self::Card => "card.frex",
            Self::Root => "root.frex",
            Self::Roster => "roster.frex",
            Self::Invitation => "invitation.code",
        }
    }

    const fn bytes_max(self) -> u64 {
        (match self {
            Self::Card => limits::SIGNED_BYTES_MAX,
            Self::Root => limits::ROOT_BYTES_MAX,
            Self::Roster => limits::ROSTER_BUNDLE_BYTES_MAX,
            Self::Invitation => limits::INVITATION_BYTES_MAX,
        }) as u64
    }
}

impl Peers {
    /// Every peer, oldest first.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn list(&self) -> Result<Vec<PeerRecord>, JoinStoreError> {
        let mut records = Vec::new();
        for id in files::names(&self.dir, RECORD_FILE)? {
            records.push(self.find(&id)?);
        }
        records.sort_by_key(|record| record.since_ms);
        Ok(records)
    }

    /// The peer of this member id.
    ///
    /// # Errors
    /// [`JoinStoreError::NotFound`], [`JoinStoreError`].
    pub fn find(&self, id: &str) -> Result<PeerRecord, JoinStoreError> {
        files::get(&self.folder(id)?.join(RECORD_FILE))?.ok_or(JoinStoreError::NotFound)
    }

    /// Keeps a peer with what belongs to it, in place of what was known of it by this card.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn keep(
        &self,
        record: &PeerRecord,
        enclosures: &[(Enclosure, &[u8])],
    ) -> Result<(), JoinStoreError> {
        let dir = self.folder(&record.member)?;
        file::create_private_dir(&dir)?;
        for (enclosure, bytes) in enclosures {
            files::put_bytes(&dir.join(enclosure.name()), bytes)?;
        }
        // The record comes last: a folder that has one is complete.
        files::put(&dir.join(RECORD_FILE), record)
    }

    /// Whether one side has said no: another of this id may come, or the same one again.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn is_over(&self, record: &PeerRecord) -> Result<bool, JoinStoreError> {
        let states = [self.ours(record)?.state, self.theirs(record)?.state];
        Ok(states.contains(&State::Refused))
    }

    /// Moves a peer out of the way, so that nothing about it is lost.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn lay_aside(&self, record: &PeerRecord) -> Result<(), JoinStoreError> {
        let past = self.dir.join(PAST_DIR);
        file::create_private_dir(&past)?;
        let aside = past.join(format!("{}-{}", record.member, record.since_ms));
        fs::rename(self.folder(&record.member)?, &aside).map_err(|source| JoinStoreError::Write {
            path: aside,
            source,
        })
    }

    /// A file that belongs to the peer; none where there is none.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn enclosure(
        &self,
        id: &str,
        enclosure: Enclosure,
    ) -> Result<Option<Vec<u8>>, JoinStoreError> {
        let path = self.enclosure_path(id, enclosure)?;
        files::get_bytes(&path, enclosure.bytes_max())
    }

    /// Where that file is.
    ///
    /// # Errors
    /// [`JoinStoreError::NotFound`] for what is no member id.
    pub fn enclosure_path(
        &self,
        id: &str,
        enclosure: Enclosure,
    ) -> Result<PathBuf, JoinStoreError> {
        Ok(self.folder(id)?.join(enclosure.name()))
    }

    /// What our people decided.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn ours(&self, record: &PeerRecord) -> Result<DecisionRecord, JoinStoreError> {
        self.decision(record, OURS_FILE)
    }

    /// What the other side's people decided, as far as it has told.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn theirs(&self, record: &PeerRecord) -> Result<DecisionRecord, JoinStoreError> {
        self.decision(record, THEIRS_FILE)
    }

    /// Keeps what our people decided.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn decide(
        &self,
        record: &PeerRecord,
        state: State,
        reason: &str,
        now_ms: u64,
    ) -> Result<(), JoinStoreError> {
        let decision = DecisionRecord {
            state,
            reason: reason.to_owned(),
            ..DecisionRecord::pending(now_ms)
        };
        files::put(&self.folder(&record.member)?.join(OURS_FILE), &decision)
    }

    /// Keeps what the other side said, and what it was told of our decision.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn hear(
        &self,
        record: &PeerRecord,
        said: &Decision,
        told: State,
        now_ms: u64,
    ) -> Result<DecisionRecord, JoinStoreError> {
        let heard = DecisionRecord {
            state: said.state.into(),
            at_ms: said.at_ms,
            reason: said.reason.clone(),
            heard_ms: now_ms,
            told,
        };
        files::put(&self.folder(&record.member)?.join(THEIRS_FILE), &heard)?;
        Ok(heard)
    }

    /// Forgets the invitation in hand, once nothing is left to say over it.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn forget_invitation(&self, id: &str) -> Result<(), JoinStoreError> {
        let path = self.enclosure_path(id, Enclosure::Invitation)?;
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(JoinStoreError::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    fn decision(&self, record: &PeerRecord, name: &str) -> Result<DecisionRecord, JoinStoreError> {
        let path = self.folder(&record.member)?.join(name);
        Ok(files::get(&path)?.unwrap_or_else(|| DecisionRecord::pending(record.since_ms)))
    }

    /// Where a peer is kept; a member id is a name and nothing that leads elsewhere.
    fn folder(&self, id: &str) -> Result<PathBuf, JoinStoreError> {
        let name = check_name(id).is_ok() && id != "." && id != "..";
        name.then(|| self.dir.join(id))
            .ok_or(JoinStoreError::NotFound)
    }
}

/// A role as it is kept; none of an unknown one, which no judged card has.
pub(super) fn role_of(role: v1::Role) -> Option<MemberRole> {
    Some(match role {
        v1::Role::Unspecified => return None,
        v1::Role::Hotline => MemberRole::Hotline,
        v1::Role::Platform => MemberRole::Platform,
        v1::Role::Police => MemberRole::Police,
        v1::Role::Prosecutor => MemberRole::Prosecutor,
        v1::Role::ClearingHouse => MemberRole::ClearingHouse,
        v1::Role::Oversight => MemberRole::Oversight,
    })
}
