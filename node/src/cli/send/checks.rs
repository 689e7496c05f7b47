//! What is judged of a report before it is sealed: whether it says what its recipients need, and whether
//! something like it was sent before. Spec: RTE-5 to RTE-9.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    casework::{
        model,
        quality::{self, Lacking, Likeness, SeenError, SeenStore},
        routing::{self, Copy, Record, RosterView},
    },
    environment::{Clock, Random},
    keys::MemberHome,
    report,
};
use frex_proto::{erasure::EXONERATED, error::WireCode, id::MessageId, roster::Roster};
use serde_json::Value;

use crate::cli::{
    SendArgs,
    failure::{Failure, OrFail},
    member,
    messages::{self, BEGUN, RECALLS},
    output,
    route::{self, POLICY_FILE, draw, preview},
    show,
    time::rfc3339,
};

/// By what a report is noticed that is sent again.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The message that is named then: of a plan the first.
    pub message: MessageId,
    /// When it was made.
    pub created_ms: u64,
    /// To whom it went.
    pub to: Vec<String>,
    /// What of it is compared.
    pub tokens: BTreeSet<String>,
}

/// Refuses a report that does not say what a recipient needs; says it, if it is to go all the same.
///
/// # Errors
/// Every recipient that needs more, with each field and where it is added.
pub fn needs(
    roster: &Roster,
    to: &[String],
    (content_type, data): (&str, &[u8]),
    anyway: bool,
) -> Result<(), Failure> {
    let lines = lacks(roster, to, (content_type, data));
    if lines.is_empty() {
        return Ok(());
    }
    if anyway {
        for line in lines {
            output::message(format_args!("note: {line}; it goes all the same"));
        }
        return Ok(());
    }
    Err(Failure::new(WireCode::NotAccepted, "a recipient cannot be sent to")
        .cause(lines.join("\n"))
        .advise("Add the fields named above to the report, leave that recipient out, or send it all the same: --anyway"))
}

/// What each of these misses in a report, a line for each; none where all is said.
#[must_use]
pub fn lacks(roster: &Roster, to: &[String], (content_type, data): (&str, &[u8])) -> Vec<String> {
    let members = to.iter().filter_map(|member| roster.member(member));
    let profiles = members.map(|member| (member.id.as_str(), member.report_fields.as_slice()));
    let missing = |needed: &[String]| missing(content_type, data, needed);
    let found = quality::lacking(missing, profiles);
    found.iter().map(|one| line(one, content_type)).collect()
}

/// What a report lacks of what is needed, by its version; of a form that is neither, all of it.
#[must_use]
pub fn missing(content_type: &str, data: &[u8], needed: &[String]) -> Vec<String> {
    match content_type {
        report::CONTENT_TYPE => report::missing_fields(data, needed),
        model::CONTENT_TYPE => model::missing_fields(data, needed),
        _ => needed.to_vec(),
    }
}

/// What a recipient misses, each field by the name that it has in this version. Spec: RTE-5, MOD-20.
fn line(one: &Lacking, content_type: &str) -> String {
    if ![report::CONTENT_TYPE, model::CONTENT_TYPE].contains(&content_type) {
        return format!(
            "{} needs a report to say {}, and this is no report whose fields can be read: make it one, or say with --kind what else it is",
            one.member,
            one.fields.join(", ")
        );
    }
    let fields: Vec<String> = match content_type == model::CONTENT_TYPE {
        true => one.places().map(second).collect(),
        false => one.fields.clone(),
    };
    format!(
        "{} needs a report to say more, it lacks: {}",
        one.member,
        fields.join(", ")
    )
}

/// A field of version 2, and how it is written.
fn second((field, place): (&str, String)) -> String {
    match model::example_of(field) {
        Some(example) => format!("{place} (in the roster {field}), as {example}"),
        None if field == place => place,
        None => format!("{field} (add {place})"),
    }
}

