//! Making, finding and taking back invitations.

use std::path::{Path, PathBuf};

use frex_client::{keys::file, passphrase::Unlock};
use frex_proto::{
    join::{Invitation, SECRET_BYTES, Terms},
    keys::{SigningKey, VerifyingKey},
    limits,
    roster::Roster,
};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use zeroize::Zeroizing;

use super::{InvitationRecord, InvitationUse, Invitations, JoinStoreError, Standing, files};
use crate::home::{DirLock, NodeHomeError};

const RECORD_FILE: &str = "invitation.json";
const LISTENER_FILE: &str = "listener.key";
const USE_FILE: &str = "use.json";
const WITHDRAWN_FILE: &str = "withdrawn.json";

#[derive(Serialize, Deserialize)]
struct Withdrawn {
    at_ms: u64,
}

/// What an invitation is to be.
pub struct InvitationDraft<'a> {
    /// Who invites.
    pub member: &'a str,
    /// The roster in force.
    pub roster: &'a Roster,
    /// Where it is listened for.
    pub listen: SocketAddr,
    /// Where the newcomer is told to knock.
    pub address: String,
    /// Now.
    pub created_ms: u64,
    /// When it ends.
    pub expires_ms: u64,
    /// For whom.
    pub note: String,
}

impl Invitations {
    /// Makes an invitation and keeps all of it but the secret, which only the result holds.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn make(
        &self,
        draft: InvitationDraft<'_>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(InvitationRecord, Invitation), JoinStoreError> {
        let listener = SigningKey::generate(rng);
        let mut secret = Zeroizing::new([0; SECRET_BYTES]);
        rng.fill_bytes(secret.as_mut());
        let invitation = Invitation {
            federation: draft.roster.federation().to_owned(),
            root_sha256: draft.roster.root().sha256,
            member: draft.member.to_owned(),
            address: draft.address,
            listener_key: *listener.verifying_key().as_bytes(),
            secret,
            expires_ms: draft.expires_ms,
        };
        let proof_key = hex::encode(invitation.proof_key().verifying_key().as_bytes());
        let record = InvitationRecord {
            id: proof_key[..8].to_owned(),
            federation: invitation.federation.clone(),
            root_sha256: hex::encode(invitation.root_sha256),
            proof_key,
            listen: draft.listen,
            address: invitation.address.clone(),
            created_ms: draft.created_ms,
            expires_ms: draft.expires_ms,
            note: draft.note,
        };
        let dir = self.dir.join(&record.id);
        file::create_private_dir(&dir)?;
        file::write_signing_key(&dir.join(LISTENER_FILE), &listener)?;
        // The record comes last: a folder that has one is complete.
        files::put(&dir.join(RECORD_FILE), &record)?;
        Ok((record, invitation))
    }

    /// Every invitation, oldest first.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn list(&self) -> Result<Vec<InvitationRecord>, JoinStoreError> {
        let mut records = Vec::new();
        for id in files::names(&self.dir, RECORD_FILE)? {
            records.push(self.find(&id)?);
        }
        records.sort_by_key(|record| record.created_ms);
        Ok(records)
    }

    /// The invitation of this id.
    ///
    /// # Errors
    /// [`JoinStoreError::NotFound`], [`JoinStoreError`].
    pub fn find(&self, id: &str) -> Result<InvitationRecord, JoinStoreError> {
        files::get(&self.folder(id)?.join(RECORD_FILE))?.ok_or(JoinStoreError::NotFound)
    }

    /// The key under which it is listened for.
    ///
    /// # Errors
    /// [`JoinStoreError`]; a key that others could read is refused.
    pub fn listener_key(&self, id: &str) -> Result<SigningKey, JoinStoreError> {
        Ok(file::read_signing_key(
            &self.folder(id)?.join(LISTENER_FILE),
            &Unlock::none(),
        )?)
    }

    /// What became of it.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn usage(&self, id: &str) -> Result<InvitationUse, JoinStoreError> {
        usage(&self.folder(id)?)
    }

    /// How it stands at `now_ms`.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn standing(
        &self,
        record: &InvitationRecord,
        now_ms: u64,
    ) -> Result<Standing, JoinStoreError> {
        standing(&self.folder(&record.id)?, record, now_ms)
    }

    /// Takes it back: from now on it opens nothing, also at a listener that runs.
    ///
    /// # Errors
    /// [`JoinStoreError`].
    pub fn withdraw(&self, id: &str, at_ms: u64) -> Result<(), JoinStoreError> {
        self.find(id)?;
        let path = self.folder(id)?.join(WITHDRAWN_FILE);
        files::put(&path, &Withdrawn { at_ms })
    }

    /// Keeps a second listener for the same invitation out.
    ///
    /// # Errors
    /// [`NodeHomeError::Locked`].
    pub fn lock(&self, record: &InvitationRecord) -> Result<DirLock, NodeHomeError> {
        DirLock::take(&self.dir.join(&record.id))
    }

    /// Where it is kept; an id is a name of ours and nothing that leads elsewhere.
    pub(super) fn folder(&self, id: &str) -> Result<PathBuf, JoinStoreError> {
        let ours = id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        ours.then(|| self.dir.join(id))
            .ok_or(JoinStoreError::NotFound)
    }
}

/// By what a newcomer is judged.
pub(super) fn terms(dir: &Path, record: &InvitationRecord) -> Result<Terms, JoinStoreError> {
    let damaged = || JoinStoreError::Damaged {
        path: dir.join(RECORD_FILE),
    };
    let key = hex::decode(&record.proof_key).map_err(|_| damaged())?;
    let root = hex::decode(&record.root_sha256).map_err(|_| damaged())?;
    Ok(Terms {
        federation: record.federation.clone(),
        root_sha256: root.try_into().map_err(|_| damaged())?,
        proof_key: VerifyingKey::admit(&key).map_err(|_| damaged())?,
        expires_ms: record.expires_ms,
    })
}

pub(super) fn usage(dir: &Path) -> Result<InvitationUse, JoinStoreError> {
    Ok(files::get(&dir.join(USE_FILE))?.unwrap_or_default())
}

pub(super) fn keep_usage(dir: &Path, usage: &InvitationUse) -> Result<(), JoinStoreError> {
    files::put(&dir.join(USE_FILE), usage)
}

pub(super) fn standing(
    dir: &Path,
    record: &InvitationRecord,
    now_ms: u64,
) -> Result<Standing, JoinStoreError> {
    let usage = usage(dir)?;
    Ok(if dir.join(WITHDRAWN_FILE).exists() {
        Standing::Withdrawn
    } else if usage.tries >= limits::JOIN_TRIES_MAX {
        Standing::Spent
    } else if now_ms >= record.expires_ms {
        Standing::Expired
    } else if usage.card_sha256.is_some() {
        Standing::Used
    } else {
        Standing::Open
    })
}
