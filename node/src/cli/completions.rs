//! `frex completions`.

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::Cli;

/// Prints the completion script of a shell.
pub fn completions(shell: Shell) -> u8 {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "frex", &mut script);
    super::output::data(String::from_utf8_lossy(&script).trim_end());
    0
}
