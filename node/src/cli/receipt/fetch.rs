//! `frex receipt fetch`: every receipt that the node holds on a message, verified and kept.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    time::Duration,
};

use frex_client::{
    casework::model,
    client::{Client, GivenUp, ProvenReceipt},
    environment::Clock,
    keys::MemberHome,
    report,
};
use frex_proto::{error::WireCode, id::MessageId, roster::Roster, v1};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::{ReceiptFetchArgs, finality, reach::Reach};
use crate::cli::{
    ended,
    failure::{Done, Failure, OrFail, PARTIAL},
    member, messages, output, route,
    time::{rfc3339, seconds},
};

const PATIENCE: Duration = Duration::from_secs(3);
/// How often is asked while waiting.
const PAUSE: Duration = Duration::from_millis(100);
/// As [`PAUSE`], while nothing but witnesses is waited for: each receipt is a question of its own.
const FINAL_PAUSE: Duration = Duration::from_millis(500);

/// Receipts of one message, and who has opened it.
struct Fetched {
    reach: Reach,
    rows: Vec<Value>,
    /// The receipt of each row, and its file.
    kept: Vec<(ProvenReceipt, PathBuf)>,
    opened: BTreeSet<String>,
    unproven: usize,
    given_up: Vec<GivenUp>,
}

impl Fetched {
    /// Each delivery that was given up, with those who have not got the message by another one.
    fn ended(&self, roster: &Roster) -> Vec<Value> {
        let rows = self.given_up.iter();
        rows.map(|told| ended::row(told, roster, self.reach.missing()))
            .collect()
    }

    /// Makes final what can be.
    async fn make_final(&mut self, client: &Client) -> Result<(), Failure> {
        for (row, (proven, path)) in self.rows.iter_mut().zip(&self.kept) {
            row["finality"] = finality::make_final(client, proven, path).await?;
        }
        Ok(())
    }

    /// Whether a receipt waits for its witnesses.
    fn is_provisional(&self) -> bool {
        let mut rows = self.rows.iter();
        rows.any(|row| row["finality"] == finality::PROVISIONAL)
    }

    fn print(&self, message: MessageId, given_up: &[Value], json: bool) {
        if json {
            return output::document(json!({
                "message": message.to_string(), "receipts": self.rows, "opened": self.opened,
                "unproven": self.unproven, "key_retired": self.reach.retired(), "given_up": given_up,
            }));
        }
        let mut table = output::table(&["TIME", "NODE", "WHAT", "WITNESSED", "FILE"]);
        for row in &self.rows {
            let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
            let what = match row["outcome"].is_string() {
                true => format!("{} {}", text("event"), text("outcome")),
                false => text("event"),
            };
            let finality = text("finality");
            table.add_row([text("time"), text("node"), what, finality, text("file")]);
        }
        output::print_table(&table);
        for row in given_up {
            output::data(format_args!("given up     {}", ended::text(row)));
        }
    }
}

/// Fetches the receipts of a message.
pub fn fetch(args: &ReceiptFetchArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let message = messages::message_id(&home, &args.message)?;
    let roster = member::roster(&home)?;
    let folder = home.receipts_dir();
    let fetched = member::runtime()?.block_on(async {
        let client = member::client(&home, PATIENCE).await?;
        let deadline = Instant::now() + args.wait.0;
        let fetched = loop {
            let mut fetched = ask(&client, message, &folder, &roster).await?;
            let late = Instant::now() >= deadline;
            // A node that was given up opens nothing any more.
            let over = fetched.opened.len() >= args.opened || !fetched.given_up.is_empty();
            if over || late {
                fetched.make_final(&client).await?;
            }
            let lacks = args.finals && fetched.is_provisional();
            if late || (over && !lacks) {
                break fetched;
            }
            sleep(if over { FINAL_PAUSE } else { PAUSE }).await;
        };
        client.close().await;
        Ok::<_, Failure>(fetched)
    })?;
    let given_up = fetched.ended(&roster);
    ended::keep_all(&home, message, &given_up)?;
    fetched.print(message, &given_up, json);
    let to: Vec<&str> = fetched.reach.retired().into_iter().collect();
    if !to.is_empty() {
        output::message(format_args!(
            "note: {} refused it as KEY_RETIRED; seal it again under the same message id with:",
            to.join(", ")
        ));
        output::message(format_args!("  {}", again(&home, message, &to, &args.dir)));
    }
    if fetched.unproven > 0 {
        return Err(Failure::new(
            WireCode::BadReceipt,
            match fetched.unproven {
                1 => "1 receipt does not hold and was not kept".to_owned(),
                count => format!("{count} receipts do not hold and were not kept"),
            },
        ));
    }
    if args.finals && roster.witnessing().is_none() {
        return Err(finality::without_witnesses("no receipt of it is final"));
    }
    let mut unmet = Vec::new();
    if fetched.opened.len() < args.opened {
        let to: Vec<&str> = fetched.reach.members().collect();
        let over = !fetched.given_up.is_empty();
        unmet.push(not_opened(args, &fetched.opened, &to, over));
    }
    if args.finals && fetched.is_provisional() {
        unmet.push(format!(
            "after {} not every receipt is final; wait longer with:  {}",
            seconds(args.wait.0),
            longer(args)
        ));
    }
    for why in &unmet {
        output::message(format_args!("note: {why}"));
    }
    Ok(match unmet.is_empty() {
        true => 0,
        false => PARTIAL,
    })
}

