//! From arguments to an exit code: the only way out of the program.

use std::{env, ffi::OsString, path::PathBuf, process::ExitCode};

use clap::{ArgMatches, CommandFactory, FromArgMatches, error::ErrorKind};
use frex_proto::error::WireCode;

use super::{
    Cli, Command, FederationCommand, RosterCommand,
    attachment::{self, AttachmentCommand},
    backup::{self, BackupAction},
    bulk, casework, completions,
    deconflict::{self, DeconflictCommand},
    demo,
    doctor::{self, Format},
    erase::{self, EraseAction, EraseArgs, HoldCommand},
    errors,
    evidence::{self, EvidenceCommand},
    failure::{Done, Failure},
    federation, forward, fsck,
    hint::hint,
    inbox, init,
    invite::{self, InviteAction},
    join, key,
    log::{self, LogCommand},
    outbox::{self, OutboxCommand},
    passphrase,
    peer::{self, PeerCommand},
    recall,
    receipt::{self, ReceiptCommand},
    report::{self, ReportCommand},
    roster,
    route::{self, RouteAction},
    run, send, show,
    stats::{self, StatsCommand, SumCommand},
    status,
};

/// Runs the command that the process was started with. Spec: CLI-2.
#[must_use]
pub fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().collect();
    let matches = Cli::command().try_get_matches_from(&words);
    let parsed =
        matches.and_then(|matches| Ok((Cli::from_arg_matches(&matches)?, folder(&matches))));
    let (cli, folder) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => {
            // Help and version are answers, everything else was called wrongly.
            let error = hint(error, &words);
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            match code != 0 && wants_json(&words) {
                true => called_wrongly(&error).report(true),
                false => drop(error.print()),
            }
            return ExitCode::from(code);
        }
    };
    let named = matches!(&cli.command, Command::Doctor(args) if args.format == Some(Format::Json));
    let json = cli.json || named;
    passphrase::name_descriptors(cli.passphrase_fd, cli.pin_fd);
    match run_command(cli.command, json) {
        Ok(code) => ExitCode::from(code),
        Err(failure) => {
            let failure = match &folder {
                Some(folder) => failure.in_folder(folder),
                None => failure,
            };
            failure.report(json);
            ExitCode::from(failure.exit())
        }
    }
}

/// Whether errors are to be JSON, of a command that was not understood.
fn wants_json(words: &[OsString]) -> bool {
    let options = words.iter().take_while(|word| *word != "--");
    options.into_iter().any(|word| word == "--json")
}

/// What the parser of arguments says, as every other failure is said: its first sentence is what
/// happened, its tips and usage are what to do. Spec: CLI-3.
fn called_wrongly(error: &clap::Error) -> Failure {
    let text = error.to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let usage = text.lines().find(|line| line.starts_with("Usage: "));
        return Failure::new(WireCode::BadInput, "a part of the command is missing")
            .cause("it needs a verb or an argument")
            .advise(usage.unwrap_or("frex --help"));
    }
    let mut parts = text.split("\n\n").map(|part| {
        let words: Vec<&str> = part.split_whitespace().collect();
        words.join(" ")
    });
    let first = parts.next().unwrap_or_default();
    let what = first.strip_prefix("error: ").unwrap_or(&first).to_owned();
    let rest: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    let failure =
        Failure::new(WireCode::BadInput, what).cause("the words of the command do not fit");
    match rest.is_empty() {
        true => failure.advise("frex --help"),
        false => failure.advise(rest.join("; ")),
    }
}

/// The folder that the command is about, whichever way it was named.
fn folder(matches: &ArgMatches) -> Option<PathBuf> {
    let mut matches = matches;
    while let Some((_, verb)) = matches.subcommand() {
        matches = verb;
    }
    let named = |argument| matches.try_get_one::<PathBuf>(argument).ok().flatten();
    named("dir").or_else(|| named("from")).cloned()
}

