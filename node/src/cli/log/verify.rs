//! `frex log verify`: recomputes the tree from its entries in O(log n) memory.

use frex_client::monitor::{Followed, Monitor};
use frex_proto::log::Tile;
use serde_json::json;

use super::{LogArgs, LogFiles, read};
use crate::cli::{
    failure::{Done, Failure},
    output,
};

/// Checks the published files of a log against the head that it signed.
pub fn verify(args: &LogArgs, json: bool) -> Done {
    let log = LogFiles::open(&args.dir, &args.which)?;
    let first = check(&log)?;
    let size = log.head.size;
    if json {
        output::document(json!({
            "verified": true, "origin": log.head.origin, "size": size, "first": first,
            "root": hex::encode(log.head.root),
        }));
    } else {
        output::data(format_args!("log  {}", log.head.origin));
        output::data("  checks performed:");
        output::data("    ok           checkpoint is signed by the log");
        if first > 0 {
            output::data(format_args!(
                "    skip         the entries before #{first} are not published any more"
            ));
        }
        output::data(format_args!(
            "    ok           {} entries are leaves of the known format, in order of time",
            size - first
        ));
        output::data("    ok           every hash tile is what its entries make it");
        output::data(format_args!(
            "    ok           the entries make the signed root {}",
            hex::encode(log.head.root)
        ));
        output::data(format_args!("  {}", output::good("VERIFIED")));
    }
    Ok(0)
}

/// Recomputes every tile and the root from the entries; gives the first of them.
pub fn check(log: &LogFiles) -> Result<u64, Failure> {
    let tile = |tile: &Tile| log.source.tile(tile);
    let followed = match log.source.minimum()? {
        0 => Followed::default(),
        minimum => Followed::from_entry(log.first_kept(minimum), &log.head, tile)?,
    };
    let first = followed.first;
    let mut monitor = Monitor::begin(followed, log.head.clone(), log.note.clone(), tile)?;
    read::read(&log.source, &mut monitor, |_| Ok(()))?;
    Ok(first)
}
