//! What an operator runs: a FREX node and the `frex` command.
//!
//! [`disk`] is the only door to files, [`journal`] the only truth kept behind it, [`index`]
//! whatever can be derived from the journal again.

#![forbid(unsafe_code)]

pub mod disk;
pub mod index;
pub mod journal;
