//! The envelope as its parties use it, and every way to tamper with one.

#![allow(clippy::unwrap_used)]

mod forwarding;
mod opening;
mod shape;
mod support;
mod tampering;
