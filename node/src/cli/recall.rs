//! `frex recall`: withdraws a message that was sent, as far as it can be withdrawn.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use bytes::Bytes;
use clap::Args;
use frex_client::{
    client::{Client, History, News, SendingEvent},
    keys::MemberHome,
};
use frex_proto::{
    delivery::Stage,
    erasure::EXONERATED,
    error::WireCode,
    id::{EnvelopeId, MessageId},
    roster::{Member, Roster},
    v1,
};
use prost::Message;
use serde_json::{Value, json};

use super::{
    ended,
    failure::{Done, Failure, OrCode, OrFail},
    member,
    messages::{self, BEGUN, RECALLS},
    output,
    peer::print_plan,
    time::{Span, rfc3339},
    told::Told,
};

mod begun;
mod reason;
mod tell;
mod whole;

use whole::Whole;

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// `frex recall`.
#[derive(Debug, Args)]
pub struct RecallArgs {
    /// Message id, as `frex send` printed it, or its beginning; of a route all its messages are meant
    pub message: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Why, for its recipients: wrong-recipient, sent-in-error, superseded, legal, exonerated (the suspicion
    /// has proved to be unfounded: they erase it), or another code of a-z, 0-9, . _ -
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// A recipient to withdraw it from; repeat for each [default: all of them]
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    pub to: Vec<String>,
    /// Do it; without, the plan is printed and nothing is sent
    #[arg(long)]
    pub confirm: bool,
    /// Send another recall also to those from whom it was withdrawn before
    #[arg(long)]
    pub again: bool,
    /// How long to wait for the recipients' nodes
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}

/// What is to be withdrawn, and from whom.
pub struct Plan {
    message: MessageId,
    envelope: EnvelopeId,
    about: Value,
    recipients: Vec<String>,
    /// Recipients who are not told: they are not in the roster, or not live.
    left_out: Vec<String>,
    /// Recalls of it that the node has taken, of recipients who were meant.
    before: Vec<Value>,
}

/// What the recall says.
pub struct Words<'a> {
    /// Why, as a code.
    pub reason: &'a str,
    /// The author's signed recall, where the message was passed on; else empty.
    pub cause: Bytes,
    /// How long to wait for the recipients' nodes.
    pub wait: Duration,
}

/// Withdraws a message.
pub fn recall(args: &RecallArgs, json: bool) -> Done {
    reason::check(&args.reason)?;
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let meant = || whole::plan(&home, &roster, &args.message, &args.to);
    if !args.confirm {
        tell::show_plan(args, &meant()?.but_once(args.again), json);
        return Ok(0);
    }
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        meant()?.settle(&client, &home).await?;
        let whole = meant()?.but_once(args.again);
        if whole.is_over() {
            tell::show_plan(args, &whole, json);
            return Ok(whole.exit());
        }
        if !json {
            print_plan(&whole.steps(args));
        }
        client.hear_news().await.or_fail("nothing was withdrawn")?;
        let (done, failed) = withdraw_all(&client, &home, &whole, args).await;
        client.close().await;
        tell::conclude(&home, args, &whole, (done.as_slice(), failed), json)
    })
}

/// A message that was withdrawn.
struct Withdrawn<'a> {
    plan: &'a Plan,
    /// How far it had come for each recipient.
    before: BTreeMap<String, Option<Stage>>,
    /// The recall's own message id.
    recall: MessageId,
    heard: Told,
}

/// Withdraws each message; one that fails holds up no other.
async fn withdraw_all<'a>(
    client: &Client,
    home: &MemberHome,
    whole: &'a Whole,
    args: &RecallArgs,
) -> (Vec<Withdrawn<'a>>, Vec<(&'a Plan, Failure)>) {
    let (mut done, mut failed) = (Vec::new(), Vec::new());
    let open = |plan: &&Plan| !plan.recipients.is_empty();
    for plan in whole.plans.iter().filter(open) {
        match withdraw(client, home, plan, args).await {
            Ok(withdrawn) => done.push(withdrawn),
            Err(failure) => failed.push((plan, failure)),
        }
    }
    (done, failed)
}

async fn withdraw<'a>(
    client: &Client,
    home: &MemberHome,
    plan: &'a Plan,
    args: &RecallArgs,
) -> Result<Withdrawn<'a>, Failure> {
    let history = client.history(plan.message).await;
    let history = history.or_fail("the node does not say how far the message has come")?;
    for proven in history.receipts.iter().flatten() {
        member::keep_receipt(&home.receipts_dir(), proven)?;
    }
    let roster = client.roster().current();
    for told in &history.given_up {
        ended::keep_of(home, plan.message, told, &roster)?;
    }
    let before = stages(&roster, &history, &plan.recipients);
    let words = Words {
        reason: &args.reason,
        cause: Bytes::new(),
        wait: args.wait.0,
    };
    let (recall, heard) = send(client, home, plan, &words).await?;
    if !heard.taken {
        return Err(tell::not_taken(&heard));
    }
    Ok(Withdrawn {
        plan,
        before,
        recall,
        heard,
    })
}

