//! The newcomer's side: connect to the pinned key, show the card, judge the answer.

use std::{net::SocketAddr, sync::Arc};

use frex_proto::{
    error::WireCode,
    join::{ALPN, Decision, Host, judge_answer, request},
    keys::SigningKey,
    label::{Hash, sha256},
    limits,
};
use quinn::Connection;

use super::{KnockError, Newcomer, channel, read_message};
use crate::{
    tls::{Identity, KeyExchange, config::Limits},
    transport::{Endpoint, EndpointConfig, Socket, TransportError, close_code},
};

/// Knocks once: tells what our side has decided, and learns who the inviter is, its roster and
/// what it has decided. Spec: JOI-3, JOI-5, JOI-8.
///
/// # Errors
/// [`KnockError`].
pub async fn knock(newcomer: &Newcomer, decision: &Decision) -> Result<Host, KnockError> {
    let invitation = &newcomer.invitation;
    let now_ms = newcomer.environment.clock.now_ms();
    if now_ms >= invitation.expires_ms {
        return Err(KnockError::Expired);
    }
    let mut last = KnockError::NoAddress;
    for address in resolve(&invitation.address).await {
        let endpoint = endpoint(newcomer, address)?;
        let connected = endpoint.connect(address).await;
        let outcome = match connected {
            Ok(connection) => talk(&connection, newcomer, decision).await,
            Err(TransportError::NotTrusted) => Err(KnockError::OtherListener),
            Err(error) => Err(error.into()),
        };
        endpoint.close(WireCode::ShuttingDown);
        endpoint.wait_idle().await;
        match outcome {
            Err(KnockError::Transport(error)) => last = error.into(),
            other => return other,
        }
    }
    Err(last)
}

pub(super) fn endpoint(
    newcomer: &Newcomer,
    address: SocketAddr,
) -> Result<Endpoint, TransportError> {
    let random = &newcomer.environment.random;
    let socket = newcomer.socket.clone();
    let pinned = newcomer.invitation.listener_key;
    let config = EndpointConfig {
        socket: socket.unwrap_or_else(|| Socket::toward(address)),
        // The statement proves who we are; a key for this one connection says nothing more.
        identity: Identity::new(&SigningKey::generate(&mut random.rng()))?,
        key_check: Arc::new(move |key| *key == pinned),
        key_exchange: KeyExchange::HybridOnly,
        limits: Limits::default(),
        listen: false,
        rng_seed: random.endpoint_seed(),
    };
    Endpoint::bind_for(ALPN, config)
}

async fn talk(
    connection: &Connection,
    newcomer: &Newcomer,
    decision: &Decision,
) -> Result<Host, KnockError> {
    let invitation = &newcomer.invitation;
    let channel: Hash = channel(connection)?;
    let (mut send, mut receive) = connection.open_bi().await.map_err(TransportError::from)?;
    let question = request(
        invitation,
        &newcomer.card,
        &newcomer.member,
        &newcomer.identity,
        decision,
        &channel,
    )?;
    send.write_all(&question)
        .await
        .map_err(TransportError::from)?;
    send.finish().map_err(|_| TransportError::StreamClosed)?;
    let answer = read_message(&mut receive, limits::JOIN_ANSWER_BYTES_MAX).await?;
    connection.close(close_code(WireCode::ShuttingDown), &[]);
    let now_ms = newcomer.environment.clock.now_ms();
    let card_sha256 = sha256(&[&newcomer.card]);
    Ok(judge_answer(
        &answer,
        invitation,
        &card_sha256,
        &channel,
        now_ms,
    )?)
}

/// Literal addresses need no resolver.
async fn resolve(address: &str) -> Vec<SocketAddr> {
    if let Ok(address) = address.parse() {
        return vec![address];
    }
    tokio::net::lookup_host(address)
        .await
        .map(Iterator::collect)
        .unwrap_or_default()
}
