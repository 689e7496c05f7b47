//! `frex send`: seals a report to its recipients, hands it to the node, keeps the receipts.

use std::{
    cell::Cell,
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use frex_client::{
    casework::quality,
    client::{Client, DraftError, News, Sending, SendingEvent},
    environment::Random,
    keys::MemberHome,
};
use frex_proto::{
    envelope::{self, Draft, SignedEnvelope},
    error::{Retry, WireCode},
    id::{EnvelopeId, MessageId},
    roster::Roster,
};
use serde_json::Value;

use super::{
    KindArg, SendArgs,
    addressed::{may_send, roster_to_send, unsendable, warn_of_suspended},
    failure::{Done, Failure, OrFail},
    member::{self, SENT_DIR},
    receipt::fetch,
    route,
    staged::{self, Source, Staged},
};

pub mod checks;
mod hear;
mod known;
mod once;
mod remember;
mod tell;
pub mod words;

use checks::Seen;
use hear::Ear;
use known::Course;
use once::{Begun, Once};
use remember::Given;
use tell::conclude;

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// What is known of a recipient whose node is waited for, has refused, is not waited for any more.
const WAITING: &str = "waiting";
const REJECTED: &str = "rejected";
const EXPIRED: &str = "expired";
const GIVEN_UP: &str = "given up";

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
    /// The last of them, until the home node has it.
    untaken: Option<EnvelopeId>,
    /// Whether that has put on record that it does not take it.
    rejected: bool,
    fates: BTreeMap<String, Fate>,
    submitted: Option<String>,
    refused: Option<WireCode>,
    /// Whether that is no answer of the node: it may have it all the same.
    unanswered: bool,
    /// How long the node last wanted to be left alone.
    delayed: Option<Duration>,
    notes: Vec<String>,
}

/// A file that is sent along.
struct AttachedFile {
    name: String,
    bytes: u64,
}

impl AttachedFile {
    fn list(sources: &[Source]) -> Vec<Self> {
        let sources = sources.iter();
        let file = |source: &Source| Self {
            name: source.name.clone(),
            bytes: source.bytes,
        };
        sources.map(file).collect()
    }
}

/// Sends one file, to those who are named or by its route.
pub fn send(args: &SendArgs, json: bool) -> Done {
    if args.how.route {
        return route::send::send(args, json);
    }
    checks::agreed_to_nothing(args)?;
    checks::named_once(&args.to)?;
    send_one(args, json)
}

/// Sends one message.
pub fn send_one(args: &SendArgs, json: bool) -> Done {
    let (content_type, data) = words::content(args)?;
    let home = member::open(&args.from)?;
    let roster = roster_to_send(&home)?;
    let mut sources = staged::sources(&args.attach)?;
    let mut given = Given::of(args, (&content_type, &data), &mut sources);
    let named = known::named(&home, &mut given)?;
    let planned = args.how.part.as_ref().map(|part| part.message);
    let message = named.as_ref().map(|named| named.id).or(planned);
    let judged = Judged::of(&home, args, &roster, (&content_type, &data))?;
    let about = (
        message,
        words::in_reply_to(&home, args)?,
        words::case(&home, args)?,
    );
    let words = words::words(&roster, home.settings(), args, about, (&content_type, data));
    // What no newer roster can mend needs no connection.
    let known = words.clone().build(&roster);
    can_be_sealed(&known, args.to.len())?;
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let started = Instant::now();
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        // By the roster of now: who was revoked, listed or has other keys since is known then.
        if let Err(error) = client.hear_news().await {
            known.map_err(|error| unsendable(&error, args.to.len()))?;
            return Err(error).or_fail("nothing was submitted");
        }
        let files = AttachedFile::list(&sources);
        let course = known::course(&client, &home, args, named).await?;
        if let Course::Over(earlier) = &course {
            return Ok(earlier.say(&files, &args.from, json));
        }
        let roster = client.roster().current();
        may_send(&home, &roster)?;
        let built = words.build(&roster);
        let mut draft = built.map_err(|error| unsendable(&error, args.to.len()))?;
        course.narrow(&mut draft);
        let members = draft.recipients.iter().map(|(member, _)| member.as_str());
        warn_of_suspended(&args.from, members)?;
        let (once, before) = match once::begin(&home, args, &mut draft, json)? {
            Begun::Go(once, before) => (once, before),
            Begun::Over(code) => return Ok(code),
        };
        let staged = Staged::of(&home.dir().join(SENT_DIR), &draft.message_id.to_string());
        if matches!(course, Course::Seal) && before.is_none() && args.message.is_none() {
            judged.check(&home, args)?;
        }
        let again = args.how.first(draft.message_id);
        if !matches!(course, Course::GoOn(..)) {
            draft = attach(&staged, draft, again, &roster, sources).await?;
        }
        let sent = Sent {
            home: &home,
            draft: &draft,
            again,
            seen: judged.seen(args, &draft),
            noted: Cell::new(false),
            file: &args.file,
            from: &args.from,
            attached: &args.attach,
            files: &files,
            staged: &staged,
        };
        let ear = Ear::new(&home, &roster, &draft, started);
        let heard = deliver(&client, &sent, ear, course, (once, before), args.wait.0).await?;
        client.close().await;
        conclude(&sent, &heard, json)
    })
}

