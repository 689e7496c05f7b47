//! `frex invite …`: its words.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Subcommand};

use super::time::Span;

pub mod list;
pub mod open;
mod qr;
mod wait;

/// `frex invite`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InviteArgs {
    /// What else to do with invitations
    #[command(subcommand)]
    pub action: Option<InviteAction>,
    /// What to invite with
    #[command(flatten)]
    pub open: InviteOpenArgs,
}

/// `frex invite …`.
#[derive(Debug, Subcommand)]
pub enum InviteAction {
    /// List invitations and what became of them
    Ls(InviteListArgs),
    /// Take an invitation back
    Rm(InviteRemoveArgs),
}

/// `frex invite DIR`.
#[derive(Debug, Args)]
pub struct InviteOpenArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// UDP address on which to wait [default: the node's, with the next port]
    #[arg(long, value_name = "ADDR", conflicts_with = "resume")]
    pub listen: Option<SocketAddr>,
    /// HOST:PORT at which the newcomer reaches it [default: the node's host in the roster]
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "resume")]
    pub address: Option<String>,
    /// How long the invitation lasts, at most 31d
    #[arg(long, default_value = "24h", value_name = "DURATION")]
    pub expires: Span,
    /// For whom, in your own words; stays on this machine
    #[arg(long, default_value = "", value_name = "TEXT")]
    pub note: String,
    /// Go on waiting for an invitation that was handed out before
    #[arg(long, value_name = "ID")]
    pub resume: Option<String>,
    /// Draw the QR code even where standard error is no terminal
    #[arg(long)]
    pub qr: bool,
    /// Stop when standard input ends
    #[arg(long)]
    pub stop_with_stdin: bool,
}

/// `frex invite ls`.
#[derive(Debug, Args)]
pub struct InviteListArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex invite rm`.
#[derive(Debug, Args)]
pub struct InviteRemoveArgs {
    /// The invitation, as `frex invite ls` names it
    pub id: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}
