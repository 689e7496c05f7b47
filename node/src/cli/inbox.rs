//! `frex inbox`: fetches, verifies, opens and keeps what has arrived, then says so to the sender.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    pin::pin,
    sync::Arc,
    time::Duration,
};

use frex_client::{
    casework::{model, routing::is_metadata_only},
    client::{Client, FailedItem, Inbox, InboxItem},
    keys::MemberHome,
};
use frex_proto::{
    attachment::Attached,
    envelope::{RECALL_CONTENT_TYPE, Recall},
    error::WireCode,
    id::EnvelopeId,
    limits,
    roster::Roster,
    v1,
};
use indicatif::ProgressBar;
use prost::Message;
use serde_json::{Value, json};
use tokio::task::{JoinError, JoinSet};

use super::{
    ConfirmArg, InboxArgs,
    failure::{Done, Failure, OrCode, OrFail, PARTIAL},
    files,
    member::{self, ABOUT, INBOX_DIR},
    output,
    time::{Span, rfc3339},
};

mod cases;
mod exonerated;
mod failed;
mod keep;
mod kept;
mod recalled;
mod unread;

pub use recalled::{RECALLED, UNSEEN};

/// Of which kind a copy of a report is that has no contents; of a whole report nothing is said.
pub const METADATA: &str = "metadata";

const PATIENCE_MIN: Duration = Duration::from_secs(3);
/// Waiting items come one after another without a pause.
const QUIET: Duration = Duration::from_secs(1);
/// Longest kept envelope.
const ENVELOPE_BYTES_MAX: usize = limits::ENVELOPE_FRAME_BYTES_MAX + limits::BODY_BYTES_MAX;
const UNREAD: &str = "the inbox cannot be read";

/// Items that are written down and confirmed side by side: the disk takes many at once as fast as one.
const KEEPING_MAX: usize = 32;

/// What goes on with one inbox.
struct Reader<'a> {
    client: &'a Client,
    home: &'a MemberHome,
    roster: &'a Roster,
    place: Arc<Place>,
    confirm: ConfirmArg,
    set_aside: bool,
    bar: ProgressBar,
    /// How many items came, each with its row once that is known.
    begun: usize,
    rows: BTreeMap<usize, Value>,
    keeping: JoinSet<Result<Finished, Failure>>,
    /// Items that are given back only at the end, so that none is listed twice.
    held: Vec<InboxItem>,
    failed: Vec<FailedItem>,
    notes: Vec<String>,
    /// Items that other programs hold.
    elsewhere: u32,
}

/// Where items are kept.
struct Place {
    inbox: PathBuf,
    receipts: PathBuf,
    /// As [`InboxArgs::about`].
    about: Option<&'static str>,
}

/// An item that is kept, and the item itself if it is held on to.
struct Finished {
    number: usize,
    row: Value,
    held: Option<InboxItem>,
}

/// Reads the inbox.
pub fn inbox(args: &InboxArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    if args.kept {
        return kept::list(&home, json);
    }
    // What lies here already is not kept from anybody until something else comes, or the node is there.
    let fetched = match unread::all(&home)?.is_empty() {
        true => fetch(args),
        false => fetch(&InboxArgs {
            wait: Span(Duration::ZERO),
            ..args.clone()
        }),
    };
    // Only now: what has come meanwhile may have withdrawn some of it.
    let before = unread::all(&home)?;
    let (came, failed, failure) = match fetched {
        Ok((came, failed)) => (came, failed, None),
        Err(failure) if before.is_empty() => return Err(failure),
        Err(failure) => (Vec::new(), 0, Some(failure)),
    };
    // What could not be confirmed before comes once more, and is shown once.
    let fresh: BTreeSet<&str> = came.iter().filter_map(envelope_of).collect();
    let mut rows = before.clone();
    rows.retain(|row| envelope_of(row).is_none_or(|id| !fresh.contains(id)));
    rows.extend_from_slice(&came);
    cases::tell(&home, &mut rows);
    if json {
        output::document(json!({ "items": rows }));
    } else {
        tell(&home, &rows, failed, args);
    }
    unread::are_read(&home, &before)?;
    match failure {
        Some(failure) => Err(failure),
        None => Ok(if failed == 0 { 0 } else { PARTIAL }),
    }
}

fn envelope_of(row: &Value) -> Option<&str> {
    row["envelope"].as_str()
}

