//! `frex bulk`: files many reports, one JSON document on each line.
//!
//! Batches form by themselves, and each report goes out once under its reference: whoever is
//! stopped gives the same file again.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use clap::Args;
use frex_client::{
    casework::model,
    client::{BulkSettings, Client, DraftBuilder},
    environment::{Clock, Environment},
    report,
    sent::SentStore,
};
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::{Value, json};

use super::{
    KindArg, LaneArg,
    failure::{Done, Failure, OrFail},
    member::{self, REFERENCES_DIR},
    output,
    send::checks,
    time::{Moment, Span},
};

mod before;
mod begin;
mod conclude;
mod feed;
mod hear;
mod said;

/// How long a home node that is not there is looked for; then it goes on being tried.
const PATIENCE: Duration = Duration::from_secs(10);

/// `frex bulk`.
#[derive(Debug, Args)]
pub struct BulkArgs {
    /// JSON reports, one on each line; - reads standard input
    pub file: PathBuf,
    /// A member to send to; repeat for each
    #[arg(long, value_name = "MEMBER", required = true, num_args = 1..)]
    pub to: Vec<String>,
    /// The folder that `frex init` made
    #[arg(long, value_name = "DIR", env = "FREX_DIR", default_value = ".")]
    pub from: PathBuf,
    /// What they are about
    #[arg(long, value_enum, default_value = "report")]
    pub kind: KindArg,
    /// How fast they must travel
    #[arg(long, value_enum, default_value = "bulk")]
    pub lane: LaneArg,
    /// When delivery is given up [default: by lane, 24h, 7d or 30d]
    #[arg(long, value_name = "TIME")]
    pub expires: Option<Moment>,
    /// How long to listen to the recipients' nodes after each batch; what ends meanwhile is counted
    #[arg(long, default_value = "0s", value_name = "DURATION")]
    pub wait: Span,
    /// End with an error once the node has taken nothing for so long; the same command goes on
    /// later [default: wait until the reports expire]
    #[arg(long, value_name = "DURATION")]
    pub patience: Option<Span>,
    /// Write what became of each report into this new file, one JSON document on each line; when the
    /// command is given again, name another
    #[arg(long, value_name = "FILE")]
    pub list: Option<PathBuf>,
}

/// A report that was handed over, until the last word about it.
struct Underway {
    line: u64,
    content: Vec<u8>,
    /// Under which id it goes out, unless an earlier run has begun it.
    own: MessageId,
    message: Option<MessageId>,
    /// Who refused the key that it was sealed to.
    retired: Vec<String>,
}

/// A report that is not sent, and why.
struct NotSent {
    line: u64,
    reference: String,
    code: WireCode,
    why: String,
}

/// A report of which the home node says that it did not get to a node, and will not.
struct EndedThere {
    reference: String,
    message: MessageId,
    node: Option<String>,
    code: WireCode,
}

/// What has become of all of them.
#[derive(Default)]
struct Tally {
    submitted: u64,
    before: BTreeMap<MessageId, String>,
    /// Recipients' acceptances, each report counted for each recipient.
    accepted: u64,
    not_sent: Vec<NotSent>,
    /// Of this run and of earlier ones.
    ended: Vec<EndedThere>,
    /// Why it is not known what became of those of earlier runs.
    unknown: Option<String>,
    underway: BTreeMap<String, Underway>,
    /// Submitted in this run, of what an earlier one had begun: its line says so once more.
    finished: BTreeSet<String>,
    /// Reports to be sealed again for those who have retired a key.
    again: Vec<(String, Underway)>,
    /// Since when the node takes nothing, and what was said of that.
    waiting: said::Waiting,
    /// Why it was waited for no longer.
    gave_up: Option<WireCode>,
}

