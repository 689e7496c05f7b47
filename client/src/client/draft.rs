//! From intent to a draft that the recipients will take.

use std::time::Duration;

use bytes::Bytes;
use frex_proto::{
    attachment::Attached,
    delivery::default_life_ms,
    envelope::Draft,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    roster::Roster,
    v1::{Kind, Lane},
};
use rand_core::Rng;

use super::Client;
use crate::{casework::model, environment::Environment, report};

mod file;

/// Why no draft can be made. The caller is at fault, or the roster is not up to date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// Nobody of this name is in the roster.
    #[error("{member} is not in the roster")]
    UnknownRecipient {
        /// Whom the caller named.
        member: String,
    },
    /// Suspended or revoked.
    #[error("{member} is suspended or revoked")]
    NotLive {
        /// Whom the caller named.
        member: String,
    },
    /// Its document is missing or names no key that is good now.
    #[error("{member} has no sealing key that is good now")]
    NoSealingKey {
        /// Whom the caller named.
        member: String,
    },
    /// It does not take this kind in this lane.
    #[error("{member} does not take this kind of message in this lane")]
    NotAccepted {
        /// Whom the caller named.
        member: String,
    },
    /// It takes no attachments.
    #[error("{member} does not take attachments")]
    AttachmentsRefused {
        /// Whom the caller named.
        member: String,
    },
    /// It takes no attachments, and the content is a file itself.
    #[error("{member} does not take attachments, and this content is a file itself")]
    FileRefused {
        /// Whom the caller named.
        member: String,
    },
    /// The report does not say what this recipient needs.
    #[error("{member} needs a report to say more, it lacks: {}", fields.join(", "))]
    LacksFields {
        /// Whom the caller named.
        member: String,
        /// What is missing or empty.
        fields: Vec<String>,
    },
}

impl From<&DraftError> for WireCode {
    fn from(error: &DraftError) -> Self {
        match error {
            DraftError::NotAccepted { .. } | DraftError::LacksFields { .. } => Self::NotAccepted,
            DraftError::AttachmentsRefused { .. } | DraftError::FileRefused { .. } => {
                Self::AttachmentsRefused
            }
            DraftError::NotLive { .. } => Self::Revoked,
            DraftError::UnknownRecipient { .. } | DraftError::NoSealingKey { .. } => {
                Self::UnknownRecipient
            }
        }
    }
}

impl From<DraftError> for WireCode {
    fn from(error: DraftError) -> Self {
        Self::from(&error)
    }
}

/// Gathers what is to be said. What is not set has a default: a report in the normal lane, with
/// the lane's usual life and a fresh message id.
#[derive(Debug, Clone)]
#[must_use]
pub struct DraftBuilder {
    draft: Draft,
    to: Vec<String>,
    life_ms: Option<u64>,
    anyway: bool,
}

/// What a draft says, and to whom.
pub(super) struct Parts<'a> {
    pub(super) content_type: &'a str,
    pub(super) content: &'a [u8],
    pub(super) to: &'a [String],
    pub(super) lane: Lane,
}

impl Client {
    /// Begins a draft to these members.
    pub fn draft(&self, to: &[&str]) -> DraftBuilder {
        let roster = self.0.roster.current();
        DraftBuilder::new(&roster, &self.0.member, to, &self.0.environment)
    }

    /// Ends a draft: looks the recipients up in the roster of this moment.
    ///
    /// # Errors
    /// [`DraftError`] names the recipient that cannot be sent to.
    pub fn finish(&self, draft: DraftBuilder) -> Result<Draft, DraftError> {
        draft.build(&self.0.roster.current())
    }
}

impl DraftBuilder {
    /// Begins a draft, for programs that seal without a connection.
    pub fn new(roster: &Roster, sender: &str, to: &[&str], environment: &Environment) -> Self {
        let mut message_id = [0; 16];
        environment.random.rng().fill_bytes(&mut message_id);
        let draft = Draft {
            federation: roster.federation().to_owned(),
            sender: sender.to_owned(),
            recipients: Vec::new(),
            kind: Kind::Report,
            lane: Lane::Normal,
            created_ms: environment.clock.now_ms(),
            expires_ms: 0,
            reply_by_ms: None,
            message_id: MessageId(message_id),
            conversation: None,
            in_reply_to: None,
            content_type: "application/octet-stream".to_owned(),
            data: Bytes::new(),
            attachments: Vec::new(),
        };
        Self {
            draft,
            to: to.iter().map(|member| (*member).to_owned()).collect(),
            life_ms: None,
            anyway: false,
        }
    }

    /// Sends also to those who need a report to say more: whoever sends has read what is missing.
    pub fn anyway(mut self, anyway: bool) -> Self {
        self.anyway = anyway;
        self
    }

