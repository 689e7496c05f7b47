//! Nobody rewrites a log unseen, in processes: not its owner, and not whoever brings back an old copy.
#![allow(clippy::unwrap_used, missing_docs)]

mod erasure;
mod outside;
mod witnesses;
