//! `frex route FILE`: the plan, before anything is sealed.

use std::{collections::BTreeSet, path::Path};

use serde_json::json;

use super::{RouteArgs, Which, draw, print};
use crate::cli::{
    SendArgs,
    failure::{Done, Failure},
    files, member, output,
    send::words,
    time::rfc3339,
};
use frex_client::{
    casework::routing::{Plan, canonical},
    environment::Clock,
};
use frex_proto::error::WireCode;

/// Shows who would be able to read a report, and why.
pub fn preview(args: &RouteArgs, json: bool) -> Done {
    let Some(Which { file, out }) = &args.which else {
        return Err(
            Failure::new(WireCode::BadInput, "which report is to be routed?")
                .advise(format!("frex route FILE {}", args.dir.display())),
        );
    };
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let routed = draw::Routed::of(words::report_at(file)?)?;
    let plan = draw::plan(&home, &roster, &routed)?;
    let value = serde_json::to_value(&plan).unwrap_or_default();
    let ahead = Ahead {
        plan: &plan,
        lacks: draw::lacks(&roster, &routed, &plan),
        agreed: &[],
        anyway: false,
        command: command(file, &args.dir, out.as_deref()),
    };
    if let Some(out) = out {
        files::write_new(out, format!("{}\n", canonical(&value)).as_bytes())?;
    }
    if json {
        output::document(json!({
            "file": file, "plan": value, "parts": plan.parts(), "out": out,
            "lacks": ahead.lacks, "try": ahead.whole(),
        }));
    } else {
        print::plan(&plan);
        ahead.tell();
    }
    Ok(0)
}

/// What stands between a plan that is shown and its being sent.
pub struct Ahead<'a> {
    plan: &'a Plan,
    /// What recipients miss in the report, a line for each.
    pub lacks: Vec<String>,
    agreed: &'a [String],
    anyway: bool,
    command: String,
}

impl<'a> Ahead<'a> {
    /// Of what was given to `frex send`: one that was begun goes on under its id.
    #[must_use]
    pub fn of(args: &'a SendArgs, plan: &'a Plan, lacks: Vec<String>) -> Self {
        let begun = args.message.as_ref().map(|id| format!(" --message {id}"));
        Self {
            plan,
            lacks,
            agreed: &args.how.approved,
            anyway: args.how.anyway,
            command: command_of(args) + &begun.unwrap_or_default(),
        }
    }

    /// Who must agree and has not, each once.
    fn waits_for(&self) -> BTreeSet<&str> {
        let needed = self.plan.approvals.iter().map(|needed| needed.by.as_str());
        needed
            .filter(|by| !self.agreed.iter().any(|one| one == by))
            .collect()
    }

    /// The command that is not refused: with all who must agree, and all the same where something is missing.
    #[must_use]
    pub fn whole(&self) -> String {
        let mut command = self.command.clone();
        for who in self.waits_for() {
            command.push_str(&format!(" --approved '{who}'"));
        }
        if !self.lacks.is_empty() && !self.anyway {
            command.push_str(" --anyway");
        }
        command
    }

    /// What is said below the plan, each line for itself.
    fn notes(&self) -> Vec<String> {
        let refused = !self.lacks.is_empty() && !self.anyway;
        let how = if refused {
            ""
        } else {
            "; it goes all the same"
        };
        let mut notes: Vec<String> = self.lacks.iter().map(|line| line.clone() + how).collect();
        if refused {
            notes.push(format!("as it stands it is refused. {}", draw::ADD_OR_DENY));
        }
        let waits = Vec::from_iter(self.waits_for()).join(" and ");
        let once = match waits.is_empty() {
            true => String::new(),
            false => format!(", once it is agreed to by {},", output::clean(&waits)),
        };
        let same = if refused { "all the same" } else { "so" };
        notes.push(format!(
            "nothing is sealed or sent; send it {same}{once} with:  {}",
            self.whole()
        ));
        notes
    }

    /// Says what is missing, and the command that sends it.
    pub fn tell(&self) {
        for note in self.notes() {
            output::message(format_args!("note: {note}"));
        }
    }
}

/// The command that carries a plan out.
pub fn command(file: &Path, dir: &Path, plan: Option<&Path>) -> String {
    let how = match plan {
        Some(plan) => format!("--plan {}", plan.display()),
        None => "--confirm".to_owned(),
    };
    format!(
        "frex send {} --route {how} --from {}",
        file.display(),
        dir.display()
    )
}

