//! Cases between real processes: what members say about a report, by when, what it comes to, and what is
//! counted of it.
#![allow(clippy::unwrap_used, missing_docs)]

mod figures;
mod life;
mod many;
mod past;
mod requests;
mod scene;
