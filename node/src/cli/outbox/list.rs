//! `frex outbox ls`: what waits, and what did not get there.

use frex_client::client::OutboxQuery;
use frex_proto::v1::OutboxShelf;
use serde_json::{Value, json};

use super::{OutboxListArgs, client, document, gather, state_name, words};
use crate::cli::{failure::Done, member, output, time::rfc3339};

/// Lists deliveries, by node and lane, the oldest first.
pub fn list(args: &OutboxListArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let query = OutboxQuery {
        all: args.all,
        shelf: match (args.dead, args.waiting) {
            (true, _) => OutboxShelf::Dead,
            (_, true) => OutboxShelf::Waiting,
            _ => OutboxShelf::Unspecified,
        },
        ..OutboxQuery::default()
    };
    let max = usize::try_from(args.max).unwrap_or(usize::MAX);
    let (found, more) = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let found = gather(&client, &query, max, |_| true).await;
        client.close().await;
        found
    })?;
    if json {
        let rows = found.iter();
        let rows: Vec<Value> = rows
            .map(|one| document(one, &words::of(one, &args.dir)))
            .collect();
        output::document(json!({ "deliveries": rows, "more": more }));
        return Ok(0);
    }
    if found.is_empty() {
        output::message("nothing waits, and nothing was given up");
        return Ok(0);
    }
    let header = [
        "STATE", "LANE", "TO", "OF", "MESSAGE", "SINCE", "UNTIL", "WHY",
    ];
    let mut table = output::table(&header);
    for one in &found {
        let why = one.code.map_or("", |code| code.info().name);
        table.add_row([
            state_name(one.state),
            member::lane_name(one.lane),
            &output::clean(&one.node),
            &output::clean(&one.member),
            &one.message.to_string(),
            &rfc3339(one.since_ms),
            &rfc3339(one.expires_ms),
            why,
        ]);
    }
    output::print_table(&table);
    if more {
        output::message(format_args!(
            "note: there are more; --max {} shows them",
            max * 2
        ));
    }
    output::message(format_args!(
        "what keeps one, and what to do: frex outbox show MESSAGE {}",
        args.dir.display()
    ));
    Ok(0)
}
