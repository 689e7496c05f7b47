//! `frex backup verify`.

use frex_proto::error::WireCode;
use serde_json::json;

use super::{BackupVerifyArgs, keys_text};
use crate::{
    backup::{BackupError, check},
    cli::{
        failure::{Done, Failure},
        output,
        time::rfc3339,
    },
};

/// Reads a backup through and says what holds.
pub fn verify(args: &BackupVerifyArgs, json: bool) -> Done {
    let bar = output::progress("checking the backup");
    let checked = check::check(&args.folder, &mut |done, total| {
        output::advance(&bar, done, total);
    });
    bar.finish_and_clear();
    let checked = checked.map_err(|error| not_whole(&error))?;
    let manifest = &checked.manifest;
    let bytes: u64 = manifest.files.values().map(|kept| kept.bytes).sum();
    let (blocks, records) = checked
        .journal
        .map_or((0, 0), |journal| (journal.blocks, journal.records));
    if json {
        output::document(json!({
            "verified": true, "node": manifest.node, "federation": manifest.federation,
            "made": rfc3339(manifest.made_ms), "log_size": manifest.log_size,
            "files": manifest.files.len(), "bytes": bytes, "blocks": blocks, "records": records,
            "keys": manifest.keys, "manifest": hex::encode(checked.sha256),
        }));
        return Ok(0);
    }
    output::data(format_args!(
        "backup of {}, made {}",
        manifest.node,
        rfc3339(manifest.made_ms)
    ));
    output::data("  checks performed:");
    output::data(format_args!(
        "    ok           {} files, {bytes} bytes, are what the manifest says",
        manifest.files.len()
    ));
    output::data(format_args!(
        "    ok           journal: {blocks} blocks, {records} records: every checksum holds"
    ));
    output::data(format_args!(
        "    ok           {} log entries make each head that the log signed",
        manifest.log_size
    ));
    output::data(format_args!("  keys: {}", keys_text(manifest.keys)));
    output::data(format_args!(
        "  manifest: {}   compare it with what frex backup printed",
        hex::encode(checked.sha256)
    ));
    output::data(format_args!("  {}", output::good("VERIFIED")));
    Ok(0)
}

fn not_whole(error: &BackupError) -> Failure {
    let failure = Failure::new(error.into(), "the backup does not hold").because(error);
    match failure.code() {
        WireCode::BackupDamaged => failure
            .advise("Use another backup, or make this one again: frex backup DIR --to FOLDER"),
        _ => failure,
    }
}