/// Refuses what looks like a report that went to one of these before. Spec: RTE-8, RTE-9.
///
/// # Errors
/// The message that it looks like, and how to send it all the same.
pub fn alike(
    home: &MemberHome,
    args: &SendArgs,
    to: &[String],
    view: &Value,
) -> Result<(), Failure> {
    if args.how.anyway || args.how.duplicate_of.is_some() {
        return Ok(());
    }
    let found = store(home)?.alike(&quality::tokens(view));
    let found = found.or_fail("it is not known whether it was sent before")?;
    let to_same = |one: &&quality::Alike| one.to.iter().any(|member| to.contains(member));
    let Some(one) = found.iter().find(to_same) else {
        return Ok(());
    };
    let much = match one.likeness {
        Likeness::Exact => "it names the same identifiers and hashes".to_owned(),
        Likeness::Near(percent) => {
            format!("{percent} % of the identifiers and hashes of both are the same")
        }
    };
    let what = format!(
        "this looks like message {} of {} to {}",
        one.message,
        rfc3339(one.created_ms),
        one.to.join(", ")
    );
    let failure = Failure::new(WireCode::LooksSent, what).cause(much);
    let kept = show::receipts(home, &one.message.to_string())?;
    let held = home.roster(Clock::System.now_ms()).ok();
    let lost = show::lost(&kept, held.as_ref());
    Err(match unfounded(home, one.message)? {
        Some(at_ms) => failure
            .cause(format!(
                "that one was recalled at {} as exonerated: the suspicion has proved to be unfounded",
                rfc3339(at_ms)
            ))
            .advise("Do not send it again for what was known then; where there is something new, say that in the report, and send it with --anyway"),
        None if lost.is_some() => failure
            .cause(format!("that one is {}", lost.unwrap_or_default()))
            .advise("Send it again with --anyway"),
        None => failure.advise(all_the_same(home, args, to, one)?),
    })
}

/// When it was stated of a message, or of another of its decision, that its suspicion has proved to be
/// unfounded.
///
/// # Errors
/// What is kept of them cannot be read.
pub fn unfounded(home: &MemberHome, message: MessageId) -> Result<Option<u64>, Failure> {
    let messages = match route::record_of(home, message)? {
        Some(record) => (0..record.parts())
            .map(|part| record.message_id(part))
            .collect(),
        None => vec![message],
    };
    for message in messages {
        let about = messages::sent(home, &message.to_string())?.unwrap_or_default();
        // Also where it is not known whether the node has the recall: whoever gave it has said so.
        let recalls = [RECALLS, BEGUN].map(|field| about[field].as_array());
        let mut recalls = recalls.into_iter().flatten().flatten();
        if let Some(recall) = recalls.find(|recall| recall["reason"] == EXONERATED) {
            return Ok(Some(recall["created_ms"].as_u64().unwrap_or_default()));
        }
    }
    Ok(None)
}

/// What can be done about a report that looks like another. None of it sends anybody more than the command that
/// was refused would have.
fn all_the_same(
    home: &MemberHome,
    args: &SendArgs,
    to: &[String],
    one: &quality::Alike,
) -> Result<String, Failure> {
    let message = one.message;
    let routed = route::record_path(home, message).exists();
    if args.how.route {
        let anyway = "Send it all the same, in a case of its own: --anyway";
        return Ok(match routed {
            true => format!(
                "If that one was stopped, go on with it: {} --message {message}. {anyway}",
                preview::command_of(args)
            ),
            false => anyway.to_owned(),
        });
    }
    let other = format!(
        "Send it all the same: --anyway; or into the case of that one: --duplicate-of {message}"
    );
    // Of what the home node is known to have, nothing is left to do.
    let unproven = show::receipts(home, &message.to_string())?.is_empty();
    // With another report, or for others, that command would be refused.
    let is_same = one.likeness == Likeness::Exact && is_to_same(one, to);
    let may_go_on = unproven && is_same && !routed && args.once.is_none();
    Ok(match may_go_on {
        true => format!(
            "It is not known here whether the node has that one: the same command with  --message {message}  asks, and goes on with it if not. {other}"
        ),
        false => other,
    })
}

/// Whether it went to these and to nobody else.
fn is_to_same(one: &quality::Alike, to: &[String]) -> bool {
    BTreeSet::from_iter(&one.to) == BTreeSet::from_iter(to)
}

