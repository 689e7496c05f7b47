//! A member's program: drafts, seals and submits envelopes, reads the inbox, asks for receipts.
//!
//! The life of a report: [`Client::draft`] gathers what is to be said, [`Client::seal`] seals and
//! signs it, [`Client::submit`] brings it to the home node and yields what becomes of it; at the
//! other end [`Client::inbox`] yields it opened, and [`InboxItem::confirm`] states what came of
//! it. Every receipt is verified against the roster before anybody sees it, so a node can be
//! late or silent, but it cannot make its member believe what did not happen.
//!
//! The session is made when it is first needed and again whenever it was lost. Spec: chapter MBR.

use std::{fmt, sync::Arc, time::Duration};

use frex_proto::{error::WireCode, keys::SigningKey, receipt::ReceiptError};

use crate::{
    environment::Environment,
    heads::Heads,
    keys::{HomeError, MemberHome, MemberKeys, rotation::log_destroyed},
    membership::{Membership, store::HomeStore},
    tls::config::Limits,
    transport::{RosterHandle, Socket, TransportError},
};

mod attach;
mod bulk;
mod compare;
mod connect;
mod control;
mod draft;
mod erase;
mod forward;
mod inbox;
mod keyring;
mod outbox;
mod publish;
mod pump;
mod query;
mod seal;
mod send;
mod submit;
mod verify;

pub use attach::{AttachmentError, Fetching};
pub use bulk::{
    BulkEnded, BulkError, BulkEvent, BulkFate, BulkNews, BulkSender, BulkSettings, Sealing,
};
pub use draft::{DraftBuilder, DraftError};
pub use erase::{EraseOrder, ErasurePlan, ErasureRow};
pub use forward::ForwardError;
pub use inbox::{ConfirmError, FailedItem, Inbox, InboxError, InboxItem, ItemError};
pub use keyring::Keyring;
pub use outbox::{Delivery, OutboxPage, OutboxQuery};
pub use publish::PublishError;
pub use query::{GivenUp, History, LogHead, QueryError};
pub use seal::{Sealer, seal_batch};
pub use send::{SendError, Sending, SendingEvent};
pub use submit::{News, Submission, SubmissionEvent, SubmitError};
pub use verify::{ProvenReceipt, Unproven, Verifier};

/// How long a lost node is looked for before a call gives up, if nothing else is asked for.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How long logs are compared at the end.
const COMPARE_WAIT: Duration = Duration::from_secs(2);

/// What a client is made of.
pub struct ClientConfig {
    /// Who it speaks for.
    pub member: String,
    /// Who belongs to the federation; the home node's addresses are in it.
    pub roster: RosterHandle,
    /// How a newer roster is learned of and kept; none: the roster stays as it is.
    pub membership: Option<Membership>,
    /// Signs envelopes and stage statements.
    pub identity: SigningKey,
    /// Authenticates the connection.
    pub tls: SigningKey,
    /// Opens what is sealed to the member: the present key, and former ones that are kept.
    pub sealing: Keyring,
    /// Clock and randomness.
    pub environment: Environment,
    /// Where packets go out; none: a socket that fits the home node's address.
    pub socket: Option<Socket>,
    /// What the connection may hold.
    pub limits: Limits,
    /// How long a lost node is looked for before a call gives up.
    pub patience: Duration,
    /// What the member has seen of logs.
    pub heads: Arc<Heads>,
}

impl ClientConfig {
    /// The client of the member in `home`, with the machine's clock and randomness.
    ///
    /// # Errors
    /// [`HomeError`]: the keys or the roster cannot be read or do not verify.
    pub fn of_home(home: &MemberHome) -> Result<Self, HomeError> {
        let keys = home.keys(Environment::default().clock.now_ms())?;
        log_destroyed(&keys.destroyed);
        Self::of_keys(home, keys)
    }

    /// As [`of_home`](Self::of_home), with keys of the member that were read before.
    ///
    /// # Errors
    /// [`HomeError`]: the roster cannot be read or does not verify.
    pub fn of_keys(home: &MemberHome, keys: MemberKeys) -> Result<Self, HomeError> {
        let environment = Environment::default();
        let roster = RosterHandle::new(home.roster(environment.clock.now_ms())?);
        let membership = Membership::new(
            roster.clone(),
            home.anchor()?,
            environment.clock.clone(),
            Arc::new(HomeStore::new(home)),
            Arc::new(|work| work()),
        );
        Ok(Self {
            member: home.settings().member.clone(),
            roster,
            membership: Some(membership),
            identity: keys.identity,
            tls: keys.tls,
            sealing: Keyring::following(home, keys.sealing),
            environment,
            socket: None,
            limits: Limits::default(),
            patience: PATIENCE,
            heads: Arc::new(Heads::of_home(home)),
        })
    }
}

