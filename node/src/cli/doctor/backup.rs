//! When the node was last backed up, and whether it has gone on after it was restored.

use std::path::Path;

use frex_proto::error::WireCode;

use super::Row;
use crate::{
    backup::{self, is_restored},
    cli::{output, time::rfc3339},
    disk::Disk,
};

const CHECK: &str = "node backup";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// A backup that is older than this is one to be made again.
const OLD_MS: u64 = 7 * DAY_MS;

/// The last backup that is known of. Spec: CLI-10.
pub fn examine(disk: &dyn Disk, home: &Path, now_ms: u64) -> Row {
    let dir = home.display();
    if is_restored(disk, home).unwrap_or(false) {
        let found = "restored, and not started since: a start asks the witnesses whether anything is missing";
        return Row::fail(
            CHECK,
            WireCode::LogUnconfirmed,
            found,
            format!("frex run {dir}"),
        );
    }
    let Some(last) = backup::last(disk, home) else {
        let found = format!("none is known of; to make one: frex backup {dir} --to FOLDER");
        return Row::skip(CHECK, found);
    };
    let age_ms = now_ms.saturating_sub(last.made_ms);
    let days = age_ms / DAY_MS;
    let age = match days {
        0 => "less than a day".to_owned(),
        days => output::counted(days, "day"),
    };
    let found = format!(
        "made {}, {age} old, {}, in {}",
        rfc3339(last.made_ms),
        output::counted(last.log_size, "log entry"),
        last.folder.display()
    );
    match age_ms > OLD_MS {
        true => Row::warn(
            CHECK,
            found,
            format!("frex backup {dir} --to {}", last.folder.display()),
        ),
        false => Row::ok(CHECK, found),
    }
}
