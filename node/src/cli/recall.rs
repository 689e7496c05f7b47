//! `frex recall`: withdraws a message that was sent, as far as it can be withdrawn.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use bytes::Bytes;
use clap::Args;
use frex_client::{
    client::{Client, History, News, SendingEvent},
    keys::MemberHome,
};
use frex_proto::{
    delivery::Stage,
    envelope::{Draft, RECALL_CONTENT_TYPE, SignedEnvelope, recall_notice},
    error::WireCode,
    id::{EnvelopeId, MessageId},
    roster::{Member, Roster},
    v1,
};
use prost::Message;
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure, OrCode, OrFail, PARTIAL},
    files,
    member::{self, SENT_DIR},
    output,
    peer::print_plan,
    show,
    time::{Span, rfc3339},
    told::Told,
};

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// `frex recall`.
#[derive(Debug, Args)]
pub struct RecallArgs {
    /// Message id, as `frex send` printed it, or its beginning
    pub message: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Why, for its recipients: a code of a-z, 0-9, . _ -, such as wrong-recipient
    #[arg(long, value_name = "CODE")]
    pub reason: String,
    /// A recipient to withdraw it from; repeat for each [default: all of them]
    #[arg(long, value_name = "MEMBER", num_args = 1..)]
    pub to: Vec<String>,
    /// Do it; without, the plan is printed and nothing is sent
    #[arg(long)]
    pub confirm: bool,
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
    recall_notice(&args.reason, Bytes::new())
        .or_code(WireCode::BadInput, "the reason is no code")?;
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let plan = plan(&home, &roster, &args.message, &args.to)?;
    let steps = plan.steps(args);
    if !args.confirm {
        show_plan(args, &plan, &steps, json);
        return Ok(0);
    }
    if !json {
        print_plan(&steps);
    }
    let runtime = member::runtime()?;
    runtime.block_on(async {
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        client.hear_news().await.or_fail("nothing was withdrawn")?;
        let history = client.history(plan.message).await;
        let history = history.or_fail("the node does not say how far the message has come")?;
        let before = stages(&client.roster().current(), &history, &plan.recipients);
        let words = Words {
            reason: &args.reason,
            cause: Bytes::new(),
            wait: args.wait.0,
        };
        let heard = send(&client, &home, &plan, &words).await?;
        client.close().await;
        conclude(&plan, &before, &heard, json)
    })
}

/// What is kept of a message that was sent, and who of its recipients, or of those named, can be
/// told.
///
/// # Errors
/// It was not sent from here, or not to these, or nobody can be told.
pub fn plan(
    home: &MemberHome,
    roster: &Roster,
    message: &str,
    to: &[String],
) -> Result<Plan, Failure> {
    let (direction, about) = show::find_one(home, message)?;
    if direction != show::SENT {
        let what = "that message was received here: only its sender can withdraw it";
        return Err(Failure::new(WireCode::WrongSender, what));
    }
    let damaged = || Failure::new(WireCode::Files, "what is kept of that message is damaged");
    let text = |field: &str| about[field].as_str().ok_or_else(damaged);
    let message = MessageId::from_hex(text("message")?).map_err(|_| damaged())?;
    let envelope = EnvelopeId::from_hex(text("envelope")?).map_err(|_| damaged())?;
    let names = about["recipients"].as_array().into_iter().flatten();
    let sent: Vec<String> = names
        .filter_map(|name| name.as_str().map(str::to_owned))
        .collect();
    if let Some(stranger) = to.iter().find(|member| !sent.contains(member)) {
        let what = format!("it was not sent to {}", output::clean(stranger));
        return Err(Failure::new(WireCode::UnknownRecipient, what)
            .advise(format!("It was sent to: {}", sent.join(", "))));
    }
    let meant = |member: &String| to.is_empty() || to.contains(member);
    let live = |member: &String| roster.member(member).is_some_and(Member::is_live);
    let (recipients, left_out): (Vec<_>, Vec<_>) = sent.into_iter().filter(meant).partition(live);
    if recipients.is_empty() {
        let what = "none of its recipients is a live member any more";
        return Err(Failure::new(WireCode::UnknownRecipient, what));
    }
    Ok(Plan {
        message,
        envelope,
        about,
        recipients,
        left_out,
    })
}

impl Plan {
    /// Whether it was withdrawn before for this cause.
    pub fn is_done(&self, cause: &Bytes) -> bool {
        let recalls = self.about["recalls_of_it"].as_array().into_iter().flatten();
        let cause = cause_id(cause);
        cause.is_some()
            && recalls
                .filter_map(|one| one["cause"].as_str())
                .any(|one| Some(one) == cause.as_deref())
    }

    fn steps(&self, args: &RecallArgs) -> Vec<String> {
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
            format!(
                "tell them that it is withdrawn, for the reason {}",
                args.reason
            ),
        ];
        for member in &self.left_out {
            steps.push(format!(
                "not told, as no live member: {}",
                output::clean(member)
            ));
        }
        steps
    }
}