/// Why it ends although fewer have opened it than were waited for.
fn not_opened(
    args: &ReceiptFetchArgs,
    opened: &BTreeSet<String>,
    to: &[&str],
    given_up: bool,
) -> String {
    let count = opened.len();
    let have = match count {
        1 => "has",
        _ => "have",
    };
    let mut text = format!("{count} of {} {have} opened it", args.opened);
    let not: Vec<String> = to
        .iter()
        .filter(|member| !opened.contains(**member))
        .map(|member| output::clean(member))
        .collect();
    if !not.is_empty() {
        text.push_str(&format!(", no receipt shows it of {}", not.join(", ")));
    }
    if !to.is_empty() && to.len() < args.opened {
        text.push_str(&format!(
            "; it went to {}",
            output::counted(to.len(), "member")
        ));
        return text;
    }
    match given_up {
        true => text.push_str("; a delivery of it was given up, so it is not waited for longer"),
        false => text.push_str(&format!(
            " after {}; wait longer with:  {}",
            seconds(args.wait.0),
            longer(args)
        )),
    }
    text
}

/// The same command, with more time.
fn longer(args: &ReceiptFetchArgs) -> String {
    let mut command = format!("frex receipt fetch {} {}", args.message, args.dir.display());
    if args.opened > 0 {
        command.push_str(&format!(" --opened {}", args.opened));
    }
    if args.finals {
        command.push_str(" --final");
    }
    let minutes = (args.wait.0.as_secs() / 30).max(10);
    command + &format!(" --wait {minutes}m")
}

/// The command that seals a message again, with the file that it was sent from.
pub fn again(home: &MemberHome, message: MessageId, to: &[&str], dir: &Path) -> String {
    let about = |message: MessageId| messages::remembered(home, message).unwrap_or_default();
    let sent = about(message);
    let case = sent["conversation"].as_str().map(MessageId::from_hex);
    let case = case.and_then(Result::ok).filter(|case| *case != message);
    let first = case.unwrap_or(message);
    let command = |sent: &Value, to: String| {
        // What came on standard input is in no file of that name.
        let file = sent["file"].as_str().filter(|file| *file != "-");
        let file = file.map_or("FILE".to_owned(), output::clean);
        let (anyway, dir) = ("--anyway --from", dir.display());
        format!("frex send {file}{to} {anyway} {dir}")
    };
    if let Ok(Some(record)) = route::record_of(home, first) {
        let approved = record.value()["approved"].as_array().into_iter().flatten();
        let approved = approved.filter_map(Value::as_str);
        let approved: String = approved
            .map(|by| format!(" --approved {}", output::clean(by)))
            .collect();
        let first_sent = about(first);
        let as_then = format!(
            " --route --confirm --message {first}{approved}{}",
            further_options(&first_sent)
        );
        return command(&first_sent, as_then);
    }
    let to: String = to.iter().map(|one| format!(" --to {one}")).collect();
    let case = case
        .map(|case| format!(" --case {case}"))
        .unwrap_or_default();
    command(
        &sent,
        format!("{to}{}{case} --message {message}", options(&sent)),
    )
}

/// The options with which a message was sent, as it would be sent now: those that are not the usual ones.
#[must_use]
pub fn options(about: &Value) -> String {
    let text = |field: &str| about[field].as_str().map(output::clean);
    let mut options = String::new();
    for (option, usual) in [("kind", "report"), ("lane", "normal")] {
        if let Some(value) = text(option).filter(|value| value != usual) {
            options.push_str(&format!(" --{option} {value}"));
        }
    }
    let known = [report::CONTENT_TYPE, model::CONTENT_TYPE];
    if let Some(other) = text("content_type").filter(|named| !known.contains(&named.as_str())) {
        options.push_str(&format!(" --content-type '{other}'"));
    }
    if let Some(envelope) = text("in_reply_to") {
        options.push_str(&format!(" --in-reply-to {envelope}"));
    }
    options + &further_options(about)
}

/// Those of them that go with a route too.
fn further_options(about: &Value) -> String {
    let mut options = String::new();
    let due_ms = about["reply_by_ms"].as_u64();
    if let Some(due_ms) = due_ms.filter(|due_ms| *due_ms > Clock::System.now_ms()) {
        options.push_str(&format!(" --reply-by {}", rfc3339(due_ms)));
    }
    for attached in about["attachments"].as_array().into_iter().flatten() {
        let path = attached["file"].as_str().map(output::clean);
        options.push_str(&format!(" --attach '{}'", path.unwrap_or_default()));
    }
    options
}

