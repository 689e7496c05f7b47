//! `frex route`: to whom a report goes and why, before anything is sealed; and `frex send --route`, which
//! does as that says. Spec: RTE-10 to RTE-34.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use frex_client::{
    casework::routing::{RECORD_BYTES_MAX, Record},
    keys::MemberHome,
};
use frex_proto::id::MessageId;
use serde_json::Value;

use super::{
    failure::{Failure, OrFail},
    files,
    send::checks::Seen,
};

pub mod draw;
pub mod preview;
mod print;
pub mod send;
pub mod unfinished;
pub mod verify;

/// Below the member's folder: what was decided of each report that was routed.
pub const ROUTES_DIR: &str = "routes";
/// In the member's folder: its policy.
pub const POLICY_FILE: &str = "route.toml";

/// `frex route`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct RouteArgs {
    /// What else to do about routes
    #[command(subcommand)]
    pub action: Option<RouteAction>,
    /// Which report
    #[command(flatten)]
    pub which: Option<Which>,
    /// The folder that `frex init` made; its policy is route.toml in the member's folder
    // Not one of the words about a report: from the environment it is there for every verb.
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// A report, and what becomes of its plan.
#[derive(Debug, Args)]
pub struct Which {
    /// The report: JSON of either version, or as frex report import makes it
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write the plan to this file, for  frex send --route --plan
    #[arg(long, value_name = "PLAN")]
    pub out: Option<PathBuf>,
}

/// `frex route …`.
#[derive(Debug, Subcommand)]
pub enum RouteAction {
    /// Check that messages were sent by a decision, as its record in DIR/routes says it
    Verify(RouteVerifyArgs),
}

/// `frex route verify`.
#[derive(Debug, Args)]
pub struct RouteVerifyArgs {
    /// The record
    pub record: PathBuf,
    /// A message that must be of it, as  frex evidence verify  shows its id; repeat for each
    #[arg(long, value_name = "ID", required = true)]
    pub message: Vec<String>,
}

/// How `frex send` finds recipients, and what it is to send all the same.
#[derive(Debug, Clone, Default, Args)]
pub struct How {
    /// Send it to everybody whom  frex route FILE  names, and to each what that says
    #[arg(long, conflicts_with_all = ["to", "once", "case", "in_reply_to", "content_type", "kind", "lane"])]
    pub route: bool,
    /// The plan that was looked at, as  frex route --out  wrote it: refused if it is another by now
    #[arg(long, value_name = "PLAN", requires = "route")]
    pub plan: Option<PathBuf>,
    /// Send by the plan of now; without this or --plan it is shown, and nothing happens
    #[arg(long, requires = "route")]
    pub confirm: bool,
    /// Who has agreed, where the policy asks for it; repeat for each
    #[arg(long, value_name = "WHO", requires = "route")]
    pub approved: Vec<String>,
    /// Send it although a recipient needs it to say more, or it looks like one that was sent before
    #[arg(long)]
    pub anyway: bool,
    /// Send it into the case of this message, which says the same
    #[arg(long, value_name = "MESSAGE", conflicts_with_all = ["case", "route"])]
    pub duplicate_of: Option<String>,
    /// One message of a plan, which was judged as a whole
    #[arg(skip)]
    pub part: Option<PlannedPart>,
}

impl How {
    /// The id with which a command goes on that sends this message: of a part of a plan that of the first.
    #[must_use]
    pub fn first(&self, message: MessageId) -> MessageId {
        let part = self.part.as_ref();
        part.map_or(message, |part| part.seen.message)
    }
}

/// One message of a plan.
#[derive(Debug, Clone)]
pub struct PlannedPart {
    /// What it carries.
    pub content_type: String,
    /// The report, or the copy without contents.
    pub data: Vec<u8>,
    /// Its id, by the record of the decision.
    pub message: MessageId,
    /// By what the report of the plan is noticed the next time, once any part of it is submitted.
    pub seen: Seen,
}

/// The record of the decision whose first message this is, if there is one.
///
/// # Errors
/// It cannot be read.
pub fn record_of(home: &MemberHome, first: MessageId) -> Result<Option<Record>, Failure> {
    let path = record_path(home, first);
    match path.exists() {
        true => read(&path).map(Some),
        false => Ok(None),
    }
}

/// The decision that a message of ours carries out, with the place of that message in it; of what was sent
/// without a route, or came in the case later, there is none.
///
/// # Errors
/// The record cannot be read.
pub fn decision_of(home: &MemberHome, about: &Value) -> Result<Option<(Record, usize)>, Failure> {
    let id = |field: &str| MessageId::from_hex(about[field].as_str()?).ok();
    let Some(message) = id("message") else {
        return Ok(None);
    };
    // The first message of a decision begins the case of all of them, and names the record.
    let first = id("conversation").unwrap_or(message);
    let Some(record) = record_of(home, first)? else {
        return Ok(None);
    };
    let place = (0..record.parts()).find(|place| record.message_id(*place) == message);
    Ok(place.map(|place| (record, place)))
}

/// To whom a part of a decision goes.
#[must_use]
pub fn members_of(record: &Record, place: usize) -> Vec<String> {
    let names = record.value()["parts"][place]["members"].as_array();
    let names = names.into_iter().flatten();
    names
        .filter_map(|name| Some(name.as_str()?.to_owned()))
        .collect()
}

/// The record of a decision.
///
/// # Errors
/// The file cannot be read, or is none.
pub fn read(path: &Path) -> Result<Record, Failure> {
    Record::parse(&files::read(path, RECORD_BYTES_MAX)?).or_fail(path.display())
}

/// Where the record of a decision is kept, by the first of its messages.
#[must_use]
pub fn record_path(home: &MemberHome, first: MessageId) -> PathBuf {
    home.dir().join(ROUTES_DIR).join(format!("{first}.json"))
}
