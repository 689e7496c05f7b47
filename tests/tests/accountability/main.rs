//! Nobody rewrites a log unseen, in processes: not its owner, and not whoever brings back an old copy;
//! and what happened is shown to others so that it proves itself.
#![allow(clippy::unwrap_used, missing_docs)]

mod audit;
mod backup;
mod disclosure;
mod erased;
mod erasure;
mod evidence;
mod outside;
mod post_quantum;
mod provisional;
mod scene;
mod tampering;
mod witnesses;
