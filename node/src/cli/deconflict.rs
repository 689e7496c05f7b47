//! `frex deconflict …`: whether other members hold an identifier, without telling them which, and the
//! same for them. What is secret in it is in the client's module of the same name. Spec: chapter DCF.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::time::Span;

pub mod ask;
pub mod contact;
pub mod desk;
pub mod hold;
pub mod keys;
pub mod list;
mod post;
mod received;
pub mod turn;
mod words;

/// `frex deconflict …`.
#[derive(Debug, Subcommand)]
pub enum DeconflictCommand {
    /// Name a desk: whom others call after a hit
    Desk(DeskArgs),
    /// Say which identifiers this member holds, from a file or a report that was received
    Hold(HoldArgs),
    /// Show what is held, what others asked, what this member asked, and who has called
    Ls(LsArgs),
    /// Ask a member whether it holds identifiers
    Ask(AskArgs),
    /// Answer what others asked, and read answers and calls
    Answer(AnswerArgs),
    /// List own epochs and those of others; begin one
    Keys(KeysArgs),
    /// Call the desk that a hit has named: shows it which identifier it was
    Contact(ContactArgs),
}

/// `frex deconflict desk`.
#[derive(Debug, Args)]
pub struct DeskArgs {
    /// Its short name: 1 to 32 of a-z, 0-9, - and _
    pub name: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// What it is called
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub called: String,
    /// Where it is written to
    #[arg(long, value_name = "ADDRESS", required_unless_present = "phone")]
    pub email: Option<String>,
    /// Where it is called: + and the number with its country code
    #[arg(long, value_name = "NUMBER")]
    pub phone: Option<String>,
    /// Languages as BCP 47 tags, separated by spaces
    #[arg(long, value_name = "TAGS", default_value = "")]
    pub languages: String,
    /// When it is staffed, in words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub hours: String,
    /// What else a caller should know
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
}

/// `frex deconflict hold`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// Identifiers, one on each line; - reads standard input
    #[arg(required_unless_present_any = ["report", "let_go_of"])]
    pub file: Option<PathBuf>,
    /// A report: its identifiers, addresses and hashes. The message id of one that was received, or the
    /// beginning of it, or a file
    #[arg(long, value_name = "MESSAGE|FILE", conflicts_with = "file")]
    pub report: Option<String>,
    /// The folder that `frex init` made
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub from: PathBuf,
    /// The desk that answers for them
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub desk: String,
    /// That they are held may not be told: nobody gets a hit on them
    #[arg(long)]
    pub silent: bool,
    /// From where the member has them, to let go of them together
    #[arg(long, value_name = "WORD")]
    pub source: Option<String>,
    /// Let go of these instead
    #[arg(long)]
    pub let_go: bool,
    /// Let go of all that came from this source
    #[arg(long, value_name = "WORD", conflicts_with_all = ["file", "report", "let_go"])]
    pub let_go_of: Option<String>,
}

/// `frex deconflict ls`.
#[derive(Debug, Args)]
pub struct LsArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex deconflict ask`.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Identifiers, one on each line, at most 64; - reads standard input
    #[arg(required_unless_present = "identifier")]
    pub file: Option<PathBuf>,
    /// One identifier, as 'email a@b.example'; repeat for each
    #[arg(long, value_name = "TEXT", conflicts_with = "file")]
    pub identifier: Vec<String>,
    /// The member to ask
    #[arg(long, value_name = "MEMBER")]
    pub to: String,
    /// The folder that `frex init` made
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub from: PathBuf,
    /// How long to wait for the answer
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub wait: Span,
}

/// `frex deconflict answer`.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How long to wait for something to come
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub wait: Span,
    /// Go on until stopped
    #[arg(long)]
    pub follow: bool,
}

/// `frex deconflict keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Begin an epoch now, with a book of what is held now
    #[arg(long)]
    pub next: bool,
}

/// `frex deconflict contact`.
#[derive(Debug, Args)]
pub struct ContactArgs {
    /// The question: its message id, or the beginning of it
    pub question: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Which of its identifiers, as the answer numbers them
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub item: u32,
    /// The own desk that is to be called back
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub desk: String,
    /// The own name for the case
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reference: String,
    /// What is wanted, in words
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// How long to wait for the member's node
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}