fn show_plan(args: &RecallArgs, plan: &Plan, steps: &[String], json: bool) {
    if json {
        return output::document(json!({
            "message": plan.message.to_string(), "confirmed": false, "plan": steps,
            "recipients": plan.recipients,
        }));
    }
    print_plan(steps);
    output::data(
        "Nothing was sent. What was opened before stays known to who opened it. To do it:",
    );
    let to: Vec<String> = args
        .to
        .iter()
        .map(|member| format!(" --to {member}"))
        .collect();
    output::data(format_args!(
        "  frex recall {} {} --reason {}{} --confirm",
        plan.message,
        args.dir.display(),
        args.reason,
        to.concat()
    ));
}

/// How far the message had come for each of them, as far as it is proven.
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
    known
}

/// Sends the recall, and keeps what becomes of it.
///
/// # Errors
/// It cannot be made, or the node was not reached.
pub async fn send(
    client: &Client,
    home: &MemberHome,
    plan: &Plan,
    words: &Words<'_>,
) -> Result<Told, Failure> {
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
    while let Some(event) = sending.next().await {
        match event.or_fail("the recall cannot be sent")? {
            SendingEvent::Sealed { envelope, .. } => {
                remember_recall(home, plan, &draft, &envelope)?;
            }
            SendingEvent::News(event) => {
                if matches!(event.news, News::Submitted(_)) && !heard.taken {
                    mark_recalled(home, plan, &draft, words)?;
                }
                heard.hear(event.news)?;
            }
            SendingEvent::NotAgain { members, why } => heard.notes.push(format!(
                "not sealed again for {}: {why}",
                members.join(", ")
            )),
        }
    }
    Ok(heard)
}

/// Before it leaves: whatever happens next, its ids are known.
fn remember_recall(
    home: &MemberHome,
    plan: &Plan,
    draft: &Draft,
    envelope: &SignedEnvelope,
) -> Result<(), Failure> {
    let id = envelope.id.to_string();
    let kept = json!({
        "v": output::JSON_VERSION, "message": draft.message_id.to_string(), "envelope": id,
        "envelopes": [id], "recipients": plan.recipients, "recalls": plan.message.to_string(),
        "kind": member::kind_name(draft.kind), "lane": member::lane_name(draft.lane),
        "content_type": RECALL_CONTENT_TYPE, "bytes": draft.data.len(), "file": null,
        "created_ms": draft.created_ms, "expires_ms": draft.expires_ms,
    });
    let name = format!("{}.json", draft.message_id);
    let path = home.dir().join(SENT_DIR).join(name);
    files::replace(&path, format!("{kept:#}\n").as_bytes())
}

/// The home node has taken it: from now on the message is withdrawn, whoever hears of it when.
fn mark_recalled(
    home: &MemberHome,
    plan: &Plan,
    draft: &Draft,
    words: &Words<'_>,
) -> Result<(), Failure> {
    let mut about = plan.about.clone();
    let earlier = about["recalls_of_it"].as_array().cloned();
    let mut recalls = earlier.unwrap_or_default();
    recalls.push(json!({
        "message": draft.message_id.to_string(), "from": plan.recipients, "created_ms": draft.created_ms,
        "reason": words.reason, "cause": cause_id(&words.cause),
    }));
    let withdrawn = |member: &Value| {
        let from = recalls.iter().filter_map(|one| one["from"].as_array());
        from.flatten().any(|one| one == member)
    };
    let recipients = about["recipients"].as_array();
    let all = recipients.is_some_and(|recipients| recipients.iter().all(withdrawn));
    about["state"] = if all { "recalled" } else { "recalled in part" }.into();
    about["recalls_of_it"] = recalls.into();
    let path = home
        .dir()
        .join(SENT_DIR)
        .join(format!("{}.json", plan.message));
    files::replace(&path, format!("{about:#}\n").as_bytes())
}

/// The envelope id of an author's recall; none if there is none.
fn cause_id(cause: &Bytes) -> Option<String> {
    let signed = v1::Signed::decode(cause.clone()).ok()?;
    (!cause.is_empty()).then(|| EnvelopeId::of_manifest(&signed.payload).to_string())
}

fn conclude(
    plan: &Plan,
    before: &BTreeMap<String, Option<Stage>>,
    heard: &Told,
    json: bool,
) -> Done {
    if !heard.taken {
        let code = heard.refused.unwrap_or(WireCode::TimedOut);
        return Err(Failure::new(code, "the node did not take the recall"));
    }
    let had = |member: &str| {
        before
            .get(member)
            .copied()
            .flatten()
            .map_or("unknown", Stage::name)
    };
    let told = |member: &str| {
        if heard.reached.contains(member) {
            "yes"
        } else {
            "waits"
        }
    };
    if json {
        let members: Vec<Value> = plan
            .recipients
            .iter()
            .map(|one| json!({ "member": one, "before": had(one), "told": heard.reached.contains(one) }))
            .collect();
        output::document(json!({
            "message": plan.message.to_string(), "confirmed": true, "recipients": members,
            "left_out": plan.left_out, "notes": heard.notes,
        }));
    } else {
        let mut table = output::table(&["RECIPIENT", "IT WAS", "IS NOW", "NODE TOLD"]);
        for member in &plan.recipients {
            table.add_row([member, had(member), Stage::Recalled.name(), told(member)]);
        }
        output::print_table(&table);
    }
    for note in &heard.notes {
        output::message(format_args!("note: {note}"));
    }
    let all = plan.left_out.is_empty() && heard.reached.len() == plan.recipients.len();
    Ok(if all { 0 } else { PARTIAL })
}
