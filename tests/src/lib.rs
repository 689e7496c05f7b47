//! What the tests and benchmarks of FREX share.
//!
//! [`federation`] makes members, nodes and rosters. [`sim`] is a world in one process: a network
//! that loses and a disk that forgets, both decided by one seed; [`scene`] is a federation in it.
//! [`processes`] runs the `frex` command, [`published`] makes logs and serves them, [`refuser`] is a node that refuses. [`mod@bench`] is two nodes in processes of their own.
//! [`reports`] makes reports up. [`pinned_tls`] is the plainest mutual TLS, for what is measured or tested without FREX's own
//! transport.

#![forbid(unsafe_code)]

pub mod bench;
pub mod federation;
pub mod pinned_tls;
pub mod processes;
pub mod published;
pub mod refuser;
pub mod reports;
pub mod scene;
pub mod sim;
