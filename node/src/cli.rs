//! The `frex` command: its words. What each does is in the file of its name.
//!
//! Data goes to standard output, messages to standard error, and every error says what happened,
//! why, and what to do. Spec: chapter CLI.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use self::time::{Moment, Span};

mod addressed;
mod alert;
mod attachment;
mod backup;
mod bulk;
mod card;
mod casework;
mod ceremony;
mod change;
mod completions;
mod deconflict;
mod demo;
mod dispatch;
mod doctor;
mod ended;
mod erase;
mod erased;
mod errors;
mod evidence;
mod failure;
mod federation;
mod files;
mod fingerprint;
mod forward;
mod fsck;
mod hint;
mod inbox;
mod init;
mod invite;
mod join;
mod key;
mod log;
mod member;
mod messages;
mod named;
mod outbox;
mod output;
mod passphrase;
mod peer;
mod recall;
mod receipt;
mod recipients;
mod report;
mod roster;
mod route;
mod run;
mod send;
mod show;
mod staged;
mod stats;
mod status;
mod time;
mod token;
mod told;
mod way;

pub use dispatch::main;

/// Exchange reports between the members of a federation, with receipts that prove it.
#[derive(Debug, Parser)]
#[command(
    name = "frex",
    version,
    propagate_version = true,
    arg_required_else_help = true
)]
#[command(after_help = "Try it without setting anything up: frex demo")]
pub struct Cli {
    /// Print JSON (one document with "v": 1) instead of text; errors become one line of JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Read the passphrase of encrypted keys from this file descriptor, one line: 3 with 3<FILE
    #[arg(long, global = true, value_name = "N", display_order = 900)]
    pub passphrase_fd: Option<u32>,
    /// Read the PIN of hardware tokens from this file descriptor, one line: 3 with 3<FILE
    #[arg(long, global = true, value_name = "N", display_order = 901)]
    pub pin_fd: Option<u32>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make the keys and folders of a member and its node
    Init(InitArgs),
    /// Make and change the governance of a federation
    #[command(subcommand)]
    Federation(FederationCommand),
    /// Propose, sign, read and install the list of members
    #[command(subcommand)]
    Roster(RosterCommand),
    /// List secret keys; encrypt them, decrypt them, change their passphrase, use a token
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Run a node until it is told to stop
    Run(RunArgs),
    /// Invite an organisation to join, and wait for it; list and take back invitations
    Invite(invite::InviteArgs),
    /// Answer an invitation: show the own card, and learn who invites
    Join(join::JoinArgs),
    /// Accept, refuse, list and test other organisations
    #[command(subcommand)]
    Peer(peer::PeerCommand),
    /// Check, import, export and show reports as files
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Show who would be able to read a report and why, before anything is sealed
    Route(route::RouteArgs),
    /// Seal a report to members and hand it to the node
    Send(SendArgs),
    /// File many reports, one JSON document on each line
    Bulk(bulk::BulkArgs),
    /// Fetch and open what has arrived
    Inbox(InboxArgs),
    /// Show a report that was sent or received
    Show(ShowArgs),
    /// See what waits for other nodes and what did not get there; requeue or drop it
    #[command(subcommand)]
    Outbox(outbox::OutboxCommand),
    /// Pass a message that was received on to other members
    Forward(forward::ForwardArgs),
    /// Withdraw a message that was sent
    Recall(recall::RecallArgs),
    /// Ask other members whether they hold an identifier, without telling them which; answer them
    #[command(subcommand)]
    Deconflict(deconflict::DeconflictCommand),
    /// Erase what is kept of a message, for good; list what was erased
    Erase(erase::EraseArgs),
    /// Keep a message from being erased
    #[command(subcommand)]
    Hold(erase::HoldCommand),
    /// What people do with cases
    #[command(flatten)]
    Casework(casework::CaseworkCommand),
    /// List the files that came with a report, and fetch them
    #[command(subcommand)]
    Attachment(attachment::AttachmentCommand),
    /// Verify receipts, list them, or fetch later ones
    #[command(subcommand)]
    Receipt(receipt::ReceiptCommand),
    /// Put everything that proves a message in one file for others; verify, narrow, tell such a file
    #[command(subcommand)]
    Evidence(evidence::EvidenceCommand),
    /// Count reports into signed tables that give nobody away; compare, publish, add up with others
    #[command(subcommand)]
    Stats(stats::StatsCommand),
    /// Read the published log of a node
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Show what is in a directory and whether its node runs
    Status(StatusArgs),
    /// Look over a folder: keys, roster, node, neighbours, clocks, log, disk; and say what mends it
    Doctor(doctor::DoctorArgs),
    /// Check a node's journal and published log; with --rebuild, make index and log files anew
    Fsck(FsckArgs),
    /// Copy all that a node keeps, while it runs, so that it can be made again; check such a copy
    Backup(backup::BackupArgs),
    /// Make a node of a backup, where there is none
    Restore(backup::RestoreArgs),
    /// Explain an error code, or list them all
    Errors(ErrorsArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Run a whole federation on this machine for a few seconds and verify what it did
    Demo(DemoArgs),
}

/// `frex init`.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// The member's id: 1 to 64 of a-z, 0-9, . and -
    #[arg(long, value_name = "ID")]
    pub member: String,
    /// The organisation's name, for people
    #[arg(long)]
    pub name: String,
    /// ISO 3166-1 alpha-2
    #[arg(long, value_name = "CC")]
    pub country: String,
    /// What kind of organisation it is
    #[arg(long, value_enum)]
    pub role: RoleArg,
    /// The federation to join
    #[arg(long, value_name = "NAME")]
    pub federation: String,
    /// The node's id [default: node.ID]
    #[arg(long, value_name = "ID", conflicts_with = "no_node")]
    pub node: Option<String>,
    /// UDP address on which the node listens
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:7443",
        conflicts_with = "no_node"
    )]
    pub listen: SocketAddr,
    /// HOST:PORT at which others reach the node [default: the address it listens on]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "no_node")]
    pub address: Vec<String>,
    /// Loopback address for metrics and status
    #[arg(long, value_name = "ADDR", conflicts_with = "no_node")]
    pub metrics: Option<SocketAddr>,
    /// Make no node: another organisation's node serves this member
    #[arg(long, requires = "home_node")]
    pub no_node: bool,
    /// The node that serves this member
    #[arg(long, value_name = "ID", requires = "no_node")]
    pub home_node: Option<String>,
    /// Give the identity key an ML-DSA-65 companion: all it signs is signed by both
    #[arg(long, conflicts_with = "token")]
    pub post_quantum: bool,
    /// Give the node's log key and witness key ML-DSA-44 companions: heads of logs are signed by both
    #[arg(long, conflicts_with_all = ["token", "no_node"])]
    pub post_quantum_log: bool,
    /// Write the keys encrypted: by --passphrase-fd, or asked for at the terminal
    #[arg(long)]
    pub encrypt_keys: bool,
    /// The hardware token, if one is named
    #[command(flatten)]
    pub token: token::TokenArgs,
    /// The keys that are made in the token
    #[arg(
        long,
        value_name = "KEYS",
        value_enum,
        value_delimiter = ',',
        default_value = "identity,log",
        requires = "token"
    )]
    pub token_keys: Vec<token::TokenKey>,
    /// Folder to make everything in
    pub dir: PathBuf,
}