/// Fetches what has arrived and keeps it: a row of each item, and how many could not be opened.
///
/// # Errors
/// The inbox cannot be read, or something in it not be kept.
pub fn fetch(args: &InboxArgs) -> Result<(Vec<Value>, usize), Failure> {
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let place = Arc::new(Place {
        inbox: home.dir().join(INBOX_DIR),
        receipts: home.receipts_dir(),
        about: args.about,
    });
    files::ensure_folder(&place.inbox)?;
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        let mut reader = Reader {
            client: &client,
            home: &home,
            roster: &roster,
            place,
            confirm: args.confirm,
            set_aside: args.set_aside,
            bar: output::progress_of("reading", None),
            begun: 0,
            rows: BTreeMap::new(),
            keeping: JoinSet::new(),
            held: Vec::new(),
            failed: Vec::new(),
            notes: Vec::new(),
            elsewhere: 0,
        };
        let read = reader.read(args).await;
        // What is being kept when reading fails is kept all the same.
        let read = read.and(reader.settle().await);
        let read = reader.end(read, &args.dir);
        client.close().await;
        read
    })
}

fn tell(home: &MemberHome, rows: &[Value], failed: usize, args: &InboxArgs) {
    let dir = args.dir.display();
    print(home, rows, &args.dir);
    if rows.len() >= usize::try_from(args.max).unwrap_or(usize::MAX) {
        output::message(format_args!(
            "More may wait. Take it with:  frex inbox {dir}"
        ));
    }
    if failed > 0 {
        let what = match failed {
            1 => "1 item cannot be opened and stays in the inbox. To take it off, after which its sender sees".to_owned(),
            _ => format!("{failed} items cannot be opened and stay in the inbox. To take them off, after which their senders see"),
        };
        output::message(format_args!(
            "{what} DELIVERED and never OPENED:\n  frex inbox {dir} --set-aside"
        ));
    }
}

