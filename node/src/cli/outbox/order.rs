//! `frex outbox requeue` and `frex outbox drop`.

use frex_client::{
    client::{Client, Delivery, GivenUp},
    keys::MemberHome,
};
use frex_proto::{
    error::WireCode,
    v1::{OutboxItem, OutboxState},
};
use serde_json::{Value, json};

use super::{OutboxDropArgs, OutboxOrderArgs, client, state_name};
use crate::cli::{
    ended,
    failure::{Done, Failure, OrFail},
    member, output,
};

/// Has what was given up wait again.
pub fn requeue(args: &OutboxOrderArgs, json: bool) -> Done {
    let home = member::open(&args.which.dir)?;
    let done = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let done = requeue_all(&home, &client, args).await;
        client.close().await;
        done
    })?;
    let nodes: Vec<&str> = done.iter().map(|one| one.node.as_str()).collect();
    if json {
        output::document(json!({ "message": done[0].message.to_string(), "requeued": nodes }));
    } else {
        for node in nodes {
            output::data(format_args!("waits again for {}", output::clean(node)));
        }
    }
    Ok(0)
}

async fn requeue_all(
    home: &MemberHome,
    client: &Client,
    args: &OutboxOrderArgs,
) -> Result<Vec<Delivery>, Failure> {
    let found = args.which.deliveries(home, client).await?;
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
        if is_own(home, one) {
            ended::forget(home, one.message, &one.node)?;
        }
    }
    Ok(meant)
}

/// Ends a delivery that waits, or removes a dead letter, once it is confirmed.
pub fn drop(args: &OutboxDropArgs, json: bool) -> Done {
    let (order, which) = (&args.order, &args.order.which);
    let home = member::open(&which.dir)?;
    let meant = member::runtime()?.block_on(async {
        let client = client(&home).await?;
        let done = drop_all(&home, &client, args, json).await;
        client.close().await;
        done
    })?;
    let message = meant[0].message;
    if json {
        let rows = meant.iter();
        let rows: Vec<Value> = rows
            .map(|one| json!({
                "node": one.node, "step": step(one), "sender_sees": sender_sees(one).map(|code| code.info().name),
            }))
            .collect();
        let plan: Vec<String> = meant.iter().map(step).collect();
        output::document(json!({
            "message": message.to_string(), "confirmed": args.confirm, "plan": plan,
            "deliveries": rows,
        }));
    } else if args.confirm {
        output::data(format_args!("dropped  {message}"));
        for one in &meant {
            if let Some(code) = sender_sees(one).map(|code| code.info().name) {
                let node = output::clean(&one.node);
                output::data(format_args!("its sender sees {code} for {node}"));
            }
        }
    } else {
        let node = order.node.iter().map(|node| format!(" --node {node}"));
        let node: String = node.collect();
        let all = if which.all { " --all" } else { "" };
        output::data("Nothing was changed. To do it:");
        output::data(format_args!(
            "  frex outbox drop {message} {}{node}{all} --confirm",
            which.dir.display()
        ));
    }
    Ok(0)
}

async fn drop_all(
    home: &MemberHome,
    client: &Client,
    args: &OutboxDropArgs,
    json: bool,
) -> Result<Vec<Delivery>, Failure> {
    let found = args.order.which.deliveries(home, client).await?;
    let meant = of_one_node(&args.order, found)?;
    if !json {
        output::data("plan:");
        for one in &meant {
            output::data(format_args!("  {}", output::clean(&step(one))));
        }
    }
    if args.confirm {
        let roster = client.roster().current();
        for one in &meant {
            let what = format!("the delivery to {} is not dropped", one.node);
            client.drop_delivery(&one.key).await.or_fail(what)?;
            if let Some(code) = sender_sees(one).filter(|_| is_own(home, one)) {
                let node = Some(one.node.clone());
                ended::keep_of(home, one.message, &GivenUp { node, code }, &roster)?;
            }
        }
    }
    Ok(meant)
}

/// Whether it brings a message that this member sent.
fn is_own(home: &MemberHome, one: &Delivery) -> bool {
    one.item == OutboxItem::Envelope && one.member == home.settings().member
}

/// What the message's sender is told of the delivery, then and later. Of a stage statement, which
/// is about another's message, that one hears nothing. Spec: DEL-34.
fn sender_sees(one: &Delivery) -> Option<WireCode> {
    match (one.item, one.state) {
        (OutboxItem::Envelope, OutboxState::Dead) => one.code,
        (OutboxItem::Envelope, _) => Some(WireCode::Withdrawn),
        _ => None,
    }
}

fn step(one: &Delivery) -> String {
    let (node, state) = (&one.node, state_name(one.state));
    let code = sender_sees(one).map(|code| code.info().name);
    match (one.state, code) {
        (OutboxState::Dead, Some(code)) => format!(
            "remove what could not be delivered to {node}: it cannot be queued again, and its sender goes on seeing {code}"
        ),
        (OutboxState::Dead, None) => {
            format!("remove what could not be delivered to {node}: it cannot be queued again")
        }
        (_, Some(code)) => {
            format!("end the delivery to {node}, which is {state}: its sender sees {code}")
        }
        (_, None) => format!(
            "end the delivery of a stage statement to {node}, which is {state}: the message's sender does not hear of it"
        ),
    }
}

/// Those that go to the node that was named; if none was, they must all go to one.
fn of_one_node(args: &OutboxOrderArgs, mut found: Vec<Delivery>) -> Result<Vec<Delivery>, Failure> {
    let message = found[0].message;
    let mut nodes: Vec<String> = found.iter().map(|one| one.node.clone()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    match &args.node {
        Some(node) => found.retain(|one| one.node == *node),
        None if nodes.len() > 1 => {
            let what = format!("{message} goes to several nodes");
            return Err(Failure::new(WireCode::BadInput, what)
                .cause(nodes.join(", "))
                .advise(format!("Say which one: --node {}", nodes[0])));
        }
        None => {}
    }
    if found.is_empty() {
        let what = format!("nothing of {message} goes to that node");
        return Err(Failure::new(WireCode::NotFound, what).cause(nodes.join(", ")));
    }
    Ok(found)
}
