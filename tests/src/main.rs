//! The `frex` command, built with the tests so that they can start it as a real process.

#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    frex_node::cli::main()
}