impl Reader<'_> {
    /// First one item for as long as the caller waits, then what else is there.
    async fn read(&mut self, args: &InboxArgs) -> Result<(), Failure> {
        let max = usize::try_from(args.max).unwrap_or(usize::MAX);
        if !args.wait.0.is_zero() {
            let mut first = open(self.client, 1, args.wait.0).await?;
            match self.next(&mut first).await? {
                None => {
                    self.elsewhere = first.held_elsewhere();
                    return Ok(());
                }
                Some(item) => self.take(item).await?,
            }
            self.settle().await?;
        }
        if self.begun >= max {
            return Ok(());
        }
        let credit = u32::try_from(max - self.begun)
            .unwrap_or(u32::MAX)
            .min(limits::INBOX_CREDIT_MAX);
        let mut rest = open(self.client, credit, Duration::ZERO).await?;
        while self.begun < max {
            match self.next(&mut rest).await? {
                None => break,
                Some(item) => self.take(item).await?,
            }
        }
        self.elsewhere = rest.held_elsewhere();
        self.settle().await
    }

    /// What comes next, while items of before are kept. While some are held on to, the node does not
    /// say that there are no more: then nothing for a moment means that.
    async fn next(
        &mut self,
        inbox: &mut Inbox,
    ) -> Result<Option<Result<InboxItem, FailedItem>>, Failure> {
        let mut coming = pin!(inbox.next());
        loop {
            let holds = !self.held.is_empty() || !self.failed.is_empty();
            let full = self.keeping.len() >= KEEPING_MAX;
            tokio::select! {
                Some(kept) = self.keeping.join_next() => self.finish(kept)?,
                item = &mut coming, if !full => return item.transpose().or_fail(UNREAD),
                () = tokio::time::sleep(QUIET), if holds && self.keeping.is_empty() => return Ok(None),
            }
        }
    }

    async fn take(&mut self, item: Result<InboxItem, FailedItem>) -> Result<(), Failure> {
        let number = self.begun;
        self.begun += 1;
        match item {
            Ok(item) => match item.recall.clone() {
                None => {
                    let row = self.describe(&item);
                    let place = Arc::clone(&self.place);
                    let confirm = self.confirm;
                    self.keeping
                        .spawn(async move { place.keep(number, item, row, confirm).await });
                    Ok(())
                }
                Some(recall) => {
                    // What it withdraws may be among them.
                    self.settle().await?;
                    self.keep_recall(number, item, &recall).await
                }
            },
            Err(item) => self.take_failed(number, item).await,
        }
    }

    async fn take_failed(&mut self, number: usize, item: FailedItem) -> Result<(), Failure> {
        let (mut row, note) = failed::describe(&item);
        self.notes.push(note);
        if self.set_aside {
            row["file"] = failed::set_aside(&self.place, item).await?.into();
            row["state"] = "set aside".into();
        } else {
            self.failed.push(item);
        }
        self.rows.insert(number, row);
        Ok(())
    }

    /// A recall has no content to keep: what it says is in what is known of it. What was signed
    /// proves that the message was withdrawn.
    async fn keep_recall(
        &mut self,
        number: usize,
        item: InboxItem,
        recall: &Recall,
    ) -> Result<(), Failure> {
        let id = item.id();
        let receipt = member::keep_receipt(&self.place.receipts, &item.receipt)?;
        let sealed = self.place.envelope(&id.to_string());
        files::replace(&sealed, &item.envelope.encode_to_vec())?;
        if !self.place.reads(RECALL_CONTENT_TYPE) {
            unread::mark(&self.place, id)?;
        }
        let mut row = self.describe(&item);
        row["receipt"] = json!(receipt);
        let confirm = matches!(self.confirm, ConfirmArg::Opened);
        let taken = recalled::take(self.home, self.client, item, recall, row, confirm);
        let (row, note, held) = taken.await?;
        self.notes.push(note);
        self.held.extend(held);
        self.place.note(id, &row)?;
        self.rows.insert(number, row);
        self.bar.inc(1);
        Ok(())
    }

    /// Waits for everything that is being kept; gives the first failure.
    async fn settle(&mut self) -> Result<(), Failure> {
        let mut settled = Ok(());
        while let Some(kept) = self.keeping.join_next().await {
            settled = settled.and(self.finish(kept));
        }
        settled
    }

    fn finish(
        &mut self,
        kept: Result<Result<Finished, Failure>, JoinError>,
    ) -> Result<(), Failure> {
        let kept = kept.or_code(WireCode::Files, "a report cannot be kept")??;
        self.rows.insert(kept.number, kept.row);
        self.held.extend(kept.held);
        self.bar.inc(1);
        Ok(())
    }

    /// The rows in the order in which they came, and how many could not be opened.
    fn end(
        mut self,
        read: Result<(), Failure>,
        dir: &Path,
    ) -> Result<(Vec<Value>, usize), Failure> {
        self.bar.finish_and_clear();
        if self.elsewhere > 0 {
            self.notes.push(format!(
                "{} waiting, held by another program that reads this inbox; if that was stopped, what it held comes again within a minute",
                output::counted(self.elsewhere, "report")
            ));
        }
        for note in &self.notes {
            output::message(format_args!("note: {note}"));
        }
        self.held.into_iter().for_each(InboxItem::release);
        let failed = self.failed.len();
        self.failed.into_iter().for_each(FailedItem::release);
        if let Err(failure) = read {
            if !self.rows.is_empty() {
                output::message(format_args!(
                    "note: {} came before that; they are listed by:  frex inbox {} --kept",
                    self.rows.len(),
                    dir.display()
                ));
            }
            return Err(failure);
        }
        Ok((self.rows.into_values().collect(), failed))
    }

    fn describe(&self, item: &InboxItem) -> Value {
        let core = &item.parsed.core;
        let sender = self.roster.member(item.sender());
        let forward = item.forward.as_ref();
        let recipients = forward.map_or(&core.recipients, |forward| &forward.recipients);
        json!({
            "envelope": item.id().to_string(), "message": item.message_id().to_string(),
            "from": item.sender(), "author": item.author(),
            "original": forward.map(|_| core.message_id.to_string()), "from_name": sender.map(|sender| sender.name.clone()),
            "country": sender.map(|sender| sender.country.clone()),
            "kind": core.kind.word(), "lane": member::lane_name(core.lane),
            "content_type": item.opened.content_type, "bytes": item.opened.data.len(),
            "received": rfc3339(item.receipt.verified.time_ms), "created": rfc3339(core.created_ms),
            "expires": rfc3339(forward.map_or(core.expires_ms, |forward| forward.expires_ms)), "reply_by": core.reply_by_ms.map(rfc3339),
            "in_reply_to": core.in_reply_to.map(|id| id.to_string()),
            "conversation": core.conversation.map(|(id, _)| hex::encode(id)),
            "recipients": recipients.iter().map(|recipient| recipient.member.clone()).collect::<Vec<_>>(),
            "file": null, "receipt": null, "state": "new",
            "attachments": (1..).zip(&item.opened.attachments).map(describe_file).collect::<Vec<_>>(),
            "copy": copy_of(item),
        })
    }
}

