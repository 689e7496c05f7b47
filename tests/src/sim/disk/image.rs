//! Copies of a whole disk, as backups are.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use super::{Contents, SimDisk};

/// What was on a disk.
#[derive(Debug, Clone)]
pub struct Image {
    directories: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Vec<u8>>,
}

impl SimDisk {
    /// A copy of everything on the disk, as a backup takes one.
    #[must_use]
    pub fn image(&self) -> Image {
        let state = self.lock();
        let bytes = |id: &u64| state.files.get(id).map(|contents| contents.live.clone());
        let files = state.names.iter();
        Image {
            directories: state.directories.clone(),
            files: files
                .filter_map(|(path, id)| Some((path.clone(), bytes(id)?)))
                .collect(),
        }
    }

    /// Whether these bytes are in any file, as a process sees it or as a loss of power would leave it.
    #[must_use]
    pub fn holds(&self, needle: &[u8]) -> bool {
        let state = self.lock();
        let named: BTreeSet<&u64> = state
            .names
            .values()
            .chain(state.durable_names.values())
            .collect();
        let files = state.files.iter().filter(|(id, _)| named.contains(id));
        let is_in = |bytes: &[u8]| bytes.windows(needle.len()).any(|some| some == needle);
        let mut both = files.flat_map(|(_, contents)| [&contents.live, &contents.durable]);
        both.any(|bytes| is_in(bytes))
    }

    /// Puts a copy in place of everything, as who brings back a backup does. Handles of before die.
    pub fn put_back(&self, image: &Image) {
        let mut state = self.lock();
        state.life += 1;
        state.changes.clear();
        state.files.clear();
        state.names.clear();
        state.directories.clone_from(&image.directories);
        for (path, bytes) in &image.files {
            state.files_made += 1;
            let id = state.files_made;
            state.names.insert(path.clone(), id);
            let contents = Contents {
                durable: bytes.clone(),
                live: bytes.clone(),
                pending: Vec::new(),
            };
            state.files.insert(id, contents);
        }
        state.durable_names = state.names.clone();
        state.durable_directories = state.directories.clone();
    }
}
