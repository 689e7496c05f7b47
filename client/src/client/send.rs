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
    /// These recipients refused the key, and it is not sealed to them again. What became of the
    /// rounds before stays as it is, and so does the message for everybody else.
    NotAgain {
        /// Who has not got it.
        members: Vec<String>,
        /// What is in the way.
        why: SendError,
    },
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
    /// id, with the key that the roster lists then; in at most three rounds. Spec: MBR-10, MBR-12.
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
    ///         SendingEvent::NotAgain { members, why } => println!("not for {members:?}: {why}"),
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

    /// As [`send`](Self::send), for a draft that was sealed before and may not have been submitted:
    /// the same envelope goes first. Spec: MBR-13.
    #[must_use]
    pub fn send_again(&self, draft: Draft, envelope: SignedEnvelope, wait: Duration) -> Sending {
        Sending {
            step: Step::Submit(Box::new(envelope)),
            ..self.send(draft, wait)
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
    /// [`SendError`]: nothing was submitted. Once something was, what stands in the way of sealing
    /// it again is a [`SendingEvent::NotAgain`].
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
                    Err(error) => return Some(self.broken_off(error.into())),
                },
                Step::Submit(envelope) => {
                    let wait = self.wait_until.saturating_duration_since(Instant::now());
                    match self.client.submit(vec![*envelope], wait).await {
                        Ok(submission) => self.step = Step::Listen(Box::new(submission)),
                        Err(error) => return Some(self.broken_off(error.into())),
                    }
                }
                Step::Listen(mut submission) => match submission.next().await {
                    Some(event) => {
                        self.note(&event.news);
                        self.step = Step::Listen(submission);
                        return Some(Ok(SendingEvent::News(event)));
                    }
                    None => {
                        if let Some(event) = self.begin_round().await {
                            return Some(Ok(event));
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

    /// An error of the first round is the sending's own; later ones take nothing back.
    fn broken_off(&self, why: SendError) -> Result<SendingEvent, SendError> {
        if self.round == 0 {
            return Err(why);
        }
        let recipients = self.draft.recipients.iter();
        let members = recipients.map(|(member, _)| member.clone()).collect();
        Ok(SendingEvent::NotAgain { members, why })
    }

    /// Goes over to the next round if somebody needs it and has another key. Tells for whom there
    /// is none.
    async fn begin_round(&mut self) -> Option<SendingEvent> {
        let members = std::mem::take(&mut self.retired);
        if members.is_empty() || self.round + 1 >= ROUNDS_MAX {
            return None;
        }
        let deadline = self.wait_until.max(Instant::now() + NEWS_WAIT);
        while !self.knows_newer_keys(&members) {
            let heard = self.client.hear_news().await;
            if self.knows_newer_keys(&members) {
                break;
            }
            if Instant::now() + NEWS_PAUSE >= deadline {
                let (why, members) = (heard.err()?, members.into_iter().collect());
                let why = SubmitError::from(why).into();
                return Some(SendingEvent::NotAgain { members, why });
            }
            // A home node that is not there, or starts anew, may be there again in time.
            tokio::time::sleep(NEWS_PAUSE).await;
        }
        self.wait_until = deadline;
        self.readdress_to(members)
    }

    /// Nobody waits for those who have no key that is good.
    fn readdress_to(&mut self, members: BTreeSet<String>) -> Option<SendingEvent> {
        let (mut again, mut keyless, mut why) = (Vec::new(), Vec::new(), None);
        for member in members {
            match self.client.readdress(&self.draft, &[&member]) {
                Ok(draft) => again.extend(draft.recipients),
                Err(error) => {
                    keyless.push(member);
                    why = Some(error.into());
                }
            }
        }
        if !again.is_empty() {
            self.draft.recipients = again;
            self.round += 1;
            self.step = Step::Seal;
        }
        let members = keyless;
        why.map(|why| SendingEvent::NotAgain { members, why })
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

#[cfg(test)]
mod tests {
    use frex_proto::{
        keys::SealingSecretKey,
        roster::{Roster, TrustAnchor, build, document},
        v1,
    };

    use super::*;
    use crate::{
        client::ClientConfig,
        environment::{Clock, Environment},
        fixture::{CLIENT, Federation, NOW_MS, key},
        tls::config::Limits,
        transport::RosterHandle,
    };

    const A: (&str, u8) = ("member-a", 2);
    const B: (&str, u8) = ("member-b", 3);

    fn sealing(seed: u8) -> SealingSecretKey {
        SealingSecretKey::from_seed(&[seed; 32])
    }

    /// The roster in which a member's document was changed.
    fn stated(
        federation: &Federation,
        roster: &Roster,
        (member, node): (&str, u8),
        change: impl FnOnce(&mut v1::MemberDoc),
    ) -> Roster {
        let (_, doc) = roster.member_doc(member).unwrap();
        let mut doc = document::next_version(&doc, NOW_MS);
        change(&mut doc);
        let signed = build::sign_member_doc(&doc, &key(node + 100)).unwrap();
        let bundle = roster.with_member_doc(member, signed);
        let anchor = TrustAnchor::of_root(&federation.signed_root).unwrap();
        Roster::judge(&bundle, &anchor, NOW_MS).unwrap()
    }

    /// A message to both members, whose nodes have refused the key; no node can be reached.
    async fn refused_by_both(roster: Roster) -> Sending {
        let config = ClientConfig {
            member: A.0.to_owned(),
            roster: RosterHandle::new(roster),
            membership: None,
            identity: key(A.1 + 100),
            tls: key(CLIENT),
            sealing: vec![sealing(A.1)].into(),
            environment: Environment {
                clock: Clock::virtual_from(NOW_MS),
                ..Environment::default()
            },
            socket: None,
            limits: Limits::default(),
            patience: Duration::ZERO,
            heads: std::sync::Arc::default(),
        };
        let client = Client::new(config).await.unwrap();
        let draft = client.draft(&[A.0, B.0]).content("text/plain", "words");
        let draft = client.finish(draft).unwrap();
        let mut sending = client.send(draft, Duration::ZERO);
        sending.retired = [A.0, B.0].map(str::to_owned).into();
        sending.step = Step::Over;
        sending
    }

    // MBR-12: what was accepted stays so when the home node is not there to ask for newer keys.
    #[tokio::test(start_paused = true)]
    async fn a_search_for_newer_keys_that_fails_takes_nothing_back() {
        let mut sending = refused_by_both(Federation::new(v1::Status::Live).roster()).await;
        let told = sending.begin_round().await;
        let Some(SendingEvent::NotAgain { members, why }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(members, [A.0, B.0]);
        assert!(matches!(why, SendError::Submit(SubmitError::Connect(_))));
        assert!(sending.next().await.is_none());
    }

    // MBR-12: an error of a later round ends the sending, and is none of the first.
    #[tokio::test(start_paused = true)]
    async fn a_later_round_that_fails_takes_nothing_back() {
        let mut sending = refused_by_both(Federation::new(v1::Status::Live).roster()).await;
        let failed = || SendError::Submit(SubmitError::TooLarge);
        assert!(sending.broken_off(failed()).is_err());
        sending.round = 1;
        let told = sending.broken_off(failed()).unwrap();
        assert!(matches!(told, SendingEvent::NotAgain { members, .. } if members == [A.0, B.0]));
    }

    // MBR-2, MBR-12: a recipient without a good key keeps nobody else from having it sealed again.
    #[tokio::test(start_paused = true)]
    async fn who_has_a_key_gets_it_though_another_has_none() {
        let federation = Federation::new(v1::Status::Live);
        let roster = federation.roster();
        let mut sending = refused_by_both(roster.clone()).await;
        let next = sealing(77).public();
        let roster = stated(&federation, &roster, B, |doc| {
            let _ = document::follow_sealing_keys(doc, &next, None);
        });
        let roster = stated(&federation, &roster, A, |doc| {
            let _ = document::follow_sealing_keys(doc, &sealing(78).public(), None);
            doc.sealing_keys.pop();
        });
        sending.client.roster().replace(roster);
        let told = sending.begin_round().await;
        let Some(SendingEvent::NotAgain { members, why }) = told else {
            panic!("{told:?}");
        };
        assert_eq!(members, [A.0]);
        assert!(matches!(
            why,
            SendError::Draft(DraftError::NoSealingKey { .. })
        ));
        assert!(matches!(sending.step, Step::Seal));
        let recipients = &sending.draft.recipients;
        assert_eq!(recipients.len(), 1);
        assert_eq!(
            (recipients[0].0.as_str(), recipients[0].1.key_id()),
            (B.0, next.key_id())
        );
    }
}
