//! `frex log export`: a copy of the published log for any web server, made or brought up to date.
//! Spec: AUD-1.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use clap::Args;
use frex_client::monitor::{Followed, Monitor};
use frex_proto::{
    error::WireCode,
    limits,
    log::{Origin, Tile, tile::TILE_WIDTH},
};
use serde_json::json;

use super::{LogFiles, source::MINIMUM};
use crate::{
    cli::{
        failure::{Done, Failure},
        files, output,
    },
    ledger::publish::{WITNESSED, cosigned::COSIGNED},
};

/// `frex log export`.
#[derive(Debug, Args)]
pub struct LogExportArgs {
    /// Folder to make
    pub out: PathBuf,
    /// The folder that `frex init` made, or a copy
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Bring a copy that is there up to date; only what is new is written
    #[arg(long)]
    pub update: bool,
}

/// Copies the log with its verifier key: tiles first, then the checkpoint that names them.
pub fn export(args: &LogExportArgs, json: bool) -> Done {
    let log = LogFiles::open(&args.dir)?;
    let folder = args.out.join(&log.head.origin);
    let before = match (folder.exists(), args.update) {
        (true, false) => {
            let what = format!("{} exists already", folder.display());
            return Err(Failure::new(WireCode::AlreadyExists, what)
                .advise("To bring this copy up to date, add --update"));
        }
        (true, true) => size_of_copy(&folder, &log)?,
        (false, _) => 0,
    };
    let failed = |error: io::Error| Failure::file("write", &folder, &error);
    let minimum = log.source.minimum()?;
    let gone = |tile: &Tile| tile.end().is_some_and(|end| end <= minimum);
    let mut tiles = Tile::touched(before, log.head.size);
    tiles.retain(|tile| !gone(tile));
    let bar = output::progress_of("files", Some(tiles.len() as u64));
    for tile in &tiles {
        let content = log.source.tile(tile)?;
        let path = folder.join(tile.path());
        fs::create_dir_all(path.parent().unwrap_or(&folder)).map_err(failed)?;
        fs::write(path, content).map_err(failed)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    fs::create_dir_all(&folder).map_err(failed)?;
    if minimum > 0 && before == 0 {
        replace(&folder.join(MINIMUM), format!("{minimum}\n").as_bytes())?;
    }
    for name in [WITNESSED, COSIGNED] {
        if let Some(note) = log.source.beside(name)? {
            replace(&folder.join(name), &note)?;
        }
    }
    replace(&folder.join("checkpoint"), &log.note)?;
    for tile in tiles.iter().filter(|tile| tile.width == TILE_WIDTH) {
        remove_partials(&folder, tile)?;
    }
    let node = Origin::parse(&log.head.origin).map_or("log", |origin| origin.node);
    let vkey = args.out.join(format!("{node}.vkey"));
    replace(&vkey, format!("{}\n", log.vkey()).as_bytes())?;
    say(args, json, &log, &folder, &vkey, tiles.len());
    Ok(0)
}

fn say(args: &LogExportArgs, json: bool, log: &LogFiles, folder: &Path, vkey: &Path, tiles: usize) {
    let size = log.head.size;
    if json {
        return output::document(
            json!({ "folder": folder, "vkey": vkey, "size": size, "tiles": tiles }),
        );
    }
    output::data(format_args!(
        "exported  {}   {size} entries, {tiles} tiles",
        folder.display()
    ));
    output::data(format_args!("vkey      {}", vkey.display()));
    output::data(format_args!("Next: frex log verify {}", args.out.display()));
}

/// Entries of the copy that is there, whose head the log must extend.
fn size_of_copy(folder: &Path, log: &LogFiles) -> Result<u64, Failure> {
    let path = folder.join("checkpoint");
    if !path.is_file() {
        // A copy whose first making was stopped.
        return Ok(0);
    }
    let before = Followed {
        head: Bytes::from(files::read(&path, limits::CHECKPOINT_BYTES_MAX)?),
        ..Followed::default()
    };
    let size = before.taken().map_or(0, |head| head.size);
    let (head, note) = (log.head.clone(), log.note.clone());
    Monitor::begin(before, head, note, |tile| log.source.tile(tile))?;
    Ok(size)
}

/// Replaces a file of a copy whole, readable by whoever may read the folder.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension("new");
    let replaced = fs::write(&draft, bytes).and_then(|()| fs::rename(&draft, path));
    replaced.map_err(|error| Failure::file("write", path, &error))
}

/// Takes away the partial tiles of a place whose full tile is there, or is taken away too.
pub(super) fn remove_partials(folder: &Path, tile: &Tile) -> Result<(), Failure> {
    let path = folder.join(format!("{}.p", tile.path()));
    match fs::remove_dir_all(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Failure::file("remove", &path, &error))
        }
        _ => Ok(()),
    }
}
