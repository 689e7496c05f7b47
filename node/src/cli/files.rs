//! Files as commands make them: private, whole, never in place of others.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use frex_client::keys::file;
use frex_proto::error::WireCode;

use super::failure::Failure;
use crate::disk::{self, RealDisk};

/// Makes a folder that only its owner enters; its parents as the system makes them.
///
/// # Errors
/// The failure names the folder.
pub fn make_folder(path: &Path) -> Result<(), Failure> {
    let made = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => fs::create_dir_all(parent),
        _ => Ok(()),
    };
    made.and_then(|()| DirBuilder::new().mode(0o700).create(path))
        .map_err(|error| Failure::file("make the folder", path, &error))
}

/// As [`make_folder`], for one that may be there already.
///
/// # Errors
/// The failure names the folder.
pub fn ensure_folder(path: &Path) -> Result<(), Failure> {
    if path.is_dir() {
        Ok(())
    } else {
        make_folder(path)
    }
}

/// Writes a new file that only its owner reads.
///
/// # Errors
/// The failure names the file; one that exists is never touched.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let mut file = create(path)?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::file("write", path, &error))
}

/// Makes a new file that only its owner reads, to be written bit by bit.
///
/// # Errors
/// The failure names the file; one that exists is never touched.
pub fn create(path: &Path) -> Result<File, Failure> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| Failure::file("write", path, &error))
}

/// Replaces a file so that a crash leaves the old or the new one; only its owner reads it.
///
/// # Errors
/// The failure names the file.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    // A bare name has an empty parent, which is no folder that can be synced.
    let path = &match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => Path::new(".").join(path),
        _ => path.to_owned(),
    };
    disk::replace(&RealDisk, path, bytes).map_err(|error| Failure::file("write", path, &error))
}

/// Keeps other programs from changing a file until what this gives is dropped.
///
/// # Errors
/// The failure names the file.
pub fn hold(path: &Path) -> Result<File, Failure> {
    file::hold(path).map_err(|error| Failure::file("wait for", path, &error))
}

/// Reads a file of at most `bytes_max`.
///
/// # Errors
/// The failure names the file.
pub fn read(path: &Path, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let length = fs::metadata(path).map_err(failed)?.len();
    if length > bytes_max as u64 {
        return Err(Failure::new(
            WireCode::TooLarge,
            format!("{} is larger than {bytes_max} bytes", path.display()),
        ));
    }
    fs::read(path).map_err(failed)
}

/// The files in a folder whose names end so, in their order; none if there is no such folder.
///
/// # Errors
/// The failure names the folder.
pub fn with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, Failure> {
    let mut paths = Vec::new();
    if !folder.exists() {
        return Ok(paths);
    }
    let failed = |error| Failure::file("list", folder, &error);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|found| found == extension) {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// The folder with `marker` in it: `dir` itself or its subfolder `part`.
///
/// # Errors
/// Not initialised.
pub fn home(dir: &Path, part: &str, marker: &str) -> Result<PathBuf, Failure> {
    [dir.join(part), dir.to_owned()]
        .into_iter()
        .find(|folder| folder.join(marker).is_file())
        .ok_or_else(|| {
            let what = format!("{} holds no {part} of a federation", dir.display());
            Failure::new(WireCode::NotInitialised, what)
                .cause(format!("there is no {marker}"))
                .advise("Name the folder that frex init made, as DIR, --from DIR or FREX_DIR; to make one: frex init --help")
        })
}
