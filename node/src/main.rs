//! The `frex` command.

#![forbid(unsafe_code)]

fn main() {}