fn run_command(command: Command, json: bool) -> Done {
    match command {
        Command::Init(args) => init::init(&args, json),
        Command::Federation(command) => federation(command, json),
        Command::Roster(command) => roster(command, json),
        Command::Key(command) => key::key(&command, json),
        Command::Run(args) => run::run(&args, json),
        Command::Invite(args) => match args.action {
            None => invite::open::open(&args.open, json),
            Some(InviteAction::Ls(args)) => invite::list::list(&args, json),
            Some(InviteAction::Rm(args)) => invite::list::remove(&args, json),
        },
        Command::Join(args) => join::join(&args, json),
        Command::Peer(PeerCommand::Ls(args)) => peer::list::list(&args, json),
        Command::Peer(PeerCommand::Show(args)) => peer::list::show(&args, json),
        Command::Peer(PeerCommand::Accept(args)) => peer::decide::accept(&args, json),
        Command::Peer(PeerCommand::Refuse(args)) => peer::decide::refuse(&args, json),
        Command::Peer(PeerCommand::Suspend(args)) => peer::suspend::suspend(&args, json),
        Command::Peer(PeerCommand::Resume(args)) => peer::suspend::resume(&args, json),
        Command::Peer(PeerCommand::Rm(args)) => peer::remove::remove(&args, json),
        Command::Peer(PeerCommand::Test(args)) => peer::test::test(&args, json),
        Command::Peer(PeerCommand::Ping(args)) => peer::ping::ping(&args, json),
        Command::Report(command) => report(&command, json),
        Command::Route(args) => match &args.action {
            Some(RouteAction::Verify(args)) => route::verify::verify(args, json),
            None => route::preview::preview(&args, json),
        },
        Command::Send(args) => send::send(&args, json),
        Command::Bulk(args) => bulk::bulk(&args, json),
        Command::Inbox(args) => inbox::inbox(&args, json),
        Command::Show(args) => show::show(&args, json),
        Command::Outbox(command) => outbox(&command, json),
        Command::Forward(args) => forward::forward(&args, json),
        Command::Recall(args) => recall::recall(&args, json),
        Command::Deconflict(command) => deconflict(&command, json),
        Command::Erase(args) => erase(args, json),
        Command::Hold(HoldCommand::Set(args)) => erase::hold::set(&args, json),
        Command::Hold(HoldCommand::Release(args)) => erase::hold::release(&args, json),
        Command::Hold(HoldCommand::Ls(args)) => erase::list::list(&args.dir, true, json),
        Command::Casework(command) => casework::run(&command, json),
        Command::Attachment(AttachmentCommand::Ls(args)) => attachment::list::list(&args, json),
        Command::Attachment(AttachmentCommand::Fetch(args)) => {
            attachment::fetch::fetch(&args, json)
        }
        Command::Receipt(ReceiptCommand::Verify(args)) => receipt::verify::verify(&args, json),
        Command::Receipt(ReceiptCommand::Ls(args)) => receipt::list::list(&args.dir, json),
        Command::Receipt(ReceiptCommand::Fetch(args)) => receipt::fetch::fetch(&args, json),
        Command::Evidence(command) => evidence(&command, json),
        Command::Stats(command) => stats(&command, json),
        Command::Log(LogCommand::Checkpoint(args)) => log::checkpoint(&args, json),
        Command::Log(LogCommand::Prove(args)) => log::prove(&args, json),
        Command::Log(LogCommand::Verify(args)) => log::verify::verify(&args, json),
        Command::Log(LogCommand::Export(args)) => log::export::export(&args, json),
        Command::Log(LogCommand::Audit(args)) => log::audit::audit(&args, json),
        Command::Log(LogCommand::Prune(args)) => log::prune::prune(&args, json),
        Command::Log(LogCommand::NewEpoch(args)) => log::new_epoch::new_epoch(&args, json),
        Command::Log(LogCommand::Evidence(args)) => log::evidence::evidence(&args.dir, json),
        Command::Status(args) => status::status(&args.dir, json),
        Command::Doctor(args) => doctor::examine::doctor(&args, json),
        Command::Fsck(args) => fsck::fsck(&args, json),
        Command::Backup(args) => match args.action {
            None => backup::backup(&args.make, json),
            Some(BackupAction::Verify(args)) => backup::verify::verify(&args, json),
        },
        Command::Restore(args) => backup::restore::restore(&args, json),
        Command::Errors(args) => errors::errors(args.code.as_deref(), json),
        Command::Completions(args) => Ok(completions::completions(args.shell)),
        Command::Demo(args) => demo::demo(&args, json),
    }
}

fn federation(command: FederationCommand, json: bool) -> Done {
    match command {
        FederationCommand::Init(args) => federation::init(&args, json),
        FederationCommand::Key(args) => federation::key::key(&args, json),
        FederationCommand::Propose(args) => federation::propose::propose(&args, json),
        FederationCommand::Sign(args) => federation::sign::sign(&args, json),
        FederationCommand::Combine(args) => federation::combine::combine(&args, json),
        FederationCommand::Show(args) => federation::show::show(&args, json),
    }
}

