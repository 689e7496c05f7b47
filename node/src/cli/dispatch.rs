//! From arguments to an exit code: the only way out of the program.

use std::process::ExitCode;

use clap::Parser;

use super::{
    Cli, Command, FederationCommand, LogCommand, ReceiptCommand, RosterCommand, completions,
    errors, failure::Done, federation, fsck, init, log, receipt, roster, run,
    status,
};

/// Runs the command that the process was started with. Spec: CLI-2.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, everything else was called wrongly.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let json = cli.json;
    match run_command(cli.command, json) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            failure.report(json);
            ExitCode::from(failure.exit())
        }
    }
}

fn run_command(command: Command, json: bool) -> Done {
    match command {
        Command::Init(args) => init::init(&args, json),
        Command::Federation(FederationCommand::Init(args)) => federation::init(&args, json),
        Command::Roster(RosterCommand::Make(args)) => roster::make::make(&args, json),
        Command::Roster(RosterCommand::Sign(args)) => roster::make::sign(&args, json),
        Command::Roster(RosterCommand::Show(args)) => roster::show::show(&args, json),
        Command::Roster(RosterCommand::Install(args)) => roster::install::install(&args, json),
        Command::Receipt(ReceiptCommand::Verify(args)) => receipt::verify::verify(&args, json),
        Command::Receipt(ReceiptCommand::Ls(args)) => receipt::list::list(&args.dir, json),
        Command::Log(LogCommand::Checkpoint(args)) => log::checkpoint(&args.dir, json),
        Command::Log(LogCommand::Prove(args)) => log::prove(&args, json),
        Command::Log(LogCommand::Verify(args)) => log::verify::verify(&args.dir, json),
        Command::Log(LogCommand::Export(args)) => log::export(&args, json),
        Command::Run(args) => run::run(&args, json),
        Command::Fsck(args) => fsck::fsck(&args, json),
        Command::Status(args) => status::status(&args.dir, json),
        Command::Errors(args) => errors::errors(args.code.as_deref(), json),
        Command::Send(_)|Command::Inbox(_)|Command::Show(_)|Command::Demo(_)|Command::Receipt(ReceiptCommand::Fetch(_)) => unreachable!(),
        Command::Completions(args) => Ok(completions::completions(args.shell)),
    }
}
