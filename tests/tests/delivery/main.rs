//! Delivery that loses nothing: real processes.
#![allow(clippy::unwrap_used, missing_docs)]

mod admission;
mod attachments;
mod bulk;
mod outbox;
mod passed_on;
mod recall;
