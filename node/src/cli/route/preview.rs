//! `frex route FILE`: the plan, before anything is sealed.

use std::path::Path;

use serde_json::json;

use super::{RouteArgs, Which, draw, print};
use crate::cli::{
    SendArgs,
    failure::{Done, Failure},
    files, member, output,
    send::words,
    time::rfc3339,
};
use frex_client::{casework::routing::canonical, environment::Clock};
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
    if let Some(out) = out {
        files::write_new(out, format!("{}\n", canonical(&value)).as_bytes())?;
    }
    if json {
        output::document(json!({"file": file, "plan": value, "parts": plan.parts(), "out": out}));
    } else {
        print::plan(&plan);
        output::message(format_args!(
            "note: nothing is sealed or sent; send it so with:  {}",
            command(file, &args.dir, out.as_deref())
        ));
    }
    Ok(0)
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

/// The command that carries out what was given to `frex send`, with all that was given.
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

    use super::*;
    use crate::cli::{Cli, Command};

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