/// Refuses to go on with a decision of which all was sent back, and that went as another message since.
/// Spec: RTE-34.
///
/// # Errors
/// The message as which it went.
pub fn gone_otherwise(
    home: &MemberHome,
    record: &Record,
    to: &[String],
    view: &Value,
) -> Result<(), Failure> {
    let (first, store) = (record.message_id(0), store(home)?);
    if store.holds(first) {
        return Ok(());
    }
    let found = store.alike(&quality::tokens(view));
    let found = found.or_fail("it is not known whether it was sent since")?;
    let begun_ms = record.value()["created_ms"].as_u64().unwrap_or_default();
    let since = found.iter().find(|one| {
        let to_same = one.to.iter().any(|member| to.contains(member));
        one.likeness == Likeness::Exact && one.created_ms > begun_ms && to_same
    });
    let Some(one) = since else {
        return Ok(());
    };
    let what = format!(
        "nothing of message {first} has left, and it went as message {} since",
        one.message
    );
    let failure = Failure::new(WireCode::LooksSent, what).cause(format!(
        "that one is of {} to {}",
        rfc3339(one.created_ms),
        one.to.join(", ")
    ));
    let without = to.iter().filter(|member| !one.to.contains(member));
    let without: Vec<&str> = without.map(String::as_str).collect();
    Err(failure.advise(match without.is_empty() {
        true => "Nothing to do; to go on would send it a second time".to_owned(),
        false => format!(
            "Nothing to do for those; not among them: {}, to whom it can be sent by name",
            without.join(", ")
        ),
    }))
}

/// Refuses what agrees to a plan, where none is followed: whoever is named gets all of it.
///
/// # Errors
/// Something of that is given.
pub fn agreed_to_nothing(args: &SendArgs) -> Result<(), Failure> {
    let how = &args.how;
    let given = [
        ("--plan", how.plan.is_some()),
        ("--confirm", how.confirm),
        ("--approved", !how.approved.is_empty()),
    ];
    let given = given.iter().filter(|(_, given)| *given);
    let given: Vec<&str> = given.map(|(name, _)| *name).collect();
    if given.is_empty() {
        return Ok(());
    }
    let what = format!("{} is about a plan, and nothing was sent", given.join(", "));
    let mut command = preview::command_of(args);
    // Who has agreed is not yet to carry it out: that shows the plan.
    if how.plan.is_none() && !how.confirm {
        command = command.replacen(" --route --confirm", " --route", 1);
    }
    Err(Failure::new(WireCode::BadInput, what)
        .cause("--to sends all of it to each that is named, whatever a plan says")
        .advise(format!(
            "Send it by the plan, without --to: {command}; or leave out {}",
            given.join(", ")
        )))
}

/// Refuses that somebody is named twice.
///
/// # Errors
/// Somebody is.
pub fn named_once(to: &[String]) -> Result<(), Failure> {
    let mut once: Vec<&str> = Vec::with_capacity(to.len());
    let mut twice = BTreeSet::new();
    for member in to {
        match once.contains(&member.as_str()) {
            true => {
                twice.insert(output::clean(member));
            }
            false => once.push(member),
        }
    }
    if twice.is_empty() {
        return Ok(());
    }
    let twice = Vec::from_iter(twice).join(", ");
    let once: Vec<String> = once.into_iter().map(output::clean).collect();
    let what = format!("{twice} is named more than once, and nothing was sent");
    Err(Failure::new(WireCode::BadInput, what)
        .advise(format!("Name each once: --to {}", once.join(" "))))
}