/// `frex federation …`.
#[derive(Debug, Subcommand)]
pub enum FederationCommand {
    /// Make all governance keys in one place: for a trial on one machine
    Init(FederationInitArgs),
    /// Make one holder's own keys and the card about them
    Key(federation::key::FederationKeyArgs),
    /// Propose the first root, or a change of it, for its holders to sign
    Propose(federation::propose::FederationProposeArgs),
    /// Sign a proposed root, into a file of its own
    Sign(federation::sign::FederationSignArgs),
    /// Put the signatures of several holders together into a root
    Combine(federation::combine::FederationCombineArgs),
    /// Show a root, a proposal of one, or a holder's card
    Show(federation::show::FederationShowArgs),
}

/// `frex federation init`.
#[derive(Debug, Args)]
pub struct FederationInitArgs {
    /// The federation's name: 1 to 64 of a-z, 0-9, . and -
    #[arg(long, value_name = "FED")]
    pub name: String,
    /// How many people hold a key
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub keys: u32,
    /// How many of them must agree
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub threshold: u32,
    /// Life of the root
    #[arg(long, default_value = "1825d")]
    pub expires: Span,
    /// Give every key an ML-DSA-65 companion: all it signs is signed by both
    #[arg(long)]
    pub post_quantum: bool,
    /// Write the keys encrypted: by --passphrase-fd, or asked for at the terminal
    #[arg(long)]
    pub encrypt_keys: bool,
    /// Folder to make
    pub dir: PathBuf,
}

/// `frex roster …`.
#[derive(Debug, Subcommand)]
pub enum RosterCommand {
    /// Plan the next roster and write it for its holders to sign
    Propose(Box<roster::propose::RosterProposeArgs>),
    /// Sign a proposed roster, into a file of its own
    Sign(roster::sign::RosterSignArgs),
    /// Put the signatures of several holders together into a roster
    Combine(roster::combine::RosterCombineArgs),
    /// State that a roster is the newest there is
    Freshness(roster::freshness::RosterFreshnessArgs),
    /// Judge a roster and list its members
    Show(RosterShowArgs),
    /// List what one roster changes in another
    Diff(roster::diff::RosterDiffArgs),
    /// Verify rosters, check by check, and against each other
    Verify(roster::verify::RosterVerifyArgs),
    /// Judge a roster and install it for member and node
    Install(RosterInstallArgs),
}

/// `frex roster show`.
#[derive(Debug, Args)]
pub struct RosterShowArgs {
    /// The roster
    pub file: PathBuf,
    /// The federation's root, got from a hand you trust
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
}