fn evidence(command: &EvidenceCommand, json: bool) -> Done {
    match command {
        EvidenceCommand::Export(args) => evidence::export::export(args, json),
        EvidenceCommand::Verify(args) => evidence::verify::verify(args, json),
        EvidenceCommand::Timeline(args) => evidence::timeline::timeline(args, json),
        EvidenceCommand::Disclose(args) => evidence::disclose::disclose(args, json),
        EvidenceCommand::Report(args) => evidence::report::report(args, json),
    }
}

fn report(command: &ReportCommand, json: bool) -> Done {
    match command {
        ReportCommand::Check(args) => report::check::check(args, json),
        ReportCommand::Import(args) => report::import::import(args, json),
        ReportCommand::Export(args) => report::export::export(args, json),
        ReportCommand::Show(args) => report::show::show(args, json),
        ReportCommand::Score(args) => report::score::score(args, json),
    }
}

fn stats(command: &StatsCommand, json: bool) -> Done {
    match command {
        StatsCommand::Make(args) => stats::make::make(args, json),
        StatsCommand::Count(args) => stats::count::count(args, json),
        StatsCommand::Show(args) => stats::show::show(args, json),
        StatsCommand::Verify(args) => stats::verify::verify(args, json),
        StatsCommand::Compare(args) => stats::compare::compare(args, json),
        StatsCommand::Publish(args) => stats::publish::publish(args, json),
        StatsCommand::Sum(SumCommand::Open(args)) => stats::sum::open(args, json),
        StatsCommand::Sum(SumCommand::Share(args)) => stats::sum::share(args, json),
        StatsCommand::Sum(SumCommand::Add(args)) => stats::sum::add(args, json),
        StatsCommand::Sum(SumCommand::Total(args)) => stats::sum::total(args, json),
        StatsCommand::Sum(SumCommand::Audit(args)) => stats::sum::audit(args, json),
        StatsCommand::Definitions => stats::show::list(json),
    }
}

fn deconflict(command: &DeconflictCommand, json: bool) -> Done {
    match command {
        DeconflictCommand::Desk(args) => deconflict::desk::desk(args, json),
        DeconflictCommand::Hold(args) => deconflict::hold::hold(args, json),
        DeconflictCommand::Ls(args) => deconflict::list::list(args, json),
        DeconflictCommand::Ask(args) => deconflict::ask::ask(args, json),
        DeconflictCommand::Answer(args) => deconflict::turn::answer(args, json),
        DeconflictCommand::Keys(args) => deconflict::keys::keys(args, json),
        DeconflictCommand::Contact(args) => deconflict::contact::contact(args, json),
    }
}

fn erase(args: EraseArgs, json: bool) -> Done {
    match (args.action, args.which) {
        (Some(EraseAction::Ls(args)), _) => erase::list::list(&args.dir, false, json),
        (Some(EraseAction::Export(args)), _) => erase::list::export(&args.dir),
        (Some(EraseAction::Again(args)), _) => erase::again::again(&args, json),
        (None, Some(which)) => erase::message::erase(&which, &args.dir, &args.how, json),
        (None, None) => Err(
            Failure::new(WireCode::BadInput, "which message is to be erased?")
                .advise("frex erase MESSAGE DIR --ground CODE --authority CODE"),
        ),
    }
}

fn outbox(command: &OutboxCommand, json: bool) -> Done {
    match command {
        OutboxCommand::Ls(args) => outbox::list::list(args, json),
        OutboxCommand::Show(args) => outbox::show::show(args, json),
        OutboxCommand::Requeue(args) => outbox::order::requeue(args, json),
        OutboxCommand::Drop(args) => outbox::order::drop(args, json),
    }
}

fn roster(command: RosterCommand, json: bool) -> Done {
    match command {
        RosterCommand::Propose(args) => roster::propose::propose(&args, json),
        RosterCommand::Sign(args) => roster::sign::sign(&args, json),
        RosterCommand::Combine(args) => roster::combine::combine(&args, json),
        RosterCommand::Freshness(args) => roster::freshness::freshness(&args, json),
        RosterCommand::Show(args) => roster::show::show(&args, json),
        RosterCommand::Diff(args) => roster::diff::diff(&args, json),
        RosterCommand::Verify(args) => roster::verify::verify(&args, json),
        RosterCommand::Install(args) => roster::install::install(&args, json),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_found_whatever_the_command_calls_it() {
        let folder = |words: &[&str]| folder(&Cli::command().get_matches_from(words));
        let send = ["frex", "send", "file", "--to", "a", "--from", "hotline"];
        assert_eq!(folder(&send), Some("hotline".into()));
        let ls = ["frex", "key", "ls", "police"];
        assert_eq!(folder(&ls), Some("police".into()));
        assert_eq!(folder(&["frex", "errors"]), None);
    }
}
