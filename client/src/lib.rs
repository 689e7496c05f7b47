//! What a FREX member's program needs: keys, connection, submit, inbox.
//!
//! Read in this order: [`environment`] (time and randomness), [`tls`] (who may talk),
//! [`transport`] (how bytes travel), [`attachment`] (how files travel), [`join`] (how newcomers
//! meet a member), [`membership`] (how news of the roster come), [`heads`] (what was seen of logs), [`passphrase`] and [`keys`] (what
//! a member keeps on disk), [`client`] (submit and inbox), [`report`] and
//! [`casework`] (what is said inside), [`sent`] (what was sent before), [`near`] (what was mistyped), [`monitor`] (a log followed from outside).

#![forbid(unsafe_code)]

pub mod attachment;
pub mod casework;
pub mod client;
pub mod environment;
#[cfg(test)]
mod fixture;
pub mod heads;
pub mod join;
pub mod keys;
pub mod membership;
pub mod monitor;
pub mod near;
pub mod passphrase;
pub mod report;
pub mod sent;
pub mod tls;
pub mod transport;
