//! `frex hold set` and `frex hold release`.

use frex_client::client::{Client, EraseOrder};
use frex_proto::{erasure::EXONERATED, error::WireCode};
use serde_json::json;

use super::{HoldReleaseArgs, HoldSetArgs, Ordered, list, serving::Serving};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// Keeps a message. Spec: ERA-12.
pub fn set(args: &HoldSetArgs, json: bool) -> Done {
    hold(&args.which, args.court, false, json)
}

/// Ends the hold by one order; others stay.
pub fn release(args: &HoldReleaseArgs, json: bool) -> Done {
    hold(&args.which, false, true, json)
}

fn hold(which: &Ordered, court: bool, release: bool, json: bool) -> Done {
    let home = member::open(&which.dir)?;
    let order = which.order(&home)?;
    member::runtime()?.block_on(async {
        let serving = Serving::reach(&which.dir, &home).await?;
        let held = serving.client.hold(&order, court, release).await;
        serving.end().await;
        let held = held.or_fail(match release {
            true => "the message is not released",
            false => "the message is not held",
        });
        held.map_err(|failure| explain(failure, which, release))
    })?;
    let state = if release { "released" } else { "held" };
    if json {
        output::document(json!({
            "message": order.message.to_string(), "state": state, "court": court,
            "ground": order.ground, "authority": order.authority,
        }));
    } else {
        output::data(format_args!("{state}  {}", order.message));
    }
    Ok(0)
}

/// Which hold is meant must be said exactly, and by whom it may be.
fn explain(failure: Failure, which: &Ordered, release: bool) -> Failure {
    let ls = format!("frex hold ls {}", which.dir.display());
    match failure.code() {
        WireCode::NotFound if release => failure
            .cause("no hold on it is by this ground and authority")
            .advise(format!("See by which it is held: {ls}")),
        WireCode::OnHold if release => failure
            .cause("another member has ordered this hold")
            .advise(format!(
                "Ask them, or who runs the node, to release it; who that is: {ls}"
            )),
        _ => failure,
    }
}

/// Adds to a refusal which orders keep the message: what is exonerated only a court's.
pub(super) async fn name(client: &Client, order: &EraseOrder, mut failure: Failure) -> Failure {
    if failure.code() != WireCode::OnHold {
        return failure;
    }
    // It is refused all the same where the node does not say why.
    let holds = list::all(client, true).await.unwrap_or_default();
    for hold in holds {
        let is_meant = hold.message == Some(order.message)
            && order
                .sender
                .as_ref()
                .is_none_or(|sender| *sender == hold.sender);
        if !is_meant || (order.ground == EXONERATED && !hold.court) {
            continue;
        }
        failure = failure.cause(format!(
            "{} holds it since {}: ground {}, authority {}{}",
            output::clean(&hold.ordered_by),
            rfc3339(hold.time_ms),
            output::clean(&hold.ground),
            output::clean(&hold.authority),
            match hold.court {
                true => ", by order of a court, which keeps it also where it is exonerated",
                false => "",
            }
        ));
    }
    failure
}
