//! `frex attachment fetch`: chunk by chunk from the node, opened, to a hidden file beside its
//! place; it gets its name once all of it is there and is what was sealed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use frex_client::client::Client;
use frex_proto::{
    attachment::{Attached, Held, OpenError, Opener},
    envelope,
    error::WireCode,
    v1,
};
use serde_json::Value;

use super::{AttachmentFetchArgs, list, received::Received};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, member, output,
};

/// Letters of the root in the name of an unfinished file.
const ROOT_LETTERS: usize = 16;

/// One file on its way.
struct Target {
    path: PathBuf,
    part: PathBuf,
    file: File,
    opener: Opener,
    held: u32,
    bytes: u64,
}

/// Fetches what was asked for.
pub fn fetch(args: &AttachmentFetchArgs, json: bool) -> Done {
    list::print(&fetch_files(args)?, json);
    Ok(0)
}

/// Fetches files, and gives a row of each that came with the message.
///
/// # Errors
/// There are none, or one cannot be fetched.
pub fn fetch_files(args: &AttachmentFetchArgs) -> Result<Vec<Value>, Failure> {
    let home = member::open(&args.dir)?;
    let mut received = Received::find(&home, &args.id)?;
    let sealed = received.envelope(&home)?;
    files::ensure_folder(&args.out)?;
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let client = member::client(&home, args.wait.0).await?;
        let reopened = client.reopen(&sealed);
        let (_, opened) = reopened.or_fail("the kept envelope cannot be opened any more")?;
        check_numbers(args, opened.attachments.len())?;
        for (number, attached) in (0..).zip(opened.attachments) {
            let asked = args.number.is_empty() || args.number.contains(&(number + 1));
            let there = args.out.join(&attached.file.name);
            if !asked || received.has(number as usize, &there) {
                continue;
            }
            let target = Target::open(&args.out, attached.clone())?;
            let shown = envelope::shown(&sealed);
            let path = target.fetch(&client, shown, number, &attached).await?;
            received.note(number as usize, &path)?;
        }
        client.close().await;
        Ok::<_, Failure>(())
    })?;
    let rows = received.about["attachments"].as_array().cloned();
    Ok(rows.unwrap_or_default())
}

/// Whether the message has files of these numbers.
fn check_numbers(args: &AttachmentFetchArgs, count: usize) -> Result<(), Failure> {
    let has = |number: &&u32| (1..=count).contains(&(**number as usize));
    let Some(wrong) = args.number.iter().find(|number| !has(number)) else {
        return Ok(());
    };
    let files = output::counted(count, "file");
    let what = format!("the message has no file number {wrong}: it has {files}");
    Err(Failure::new(WireCode::NotFound, what).advise(format!(
        "See them with: frex attachment ls {} {}",
        args.id,
        args.dir.display()
    )))
}

impl Target {
    /// Goes on with an unfinished file of before, or begins one.
    fn open(folder: &Path, attached: Attached) -> Result<Self, Failure> {
        let path = folder.join(&attached.file.name);
        if path.symlink_metadata().is_ok() {
            let what = format!("{} is there already", path.display());
            return Err(Failure::new(WireCode::AlreadyExists, what));
        }
        let root = hex::encode(attached.listed.root);
        let part = folder.join(format!(".frex-{}.part", &root[..ROOT_LETTERS]));
        let failed = |error: io::Error| Failure::file("write", &part, &error);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
            .open(&part)
            .map_err(failed)?;
        let mut target = Self {
            path,
            part: part.clone(),
            file,
            bytes: attached.file.bytes,
            opener: Opener::new(attached),
            held: 0,
        };
        target.go_over().map_err(failed)?;
        Ok(target)
    }

    /// Takes up the whole chunks that are there, and cuts off what is behind them. Whether they
    /// are what was sealed is found out at the end.
    fn go_over(&mut self) -> io::Result<()> {
        let mut length = 0;
        while let Some(due) = self.opener.due().filter(|due| *due > 0) {
            let mut chunk = Vec::with_capacity(due);
            (&self.file).take(due as u64).read_to_end(&mut chunk)?;
            if self.opener.skip(&chunk).is_err() {
                break;
            }
            length += chunk.len() as u64;
            self.held += 1;
        }
        self.file.set_len(length)?;
        self.file.seek(SeekFrom::End(0)).map(|_| ())
    }

    async fn fetch(
        mut self,
        client: &Client,
        shown: v1::Envelope,
        number: u32,
        attached: &Attached,
    ) -> Result<PathBuf, Failure> {
        let held = Held::first(attached.listed, self.held);
        let mut fetching = client.fetch_attachment(shown, number, attached.listed, held);
        let bar = output::progress("fetching");
        loop {
            let chunk = fetching.next().await;
            let chunk = chunk.or_fail(format_args!(
                "{} is not fetched; what came is kept, and the same command goes on",
                self.path.display()
            ))?;
            let Some((chunk, sealed)) = chunk else { break };
            self.put(chunk, &sealed)?;
            let done = self.file.stream_position().unwrap_or_default();
            output::advance(&bar, done, self.bytes);
        }
        bar.finish_and_clear();
        self.finish()
    }

    fn put(&mut self, chunk: u32, sealed: &Bytes) -> Result<(), Failure> {
        if chunk != self.held {
            return Err(Failure::new(
                WireCode::Malformed,
                "the node sends chunks out of order",
            ));
        }
        match self.opener.open(sealed.to_vec()) {
            Ok(plain) => self
                .file
                .write_all(&plain)
                .map_err(|error| Failure::file("write", &self.part, &error))?,
            Err(error) => return Err(give_up(&self.path, &self.part, error)),
        }
        self.held += 1;
        Ok(())
    }

    /// The name comes last, and takes no other file's place.
    fn finish(self) -> Result<PathBuf, Failure> {
        let opened = self.opener.finish();
        opened.map_err(|error| give_up(&self.path, &self.part, error))?;
        let named = self
            .file
            .sync_all()
            .and_then(|()| fs::hard_link(&self.part, &self.path))
            .and_then(|()| fs::remove_file(&self.part));
        named.map_err(|error| Failure::file("write", &self.path, &error))?;
        Ok(self.path)
    }
}

/// What was sealed wrong stays so, and what is damaged on this disk must come anew.
fn give_up(path: &Path, part: &Path, error: OpenError) -> Failure {
    // One that is gone already needs no removal.
    let _ = fs::remove_file(part);
    Failure::of(error, format!("{} cannot be opened", path.display())).advise(
        "Fetch it once more, in case what was kept of it was damaged here; if it stays so, tell the sender",
    )
}
