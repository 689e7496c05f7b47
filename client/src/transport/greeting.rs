//! Greetings by the roster: who we are, and whether the peer is who it says.

use std::sync::Arc;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    limits,
    roster::{Peer, Roster},
    session::{self, SessionLimits, SessionPeer},
    v1,
};
use tokio::sync::watch;

use super::{Greeting, Session};
use crate::{
    environment::Environment,
    tls::{KeyCheck, KeyExchange},
};

/// The roster in force. Clones share it, and it is replaced whole.
#[derive(Debug, Clone)]
pub struct RosterHandle(Arc<watch::Sender<Arc<Roster>>>);

impl RosterHandle {
    /// A handle on a judged roster.
    #[must_use]
    pub fn new(roster: Roster) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(roster))))
    }

    /// The roster at this moment.
    #[must_use]
    pub fn current(&self) -> Arc<Roster> {
        Arc::clone(&self.0.borrow())
    }

    /// Puts another roster in force. Whether it may follow the present one is judged before.
    pub fn replace(&self, roster: Roster) {
        self.0.send_replace(Arc::new(roster));
    }

    /// Tells whenever another roster comes into force.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<Arc<Roster>> {
        self.0.subscribe()
    }
}

/// Makes the greetings of one node or member.
#[derive(Clone)]
pub struct Greeter {
    /// Who we are.
    pub us: Peer,
    /// By which everyone is judged.
    pub roster: RosterHandle,
    /// Our clock, and randomness for the meaningless feature of each Hello.
    pub environment: Environment,
    /// What we take at once.
    pub limits: SessionLimits,
    /// Our log's newest checkpoint; empty bytes for a member, which has no log.
    pub checkpoint: Arc<dyn Fn() -> Bytes + Send + Sync>,
    /// The newest checkpoint that we have seen of the log of the peer with this id, or empty bytes.
    pub seen: Arc<dyn Fn(&str) -> Bytes + Send + Sync>,
}

impl Greeter {
    /// A greeter of someone without a log.
    #[must_use]
    pub fn new(us: Peer, roster: RosterHandle, environment: Environment) -> Self {
        Self {
            us,
            roster,
            environment,
            limits: SessionLimits::default(),
            checkpoint: Arc::new(Bytes::new),
            seen: Arc::new(|_| Bytes::new()),
        }
    }

    /// Lets every listed key finish its handshake, also that of someone suspended or revoked,
    /// whom the judgement of the Hello then refuses with the reason. Spec: TLS-3, SES-4.
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        let roster = self.roster.clone();
        Arc::new(move |key| roster.current().listed_owner_of_tls_key(key).is_some())
    }

    /// The key exchanges that the roster's policy allows. Spec: TLS-6.
    #[must_use]
    pub fn key_exchange(&self) -> KeyExchange {
        if self.roster.current().allow_classical() {
            KeyExchange::ClassicalTolerated
        } else {
            KeyExchange::HybridOnly
        }
    }

    /// For those who dial us.
    #[must_use]
    pub fn listening(&self) -> Greeting {
        let (maker, judge) = (self.clone(), self.clone());
        Greeting {
            make: Arc::new(move |peer| {
                maker.hello(peer.map(|peer| peer.peer.id()).unwrap_or_default())
            }),
            judge: Arc::new(move |hello, key| judge.judge(hello, key)),
        }
    }

    /// For dialling `node`, and nobody else. Spec: TRN-2.
    #[must_use]
    pub fn dialling(&self, node: &str) -> Greeting {
        let (maker, judge) = (self.clone(), self.clone());
        let expected = Peer::Node(node.to_owned());
        let receiver = node.to_owned();
        Greeting {
            make: Arc::new(move |_| maker.hello(&receiver)),
            judge: Arc::new(move |hello, key| {
                let roster = judge.roster.current();
                if roster.listed_owner_of_tls_key(key) == Some(&expected) {
                    judge.judge(hello, key)
                } else {
                    Err(WireCode::WrongNode)
                }
            }),
        }
    }

    /// Whether the peer of a session may still act by the roster of this moment. Spec: DIS-9.
    ///
    /// # Errors
    /// The code with which the session is to be closed.
    pub fn check(&self, session: &Session) -> Result<(), WireCode> {
        let roster = self.roster.current();
        let peer = &session.peer().peer;
        let now_ms = self.environment.clock.now_ms();
        if roster.owner_of_tls_key(session.peer_key(), now_ms) == Some(peer) {
            return match peer {
                Peer::Client(member) if !roster.is_served_by(member, self.us.id()) => {
                    Err(WireCode::WrongNode)
                }
                _ => Ok(()),
            };
        }
        let listed = match peer {
            Peer::Node(node) => roster.node(node).is_some(),
            Peer::Client(member) => roster.member(member).is_some(),
        };
        Err(if listed && !roster.is_live(peer) {
            WireCode::Revoked
        } else {
            WireCode::NotTrusted
        })
    }

    fn hello(&self, receiver: &str) -> v1::Hello {
        let mut checkpoint = (self.checkpoint)();
        // A longer one, with many cosignatures, is fetched when it is wanted: a Hello has room for the log's lines.
        if checkpoint.len() > limits::SEEN_CHECKPOINT_BYTES_MAX {
            checkpoint.clear();
        }
        let hello = session::build_hello(
            &self.roster.current(),
            &self.us,
            receiver,
            checkpoint,
            &self.limits,
            self.environment.clock.now_ms(),
            &mut self.environment.random.rng(),
        );
        v1::Hello {
            seen: (self.seen)(receiver),
            ..hello
        }
    }

    fn judge(&self, hello: &v1::Hello, key: &[u8; 32]) -> Result<SessionPeer, WireCode> {
        let roster = self.roster.current();
        let now_ms = self.environment.clock.now_ms();
        let owner = roster
            .listed_owner_of_tls_key(key)
            .ok_or(WireCode::NotTrusted)?;
        let ended = roster.is_live(owner) && roster.owner_of_tls_key(key, now_ms).is_none();
        if ended {
            return Err(WireCode::NotTrusted);
        }
        let us = self.us.id();
        Ok(session::judge_hello(hello, owner, &roster, us, now_ms)?)
    }
}