/// `frex roster install`.
#[derive(Debug, Args)]
pub struct RosterInstallArgs {
    /// The roster
    pub file: PathBuf,
    /// The federation's root; needed the first time
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How log lines on standard error look
    #[arg(long, value_enum, default_value = "text", env = "FREX_LOG_FORMAT")]
    pub log_format: LogFormat,
    /// Which log lines: a level, or module=level pairs
    #[arg(long, default_value = "info", env = "FREX_LOG", value_name = "FILTER")]
    pub log: String,
    /// Stop when standard input ends, so that the node does not outlive who started it
    #[arg(long)]
    pub stop_with_stdin: bool,
    /// After frex restore, where no witness can be asked: answer for it that nothing was lost
    #[arg(long)]
    pub nothing_was_lost: bool,
}

/// `frex send`.
#[derive(Debug, Clone, Args)]
pub struct SendArgs {
    /// A report, as JSON or as frex report import makes it, or any file with --content-type; - reads standard input
    pub file: PathBuf,
    /// A member to send to; repeat for each
    #[arg(long, value_name = "MEMBER", required_unless_present = "route", num_args = 1..)]
    pub to: Vec<String>,
    /// The folder that `frex init` made
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub from: PathBuf,
    /// What it is about
    #[arg(long, value_enum, default_value = "report")]
    pub kind: KindArg,
    /// How fast it must travel
    #[arg(long, value_enum, default_value = "normal")]
    pub lane: LaneArg,
    /// Type of any other content than a JSON report
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// When delivery is given up [default: by lane, 24h, 7d or 30d]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Moment>,
    /// By when an answer is awaited
    #[arg(long, value_name = "TIME")]
    pub reply_by: Option<Moment>,
    /// The message that this one answers, or comes back to: its id, or the beginning of one
    #[arg(long, value_name = "ID")]
    pub in_reply_to: Option<String>,
    /// A file to send along; repeat for each. Members who take none refuse the message
    #[arg(long, value_name = "FILE")]
    pub attach: Vec<PathBuf>,
    /// A message that was begun before, by its id or the beginning of it: one that was stopped goes
    /// on, one that these members refused for a retired key is sealed again for them, and of one
    /// that was submitted nothing is sent anew. A new message has none yet
    #[arg(long, value_name = "ID")]
    pub message: Option<String>,
    /// Send it once, whatever happens on the way, under this reference or that of the report
    #[arg(long, value_name = "REFERENCE", num_args = 0..=1, require_equals = true,
          default_missing_value = "", conflicts_with_all = ["message", "attach"])]
    pub once: Option<String>,
    /// How long to wait for the recipients' nodes
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
    /// The case that it belongs to: its id, or that of a message of it, or the beginning of one [default: a report begins one]
    #[arg(long, value_name = "CASE")]
    pub case: Option<String>,
    /// Its place among what this member has said in the case
    #[arg(skip)]
    pub place: u64,
    /// To whom by a plan, and what is sent all the same
    #[command(flatten)]
    pub how: route::How,
}

/// `frex inbox`.
#[derive(Debug, Clone, Args)]
pub struct InboxArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How long to wait for a first report
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub wait: Span,
    /// Take at most so many
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    pub max: u32,
    /// What to tell the sender: opened takes it off the inbox, none leaves it there
    #[arg(long, value_enum, default_value = "opened")]
    pub confirm: ConfirmArg,
    /// Keep what cannot be opened as it came, and take it off the inbox
    #[arg(long)]
    pub set_aside: bool,
    /// List what was fetched before instead, from this folder, and ask nobody
    #[arg(long, conflicts_with_all = ["wait", "max", "confirm", "set_aside"])]
    pub kept: bool,
    /// The one type of content that is read and shown; all else is kept unread for whoever reads the inbox.
    #[arg(skip)]
    pub about: Option<&'static str>,
}

/// `frex show`.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Envelope or message id, or the first letters of one
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// A folder alone.
#[derive(Debug, Args)]
pub struct DirArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex fsck`.
#[derive(Debug, Args)]
pub struct FsckArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Make index and published log files anew from the journal
    #[arg(long)]
    pub rebuild: bool,
}

/// `frex errors`.
#[derive(Debug, Args)]
pub struct ErrorsArgs {
    /// Number or name of a code
    pub code: Option<String>,
}

/// `frex completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// For which shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// `frex demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Keep keys, rosters, receipts and logs in this folder, which must not exist
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
}

/// Kind of organisation.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)] // The names are the documentation, also on the screen.
pub enum RoleArg {
    Hotline,
    Platform,
    Police,
    Prosecutor,
    ClearingHouse,
    Oversight,
}

/// Kind of envelope.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum KindArg {
    Report,
    Feedback,
    Request,
    Response,
    Notice,
    Statistics,
    Ping,
}

/// Lane of an envelope.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[allow(missing_docs)]
pub enum LaneArg {
    Urgent,
    Normal,
    Bulk,
    Control,
}

/// What the reader of an inbox states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum ConfirmArg {
    Opened,
    None,
}

/// Form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}
