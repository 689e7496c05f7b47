//! Reading a published log up to a head: one way for who audits and who verifies.

use frex_client::monitor::{Fault, Followed, Monitor};
use frex_proto::{
    error::WireCode,
    log::{Tile, tile::TILE_WIDTH},
};

use super::source::Source;
use crate::cli::{failure::Failure, output};

/// Files that are fetched before they are looked at.
const BATCH: usize = 32;
/// Entries between two savings of what was read: a tenth of a second's work.
const SAVE_ENTRIES: u64 = 64 * 256;

/// Hands the monitor every file that it wants. `keep` is called now and then with what a later visit
/// can go on from. Memory does not grow with the log.
///
/// # Errors
/// What the source says, what is wrong with a file, and what `keep` returns.
pub fn read(
    source: &Source,
    monitor: &mut Monitor,
    mut keep: impl FnMut(&Followed) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let begun = monitor.followed().edge.size();
    let total = monitor.target().size.saturating_sub(begun);
    let bar = output::progress_of("entries", Some(total));
    let mut saved = begun;
    loop {
        let tiles = monitor.wanted(BATCH);
        if tiles.is_empty() {
            break;
        }
        for content in source.tiles(&tiles)? {
            monitor.take(&content)?;
        }
        let reached = monitor.followed().edge.size();
        bar.set_position(reached - begun);
        if reached - saved >= SAVE_ENTRIES {
            keep(monitor.followed())?;
            saved = reached;
        }
    }
    bar.finish_and_clear();
    Ok(())
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = WireCode::from(&fault);
        let what = match code {
            WireCode::Forked | WireCode::LogRewritten => {
                "the log contradicts what it signed before"
            }
            WireCode::LogShrunk => "the log is shorter than it was",
            WireCode::BadProof => "the published files are not what the log signed",
            _ => "the log cannot be followed from here",
        };
        let failure = Self::new(code, what).because(&fault);
        let bundle = |index: &u64| Tile::bundle(index / u64::from(TILE_WIDTH), u64::MAX).path();
        match &fault {
            Fault::Tile(path) | Fault::Bundle(path) => failure.advise(damaged(path)),
            Fault::Leaf(index) | Fault::Backwards(index) => failure.advise(damaged(&bundle(index))),
            _ if code == WireCode::BadProof => failure.advise(damaged("the files under tile/")),
            _ => failure,
        }
    }
}

/// What mends a file that is not what the log signed. Of two heads there is none here to be kept.
#[must_use]
pub fn damaged(file: &str) -> String {
    format!(
        "Fetch {file} again from whoever publishes the log; make a copy anew with frex log export, a node's own files with frex fsck --rebuild. If it stays, ask who runs the log"
    )
}
