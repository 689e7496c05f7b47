//! Verifies a receipt file offline, against the roster that a member holds, and prints each check.
//!
//! ```text
//! cargo run -p frex-client --example verify_receipt -- DIR/members/police.es/member RECEIPT.tlog-proof
//! ```

use std::{env, fs, path::Path, process::ExitCode};

use anyhow::{Context, bail};
use frex_client::{environment::Clock, keys::MemberHome};
use frex_proto::receipt::{self, Outcome, Statement};

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [dir, file] = arguments.as_slice() else {
        bail!("usage: verify_receipt MEMBER-DIR RECEIPT.tlog-proof");
    };
    let roster = MemberHome::open(Path::new(dir))?.roster(Clock::System.now_ms())?;
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let receipt = receipt::from_tlog_proof_text(&text)?;
    let statement = Statement::parse(&receipt.statement)?;
    let log = roster
        .log_verifier_for(&statement.node, &receipt.checkpoint)
        .with_context(|| format!("{} is not in the roster", statement.node))?;

    let checks = receipt::checks(&receipt, &log, None);
    for check in &checks {
        println!("{:<12} {}", check.outcome.word(), check.name);
    }
    if !checks.iter().all(|check| check.outcome == Outcome::Holds) {
        println!("NOT VERIFIED");
        return Ok(ExitCode::from(20));
    }
    println!(
        "VERIFIED {} by {}",
        statement.event.as_str_name(),
        statement.node
    );
    Ok(ExitCode::SUCCESS)
}
