//! `frex peer …`: its words, and what its commands share.

use std::{path::PathBuf, sync::Arc, time::Duration};

use clap::{Args, Subcommand};
use frex_client::{environment::Environment, keys::MemberHome};
use frex_proto::{
    error::{Retry, WireCode},
    keys::{SigningKey, VerifyingKey},
};
use tokio::time::Instant;

use super::{
    failure::{Done, Failure, OrCode, PARTIAL},
    fingerprint, output,
    time::Span,
};
use crate::join::{AskError, DecisionRecord, JoinStoreError, PeerRecord, Peers, State};

pub mod decide;
pub mod list;
pub mod ping;
pub mod remove;
pub mod suspend;
pub mod test;

/// How often the other side is asked while waiting.
const PAUSE: Duration = Duration::from_secs(1);

/// `frex peer …`.
#[derive(Debug, Subcommand)]
pub enum PeerCommand {
    /// List organisations that came by an invitation, what either side decided, and who is suspended
    Ls(PeerListArgs),
    /// Show one of them, with the fingerprint to compare
    Show(PeerShowArgs),
    /// Trust one of them, after its fingerprint was compared
    Accept(PeerAcceptArgs),
    /// Refuse one of them; it is told why
    Refuse(PeerRefuseArgs),
    /// Stop the exchange with a member, for a time, at this organisation's node; nothing is lost by it
    Suspend(PeerSuspendArgs),
    /// Take the exchange up again; what waited goes on its way
    Resume(PeerResumeArgs),
    /// Put away what is kept of an organisation that came by an invitation
    Rm(PeerRemoveArgs),
    /// Connect to a node of the roster and report each step
    Test(PeerTestArgs),
    /// Send a sealed message without content to a member, and say how far it comes
    Ping(PeerPingArgs),
}

/// `frex peer ls`.
#[derive(Debug, Args)]
pub struct PeerListArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex peer show`.
#[derive(Debug, Args)]
pub struct PeerShowArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Ask the inviting side what it has decided, and tell it our decision
    #[arg(long)]
    pub ask: bool,
    /// How long to wait for its decision
    #[arg(long, default_value = "0s", value_name = "DURATION", requires = "ask")]
    pub wait: Span,
}

/// `frex peer accept`.
#[derive(Debug, Args)]
pub struct PeerAcceptArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Their fingerprint, as they read it out; asked for at a terminal
    #[arg(long, value_name = "TEXT")]
    pub fingerprint: Option<String>,
    /// Do it; without, the plan is printed and nothing is changed
    #[arg(long)]
    pub confirm: bool,
    /// How long to wait for the other side's decision
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub wait: Span,
}

/// `frex peer refuse`.
#[derive(Debug, Args)]
pub struct PeerRefuseArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Why; the other side reads it
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do it; without, the plan is printed and nothing is changed
    #[arg(long)]
    pub confirm: bool,
}

/// `frex peer suspend`.
#[derive(Debug, Args)]
pub struct PeerSuspendArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Why, for your own people; nobody else is told
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
    /// Do it; without, the plan is printed and nothing is changed
    #[arg(long)]
    pub confirm: bool,
}

/// `frex peer resume`.
#[derive(Debug, Args)]
pub struct PeerResumeArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex peer rm`.
#[derive(Debug, Args)]
pub struct PeerRemoveArgs {
    /// The member
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Do it; without, the plan is printed and nothing is changed
    #[arg(long)]
    pub confirm: bool,
}

/// `frex peer test`.
#[derive(Debug, Args)]
pub struct PeerTestArgs {
    /// The node, as the roster names it
    pub node: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex peer ping`.
#[derive(Debug, Args)]
pub struct PeerPingArgs {
    /// The member
    pub member: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How many, one after the other
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub count: u32,
    /// How long to wait for each
    #[arg(long, default_value = "5s", value_name = "DURATION")]
    pub wait: Span,
}

/// Says what `--confirm` would do.
pub fn print_plan(plan: &[String]) {
    output::data("plan:");
    for step in plan {
        output::data(format_args!("  {step}"));
    }
}

/// The command that accepts a peer, as it is typed.
#[must_use]
pub fn accept_command(member: &str, dir: &str) -> String {
    format!("frex peer accept {member} {dir} --fingerprint 'AS THEY READ IT OUT' --confirm")
}

/// The fingerprint of a peer's identity key.
pub fn fingerprint_of(record: &PeerRecord) -> Result<String, Failure> {
    let what = format!("what is kept of {} is damaged", record.member);
    let bytes = hex::decode(&record.identity).or_code(WireCode::Files, &what)?;
    let key = VerifyingKey::admit_encoded(&bytes).or_code(WireCode::Files, &what)?;
    Ok(fingerprint::of_key(&key))
}

/// The exit code after a wait: a refusal fails, and no decision is only part of what was asked.
pub fn exit_of(record: &PeerRecord, theirs: &DecisionRecord, wait: Span) -> Done {
    match theirs.state {
        State::Refused => Err(Failure::new(
            WireCode::InvitationClosed,
            format!("{} refused", record.member),
        )
        .cause(output::clean(&theirs.reason))
        .advise("Ask them by telephone; if it was a mistake, they invite again: frex invite")),
        State::Pending if wait.as_ms() > 0 => Ok(PARTIAL),
        _ => Ok(0),
    }
}

/// A peer that is not there, with the command that shows who is.
fn not_found(error: JoinStoreError, id: &str, dir: &std::path::Path) -> Failure {
    let missing = matches!(error, JoinStoreError::NotFound);
    let what = format!("cannot read the peer {}", output::clean(id));
    let failure = Failure::of(error, what);
    if missing {
        failure.advise(format!("frex peer ls {}", dir.display()))
    } else {
        failure
    }
}

/// Asks the inviting side until it has decided.
pub struct Waiting<'a> {
    peers: Peers,
    record: &'a PeerRecord,
    member: &'a str,
    identity: Arc<SigningKey>,
    patience: Duration,
}

impl<'a> Waiting<'a> {
    /// With this patience; none asks once.
    pub fn new(
        home: &'a MemberHome,
        record: &'a PeerRecord,
        identity: Arc<SigningKey>,
        patience: Span,
    ) -> Self {
        Self {
            peers: Peers::of(home.dir()),
            record,
            member: &home.settings().member,
            identity,
            patience: patience.0,
        }
    }

    /// What it last said; nothing if the time was over before it could be reached.
    ///
    /// # Errors
    /// What waiting cannot mend.
    pub async fn until_decided(&self) -> Result<Option<DecisionRecord>, Failure> {
        let deadline = Instant::now() + self.patience;
        let mut last = None;
        loop {
            match self.ask().await {
                Ok(theirs) if theirs.state != State::Pending => return Ok(Some(theirs)),
                Ok(theirs) => last = Some(theirs),
                Err(error) => {
                    let what = format!("cannot ask {}", self.record.member);
                    let failure = Failure::of(error, what);
                    if failure.code().info().retry != Retry::Later {
                        return Err(failure);
                    }
                }
            }
            if Instant::now() + PAUSE >= deadline {
                return Ok(last);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks once.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn ask(&self) -> Result<DecisionRecord, AskError> {
        let identity = Arc::clone(&self.identity);
        let environment = Environment::default();
        let asked = self
            .peers
            .ask(self.record, self.member, identity, &environment);
        asked.await
    }
}
