//! Cases between real processes: what members say about a report, by when, what it comes to, what is
//! counted of it, and who else holds what it names.
#![allow(clippy::unwrap_used, missing_docs)]

mod deconfliction;
mod figures;
mod life;
mod many;
mod past;
mod requests;
mod routing;
mod scene;
mod slips;
mod story;
