//! `frex log export`: a copy of the published log for any web server, made or brought up to date.
//! Spec: AUD-1.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::Args;
use frex_client::{keys::MEMBER_FILE, monitor::extends};
use frex_proto::{
    error::WireCode,
    limits,
    log::{Checkpoint, Origin, Tile, tile::TILE_WIDTH},
};
use serde_json::json;

use super::{LogFiles, WhichLog, find, source::MINIMUM};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        files, output,
    },
    home::CONFIG_FILE,
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
    #[command(flatten)]
    pub which: WhichLog,
}

/// Copies the log with its verifier key: tiles first, then the checkpoint that names them.
pub fn export(args: &LogExportArgs, json: bool) -> Done {
    let log = LogFiles::open(&args.dir, &args.which)?;
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
    refuse_other(args, &folder)?;
    let failed = |error: io::Error| Failure::file("write", &folder, &error);
    let minimum = log.source.minimum()?;
    let tiles = wanted(args, &log, before, minimum)?;
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
    // A head that is there says that its tiles are, also after a loss of power.
    sync(&args.out, tiles.iter().map(|tile| folder.join(tile.path()))).map_err(failed)?;
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
    let vkey = keep_vkey(&args.out, &log)?;
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
    let which = args.which.origin.iter();
    let which: String = which.map(|origin| format!(" --origin {origin}")).collect();
    output::data(format_args!(
        "Next: frex log verify {}{which}",
        args.out.display()
    ));
}

/// The files that the copy has not got: of one that is made anew all that are left at the source.
fn wanted(
    args: &LogExportArgs,
    log: &LogFiles,
    before: u64,
    minimum: u64,
) -> Result<Vec<Tile>, Failure> {
    let mut tiles = Tile::touched(before, log.head.size);
    let count = tiles.len();
    tiles.retain(|tile| tile.end().is_none_or(|end| end > minimum));
    if before > 0 && tiles.len() < count {
        let what = format!("{} does not hold what this copy lacks", args.dir.display());
        return Err(Failure::new(WireCode::Pruned, what)
            .cause(format!(
                "the copy has {before} entries, and the source those from #{minimum} on"
            ))
            .advise(format!(
                "Update it from where nothing was taken away, or make a new copy: frex log export NEW {}",
                args.dir.display()
            )));
    }
    Ok(tiles)
}

/// Nothing is written into a folder that is for other things, such as a member's: who changes the two
/// arguments about hears of it. A copy that is there may be joined by one of another log.
fn refuse_other(args: &LogExportArgs, folder: &Path) -> Result<(), Failure> {
    let (out, dir) = (&args.out, args.dir.display());
    let of_frex = [("node", CONFIG_FILE), ("member", MEMBER_FILE)]
        .iter()
        .any(|(part, marker)| files::home(out, part, marker).is_ok());
    let refused = |cause: &str, advice: String| {
        let what = format!("{} is no copy of a log", out.display());
        let refused = Failure::new(WireCode::BadInput, what).cause(cause);
        Err(refused.advise(advice))
    };
    if of_frex || is_within_node(out) {
        let advice =
            format!("The copy comes first, then whose log it is: frex log export COPY {dir}");
        return refused("it is the folder of a member or node", advice);
    }
    if folder.exists() || !out.exists() {
        return Ok(());
    }
    let listed = fs::read_dir(out).map_err(|error| Failure::file("list", out, &error))?;
    for entry in listed {
        let path = entry
            .map_err(|error| Failure::file("list", out, &error))?
            .path();
        let is_key = path.extension() == Some(OsStr::new(find::VKEY));
        // Logs lie under the first word of their names.
        if !is_key && path.file_name() != Some(OsStr::new("frex")) {
            let advice = format!("Name a folder of its own: frex log export COPY {dir}");
            return refused("it holds other files", advice);
        }
    }
    Ok(())
}

/// Whether files of a node lie in one of the folders above, so that this is one of them.
pub(super) fn is_within_node(path: &Path) -> bool {
    let there = path.ancestors().find_map(|above| match above.as_os_str() {
        bare if bare.is_empty() => Path::new(".").canonicalize().ok(),
        _ => above.canonicalize().ok(),
    });
    let is_node = |above: &Path| above.join(CONFIG_FILE).is_file();
    there.is_some_and(|there| there.ancestors().any(is_node))
}

/// Entries of the copy that is there, whose head the log must extend.
fn size_of_copy(folder: &Path, log: &LogFiles) -> Result<u64, Failure> {
    let path = folder.join("checkpoint");
    if !path.is_file() {
        // A copy whose first making was stopped.
        return Ok(0);
    }
    let before = Checkpoint::of_note(&files::read(&path, limits::CHECKPOINT_BYTES_MAX)?);
    let before = before.or_fail(format!("{} is no checkpoint", path.display()))?;
    extends(&before, &log.head, |tile| log.source.tile(tile))?;
    Ok(before.size)
}

/// Keeps the log's verifier key beside it; that of another log of the node, which has ended or follows,
/// stays.
fn keep_vkey(out: &Path, log: &LogFiles) -> Result<PathBuf, Failure> {
    let origin = Origin::parse(&log.head.origin).ok();
    let (node, epoch) = origin.map_or(("log", 0), |origin| (origin.node, origin.epoch));
    let first = out.join(format!("{node}.{}", find::VKEY));
    let is_other = first.is_file()
        && find::read_vkey(&first)?.is_some_and(|key| key.origin != log.head.origin);
    let path = match is_other {
        true => out.join(format!("{node}.{epoch}.{}", find::VKEY)),
        false => first,
    };
    replace(&path, format!("{}\n", log.vkey()).as_bytes())?;
    Ok(path)
}

/// Replaces a file of a copy whole and durably, readable by whoever may read the folder.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = path.with_extension("new");
    let write = || {
        let mut file = File::create(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path)?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    };
    write().map_err(|error| Failure::file("write", path, &error))
}

/// Makes files below `out` durable, and that they are there.
fn sync(out: &Path, paths: impl Iterator<Item = PathBuf>) -> io::Result<()> {
    let mut folders = BTreeSet::new();
    for path in paths {
        File::open(&path)?.sync_all()?;
        let above = path.ancestors().skip(1);
        let above = above.take_while(|folder| folder.starts_with(out));
        folders.extend(above.map(Path::to_owned));
    }
    folders.extend(out.parent().map(Path::to_owned));
    folders.iter().try_for_each(|folder| sync_folder(folder))
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    // The parent of a bare name has none.
    let folder = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    File::open(folder)?.sync_all()
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
