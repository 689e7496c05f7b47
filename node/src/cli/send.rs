//! `frex send`: seals a report to its recipients, hands it to the node, keeps the receipts.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Read},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use frex_client::{
    client::{
        Client, DraftBuilder, DraftError, News, ProvenReceipt, SendError, Sending, SendingEvent,
        Unproven,
    },
    environment::{Clock, Environment, Random},
    keys::{MemberHome, MemberSettings},
    report::{self, Report},
};
use frex_proto::{
    envelope::{self, Draft, SignedEnvelope},
    error::{Retry, WireCode},
    id::{EnvelopeId, MessageId},
    limits,
    roster::Roster,
};
use serde_json::{Value, json};

use super::{
    SendArgs, ended,
    failure::{Done, Failure, OrCode, OrFail},
    files,
    member::{self, ABOUT_BYTES_MAX, SENT_DIR},
    output,
    peer::suspend,
    receipt::fetch,
    staged::Staged,
};

mod once;
mod tell;

use once::{Begun, Once};
use tell::{conclude, seconds};

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// What is known of one recipient.
#[derive(Debug, Clone)]
struct Fate {
    state: &'static str,
    node: String,
    code: Option<WireCode>,
    ms: Option<u64>,
    receipt: Option<String>,
}

/// Everything that was heard of one envelope.
struct Heard {
    /// The envelopes, of which each after the first was sealed again for some.
    envelopes: Vec<EnvelopeId>,
    fates: BTreeMap<String, Fate>,
    submitted: Option<String>,
    refused: Option<WireCode>,
    /// How long the node last wanted to be left alone.
    delayed: Option<Duration>,
    notes: Vec<String>,
}

/// Sends one file.
pub fn send(args: &SendArgs, json: bool) -> Done {
    let (content_type, data) = content(args)?;
    let home = member::open(&args.from)?;
    let roster = member::roster(&home)?;
    let words = words(&roster, home.settings(), args, &content_type, data)?;
    // What no newer roster can mend needs no connection.
    let known = words.clone().build(&roster);
    match &known {
        Ok(draft) => {
            let sealed = envelope::seal(draft, &mut Random::System.rng());
            sealed.or_fail("the report cannot be sealed")?;
        }
        Err(error @ DraftError::LacksFields { .. }) => return Err(unsendable(error)),
        Err(_) => {}
    }
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let started = Instant::now();
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        // By the roster of now: who was revoked, listed or has other keys since is known then.
        if let Err(error) = client.hear_news().await {
            known.map_err(|error| unsendable(&error))?;
            return Err(error).or_fail("nothing was submitted");
        }
        let roster = client.roster().current();
        let mut draft = words.build(&roster).map_err(|error| unsendable(&error))?;
        warn_of_suspended(&args.from, &draft)?;
        let (mut once, before) = match once::begin(&home, args, &mut draft, json)? {
            Begun::Go(once, before) => (once, before),
            Begun::Over(code) => return Ok(code),
        };
        let staged = Staged::of(&home.dir().join(SENT_DIR), &draft.message_id.to_string());
        let (draft, stopped) = attach(&staged, draft, &roster, &args.attach).await?;
        let sent = Sent {
            home: &home,
            draft: &draft,
            content_type: &content_type,
            file: &args.file,
            attached: &args.attach,
            staged: &staged,
        };
        let ear = Ear::new(&home, &roster, &draft, started);
        let mut heard = match stopped {
            Some(envelope) => go_on(&client, envelope, &sent, ear, args.wait.0).await?,
            None => {
                let once = once.as_deref_mut();
                begin(&client, &sent, before, ear, (once, args.wait.0)).await?
            }
        };
        client.close().await;
        settle(&heard, &staged, once.as_deref_mut())?;
        if let Some(members) = heard.to_finish() {
            let command = fetch::again(&home, draft.message_id, &members, &args.from);
            let note = format!(
                "{} refused the key and has not got it; finish it with: {command}",
                members.join(", ")
            );
            heard.notes.push(note);
        }
        conclude(&args.from, &draft, &heard, json)
    })
}

/// Sends it; if it is to be sent once and was sealed before, as it was sealed.
async fn begin(
    client: &Client,
    sent: &Sent<'_>,
    before: Option<SignedEnvelope>,
    mut ear: Ear<'_>,
    (once, wait): (Option<&mut Once>, Duration),
) -> Result<Heard, Failure> {
    let draft = sent.draft.clone();
    let sending = match before {
        None => client.send(draft, wait),
        Some(envelope) => {
            ear.sealed(0, &envelope);
            client.send_again(draft, envelope, wait)
        }
    };
    listen(client, sending, sent, ear, once).await
}

