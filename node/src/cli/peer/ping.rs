//! `frex peer ping`: how far a sealed message comes, and in what time.

use std::time::{Duration, Instant};

use frex_client::client::{Client, News, ProvenReceipt};
use frex_proto::{error::WireCode, v1};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::PeerPingArgs;
use crate::cli::{
    failure::{Done, Failure, OrFail, PARTIAL},
    member, output,
};

/// How often the home node is asked whether somebody has read it.
const PAUSE: Duration = Duration::from_millis(100);

/// What became of one ping.
struct Pinged {
    message: String,
    /// The stages reached, in their order, as rows.
    stages: Vec<Value>,
    accepted: bool,
    delivered: bool,
    refused: Option<WireCode>,
}

/// Pings a member.
pub fn ping(args: &PeerPingArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let runtime = member::runtime()?;
    let pinged = runtime.block_on(async {
        let client = member::client(&home, args.wait.0).await?;
        let mut pinged = Vec::new();
        for number in 1..=args.count {
            let one = ping_once(&client, args).await?;
            if !json {
                print(number, &args.member, &one);
            }
            pinged.push(one);
        }
        client.close().await;
        Ok::<_, Failure>(pinged)
    })?;
    let count = |reached: fn(&Pinged) -> bool| pinged.iter().filter(|one| reached(one)).count();
    let (accepted, delivered) = (count(|one| one.accepted), count(|one| one.delivered));
    if json {
        let pings: Vec<Value> = pinged
            .iter()
            .map(|one| {
                let code = one.refused.map(|code| code as u16);
                json!({ "message": one.message, "stages": one.stages, "code": code })
            })
            .collect();
        output::document(json!({
            "member": args.member, "pings": pings, "accepted": accepted, "delivered": delivered,
        }));
    }
    if accepted == pinged.len() {
        if !json && delivered < accepted {
            output::message("note: the way is open; nobody reads the inbox there at the moment");
        }
        return Ok(0);
    }
    match pinged.iter().find_map(|one| one.refused) {
        Some(code) if accepted == 0 => Err(Failure::new(
            code,
            format!("{} was not reached", output::clean(&args.member)),
        )),
        _ => Ok(PARTIAL),
    }
}

async fn ping_once(client: &Client, args: &PeerPingArgs) -> Result<Pinged, Failure> {
    let member = args.member.as_str();
    let draft = client.finish(client.draft(&[member]).ping());
    let draft = draft.or_fail("the member cannot be pinged")?;
    let started = Instant::now();
    let envelope = client.seal(&draft).or_fail("the ping cannot be sealed")?;
    let submission = client.submit(vec![envelope], args.wait.0).await;
    let mut submission = submission.or_fail("the ping was not submitted")?;
    let mut pinged = Pinged {
        message: draft.message_id.to_string(),
        stages: Vec::new(),
        accepted: false,
        delivered: false,
        refused: None,
    };
    while let Some(event) = submission.next().await {
        match event.news {
            News::Submitted(receipt) => pinged.reached("SUBMITTED", &receipt, started),
            News::Accepted { receipt, .. } => {
                pinged.accepted = true;
                pinged.reached("ACCEPTED", &receipt, started);
            }
            News::Stage { receipt, .. } => pinged.read(&receipt, started),
            News::Rejected { code, .. }
            | News::Undeliverable { code }
            | News::Refused { code }
            | News::Unanswered { code } => pinged.refused = Some(code),
            News::Unproven(unproven) => {
                output::message(format_args!(
                    "note: a receipt does not hold: {}",
                    unproven.error
                ));
                pinged.refused = Some(unproven.error.into());
            }
            _ => {}
        }
    }
    while pinged.accepted && !pinged.delivered && started.elapsed() < args.wait.0 {
        sleep(PAUSE).await;
        let receipts = client.receipts(draft.message_id).await;
        let receipts = receipts.or_fail("the home node does not say what became of the ping")?;
        for receipt in receipts.iter().flatten() {
            pinged.read(receipt, started);
        }
    }
    Ok(pinged)
}

impl Pinged {
    /// Takes note of the member's own word, once.
    fn read(&mut self, receipt: &ProvenReceipt, started: Instant) {
        let delivered = |word: &v1::StageStatement| word.stage() == v1::Stage::Delivered;
        if !self.delivered && receipt.stage.as_ref().is_some_and(delivered) {
            self.delivered = true;
            self.reached("DELIVERED", receipt, started);
        }
    }

    fn reached(&mut self, stage: &str, receipt: &ProvenReceipt, started: Instant) {
        self.stages.push(json!({
            "stage": stage, "node": receipt.node(), "entry": receipt.verified.index,
            "after_ms": u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        }));
    }
}

fn print(number: u32, member: &str, pinged: &Pinged) {
    output::data(format_args!("ping {number} to {}", output::clean(member)));
    for stage in &pinged.stages {
        output::data(format_args!(
            "  {:<10} {:>6} ms  {} entry {}, receipt verified",
            stage["stage"].as_str().unwrap_or_default(),
            stage["after_ms"],
            output::clean(stage["node"].as_str().unwrap_or_default()),
            stage["entry"],
        ));
    }
    if let Some(code) = pinged.refused {
        output::data(format_args!("  {code}"));
    } else if !pinged.accepted {
        output::data("  no answer of the member's node in time; its home node tries on");
    }
}