async fn ask(
    client: &Client,
    message: MessageId,
    folder: &std::path::Path,
    roster: &Roster,
) -> Result<Fetched, Failure> {
    let history = client
        .history(message)
        .await
        .or_fail("the receipts cannot be fetched")?;
    let mut fetched = Fetched {
        reach: Reach::default(),
        rows: Vec::new(),
        kept: Vec::new(),
        opened: BTreeSet::new(),
        unproven: 0,
        given_up: history.given_up,
    };
    for answer in history.receipts {
        let Ok(proven) = answer else {
            fetched.unproven += 1;
            continue;
        };
        let path = member::keep_receipt(folder, &proven)?;
        let statement = v1::Statement::decode(proven.receipt.statement.clone()).unwrap_or_default();
        if let Some(stage) = proven
            .stage
            .as_ref()
            .filter(|stage| stage.stage() >= v1::Stage::Opened)
        {
            fetched.opened.insert(stage.member.clone());
        }
        let stated = proven.stage.as_ref().map(|stage| stage.member.clone());
        if let Some(member) = &stated {
            fetched.reach.note_member(member);
        }
        fetched.reach.note(&statement, roster);
        fetched.rows.push(json!({
            "event": member::event_label(&statement), "outcome": member::outcome_of(&statement),
            "node": statement.node, "file": path,
            "index": proven.receipt.index, "time": rfc3339(proven.verified.time_ms),
            "recipients": statement.recipients,
            "member": stated, "finality": null,
        }));
        fetched.kept.push((proven, path));
    }
    Ok(fetched)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use frex_client::{
        environment::Random,
        keys::{MemberRole, MemberSettings},
    };

    use super::*;
    use crate::cli::{
        member::SENT_DIR,
        route::{ROUTES_DIR, record_path},
        time::Span,
    };

    // CLI-3: whoever waits in vain reads for whom, and how to wait longer.
    #[test]
    fn what_was_waited_for_in_vain_is_said() {
        let args = |opened| ReceiptFetchArgs {
            message: "166a738e".to_owned(),
            dir: "hotline".into(),
            opened,
            finals: false,
            wait: Span(Duration::from_secs(10)),
        };
        let opened = BTreeSet::from(["police.es".to_owned()]);
        let to = ["police.es", "police.fr"];
        let said = |number, given_up| not_opened(&args(number), &opened, &to, given_up);
        assert_eq!(
            said(2, false),
            "1 of 2 has opened it, no receipt shows it of police.fr after 10 s; wait longer with:  frex receipt fetch 166a738e hotline --opened 2 --wait 10m"
        );
        assert!(said(2, true).ends_with("given up, so it is not waited for longer"));
        assert!(said(3, false).ends_with("police.fr; it went to 2 members"));
    }

    const DECIDED: &str = include_str!("../../../../spec/vectors/routing/record-whole.json");

    // RTE-33, DEL-29: a message of a plan goes on as the plan does, any other in its case.
    #[test]
    fn what_is_sealed_again_stays_in_its_case() {
        let dir = tempfile::tempdir().unwrap();
        let settings = MemberSettings {
            member: "platform.us".to_owned(),
            federation: "test".to_owned(),
            home_node: "node.platform.us".to_owned(),
            country: "US".to_owned(),
            name: "Platform".to_owned(),
            role: MemberRole::Platform,
            keys_from_credentials: false,
        };
        let made = MemberHome::create(dir.path(), settings, None, &mut Random::System.rng());
        let (home, _) = made.unwrap();
        let decided: Value = serde_json::from_str(DECIDED).unwrap();
        let ids: Vec<MessageId> = decided["result"]
            .as_str()
            .unwrap()
            .split(' ')
            .map(|id| MessageId::from_hex(id).unwrap())
            .collect();
        fs::create_dir_all(home.dir().join(SENT_DIR)).unwrap();
        for id in &ids {
            let row = json!({
                "conversation": ids[0].to_string(), "kind": "report", "lane": "normal",
                "file": "report.json", "content_type": model::CONTENT_TYPE,
            });
            fs::write(messages::path_of(&home, &id.to_string()), row.to_string()).unwrap();
        }
        let again = || again(&home, ids[1], &["police.no"], Path::new("platform"));
        let (first, second) = (ids[0], ids[1]);
        let change = |file: &str| {
            let name = second.to_string();
            messages::change_sent(&home, &name, |about| about["file"] = file.into()).unwrap();
        };
        // What came on standard input is not there once more.
        change("-");
        assert!(again().starts_with("frex send FILE --to "));
        change("report.json");
        assert_eq!(
            again(),
            format!(
                "frex send report.json --to police.no --case {first} --message {second} --anyway --from platform"
            )
        );
        fs::create_dir_all(home.dir().join(ROUTES_DIR)).unwrap();
        let record = decided["record"].as_str().unwrap();
        fs::write(record_path(&home, first), record).unwrap();
        assert_eq!(
            again(),
            format!(
                "frex send report.json --route --confirm --message {first} --approved legal --anyway --from platform"
            )
        );
    }
}
