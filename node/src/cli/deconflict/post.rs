//! Sends one message about identifiers, and keeps what `frex send` keeps of a message: its ids before it
//! leaves, its receipts as they come.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use frex_client::{
    casework::deconflict,
    client::{Client, News, SendingEvent},
    keys::MemberHome,
};
use frex_proto::{
    envelope::{Draft, SignedEnvelope},
    error::WireCode,
    id::{EnvelopeId, MessageId},
    v1,
};
use serde_json::json;

use crate::cli::{
    addressed::{may_send, unsendable},
    failure::{Failure, OrFail},
    member::{self, SENT_DIR},
    messages,
    staged::{self, Staged},
    told::Told,
};

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// What is sent.
pub struct Post<'a> {
    /// To whom.
    pub to: &'a str,
    /// What it is about.
    pub kind: v1::Kind,
    /// The message, padded.
    pub content: Bytes,
    /// The conversation that the question has begun, and the place in it.
    pub conversation: ([u8; 16], u64),
    /// The envelope that it answers.
    pub in_reply_to: Option<EnvelopeId>,
    /// Within what time an answer is awaited.
    pub reply_within: Option<Duration>,
    /// A file that goes along.
    pub attach: Option<PathBuf>,
    /// How long to wait for the recipient's node.
    pub wait: Duration,
}

/// What was sent.
pub struct Posted {
    /// Its id.
    pub message: MessageId,
    /// The envelope.
    pub envelope: EnvelopeId,
    /// Whether the recipient's node has it.
    pub reached: bool,
    /// For people.
    pub notes: Vec<String>,
}

/// Sends it. `before` hears of the envelope before it leaves.
///
/// # Errors
/// It was not submitted.
pub fn post(
    home: &MemberHome,
    post: Post<'_>,
    before: &mut dyn FnMut(&Draft, &SignedEnvelope) -> Result<(), Failure>,
) -> Result<Posted, Failure> {
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let client = member::client(home, post.wait.max(PATIENCE_MIN)).await?;
        client.hear_news().await.or_fail("nothing was submitted")?;
        may_send(home, &client.roster().current())?;
        let sent = send(&client, home, post, before).await;
        client.close().await;
        sent
    })
}

async fn send(
    client: &Client,
    home: &MemberHome,
    post: Post<'_>,
    before: &mut dyn FnMut(&Draft, &SignedEnvelope) -> Result<(), Failure>,
) -> Result<Posted, Failure> {
    let (conversation, sequence) = post.conversation;
    let mut words = client
        .draft(&[post.to])
        .kind(post.kind)
        .conversation(conversation, sequence)
        .content(deconflict::CONTENT_TYPE, post.content);
    if let Some(envelope) = post.in_reply_to {
        words = words.in_reply_to(envelope);
    }
    if let Some(time) = post.reply_within {
        words = words.reply_within(time);
    }
    let draft = client.finish(words);
    let mut draft = draft.map_err(|error| unsendable(&error, 1))?;
    let staged = Staged::of(&home.dir().join(SENT_DIR), &draft.message_id.to_string());
    if let Some(path) = post.attach {
        staged.begin()?;
        draft.attachments = staged.seal(staged::sources(&[path])?).await?;
    }
    let mut told = Told::new(home);
    let mut sealed = None;
    let mut sending = client.send(draft.clone(), post.wait);
    while let Some(event) = sending.next().await {
        match event.or_fail("the message cannot be sent")? {
            SendingEvent::Sealed { envelope, .. } => {
                messages::remember(home, &draft, &envelope, json!({}))?;
                before(&draft, &envelope)?;
                if !draft.attachments.is_empty() {
                    staged.keep(&envelope)?;
                    staged.upload(client, &envelope).await?;
                }
                sealed = Some(envelope);
            }
            SendingEvent::News(event) => {
                if let (News::Submitted(_), Some(envelope)) = (&event.news, &sealed) {
                    messages::take(home, draft.message_id, envelope.id)?;
                }
                told.hear(event.news)?;
            }
            SendingEvent::NotAgain { why, .. } => told.notes.push(why.to_string()),
        }
    }
    let code = told.refused.unwrap_or(WireCode::TimedOut);
    let envelope = sealed.filter(|_| told.taken);
    let envelope =
        envelope.ok_or_else(|| Failure::new(code, "the node did not take the message"))?;
    staged.remove()?;
    let roster = client.roster().current();
    told.keep_ended(home, &roster, draft.message_id, &envelope.members)?;
    Ok(Posted {
        message: draft.message_id,
        envelope: envelope.id,
        reached: !told.reached.is_empty(),
        notes: told.notes,
    })
}
