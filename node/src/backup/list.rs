//! What of a node's directory goes into a backup.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{BackupError, LEFT_OUT, io_at, is_key, is_plain};
use crate::{attachments, home::JOURNAL_DIR};

/// Parts of the longest path.
pub(super) const DEPTH_MAX: usize = 6;

/// The files of the node in `home` but for its journal, by their paths in a manifest.
///
/// What others write is left out: drafts, and attachments of which chunks are still missing, for no
/// envelope that was taken needs them. Spec: BAK-3.
pub(super) fn list(home: &Path, with_keys: bool) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let mut found = Vec::new();
    let mut open = vec![(home.to_owned(), String::new())];
    while let Some((folder, prefix)) = open.pop() {
        for (name, path) in entries(&folder)? {
            let place = format!("{prefix}{name}");
            let top = prefix.is_empty();
            let left_out = top && (LEFT_OUT.contains(&name.as_str()) || name == JOURNAL_DIR);
            if left_out || !is_plain(&place) || !with_keys && is_key(&place) {
                continue;
            }
            // What a link leads to is what the node would read.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            if metadata.is_dir() {
                open.push((path, format!("{place}/")));
            } else if metadata.is_file() && !is_draft(&folder, &place) {
                found.push((place, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, BackupError> {
    let read = || -> io::Result<Vec<_>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                names.push((name, entry.path()));
            }
        }
        Ok(names)
    };
    read().map_err(io_at(folder))
}

fn is_draft(folder: &Path, place: &str) -> bool {
    let rest = place.strip_prefix(attachments::FOLDER);
    let Some(name) = rest.and_then(|rest| rest.strip_prefix('/')) else {
        return place.ends_with(".new") || place.ends_with(".lock");
    };
    let whole = Path::new(name).with_extension("sealed");
    !folder.join(whole).is_file()
}
