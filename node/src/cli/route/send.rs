//! `frex send --route`: a report goes to everybody in its plan, as one message for each copy and lane.
//!
//! The record of the decision is kept before anything leaves; the ids of the messages are made of it.
//! A command that was stopped is given again with the id of its first message. Spec: RTE-27 to RTE-34.

use std::path::Path;

use frex_client::{
    casework::{
        model,
        quality::tokens,
        routing::{Copy, Lane, Part, Plan, RECORD_BYTES_MAX, Record, canonical, metadata_only},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId, label, roster::Roster};
use rand_core::Rng;
use serde_json::{Value, json};

use super::{
    PlannedPart, ROUTES_DIR, draw, draw::Routed, preview, print, record_of, record_path,
    unfinished::is_taken_back,
};
use crate::cli::{
    LaneArg, SendArgs,
    failure::{Done, Failure, OrFail, PARTIAL},
    files, member, messages, output,
    send::{
        checks::{self, Seen},
        send_one, words,
    },
};

/// A plan about to be carried out.
struct Filing<'a> {
    args: &'a SendArgs,
    home: &'a MemberHome,
    roster: &'a Roster,
    routed: &'a Routed,
    plan: &'a Plan,
    record: &'a Record,
}

/// Sends a report by its plan, or shows the plan where nobody has agreed to it.
pub fn send(args: &SendArgs, json: bool) -> Done {
    let home = member::open(&args.from)?;
    let roster = member::roster(&home)?;
    let routed = Routed::of(words::content(args)?)?;
    let plan = draw::plan(&home, &roster, &routed)?;
    if let Some(path) = &args.how.plan {
        still_holds(&plan, path, args)?;
    } else if !args.how.confirm {
        show(args, &plan, draw::lacks(&roster, &routed, &plan), json);
        return Ok(0);
    }
    approved(&plan, &args.how.approved)?;
    attached(&plan, args)?;
    let members: Vec<String> = plan
        .recipients
        .iter()
        .map(|one| one.member.clone())
        .collect();
    let content = (routed.content_type.as_str(), routed.data.as_slice());
    checks::needs(&roster, &members, content, args.how.anyway)
        .map_err(|failure| failure.advise(draw::ADD_OR_DENY))?;
    let (record, begun) = match &args.message {
        Some(id) => {
            let record = begun_before(&home, &roster, id, (&plan, args))?;
            checks::gone_otherwise(&home, &record, &members, &routed.view)?;
            (record, true)
        }
        None => {
            checks::alike(&home, args, &members, &routed.view)?;
            (begin(&home, &plan, args)?, false)
        }
    };
    let filing = Filing {
        args,
        home: &home,
        roster: &roster,
        routed: &routed,
        plan: &plan,
        record: &record,
    };
    filing.carry_out(begun, json)
}

fn show(args: &SendArgs, plan: &Plan, lacks: Vec<String>, json: bool) {
    let ahead = preview::Ahead::of(args, plan, lacks);
    if json {
        output::document(json!({
            "sent": false, "plan": plan, "parts": plan.parts(), "lacks": ahead.lacks,
            "try": ahead.whole(),
        }));
        return;
    }
    print::plan(plan);
    ahead.tell();
}

/// Refuses if the plan that somebody has looked at is another by now. Spec: RTE-33.
fn still_holds(plan: &Plan, path: &Path, args: &SendArgs) -> Result<(), Failure> {
    let bytes = files::read(path, RECORD_BYTES_MAX)?;
    let seen: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    // Of anything else every field would be another by now.
    if !draw::is_plan(&seen) {
        let (file, from) = (args.file.display(), args.from.display());
        let what = format!("{} is no plan, and nothing was sent", path.display());
        return Err(Failure::new(WireCode::BadInput, what).advise(format!(
            "Make one, look at it, and give that: frex route {file} {from} --out plan.json"
        )));
    }
    let now = plan.decided();
    let fields = now.as_object().into_iter().flatten();
    let changed: Vec<&str> = fields
        .filter(|(name, value)| canonical(value) != canonical(&seen[name.as_str()]))
        .map(|(name, _)| name.as_str())
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    let what = format!("{} does not hold any more", path.display());
    Err(Failure::new(WireCode::PlanChanged, what)
        .cause(format!("these are others by now: {}", changed.join(", ")))
        .advise(format!(
            "Look at the plan of now: frex route {} {}",
            args.file.display(),
            args.from.display()
        )))
}

/// Spec: RTE-23.
fn approved(plan: &Plan, given: &[String]) -> Result<(), Failure> {
    let open: Vec<String> = plan
        .approvals
        .iter()
        .filter(|needed| !given.contains(&needed.by))
        .map(|needed| format!("{} for {}", needed.by, needed.country))
        .collect();
    match open.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(WireCode::NotApproved, "nothing was sent")
            .cause(format!("these must agree first: {}", open.join(", ")))),
    }
}

