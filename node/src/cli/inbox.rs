//! `frex inbox`: fetches, verifies, opens and keeps what has arrived, then says so to the sender.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use frex_client::{
    client::{Client, ConfirmError, FailedItem, Inbox, InboxItem},
    keys::MemberHome,
};
use frex_proto::{
    attachment::Attached, envelope::Recall, error::WireCode, id::EnvelopeId, limits,
    roster::Roster, v1,
};
use prost::Message;
use serde_json::{Value, json};

use super::{
    ConfirmArg, InboxArgs,
    failure::{Done, Failure, OrCode, OrFail, PARTIAL},
    files,
    member::{self, ABOUT, INBOX_DIR},
    output,
    time::rfc3339,
};

mod failed;
mod kept;
mod recalled;

pub use recalled::RECALLED;

const PATIENCE_MIN: Duration = Duration::from_secs(3);
/// Waiting items come one after another without a pause.
const QUIET: Duration = Duration::from_secs(1);
/// Longest kept envelope.
const ENVELOPE_BYTES_MAX: usize = limits::ENVELOPE_FRAME_BYTES_MAX + limits::BODY_BYTES_MAX;
const UNREAD: &str = "the inbox cannot be read";

/// What goes on with one inbox.
struct Reader<'a> {
    client: &'a Client,
    home: &'a MemberHome,
    roster: &'a Roster,
    confirm: ConfirmArg,
    set_aside: bool,
    rows: Vec<Value>,
    /// Items that are given back only at the end, so that none is listed twice.
    held: Vec<InboxItem>,
    failed: Vec<FailedItem>,
}

/// Reads the inbox.
pub fn inbox(args: &InboxArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    if args.kept {
        return kept::list(&home, json);
    }
    let roster = member::roster(&home)?;
    let runtime = member::runtime()?;
    let (rows, failed) = runtime.block_on(async {
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        let mut reader = Reader {
            client: &client,
            home: &home,
            roster: &roster,
            confirm: args.confirm,
            set_aside: args.set_aside,
            rows: Vec::new(),
            held: Vec::new(),
            failed: Vec::new(),
        };
        reader.read(args).await?;
        let failed = reader.failed.len();
        let rows = reader.rows;
        reader.held.into_iter().for_each(InboxItem::release);
        reader.failed.into_iter().for_each(FailedItem::release);
        client.close().await;
        Ok::<_, Failure>((rows, failed))
    })?;
    if json {
        output::document(json!({ "items": rows }));
    } else {
        print(&rows);
        if rows.len() >= usize::try_from(args.max).unwrap_or(usize::MAX) {
            let dir = args.dir.display();
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
                "{what} DELIVERED and never OPENED:\n  frex inbox {} --set-aside",
                args.dir.display()
            ));
        }
    }
    Ok(if failed == 0 { 0 } else { PARTIAL })
}

