//! The files of a backup: copied under their hashes, and read as if they lay in a node's directory.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use frex_proto::label::Hasher;

use super::{BackupError, FILES_DIR, Kept, Manifest, io_at};
use crate::disk::{Disk, DiskFile};

const STEP_BYTES: usize = 1024 * 1024;
/// What the names of files that are being written begin with.
const DRAFT: &str = "new-";

/// Where a backup keeps its files.
pub(super) struct Objects {
    folder: PathBuf,
}

impl Objects {
    pub(super) fn of(backup: &Path) -> Self {
        Self {
            folder: backup.join(FILES_DIR),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn path(&self, kept: &Kept) -> PathBuf {
        self.folder.join(&kept.sha256)
    }

    /// Copies the first `bytes` of `source`, all if none are named, unless the backup has them.
    /// `told` hears of every step. Nothing comes of a file that is not there any more.
    pub(super) fn take(
        &self,
        source: &Path,
        bytes: Option<u64>,
        told: &mut dyn FnMut(u64),
    ) -> Result<Option<(Kept, bool)>, BackupError> {
        let mut file = match File::open(source) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io_at(source))?,
        };
        let bytes = match bytes {
            Some(bytes) => bytes,
            None => file.metadata().map_err(io_at(source))?.len(),
        };
        let known = hash(&mut file, bytes, &mut |_| Ok(()), told).map_err(io_at(source))?;
        if self.has(&known) {
            return Ok(Some((known, false)));
        }
        // What was hashed may have changed since: the name is that of the bytes that are written.
        let draft = self.folder.join(format!("{DRAFT}{}", known.sha256));
        let copied = (|| {
            let mut file = File::open(source)?;
            let mut copy = private(&draft)?;
            let mut write = |step: &[u8]| copy.write_all(step);
            let kept = hash(&mut file, bytes, &mut write, &mut |_| ())?;
            copy.sync_all()?;
            Ok(kept)
        })();
        let kept: Kept = copied.map_err(io_at(source))?;
        fs::rename(&draft, self.path(&kept)).map_err(io_at(&draft))?;
        Ok(Some((kept, true)))
    }

    /// Keeps these bytes.
    pub(super) fn put(&self, bytes: &[u8]) -> Result<Kept, BackupError> {
        let kept = hash(
            &mut &*bytes,
            bytes.len() as u64,
            &mut |_| Ok(()),
            &mut |_| (),
        );
        let kept = kept.map_err(io_at(&self.folder))?;
        if !self.has(&kept) {
            let draft = self.folder.join(format!("{DRAFT}{}", kept.sha256));
            let written = private(&draft).and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_all()
            });
            written.map_err(io_at(&draft))?;
            fs::rename(&draft, self.path(&kept)).map_err(io_at(&draft))?;
        }
        Ok(kept)
    }

    /// Whether a file is here by its name and length; [`Self::check`] reads it.
    fn has(&self, kept: &Kept) -> bool {
        let found = fs::metadata(self.path(kept));
        found.is_ok_and(|found| found.is_file() && found.len() == kept.bytes)
    }

    /// Reads a file and compares it with its name.
    pub(super) fn check(&self, kept: &Kept, told: &mut dyn FnMut(u64)) -> io::Result<bool> {
        let mut file = match File::open(self.path(kept)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            opened => opened?,
        };
        if file.metadata()?.len() != kept.bytes {
            return Ok(false);
        }
        Ok(hash(&mut file, kept.bytes, &mut |_| Ok(()), told)? == *kept)
    }

    /// Copies a file out of the backup; says whether it was what its name says.
    pub(super) fn give(
        &self,
        kept: &Kept,
        to: &Path,
        told: &mut dyn FnMut(u64),
    ) -> io::Result<bool> {
        let mut file = File::open(self.path(kept))?;
        let mut copy = private(to)?;
        let mut write = |step: &[u8]| copy.write_all(step);
        let found = hash(&mut file, kept.bytes, &mut write, told)?;
        copy.sync_all()?;
        Ok(found == *kept)
    }

    /// Removes what `manifest` does not name; gives how many files went. Spec: BAK-6.
    pub(super) fn forget(&self, manifest: &Manifest) -> Result<usize, BackupError> {
        let kept = manifest.files.values();
        let named: BTreeSet<&str> = kept.map(|kept| kept.sha256.as_str()).collect();
        let mut gone = 0;
        for entry in fs::read_dir(&self.folder).map_err(io_at(&self.folder))? {
            let entry = entry.map_err(io_at(&self.folder))?;
            let name = entry.file_name();
            if name.to_str().is_none_or(|name| !named.contains(name)) {
                fs::remove_file(entry.path()).map_err(io_at(&entry.path()))?;
                gone += 1;
            }
        }
        Ok(gone)
    }
}

fn private(path: &Path) -> io::Result<File> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
}

/// Reads `bytes` bytes, shows them, and gives their hash.
fn hash(
    file: &mut dyn Read,
    bytes: u64,
    show: &mut dyn FnMut(&[u8]) -> io::Result<()>,
    told: &mut dyn FnMut(u64),
) -> io::Result<Kept> {
    let mut hasher = Hasher::new();
    let mut left = bytes;
    let mut step = vec![0; STEP_BYTES];
    while left > 0 {
        let size = usize::try_from(left.min(STEP_BYTES as u64)).unwrap_or(STEP_BYTES);
        file.read_exact(&mut step[..size])?;
        hasher.update(&step[..size]);
        show(&step[..size])?;
        left -= size as u64;
        told(size as u64);
    }
    Ok(Kept {
        bytes,
        sha256: hex::encode(hasher.finish()),
    })
}

/// A backup as a disk that cannot be written to: each file at its path in a node's directory.
pub(super) struct View<'a> {
    pub(super) objects: &'a Objects,
    pub(super) manifest: &'a Manifest,
}

struct ReadOnly(File);

impl Disk for View<'_> {
    fn open(&self, path: &Path, _create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let kept = path.to_str().and_then(|path| self.manifest.files.get(path));
        let kept = kept.ok_or(ErrorKind::NotFound)?;
        Ok(Arc::new(ReadOnly(File::open(self.objects.path(kept))?)))
    }

    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let paths = self.manifest.files.keys().map(Path::new);
        let inside = paths.filter(|inside| inside.parent() == Some(path));
        let names = inside.filter_map(|inside| inside.file_name()?.to_str());
        Ok(names.map(str::to_owned).collect())
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(0)
    }
}

impl DiskFile for ReadOnly {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }

    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn set_len(&self, _length: u64) -> io::Result<()> {
        Err(ErrorKind::ReadOnlyFilesystem.into())
    }
}