    /// What it is about.
    pub fn kind(mut self, kind: Kind) -> Self {
        self.draft.kind = kind;
        self
    }

    /// How fast it must travel. Unless a life is set, the lane gives it: a day, a week, a month.
    pub fn lane(mut self, lane: Lane) -> Self {
        self.draft.lane = lane;
        self
    }

    /// How long delivery is tried.
    pub fn life(mut self, life: Duration) -> Self {
        self.life_ms = Some(millis(life));
        self
    }

    /// Within what time an answer is awaited.
    pub fn reply_within(mut self, time: Duration) -> Self {
        self.draft.reply_by_ms = Some(self.draft.created_ms.saturating_add(millis(time)));
        self
    }

    /// The envelope that this one answers.
    pub fn in_reply_to(mut self, envelope: EnvelopeId) -> Self {
        self.draft.in_reply_to = Some(envelope);
        self
    }

    /// The conversation that it belongs to, and the place in it.
    pub fn conversation(mut self, id: [u8; 16], sequence: u64) -> Self {
        self.draft.conversation = Some((id, sequence));
        self
    }

    /// The id that the message will have, unless another is named.
    #[must_use]
    pub fn id(&self) -> MessageId {
        self.draft.message_id
    }

    /// The id of a message that was drafted before, to seal it anew under the same name. To send
    /// the same thing twice without effect, submit the same sealed envelope again instead: other
    /// bytes under a used id are refused as `ID_REUSE`, unless it is for those who refused the
    /// first as `KEY_RETIRED`.
    pub fn message_id(mut self, id: MessageId) -> Self {
        self.draft.message_id = id;
        self
    }

    /// The content and its type; both are sealed.
    pub fn content(mut self, content_type: &str, data: impl Into<Bytes>) -> Self {
        content_type.clone_into(&mut self.draft.content_type);
        self.draft.data = data.into();
        self
    }

    /// A JSON report as the content. Check it with [`report::Report::parse`] first.
    pub fn report(self, json: impl Into<Bytes>) -> Self {
        self.content(report::CONTENT_TYPE, json)
    }

    pub(super) fn parts(&self) -> Parts<'_> {
        Parts {
            content_type: &self.draft.content_type,
            content: &self.draft.data,
            to: &self.to,
            lane: self.draft.lane,
        }
    }

    /// A file that travels beside it, sealed before. It must be at the home node before the
    /// envelope is submitted: [`Client::put_attachment`].
    pub fn attach(mut self, attached: Attached) -> Self {
        self.draft.attachments.push(attached);
        self
    }

    /// The draft, with the sealing keys of `roster`. Spec: MBR-2, ROS-28, ATT-29.
    ///
    /// # Errors
    /// [`DraftError`] names the recipient that cannot be sent to.
    pub fn build(self, roster: &Roster) -> Result<Draft, DraftError> {
        let mut draft = self.draft;
        let is_file = file::is_file(&draft.content_type, &draft.data);
        for member in self.to {
            let entry = roster.member(&member);
            let Some(entry) = entry else {
                return Err(DraftError::UnknownRecipient { member });
            };
            if !entry.is_live() {
                return Err(DraftError::NotLive { member });
            }
            if !entry.accepts(draft.kind, draft.lane) {
                return Err(DraftError::NotAccepted { member });
            }
            if !draft.attachments.is_empty() && !entry.attachments {
                return Err(DraftError::AttachmentsRefused { member });
            }
            if is_file && !entry.attachments {
                return Err(DraftError::FileRefused { member });
            }
            let needed = &entry.report_fields;
            let fields = match draft.content_type.as_str() {
                _ if self.anyway => Vec::new(),
                report::CONTENT_TYPE => report::missing_fields(&draft.data, needed),
                model::CONTENT_TYPE => model::missing_fields(&draft.data, needed),
                // In a report of another form nothing is found that somebody needs. Spec: RTE-5.
                _ if draft.kind == Kind::Report => needed.clone(),
                _ => Vec::new(),
            };
            if !fields.is_empty() {
                return Err(DraftError::LacksFields { member, fields });
            }
            let Some(key) = roster.sealing_key(&member, draft.created_ms) else {
                return Err(DraftError::NoSealingKey { member });
            };
            draft.recipients.push((member, key.clone()));
        }
        if draft.kind == Kind::Report && draft.conversation.is_none() {
            // A report begins a case, which bears its name. Spec: CSE-1.
            draft.conversation = Some((draft.message_id.0, 0));
        }
        let life_ms = self.life_ms.unwrap_or_else(|| default_life_ms(draft.lane));
        draft.expires_ms = draft.created_ms.saturating_add(life_ms);
        Ok(draft)
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