/// Files many reports.
pub fn bulk(args: &BulkArgs, json: bool) -> Done {
    let home = member::open(&args.from)?;
    checks::named_once(&args.to)?;
    let roster = member::roster(&home)?;
    if matches!(args.kind, KindArg::Report) {
        checks::tell_unapplied(&home, &roster, &args.to);
    }
    feed::are_lines(args)?;
    let lines = feed::Lines::open(&args.file)?;
    let path = args.list.as_deref();
    path.map_or(Ok(()), hear::List::check)?;
    let bar = output::progress_of("reports", lines.count);
    let now_ms = Clock::System.now_ms();
    let store = SentStore::open(&home.dir().join(REFERENCES_DIR), now_ms);
    let store = store.or_fail("what was sent before cannot be looked up")?;
    let (tally, list) = member::runtime()?.block_on(async {
        let patience = args.patience.map(|patience| patience.0);
        let client = member::client(&home, patience.map_or(PATIENCE, |most| most.min(PATIENCE)));
        let client = client.await?;
        let words = Words { args, now_ms };
        begin::begin(&client, &words, &bar).await?;
        let mut list = path.map(hear::List::new).transpose()?;
        let settings = BulkSettings {
            wait: args.wait.0,
            ..BulkSettings::default()
        };
        let work = client.bulk(store, settings);
        let (sender, news) = work.or_fail("what was begun before cannot be finished")?;
        let tally = tokio::sync::Mutex::new(Tally::new(args.list.is_some()));
        let fed = feed::feed(lines, &client, &words, sender, &tally);
        let heard = hear::hear(news, &bar, &mut list, (&tally, patience), (&client, &words));
        let (fed, heard) = tokio::join!(fed, heard);
        fed.and(heard)?;
        let mut tally = tally.into_inner();
        hear::finish(&client, &words, &mut tally).await;
        before::ask(&client, &home, &mut tally).await?;
        tally.order();
        client.close().await;
        Ok::<_, Failure>((tally, list))
    })?;
    bar.finish_and_clear();
    list.map_or(Ok(()), |list| list.end(&tally))?;
    conclude::conclude(&home, args, &tally, json)
}

/// What every report of the file has in common.
struct Words<'a> {
    args: &'a BulkArgs,
    now_ms: u64,
}

impl Words<'_> {
    fn content_type(content: &[u8]) -> &'static str {
        match model::is_encoded(content) {
            true => model::CONTENT_TYPE,
            false => report::CONTENT_TYPE,
        }
    }

    /// What the recipients miss in a report, each in a line. Spec: RTE-5.
    fn lacks(&self, client: &Client, content: &[u8]) -> String {
        let content = (Self::content_type(content), content);
        checks::lacks(&client.roster().current(), &self.args.to, content).join("\n")
    }

    fn draft(&self, client: &Client, to: &[String], content: &[u8]) -> DraftBuilder {
        let to: Vec<&str> = to.iter().map(String::as_str).collect();
        let roster = client.roster().current();
        let content_type = Self::content_type(content);
        let draft = DraftBuilder::new(&roster, client.member(), &to, &Environment::default())
            .kind(self.args.kind.into())
            .lane(self.args.lane.into())
            .content(content_type, content.to_vec());
        match self.args.expires {
            Some(expires) => {
                let life_ms = expires.after(self.now_ms).saturating_sub(self.now_ms);
                draft.life(Duration::from_millis(life_ms))
            }
            None => draft,
        }
    }
}

impl NotSent {
    fn to_json(&self) -> Value {
        json!({
            "line": self.line, "reference": self.reference, "state": "not sent",
            "code": self.code as u16, "name": self.code.info().name, "why": self.why,
        })
    }
}

impl EndedThere {
    fn to_json(&self) -> Value {
        json!({
            "reference": self.reference, "state": "ended", "message": self.message.to_string(),
            "node": self.node, "code": self.code as u16, "name": self.code.info().name,
        })
    }
}

impl Tally {
    fn new(with_list: bool) -> Self {
        Self {
            waiting: said::Waiting::new(with_list),
            ..Self::default()
        }
    }

    fn ended(&mut self, reference: &str, message: MessageId, node: Option<&str>, code: WireCode) {
        self.ended.push(EndedThere {
            reference: reference.to_owned(),
            message,
            node: node.map(str::to_owned),
            code,
        });
    }

    /// Rows in their order, and none twice.
    fn order(&mut self) {
        self.not_sent.sort_by_key(|one| one.line);
        let key = |one: &EndedThere| (one.reference.clone(), one.message, one.node.clone());
        self.ended.sort_by_cached_key(key);
        self.ended.dedup_by(|one, other| key(one) == key(other));
    }

    fn not_sent(&mut self, reference: &str, line: u64, code: WireCode, why: &str) {
        self.not_sent.push(NotSent {
            line,
            reference: reference.to_owned(),
            code,
            why: why.lines().collect::<Vec<_>>().join("; "),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // MBR-16: two reasons stand in one line of the table.
    #[test]
    fn reasons_are_told_in_one_line() {
        let mut tally = Tally::default();
        tally.not_sent("A-1", 1, WireCode::BadInput, "one\nanother");
        assert_eq!(tally.not_sent[0].why, "one; another");
    }
}