/// Ends what is kept here of a report that the home node has, or will never take.
fn settle(heard: &Heard, staged: &Staged, once: Option<&mut Once>) -> Result<(), Failure> {
    let submitted = heard.submitted.is_some();
    if submitted || heard.is_refused(|retry| retry == Retry::Never) {
        staged.remove()?;
    }
    let over = heard.is_refused(|retry| retry != Retry::Later);
    once.map_or(Ok(()), |once| once.settle(submitted, over))
}

/// The draft with the files sealed for it, or the envelope that was sealed before the command was
/// stopped. Spec: ATT-17, ATT-23.
async fn attach(
    staged: &Staged,
    mut draft: Draft,
    roster: &Roster,
    paths: &[PathBuf],
) -> Result<(Draft, Option<SignedEnvelope>), Failure> {
    let before = staged.envelope(&draft)?;
    if before.is_some() || paths.is_empty() {
        return Ok((draft, before));
    }
    for (member, _) in &draft.recipients {
        if !roster.member(member).is_some_and(|entry| entry.attachments) {
            let member = member.clone();
            return Err(unsendable(&DraftError::AttachmentsRefused { member }));
        }
    }
    output::message(format_args!(
        "message {}: if this is stopped, the same command with  --message {}  goes on",
        draft.message_id, draft.message_id
    ));
    draft.attachments = staged.seal(paths).await?;
    Ok((draft, None))
}

/// Sends the very envelope of before, as [`listen`] does.
async fn go_on(
    client: &Client,
    envelope: SignedEnvelope,
    sent: &Sent<'_>,
    mut ear: Ear<'_>,
    wait: Duration,
) -> Result<Heard, Failure> {
    ear.sealed(0, &envelope);
    sent.staged.upload(client, &envelope).await?;
    let submission = client.submit(vec![envelope], wait).await;
    let mut submission = submission.or_fail("the report cannot be sent")?;
    while let Some(event) = submission.next().await {
        ear.hear(event.news)?;
    }
    Ok(ear.heard)
}

fn content(args: &SendArgs) -> Result<(String, Vec<u8>), Failure> {
    let data = if args.file == Path::new("-") {
        let mut data = Vec::new();
        let mut input = io::stdin()
            .lock()
            .take(limits::CONTENT_BYTES_MAX as u64 + 1);
        input
            .read_to_end(&mut data)
            .or_code(WireCode::Files, "cannot read standard input")?;
        if data.len() > limits::CONTENT_BYTES_MAX {
            return Err(Failure::new(
                WireCode::TooLarge,
                "the report on standard input is too large",
            ));
        }
        data
    } else {
        files::read(&args.file, limits::CONTENT_BYTES_MAX)?
    };
    if let Some(content_type) = &args.content_type {
        return Ok((content_type.clone(), data));
    }
    Report::parse(&data).map_err(|error| {
        Failure::new(
            WireCode::BadInput,
            format!("{} is no report", args.file.display()),
        )
        .because(&error)
        .advise("Mend the field named above, or send any other content with --content-type TYPE")
    })?;
    Ok((report::CONTENT_TYPE.to_owned(), data))
}

/// What is to be said, and to whom.
fn words(
    roster: &Roster,
    sender: &MemberSettings,
    args: &SendArgs,
    content_type: &str,
    data: Vec<u8>,
) -> Result<DraftBuilder, Failure> {
    let now_ms = Clock::System.now_ms();
    let until = |ms: u64| Duration::from_millis(ms.saturating_sub(now_ms));
    let to: Vec<&str> = args.to.iter().map(String::as_str).collect();
    let message = args.message.as_deref().map(MessageId::from_hex).transpose();
    let message = message.or_code(WireCode::BadInput, "a message id has 32 hexadecimal digits")?;
    let mut draft = DraftBuilder::new(roster, &sender.member, &to, &Environment::default())
        .kind(args.kind.into())
        .lane(args.lane.into())
        .content(content_type, data);
    if let Some(message) = message {
        draft = draft.message_id(message);
    }
    if let Some(expires) = args.expires {
        draft = draft.life(until(expires.after(now_ms)));
    }
    if let Some(reply_by) = args.reply_by {
        draft = draft.reply_within(until(reply_by.after(now_ms)));
    }
    Ok(draft)
}

fn unsendable(error: &DraftError) -> Failure {
    let failure = Failure::new(WireCode::from(error), "a recipient cannot be sent to");
    let failure = failure.because(error);
    match error {
        DraftError::LacksFields { .. } => failure.advise(
            "Add the fields named above to the report, or leave that recipient out of --to",
        ),
        _ => failure,
    }
}