/// Files go with whole reports alone, and that is said. Spec: RTE-24.
fn attached(plan: &Plan, args: &SendArgs) -> Result<(), Failure> {
    if args.attach.is_empty() {
        return Ok(());
    }
    let of_copy = |copy: Copy| {
        let recipients = plan.recipients.iter().filter(move |one| one.copy == copy);
        recipients.map(|one| one.member.as_str())
    };
    if of_copy(Copy::Full).next().is_none() {
        let what = "nobody in this plan gets the whole report, so that no file can go with it";
        return Err(Failure::new(WireCode::BadInput, what).advise("Leave out --attach"));
    }
    let without: Vec<&str> = of_copy(Copy::Metadata).collect();
    if !without.is_empty() {
        output::message(format_args!(
            "note: files do not go to {}: what they get is metadata only",
            without.join(", ")
        ));
    }
    Ok(())
}

/// Keeps the record of a decision before anything leaves. Spec: RTE-30.
fn begin(home: &MemberHome, plan: &Plan, args: &SendArgs) -> Result<Record, Failure> {
    let mut salt = [0; 32];
    Random::System.rng().fill_bytes(&mut salt);
    let approved = &args.how.approved;
    let record = Record::new(plan, approved, Clock::System.now_ms(), &salt);
    if record.bytes().len() > RECORD_BYTES_MAX {
        let what = "the record of the decision would be longer than 1,048,576 bytes";
        let advice = "Name fewer countries in the report, or send all of it to members that you name: frex send FILE --to MEMBER";
        return Err(Failure::new(WireCode::TooLarge, what).advise(advice));
    }
    files::ensure_folder(&home.dir().join(ROUTES_DIR))?;
    files::replace(&record_path(home, record.message_id(0)), record.bytes())?;
    Ok(record)
}

/// The record of a command that was stopped, if the plan is still the same.
fn begun_before(
    home: &MemberHome,
    roster: &Roster,
    id: &str,
    (plan, args): (&Plan, &SendArgs),
) -> Result<Record, Failure> {
    let id = messages::sent_id(home, id)?;
    let path = record_path(home, id);
    let Some(record) = record_of(home, id)? else {
        let what = format!("message {id} was not sent by a route from here");
        return Err(Failure::new(WireCode::NotFound, what)
            .advise("Give the id of the first message of a route that was stopped"));
    };
    if is_taken_back(home, roster, &record)? {
        return Err(taken_back(home, id, args)?);
    }
    let mut then = record.value()["plan"].clone();
    if let Some(fields) = then.as_object_mut() {
        fields.remove("by");
    }
    if canonical(&then) == canonical(&plan.decided()) {
        return Ok(record);
    }
    let has_left = (0..record.parts()).any(|part| is_known(home, record.message_id(part)));
    let what = format!("message {id} was begun by another plan than that of now");
    Err(Failure::new(WireCode::PlanChanged, what).advise(match has_left {
        // By name each would get all of it. The report looks like that of the plan, to whomever of it.
        true => format!(
            "What was decided then: {}; what each may have now: frex route {file} {from}. To send it anew by that, withdraw it first: frex recall {id} {from} --reason superseded --confirm; then: {}",
            path.display(),
            anew(args),
            file = args.file.display(),
            from = args.from.display(),
        ),
        // Without a message there is no case yet.
        false => format!(
            "Nothing of it has left; send it by the plan of now: {}",
            preview::command_of(args)
        ),
    }))
}

/// Why a route that was withdrawn does not go on. Spec: RTE-36, RTE-38.
fn taken_back(home: &MemberHome, id: MessageId, args: &SendArgs) -> Result<Failure, Failure> {
    let what = format!("the route of message {id} was withdrawn from everybody who had it");
    let advice = match checks::unfounded(home, id)? {
        Some(_) => "Nothing to do: the suspicion has proved to be unfounded".to_owned(),
        None => format!(
            "Nothing to do; if it is to go all the same, send it anew: {}",
            anew(args)
        ),
    };
    Ok(Failure::new(WireCode::Recalled, what)
        .cause("who has not got it yet is not to get it either")
        .advise(advice))
}

/// The command that sends it once more, although it looks like what was sent.
fn anew(args: &SendArgs) -> String {
    let anyway = if args.how.anyway { "" } else { " --anyway" };
    preview::command_of(args) + anyway
}

/// Whether a message was sealed here before.
fn is_known(home: &MemberHome, message: MessageId) -> bool {
    messages::path_of(home, &message.to_string()).exists()
}

