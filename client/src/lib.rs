//! What a FREX member's program needs: keys, connection, submit, inbox.
//!
//! Read in this order: [`environment`] (time and randomness), [`tls`] (who may talk),
//! [`transport`] (how bytes travel), [`keys`] (what a member keeps on disk).

#![forbid(unsafe_code)]

pub mod environment;
#[cfg(test)]
mod fixture;
pub mod keys;
pub mod tls;
pub mod transport;
