//! Connects to another node, as a node.

use std::net::SocketAddr;

use frex_client::transport::{Session, TransportError};

use crate::shared::Shared;

/// A session with `node`, by the first of its addresses that answers.
///
/// # Errors
/// What the last one tried said.
pub async fn dial(shared: &Shared, node: &str) -> Result<Session, TransportError> {
    let roster = shared.roster();
    let listed = roster.node(node).ok_or(TransportError::NotTrusted)?;
    let greeting = shared.greeter.dialling(node);
    let mut failure = TransportError::Unreachable;
    for address in listed.addresses_at(shared.now_ms()) {
        for address in resolve(address).await {
            match shared.endpoint.dial(address, &greeting).await {
                Ok(session) => {
                    shared.greeted(session.peer());
                    return Ok(session);
                }
                Err(error) => failure = error,
            }
        }
    }
    Err(failure)
}

/// Addresses behind `host:port`; an address in figures asks no resolver.
async fn resolve(address: &str) -> Vec<SocketAddr> {
    if let Ok(address) = address.parse() {
        return vec![address];
    }
    match tokio::net::lookup_host(address).await {
        Ok(found) => found.collect(),
        Err(_) => Vec::new(),
    }
}
