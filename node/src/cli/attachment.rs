//! `frex attachment …`: files that came with a report. They are written where the user says, and
//! nothing here ever opens, shows or runs one. Spec: ATT-22.

use std::path::PathBuf;

use clap::{Args, Subcommand};

pub mod fetch;
pub mod list;
mod received;

/// `frex attachment …`.
#[derive(Debug, Subcommand)]
pub enum AttachmentCommand {
    /// List the files that came with a report
    Ls(AttachmentLsArgs),
    /// Fetch them from the node; a fetch that was stopped goes on where it was
    Fetch(AttachmentFetchArgs),
}

/// `frex attachment ls`.
#[derive(Debug, Args)]
pub struct AttachmentLsArgs {
    /// Envelope or message id, or the first letters of one
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex attachment fetch`.
#[derive(Debug, Args)]
pub struct AttachmentFetchArgs {
    /// Envelope or message id, or the first letters of one
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Only this one of them, as `frex attachment ls` numbers them; repeat for each
    #[arg(long, value_name = "N")]
    pub number: Vec<u32>,
    /// The folder to write them to; no file there is ever replaced
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How long the node is looked for, and waited for when it falls silent
    #[arg(long, default_value = "30s", value_name = "DURATION")]
    pub wait: super::time::Span,
}
