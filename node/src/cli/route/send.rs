//! `frex send --route`: a report goes to everybody in its plan, as one message for each copy and lane.
//!
//! The record of the decision is kept before anything leaves; the ids of the messages are made of it.
//! A command that was stopped is given again with the id of its first message. Spec: RTE-27 to RTE-34.

use std::path::{Path, PathBuf};

use frex_client::{
    casework::{
        model,
        quality::tokens,
        routing::{Copy, Lane, Part, Plan, Record, canonical, metadata_only},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId};
use rand_core::Rng;
use serde_json::{Value, json};

use super::{PlannedPart, ROUTES_DIR, draw, draw::Routed, preview, print};
use crate::cli::{
    LaneArg, SendArgs,
    failure::{Done, Failure, OrCode, OrFail, PARTIAL},
    files, member, messages, output,
    send::{checks, send_one, words},
};

const PLAN_BYTES_MAX: usize = 1024 * 1024;

/// A plan about to be carried out.
struct Filing<'a> {
    args: &'a SendArgs,
    home: &'a MemberHome,
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
        show(args, &plan, json);
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
    checks::needs(&roster, &members, content, args.how.anyway)?;
    let (record, begun) = match &args.message {
        Some(id) => (begun_before(&home, id, &plan)?, true),
        None => {
            checks::alike(&home, args, &members, &routed.view)?;
            (begin(&home, &plan, args)?, false)
        }
    };
    let filing = Filing {
        args,
        home: &home,
        routed: &routed,
        plan: &plan,
        record: &record,
    };
    filing.carry_out(begun, json)
}

fn show(args: &SendArgs, plan: &Plan, json: bool) {
    let command = preview::command_of(args);
    if json {
        output::document(json!({
            "sent": false, "plan": plan, "parts": plan.parts(), "try": command,
        }));
        return;
    }
    print::plan(plan);
    output::message(format_args!(
        "note: nothing is sent; if this is right, say so:  {command}"
    ));
}

/// Refuses if the plan that somebody has looked at is another by now. Spec: RTE-33.
fn still_holds(plan: &Plan, path: &Path, args: &SendArgs) -> Result<(), Failure> {
    let bytes = files::read(path, PLAN_BYTES_MAX)?;
    let seen: Value = serde_json::from_slice(&bytes).or_code(
        WireCode::BadInput,
        format_args!("{} is no plan", path.display()),
    )?;
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
    files::ensure_folder(&home.dir().join(ROUTES_DIR))?;
    files::write_new(&path_of(home, record.message_id(0)), record.bytes())?;
    Ok(record)
}

/// The record of a command that was stopped, if the plan is still the same.
fn begun_before(home: &MemberHome, id: &str, plan: &Plan) -> Result<Record, Failure> {
    let id = messages::sent_id(home, id)?;
    let path = path_of(home, id);
    if !path.exists() {
        let what = format!("message {id} was not sent by a route from here");
        return Err(Failure::new(WireCode::NotFound, what)
            .advise("Give the id of the first message of a route that was stopped"));
    }
    let record = Record::parse(&files::read(&path, PLAN_BYTES_MAX)?).or_fail(path.display())?;
    let mut then = record.value()["plan"].clone();
    if let Some(fields) = then.as_object_mut() {
        fields.remove("by");
    }
    match canonical(&then) == canonical(&plan.decided()) {
        true => Ok(record),
        false => Err(Failure::new(WireCode::PlanChanged, format!(
            "message {id} was begun by another plan than that of now"
        ))
        .advise(format!(
            "What was decided then: {}; send to those who have not got it: frex send FILE --to MEMBER --case {id}",
            path.display()
        ))),
    }
}

fn path_of(home: &MemberHome, first: MessageId) -> PathBuf {
    home.dir().join(ROUTES_DIR).join(format!("{first}.json"))
}

impl Filing<'_> {
    fn carry_out(&self, begun: bool, json: bool) -> Done {
        let parts = self.plan.parts();
        let first = self.record.message_id(0);
        let (mut documents, mut exit) = (Vec::new(), 0);
        for (at, part) in parts.iter().enumerate() {
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
                Ok(code) => exit = exit.max(code),
                Err(failure) if at == 0 && !begun && !self.is_known(0) => {
                    // Nothing has left, so nothing was decided.
                    std::fs::remove_file(path_of(self.home, first)).map_err(|error| {
                        Failure::file("remove", &path_of(self.home, first), &error)
                    })?;
                    return Err(failure);
                }
                Err(failure) => {
                    failure.report(json);
                    output::message(format_args!(
                        "note: it has not gone to {}; go on with:  {} --message {first}",
                        part.members.join(", "),
                        preview::command_of(self.args)
                    ));
                    exit = PARTIAL;
                }
            }
        }
        self.remember(first);
        self.conclude(&documents, json);
        Ok(exit)
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

    fn conclude(&self, documents: &[Value], json: bool) {
        let path = path_of(self.home, self.record.message_id(0));
        if json {
            output::document(json!({
                "sent": true, "case": self.record.message_id(0).to_string(), "record": path,
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

    /// Whether a message of the plan is known here already.
    fn is_known(&self, part: usize) -> bool {
        let id = self.record.message_id(part).to_string();
        messages::path_of(self.home, &id).exists()
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
        args.message = self.is_known(at).then(|| message.to_string());
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
        });
        send_one(&args, json)
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

    /// That it was sent is noticed the next time, if any of it has left.
    fn remember(&self, first: MessageId) {
        if !self.is_known(0) {
            return;
        }
        let to: Vec<String> = self
            .plan
            .recipients
            .iter()
            .map(|one| one.member.clone())
            .collect();
        let now_ms = Clock::System.now_ms();
        checks::remember(self.home, (first, now_ms), &to, &tokens(&self.routed.view));
    }
}