/// What is planned of a message of which this is known: from whom it is withdrawn, all of them unless some
/// are named.
///
/// # Errors
/// What is known is damaged or too little, or nobody can be told.
pub fn plan_of(roster: &Roster, about: Value, to: &[String]) -> Result<Plan, Failure> {
    let plan = of_message(roster, about, to)?;
    match plan.recipients.is_empty() {
        true => Err(nobody_live()),
        false => Ok(plan),
    }
}

fn nobody_live() -> Failure {
    let what = "none of its recipients is a live member any more";
    Failure::new(WireCode::UnknownRecipient, what)
}

/// As [`plan_of`], also if nobody can be told, or it went to none of those who are named.
fn of_message(roster: &Roster, about: Value, to: &[String]) -> Result<Plan, Failure> {
    let damaged = || Failure::new(WireCode::Files, "what is kept of that message is damaged");
    let text = |field: &str| about[field].as_str().ok_or_else(damaged);
    let message = MessageId::from_hex(text("message")?).map_err(|_| damaged())?;
    let envelope = EnvelopeId::from_hex(text("envelope")?).map_err(|_| damaged())?;
    let sent = match about["recipients"].as_array() {
        Some(names) => {
            let names = names.iter().filter_map(Value::as_str);
            names.map(str::to_owned).collect()
        }
        None if to.is_empty() => {
            let what = "an older program sent it and did not keep to whom";
            return Err(
                Failure::new(WireCode::BadInput, what).advise("Name them: --to MEMBER --to MEMBER")
            );
        }
        None => to.to_vec(),
    };
    let meant = |member: &String| to.is_empty() || to.contains(member);
    let live = |member: &String| roster.member(member).is_some_and(Member::is_live);
    let (recipients, left_out): (Vec<_>, Vec<_>) = sent.into_iter().filter(meant).partition(live);
    Ok(Plan {
        message,
        envelope,
        about,
        recipients,
        left_out,
        before: Vec::new(),
    })
}

impl Plan {
    /// Whether it was withdrawn before for this cause.
    pub fn is_done(&self, cause: &Bytes) -> bool {
        let recalls = self.about[RECALLS].as_array().into_iter().flatten();
        let cause = cause_id(cause);
        cause.is_some()
            && recalls
                .filter_map(|one| one["cause"].as_str())
                .any(|one| Some(one) == cause.as_deref())
    }

    /// Leaves out those from whom it was withdrawn before, unless it is to be done again.
    /// Spec: RCL-20.
    fn but_once(mut self, again: bool) -> Self {
        let recalls = self.about[RECALLS].as_array().into_iter().flatten();
        for recall in recalls.filter(|_| !again) {
            let meant = self.recipients.len() + self.left_out.len();
            let is_told = |member: &String| {
                let mut told = recall["from"].as_array().into_iter().flatten();
                told.any(|one| one == member)
            };
            self.recipients.retain(|member| !is_told(member));
            // Who was told while a live member has been told.
            self.left_out.retain(|member| !is_told(member));
            if self.recipients.len() + self.left_out.len() < meant {
                self.before.push(recall.clone());
            }
        }
        self
    }

    /// The recalls of before, and what shows what became of each.
    fn before(&self, dir: &Path) -> Vec<String> {
        let line = |recall: &Value| {
            let text = |field: &str| output::clean(recall[field].as_str().unwrap_or_default());
            let from = recall["from"].as_array().into_iter().flatten();
            let from: Vec<String> = from.filter_map(Value::as_str).map(output::clean).collect();
            format!(
                "recalled before from {}, at {}, reason {}, by recall {id}: not sent again; see: frex receipt fetch {id} {}",
                from.join(", "),
                rfc3339(recall["created_ms"].as_u64().unwrap_or_default()),
                text("reason"),
                dir.display(),
                id = text("message"),
            )
        };
        self.before.iter().map(line).collect()
    }

    fn not_told(&self) -> Vec<String> {
        let left_out = self.left_out.iter();
        left_out
            .map(|member| format!("not told, as no live member: {}", output::clean(member)))
            .collect()
    }

