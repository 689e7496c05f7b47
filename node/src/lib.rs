//! What an operator runs: a FREX node and the `frex` command.
//!
//! [`disk`] is the only door to files, [`journal`] the only truth kept behind it, [`index`]
//! whatever can be derived from the journal again. [`config`] and [`home`] are what an operator
//! sets up, [`metrics`] what is counted, [`cli`] the command itself.

#![forbid(unsafe_code)]

pub mod cli;
pub mod config;
pub mod disk;
pub mod home;
pub mod index;
pub mod journal;
pub mod metrics;
