//! The session with the home node: made when needed, made again when lost.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::{
    delivery::Backoff,
    error::{Retry, WireCode},
    log::Checkpoint,
    roster::Peer,
    session::RosterNews,
    v1::Lane,
};
use tokio::{sync::Mutex, task::JoinHandle, time::Instant};

use super::{ClientConfig, ConnectError};
use crate::{
    environment::Environment,
    heads::Heads,
    membership::Membership,
    tls::Identity,
    transport::{Endpoint, EndpointConfig, Greeter, Session, Socket, TransportError},
};

/// How long a call waits for a newer roster before it goes on with the one it has.
const FETCH_WAIT: Duration = Duration::from_secs(5);

/// The way to the home node.
pub(super) struct Link {
    endpoint: Endpoint,
    greeter: Greeter,
    member: String,
    environment: Environment,
    membership: Option<Membership>,
    session: Arc<Mutex<Option<Held>>>,
    heads: Arc<Heads>,
}

/// A session, and the task that learns of news of the roster over it.
struct Held {
    session: Session,
    _following: Option<Following>,
}

/// Ends its task when it is dropped: the task holds the session open.
struct Following(JoinHandle<()>);

impl Drop for Following {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Link {
    pub(super) async fn new(config: &ClientConfig) -> Result<Self, ConnectError> {
        let us = Peer::Client(config.member.clone());
        let identity = Identity::new(&config.tls).map_err(TransportError::from)?;
        let roster = config.roster.current();
        let now_ms = config.environment.clock.now_ms();
        if roster.owner_of_tls_key(identity.public_key(), now_ms) != Some(&us) {
            return Err(ConnectError::NotListed);
        }
        let (seen, listed) = (config.heads.clone(), config.roster.clone());
        let greeter = Greeter {
            seen: Arc::new(move |node| {
                let log = listed.current().log_verifier(node);
                log.map_or_else(Bytes::new, |log| seen.newest(&log.origin))
            }),
            ..Greeter::new(us, config.roster.clone(), config.environment.clone())
        };
        let socket = match &config.socket {
            Some(socket) => socket.clone(),
            None => {
                let (_, addresses) = home(&greeter, &config.member)?;
                let resolved = resolve(&addresses).await;
                Socket::toward(*resolved.first().ok_or(ConnectError::NoAddress)?)
            }
        };
        let endpoint = Endpoint::bind(EndpointConfig {
            socket,
            identity,
            key_check: greeter.key_check(),
            key_exchange: greeter.key_exchange(),
            limits: config.limits.clone(),
            listen: false,
            rng_seed: config.environment.random.endpoint_seed(),
        })?;
        Ok(Self {
            endpoint,
            greeter,
            member: config.member.clone(),
            environment: config.environment.clone(),
            membership: config.membership.clone(),
            session: Arc::default(),
            heads: config.heads.clone(),
        })
    }

    /// Whether there is a session at this moment.
    pub(super) async fn is_connected(&self) -> bool {
        let held = self.session.lock().await;
        held.as_ref().is_some_and(|held| !held.session.is_closed())
    }

    pub(super) fn membership(&self) -> Option<&Membership> {
        self.membership.as_ref()
    }

    /// The present session, or a new one. Looks for the node for as long as `patience` says, with
    /// growing pauses, unless waiting cannot help. Callers that come meanwhile wait for the same
    /// attempt. Spec: MBR-1.
    pub(super) async fn session(&self, patience: Duration) -> Result<Session, ConnectError> {
        let deadline = Instant::now() + patience;
        let mut held = self.session.lock().await;
        if let Some(held) = held.as_ref().filter(|held| !held.session.is_closed()) {
            return Ok(held.session.clone());
        }
        let mut backoff = Backoff::default();
        loop {
            let error = match self.dial().await {
                Ok(session) => {
                    *held = Some(self.hold(session.clone()).await);
                    return Ok(session);
                }
                Err(error) => error,
            };
            if WireCode::from(&error).info().retry != Retry::Later {
                return Err(error);
            }
            let pause = self.pause(&mut backoff);
            if Instant::now() + pause >= deadline {
                return Err(error);
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Takes a newer roster first if the node says that it has one, and stays informed.
    /// Spec: DIS-4.
    async fn hold(&self, session: Session) -> Held {
        let Some(membership) = self.membership.clone() else {
            return Held {
                session,
                _following: None,
            };
        };
        if session.peer().roster == RosterNews::PeerIsAhead {
            let fetched = tokio::time::timeout(FETCH_WAIT, membership.refresh(&session)).await;
            if let Ok(Err(error)) = fetched {
                tracing::warn!(%error, "the newer roster cannot be fetched");
            }
        }
        let (followed, mut rng) = (session.clone(), self.environment.random.rng());
        let following = tokio::spawn(async move {
            if let Err(error) = membership.follow(&followed, &mut rng).await {
                tracing::debug!(%error, "no more news of the roster over this session");
            }
        });
        Held {
            session,
            _following: Some(Following(following)),
        }
    }

    /// The wait before the next attempt.
    pub(super) fn pause(&self, backoff: &mut Backoff) -> Duration {
        let mut rng = self.environment.random.rng();
        Duration::from_millis(backoff.failed(Lane::Urgent, &mut rng))
    }

    pub(super) async fn close(&self) {
        self.endpoint.close(WireCode::ShuttingDown);
        self.endpoint.wait_idle().await;
    }

    async fn dial(&self) -> Result<Session, ConnectError> {
        let (node, addresses) = home(&self.greeter, &self.member)?;
        let greeting = self.greeter.dialling(&node);
        let mut last = ConnectError::NoAddress;
        for address in resolve(&addresses).await {
            match self.endpoint.dial(address, &greeting).await {
                Ok(session) => {
                    let shown = &session.peer().checkpoint;
                    if let Ok(head) = Checkpoint::of_note(shown) {
                        self.heads.pass(&node, &head, shown);
                    }
                    return Ok(session);
                }
                Err(error) => {
                    tracing::debug!(%node, %error, "cannot connect");
                    last = error.into();
                }
            }
        }
        Err(last)
    }
}

/// The home node and its addresses, by the roster of this moment.
fn home(greeter: &Greeter, member: &str) -> Result<(String, Vec<String>), ConnectError> {
    let roster = greeter.roster.current();
    let node = roster.home_node(member).ok_or(ConnectError::NotListed)?;
    let now_ms = greeter.environment.clock.now_ms();
    Ok((node.id.clone(), node.addresses_at(now_ms).to_vec()))
}

/// Literal addresses need no resolver; names are asked for anew each time.
async fn resolve(addresses: &[String]) -> Vec<SocketAddr> {
    let mut resolved = Vec::new();
    for address in addresses {
        if let Ok(address) = address.parse() {
            resolved.push(address);
        } else if let Ok(found) = tokio::net::lookup_host(address).await {
            resolved.extend(found);
        }
    }
    resolved
}
