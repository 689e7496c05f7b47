//! Casework, in processes: what the people see of it.
#![allow(clippy::unwrap_used, missing_docs)]

mod deconfliction;