/// Says of whom it is sent to by name where policy or law would let them have less: whoever is named gets all
/// of it. Spec: RTE-20 to RTE-22.
pub fn tell_unapplied(home: &MemberHome, roster: &Roster, to: &[String]) {
    let Ok((policy, ..)) = draw::policy(home) else {
        output::message(format_args!(
            "note: --to applies no policy, and that in {} cannot be used; why, says:  frex route FILE {}",
            home.dir().join(POLICY_FILE).display(),
            member::folder(home).display()
        ));
        return;
    };
    let view = RosterView::of(roster, Clock::System.now_ms());
    let less = to.iter().filter_map(|member| {
        let allowed = routing::allowed(member, &view, &home.settings().member, &policy)?;
        let what = match allowed.copy {
            Some(Copy::Full) => return None,
            Some(Copy::Metadata) => "metadata only",
            None => "nothing",
        };
        let rule = allowed.rule.map(|rule| format!(" by rule {rule}"));
        let (member, rule) = (output::clean(member), rule.unwrap_or_default());
        Some(format!("{member} ({what}{rule})"))
    });
    let less: Vec<String> = less.collect();
    if !less.is_empty() {
        output::message(format_args!(
            "note: --to sends all of it and applies neither policy nor law; by those less may go to {}, as  --route  sends it",
            less.join(", ")
        ));
    }
}

/// Remembers what is about to leave, so that it is noticed the next time; says whether it was not before. What
/// cannot be kept is said: the message leaves all the same. Spec: RTE-37.
pub fn remember(home: &MemberHome, seen: &Seen) -> bool {
    let kept = || {
        let store = SeenStore::open(home.dir(), &mut Random::System.rng())?;
        // Sealed again for some, it went to all of them all the same.
        if seen.tokens.is_empty() || store.holds(seen.message) {
            return Ok(false);
        }
        store.remember(seen.message, seen.created_ms, &seen.to, &seen.tokens)?;
        Ok::<_, SeenError>(true)
    };
    kept().unwrap_or_else(|error| {
        output::message(format_args!(
            "note: this is not noticed if it is sent again: {error}"
        ));
        false
    })
}

/// Takes back that a message was sent of which nothing has left. Spec: RTE-37.
pub fn forget(home: &MemberHome, message: MessageId) {
    let store = SeenStore::open(home.dir(), &mut Random::System.rng());
    if let Err(error) = store.and_then(|store| store.forget(message)) {
        output::message(format_args!(
            "note: what has not left still looks as if it was sent: {error}"
        ));
    }
}

/// Says how much a report says, where that is not all that one of its kind should.
pub fn tell_scores(view: &Value, file: &Path) {
    let scores = quality::score(view);
    let missing: Vec<&str> = scores
        .completeness
        .missing()
        .map(|reason| reason.text.as_str())
        .collect();
    if missing.is_empty() {
        return;
    }
    output::message(format_args!(
        "note: completeness {}, actionability {} of 100; not said: {}; see  frex report score {}",
        scores.completeness.score,
        scores.actionability.score,
        missing.join(", "),
        file.display()
    ));
}

fn store(home: &MemberHome) -> Result<SeenStore, Failure> {
    let store = SeenStore::open(home.dir(), &mut Random::System.rng());
    store.or_fail("what was sent before cannot be looked up")
}

#[cfg(test)]
mod tests {
    use frex_client::keys::{MemberRole, MemberSettings};
    use serde_json::json;

    use super::*;

    const DECIDED: &str = include_str!("../../../../spec/vectors/routing/record-whole.json");

    // RTE-34: what was sent back whole does not go on once it went as another message; what left in part does.
    #[test]
    fn a_decision_that_was_sent_back_and_went_since_does_not_go_on() {
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
        let record = Record::parse(decided["record"].as_str().unwrap().as_bytes()).unwrap();
        let begun_ms = record.value()["created_ms"].as_u64().unwrap();
        let view = json!({"items": [{"hashes": [{"algorithm": "md5", "value": "aa"}]}]});
        let to = ["clearing.us", "police.no"].map(str::to_owned);
        let goes_on = || gone_otherwise(&home, &record, &to, &view);
        let note = |message, created_ms| {
            let seen = Seen {
                message,
                created_ms,
                to: to[..1].to_vec(),
                tokens: quality::tokens(&view),
            };
            assert!(remember(&home, &seen));
        };
        note(MessageId([1; 16]), begun_ms - 1);
        assert!(goes_on().is_ok());
        note(MessageId([2; 16]), begun_ms + 1);
        assert_eq!(goes_on().unwrap_err().code(), WireCode::LooksSent);
        note(record.message_id(0), begun_ms);
        assert!(goes_on().is_ok());
    }
}
