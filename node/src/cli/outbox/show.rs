//! `frex outbox show`: what keeps one message.

use serde_json::{Value, json};

use super::{OutboxShowArgs, client, document, item_name, state_name, words};
use crate::cli::{failure::Done, member, output, time::rfc3339};

/// Shows each delivery of a message.
pub fn show(args: &OutboxShowArgs, json: bool) -> Done {
    let which = &args.which;
    let home = member::open(&which.dir)?;
    let found = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let found = which.deliveries(&home, &client).await;
        client.close().await;
        found
    })?;
    let told: Vec<_> = found
        .iter()
        .map(|one| (one, words::of(one, &which.dir)))
        .collect();
    if json {
        let rows: Vec<Value> = told
            .iter()
            .map(|(one, words)| document(one, words))
            .collect();
        output::document(json!({ "message": found[0].message.to_string(), "deliveries": rows }));
        return Ok(0);
    }
    for (one, words) in &told {
        output::data(output::clean(&one.node));
        let rows = [
            ("state", state_name(one.state).to_owned()),
            ("lane", member::lane_name(one.lane).to_owned()),
            ("what", format!("{} of {}", item_name(one.item), one.member)),
            ("envelope", one.envelope.to_string()),
            ("since", rfc3339(one.since_ms)),
            ("until", rfc3339(one.expires_ms)),
            ("happened", words.what.clone()),
            ("why", words.why.clone()),
            ("try", words.mend.clone()),
        ];
        for (name, text) in rows {
            output::data(format_args!("  {name:<9} {}", output::clean(&text)));
        }
    }
    Ok(0)
}