/// The command that carries out what was given to `frex send`, with all that was given but the message that was
/// begun.
pub fn command_of(args: &SendArgs) -> String {
    let mut command = command(&args.file, &args.from, args.how.plan.as_deref());
    for who in &args.how.approved {
        command.push_str(&format!(" --approved '{who}'"));
    }
    for file in &args.attach {
        command.push_str(&format!(" --attach '{}'", file.display()));
    }
    let now_ms = Clock::System.now_ms();
    for (option, moment) in [("expires", args.expires), ("reply-by", args.reply_by)] {
        if let Some(moment) = moment {
            command.push_str(&format!(" --{option} {}", rfc3339(moment.after(now_ms))));
        }
    }
    if args.how.anyway {
        command.push_str(" --anyway");
    }
    command
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use frex_client::casework::routing::{
        Lane, Policy, Ranges, Role, RosterView, Seat, route as plan_of,
    };

    use super::*;
    use crate::cli::{Cli, Command};

    fn given(line: &str) -> SendArgs {
        let Command::Send(args) = Cli::try_parse_from(line.split(' ')).unwrap().command else {
            panic!("{line}");
        };
        args
    }

    /// A plan that two must agree to, one of them for two countries.
    fn plan() -> Plan {
        let seat = |id: &str, role, country: &str| Seat {
            id: id.to_owned(),
            role,
            country: country.to_owned(),
            jurisdictions: BTreeSet::new(),
            live: true,
            lanes: BTreeSet::from([Lane::Normal]),
        };
        let roster = RosterView {
            version: 1,
            members: vec![
                seat("clearing.us", Role::ClearingHouse, "US"),
                seat("police.fr", Role::Police, "FR"),
            ],
        };
        let policy = b"version = 1\n[[approval]]\ncountries = [\"FR\", \"US\"]\nby = \"legal\"\n[[approval]]\ncountries = [\"FR\"]\nby = \"chief\"\n";
        let report = json!({"jurisdictions": [{"country": "FR", "basis": "victim-location"}]});
        let policy = Policy::parse(policy).unwrap();
        plan_of(
            &report,
            &roster,
            "platform.us",
            &policy,
            (&Ranges::default(), ""),
        )
        .unwrap()
    }

    // RTE-5, RTE-23, RTE-34: what is printed below a plan is a command that does what was looked at.
    #[test]
    fn the_command_below_a_plan_is_not_refused() {
        let plan = plan();
        let args = given("frex send a.json --route --from p --message 965ebc23 --approved legal");
        let lacks = || vec!["police.fr needs a report to say more, it lacks: urls".to_owned()];
        assert_eq!(
            Ahead::of(&args, &plan, Vec::new()).whole(),
            "frex send a.json --route --confirm --from p --approved 'legal' --message 965ebc23 --approved 'chief'"
        );
        let ahead = Ahead {
            plan: &plan,
            lacks: lacks(),
            agreed: &[],
            anyway: false,
            command: command(
                Path::new("a.json"),
                Path::new("p"),
                Some(Path::new("plan.json")),
            ),
        };
        let whole = "frex send a.json --route --plan plan.json --from p --approved 'chief' --approved 'legal' --anyway";
        assert_eq!(ahead.whole(), whole);
        let notes = ahead.notes().join("\n");
        for said in [
            "it lacks: urls",
            "do = \"deny\"",
            "once it is agreed to by chief and legal, with:",
            whole,
        ] {
            assert!(notes.contains(said), "{said}: {notes}");
        }
        let args = given("frex send a.json --route --from p --anyway");
        let anyway = Ahead::of(&args, &plan, lacks());
        assert_eq!(anyway.whole().matches("--anyway").count(), 1);
        assert!(!anyway.notes().join("\n").contains("refused"));
    }

    // RTE-23, RTE-34: a command that is printed holds all that was given: without who has agreed, or a file, it
    // would be refused.
    #[test]
    fn what_goes_on_is_all_that_was_given() {
        let given = "frex send a.json --route --confirm --approved legal --attach b.bin --expires 2100-01-01T00:00:00Z --anyway --from hotline";
        let Command::Send(args) = Cli::try_parse_from(given.split(' ')).unwrap().command else {
            panic!("{given}");
        };
        assert_eq!(
            command_of(&args),
            "frex send a.json --route --confirm --from hotline --approved 'legal' --attach 'b.bin' --expires 2100-01-01T00:00:00.000Z --anyway"
        );
        let planned = "frex send a.json --route --plan p.json --from .".split(' ');
        let Command::Send(args) = Cli::try_parse_from(planned).unwrap().command else {
            panic!("p.json");
        };
        assert_eq!(
            command_of(&args),
            "frex send a.json --route --plan p.json --from ."
        );
    }
}
