//! `frex send --once`: one reference, one report, however often it is tried.

use std::path::Path;

use frex_client::{
    casework::model,
    environment::Clock,
    keys::MemberHome,
    report::Report,
    sent::{Found, Kept, KeptBatch, Named, SentBefore, SentError, SentStore},
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
    v1,
};
use serde_json::{Value, json};

use super::tell;
use crate::cli::{
    SendArgs,
    failure::{Failure, OrFail, PARTIAL},
    member::REFERENCES_DIR,
    messages, output, recipients, show,
};

/// A report under its reference.
pub(super) struct Once {
    store: SentStore,
    reference: String,
    named: Named,
    batch: Option<KeptBatch>,
}

/// What is to be done with it.
pub(super) enum Begun {
    /// It is sealed and sent, or sent as it was sealed before.
    Go(Option<Box<Once>>, Option<SignedEnvelope>),
    /// It was submitted before: the exit code.
    Over(u8),
}

/// Looks up what is to be sent once. If it was sealed before, the draft takes its message id.
pub(super) fn begin(
    home: &MemberHome,
    args: &SendArgs,
    draft: &mut Draft,
    json: bool,
) -> Result<Begun, Failure> {
    let Some(reference) = &args.once else {
        return Ok(Begun::Go(None, None));
    };
    let mut once = Once::new(home, reference, draft)?;
    let found = once.store.find(&once.named);
    match found.map_err(unfit)? {
        Found::Nothing => Ok(Begun::Go(Some(Box::new(once)), None)),
        Found::Sealed(sent) => {
            let envelope = once.take_up(&sent)?;
            draft.message_id = sent.message;
            Ok(Begun::Go(Some(Box::new(once)), Some(envelope)))
        }
        Found::Submitted(sent) => {
            let known = Known::of(home, &sent)?;
            known.say(&args.from, json);
            Ok(Begun::Over(known.exit()))
        }
    }
}

/// Why it is not sent under this reference.
fn unfit(error: SentError) -> Failure {
    let other = matches!(error, SentError::OtherReport);
    let failure = Failure::of(error, "it cannot be sent under this reference");
    match other {
        true => failure.advise("Name another reference: --once=REFERENCE; or give the same report and the same members as before"),
        false => failure,
    }
}

/// What the folder knows of a report that was submitted before. Spec: CLI-35.
struct Known {
    message: String,
    envelope: String,
    recipients: Vec<Value>,
    /// The delivery has ended for one of them, and not there.
    ended: bool,
    /// What of it went with the end of a log.
    lost: Option<String>,
    /// Its time is over, and whether it got to all of them is not known here.
    late: bool,
}

impl Known {
    fn of(home: &MemberHome, sent: &SentBefore) -> Result<Self, Failure> {
        let message = sent.message.to_string();
        let about = messages::sent(home, &message)?.unwrap_or_default();
        let kept = show::receipts(home, &message)?;
        let statements: Vec<v1::Statement> = kept.iter().map(|one| one.1.clone()).collect();
        let now_ms = Clock::System.now_ms();
        let roster = home.roster(now_ms).ok();
        let roster = roster.as_ref();
        let recipients = recipients::rows(&about, &statements, roster);
        let recipients = recipients::marked(recipients, &show::lost_of(&kept, roster), roster);
        Ok(Self {
            envelope: sent.envelope.to_string(),
            ended: recipients.iter().any(recipients::is_lost),
            lost: show::lost(&kept, roster),
            late: about["expires_ms"]
                .as_u64()
                .is_some_and(|end| end <= now_ms)
                && recipients.iter().any(recipients::is_open),
            message,
            recipients,
        })
    }

    fn exit(&self) -> u8 {
        match self.ended || self.late || self.lost.is_some() {
            true => PARTIAL,
            false => 0,
        }
    }

