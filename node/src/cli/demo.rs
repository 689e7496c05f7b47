//! `frex demo`: a whole federation on this machine for a few seconds.
//!
//! Three organisations in three countries and a platform in a fourth, each with a node of its own
//! as a process of its own. Everything but one forged envelope is done by the commands that
//! anybody would type, as processes; what they claim is verified offline after the nodes are
//! gone.

use std::{path::PathBuf, time::Instant};

use serde_json::{Value, json};

use super::{
    DemoArgs,
    failure::{Done, Failure},
    files, output,
};

mod evidence;
mod exchange;
mod process;
mod setup;
mod tamper;
mod verify;

/// The federation's name.
const FEDERATION: &str = "demo";

/// Who takes part; the first one reports, the others receive.
const PARTIES: [Party; 4] = [
    Party {
        id: "platform.ie",
        name: "Example Platform",
        country: "IE",
        role: "platform",
    },
    Party {
        id: "hotline.fr",
        name: "Exemple Signalement",
        country: "FR",
        role: "hotline",
    },
    Party {
        id: "police.es",
        name: "Policia de Ejemplo",
        country: "ES",
        role: "police",
    },
    Party {
        id: "clearing.de",
        name: "Beispiel-Sammelstelle",
        country: "DE",
        role: "clearing-house",
    },
];

/// An organisation of the demo.
#[derive(Debug, Clone, Copy)]
struct Party {
    id: &'static str,
    name: &'static str,
    country: &'static str,
    role: &'static str,
}

/// Where everything happens, and what has been done so far.
struct Stage {
    dir: PathBuf,
    program: PathBuf,
    started: Instant,
    json: bool,
    steps: Vec<Value>,
}

/// What became of the report at one recipient.
#[derive(Debug, Default, Clone)]
struct Row {
    accepted: String,
    opened: String,
    entry: String,
}

/// Runs the federation and verifies what it did.
pub fn demo(args: &DemoArgs, json: bool) -> Done {
    let temporary;
    let dir = match &args.keep {
        Some(dir) => {
            files::make_folder(dir)?;
            std::path::absolute(dir).map_err(|error| Failure::file("find", dir, &error))?
        }
        None => {
            temporary = tempfile::tempdir().map_err(|error| {
                Failure::file("make a folder in", &std::env::temp_dir(), &error)
            })?;
            temporary.path().to_owned()
        }
    };
    let program = std::env::current_exe()
        .map_err(|error| Failure::file("find", &PathBuf::from("frex"), &error))?;
    let mut stage = Stage {
        dir,
        program,
        started: Instant::now(),
        json,
        steps: Vec::new(),
    };
    let rows = stage.play()?;
    stage.finish(&rows, args.keep.is_some());
    Ok(0)
}

impl Stage {
    fn play(&mut self) -> Result<Vec<(Party, Row)>, Failure> {
        let ports = setup::federation(self)?;
        let nodes = process::Nodes::start(self, &ports)?;
        let message = exchange::file(self)?;
        exchange::open(self)?;
        let rows = exchange::acknowledged(self, &message)?;
        tamper::envelope(self)?;
        evidence::export(self, &message)?;
        nodes.stop()?;
        self.done(
            "nodes",
            "every node was told to stop and did: from here on there is nobody to ask",
        );
        verify::receipts(self)?;
        tamper::receipt(self)?;
        evidence::verify(self)?;
        verify::logs(self)?;
        Ok(rows)
    }

    fn member_dir(party: &Party) -> String {
        format!("members/{}", party.id)
    }

    /// Records a step that has succeeded and tells the person at the terminal.
    fn done(&mut self, name: &str, what: &str) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.steps
            .push(json!({ "step": name, "what": what, "at_ms": ms }));
        if !self.json {
            output::data(format_args!(
                "{:>6.2} s  {what}",
                self.started.elapsed().as_secs_f64()
            ));
        }
    }

    fn finish(&self, rows: &[(Party, Row)], kept: bool) {
        let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.json {
            let recipients: Vec<Value> = rows
                .iter()
                .map(|(party, row)| {
                    json!({
                        "member": party.id, "country": party.country, "role": party.role,
                        "accepted": row.accepted, "opened": row.opened, "entry": row.entry,
                    })
                })
                .collect();
            return output::document(json!({
                "verified": true, "ms": ms, "steps": self.steps, "recipients": recipients,
                "dir": kept.then_some(&self.dir),
            }));
        }
        let mut table = output::table(&[
            "RECIPIENT",
            "COUNTRY",
            "ROLE",
            "ACCEPTED",
            "OPENED",
            "LOG ENTRY",
            "RECEIPTS",
        ]);
        for (party, row) in rows {
            table.add_row([
                party.id,
                party.country,
                party.role,
                &row.accepted,
                &row.opened,
                &row.entry,
                "verified, final",
            ]);
        }
        output::data("");
        output::print_table(&table);
        output::data("");
        if kept {
            let dir = self.dir.display();
            output::data(format_args!(
                "kept in {dir}: members, roster.frex, root.frex, receipts, evidence, log"
            ));
            output::data(format_args!(
                "try: frex receipt verify {dir}/receipts/*.tlog-proof --roster {dir}/roster.frex --root {dir}/root.frex"
            ));
        }
        output::data(output::good("VERIFIED"));
    }
}
