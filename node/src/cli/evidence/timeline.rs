//! `frex evidence timeline`: what happened to a message and its answers, each line by its proof.
//! Spec: EVD-7, EVD-8.

use frex_client::environment::Clock;
use serde_json::json;

use super::{TimelineArgs, clocks::Told, export, gather::gather, print};
use crate::cli::{failure::Done, member, output};

/// Tells it.
pub fn timeline(args: &TimelineArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let gathered = gather(&home, &args.id, &args.gathering)?;
    let findings = export::findings(&home, gathered.parts, &args.id)?;
    let told = Told::Folder {
        now_ms: Clock::System.now_ms(),
    };
    if json {
        output::document(json!({
            "timeline": print::timeline_json(&findings), "clocks": print::clocks_json(&findings, told),
            "final": print::is_final(&findings),
        }));
    } else {
        print::timeline(&findings, told);
        output::message(format_args!(
            "To show it to others, with what proves it:  frex evidence export {} {} --out FILE",
            args.id,
            args.dir.display()
        ));
    }
    Ok(0)
}
