//! `frex receipt fetch`: every receipt that the node holds on a message, verified and kept.

use std::{collections::BTreeSet, time::Duration};

use frex_client::client::Client;
use frex_proto::{error::WireCode, id::MessageId, roster::Roster, v1};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::cli::{
    ReceiptFetchArgs,
    failure::{Done, Failure, OrCode, OrFail},
    member, output,
    time::rfc3339,
};

/// Exit code when fewer have opened it than was waited for.
const PARTIAL: u8 = 3;
const PATIENCE: Duration = Duration::from_secs(3);
/// How often is asked while waiting.
const PAUSE: Duration = Duration::from_millis(100);

/// Receipts of one message, and who has opened it.
struct Fetched {
    rows: Vec<Value>,
    opened: BTreeSet<String>,
    unproven: usize,
    given_up: Vec<WireCode>,
}

/// Fetches the receipts of a message.
pub fn fetch(args: &ReceiptFetchArgs, json: bool) -> Done {
    let message = MessageId::from_hex(&args.message)
        .or_code(WireCode::BadInput, "a message id has 32 hexadecimal digits")?;
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let folder = home.receipts_dir();
    let fetched = member::runtime()?.block_on(async {
        let client = member::client(&home, PATIENCE).await?;
        let deadline = Instant::now() + args.wait.0;
        loop {
            let fetched = ask(&client, message, &folder, &roster).await?;
            // A node that was given up opens nothing any more.
            let over = fetched.opened.len() >= args.opened || !fetched.given_up.is_empty();
            if over || Instant::now() >= deadline {
                client.close().await;
                return Ok::<_, Failure>(fetched);
            }
            sleep(PAUSE).await;
        }
    })?;
    if json {
        output::document(json!({
            "message": message.to_string(), "receipts": fetched.rows, "opened": fetched.opened,
            "unproven": fetched.unproven,
            "given_up": fetched.given_up.iter().map(|code| code.info().name).collect::<Vec<_>>(),
        }));
    } else {
        let mut table = output::table(&["TIME", "NODE", "WHAT", "FILE"]);
        for row in &fetched.rows {
            let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
            table.add_row([text("time"), text("node"), text("event"), text("file")]);
        }
        output::print_table(&table);
        for code in &fetched.given_up {
            output::data(format_args!("given up     one recipient's node: {code}"));
        }
    }
    if fetched.unproven > 0 {
        return Err(Failure::new(
            WireCode::BadReceipt,
            format!(
                "{} receipts do not hold and were not kept",
                fetched.unproven
            ),
        ));
    }
    Ok(if fetched.opened.len() >= args.opened {
        0
    } else {
        PARTIAL
    })
}

async fn ask(
    client: &Client,
    message: MessageId,
    folder: &std::path::Path,
    roster: &Roster,
) -> Result<Fetched, Failure> {
    let history = client
        .history(message)
        .await
        .or_fail("the receipts cannot be fetched")?;
    let mut fetched = Fetched {
        rows: Vec::new(),
        opened: BTreeSet::new(),
        unproven: 0,
        given_up: history.given_up,
    };
    for answer in history.receipts {
        let Ok(proven) = answer else {
            fetched.unproven += 1;
            continue;
        };
        let path = member::keep_receipt(folder, &proven.receipt, roster)?;
        let statement = v1::Statement::decode(proven.receipt.statement.clone()).unwrap_or_default();
        if let Some(stage) = proven
            .stage
            .as_ref()
            .filter(|stage| stage.stage() >= v1::Stage::Opened)
        {
            fetched.opened.insert(stage.member.clone());
        }
        fetched.rows.push(json!({
            "event": member::event_label(&statement), "node": statement.node, "file": path,
            "index": proven.receipt.index, "time": rfc3339(proven.verified.time_ms),
            "recipients": statement.recipients,
            "member": proven.stage.as_ref().map(|stage| stage.member.clone()),
        }));
    }
    Ok(fetched)
}