/// That a report is a copy without contents; nothing of what else came. Spec: CSE-36.
fn copy_of(item: &InboxItem) -> Option<&'static str> {
    let opened = &item.opened;
    let is_report = opened.content_type == model::CONTENT_TYPE;
    (is_report && is_metadata_only(&opened.data)).then_some(METADATA)
}

/// Opens the inbox.
///
/// # Errors
/// It cannot be read.
pub async fn open(client: &Client, credit: u32, wait: Duration) -> Result<Inbox, Failure> {
    client.inbox(credit, wait).await.or_fail(UNREAD)
}

/// What waits next; none when nothing has come for a moment: while items are held, the node does
/// not say that there are no more.
///
/// # Errors
/// The inbox cannot be read.
pub async fn next_waiting(
    inbox: &mut Inbox,
) -> Result<Option<Result<InboxItem, FailedItem>>, Failure> {
    let item = tokio::time::timeout(QUIET, inbox.next()).await;
    item.ok().flatten().transpose().or_fail(UNREAD)
}

impl Place {
    /// Whether whoever fetches reads content of this type.
    fn reads(&self, content_type: &str) -> bool {
        self.about.is_none_or(|about| about == content_type)
    }

    /// Where an envelope is kept as it came.
    fn envelope(&self, id: &str) -> PathBuf {
        self.inbox.join(envelope_name(id))
    }

    fn note(&self, id: EnvelopeId, row: &Value) -> Result<(), Failure> {
        let path = self.inbox.join(format!("{id}.{ABOUT}"));
        files::replace(&path, format!("{row:#}\n").as_bytes())
    }
}

fn envelope_name(id: &str) -> String {
    format!("{id}.envelope")
}

/// The envelope as it came.
///
/// # Errors
/// It is not there any more, or damaged.
pub fn kept_envelope(home: &MemberHome, id: &str) -> Result<v1::Envelope, Failure> {
    let path = home.dir().join(INBOX_DIR).join(envelope_name(id));
    if !path.exists() {
        let what = format!("{} is not kept any more", path.display());
        return Err(Failure::new(WireCode::NotFound, what).advise(
            "Without the sealed original nothing can be passed on or fetched; ask its sender",
        ));
    }
    let bytes = files::read(&path, ENVELOPE_BYTES_MAX)?;
    v1::Envelope::decode(&bytes[..]).or_code(
        WireCode::Files,
        format_args!("{} is damaged", path.display()),
    )
}

/// Nothing of it is here yet.
fn describe_file((number, attached): (u32, &Attached)) -> Value {
    let file = &attached.file;
    json!({
        "number": number, "name": file.name, "media_type": file.media_type,
        "bytes": file.bytes, "sha256": hex::encode(file.sha256), "state": "at the node",
    })
}

fn print(home: &MemberHome, rows: &[Value], dir: &Path) {
    if rows.is_empty() {
        return output::message("nothing has arrived");
    }
    let header = [
        "RECEIVED", "FROM", "KIND", "LANE", "STATE", "MESSAGE", "FILE",
    ];
    let mut table = output::table(&header);
    for row in rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let (from, author) = (text("from"), text("author"));
        let from = match author == from || author.is_empty() {
            true => from,
            false => format!("{from}, by {author}"),
        };
        let kind = match row["copy"] == METADATA {
            true => format!("{}, without contents", text("kind")),
            false => text("kind"),
        };
        table.add_row([
            text("received"),
            from,
            kind,
            text("lane"),
            text("state"),
            text("message"),
            text("file"),
        ]);
    }
    output::print_table(&table);
    for row in rows {
        let files = row["attachments"].as_array().map_or(0, Vec::len);
        if files > 0 {
            let message = row["message"].as_str().unwrap_or_default();
            output::message(format_args!(
                "note: {} came with {message}; see {} with:  frex attachment ls {message} {}",
                output::counted(files, "file"),
                if files == 1 { "it" } else { "them" },
                dir.display(),
            ));
        }
    }
    cases::print(home, rows, dir);
}
