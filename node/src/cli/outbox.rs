//! `frex outbox`: what waits for other nodes, and what did not get there. What each command does
//! is in the file of its name.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Subcommand};
use frex_client::{
    client::{Client, Delivery, OutboxQuery},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId, v1};
use serde_json::{Value, json};

use super::{
    failure::{Failure, OrFail},
    member, messages,
    time::rfc3339,
};

pub mod list;
pub mod order;
pub mod show;
pub mod words;

const PATIENCE: Duration = Duration::from_secs(3);
/// Pages that are asked for at most: far more than an outbox that anybody reads has.
const PAGES_MAX: usize = 100_000;

/// `frex outbox …`.
#[derive(Debug, Subcommand)]
pub enum OutboxCommand {
    /// List what waits for other nodes, and what did not get there
    Ls(OutboxListArgs),
    /// Show what keeps one message, and what to do about it
    Show(OutboxShowArgs),
    /// Have what was given up wait again, under the same ids
    Requeue(OutboxOrderArgs),
    /// End a delivery that waits, or remove one that was given up
    Drop(OutboxDropArgs),
}

/// `frex outbox ls`.
#[derive(Debug, Args)]
pub struct OutboxListArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Only what did not get there
    #[arg(long)]
    pub dead: bool,
    /// Only what waits
    #[arg(long, conflicts_with = "dead")]
    pub waiting: bool,
    /// Of every member of the node; for the member that runs it
    #[arg(long)]
    pub all: bool,
    /// Show at most so many
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub max: u32,
}

/// `frex outbox show`.
#[derive(Debug, Args)]
pub struct OutboxShowArgs {
    /// Which message
    #[command(flatten)]
    pub which: Which,
}

/// `frex outbox requeue`.
#[derive(Debug, Args)]
pub struct OutboxOrderArgs {
    /// Which message
    #[command(flatten)]
    pub which: Which,
    /// The node that it did not get to, if there are several
    #[arg(long, value_name = "NODE")]
    pub node: Option<String>,
}

/// `frex outbox drop`.
#[derive(Debug, Args)]
pub struct OutboxDropArgs {
    /// Which delivery
    #[command(flatten)]
    pub order: OutboxOrderArgs,
    /// Do it; without, the plan is printed and nothing happens
    #[arg(long)]
    pub confirm: bool,
}

/// Which message is meant.
#[derive(Debug, Args)]
pub struct Which {
    /// Message id, as `frex send` printed it, or its beginning
    #[arg(value_name = "MESSAGE")]
    pub message: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Of every member of the node; for the member that runs it
    #[arg(long)]
    pub all: bool,
}

impl Which {
    /// The command that shows all there is.
    fn list_command(&self) -> String {
        let all = if self.all { " --all" } else { "" };
        format!("frex outbox ls{all} {}", self.dir.display())
    }

    /// The message that is meant: the beginning of an id may fit what is kept here, and what the
    /// node has of others. Spec: CLI-28.
    async fn id(&self, home: &MemberHome, client: &Client) -> Result<MessageId, Failure> {
        if let Ok(whole) = MessageId::from_hex(&self.message) {
            return Ok(whole);
        }
        let wanted = messages::beginning(&self.message)?;
        let any = OutboxQuery {
            all: self.all,
            ..OutboxQuery::default()
        };
        let fits = |one: &Delivery| {
            let ids = [one.message.to_string(), one.envelope.to_string()];
            ids.iter().any(|id| id.starts_with(&wanted))
        };
        let (listed, _) = gather(client, &any, usize::MAX, fits).await?;
        let mut ids = messages::fitting(home, &wanted)?;
        ids.extend(listed.iter().map(|one| one.message));
        messages::only(home, &wanted, &ids).map_err(|failure| match failure.code() {
            WireCode::NotFound => failure.advise(self.list_command()),
            _ => failure,
        })
    }

    /// Every delivery of the message, at least one.
    async fn deliveries(
        &self,
        home: &MemberHome,
        client: &Client,
    ) -> Result<Vec<Delivery>, Failure> {
        let id = self.id(home, client).await?;
        let own = OutboxQuery {
            message: Some(id),
            ..OutboxQuery::default()
        };
        let mut found = gather(client, &own, usize::MAX, |_| true).await?.0;
        if found.is_empty() {
            // It may be another's, or what this member stated about another's.
            let any = OutboxQuery {
                all: self.all,
                ..OutboxQuery::default()
            };
            found = gather(client, &any, usize::MAX, |one| one.message == id)
                .await?
                .0;
        }
        if found.is_empty() {
            let what = format!("no delivery of {id} waits, and none was given up");
            return Err(Failure::new(WireCode::NotFound, what).advise(self.list_command()));
        }
        Ok(found)
    }
}

/// A client of the member in a folder.
async fn client(home: &MemberHome) -> Result<Client, Failure> {
    member::client(home, PATIENCE).await
}

/// Asks page by page for up to `max` deliveries that fit; says whether there may be more.
async fn gather(
    client: &Client,
    query: &OutboxQuery,
    max: usize,
    fits: impl Fn(&Delivery) -> bool,
) -> Result<(Vec<Delivery>, bool), Failure> {
    let (mut found, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = client.outbox(query, after).await;
        let page = page.or_fail("the node does not tell of its outbox")?;
        found.extend(page.deliveries.into_iter().filter(&fits));
        after = page.next;
        if found.len() > max || after.is_none() {
            break;
        }
    }
    let more = after.is_some() || found.len() > max;
    found.truncate(max);
    Ok((found, more))
}

/// One delivery as a program reads it.
fn document(delivery: &Delivery, words: &words::Words) -> Value {
    let time = |ms: Option<u64>| ms.map(rfc3339);
    json!({
        "node": delivery.node, "lane": member::lane_name(delivery.lane),
        "item": item_name(delivery.item), "member": delivery.member,
        "message": delivery.message.to_string(), "envelope": delivery.envelope.to_string(),
        "since": rfc3339(delivery.since_ms), "expires": rfc3339(delivery.expires_ms),
        "attempts": delivery.attempts, "code": delivery.code.map(|code| code as u16),
        "code_name": delivery.code.map(|code| code.info().name),
        "next": time(delivery.next_ms), "ended": time(delivery.ended_ms),
        "state": state_name(delivery.state), "what": words.what, "why": words.why, "try": words.mend,
    })
}

fn item_name(item: v1::OutboxItem) -> &'static str {
    match item {
        v1::OutboxItem::Unspecified => "unspecified",
        v1::OutboxItem::Envelope => "envelope",
        v1::OutboxItem::Stage => "stage",
    }
}

fn state_name(state: v1::OutboxState) -> &'static str {
    match state {
        v1::OutboxState::Unspecified => "unspecified",
        v1::OutboxState::Waiting => "waiting",
        v1::OutboxState::Resting => "resting",
        v1::OutboxState::Withheld => "withheld",
        v1::OutboxState::Unreachable => "unreachable",
        v1::OutboxState::Dead => "dead",
    }
}