fn can_be_sealed(known: &Result<Draft, DraftError>, named: usize) -> Result<(), Failure> {
    match known {
        Ok(draft) => {
            let sealed = envelope::seal(draft, &mut Random::System.rng());
            sealed.or_fail("the report cannot be sealed")?;
            Ok(())
        }
        Err(error @ DraftError::LacksFields { .. }) => Err(unsendable(error, named)),
        Err(_) => Ok(()),
    }
}

/// What is judged of a report beyond its form; nothing of what is no report, or was judged with its plan.
struct Judged(Option<Value>);

impl Judged {
    /// Refuses at once what its recipients do not take as it is.
    fn of(
        home: &MemberHome,
        args: &SendArgs,
        roster: &Roster,
        content: (&str, &[u8]),
    ) -> Result<Self, Failure> {
        if args.how.part.is_some() || !matches!(args.kind, KindArg::Report) {
            return Ok(Self(None));
        }
        checks::needs(roster, &args.to, content, args.how.anyway)?;
        checks::tell_unapplied(home, roster, &args.to);
        let view = quality::view(content.0, content.1);
        if let Some(view) = &view {
            checks::tell_scores(view, &args.file);
        }
        Ok(Self(view))
    }

    fn check(&self, home: &MemberHome, args: &SendArgs) -> Result<(), Failure> {
        let view = self.0.as_ref();
        view.map_or(Ok(()), |view| checks::alike(home, args, &args.to, view))
    }

    /// By what it is noticed the next time: of a part of a plan the whole.
    fn seen(&self, args: &SendArgs, draft: &Draft) -> Option<Seen> {
        if let Some(part) = &args.how.part {
            return Some(part.seen.clone());
        }
        Some(Seen {
            message: draft.message_id,
            created_ms: draft.created_ms,
            to: draft.recipients.iter().map(|(to, _)| to.clone()).collect(),
            tokens: quality::tokens(self.0.as_ref()?),
        })
    }
}

/// Brings it to the home node as its course is, and settles what is kept of it here.
async fn deliver(
    client: &Client,
    sent: &Sent<'_>,
    ear: Ear<'_>,
    course: Course,
    (mut once, before): (Option<Box<Once>>, Option<SignedEnvelope>),
    wait: Duration,
) -> Result<Heard, Failure> {
    let heard = match course {
        Course::GoOn(envelope, has) => go_on(client, (*envelope, has), sent, ear, wait).await,
        _ => begin(client, sent, before, ear, (once.as_deref_mut(), wait)).await,
    };
    let heard = heard.or_else(|failure| {
        sent.take_back();
        sent.staged.remove_unsealed().and(Err(failure))
    });
    let mut heard = heard?;
    settle(&heard, sent, once.as_deref_mut())?;
    heard.note_unfinished(sent);
    Ok(heard)
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
            sent.note();
            client.send_again(draft, envelope, wait)
        }
    };
    listen(client, sending, sent, ear, once).await
}

/// Ends what is kept here of a report that the home node has, or will never take. Spec: ATT-25.
fn settle(heard: &Heard, sent: &Sent<'_>, once: Option<&mut Once>) -> Result<(), Failure> {
    let submitted = heard.submitted.is_some();
    let rejected = heard.is_rejected_at_home();
    if submitted || rejected || heard.is_refused(|retry| retry == Retry::Never) {
        sent.staged.remove()?;
    }
    if rejected || heard.is_sent_back() {
        sent.take_back();
    }
    if let Some(envelope) = heard.never_taken() {
        remember::forget(sent.home, sent.draft.message_id, envelope)?;
    }
    let over = rejected || heard.is_refused(|retry| retry != Retry::Later);
    once.map_or(Ok(()), |once| once.settle(submitted, over))
}

