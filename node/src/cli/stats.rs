//! `frex stats …`: figures about reports that are signed, rest on a range of the log, and give nobody
//! away. Spec: chapter STA.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use frex_client::{
    casework::statistics::{self, Period, Signed},
    keys::MEMBER_FILE,
};
use frex_proto::{limits, roster::Roster};

use super::{
    failure::{Failure, OrFail},
    files, member,
    roster::{judge_even_expired, read_bundle, read_root, refused},
    time::Moment,
};

pub mod compare;
pub mod count;
mod facts;
mod gather;
pub mod make;
mod print;
pub mod publish;
pub mod show;
mod store;
pub mod sum;
pub mod verify;

/// `frex stats …`.
#[derive(Debug, Subcommand)]
pub enum StatsCommand {
    /// Count the reports of a folder into a signed table
    Make(MakeArgs),
    /// Count the reports of a folder as they are, for this member's own eyes
    Count(CountArgs),
    /// Show a table
    Show(ShowArgs),
    /// Verify a table: signature, log range, and all that its figures say of each other
    Verify(VerifyArgs),
    /// Say what changed from one table to another
    Compare(CompareArgs),
    /// Write a table for others: signed, CSV, JSON, charts and a page
    Publish(PublishArgs),
    /// Add up figures of several members, of which none shows its own
    #[command(subcommand)]
    Sum(SumCommand),
    /// Say what is counted, and what is not
    Definitions,
}

/// `frex stats make`.
#[derive(Debug, Args)]
pub struct MakeArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Months that are over: 2026-01, or 2026-01..2026-03
    #[arg(long, value_name = "MONTHS")]
    pub period: Months,
    /// File to write; it must not exist
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
    /// What counts: frex stats definitions lists it
    #[arg(long, value_name = "ID", default_value = "frex.reports-received")]
    pub definition: String,
    /// Time zone in which months begin, by its IANA name
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Cells with fewer reports are not shown; at least 5
    #[arg(long, default_value_t = statistics::THRESHOLD, value_parser = clap::value_parser!(u32).range(5..=1000))]
    pub threshold: u32,
}

/// `frex stats count`.
#[derive(Debug, Args)]
pub struct CountArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Of these months alone: 2026-01, or 2026-01..2026-03
    #[arg(long, value_name = "MONTHS")]
    pub period: Option<Months>,
    /// What counts
    #[arg(long, value_name = "ID", default_value = "frex.reports-received")]
    pub definition: String,
    /// Time zone in which months begin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
}

/// `frex stats show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The table
    pub file: PathBuf,
    /// In which form
    #[arg(long = "as", value_enum, default_value = "text")]
    pub form: Form,
    /// Of a chart: reports by what
    #[arg(long, default_value = "month")]
    pub axis: String,
}

/// Forms of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[allow(missing_docs)] // The names are the documentation, also on the screen.
pub enum Form {
    Text,
    Csv,
    Json,
    Svg,
    Html,
}

/// `frex stats verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The table
    pub file: PathBuf,
    /// Whom to trust
    #[command(flatten)]
    pub trust: TrustArgs,
    /// A head of the same log that you have from elsewhere: of one size, the roots must be equal
    #[arg(long, value_name = "FILE")]
    pub checkpoint: Option<PathBuf>,
    /// Count anew from this folder of the member that counted: the same reports make the same figures
    #[arg(long, value_name = "DIR")]
    pub recount: Option<PathBuf>,
}

/// Where trust comes from.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// The federation's root, got from a hand you trust
    #[arg(long, value_name = "FILE", requires = "roster")]
    pub root: Option<PathBuf>,
    /// The roster
    #[arg(long, value_name = "FILE", requires = "root")]
    pub roster: Option<PathBuf>,
    /// Take both from this member's folder
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex stats compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The earlier table
    pub before: PathBuf,
    /// The later one
    pub after: PathBuf,
}

