//! Attachments of a message between sealing and SUBMITTED. Below `sent` lies a folder of the
//! message's id with the sealed chunks and hashes of each file, and the sealed envelope, so that a
//! command that was stopped goes on with the very same. There is no key among them, and nothing
//! that the sender could open. Spec: ATT-23.

use std::{
    borrow::Cow,
    fs::{self, File},
    io,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use frex_client::client::Client;
use frex_proto::{
    attachment::{Attached, Hashes},
    envelope::{self, Parsed, SignedEnvelope},
    error::{Retry, WireCode},
    limits, v1,
};
use prost::Message;

use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    files, output,
};

mod source;

pub use source::{Source, sources};

/// What is to be done where the node has another envelope under the message id.
pub const ANOTHER: &str = "The node has another envelope under this message id: send it anew, without --message; nothing is left here of this one";
const ENVELOPE: &str = "envelope";

/// The folder of one message.
#[derive(Clone)]
pub struct Staged {
    folder: PathBuf,
}

impl Staged {
    /// The folder for a message, below `sent`.
    pub fn of(sent: &Path, message: &str) -> Self {
        Self {
            folder: sent.join(message),
        }
    }

    /// Which message it is for.
    #[must_use]
    pub fn message(&self) -> Cow<'_, str> {
        self.folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
    }

    /// Where it is.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The envelope that was sealed before, if it came to that.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn envelope(&self) -> Result<Option<SignedEnvelope>, Failure> {
        let path = self.folder.join(ENVELOPE);
        if !path.exists() {
            return Ok(None);
        }
        let bytes_max = limits::ENVELOPE_FRAME_BYTES_MAX + limits::BODY_BYTES_MAX;
        let bytes = files::read(&path, bytes_max)?;
        let damaged = || format!("{} is damaged", path.display());
        let kept = v1::Envelope::decode(&*bytes).or_code(WireCode::Files, damaged())?;
        let envelope = SignedEnvelope::of_kept(&kept).or_code(WireCode::Files, damaged())?;
        Ok(Some(envelope))
    }

    /// Seals the files, in the memory of one chunk: on a thread of its own, so that the session
    /// with the node lives on meanwhile.
    ///
    /// # Errors
    /// The failure names the file, and nothing is left of what was sealed.
    pub async fn seal(&self, sources: Vec<Source>) -> Result<Vec<Attached>, Failure> {
        let staged = self.clone();
        let sealed = tokio::task::spawn_blocking(move || staged.seal_all(sources)).await;
        sealed.or_code(WireCode::Files, "the files cannot be sealed")?
    }

    /// Makes the folder anew: from now on it is known that the message was begun.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn begin(&self) -> Result<(), Failure> {
        // Chunks without an envelope are of no use: their keys are gone.
        self.remove()?;
        files::make_folder(&self.folder)
    }

    fn seal_all(&self, sources: Vec<Source>) -> Result<Vec<Attached>, Failure> {
        let numbered = (0..).zip(sources);
        let sealed = numbered.map(|(number, source)| self.seal_one(number, source));
        let sealed: Result<Vec<Attached>, Failure> = sealed.collect();
        sealed.or_else(|failure| self.remove().and(Err(failure)))
    }

    fn seal_one(&self, number: u32, mut source: Source) -> Result<Attached, Failure> {
        let sealed_path = self.chunks(number);
        let sealed = files::create(&sealed_path)?;
        let bar = output::progress("sealing");
        let (mut read_bytes, mut written_bytes) = (0, 0);
        while let Some((due, chunk)) = source.chunk()? {
            sealed
                .write_all_at(&chunk, written_bytes)
                .map_err(|error| Failure::file("write", &sealed_path, &error))?;
            written_bytes += chunk.len() as u64;
            read_bytes += due;
            output::advance(&bar, read_bytes, source.bytes);
        }
        bar.finish_and_clear();
        sealed
            .sync_all()
            .map_err(|error| Failure::file("write", &sealed_path, &error))?;
        let (attached, hashes) = source.finish()?;
        files::write_new(&self.hashes(number), &hashes.to_bytes())?;
        Ok(attached)
    }

    /// Keeps the envelope before anything of it leaves.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn keep(&self, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let kept = envelope.to_kept().encode_to_vec();
        files::replace(&self.folder.join(ENVELOPE), &kept)
    }

    /// Brings all attachments of the envelope to the home node. What that will never take is not
    /// kept.
    ///
    /// # Errors
    /// The home node does not take one, or cannot be reached.
    pub async fn upload(&self, client: &Client, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let shown = envelope.to_wire(None);
        let parsed = envelope::parse(&shown).or_fail("the kept envelope cannot be used")?;
        for number in (0..).take(parsed.attachments.len()) {
            let brought = self.upload_one(client, envelope, &parsed, number).await;
            if let Err(failure) = &brought
                && failure.code().info().retry == Retry::Never
            {
                self.remove()?;
            }
            brought.map_err(|failure| match failure.code() {
                WireCode::IdReuse => failure.advise(ANOTHER),
                _ => failure,
            })?;
        }
        Ok(())
    }

    async fn upload_one(
        &self,
        client: &Client,
        envelope: &SignedEnvelope,
        parsed: &Parsed,
        number: u32,
    ) -> Result<(), Failure> {
        let listed = parsed.attachments[number as usize];
        let path = self.hashes(number);
        let hashes = files::read(&path, limits::HASHES_FRAME_BYTES_MAX)?;
        let hashes = Hashes::parse(listed, &hashes).or_code(
            WireCode::Files,
            format_args!("{} is damaged", path.display()),
        )?;
        let path = self.chunks(number);
        let sealed = File::open(&path).map_err(|error| Failure::file("read", &path, &error))?;
        let mut read = |chunk: u32| -> io::Result<Vec<u8>> {
            let (place, length) = listed.place(chunk);
            let mut bytes = vec![0; length];
            sealed.read_exact_at(&mut bytes, place)?;
            Ok(bytes)
        };
        let bar = output::progress("bringing to the node");
        let mut progress = |done: u32, of: u32| {
            let bytes = listed.bytes / u64::from(of) * u64::from(done);
            output::advance(&bar, bytes, listed.bytes);
        };
        let put = client.put_attachment(envelope, number, &hashes, &mut read, &mut progress);
        let put = put.await;
        bar.finish_and_clear();
        put.or_fail("an attachment was not brought to the node")
    }

    /// Removes all of it: the node has it, or will never take it.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove(&self) -> Result<(), Failure> {
        match fs::remove_dir_all(&self.folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::file("remove", &self.folder, &error))
            }
            _ => Ok(()),
        }
    }

    /// Removes what no envelope was sealed for: it is of no use to anybody.
    ///
    /// # Errors
    /// It cannot be removed.
    pub fn remove_unsealed(&self) -> Result<(), Failure> {
        match self.folder.join(ENVELOPE).exists() {
            true => Ok(()),
            false => self.remove(),
        }
    }

    fn chunks(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.sealed"))
    }

    fn hashes(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.hashes"))
    }
}