/// Who is suspended by the own people gets it later, and whoever sends should know that.
fn warn_of_suspended(dir: &Path, draft: &Draft) -> Result<(), Failure> {
    let suspended = suspend::suspended(dir)?;
    for (member, _) in &draft.recipients {
        if suspended.holds_member(member) {
            output::message(format_args!(
                "{member} is suspended here: this waits until  frex peer resume {member} {}",
                dir.display()
            ));
        }
    }
    Ok(())
}

/// What is sent, as it is remembered.
struct Sent<'a> {
    home: &'a MemberHome,
    draft: &'a Draft,
    content_type: &'a str,
    file: &'a Path,
    attached: &'a [PathBuf],
    staged: &'a Staged,
}

impl Sent<'_> {
    /// Keeps the ids of what is sent; the content stays where its owner has it. Of a message that
    /// is sealed again, all the envelopes.
    fn remember(&self, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let (folder, draft) = (self.home.dir().join(SENT_DIR), self.draft);
        files::ensure_folder(&folder)?;
        let path = folder.join(format!("{}.json", draft.message_id));
        let before = match path.exists() {
            true => files::read(&path, ABOUT_BYTES_MAX)?,
            false => Vec::new(),
        };
        let before: Value = serde_json::from_slice(&before).unwrap_or_default();
        let earlier = before["envelopes"].as_array().cloned().unwrap_or_default();
        let names = |value: &Value| value.as_str().map(str::to_owned);
        let recipients = before["recipients"].as_array().into_iter().flatten();
        let recipients: BTreeSet<String> = recipients
            .filter_map(names)
            .chain(envelope.members.iter().cloned())
            .collect();
        let id = envelope.id.to_string();
        let envelopes: Vec<Value> = earlier.into_iter().chain([id.clone().into()]).collect();
        let kept = json!({
            "v": output::JSON_VERSION, "message": draft.message_id.to_string(),
            "envelope": id, "envelopes": envelopes, "recipients": recipients,
            "kind": member::kind_name(draft.kind), "lane": member::lane_name(draft.lane),
            "content_type": self.content_type, "bytes": draft.data.len(), "file": self.file,
            "attachments": draft.attachments.iter().zip(self.attached).map(|(attached, path)| json!({
                "file": path,                "name": attached.file.name, "bytes": attached.file.bytes,
                "sha256": hex::encode(attached.file.sha256),
            })).collect::<Vec<_>>(),
            "created_ms": draft.created_ms, "expires_ms": draft.expires_ms, "reply_by_ms": draft.reply_by_ms,
        });
        files::replace(&path, format!("{kept:#}\n").as_bytes())
    }
}

/// Hears it out and keeps every receipt as it comes.
async fn listen(
    client: &Client,
    mut sending: Sending,
    sent: &Sent<'_>,
    mut ear: Ear<'_>,
    mut once: Option<&mut Once>,
) -> Result<Heard, Failure> {
    while let Some(event) = sending.next().await {
        match event.or_fail("the report cannot be sent")? {
            // Before it leaves: whatever happens next, the ids of what was sent are known.
            SendingEvent::Sealed { round, envelope } => {
                sent.remember(&envelope)?;
                if let Some(once) = once.as_mut().filter(|_| round == 0) {
                    once.keep(sent.draft, &envelope)?;
                }
                ear.sealed(round, &envelope);
                if !sent.draft.attachments.is_empty() {
                    sent.staged.keep(&envelope)?;
                    sent.staged.upload(client, &envelope).await?;
                }
            }
            SendingEvent::News(event) => ear.hear(event.news)?,
            SendingEvent::NotAgain { members, why } => ear.not_again(&members, &why),
        }
    }
    Ok(ear.heard)
}

/// Where news of one envelope goes.
struct Ear<'a> {
    folder: PathBuf,
    roster: &'a Roster,
    started: Instant,
    heard: Heard,
}

impl<'a> Ear<'a> {
    fn new(home: &MemberHome, roster: &'a Roster, draft: &Draft, started: Instant) -> Self {
        let waiting = |member: &str| Fate {
            state: "waiting",
            node: node_of(roster, member),
            code: None,
            ms: None,
            receipt: None,
        };
        let recipients = draft.recipients.iter();
        let fates = recipients.map(|(member, _)| (member.clone(), waiting(member)));
        Self {
            folder: home.receipts_dir(),
            roster,
            started,
            heard: Heard {
                envelopes: Vec::new(),
                fates: fates.collect(),
                submitted: None,
                refused: None,
                delayed: None,
                notes: Vec::new(),
            },
        }
    }

    fn sealed(&mut self, round: u32, envelope: &SignedEnvelope) {
        self.heard.envelopes.push(envelope.id);
        if round > 0 {
            let note = format!(
                "{} had retired the key: sealed again under the same message id, as envelope {}",
                envelope.members.join(", "),
                envelope.id
            );
            self.heard.notes.push(note);
            self.heard.refused = None;
        }
    }

