//! `frex forward`: passes a message that was received on to other members, as its author signed it.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use frex_client::keys::MemberHome;
use frex_proto::{
    envelope::{ForwardDraft, SignedEnvelope},
    error::WireCode,
};
use serde_json::{Value, json};

use super::{
    addressed::may_send,
    evidence,
    failure::{Done, Failure, OrFail, PARTIAL},
    files, inbox,
    member::{self, ABOUT, INBOX_DIR, SENT_DIR},
    messages, output,
    time::Span,
    told::Told,
};

/// A node that is not there is looked for at least so long.
const PATIENCE_MIN: Duration = Duration::from_secs(3);

/// `frex forward`.
#[derive(Debug, Args)]
pub struct ForwardArgs {
    /// Message id, as `frex inbox` printed it, or its beginning
    pub message: String,
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// A member to pass it on to; repeat for each
    #[arg(long, value_name = "MEMBER", required = true)]
    pub to: Vec<String>,
    /// Also to those who have it already
    #[arg(long)]
    pub again: bool,
    /// How long to wait for the recipients' nodes
    #[arg(long, default_value = "10s", value_name = "DURATION")]
    pub wait: Span,
}

/// Passes a message on.
pub fn forward(args: &ForwardArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let (direction, about) = messages::find_one(&home, &args.message)?;
    if direction == messages::SENT {
        let what = "that message was sent from here";
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("Send it to whoever else is to have it: frex send"));
    }
    if about["state"] == inbox::RECALLED {
        let what = "the sender has withdrawn that message";
        return Err(Failure::new(WireCode::Recalled, what).advise(format!(
            "See why with: frex show {} {}",
            args.message,
            args.dir.display()
        )));
    }
    if args.to.contains(&home.settings().member) {
        let what = format!("{} has that message already", home.settings().member);
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("a message is passed on to others, not to oneself")
            .advise("Leave your own organisation out of --to"));
    }
    if !args.again {
        not_twice(&about, args)?;
    }
    let kept = about["envelope"].as_str().unwrap_or_default();
    let received = inbox::kept_envelope(&home, kept)?;
    let to: Vec<&str> = args.to.iter().map(String::as_str).collect();
    let runtime = member::runtime()?;
    let (draft, envelope, told) = runtime.block_on(async {
        let client = member::client(&home, args.wait.0.max(PATIENCE_MIN)).await?;
        client.hear_news().await.or_fail("nothing was passed on")?;
        may_send(&home, &client.roster().current())?;
        let forward = client.forward(&received, &to);
        let (draft, envelope) = forward.or_fail("the message cannot be passed on")?;
        // Before it leaves: whatever happens next, a recall finds its way along it.
        remember(&home, about, &draft, &envelope)?;
        let submission = client.submit(vec![envelope.clone()], args.wait.0).await;
        let mut submission = submission.or_fail("nothing was passed on")?;
        let mut told = Told::new(&home);
        while let Some(event) = submission.next().await {
            told.hear(event.news)?;
        }
        let roster = client.roster().current();
        told.keep_ended(&home, &roster, draft.message_id, &envelope.members)?;
        client.close().await;
        Ok::<_, Failure>((draft, envelope, told))
    })?;
    conclude(&draft, &envelope, &told, json)
}

/// Nobody gets another copy unasked. Spec: RCL-22.
fn not_twice(about: &Value, args: &ForwardArgs) -> Result<(), Failure> {
    let names = |list: &Value, member: &str| {
        let mut names = list.as_array().into_iter().flatten();
        names.any(|name| name == member)
    };
    let forwards = || about["forwards"].as_array().into_iter().flatten();
    for member in &args.to {
        let why = match forwards().find(|one| names(&one["to"], member)) {
            Some(one) => {
                let id = output::clean(one["message"].as_str().unwrap_or_default());
                format!("it was passed on to {member} before, as message {id}")
            }
            None if names(&about["recipients"], member) => format!("it was sent to {member} too"),
            None if about["author"] == member.as_str() => format!("{member} wrote it"),
            None => continue,
        };
        return Err(Failure::new(WireCode::BadInput, why).advise(format!(
            "Leave {member} out, or pass it on once more with --again; see what has become of it: frex show {} {}",
            args.message,
            args.dir.display()
        )));
    }
    Ok(())
}

fn remember(
    home: &MemberHome,
    mut about: Value,
    draft: &ForwardDraft,
    envelope: &SignedEnvelope,
) -> Result<(), Failure> {
    let (message, id) = (draft.message_id.to_string(), envelope.id.to_string());
    let sent = json!({
        "v": output::JSON_VERSION, "message": message, "envelope": id, "envelopes": [id],
        "recipients": envelope.members, "forwards": about["message"], "author": about["author"],
        "kind": about["kind"], "lane": about["lane"], "content_type": about["content_type"],
        "in_reply_to": about["in_reply_to"],
        "bytes": about["bytes"], "file": about["file"],
        "created_ms": draft.created_ms, "expires_ms": draft.expires_ms,
    });
    let folder = home.dir().join(SENT_DIR);
    files::ensure_folder(&folder)?;
    let path = messages::path_of(home, &message);
    evidence::keep::keep(home, envelope)?;
    files::replace(&path, format!("{sent:#}\n").as_bytes())?;
    let mut forwards = about["forwards"].as_array().cloned().unwrap_or_default();
    forwards.push(json!({ "message": message, "envelope": id, "to": envelope.members }));
    about["forwards"] = forwards.into();
    let of = about["envelope"].as_str().unwrap_or_default();
    let path = home.dir().join(INBOX_DIR).join(format!("{of}.{ABOUT}"));
    files::replace(&path, format!("{about:#}\n").as_bytes())
}

fn conclude(draft: &ForwardDraft, envelope: &SignedEnvelope, told: &Told, json: bool) -> Done {
    let missing = envelope.members.len() - told.reached.len();
    if !told.taken {
        let code = told.refused.unwrap_or(WireCode::TimedOut);
        return Err(Failure::new(code, "the node did not take the forward"));
    }
    let has = |member: &str| told.reached.contains(member);
    if json {
        let rows = envelope.members.iter();
        let rows: Vec<Value> = rows
            .map(|member| json!({ "member": member, "accepted": has(member) }))
            .collect();
        output::document(json!({
            "message": draft.message_id.to_string(), "envelope": envelope.id.to_string(),
            "recipients": rows, "notes": told.notes,
        }));
    } else {
        output::data(format_args!("message  {}", draft.message_id));
        output::data(format_args!("envelope {}", envelope.id));
        let mut table = output::table(&["RECIPIENT", "STATE"]);
        for member in &envelope.members {
            let state = if has(member) { "accepted" } else { "waiting" };
            table.add_row([member.as_str(), state]);
        }
        output::print_table(&table);
    }
    for note in &told.notes {
        output::message(format_args!("note: {note}"));
    }
    match told.refused {
        Some(code) if told.reached.is_empty() => Err(Failure::new(
            code,
            "the recipient's node rejected the forward",
        )),
        _ => Ok(if missing == 0 { 0 } else { PARTIAL }),
    }
}
