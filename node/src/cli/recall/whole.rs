//! All that is to be withdrawn at once: the message that is named, and where it carries out a decision with
//! others, these too. The report went to everybody as one, and is withdrawn as one. Spec: RCL-24.

use frex_client::{client::Client, keys::MemberHome};
use frex_proto::{error::WireCode, id::MessageId, roster::Roster};
use serde_json::{Value, json};

use super::{Plan, RecallArgs, begun, of_message};
use crate::cli::{
    erased,
    failure::{Failure, OrCode, PARTIAL},
    messages::{self, SENT},
    output, route,
};

/// Each message with what is planned of it, in the order in which they were decided.
pub(super) struct Whole {
    /// The message by which people have named it.
    pub(super) named: MessageId,
    pub(super) plans: Vec<Plan>,
    /// Messages of the decision that were erased here, and from whom they are not withdrawn.
    pub(super) erased: Vec<(MessageId, Vec<String>)>,
}

/// What is kept of the messages that are meant, and who of their recipients, or of those named, can be told.
///
/// # Errors
/// Nothing was sent from here under that id, or not to these, or nobody can be told.
pub(super) fn plan(
    home: &MemberHome,
    roster: &Roster,
    message: &str,
    to: &[String],
) -> Result<Whole, Failure> {
    let (direction, named) = messages::find_one(home, message)?;
    if direction != SENT {
        let what = "that message was received here: only its sender can withdraw it";
        return Err(Failure::new(WireCode::WrongSender, what));
    }
    let id = named["message"].as_str().unwrap_or_default();
    let damaged = "what is kept of that message is damaged";
    let id = MessageId::from_hex(id).or_code(WireCode::Files, damaged)?;
    let (mut abouts, mut erased) = (Vec::new(), Vec::new());
    if let Some((record, _)) = route::decision_of(home, &named)? {
        for place in 0..record.parts() {
            let message = record.message_id(place);
            match messages::sent(home, &message.to_string())? {
                Some(about) => abouts.push(about),
                None if erased::failure(home, &message.to_string()).is_some() => {
                    erased.push((message, route::members_of(&record, place)));
                }
                // What was never sealed went to nobody.
                None => {}
            }
        }
    } else {
        abouts.push(named);
    }
    let sent = recipients(&abouts);
    let had = |member: &String| erased.iter().any(|(_, members)| members.contains(member));
    let strange = |member: &&String| {
        let sent = sent.as_ref();
        sent.is_some_and(|sent| !sent.contains(member)) && !had(member)
    };
    if let (Some(stranger), Some(sent)) = (to.iter().find(strange), &sent) {
        let what = format!("it was not sent to {}", output::clean(stranger));
        return Err(Failure::new(WireCode::UnknownRecipient, what)
            .advise(format!("It was sent to: {}", sent.join(", "))));
    }
    let mut plans = Vec::new();
    for about in abouts {
        let plan = of_message(roster, about, to)?;
        // Of several, one that went to none of those named stays as it is.
        if !plan.recipients.is_empty() || !plan.left_out.is_empty() {
            plans.push(plan);
        }
    }
    for (_, members) in &mut erased {
        members.retain(|member| to.is_empty() || to.contains(member));
    }
    erased.retain(|(_, members)| !members.is_empty());
    if plans.iter().all(|plan| plan.recipients.is_empty()) {
        let gone = erased.first();
        let gone = gone.and_then(|(message, _)| erased::failure(home, &message.to_string()));
        return Err(gone.unwrap_or_else(super::nobody_live));
    }
    Ok(Whole {
        named: id,
        plans,
        erased,
    })
}

/// To whom these went; none if that is not known of one of them.
fn recipients(abouts: &[Value]) -> Option<Vec<String>> {
    let mut sent = Vec::new();
    for about in abouts {
        let names = about["recipients"].as_array()?.iter();
        sent.extend(names.filter_map(|name| Some(name.as_str()?.to_owned())));
    }
    Some(sent)
}

impl Whole {
    /// Asks the node about every recall of which it is not known whether it was taken, and which envelope
    /// of each message it has.
    pub(super) async fn settle(&self, client: &Client, home: &MemberHome) -> Result<(), Failure> {
        for plan in &self.plans {
            begun::settle(client, home, plan).await?;
            begun::follow(client, home, plan).await?;
        }
        Ok(())
    }

    /// Leaves out those from whom each was withdrawn before, unless it is to be done again.
    pub(super) fn but_once(self, again: bool) -> Self {
        let plans = self.plans.into_iter();
        Self {
            named: self.named,
            plans: plans.map(|plan| plan.but_once(again)).collect(),
            erased: self.erased,
        }
    }

    /// The exit code where nothing fails: somebody may be left who is never told.
    pub(super) fn exit(&self) -> u8 {
        match self.left_out().is_empty() && self.erased.is_empty() {
            true => 0,
            false => PARTIAL,
        }
    }

    /// What was erased here, a line for each.
    pub(super) fn not_withdrawn(&self) -> Vec<String> {
        let line = |(message, members): &(MessageId, Vec<String>)| {
            let members: Vec<String> = members.iter().map(|name| output::clean(name)).collect();
            let from = members.join(", ");
            format!("message {message} of it was erased here, and is not withdrawn from {from}")
        };
        self.erased.iter().map(line).collect()
    }

    /// Whether there is nobody left from whom any of it is to be withdrawn.
    pub(super) fn is_over(&self) -> bool {
        self.plans.iter().all(|plan| plan.recipients.is_empty())
    }

    /// What would be done, message by message.
    pub(super) fn steps(&self, args: &RecallArgs) -> Vec<String> {
        let mut steps = Vec::new();
        if let many @ 2.. = self.plans.len() {
            steps.push(format!(
                "{many} messages carry out one decision; each is withdrawn by a recall of its own"
            ));
        }
        steps.extend(self.plans.iter().flat_map(|plan| plan.steps(args)));
        steps.extend(self.not_withdrawn());
        steps
    }

    /// From whom it is withdrawn.
    fn recipients(&self) -> Vec<&String> {
        let plans = self.plans.iter();
        plans.flat_map(|plan| &plan.recipients).collect()
    }

    /// Recalls of before, of all messages.
    pub(super) fn before(&self) -> Vec<&Value> {
        self.plans.iter().flat_map(|plan| &plan.before).collect()
    }

    /// Who is not told.
    pub(super) fn left_out(&self) -> Vec<&String> {
        let plans = self.plans.iter();
        plans.flat_map(|plan| &plan.left_out).collect()
    }

    /// The plan for programs; nothing was sent.
    pub(super) fn to_json(&self, args: &RecallArgs) -> Value {
        let messages = self.plans.iter().map(|plan| {
            json!({
                "message": plan.message.to_string(), "recipients": plan.recipients,
                "left_out": plan.left_out, "recalled_before": plan.before,
            })
        });
        json!({
            "message": self.named.to_string(), "confirmed": args.confirm, "plan": self.steps(args),
            "recipients": self.recipients(), "recall": null, "recalled_before": self.before(),
            "messages": messages.collect::<Vec<_>>(), "left_out": self.left_out(),
            "not_withdrawn": self.not_withdrawn(),
        })
    }
}