/// `frex stats publish`.
#[derive(Debug, Args)]
pub struct PublishArgs {
    /// The table
    pub file: PathBuf,
    /// Folder to write; it must not exist
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Whom to trust: what does not verify is not published
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// `frex stats sum …`.
#[derive(Debug, Subcommand)]
pub enum SumCommand {
    /// Begin a round: say what is added up, and by whom
    Open(OpenArgs),
    /// Split this member's figures into shares, and send each member its own
    Share(RoundArgs),
    /// Add up the shares that came, and send the sum to every member
    Add(RoundArgs),
    /// Add up the sums that came to totals
    Total(TotalArgs),
    /// Let somebody who is trusted with one member's figures see that its shares were of these
    Audit(AuditArgs),
}

/// `frex stats sum open`.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// A member that takes part; repeat for each, at least three
    #[arg(long, value_name = "MEMBER", required = true, num_args = 1..)]
    pub with: Vec<String>,
    /// Months that are over: 2026-01, or 2026-01..2026-03
    #[arg(long, value_name = "MONTHS")]
    pub period: Months,
    /// What is told apart: AXIS=VALUE,VALUE for category, country, role, outcome, overdue or lane; the
    /// rest counts as other
    #[arg(long, value_name = "AXIS=VALUES")]
    pub by: Vec<String>,
    /// What counts
    #[arg(long, value_name = "ID", default_value = "frex.reports-received")]
    pub definition: String,
    /// Time zone in which months begin
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    pub zone: String,
    /// Totals of fewer reports are not published; at least 5
    #[arg(long, default_value_t = statistics::THRESHOLD, value_parser = clap::value_parser!(u32).range(5..=1000))]
    pub threshold: u32,
    /// What has not come by then makes the round void
    #[arg(long, default_value = "7d", value_name = "TIME")]
    pub closes: Moment,
    /// File to write
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// A command about a round.
#[derive(Debug, Args)]
pub struct RoundArgs {
    /// The round, as it came
    pub round: PathBuf,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How long to wait for the other members' nodes
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: super::time::Span,
}

/// `frex stats sum total`.
#[derive(Debug, Args)]
pub struct TotalArgs {
    /// The round, as it came
    pub round: PathBuf,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex stats sum audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// The round
    pub round: PathBuf,
    /// What the member has kept: statistics/rounds/ID/opening in its folder
    pub opening: PathBuf,
    /// Whom to trust
    #[command(flatten)]
    pub trust: TrustArgs,
}

/// A period as it is given.
#[derive(Debug, Clone, Copy)]
pub struct Months(pub Period);

impl std::str::FromStr for Months {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let period = text.parse::<Period>();
        period.map(Self).map_err(|error| error.to_string())
    }
}

/// Reads a table.
fn read(path: &Path) -> Result<Signed, Failure> {
    parsed(path, &files::read(path, limits::STATISTICS_BYTES_MAX)?)
}

/// The table in the bytes of a file.
fn parsed(path: &Path, bytes: &[u8]) -> Result<Signed, Failure> {
    let read =
        statistics::parse(bytes).or_fail(format_args!("{} is no table of figures", path.display()));
    read.map_err(|failure| {
        failure.advise("One is made by: frex stats make DIR --period 2026-01 --out FILE")
    })
}

/// The roster that the caller trusts, even if its time is over: figures outlive it.
fn roster(trust: &TrustArgs) -> Result<Roster, Failure> {
    if let (Some(roster), Some(root)) = (&trust.roster, &trust.root) {
        let (_, anchor) = read_root(root)?;
        let judged = judge_even_expired(&read_bundle(roster)?, &anchor, None);
        return judged
            .map(|judged| judged.roster)
            .map_err(|error| refused(roster, error));
    }
    let folder = files::home(&trust.dir, "member", MEMBER_FILE).map_err(|failure| {
        failure.advise("Say whose roster it is judged by: --dir DIR, a member's folder, or --root root.frex --roster roster.frex")
    })?;
    member::roster(&member::open(&folder)?)
}
