//! Files that are to be attached: judged before anything is written, then read chunk by chunk.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

use frex_client::environment::Random;
use frex_proto::{
    attachment::{Attached, Hashes, Sealer, clean_file_name},
    error::WireCode,
    label::{Hash, Hasher},
    limits,
};

use crate::cli::{
    failure::{Failure, OrFail},
    output,
};

/// What a file is if nobody knows.
const MEDIA_TYPE: &str = "application/octet-stream";
/// Read at once where nothing is sealed.
const READ_BYTES: usize = 1024 * 1024;

/// A file, open, with what seals it.
pub struct Source {
    /// Where it is.
    pub path: PathBuf,
    /// The name under which it is attached.
    pub name: String,
    /// How long it is.
    pub bytes: u64,
    file: File,
    sealer: Sealer,
}

/// Opens files that are to be attached.
///
/// # Errors
/// There are too many, two have one name, or one cannot be attached.
pub fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    if paths.len() > limits::ATTACHMENTS_MAX {
        let what = format!("a message has at most {} files", limits::ATTACHMENTS_MAX);
        return Err(Failure::new(WireCode::TooLarge, what));
    }
    let sources: Vec<Source> = paths
        .iter()
        .map(|path| Source::open(path))
        .collect::<Result<_, _>>()?;
    let names: BTreeSet<&str> = sources.iter().map(|source| source.name.as_str()).collect();
    if names.len() < sources.len() {
        let what = "two of the files have the same name";
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("Whoever fetches them needs names that differ: rename one of them"));
    }
    Ok(sources)
}

impl Source {
    fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::file("read", path, &error);
        // Looked at first: opening a pipe would wait for whoever writes to it.
        let about = path.metadata().map_err(failed)?;
        if !about.is_file() {
            return Err(Failure::new(WireCode::BadInput, refused(path))
                .cause("it is no file")
                .advise("Name a file; to send a folder along, pack it into one"));
        }
        let sealer = Sealer::new(about.len(), &mut Random::System.rng());
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(Self {
            path: path.to_owned(),
            name: clean_file_name(&name),
            bytes: about.len(),
            file: File::open(path).map_err(failed)?,
            sealer: sealer.or_fail(refused(path))?,
        })
    }

    /// The hash of the whole file, which is then at its beginning again.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn hash(&mut self) -> Result<Hash, Failure> {
        let bar = output::progress("comparing");
        let mut hasher = Hasher::new();
        let mut block = vec![0; READ_BYTES];
        let mut done = 0;
        loop {
            let read = self.file.read(&mut block);
            let read = read.map_err(|error| Failure::file("read", &self.path, &error))?;
            if read == 0 {
                break;
            }
            hasher.update(&block[..read]);
            done += read as u64;
            output::advance(&bar, done, self.bytes);
        }
        bar.finish_and_clear();
        let rewound = self.file.rewind();
        rewound.map_err(|error| Failure::file("read", &self.path, &error))?;
        Ok(hasher.finish())
    }

    /// The next chunk, sealed, and how much of the file is in it.
    ///
    /// # Errors
    /// It cannot be read, or has changed.
    pub fn chunk(&mut self) -> Result<Option<(u64, Vec<u8>)>, Failure> {
        let Some(due) = self.sealer.due() else {
            return Ok(None);
        };
        let due = due as u64;
        let mut chunk = Vec::with_capacity(READ_BYTES);
        let read = self.file.by_ref().take(due).read_to_end(&mut chunk);
        read.map_err(|error| Failure::file("read", &self.path, &error))?;
        let chunk = self.sealer.seal(chunk).or_fail(refused(&self.path))?;
        Ok(Some((due, chunk)))
    }

    /// What was sealed, once all of it was.
    ///
    /// # Errors
    /// It cannot be attached under its name.
    pub fn finish(self) -> Result<(Attached, Hashes), Failure> {
        let finished = self.sealer.finish(&self.name, MEDIA_TYPE);
        finished.or_fail(refused(&self.path))
    }
}

fn refused(path: &Path) -> String {
    format!("{} cannot be attached", path.display())
}