/// A member's program. Clones share its session.
#[derive(Clone)]
pub struct Client(Arc<Parts>);

struct Parts {
    member: String,
    roster: RosterHandle,
    identity: Arc<SigningKey>,
    sealing: Keyring,
    environment: Environment,
    link: connect::Link,
    verifier: Verifier,
    patience: Duration,
    heads: Arc<Heads>,
}

impl Client {
    /// Connects to the member's home node.
    ///
    /// # Errors
    /// [`ConnectError`], after the configured patience if the node cannot be reached, at once if
    /// waiting cannot help.
    pub async fn connect(config: ClientConfig) -> Result<Self, ConnectError> {
        let patience = config.patience;
        let client = Self::new(config).await?;
        client.0.link.session(patience).await?;
        Ok(client)
    }

    /// A client that connects when it is first asked for something.
    ///
    /// # Errors
    /// [`ConnectError`] if the roster does not list the member with these keys or no socket can
    /// be had.
    pub async fn new(config: ClientConfig) -> Result<Self, ConnectError> {
        let (link, heads) = (connect::Link::new(&config).await?, config.heads);
        Ok(Self(Arc::new(Parts {
            verifier: Verifier::watching(config.roster.clone(), heads.clone()),
            heads,
            member: config.member,
            roster: config.roster,
            identity: Arc::new(config.identity),
            sealing: config.sealing,
            environment: config.environment,
            patience: config.patience,
            link,
        })))
    }

    /// Who it speaks for.
    #[must_use]
    pub fn member(&self) -> &str {
        &self.0.member
    }

    /// The roster, to look things up in and to replace with a newer one.
    #[must_use]
    pub fn roster(&self) -> &RosterHandle {
        &self.0.roster
    }

    /// How a newer roster is learned of; none: the roster stays as it is.
    #[must_use]
    pub fn membership(&self) -> Option<&Membership> {
        self.0.link.membership()
    }

    /// Verifies receipts against the roster.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.0.verifier
    }

    /// Compares what logs have shown, for at most two seconds, ends the session and waits until the node
    /// was told. Every later call fails.
    pub async fn close(&self) {
        if self.0.link.is_connected().await {
            // What cannot be compared in time is forgotten: the next run compares what it is shown then.
            let _ = tokio::time::timeout(COMPARE_WAIT, self.compare_logs()).await;
        }
        self.0.link.close().await;
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("member", &self.0.member)
            .finish_non_exhaustive()
    }
}

/// Why there is no session with the home node.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The roster does not list the member, or not with this connection key.
    #[error("the roster does not list this member with this connection key")]
    NotListed,
    /// The roster names no address of the home node that can be resolved.
    #[error("the roster names no usable address of the home node")]
    NoAddress,
    /// Socket, handshake or Hello.
    #[error("there is no session with the home node")]
    Transport(#[from] TransportError),
}

impl From<&ConnectError> for WireCode {
    fn from(error: &ConnectError) -> Self {
        match error {
            ConnectError::NotListed => Self::NotTrusted,
            ConnectError::NoAddress => Self::Unreachable,
            ConnectError::Transport(error) => error.into(),
        }
    }
}

impl From<ConnectError> for WireCode {
    fn from(error: ConnectError) -> Self {
        Self::from(&error)
    }
}

/// Why a receipt is not shown as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnprovenError {
    /// It does not verify.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// It names a node that is not in the roster.
    #[error("the receipt is by a node that is not in the roster")]
    UnknownNode,
    /// The node speaks for members that it does not serve.
    #[error("the node speaks for members that it does not serve")]
    NotItsMember,
    /// The member's own statement inside does not verify or says something else.
    #[error("the member's statement inside the receipt does not hold")]
    MemberStatement,
    /// It states something else than what was asked for.
    #[error("the receipt states something else than what belongs here")]
    OutOfPlace,
}

impl From<UnprovenError> for WireCode {
    fn from(error: UnprovenError) -> Self {
        match error {
            UnprovenError::Receipt(error) => error.into(),
            UnprovenError::UnknownNode => Self::NotTrusted,
            _ => Self::BadReceipt,
        }
    }
}
