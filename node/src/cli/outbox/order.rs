//! `frex outbox requeue` and `frex outbox drop`.

use frex_client::client::{Client, Delivery};
use frex_proto::{error::WireCode, v1::OutboxState};
use serde_json::json;

use super::{OutboxDropArgs, OutboxOrderArgs, client, state_name};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
};

/// Has what was given up wait again.
pub fn requeue(args: &OutboxOrderArgs, json: bool) -> Done {
    args.which.id()?;
    let home = member::open(&args.which.dir)?;
    let done = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let done = requeue_all(&client, args).await;
        client.close().await;
        done
    })?;
    let nodes: Vec<&str> = done.iter().map(|one| one.node.as_str()).collect();
    if json {
        output::document(json!({ "message": args.which.message, "requeued": nodes }));
    } else {
        for node in nodes {
            output::data(format_args!("waits again for {}", output::clean(node)));
        }
    }
    Ok(0)
}

async fn requeue_all(client: &Client, args: &OutboxOrderArgs) -> Result<Vec<Delivery>, Failure> {
    let found = args.which.deliveries(client).await?;
    let is_dead = |one: &Delivery| one.state == OutboxState::Dead;
    // One that waits already needs nothing, and whoever asked twice is told that it waits.
    let any_dead = found.iter().any(is_dead);
    let meant = found.into_iter().filter(|one| is_dead(one) || !any_dead);
    let meant = of_one_node(args, meant.collect())?;
    for one in &meant {
        let what = format!("the delivery to {} does not wait again", one.node);
        client.requeue(&one.key).await.map_err(|error| {
            let code = WireCode::from(&error);
            let failure = Failure::of(error, what);
            match code {
                WireCode::Expired => failure.advise(format!(
                    "File it anew: frex send; then: frex outbox drop {} {} --node {} --confirm",
                    one.message,
                    args.which.dir.display(),
                    one.node
                )),
                _ => failure,
            }
        })?;
    }
    Ok(meant)
}

/// Ends a delivery that waits, or removes a dead letter, once it is confirmed.
pub fn drop(args: &OutboxDropArgs, json: bool) -> Done {
    let (order, which) = (&args.order, &args.order.which);
    which.id()?;
    let home = member::open(&which.dir)?;
    let meant = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let done = drop_all(&client, args, json).await;
        client.close().await;
        done
    })?;
    let plan: Vec<String> = meant.iter().map(step).collect();
    if json {
        output::document(json!({
            "message": which.message, "confirmed": args.confirm, "plan": plan,
        }));
    } else if args.confirm {
        output::data(format_args!("dropped  {}", which.message));
    } else {
        let node = order.node.iter().map(|node| format!(" --node {node}"));
        let node: String = node.collect();
        let all = if which.all { " --all" } else { "" };
        output::data("Nothing was changed. To do it:");
        output::data(format_args!(
            "  frex outbox drop {} {}{node}{all} --confirm",
            which.message,
            which.dir.display()
        ));
    }
    Ok(0)
}

async fn drop_all(
    client: &Client,
    args: &OutboxDropArgs,
    json: bool,
) -> Result<Vec<Delivery>, Failure> {
    let found = args.order.which.deliveries(client).await?;
    let meant = of_one_node(&args.order, found)?;
    if !json {
        output::data("plan:");
        for one in &meant {
            output::data(format_args!("  {}", output::clean(&step(one))));
        }
    }
    if args.confirm {
        for one in &meant {
            let what = format!("the delivery to {} is not dropped", one.node);
            client.drop_delivery(&one.key).await.or_fail(what)?;
        }
    }
    Ok(meant)
}

fn step(one: &Delivery) -> String {
    match one.state {
        OutboxState::Dead => format!(
            "remove what could not be delivered to {}: it cannot be queued again",
            one.node
        ),
        state => format!(
            "end the delivery to {}, which is {}: the sender is told UNDELIVERABLE",
            one.node,
            state_name(state)
        ),
    }
}

/// Those that go to the node that was named; if none was, they must all go to one.
fn of_one_node(args: &OutboxOrderArgs, mut found: Vec<Delivery>) -> Result<Vec<Delivery>, Failure> {
    let mut nodes: Vec<String> = found.iter().map(|one| one.node.clone()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    match &args.node {
        Some(node) => found.retain(|one| one.node == *node),
        None if nodes.len() > 1 => {
            let what = format!("{} goes to several nodes", args.which.message);
            return Err(Failure::new(WireCode::BadInput, what)
                .cause(nodes.join(", "))
                .advise(format!("Say which one: --node {}", nodes[0])));
        }
        None => {}
    }
    if found.is_empty() {
        let what = format!("nothing of {} goes to that node", args.which.message);
        return Err(Failure::new(WireCode::NotFound, what).cause(nodes.join(", ")));
    }
    Ok(found)
}
