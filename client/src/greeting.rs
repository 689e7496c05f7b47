//! How a roster turns into Hellos: the one place where keys, roster and connection meet.

use std::sync::Arc;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    roster::{Peer, Roster},
    session::{self, SessionLimits},
    v1,
};

use crate::{
    environment::Environment,
    tls::{KeyCheck, KeyExchange},
    transport::{Greeting, SessionPeer},
};

/// One party of the federation as its connections present it.
#[derive(Clone)]
pub struct Party {
    /// Who belongs to the federation.
    pub roster: Arc<Roster>,
    /// Who we are.
    pub us: Peer,
    /// Clock and randomness.
    pub environment: Environment,
    /// Our newest checkpoint, empty for a client.
    pub checkpoint: Arc<dyn Fn() -> Bytes + Send + Sync>,
}

impl Party {
    /// Which transport keys a peer may have: those the roster lists now. Spec: SES-3.
    #[must_use]
    pub fn key_check(&self) -> KeyCheck {
        let roster = Arc::clone(&self.roster);
        let clock = self.environment.clock.clone();
        Arc::new(move |key| roster.owner_of_tls_key(key, clock.now_ms()).is_some())
    }

    /// What the roster's transport policy asks for; never the peer's choice.
    #[must_use]
    pub fn key_exchange(&self) -> KeyExchange {
        if self.roster.allow_classical() {
            KeyExchange::ClassicalTolerated
        } else {
            KeyExchange::HybridOnly
        }
    }

    /// The Hello of a dialler that wants to talk to `node` and to nobody else.
    #[must_use]
    pub fn toward(&self, node: &str) -> Greeting {
        self.greeting(Some(node.to_owned()))
    }

    /// The Hello of a listener, which answers whoever the roster lists.
    #[must_use]
    pub fn listening(&self) -> Greeting {
        self.greeting(None)
    }

    fn greeting(&self, expected: Option<String>) -> Greeting {
        let (maker, judge) = (self.clone(), self.clone());
        let receiver = expected.clone().unwrap_or_default();
        Greeting {
            make: Arc::new(move |peer| maker.hello(peer.map_or(&receiver, |peer| &peer.id))),
            judge: Arc::new(move |hello, key| judge.judge(hello, key, expected.as_deref())),
        }
    }

    fn hello(&self, receiver: &str) -> v1::Hello {
        session::build_hello(
            &self.roster,
            &self.us,
            receiver,
            (self.checkpoint)(),
            &SessionLimits::default(),
            self.environment.clock.now_ms(),
            &mut self.environment.random.rng(),
        )
    }

    fn judge(
        &self,
        hello: &v1::Hello,
        key: &[u8; 32],
        expected: Option<&str>,
    ) -> Result<SessionPeer, WireCode> {
        let now_ms = self.environment.clock.now_ms();
        let owner = self
            .roster
            .owner_of_tls_key(key, now_ms)
            .ok_or(WireCode::NotTrusted)?;
        let judged = session::judge_hello(hello, owner, &self.roster, self.us.id(), now_ms)?;
        if expected.is_some_and(|expected| {
            expected != judged.peer.id() || judged.peer.role() != v1::PeerRole::Node
        }) {
            return Err(WireCode::WrongNode);
        }
        Ok(SessionPeer {
            id: judged.peer.id().to_owned(),
            role: judged.peer.role(),
        })
    }
}
