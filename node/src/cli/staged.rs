//! Attachments of a message between sealing and SUBMITTED. Below `sent` lies a folder of the
//! message's id with the sealed chunks and hashes of each file, and the sealed envelope, so that a
//! command that was stopped goes on with the very same. There is no key among them, and nothing
//! that the sender could open. Spec: ATT-23.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Read},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use frex_client::{client::Client, environment::Random};
use frex_proto::{
    attachment::{Attached, Hashes, Sealer, clean_file_name},
    envelope::{self, Draft, Parsed, SignedEnvelope},
    error::{Retry, WireCode},
    limits, v1,
};
use prost::Message;

use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    files, output,
};

const ENVELOPE: &str = "envelope";
/// What a file is if nobody knows.
const MEDIA_TYPE: &str = "application/octet-stream";

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

    /// The envelope that was sealed before for the draft's message, if it came to that.
    ///
    /// # Errors
    /// It cannot be read, or is for other recipients.
    pub fn envelope(&self, draft: &Draft) -> Result<Option<SignedEnvelope>, Failure> {
        let Some(envelope) = self.kept()? else {
            return Ok(None);
        };
        let recipients = draft.recipients.iter().map(|(member, _)| member);
        if !recipients.eq(&envelope.members) {
            let what = "the message was begun for other members";
            return Err(Failure::new(WireCode::BadInput, what).advise(format!(
                "Go on with it as it was begun: --to {}",
                envelope.members.join(" ")
            )));
        }
        output::message("going on with the message that was sealed before");
        Ok(Some(envelope))
    }

    fn kept(&self) -> Result<Option<SignedEnvelope>, Failure> {
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
    /// The failure names the file.
    pub async fn seal(&self, paths: &[PathBuf]) -> Result<Vec<Attached>, Failure> {
        if paths.len() > limits::ATTACHMENTS_MAX {
            let what = format!("a message has at most {} files", limits::ATTACHMENTS_MAX);
            return Err(Failure::new(WireCode::TooLarge, what));
        }
        let names: BTreeSet<String> = paths.iter().map(|path| name_of(path)).collect();
        if names.len() < paths.len() {
            let what = "two of the files have the same name";
            return Err(Failure::new(WireCode::BadInput, what)
                .advise("Whoever fetches them needs names that differ: rename one of them"));
        }
        let (staged, paths) = (self.clone(), paths.to_vec());
        let sealed = tokio::task::spawn_blocking(move || staged.seal_all(&paths)).await;
        sealed.or_code(WireCode::Files, "the files cannot be sealed")?
    }

    fn seal_all(&self, paths: &[PathBuf]) -> Result<Vec<Attached>, Failure> {
        // Chunks without an envelope are of no use: their keys are gone.
        self.remove()?;
        files::make_folder(&self.folder)?;
        let numbered = (0..).zip(paths);
        numbered
            .map(|(number, path)| self.seal_one(number, path))
            .collect()
    }

    fn seal_one(&self, number: u32, path: &Path) -> Result<Attached, Failure> {
        let refused = || format!("{} cannot be attached", path.display());
        let mut source = File::open(path).map_err(|error| Failure::file("read", path, &error))?;
        let length = source.metadata().map(|about| about.len());
        let length = length.map_err(|error| Failure::file("read", path, &error))?;
        let sealer = Sealer::new(length, &mut Random::System.rng());
        let mut sealer = sealer.or_fail(refused())?;
        let sealed_path = self.chunks(number);
        let sealed = files::create(&sealed_path)?;
        let bar = output::progress("sealing");
        let (mut read_bytes, mut written_bytes) = (0, 0);
        while let Some(due) = sealer.due() {
            let mut chunk = Vec::with_capacity(due);
            let read = source.by_ref().take(due as u64).read_to_end(&mut chunk);
            read.map_err(|error| Failure::file("read", path, &error))?;
            let chunk = sealer.seal(chunk).or_fail(refused())?;
            sealed
                .write_all_at(&chunk, written_bytes)
                .map_err(|error| Failure::file("write", &sealed_path, &error))?;
            written_bytes += chunk.len() as u64;
            read_bytes += due as u64;
            output::advance(&bar, read_bytes, length);
        }
        bar.finish_and_clear();
        sealed
            .sync_all()
            .map_err(|error| Failure::file("write", &sealed_path, &error))?;
        let finished = sealer.finish(&name_of(path), MEDIA_TYPE);
        let (attached, hashes) = finished.or_fail(refused())?;
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
            brought?;
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

    fn chunks(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.sealed"))
    }

    fn hashes(&self, number: u32) -> PathBuf {
        self.folder.join(format!("{number}.hashes"))
    }
}

/// The name under which a file is attached.
fn name_of(path: &Path) -> String {
    clean_file_name(&path.file_name().unwrap_or_default().to_string_lossy())
}