/// The draft with the files sealed for it. Spec: ATT-17.
async fn attach(
    staged: &Staged,
    mut draft: Draft,
    again: MessageId,
    roster: &Roster,
    sources: Vec<Source>,
) -> Result<Draft, Failure> {
    if sources.is_empty() {
        return Ok(draft);
    }
    for (member, _) in &draft.recipients {
        if !roster.member(member).is_some_and(|entry| entry.attachments) {
            let member = member.clone();
            let error = DraftError::AttachmentsRefused { member };
            return Err(unsendable(&error, draft.recipients.len()));
        }
    }
    staged.begin()?;
    tell::begun(draft.message_id, Some(again));
    draft.attachments = staged.seal(sources).await?;
    Ok(draft)
}

/// Sends the very envelope of before, as [`listen`] does; its files too, unless the home node has
/// all of it, and then answers as it did.
async fn go_on(
    client: &Client,
    (envelope, has): (SignedEnvelope, bool),
    sent: &Sent<'_>,
    mut ear: Ear<'_>,
    wait: Duration,
) -> Result<Heard, Failure> {
    ear.sealed(0, &envelope);
    if !has {
        let brought = sent.staged.upload(client, &envelope).await;
        sent.forget_if_refused(&envelope, brought)?;
    }
    sent.note();
    let submission = client.submit(vec![envelope], wait).await;
    let mut submission = submission.or_fail("the report cannot be sent")?;
    while let Some(event) = submission.next().await {
        sent.hear(&mut ear, event.news)?;
    }
    Ok(ear.heard)
}

/// What is sent, as it is remembered.
struct Sent<'a> {
    home: &'a MemberHome,
    draft: &'a Draft,
    /// With which id the same command goes on: of a part of a plan that of the first.
    again: MessageId,
    /// By what it is noticed the next time, if it is.
    seen: Option<Seen>,
    /// Whether this command is the first to remember it so, and nothing shows yet that it has left.
    noted: Cell<bool>,
    file: &'a Path,
    from: &'a Path,
    attached: &'a [PathBuf],
    files: &'a [AttachedFile],
    staged: &'a Staged,
}

impl Sent<'_> {
    /// Before it leaves: whoever stops the command now may have sent it all the same. Spec: RTE-37.
    fn note(&self) {
        if let Some(seen) = &self.seen
            && checks::remember(self.home, seen)
        {
            self.noted.set(true);
        }
    }

    /// Nothing of it has left: it is none that is sent again. Spec: RTE-37.
    fn take_back(&self) {
        if let Some(seen) = &self.seen
            && self.noted.take()
        {
            checks::forget(self.home, seen.message);
        }
    }

    fn hear(&self, ear: &mut Ear<'_>, news: News) -> Result<(), Failure> {
        let has_left = matches!(
            news,
            News::Submitted(_) | News::Accepted { .. } | News::Stage { .. }
        );
        if has_left {
            self.noted.set(false);
        }
        ear.hear(news)
    }

    /// What the home node refuses for good before it is submitted is none of the message's.
    fn forget_if_refused(
        &self,
        envelope: &SignedEnvelope,
        brought: Result<(), Failure>,
    ) -> Result<(), Failure> {
        if let Err(failure) = &brought
            && failure.code().info().retry == Retry::Never
        {
            remember::forget(self.home, self.draft.message_id, envelope.id)?;
        }
        brought
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
                    let brought = sent.staged.upload(client, &envelope).await;
                    sent.forget_if_refused(&envelope, brought)?;
                } else if round == 0 && sent.seen.is_some() {
                    let again = once.is_none().then_some(sent.again);
                    tell::begun(sent.draft.message_id, again);
                }
                sent.note();
            }
            SendingEvent::News(event) => sent.hear(&mut ear, event.news)?,
            SendingEvent::NotAgain { members, why } => ear.not_again(&members, &why),
        }
    }
    Ok(ear.heard)
}

impl Heard {
    /// Says how a message is finished that some have refused for a retired key.
    fn note_unfinished(&mut self, sent: &Sent<'_>) {
        let Some(members) = self.to_finish() else {
            return;
        };
        let command = fetch::again(sent.home, sent.draft.message_id, &members, sent.from);
        let note = format!(
            "{} refused the key and has not got it; finish it with: {command}",
            members.join(", ")
        );
        self.notes.push(note);
    }

    /// Who refused the key and nothing else, of a message that the home node has.
    fn to_finish(&self) -> Option<Vec<&str>> {
        self.submitted.as_ref()?;
        let retired =
            |fate: &Fate| fate.state == REJECTED && fate.code == Some(WireCode::KeyRetired);
        let fates = self.fates.iter().filter(|(_, fate)| retired(fate));
        let members: Vec<&str> = fates.map(|(member, _)| member.as_str()).collect();
        (!members.is_empty()).then_some(members)
    }

