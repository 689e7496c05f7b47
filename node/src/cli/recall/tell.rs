//! What `frex recall` says: what it would do, and what it has done, message by message.

use std::path::Path;

use frex_client::keys::MemberHome;
use frex_proto::{
    delivery::Stage,
    erasure::EXONERATED,
    error::{Retry, WireCode},
    id::MessageId,
};
use serde_json::{Value, json};

use super::{Plan, RecallArgs, Whole, Withdrawn};
use crate::cli::{
    failure::{Done, Failure, PARTIAL},
    output,
    peer::print_plan,
    route::unfinished::was_taken,
    told::Told,
};

/// How what is kept here of a message that was withdrawn as unfounded goes too.
pub(super) fn own_copy(message: MessageId, dir: &Path) -> String {
    format!(
        "to erase it too: frex erase {message} {} --ground {EXONERATED} --authority CODE",
        dir.display()
    )
}

/// What would be done, or why there is nothing to do, and the command that does it.
pub(super) fn show_plan(args: &RecallArgs, whole: &Whole, json: bool) {
    if json {
        return output::document(whole.to_json(args));
    }
    print_plan(&whole.steps(args));
    let not_told: Vec<String> = whole
        .left_out()
        .into_iter()
        .map(|one| output::clean(one))
        .collect();
    let (said, again) = match (whole.is_over(), not_told.is_empty()) {
        (true, true) => (
            "Nothing was sent, as it was recalled before. To send another recall all the same:"
                .to_owned(),
            " --again",
        ),
        (true, false) => (
            format!(
                "Nothing was sent, as it was recalled before from all but {}, not told as no live member. To send another recall all the same:",
                not_told.join(", ")
            ),
            " --again",
        ),
        (false, _) => (
            "Nothing was sent. What was opened before stays known to who opened it. To do it:"
                .to_owned(),
            if args.again { " --again" } else { "" },
        ),
    };
    output::data(said);
    let to = args.to.iter().map(|member| format!(" --to {member}"));
    output::data(format_args!(
        "  frex recall {} {} --reason {}{}{again} --confirm",
        whole.named,
        args.dir.display(),
        args.reason,
        to.collect::<String>()
    ));
}

/// The home node did not take a recall.
pub(super) fn not_taken(heard: &Told) -> Failure {
    let code = heard.refused.unwrap_or(WireCode::TimedOut);
    let failure = Failure::new(code, "the node did not take the recall");
    match code.info().retry {
        Retry::Later => failure.advise(
            "Give the same command again: it asks first whether the node has this recall after all",
        ),
        _ => failure,
    }
}

/// Says what was withdrawn from whom. Where some messages were and others were not, each of these is named.
pub(super) fn conclude(
    home: &MemberHome,
    args: &RecallArgs,
    whole: &Whole,
    (done, failed): (&[Withdrawn<'_>], Vec<(&Plan, Failure)>),
    json: bool,
) -> Done {
    // What the home node has never had has left nothing to be withdrawn.
    let (mut never, mut rest) = (Vec::new(), Vec::new());
    for (plan, failure) in failed {
        let unknown = failure.code() == WireCode::NotFound;
        match unknown && !was_taken(home, plan.message)? {
            true => never.push((plan, failure)),
            false => rest.push((plan, failure)),
        }
    }
    let nothing = done.is_empty() && (!rest.is_empty() || whole.before().is_empty());
    // Of one message alone it need not be said which.
    if nothing && whole.plans.len() == 1 {
        let mut all = rest.into_iter().chain(never);
        return all
            .next()
            .map_or(Ok(whole.exit()), |(_, failure)| Err(failure));
    }
    if json && !nothing {
        output::document(document(whole, done));
    } else {
        for one in done {
            print(args, one);
        }
    }
    for one in done {
        for note in &one.heard.notes {
            output::message(format_args!("note: {note}"));
        }
    }
    for (plan, _) in &never {
        output::message(format_args!(
            "note: the home node has never had message {}, so that nobody got it: {}",
            plan.message,
            plan.recipients.join(", ")
        ));
    }
    print_failed(&rest, json);
    for line in whole.not_withdrawn() {
        output::message(format_args!("note: {line}"));
    }
    if nothing {
        let mut all = rest.iter().chain(&never);
        return Ok(all.next().map_or(PARTIAL, |(_, failure)| failure.exit()));
    }
    let all = done
        .iter()
        .all(|one| one.heard.reached.len() == one.plan.recipients.len());
    Ok(match all && rest.is_empty() {
        true => whole.exit(),
        false => PARTIAL,
    })
}

/// Each message that is not withdrawn, with what is in the way.
fn print_failed(failed: &[(&Plan, Failure)], json: bool) {
    for (plan, failure) in failed {
        failure.report(json);
        let goes_on = match failure.code().info().retry {
            Retry::Later => "; the same command again goes on",
            _ => "",
        };
        output::message(format_args!(
            "note: message {} is not withdrawn from {}{goes_on}",
            plan.message,
            plan.recipients.join(", ")
        ));
    }
}

/// How far it had come for a recipient.
fn had(one: &Withdrawn<'_>, member: &str) -> &'static str {
    let stage = one.before.get(member).copied().flatten();
    stage.map_or("unknown", Stage::name)
}

fn document(whole: &Whole, done: &[Withdrawn<'_>]) -> Value {
    let recipients = done.iter().flat_map(|one| {
        one.plan.recipients.iter().map(|member| {
            json!({
                "member": member, "before": had(one, member),
                "told": one.heard.reached.contains(member),
                "message": one.plan.message.to_string(), "recall": one.recall.to_string(),
            })
        })
    });
    let recalls = done.iter().map(
        |one| json!({ "message": one.plan.message.to_string(), "recall": one.recall.to_string() }),
    );
    let notes = done.iter().flat_map(|one| &one.heard.notes);
    let named = done.iter().find(|one| one.plan.message == whole.named);
    let recall = named.or(done.first()).map(|one| one.recall.to_string());
    json!({
        "message": whole.named.to_string(), "confirmed": true, "recall": recall,
        "recipients": recipients.collect::<Vec<_>>(), "left_out": whole.left_out(),
        "notes": notes.collect::<Vec<_>>(), "recalled_before": whole.before(),
        "recalls": recalls.collect::<Vec<_>>(), "not_withdrawn": whole.not_withdrawn(),
    })
}

fn print(args: &RecallArgs, one: &Withdrawn<'_>) {
    let (plan, recall) = (one.plan, one.recall);
    output::data(format_args!("recall   {recall}"));
    output::data(format_args!("of       {}", plan.message));
    let mut table = output::table(&["RECIPIENT", "IT WAS", "IS NOW", "NODE TOLD"]);
    for member in &plan.recipients {
        let told = match one.heard.reached.contains(member) {
            true => "yes",
            false => "waits",
        };
        table.add_row([
            member.as_str(),
            had(one, member),
            Stage::Recalled.name(),
            told,
        ]);
    }
    output::print_table(&table);
    output::message("what becomes of it, and what its recipients state:");
    output::message(format_args!(
        "  frex receipt fetch {recall} {}",
        args.dir.display()
    ));
    if args.reason == EXONERATED {
        let own = own_copy(plan.message, &args.dir);
        output::message(format_args!("the own copy stays; {own}"));
    }
}