impl Reader<'_> {
    /// First one item for as long as the caller waits, then what else is there.
    async fn read(&mut self, args: &InboxArgs) -> Result<(), Failure> {
        let max = usize::try_from(args.max).unwrap_or(usize::MAX);
        if !args.wait.0.is_zero() {
            let mut first = open(self.client, 1, args.wait.0).await?;
            match first.next().await {
                None => return Ok(()),
                Some(item) => self.take(item.or_fail(UNREAD)?).await?,
            }
        }
        if self.taken() >= max {
            return Ok(());
        }
        let credit = u32::try_from(max - self.taken())
            .unwrap_or(u32::MAX)
            .min(limits::INBOX_CREDIT_MAX);
        let mut rest = open(self.client, credit, Duration::ZERO).await?;
        while self.taken() < max {
            let item = match self.held.is_empty() && self.failed.is_empty() {
                true => rest.next().await.transpose().or_fail(UNREAD)?,
                false => next_waiting(&mut rest).await?,
            };
            match item {
                None => return Ok(()),
                Some(item) => self.take(item).await?,
            }
        }
        Ok(())
    }

    fn taken(&self) -> usize {
        self.rows.len()
    }

    async fn take(&mut self, item: Result<InboxItem, FailedItem>) -> Result<(), Failure> {
        match item {
            Ok(item) => self.keep(item).await,
            Err(item) => {
                let mut row = failed::describe(&item);
                if self.set_aside {
                    row["file"] = failed::set_aside(self.home, item).await?.into();
                    row["state"] = "set aside".into();
                    self.rows.push(row);
                    return Ok(());
                }
                self.rows.push(row);
                self.failed.push(item);
                Ok(())
            }
        }
    }

    /// Keeps content and receipt before it tells anybody that the item was opened.
    async fn keep(&mut self, item: InboxItem) -> Result<(), Failure> {
        let folder = self.home.dir().join(INBOX_DIR);
        files::ensure_folder(&folder)?;
        if let Some(recall) = item.recall.clone() {
            return self.keep_recall(item, &recall).await;
        }
        let path = folder.join(format!(
            "{}.{}",
            item.id(),
            extension(&item.opened.content_type)
        ));
        files::replace(&path, &item.opened.data)?;
        // Sealed as it came: what passes it on, or shows it as evidence, needs no more.
        let sealed = envelope_path(self.home, &item.id().to_string());
        files::replace(&sealed, &item.envelope.encode_to_vec())?;
        let receipt = member::keep_receipt(&self.home.receipts_dir(), &item.receipt)?;
        let mut row = self.describe(&item, Some(&path), &receipt);
        match self.confirm {
            ConfirmArg::None => {
                self.note(item.id(), &row)?;
                self.held.push(item);
            }
            ConfirmArg::Opened => {
                let id = item.id();
                let proven = item.confirm(v1::Stage::Opened, "").await;
                if let Err(ConfirmError::Refused(WireCode::Recalled)) = proven {
                    // Its recall came while it was read here, and says more.
                    row["state"] = RECALLED.into();
                    self.note(id, &row)?;
                    self.rows.push(row);
                    return Ok(());
                }
                let proven = proven.or_fail(format_args!(
                    "{id} is kept, but the sender could not be told"
                ))?;
                let path = member::keep_receipt(&self.home.receipts_dir(), &proven)?;
                row["state"] = "opened".into();
                row["stage_receipt"] = path.display().to_string().into();
                self.note(id, &row)?;
            }
        }
        self.rows.push(row);
        Ok(())
    }

    /// A recall has no content to keep: what it says is in what is known of it.
    async fn keep_recall(&mut self, item: InboxItem, recall: &Recall) -> Result<(), Failure> {
        let id = item.id();
        let receipt = member::keep_receipt(&self.home.receipts_dir(), &item.receipt)?;
        let row = self.describe(&item, None, &receipt);
        let confirm = matches!(self.confirm, ConfirmArg::Opened);
        let taken = recalled::take(self.home, self.client, item, recall, row, confirm);
        let (row, held) = taken.await?;
        self.held.extend(held);
        self.note(id, &row)?;
        self.rows.push(row);
        Ok(())
    }

    fn describe(&self, item: &InboxItem, content: Option<&Path>, receipt: &Path) -> Value {
        let core = &item.parsed.core;
        let sender = self.roster.member(item.sender());
        let forward = item.forward.as_ref();
        let recipients = forward.map_or(&core.recipients, |forward| &forward.recipients);
        json!({
            "envelope": item.id().to_string(), "message": item.message_id().to_string(),
            "from": item.sender(), "author": item.author(),
            "original": forward.map(|_| core.message_id.to_string()), "from_name": sender.map(|sender| sender.name.clone()),
            "country": sender.map(|sender| sender.country.clone()),
            "kind": member::kind_name(core.kind), "lane": member::lane_name(core.lane),
            "content_type": item.opened.content_type, "bytes": item.opened.data.len(),
            "received": rfc3339(item.receipt.verified.time_ms), "created": rfc3339(core.created_ms),
            "expires": rfc3339(forward.map_or(core.expires_ms, |forward| forward.expires_ms)), "reply_by": core.reply_by_ms.map(rfc3339),
            "in_reply_to": core.in_reply_to.map(|id| id.to_string()),
            "recipients": recipients.iter().map(|recipient| recipient.member.clone()).collect::<Vec<_>>(),
            "file": content, "receipt": receipt, "state": "new",
            "attachments": (1..).zip(&item.opened.attachments).map(describe_file).collect::<Vec<_>>(),
        })
    }

    fn note(&self, id: EnvelopeId, row: &Value) -> Result<(), Failure> {
        let path = self
            .home
            .dir()
            .join(INBOX_DIR)
            .join(format!("{id}.{ABOUT}"));
        files::replace(&path, format!("{row:#}\n").as_bytes())
    }
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

/// Where an envelope is kept as it came.
fn envelope_path(home: &MemberHome, id: &str) -> PathBuf {
    home.dir().join(INBOX_DIR).join(format!("{id}.envelope"))
}

/// The envelope as it came.
///
/// # Errors
/// It is not there any more, or damaged.
pub fn kept_envelope(home: &MemberHome, id: &str) -> Result<v1::Envelope, Failure> {
    let path = envelope_path(home, id);
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

fn extension(content_type: &str) -> &'static str {
    let essence = content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim_end();
    if essence.ends_with("json") {
        "json"
    } else {
        "bin"
    }
}

fn print(rows: &[Value]) {
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
        table.add_row([
            text("received"),
            from,
            text("kind"),
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
                "note: {} came with {message}; see {} with:  frex attachment ls {message}",
                output::counted(files, "file"),
                if files == 1 { "it" } else { "them" },
            ));
        }
    }
}