impl Filing<'_> {
    fn carry_out(&self, begun: bool, json: bool) -> Done {
        self.is_same_report()?;
        let first = self.record.message_id(0);
        let mut documents = Vec::new();
        let (mut went, mut failed): (Option<u8>, Option<u8>) = (None, None);
        for (at, part) in self.plan.parts().iter().enumerate() {
            if let Some(failure) = self.withdrawn(at) {
                failure.report(json);
                failed = failed.or(Some(failure.exit()));
                break;
            }
            let done = match json {
                false => {
                    self.announce(at, part);
                    self.send_part(at, part, false)
                }
                true => {
                    let (done, mut more) = output::parts(|| self.send_part(at, part, true));
                    documents.append(&mut more);
                    done
                }
            };
            match done {
                Ok(code) => went = went.max(Some(code)),
                Err(failure) if at == 0 && !begun && !is_known(self.home, first) => {
                    // Nothing has left, so nothing was decided.
                    let path = record_path(self.home, first);
                    std::fs::remove_file(&path)
                        .map_err(|error| Failure::file("remove", &path, &error))?;
                    return Err(failure);
                }
                Err(failure) => {
                    failure.report(json);
                    output::message(format_args!(
                        "note: it has not gone to {}; go on with:  {} --message {first}",
                        part.members.join(", "),
                        preview::command_of(self.args)
                    ));
                    failed = failed.or(Some(failure.exit()));
                }
            }
        }
        self.conclude(&documents, went.is_some(), json);
        Ok(match (went, failed) {
            // Where nothing has gone, no part of it was done either.
            (Some(code), None) | (None, Some(code)) => code,
            _ => PARTIAL,
        })
    }

    /// Why the rest does not go, where somebody has withdrawn meanwhile what has gone. Spec: RTE-36.
    fn withdrawn(&self, at: usize) -> Option<Failure> {
        if at == 0 {
            return None;
        }
        match is_taken_back(self.home, self.roster, self.record) {
            Ok(false) => None,
            Ok(true) => {
                let what = "the route was withdrawn meanwhile: the rest does not go";
                Some(Failure::new(WireCode::Recalled, what).advise("Nothing to do"))
            }
            Err(failure) => Some(failure),
        }
    }

    /// Refuses to go on with another report than was begun: some would get the one, some the other.
    fn is_same_report(&self) -> Result<(), Failure> {
        for (at, part) in self.plan.parts().iter().enumerate() {
            let known = messages::remembered(self.home, self.record.message_id(at))?;
            let Some(sha256) = known["sha256"].as_str() else {
                continue;
            };
            let (_, data) = self.content(part.copy)?;
            if hex::encode(label::sha256(&[&data])) != sha256 {
                let first = self.record.message_id(0);
                let what = format!("the route of message {first} was begun with another report");
                return Err(Failure::new(WireCode::BadInput, what).advise(format!(
                    "Give the same report as then; or send this one as a new one: {}",
                    preview::command_of(self.args)
                )));
            }
        }
        Ok(())
    }

    fn announce(&self, at: usize, part: &Part) {
        output::data(format_args!(
            "{}{}, lane {}, to {}",
            if at > 0 { "\n" } else { "" },
            print::copy_name(part.copy),
            print::lane_name(part.lane),
            part.members.join(", ")
        ));
    }

    fn conclude(&self, documents: &[Value], went: bool, json: bool) {
        let path = record_path(self.home, self.record.message_id(0));
        if json {
            output::document(json!({
                "sent": went, "case": self.record.message_id(0).to_string(), "record": path,
                "record_sha256": hex::encode(self.record.sha256()), "plan": self.plan,
                "messages": documents,
            }));
            return;
        }
        output::data("");
        output::data(format_args!("case     {}", self.record.message_id(0)));
        output::data(format_args!("decision {}", path.display()));
        for country in &self.plan.uncovered {
            output::message(format_args!("note: nobody of its own got it in {country}"));
        }
    }

    fn send_part(&self, at: usize, part: &Part, json: bool) -> Done {
        let message = self.record.message_id(at);
        let (content_type, data) = self.content(part.copy)?;
        let mut args = self.args.clone();
        args.to.clone_from(&part.members);
        args.lane = match part.lane {
            Lane::Urgent => LaneArg::Urgent,
            Lane::Normal => LaneArg::Normal,
        };
        // One that was begun before goes on as any message does.
        args.message = is_known(self.home, message).then(|| message.to_string());
        if at > 0 {
            args.case = Some(self.record.message_id(0).to_string());
            args.place = at as u64;
        }
        if part.copy == Copy::Metadata {
            args.attach = Vec::new();
        }
        args.how.route = false;
        args.how.part = Some(PlannedPart {
            content_type,
            data,
            message,
            seen: self.seen(),
        });
        send_one(&args, json)
    }

    /// The report is noticed as a whole, by the first of its messages.
    fn seen(&self) -> Seen {
        let recipients = self.plan.recipients.iter();
        Seen {
            message: self.record.message_id(0),
            created_ms: self.record.value()["created_ms"]
                .as_u64()
                .unwrap_or_default(),
            to: recipients.map(|one| one.member.clone()).collect(),
            tokens: tokens(&self.routed.view),
        }
    }

    fn content(&self, copy: Copy) -> Result<(String, Vec<u8>), Failure> {
        match copy {
            Copy::Full => Ok((self.routed.content_type.clone(), self.routed.data.clone())),
            Copy::Metadata => {
                let report = self.routed.model()?;
                let copy = metadata_only(&report, &self.plan.sender);
                let copy = copy.or_fail("nothing was sent")?;
                Ok((model::CONTENT_TYPE.to_owned(), copy.encode()))
            }
        }
    }
}
