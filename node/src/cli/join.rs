//! `frex join`: the newcomer's answer to an invitation.

use std::{
    io::{self, BufRead, IsTerminal, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use clap::Args;
use frex_client::environment::Environment;
use frex_proto::{
    error::WireCode,
    join::{self, Invitation},
    limits,
};
use serde_json::json;
use zeroize::Zeroizing;

use super::{
    failure::{Done, Failure, OrFail},
    files, fingerprint, member, output, peer,
    time::{Span, rfc3339},
};
use crate::join::{AskError, DecisionRecord, PeerRecord, Peers};

/// `frex join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// File with the invitation; - or none: standard input, or a question at the terminal
    #[arg(long, value_name = "FILE")]
    pub code_file: Option<PathBuf>,
    /// The own card [default: DIR/MEMBER.card]
    #[arg(long, value_name = "FILE")]
    pub card: Option<PathBuf>,
    /// How long to wait for the other side's decision
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub wait: Span,
}

/// Shows the own card to whoever invites, and keeps who that is as pending.
pub fn join(args: &JoinArgs, json: bool) -> Done {
    check_arguments(args)?;
    let home = member::open(&args.dir)?;
    let settings = home.settings();
    let invitation = read_invitation(args)?;
    if invitation.federation != settings.federation {
        let what = format!(
            "the invitation is to {}, and the member here belongs to {}",
            invitation.federation, settings.federation
        );
        return Err(
            Failure::new(WireCode::WrongFederation, what).advise(format!(
                "frex init --federation {} --member ID … DIR",
                invitation.federation
            )),
        );
    }
    if invitation.member == settings.member {
        let what = format!("{} is the member that invites", settings.member);
        return Err(Failure::new(WireCode::IdTaken, what).advise(
            "Hand the line to the newcomer, whose member id is another, and who types: frex join DIR",
        ));
    }
    let default = args.dir.join(format!("{}.card", settings.member));
    let path = args.card.as_ref().unwrap_or(&default);
    let card = files::read(path, limits::SIGNED_BYTES_MAX)
        .map_err(|failure| failure.advise("--card FILE, the one that frex init made"))?;
    let keys = member::keys(&home)?;
    let own = fingerprint::of_key(&keys.identity.verifying_key());
    let identity = Arc::new(keys.identity);
    let peers = Peers::of(home.dir());
    let environment = Environment::default();
    let meeting = peers.meet(
        &settings.member,
        card.into(),
        Arc::clone(&identity),
        &invitation,
        &environment,
    );
    let (record, mut theirs) = member::runtime()?
        .block_on(meeting)
        .map_err(|error| not_met(error, &invitation))?;
    if args.wait.as_ms() > 0 {
        let waiting = peer::Waiting::new(&home, &record, identity, args.wait);
        theirs = member::runtime()?
            .block_on(waiting.until_decided())?
            .unwrap_or(theirs);
    }
    report(&args.dir, &record, &theirs, &own, json)?;
    peer::exit_of(&record, &theirs, args.wait)
}

/// An invitation is never an argument: those are seen by every user of the machine. Spec: CLI-5.
fn check_arguments(args: &JoinArgs) -> Result<(), Failure> {
    let dir = args.dir.to_string_lossy().to_ascii_uppercase();
    if !dir.starts_with("FREX-JOIN:") {
        return Ok(());
    }
    Err(Failure::new(
        WireCode::BadInput,
        "an invitation is a secret and no argument: others on this machine can read it",
    )
    .advise("frex join DIR, which asks for it; treat this one as seen and ask for another"))
}

fn read_invitation(args: &JoinArgs) -> Result<Invitation, Failure> {
    let text = match &args.code_file {
        Some(path) if path != Path::new("-") => {
            let bytes = Zeroizing::new(files::read(path, limits::INVITATION_BYTES_MAX)?);
            Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned())
        }
        _ => read_stdin()?,
    };
    join::parse(&text)
        .or_fail("this is no invitation that can be used")
        .map_err(|failure| failure.advise("Copy the whole line that begins with FREX-JOIN:"))
}

fn read_stdin() -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let stdin = io::stdin();
    let failed = |error: io::Error| Failure::file("read", Path::new("standard input"), &error);
    let bytes_max = limits::INVITATION_BYTES_MAX as u64 + 1;
    if stdin.is_terminal() {
        output::message("The invitation (FREX-JOIN:…), then Enter:");
        let mut line = stdin.lock().take(bytes_max);
        line.read_line(&mut text).map_err(failed)?;
    } else {
        let mut all = stdin.lock().take(bytes_max);
        all.read_to_string(&mut text).map_err(failed)?;
    }
    Ok(text)
}

fn not_met(error: AskError, invitation: &Invitation) -> Failure {
    let what = format!("cannot join by the invitation of {}", invitation.member);
    let by_peer = matches!(error, AskError::Knock(_));
    let failure = Failure::of(error, what);
    match failure.code() {
        _ if !by_peer => failure,
        WireCode::Unreachable | WireCode::TimedOut | WireCode::RetryAfter => {
            failure.advise(format!(
                "Ask them whether `frex invite` still waits, and whether UDP passes to {}",
                output::clean(&invitation.address)
            ))
        }
        WireCode::Expired => failure.advise("Ask for a new invitation: frex invite"),
        WireCode::NotTrusted => failure.advise(
            "The invitation was changed, taken back, or somebody else answers: ask for a new one",
        ),
        WireCode::Malformed | WireCode::BadSignature => failure
            .advise("Do not go on; tell the member that invites, and ask for a new invitation"),
        _ => failure,
    }
}

fn report(
    dir: &Path,
    record: &PeerRecord,
    theirs: &DecisionRecord,
    own: &str,
    json: bool,
) -> Result<(), Failure> {
    let print = peer::fingerprint_of(record)?;
    let (member, name) = (&record.member, output::clean(&record.name));
    if json {
        output::document(json!({
            "peer": member, "name": record.name, "country": record.country,
            "federation": record.federation, "fingerprint": print, "own_fingerprint": own,
            "ours": "pending", "theirs": theirs.state.name(), "since": rfc3339(record.since_ms),
        }));
        return Ok(());
    }
    output::data(format_args!(
        "pending           {member}   {name} ({}) invites to {}",
        record.country, record.federation
    ));
    output::data(format_args!("their fingerprint {print}"));
    output::data(format_args!("your fingerprint  {own}"));
    output::data(format_args!("their decision    {}", theirs.state.name()));
    output::data("");
    output::data(
        "Nothing is trusted yet. Call them; each reads its fingerprint to the other. Then:",
    );
    output::data(format_args!(
        "  {}",
        peer::accept_command(member, &dir.display().to_string())
    ));
    output::data("and on their machine:");
    output::data("  frex peer ls DIR      and accept you there");
    Ok(())
}
