//! `frex route FILE`: the plan, before anything is sealed.

use std::path::Path;

use serde_json::json;

use super::{RouteArgs, Which, draw, print};
use crate::cli::{
    SendArgs,
    failure::{Done, Failure},
    files, member, output,
    send::words,
};
use frex_client::casework::routing::canonical;
use frex_proto::error::WireCode;

/// Shows who would be able to read a report, and why.
pub fn preview(args: &RouteArgs, json: bool) -> Done {
    let Some(Which { file, out }) = &args.which else {
        return Err(
            Failure::new(WireCode::BadInput, "which report is to be routed?")
                .advise("frex route FILE DIR"),
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

/// The command that carries out what was given to `frex send`.
pub fn command_of(args: &SendArgs) -> String {
    command(&args.file, &args.from, None)
}
