//! The only door to files that must survive: the real disk, or the simulator's.
//!
//! A method that returns `Ok` from a sync has made the bytes durable. After a failed sync nothing
//! is known about what the disk holds: the caller stops and never tries the sync again.

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use frex_client::keys::file;
use frex_proto::v1::Lane;

/// How old the known amount of free space may be.
const SPACE_AGE_MS_MAX: u64 = 1_000;

/// One open file, addressed by offset. Shared between one writer and many readers.
pub trait DiskFile: Send + Sync {
    /// Fills `buffer` from `offset`. `UnexpectedEof` if the file ends before.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// Writes all of `bytes` at `offset`, growing the file as needed. Not durable.
    ///
    /// # Errors
    /// Whatever the disk says; part of the bytes may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// Whatever the disk says; nothing is known about earlier writes afterwards.
    fn sync_data(&self) -> io::Result<()>;

    /// Length in bytes.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn len(&self) -> io::Result<u64>;

    /// Whether the file holds no byte.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts or grows (with zeros) the file. Not durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn set_len(&self, length: u64) -> io::Result<()>;
}

/// A place for files.
pub trait Disk: Send + Sync {
    /// Opens for reading and writing; with `create`, makes the file (mode 0600) if absent.
    ///
    /// # Errors
    /// `NotFound` without `create`, or whatever the disk says.
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>>;

    /// Keeps other programs from changing the file at `path`, until what it gives is dropped;
    /// nothing on a disk that only one program sees.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn hold(&self, _path: &Path) -> io::Result<Option<File>> {
        Ok(None)
    }

    /// Makes a directory and its parents (mode as the process's umask says).
    ///
    /// # Errors
    /// Whatever the disk says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// File names directly in `path`, sorted.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Makes creations, renames and removals in `path` durable.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Renames within one file system, replacing `to`.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Removes an empty directory; nothing on a disk where these cost nothing.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn remove_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    /// Free bytes for this process where `path` is.
    ///
    /// # Errors
    /// Whatever the disk says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// Makes a directory and its parents, so that a power cut does not take them away again.
///
/// Parents that this process may not read were there before it and are left alone.
///
/// # Errors
/// Whatever the disk says.
pub fn create_dir_durable(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    disk.create_dir_all(path)?;
    for parent in path.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() {
            Path::new(".")
        } else {
            parent
        };
        match disk.sync_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            synced => synced?,
        }
    }
    Ok(())
}

/// Reads a whole file of at most `bytes_max`.
///
/// # Errors
/// `InvalidData` if it is larger, or whatever the disk says.
pub fn read_all(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, false)?;
    let length = file.len()?;
    if length > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "file larger than allowed",
        ));
    }
    let length = usize::try_from(length).map_err(|_| io::ErrorKind::InvalidData)?;
    let mut bytes = vec![0; length];
    file.read_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Replaces a file so that a crash leaves the old bytes or the new, never a mixture; durable.
///
/// # Errors
/// Whatever the disk says.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    draft(disk, &temporary, bytes)?.sync_data()?;
    disk.rename(&temporary, path)?;
    disk.sync_dir(parent_of(path))
}

/// Replaces a file so that who reads it meanwhile sees the old bytes or the new. Not durable: a power
/// cut may leave anything in it.
///
/// # Errors
/// Whatever the disk says.
pub fn put(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_beside(path);
    draft(disk, &temporary, bytes)?;
    disk.rename(&temporary, path)
}

fn draft(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<Arc<dyn DiskFile>> {
    let file = disk.open(path, true)?;
    file.set_len(0)?;
    file.write_at(bytes, 0)?;
    Ok(file)
}

/// The folder of a path; a bare name is in the present one.
fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".new");
    path.with_file_name(name)
}

/// The space left where the data is, asked for at most once a second: it is wanted for every
/// request, and asking costs a system call.
#[derive(Debug)]
pub struct Space(Mutex<(u64, u64)>);

impl Default for Space {
    fn default() -> Self {
        Self(Mutex::new((0, 0)))
    }
}

impl Space {
    /// Free bytes for this process where `path` is; 0 if the disk does not say.
    pub fn free_bytes(&self, disk: &dyn Disk, path: &Path, now_ms: u64) -> u64 {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (asked_ms, bytes) = *known;
        if asked_ms != 0 && now_ms.saturating_sub(asked_ms) < SPACE_AGE_MS_MAX {
            return bytes;
        }
        let bytes = disk.free_bytes(path).unwrap_or(0);
        *known = (now_ms, bytes);
        bytes
    }
}

/// The space that is left, and what is to stay free. Spec: ADM-5.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// Free bytes.
    pub free_bytes: u64,
    /// The reserve: the journal needs it for what is confirmed, relayed and read.
    pub reserve_bytes: u64,
}

impl Room {
    /// Whether new envelopes of a lane are taken. Bulk stops first, then normal; as much as half
    /// the reserve is then left for what is urgent.
    #[must_use]
    pub const fn takes(self, lane: Lane) -> bool {
        let kept_free = match lane {
            Lane::Urgent | Lane::Control => self.reserve_bytes,
            Lane::Normal | Lane::Unspecified => {
                self.reserve_bytes.saturating_add(self.reserve_bytes / 2)
            }
            Lane::Bulk => self.reserve_bytes.saturating_mul(2),
        };
        self.free_bytes >= kept_free
    }

    /// The lanes of which nothing new is taken, the first to stop first.
    #[must_use]
    pub fn refused(self) -> Vec<&'static str> {
        let lanes = [
            (Lane::Bulk, "bulk"),
            (Lane::Normal, "normal"),
            (Lane::Control, "control"),
            (Lane::Urgent, "urgent"),
        ];
        let refused = lanes.into_iter().filter(|(lane, _)| !self.takes(*lane));
        refused.map(|(_, name)| name).collect()
    }
}

/// The operating system's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl DiskFile for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, buffer, offset)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Self::sync_data(self)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        Self::set_len(self, length)
    }
}

impl Disk for RealDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(create)
            .truncate(false)
            .mode(0o600)
            .open(path)?;
        Ok(Arc::new(file))
    }

    fn hold(&self, path: &Path) -> io::Result<Option<File>> {
        file::hold(path).map(Some)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        std::fs::create_dir_all(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            if let Ok(name) = entry?.file_name().into_string() {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_dir(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}
