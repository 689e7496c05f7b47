//! `frex receipt …`: what the commands about receipts share.

use std::path::Path;

use frex_proto::{error::WireCode, log::tlog_proof::TLOG_PROOF_BYTES_MAX, receipt, v1};

use super::{
    failure::{Failure, OrCode},
    files,
};

pub mod fetch;
pub mod finality;
pub mod list;
pub mod reach;
pub mod verify;

/// What to do with a file that is no receipt.
const NO_RECEIPT: &str = "A receipt is a .tlog-proof file: frex receipt ls DIR lists those kept";

/// Reads a proof file. What does not read is no receipt, so it fails as verification does.
pub fn read(path: &Path) -> Result<v1::Receipt, Failure> {
    let what = format!("{} is no receipt", path.display());
    let bytes = files::read(path, TLOG_PROOF_BYTES_MAX)?;
    let text = String::from_utf8(bytes).or_code(WireCode::BadReceipt, &what);
    let receipt = text
        .and_then(|text| receipt::from_tlog_proof_text(&text).or_code(WireCode::BadReceipt, &what));
    receipt.map_err(|failure| failure.advise(NO_RECEIPT))
}
