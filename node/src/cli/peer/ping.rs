//! `frex peer ping`: how far a sealed message comes, and in what time.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use frex_client::client::{Client, News, ProvenReceipt};
use frex_proto::{delivery::Stage, error::WireCode};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::PeerPingArgs;
use crate::cli::{
    failure::{Done, Failure, OrFail, PARTIAL},
    member, output,
};

/// How often the home node is asked whether somebody has read it.
const PAUSE: Duration = Duration::from_millis(100);

/// All that a ping can reach.
const STAGES: [Stage; 3] = [Stage::Submitted, Stage::Accepted, Stage::Delivered];

/// What became of one ping.
struct Pinged {
    message: String,
    /// The stages reached, as rows; they may be heard in any order.
    stages: BTreeMap<Stage, Value>,
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
    let count = |stage| pinged.iter().filter(|one| one.has(stage)).count();
    let (accepted, delivered) = (count(Stage::Accepted), count(Stage::Delivered));
    if json {
        let pings: Vec<Value> = pinged
            .iter()
            .map(|one| {
                let code = one.refused.map(|code| code as u16);
                let stages: Vec<&Value> = one.stages.values().collect();
                json!({ "message": one.message, "stages": stages, "code": code })
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
        stages: BTreeMap::new(),
        refused: None,
    };
    while let Some(event) = submission.next().await {
        match event.news {
            News::Submitted(receipt)
            | News::Accepted { receipt, .. }
            | News::Stage { receipt, .. } => pinged.hear(&receipt, started),
            News::Rejected { code, .. }
            | News::Undeliverable { code, .. }
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
    // What the recipient says may overtake what its node says.
    let whole = |pinged: &Pinged| pinged.stages.len() == STAGES.len();
    while pinged.has(Stage::Submitted) && !whole(&pinged) && started.elapsed() < args.wait.0 {
        sleep(PAUSE).await;
        let receipts = client.receipts(draft.message_id).await;
        let receipts = receipts.or_fail("the home node does not say what became of the ping")?;
        for receipt in receipts.iter().flatten() {
            pinged.hear(receipt, started);
        }
    }
    Ok(pinged)
}

impl Pinged {
    /// Takes note of a stage, once.
    fn hear(&mut self, receipt: &ProvenReceipt, started: Instant) {
        let stage = match &receipt.stage {
            Some(word) => Stage::of_word(word.stage()),
            None => Stage::of_event(receipt.statement().event),
        };
        let Some(stage) = stage.filter(|stage| STAGES.contains(stage)) else {
            return;
        };
        let after_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.stages.entry(stage).or_insert_with(|| {
            json!({
                "stage": stage.name(), "node": receipt.node(), "entry": receipt.verified.index,
                "after_ms": after_ms,
            })
        });
    }

    /// Whether it came so far: a later stage shows the earlier too.
    fn has(&self, stage: Stage) -> bool {
        self.stages.range(stage..).next().is_some()
    }
}

fn print(number: u32, member: &str, pinged: &Pinged) {
    output::data(format_args!("ping {number} to {}", output::clean(member)));
    for stage in pinged.stages.values() {
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
    } else if !pinged.has(Stage::Accepted) {
        output::data("  no answer of the member's node in time; its home node tries on");
    }
}