    fn steps(&self, args: &RecallArgs) -> Vec<String> {
        if self.recipients.is_empty() {
            return [self.not_told(), self.before(&args.dir)].concat();
        }
        let text = |field: &str| output::clean(self.about[field].as_str().unwrap_or_default());
        let sent = self.about["created_ms"].as_u64().map(rfc3339);
        let mut steps = vec![
            format!(
                "withdraw the {} {} of {}",
                text("kind"),
                self.message,
                sent.unwrap_or_default()
            ),
            format!(
                "stop it at the home node where it still waits for {}",
                self.recipients.join(", ")
            ),
            "take it out of their inboxes where nobody has confirmed it".to_owned(),
            match args.reason == EXONERATED {
                true => "tell them that the suspicion has proved to be unfounded: their programs erase it there, and what they have passed on of it, unless a court's hold keeps it".to_owned(),
                false => format!(
                    "tell them that it is withdrawn, for the reason {}",
                    args.reason
                ),
            },
        ];
        if args.reason == EXONERATED {
            steps.push(format!(
                "leave the own copy as it is; {}",
                tell::own_copy(self.message, &args.dir)
            ));
        }
        steps.extend(self.not_told());
        steps.extend(self.before(&args.dir));
        let begun = self.about[BEGUN].as_array().into_iter().flatten();
        steps.extend(begun.map(|recall| {
            let id = output::clean(recall["message"].as_str().unwrap_or_default());
            format!("ask the node first whether it has recall {id}, to which it did not answer: if so, that is not sent again")
        }));
        steps
    }
}

/// How far the message had come for each of them: as far as it is proven, or as the home node says
/// that it ended.
fn stages(
    roster: &Roster,
    history: &History,
    recipients: &[String],
) -> BTreeMap<String, Option<Stage>> {
    let mut known: BTreeMap<String, Option<Stage>> = recipients
        .iter()
        .map(|member| (member.clone(), None))
        .collect();
    for proven in history.receipts.iter().flatten() {
        let statement = proven.statement();
        let stage = match &proven.stage {
            Some(word) => Stage::of_word(word.stage()),
            None => Stage::of_event(statement.event),
        };
        // A refusal without names is for everybody there.
        let unnamed = statement.recipients.is_empty();
        for (member, best) in &mut known {
            let meant = statement.recipients.contains(member)
                || (unnamed && roster.is_served_by(member, proven.node()));
            if meant {
                *best = (*best).max(stage);
            }
        }
    }
    for told in &history.given_up {
        let node = told.node.as_deref().unwrap_or_default();
        for (member, best) in &mut known {
            if roster.is_served_by(member, node) {
                *best = (*best).max(Some(ended::stage(told.code)));
            }
        }
    }
    known
}

/// Sends the recall, and keeps what becomes of it; gives its message id.
///
/// # Errors
/// It cannot be made, or the node was not reached.
pub async fn send(
    client: &Client,
    home: &MemberHome,
    plan: &Plan,
    words: &Words<'_>,
) -> Result<(MessageId, Told), Failure> {
    let to: Vec<&str> = plan.recipients.iter().map(String::as_str).collect();
    let draft = client.draft(&to);
    let draft = draft.recall(
        plan.message,
        plan.envelope,
        words.reason,
        words.cause.clone(),
    );
    let draft = client.finish(draft.or_code(WireCode::BadInput, "the reason is no code")?);
    let draft = draft.or_fail("a recipient cannot be told")?;
    let mut sending = client.send(draft.clone(), words.wait);
    let mut heard = Told::new(home);
    let mut sealed = None;
    while let Some(event) = sending.next().await {
        match event.or_fail("the recall cannot be sent")? {
            SendingEvent::Sealed { round, envelope } => {
                // Before it leaves: whatever happens next, its ids are known.
                let more = json!({ "recalls": plan.message.to_string(), "reason": words.reason });
                messages::remember(home, &draft, &envelope, more)?;
                // One that is sealed again goes out under the same id.
                if round == 0 {
                    begun::begin(home, plan, &draft, words)?;
                }
                sealed = Some(envelope.id);
            }
            SendingEvent::News(event) => {
                if matches!(event.news, News::Submitted(_)) {
                    if !heard.taken {
                        begun::take(home, plan.message, &draft.message_id.to_string())?;
                    }
                    sealed.map_or(Ok(()), |id| messages::take(home, draft.message_id, id))?;
                }
                heard.hear(event.news)?;
            }
            SendingEvent::NotAgain { members, why } => heard.notes.push(format!(
                "not sealed again for {}: {why}",
                members.join(", ")
            )),
        }
    }
    let roster = client.roster().current();
    heard.keep_ended(home, &roster, draft.message_id, &plan.recipients)?;
    Ok((draft.message_id, heard))
}

/// The envelope id of an author's recall; none if there is none.
fn cause_id(cause: &Bytes) -> Option<String> {
    let signed = v1::Signed::decode(cause.clone()).ok()?;
    (!cause.is_empty()).then(|| EnvelopeId::of_manifest(&signed.payload).to_string())
}