    /// What was taken before stays so; with nothing taken, this is why.
    fn not_again(&mut self, members: &[String], why: &SendError) {
        let note = format!("not sealed again for {}: {why}", members.join(", "));
        self.heard.notes.push(note);
        if self.heard.submitted.is_none() {
            let _ = self.heard.refused.get_or_insert(why.into());
        }
    }

    fn hear(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Submitted(receipt) => self.heard.submitted = Some(self.keep(&receipt)?),
            News::Accepted {
                node,
                members,
                receipt,
            } => self.set(&members, "accepted", node, None, &receipt)?,
            News::Rejected {
                node,
                members,
                code,
                receipt,
                ..
            } => self.set(&members, "rejected", node, Some(code), &receipt)?,
            News::Stage {
                member,
                stage,
                receipt,
            } => {
                let node = node_of(self.roster, &member);
                self.set(&[member], member::stage_name(stage), node, None, &receipt)?;
            }
            News::Undeliverable { node, code } => {
                let note = ended::note(node.as_deref(), code);
                self.heard.notes.push(note);
            }
            News::Delayed { retry_after, .. } => {
                self.heard.delayed = Some(retry_after);
                output::message(format_args!(
                    "the node is busy or the quota is used up: it takes the report after {}",
                    seconds(retry_after)
                ));
            }
            News::Refused { code } | News::Unanswered { code } => self.heard.refused = Some(code),
            News::Unproven(unproven) => self.heard.notes.push(unproven_text(&unproven)),
            _ => {}
        }
        Ok(())
    }

    fn set(
        &mut self,
        members: &[String],
        state: &'static str,
        node: String,
        code: Option<WireCode>,
        receipt: &ProvenReceipt,
    ) -> Result<(), Failure> {
        let fate = Fate {
            state,
            node,
            code,
            ms: u64::try_from(self.started.elapsed().as_millis()).ok(),
            receipt: Some(self.keep(receipt)?),
        };
        for member in members {
            if let Some(held) = self.heard.fates.get_mut(member) {
                *held = fate.clone();
            }
        }
        Ok(())
    }

    fn keep(&self, receipt: &ProvenReceipt) -> Result<String, Failure> {
        let path = member::keep_receipt(&self.folder, receipt)?;
        Ok(path.display().to_string())
    }
}

fn node_of(roster: &Roster, member: &str) -> String {
    let node = roster.home_node(member);
    node.map(|node| node.id.clone()).unwrap_or_default()
}

fn unproven_text(unproven: &Unproven) -> String {
    let node = unproven.node.as_deref().unwrap_or("a node");
    format!(
        "a receipt of {} does not hold and is not believed: {}",
        output::clean(node),
        unproven.error
    )
}

impl Heard {
    /// Who refused the key and nothing else, of a message that the home node has.
    fn to_finish(&self) -> Option<Vec<&str>> {
        self.submitted.as_ref()?;
        let retired =
            |fate: &Fate| fate.state == "rejected" && fate.code == Some(WireCode::KeyRetired);
        let fates = self.fates.iter().filter(|(_, fate)| retired(fate));
        let members: Vec<&str> = fates.map(|(member, _)| member.as_str()).collect();
        (!members.is_empty()).then_some(members)
    }

    /// Whether the home node has refused it so: nothing is kept of it there.
    fn is_refused(&self, so: impl Fn(Retry) -> bool) -> bool {
        let code = self.refused.filter(|_| self.submitted.is_none());
        code.is_some_and(|code| so(code.info().retry))
    }

    fn done(fate: &Fate) -> bool {
        !matches!(fate.state, "waiting" | "rejected")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // MBR-12, DEL-28: of a message that the home node has, those who refused the key are told, with
    // nobody else, so that it can be finished.
    #[test]
    fn who_refused_the_key_is_named_once_the_message_is_submitted() {
        let fate = |state, code| Fate {
            state,
            node: String::new(),
            code,
            ms: None,
            receipt: None,
        };
        let fates = [
            ("a", fate("accepted", None)),
            ("b", fate("rejected", Some(WireCode::KeyRetired))),
            ("c", fate("rejected", Some(WireCode::Expired))),
        ];
        let mut heard = Heard {
            envelopes: Vec::new(),
            fates: fates.map(|(name, fate)| (name.to_owned(), fate)).into(),
            submitted: None,
            refused: None,
            delayed: None,
            notes: Vec::new(),
        };
        assert_eq!(heard.to_finish(), None);
        heard.submitted = Some("receipt".to_owned());
        assert_eq!(heard.to_finish(), Some(vec!["b"]));
    }
}
