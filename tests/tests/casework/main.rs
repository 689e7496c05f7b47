//! Cases between real processes: what members say about a report, by when, and what it comes to.
#![allow(clippy::unwrap_used, missing_docs)]

mod life;
mod many;
mod requests;
mod scene;
