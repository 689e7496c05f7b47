//! `frex receipt …`: what the commands about receipts share.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use frex_proto::{error::WireCode, log::tlog_proof::TLOG_PROOF_BYTES_MAX, receipt, v1};

use super::{
    DirArgs,
    failure::{Failure, OrCode},
    files,
    time::Span,
};

pub mod fetch;
pub mod finality;
pub mod list;
pub mod reach;
pub mod verify;

/// What to do with a file that is no receipt.
const NO_RECEIPT: &str = "A receipt is a .tlog-proof file";

/// `frex receipt …`.
#[derive(Debug, Subcommand)]
pub enum ReceiptCommand {
    /// Verify receipts offline, check by check
    Verify(ReceiptVerifyArgs),
    /// List the receipts of a member
    Ls(DirArgs),
    /// Ask the node for every receipt of a message that was sent
    Fetch(ReceiptFetchArgs),
}

/// `frex receipt verify`.
#[derive(Debug, Args)]
pub struct ReceiptVerifyArgs {
    /// Receipts as tlog-proof files
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Take the log's key from this roster
    #[arg(long, value_name = "FILE", requires = "root", conflicts_with = "vkey")]
    pub roster: Option<PathBuf>,
    /// The root under which the roster is judged
    #[arg(long, value_name = "FILE", requires = "roster")]
    pub root: Option<PathBuf>,
    /// The log's verifier key, or a file that holds it
    #[arg(long, value_name = "KEY|FILE")]
    pub vkey: Option<String>,
    /// The envelope that the receipt must be about
    #[arg(long, value_name = "ID")]
    pub envelope: Option<String>,
    /// Take only what is final: cosigned by as many witnesses as the roster asks for
    #[arg(long = "final", conflicts_with = "vkey")]
    pub finals: bool,
    /// Take roster and root from this member's folder
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `frex receipt fetch`.
#[derive(Debug, Args)]
pub struct ReceiptFetchArgs {
    /// Message id, as `frex send` printed it, or its beginning
    pub message: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Wait until so many recipients have opened it
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub opened: usize,
    /// Wait until every receipt is final: as many witnesses have cosigned as the roster asks for
    #[arg(long = "final")]
    pub finals: bool,
    /// How long to wait for that
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}

/// Reads a proof file. What does not read is no receipt, so it fails as verification does.
pub fn read(path: &Path) -> Result<v1::Receipt, Failure> {
    let what = format!("{} is no receipt", path.display());
    let bytes = files::read(path, TLOG_PROOF_BYTES_MAX)?;
    let text = String::from_utf8(bytes).or_code(WireCode::BadReceipt, &what);
    let receipt = text
        .and_then(|text| receipt::from_tlog_proof_text(&text).or_code(WireCode::BadReceipt, &what));
    receipt.map_err(|failure| failure.advise(NO_RECEIPT))
}