    /// The envelope that the home node has refused for good, whatever became of those before.
    fn never_taken(&self) -> Option<EnvelopeId> {
        let refused = self.refused.map(|code| code.info().retry) == Some(Retry::Never);
        self.untaken.filter(|_| refused || self.rejected)
    }

    /// Whether the home node has refused it so: nothing is kept of it there.
    fn is_refused(&self, so: impl Fn(Retry) -> bool) -> bool {
        let code = self.refused.filter(|_| self.submitted.is_none());
        code.is_some_and(|code| so(code.info().retry))
    }

    /// Whether the home node has said itself that it does not take it, now or ever: it has nothing of it.
    fn is_sent_back(&self) -> bool {
        self.is_refused(|_| true) && !self.unanswered
    }

    /// Whether the home node has put on record that it does not take it: it never will.
    fn is_rejected_at_home(&self) -> bool {
        self.submitted.is_none() && self.fates.values().all(|fate| fate.state == REJECTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // MBR-12, DEL-28: of a message that the home node has, those who refused the key are told, with
    // nobody else, so that it can be finished.
    fn heard(fates: &[(&str, &'static str, Option<WireCode>)]) -> Heard {
        let fate = |(name, state, code): &(&str, &'static str, Option<WireCode>)| {
            let fate = Fate {
                state,
                node: format!("node.{name}"),
                code: *code,
                ms: None,
                receipt: None,
            };
            ((*name).to_owned(), fate)
        };
        Heard {
            envelopes: Vec::new(),
            untaken: None,
            rejected: false,
            fates: fates.iter().map(fate).collect(),
            submitted: None,
            refused: None,
            unanswered: false,
            delayed: None,
            notes: Vec::new(),
        }
    }

    #[test]
    fn who_refused_the_key_is_named_once_the_message_is_submitted() {
        let mut heard = heard(&[
            ("a", "accepted", None),
            ("b", REJECTED, Some(WireCode::KeyRetired)),
            ("c", REJECTED, Some(WireCode::Expired)),
        ]);
        assert_eq!(heard.to_finish(), None);
        heard.submitted = Some("receipt".to_owned());
        assert_eq!(heard.to_finish(), Some(vec!["b"]));
    }

    // CLI-31: a recipient is in one state; which node was given up is not said where it is not known.
    #[test]
    fn who_is_waited_for_and_who_is_given_up_is_never_the_same() {
        let states =
            |heard: &Heard| -> Vec<&str> { heard.fates.values().map(|fate| fate.state).collect() };
        let both = [("a", WAITING, None), ("b", WAITING, None)];
        let mut expired = heard(&[both[0], both[1], ("c", "accepted", None)]);
        expired.give_up(None, WireCode::Expired);
        assert_eq!(states(&expired), [EXPIRED, EXPIRED, "accepted"]);
        assert_eq!(expired.notes, [""; 0]);
        let mut one = heard(&both[..1]);
        one.give_up(None, WireCode::WrongSender);
        assert_eq!(states(&one), [GIVEN_UP]);
        let mut unclear = heard(&both);
        unclear.give_up(None, WireCode::WrongSender);
        assert_eq!(states(&unclear), [WAITING, WAITING]);
        assert_eq!(unclear.notes.len(), 1);
        unclear.give_up(Some("node.b"), WireCode::WrongSender);
        assert_eq!(states(&unclear), [WAITING, GIVEN_UP]);
    }

    // RTE-37: only what the home node says that it does not take has not left for sure.
    #[test]
    fn what_was_not_answered_may_have_left() {
        let mut heard = heard(&[("a", WAITING, None)]);
        assert!(!heard.is_sent_back());
        heard.refused = Some(WireCode::RetryAfter);
        assert!(heard.is_sent_back());
        heard.unanswered = true;
        assert!(!heard.is_sent_back());
        heard.unanswered = false;
        heard.submitted = Some("receipt".to_owned());
        assert!(!heard.is_sent_back());
    }

    // ATT-25: what the home node has put on record as rejected is over, though it refused nothing.
    #[test]
    fn what_every_recipient_was_refused_at_home_is_over() {
        let mut heard = heard(&[("a", REJECTED, Some(WireCode::IdReuse))]);
        assert!(heard.is_rejected_at_home());
        heard.submitted = Some("receipt".to_owned());
        assert!(!heard.is_rejected_at_home());
    }
}
