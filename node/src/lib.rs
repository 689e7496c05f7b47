//! What an operator runs: a FREX node and the `frex` command.
//!
//! [`disk`] is the only door to files, [`journal`] the only truth kept behind it, [`index`]
//! whatever can be derived from the journal again, [`ledger`] the three together. [`listen`] and
//! [`intake`] take envelopes in, as far as [`admission`] lets them, [`delivery`] brings them to their
//! recipients' nodes, [`recall`] takes them back, [`erasure`] lets them go for good, and [`shared`] is what their tasks have in common;
//! [`node`] starts and stops the whole. [`config`] and [`home`] are what an operator sets up,
//! [`join`] how newcomers come in, [`suspension`] with whom one does not exchange for a time, [`backup`] a copy
//! that a node can be made of again, [`anew`] what is kept when a log cannot go on, [`metrics`] what is counted, and [`cli`] is the command line on top.

#![forbid(unsafe_code)]

pub mod admission;
pub mod anew;
pub mod attachments;
pub mod backup;
pub mod bells;
pub mod cli;
pub mod config;
pub mod delivery;
pub mod disk;
pub mod erasure;
pub mod frames;
pub mod home;
pub mod http;
pub mod index;
pub mod intake;
pub mod join;
pub mod journal;
pub mod leases;
pub mod ledger;
pub mod listen;
pub mod metrics;
pub mod node;
pub mod recall;
pub mod shared;
pub mod suspension;
pub mod witness;
pub mod workers;
