//! Sending a draft to its end: sealed, submitted, and sealed anew for those of its recipients who
//! have retired the key that it was sealed to.

use std::{collections::BTreeSet, time::Duration};

use frex_proto::{
    envelope::{Draft, SealError, SignedEnvelope},
    error::WireCode,
    roster::SealedTo,
};
use tokio::time::Instant;

use super::{Client, DraftError, News, Submission, SubmissionEvent, SubmitError};

/// Keys do not follow one another faster than news of them travel.
const ROUNDS_MAX: u32 = 3;
/// How long a newer key is looked for, also when the time to wait is over.
const NEWS_WAIT: Duration = Duration::from_secs(5);
const NEWS_PAUSE: Duration = Duration::from_millis(200);

/// Why a draft is not sent, or not again.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// It breaks a rule.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// A recipient cannot be sealed to any more.
    #[error(transparent)]
    Draft(#[from] DraftError),
    /// It does not reach the home node.
    #[error(transparent)]
    Submit(#[from] SubmitError),
}

impl From<&SendError> for WireCode {
    fn from(error: &SendError) -> Self {
        match error {
            SendError::Seal(error) => (*error).into(),
            SendError::Draft(error) => error.into(),
            SendError::Submit(error) => error.into(),
        }
    }
}

impl From<SendError> for WireCode {
    fn from(error: SendError) -> Self {
        Self::from(&error)
    }
}

/// What happens to a draft that is sent.
#[derive(Debug)]
pub enum SendingEvent {
    /// It is sealed and has not left yet: the moment to keep its id. Round 0 is for all of its
    /// recipients, each later one for those who have retired their key.
    Sealed {
        /// Counts from 0.
        round: u32,
        /// What leaves when the next event is asked for.
        envelope: Box<SignedEnvelope>,
    },
    /// What became of the envelope of the last round.
    News(SubmissionEvent),
}

/// A draft on its way. Dropping it stops listening; what was submitted stays so.
pub struct Sending {
    client: Client,
    draft: Draft,
    wait_until: Instant,
    round: u32,
    step: Step,
    /// Recipients of this round who refused the key.
    retired: BTreeSet<String>,
}

enum Step {
    Seal,
    Submit(Box<SignedEnvelope>),
    Listen(Box<Submission>),
    Over,
}

impl Client {
    /// Seals a draft, submits it and listens for `wait`, as [`submit`](Self::submit) does. For
    /// recipients who have retired the key meanwhile it is sealed again, under the same message
    /// id, with the key that the roster lists then; in at most three rounds. Spec: MBR-10.
    ///
    /// ```no_run
    /// # async fn example(client: frex_client::client::Client) -> Result<(), Box<dyn std::error::Error>> {
    /// use std::time::Duration;
    /// use frex_client::client::{News, SendingEvent};
    ///
    /// let draft = client.draft(&["police.es"]).report(r#"{"reference":"A-1"}"#);
    /// let mut sending = client.send(client.finish(draft)?, Duration::from_secs(30));
    /// while let Some(event) = sending.next().await {
    ///     match event? {
    ///         SendingEvent::Sealed { round, envelope } => println!("round {round}: {}", envelope.id),
    ///         SendingEvent::News(event) => {
    ///             if let News::Accepted { members, .. } = event.news {
    ///                 println!("{members:?} have it");
    ///             }
    ///         }
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn send(&self, draft: Draft, wait: Duration) -> Sending {
        Sending {
            client: self.clone(),
            draft,
            wait_until: Instant::now() + wait,
            round: 0,
            step: Step::Seal,
            retired: BTreeSet::new(),
        }
    }

    /// The same message for these of its recipients, with the keys that the roster lists for them
    /// now: to seal again what they refused as `KEY_RETIRED`. Spec: MBR-10.
    ///
    /// # Errors
    /// [`DraftError::NoSealingKey`], [`DraftError::UnknownRecipient`].
    pub fn readdress(&self, draft: &Draft, members: &[&str]) -> Result<Draft, DraftError> {
        let (roster, now_ms) = (self.0.roster.current(), self.0.environment.clock.now_ms());
        let mut again = Draft {
            recipients: Vec::with_capacity(members.len()),
            ..draft.clone()
        };
        for member in members {
            let member = (*member).to_owned();
            if draft.recipients.iter().all(|(name, _)| *name != member) {
                return Err(DraftError::UnknownRecipient { member });
            }
            let Some(key) = roster.sealing_key(&member, now_ms) else {
                return Err(DraftError::NoSealingKey { member });
            };
            again.recipients.push((member, key.clone()));
        }
        Ok(again)
    }
}

impl Sending {
    /// What happens next, or nothing when no more will. After an error nothing happens any more.
    ///
    /// # Errors
    /// [`SendError`]
    pub async fn next(&mut self) -> Option<Result<SendingEvent, SendError>> {
        loop {
            match std::mem::replace(&mut self.step, Step::Over) {
                Step::Over => return None,
                Step::Seal => match self.client.seal(&self.draft) {
                    Ok(envelope) => {
                        let (round, envelope) = (self.round, Box::new(envelope));
                        self.step = Step::Submit(envelope.clone());
                        return Some(Ok(SendingEvent::Sealed { round, envelope }));
                    }
                    Err(error) => return Some(Err(error.into())),
                },
                Step::Submit(envelope) => {
                    let wait = self.wait_until.saturating_duration_since(Instant::now());
                    match self.client.submit(vec![*envelope], wait).await {
                        Ok(submission) => self.step = Step::Listen(Box::new(submission)),
                        Err(error) => return Some(Err(error.into())),
                    }
                }
                Step::Listen(mut submission) => match submission.next().await {
                    Some(event) => {
                        self.note(&event.news);
                        self.step = Step::Listen(submission);
                        return Some(Ok(SendingEvent::News(event)));
                    }
                    None => {
                        if let Err(error) = self.begin_round().await {
                            return Some(Err(error));
                        }
                    }
                },
            }
        }
    }

    fn note(&mut self, news: &News) {
        match news {
            News::Rejected {
                members,
                code: WireCode::KeyRetired,
                ..
            } => self.retired.extend(members.iter().cloned()),
            // The home node has recorded nothing of it.
            News::Refused {
                code: WireCode::KeyRetired,
            } => {
                let recipients = self.draft.recipients.iter();
                self.retired
                    .extend(recipients.map(|(member, _)| member.clone()));
            }
            _ => {}
        }
    }

    /// Goes over to the next round if somebody needs it and has another key.
    async fn begin_round(&mut self) -> Result<(), SendError> {
        let members = std::mem::take(&mut self.retired);
        if members.is_empty() || self.round + 1 >= ROUNDS_MAX {
            return Ok(());
        }
        let deadline = self.wait_until.max(Instant::now() + NEWS_WAIT);
        while !self.knows_newer_keys(&members) {
            if Instant::now() >= deadline {
                return Ok(());
            }
            self.client.hear_news().await.map_err(SubmitError::from)?;
            if !self.knows_newer_keys(&members) {
                tokio::time::sleep(NEWS_PAUSE).await;
            }
        }
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        self.draft = self.client.readdress(&self.draft, &members)?;
        self.round += 1;
        self.wait_until = deadline;
        self.step = Step::Seal;
        Ok(())
    }

    /// Whether the roster says which of the keys was retired: then it lists the one to use.
    fn knows_newer_keys(&self, members: &BTreeSet<String>) -> bool {
        let (roster, now_ms) = (
            self.client.0.roster.current(),
            self.client.0.environment.clock.now_ms(),
        );
        let mut used = self.draft.recipients.iter();
        used.any(|(name, key)| {
            let member = roster.member(name).filter(|_| members.contains(name));
            let says = member.map(|member| member.sealed_to(key.key_id(), now_ms));
            says == Some(SealedTo::Retired)
        })
    }
}
