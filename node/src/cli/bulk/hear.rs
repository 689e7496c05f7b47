//! Hears what becomes of the reports, and finishes what was refused for a retired key.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufWriter, ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use frex_client::client::{
    BulkError, BulkEvent, BulkFate, BulkNews, Client, DraftError, News, SendError, SendingEvent,
};
use frex_proto::{error::WireCode, id::MessageId};
use indicatif::ProgressBar;
use serde_json::{Value, json};
use tokio::{sync::Mutex, time::timeout_at};

use super::{Tally, Underway, Words, said::Progress};
use crate::cli::failure::Failure;

/// The file that says what became of each report.
pub(super) struct List {
    path: PathBuf,
    file: BufWriter<File>,
}

impl List {
    /// Refuses a file that is there, before anything is waited for.
    pub(super) fn check(path: &Path) -> Result<(), Failure> {
        match path.symlink_metadata() {
            Ok(_) => Err(taken(path, &ErrorKind::AlreadyExists.into())),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn new(path: &Path) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let file = options.open(path);
        Ok(Self {
            file: BufWriter::new(file.map_err(|error| taken(path, &error))?),
            path: path.to_owned(),
        })
    }

    fn sent(&mut self, reference: &str, state: &str, ids: [String; 2]) -> Result<(), Failure> {
        let [message, envelope] = ids;
        self.put(&json!({
            "reference": reference, "state": state, "message": message, "envelope": envelope,
        }))
    }

    fn put(&mut self, row: &Value) -> Result<(), Failure> {
        let written = writeln!(self.file, "{row}");
        written.map_err(|error| Failure::file("write", &self.path, &error))
    }

    /// Adds what was not sent, and what has ended on its way, once all is known.
    pub(super) fn end(mut self, tally: &Tally) -> Result<(), Failure> {
        for one in &tally.not_sent {
            self.put(&one.to_json())?;
        }
        for one in &tally.ended {
            self.put(&one.to_json())?;
        }
        let flushed = self.file.flush();
        flushed.map_err(|error| Failure::file("write", &self.path, &error))
    }
}

fn taken(path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::file("write", path, error);
    match error.kind() {
        ErrorKind::AlreadyExists => failure.advise(
            "Name a new file for --list: the list of an earlier run is not written over; what was submitted is in the new one too",
        ),
        _ => failure,
    }
}

/// Hears it out, or until the node has taken nothing for longer than the caller has patience.
pub(super) async fn hear(
    mut news: BulkNews,
    bar: &ProgressBar,
    list: &mut Option<List>,
    (tally, patience): (&Mutex<Tally>, Option<Duration>),
    about: (&Client, &Words<'_>),
) -> Result<(), Failure> {
    let mut progress = Progress::new();
    loop {
        let over = match patience {
            Some(patience) => tally.lock().await.waiting.over(patience),
            None => None,
        };
        let event = match over {
            None => news.next().await,
            Some((at, code)) => match timeout_at(at.into(), news.next()).await {
                Ok(event) => event,
                Err(_) => {
                    tally.lock().await.gave_up = Some(code);
                    return Ok(());
                }
            },
        };
        let Some(event) = event else {
            return Ok(());
        };
        let mut tally = tally.lock().await;
        take(&mut tally, bar, list.as_mut(), event, about)?;
        progress.tell(bar);
    }
}

fn take(
    tally: &mut Tally,
    bar: &ProgressBar,
    list: Option<&mut List>,
    event: BulkEvent,
    (client, words): (&Client, &Words<'_>),
) -> Result<(), Failure> {
    let BulkEvent { reference, fate } = event;
    match fate {
        BulkFate::Before(sent) => {
            tally.underway.remove(&reference);
            if tally.finished.remove(&reference) {
                return Ok(());
            }
            tally.before.insert(sent.message, reference.clone());
            bar.inc(1);
            let ids = [sent.message.to_string(), sent.envelope.to_string()];
            list.map_or(Ok(()), |list| list.sent(&reference, "before", ids))?;
        }
        BulkFate::NotSent(why) => {
            let underway = tally.underway.remove(&reference);
            let line = underway.as_ref().map_or(0, |one| one.line);
            bar.inc(1);
            let text = match (&why, &underway) {
                // The draft ends at the first recipient that needs more; all of them are named.
                (BulkError::Draft(DraftError::LacksFields { .. }), Some(one)) => {
                    words.lacks(client, &one.content)
                }
                _ => why.to_string(),
            };
            tally.not_sent(&reference, line, WireCode::from(&why), &text);
        }
        BulkFate::Waiting(code) => tally.waiting.refused(bar, code),
        BulkFate::News {
            message,
            envelope,
            news,
        } => {
            let ids = [message.to_string(), envelope.to_string()];
            if let Some(state) = hear_one(tally, bar, &reference, message, news) {
                list.map_or(Ok(()), |list| list.sent(&reference, state, ids))?;
            }
        }
        BulkFate::Ended => {
            if let Some(underway) = tally.underway.remove(&reference)
                && !underway.retired.is_empty()
            {
                tally.again.push((reference, underway));
            }
        }
    }
    Ok(())
}

/// The state that the list names, where there is one.
fn hear_one(
    tally: &mut Tally,
    bar: &ProgressBar,
    reference: &str,
    message: MessageId,
    news: News,
) -> Option<&'static str> {
    match news {
        News::Submitted(_) => {
            tally.waiting.taken(bar);
            tally.submitted += 1;
            bar.inc(1);
            // Its line may be read already, under an id that is never used.
            let own = tally.underway.get(reference).map(|one| one.own);
            if own != Some(message) {
                tally.finished.insert(reference.to_owned());
            }
            Some("submitted")
        }
        News::Delayed { code, retry_after } => {
            tally.waiting.delayed(bar, code, retry_after);
            None
        }
        News::Accepted { members, .. } => {
            tally.accepted += members.len() as u64;
            None
        }
        News::Rejected {
            members,
            code: WireCode::KeyRetired,
            ..
        } => {
            if let Some(underway) = tally.underway.get_mut(reference) {
                underway.retired.extend(members);
                underway.message = Some(message);
            }
            None
        }
        News::Undeliverable { node, code } => {
            tally.ended(reference, message, node.as_deref(), code);
            None
        }
        News::Rejected { code, .. } | News::Refused { code } => {
            let line = tally.underway.get(reference).map_or(0, |one| one.line);
            tally.not_sent(reference, line, code, code.info().text);
            Some("refused")
        }
        _ => None,
    }
}

/// Seals again, under the same message id, what was refused for a retired key.
pub(super) async fn finish(client: &Client, words: &Words<'_>, tally: &mut Tally) {
    if tally.gave_up.is_some() {
        return;
    }
    for (reference, underway) in std::mem::take(&mut tally.again) {
        if let Err(error) = finish_one(client, words, &underway, tally).await {
            let why = error.to_string();
            tally.not_sent(&reference, underway.line, WireCode::from(&error), &why);
        }
    }
}

async fn finish_one(
    client: &Client,
    words: &Words<'_>,
    underway: &Underway,
    tally: &mut Tally,
) -> Result<(), SendError> {
    let mut draft = words.draft(client, &underway.retired, &underway.content);
    if let Some(message) = underway.message {
        draft = draft.message_id(message);
    }
    let mut sending = client.send(client.finish(draft)?, words.args.wait.0);
    while let Some(event) = sending.next().await {
        match event? {
            SendingEvent::News(event) => {
                if let News::Accepted { members, .. } = event.news {
                    tally.accepted += members.len() as u64;
                }
            }
            SendingEvent::NotAgain { why, .. } => return Err(why),
            SendingEvent::Sealed { .. } => {}
        }
    }
    Ok(())
}
