//! The `frex` command.

#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    frex_node::cli::main()
}
