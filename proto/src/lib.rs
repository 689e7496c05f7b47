//! The FREX protocol without IO.
//!
//! Nothing here opens a socket or a file, reads a clock, starts a thread or draws global
//! randomness: time and randomness are arguments, bytes go in and out. So a hostile byte string
//! can be tried against every rule here without a network, and a failure replays exactly.
//!
//! Read in this order: [`limits`] and [`label`] (constants), [`wire`] (frames), [`keys`] and
//! [`sign`] (who said it), [`envelope`] and [`attachment`] (what is carried), [`roster`] (who
//! may), [`log`] and [`receipt`] (what is provable), [`session`] and [`delivery`] (how it travels), [`evidence`] (what
//! is shown to others), [`join`] (how newcomers come in), [`error`] (what is refused). The normative text is in `spec/`.

#![forbid(unsafe_code)]

pub mod attachment;
pub mod delivery;
pub mod envelope;
pub mod erasure;
pub mod error;
pub mod evidence;
pub mod id;
pub mod join;
pub mod keys;
pub mod label;
pub mod limits;
pub mod log;
mod padding;
pub mod receipt;
pub mod roster;
pub mod session;
pub mod sign;
pub mod wire;

/// Messages as the schema in `schema/frex/v1` generates them.
///
/// They are shapes, not judgements: decode through the module that owns a message, which checks
/// its rules. Unknown fields are dropped on decode, so bytes that are signed or hashed are kept
/// and passed on as received, never encoded again.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
#[rustfmt::skip]
pub mod v1 {
    include!("gen/frex.v1.rs");
}
