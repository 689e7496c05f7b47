//! The newcomer's side: keeps who invited it, and asks again later.

use std::sync::Arc;

use bytes::Bytes;
use frex_client::{
    environment::Environment,
    join::{KnockError, Newcomer, knock},
};
use frex_proto::{
    error::WireCode,
    join::{self, Decision, Host, Invitation, InvitationError},
    keys::SigningKey,
    label::sha256,
    v1::RosterBundle,
};
use prost::Message;

use super::{
    DecisionRecord, JoinStoreError, PeerRecord, Peers, Side, State,
    peers::{Enclosure, role_of},
};

/// Why the inviting side was not heard.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// It cannot be kept or read.
    #[error(transparent)]
    Store(#[from] JoinStoreError),
    /// The invitation that was kept is none.
    #[error(transparent)]
    Invitation(#[from] InvitationError),
    /// Nothing was kept to ask with: both sides have accepted, or we invited.
    #[error("nothing is left to ask: the invitation is not kept any more")]
    NothingToAsk,
    /// The other side.
    #[error(transparent)]
    Knock(#[from] KnockError),
    /// Another identity key than at first.
    #[error("the inviting member shows another identity key than before")]
    OtherIdentity,
}

impl From<AskError> for WireCode {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Store(error) => error.into(),
            AskError::Invitation(error) => error.into(),
            AskError::NothingToAsk => Self::NotFound,
            AskError::Knock(error) => error.into(),
            AskError::OtherIdentity => Self::BadSignature,
        }
    }
}

impl Peers {
    /// Knocks with an invitation for the first time and keeps who answered as pending. Nothing is
    /// trusted by it. Spec: JOI-13.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn meet(
        &self,
        member: &str,
        card: Bytes,
        identity: Arc<SigningKey>,
        invitation: &Invitation,
        environment: &Environment,
    ) -> Result<(PeerRecord, DecisionRecord), AskError> {
        let newcomer = Newcomer {
            invitation: invitation.clone(),
            member: member.to_owned(),
            card,
            identity,
            environment: environment.clone(),
            socket: None,
        };
        let held = match self.find(&invitation.member) {
            Ok(held) => Some(held),
            Err(JoinStoreError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let over = match &held {
            Some(held) => self.is_over(held)?,
            None => false,
        };
        let said = match &held {
            Some(held) if !over => Decision::from(&self.ours(held)?),
            _ => Decision::pending(environment.clock.now_ms()),
        };
        let host = knock(&newcomer, &said).await?;
        let now_ms = environment.clock.now_ms();
        let mut record = record(&host, invitation, &newcomer.card, now_ms)?;
        match held {
            Some(held) if !over && is_same(&held, &record) => record = held,
            // Another key, another card, or invited anew after a no.
            Some(held) => self.lay_aside(&held)?,
            None => {}
        }
        let code = join::text(invitation);
        let root = root_of(&host)?;
        self.keep(
            &record,
            &[
                (Enclosure::Card, &newcomer.card),
                (Enclosure::Root, &root),
                (Enclosure::Roster, host.roster.bytes()),
                (Enclosure::Invitation, code.as_bytes()),
            ],
        )?;
        let told = said.state.into();
        let theirs = self.hear(&record, &host.decision, told, now_ms)?;
        Ok((record, theirs))
    }

    /// Tells the inviting side what our people decided, and asks what theirs did. A newer roster
    /// that comes with it is kept in place of the older one; nothing is trusted by it.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(
        &self,
        record: &PeerRecord,
        member: &str,
        identity: Arc<SigningKey>,
        environment: &Environment,
    ) -> Result<DecisionRecord, AskError> {
        let code = self.enclosure(&record.member, Enclosure::Invitation)?;
        let card = self.enclosure(&record.member, Enclosure::Card)?;
        let (Some(code), Some(card)) = (code, card) else {
            return Err(AskError::NothingToAsk);
        };
        let invitation = join::parse(&String::from_utf8_lossy(&code))?;
        let newcomer = Newcomer {
            invitation,
            member: member.to_owned(),
            card: card.into(),
            identity,
            environment: environment.clone(),
            socket: None,
        };
        let said = Decision::from(&self.ours(record)?);
        let host = knock(&newcomer, &said).await?;
        if hex::encode(host.identity.encoded()) != record.identity {
            return Err(AskError::OtherIdentity);
        }
        let now_ms = environment.clock.now_ms();
        self.keep(record, &[(Enclosure::Roster, host.roster.bytes())])?;
        let theirs = self.hear(record, &host.decision, said.state.into(), now_ms)?;
        if State::from(said.state) == State::Refused || theirs.state == State::Refused {
            self.forget_invitation(&record.member)?;
        }
        Ok(theirs)
    }
}

fn record(
    host: &Host,
    invitation: &Invitation,
    card: &Bytes,
    now_ms: u64,
) -> Result<PeerRecord, AskError> {
    let member = host.roster.member(&invitation.member);
    let member = member.ok_or(JoinStoreError::NotFound)?;
    Ok(PeerRecord {
        member: member.id.clone(),
        name: member.name.clone(),
        country: member.country.clone(),
        role: role_of(member.role).ok_or(JoinStoreError::NotFound)?,
        node: Some(member.home_node.clone()),
        identity: hex::encode(host.identity.encoded()),
        side: Side::Newcomer,
        federation: invitation.federation.clone(),
        invitation: String::new(),
        card_sha256: hex::encode(sha256(&[card])),
        since_ms: now_ms,
    })
}

fn is_same(held: &PeerRecord, new: &PeerRecord) -> bool {
    let facts = |record: &PeerRecord| PeerRecord {
        since_ms: 0,
        ..record.clone()
    };
    facts(held) == facts(new)
}

/// The signed root, as the roster's file carries it.
fn root_of(host: &Host) -> Result<Bytes, AskError> {
    let bundle = RosterBundle::decode(host.roster.bytes().clone());
    Ok(bundle.map_err(|_| JoinStoreError::NotFound)?.root)
}
