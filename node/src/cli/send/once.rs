//! `frex send --once`: one reference, one report, however often it is tried.

use std::collections::BTreeSet;

use frex_client::{
    environment::Clock,
    keys::MemberHome,
    report::Report,
    sent::{Found, Kept, KeptBatch, Named, SentStore},
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
};
use serde_json::json;

use crate::cli::{
    failure::{Done, Failure, OrFail},
    member::REFERENCES_DIR,
    output,
};

/// A report under its reference.
pub(super) struct Once {
    store: SentStore,
    reference: String,
    named: Named,
    batch: Option<KeptBatch>,
}

/// What is to be done with it.
pub(super) enum Step {
    /// It is sealed for the first time.
    Seal,
    /// It was sealed, under this message id, and goes out as it is.
    Again(Box<Kept>),
    /// It was submitted.
    Over(Done),
}

impl Once {
    /// Looks a report up under `reference`, or under its own if that is empty.
    pub(super) fn new(
        home: &MemberHome,
        reference: &str,
        draft: &Draft,
        dir: &std::path::Path,
        json: bool,
    ) -> Result<(Self, Step), Failure> {
        let reference = match (reference, Report::parse(&draft.data)) {
            ("", Ok(report)) => report.reference,
            ("", Err(_)) => {
                let what = "what is no report has no reference of its own";
                return Err(
                    Failure::new(WireCode::BadInput, what).advise("Name one: --once=REFERENCE")
                );
            }
            (named, _) => named.to_owned(),
        };
        let to: BTreeSet<String> = draft.recipients.iter().map(|(to, _)| to.clone()).collect();
        let to: Vec<String> = to.into_iter().collect();
        let named = Named::new(&reference, &draft.content_type, &draft.data, &to);
        let named = named.or_fail("it cannot be sent once")?;
        let folder = home.dir().join(REFERENCES_DIR);
        let store = SentStore::open(&folder, Clock::System.now_ms());
        let store = store.or_fail("what was sent before cannot be looked up")?;
        let mut once = Self {
            store,
            reference,
            named,
            batch: None,
        };
        let step = once.find(dir, json)?;
        Ok((once, step))
    }

    fn find(&mut self, dir: &std::path::Path, json: bool) -> Result<Step, Failure> {
        let found = self.store.find(&self.named);
        match found.or_fail("it cannot be sent under this reference")? {
            Found::Nothing => Ok(Step::Seal),
            Found::Submitted(sent) => {
                let (message, envelope) = (sent.message.to_string(), sent.envelope.to_string());
                if json {
                    output::document(json!({
                        "before": true, "message": message, "envelope": envelope,
                        "envelopes": [envelope], "notes": [],
                    }));
                } else {
                    output::data("submitted at an earlier time: nothing was sent");
                    output::data(format_args!("message  {message}"));
                    output::data(format_args!("envelope {envelope}"));
                    output::message("note: what has become of it:");
                    output::message(format_args!(
                        "  frex receipt fetch {message} {}",
                        dir.display()
                    ));
                }
                Ok(Step::Over(Ok(0)))
            }
            Found::Sealed(sent) => {
                let pending = self
                    .store
                    .pending()
                    .or_fail("what was sealed cannot be read")?;
                let holds = |batch: &KeptBatch| {
                    batch.items.len() == 1 && batch.items[0].envelope.id == sent.envelope
                };
                let Some(batch) = pending.into_iter().find(holds) else {
                    let what = "it was sealed together with others that are not submitted yet";
                    return Err(Failure::new(WireCode::IdReuse, what)
                        .advise("Give the file again that it came from: frex bulk FILE"));
                };
                let kept = Box::new(batch.items[0].clone());
                self.batch = Some(batch);
                Ok(Step::Again(kept))
            }
        }
    }

    /// Keeps it before it leaves.
    pub(super) fn keep(&mut self, draft: &Draft, envelope: &SignedEnvelope) -> Result<(), Failure> {
        let kept = Kept {
            reference: self.reference.clone(),
            named: self.named,
            message: draft.message_id,
            expires_ms: draft.expires_ms,
            envelope: envelope.clone(),
        };
        let batch = self.store.keep(vec![kept]);
        self.batch = Some(batch.or_fail("the sealed report cannot be kept, so it is not sent")?);
        Ok(())
    }

    /// Notes that it was submitted, or that it never will be.
    pub(super) fn settle(&mut self, submitted: bool) -> Result<(), Failure> {
        let Some(batch) = self.batch.take() else {
            return Ok(());
        };
        let settled = self.store.settle(&batch, |_| submitted);
        settled.or_fail("what was submitted cannot be noted; give the same command again")
    }
}
