//! `frex log verify`: recomputes the tree from its entries in O(log n) memory.

use std::path::Path;

use frex_proto::{
    error::WireCode,
    label::Hash,
    log::{self, Frontier, Leaf, Tile, TileKind, node_hash, tile},
};
use serde_json::json;

use super::{LogFiles, WIDTH, entry_tile};
use crate::cli::{
    failure::{Done, Failure, OrCode},
    output,
};

/// Checks the published files of a log against the head that it signed.
pub fn verify(dir: &Path, json: bool) -> Done {
    let log = LogFiles::open(dir)?;
    check(&log)?;
    let size = log.head.size;
    if json {
        output::document(json!({
            "verified": true, "origin": log.head.origin, "size": size, "root": hex::encode(log.head.root),
        }));
    } else {
        output::data(format_args!("log  {}", log.head.origin));
        output::data("  checks performed:");
        output::data("    ok           checkpoint is signed by the log");
        output::data(format_args!(
            "    ok           {size} entries are leaves of the known format"
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

/// Recomputes every tile and the root from the entries.
pub fn check(log: &LogFiles) -> Result<(), Failure> {
    let size = log.head.size;
    let mut frontier = Frontier::new();
    let mut tiles = TileCheck {
        log,
        rows: Vec::new(),
    };
    let bar = output::progress("entries");
    for index in 0..size.div_ceil(WIDTH) {
        let bundle = entry_tile(index, size);
        let content = log.tile(&bundle)?;
        let entries = tile::entries(&content, bundle.width).or_code(
            WireCode::BadProof,
            format_args!("{} does not decode", bundle.path()),
        )?;
        for entry in entries {
            Leaf::parse(entry).or_code(
                WireCode::BadProof,
                format_args!("{} holds what is no leaf", bundle.path()),
            )?;
            let hash = log::leaf_hash(entry);
            frontier.append(hash);
            tiles.push(0, hash)?;
        }
        output::advance(&bar, (index + 1) * WIDTH, size);
    }
    tiles.finish()?;
    bar.finish_and_clear();
    if frontier.root() != log.head.root {
        return Err(Failure::new(
            WireCode::BadProof,
            "the entries do not make the root that was signed",
        )
        .cause(format!(
            "computed {}, signed {}",
            hex::encode(frontier.root()),
            hex::encode(log.head.root)
        )));
    }
    Ok(())
}

/// Compares each hash tile with the hashes below it while they pass by.
struct TileCheck<'a> {
    log: &'a LogFiles,
    /// Per tile level: how many tiles are done, and the hashes of the one being filled.
    rows: Vec<(u64, Vec<Hash>)>,
}

impl TileCheck<'_> {
    fn push(&mut self, level: usize, hash: Hash) -> Result<(), Failure> {
        if self.rows.len() == level {
            self.rows.push((0, Vec::new()));
        }
        let row = &mut self.rows[level];
        row.1.push(hash);
        if row.1.len() as u64 == WIDTH {
            let hashes = std::mem::take(&mut row.1);
            let index = row.0;
            row.0 += 1;
            self.compare(level, index, &hashes)?;
            self.push(level + 1, fold(&hashes))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Failure> {
        for (level, (index, hashes)) in std::mem::take(&mut self.rows).into_iter().enumerate() {
            if !hashes.is_empty() {
                self.compare(level, index, &hashes)?;
            }
        }
        Ok(())
    }

    fn compare(&self, level: usize, index: u64, hashes: &[Hash]) -> Result<(), Failure> {
        let tile = Tile {
            kind: TileKind::Hashes(u8::try_from(level).unwrap_or(u8::MAX)),
            index,
            width: u16::try_from(hashes.len()).unwrap_or(256),
        };
        if self.log.tile(&tile)? == hashes.as_flattened() {
            return Ok(());
        }
        Err(Failure::new(
            WireCode::BadProof,
            format!("{} is not what the entries make it", tile.path()),
        ))
    }
}

/// Root over a full tile.
fn fold(hashes: &[Hash]) -> Hash {
    let mut row = hashes.to_vec();
    while let [_, _, ..] = row[..] {
        row = row
            .as_chunks::<2>()
            .0
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied().unwrap_or_else(log::empty_root)
}
