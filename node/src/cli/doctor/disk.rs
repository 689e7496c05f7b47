//! Whether there is room, and what a node keeps can be read.

use std::{
    fs::{self, File},
    io,
    path::Path,
    time::{Duration, SystemTime},
};

use frex_proto::{error::WireCode, v1::Lane};

use super::Row;
use crate::{
    config::NodeConfig,
    disk::{Disk, Room},
    home::{INDEX_DIR, JOURNAL_DIR},
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a node's journal takes up, and since when.
struct Kept {
    files: usize,
    bytes: u64,
    since: Option<SystemTime>,
}

/// Free space, journal and index.
pub fn examine(disk: &dyn Disk, home: &Path, config: &NodeConfig) -> Vec<Row> {
    let kept = kept(&home.join(JOURNAL_DIR));
    vec![
        space(disk, home, config, kept.as_ref().ok()),
        journal(home, &kept),
    ]
}

fn space(disk: &dyn Disk, home: &Path, config: &NodeConfig, kept: Option<&Kept>) -> Row {
    let check = "node disk";
    let free = match disk.free_bytes(home) {
        Ok(free) => free,
        Err(error) => {
            let mend = format!("df -h {}", home.display());
            return Row::fail(check, WireCode::Files, error.to_string(), mend);
        }
    };
    let reserve = config.disk_reserve_bytes;
    let mut found = format!("{} free, {} are the reserve", size(free), size(reserve));
    if let Some(lasts) = kept.and_then(|kept| lasts(free.saturating_sub(reserve), kept)) {
        found.push_str(&lasts);
    }
    let mend = format!(
        "Free space, or move the folder to a larger disk: df -h {}",
        home.display()
    );
    let room = Room {
        free_bytes: free,
        reserve_bytes: reserve,
    };
    let refused = room.refused().join(", ");
    if !room.takes(Lane::Urgent) {
        found.push_str(": nothing is taken");
        Row::fail(check, WireCode::DiskFull, found, mend)
    } else if !refused.is_empty() {
        found.push_str(&format!(": nothing is taken in these lanes: {refused}"));
        Row::warn(check, found, mend)
    } else {
        Row::ok(check, found)
    }
}

/// How long the room lasts if it fills as it did so far; nothing before a day has passed.
fn lasts(room_bytes: u64, kept: &Kept) -> Option<String> {
    let age = kept.since?.elapsed().ok().filter(|age| *age >= DAY)?;
    let days_kept = u128::from(age.as_secs() / DAY.as_secs());
    let days = (u128::from(room_bytes) * days_kept).checked_div(kept.bytes.into())?;
    Some(format!(
        ", enough for {days} days as the journal has grown so far"
    ))
}

fn journal(home: &Path, kept: &io::Result<Kept>) -> Row {
    let check = "node journal";
    let mend = |kind: &str| format!("Stop the node, then: frex fsck {kind}{}", home.display());
    match kept {
        Err(error) => {
            let found = format!("the journal cannot be read: {error}");
            Row::fail(check, WireCode::Files, found, mend(""))
        }
        Ok(kept) if kept.files == 0 => Row::ok(check, "empty: the node has not run yet"),
        Ok(kept) => match fs::read_dir(home.join(INDEX_DIR)).map(|mut files| files.next()) {
            Ok(Some(_)) => {
                let found = format!(
                    "{} in {} files, and its index",
                    size(kept.bytes),
                    kept.files
                );
                Row::ok(check, found)
            }
            _ => {
                let found = "the index is missing: it is made anew from the journal";
                Row::fail(check, WireCode::Files, found, mend("--rebuild "))
            }
        },
    }
}

/// Opens every file once: one that belongs to another user is found before the node needs it.
fn kept(journal: &Path) -> io::Result<Kept> {
    let mut kept = Kept {
        files: 0,
        bytes: 0,
        since: None,
    };
    for entry in fs::read_dir(journal)? {
        let metadata = File::open(entry?.path())?.metadata()?;
        kept.files += 1;
        kept.bytes += metadata.len();
        let made = metadata.created().ok();
        kept.since = match (kept.since, made) {
            (Some(since), Some(made)) => Some(since.min(made)),
            (since, made) => since.or(made),
        };
    }
    Ok(kept)
}

fn size(bytes: u64) -> String {
    const UNITS: [(u32, &str); 3] = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    for (shift, unit) in UNITS {
        let tenths = (u128::from(bytes) * 10) >> shift;
        if tenths >= 10 {
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{bytes} bytes")
}