    fn note(&self) -> Option<&'static str> {
        match (self.ended, self.late) {
            (true, _) => Some(
                "it did not get to all of them, and does not go out again under this reference; to send it anew, name another: --once=REFERENCE",
            ),
            (_, true) => Some("its time is over, and it is not known here whether it got there"),
            _ => None,
        }
    }

    fn say(&self, dir: &Path, json: bool) {
        let (message, envelope) = (&self.message, &self.envelope);
        if json {
            let notes = self.note().into_iter().chain(self.lost.as_deref());
            let notes: Vec<&str> = notes.collect();
            output::document(json!({
                "before": true, "message": message, "envelope": envelope,
                "envelopes": [envelope], "recipients": self.recipients, "notes": notes,
            }));
            return;
        }
        tell::print_earlier(message, std::slice::from_ref(envelope));
        if !self.recipients.is_empty() {
            output::data("");
            recipients::print(&self.recipients);
        }
        for note in self.note().into_iter().chain(self.lost.as_deref()) {
            output::message(format_args!("note: {note}"));
        }
        tell::note_fetch(message, dir);
    }
}

impl Once {
    /// A report under `reference`, or under its own if that is empty.
    fn new(home: &MemberHome, reference: &str, draft: &Draft) -> Result<Self, Failure> {
        let own = match draft.content_type == model::CONTENT_TYPE {
            true => model::Report::decode(&draft.data)
                .ok()
                .and_then(|report| report.typed().reference),
            false => Report::parse(&draft.data)
                .ok()
                .map(|report| report.reference),
        };
        let reference = match (reference, own) {
            ("", Some(own)) => own,
            ("", None) => {
                let what = "what is no report has no reference of its own";
                return Err(
                    Failure::new(WireCode::BadInput, what).advise("Name one: --once=REFERENCE")
                );
            }
            (named, _) => named.to_owned(),
        };
        let to: Vec<String> = draft.recipients.iter().map(|(to, _)| to.clone()).collect();
        let named = Named::new(&reference, &draft.content_type, &draft.data, &to);
        let folder = home.dir().join(REFERENCES_DIR);
        let store = SentStore::open(&folder, Clock::System.now_ms());
        Ok(Self {
            store: store.or_fail("what was sent before cannot be looked up")?,
            reference,
            named: named.or_fail("it cannot be sent once")?,
            batch: None,
        })
    }

    /// Takes up what was sealed before.
    fn take_up(&mut self, sent: &SentBefore) -> Result<SignedEnvelope, Failure> {
        let pending = self.store.pending();
        let pending = pending.or_fail("what was sealed cannot be read")?;
        let holds = |batch: &KeptBatch| {
            batch.items.len() == 1 && batch.items[0].envelope.id == sent.envelope
        };
        let Some(batch) = pending.into_iter().find(holds) else {
            let what = "it was sealed together with others that are not submitted yet";
            return Err(Failure::new(WireCode::IdReuse, what)
                .advise("Give the file again that it came from: frex bulk FILE"));
        };
        let envelope = batch.items[0].envelope.clone();
        self.batch = Some(batch);
        Ok(envelope)
    }

    /// Keeps it before it leaves.
    pub(super) fn keep(&mut self, draft: &Draft, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let kept = Kept {
            reference: self.reference.clone(),
            named: self.named,
            message: draft.message_id,
            kind: draft.kind,
            lane: draft.lane,
            created_ms: draft.created_ms,
            expires_ms: draft.expires_ms,
            envelope: envelope.clone(),
        };
        let batch = self.store.keep(vec![kept]);
        self.batch = Some(batch.or_fail("the sealed report cannot be kept, so it is not sent")?);
        Ok(())
    }

    /// Notes that it was submitted, or that it never will be; otherwise it stays as it is.
    pub(super) fn settle(&mut self, submitted: bool, never: bool) -> Result<(), Failure> {
        let Some(batch) = self.batch.take_if(|_| submitted || never) else {
            return Ok(());
        };
        let settled = self.store.settle(&batch, |_| submitted);
        settled.or_fail("what was submitted cannot be noted; give the same command again")
    }
}
