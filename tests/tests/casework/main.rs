//! Casework between real processes.
#![allow(clippy::unwrap_used, missing_docs)]

mod figures;
mod past;
