//! `frex hold set` and `frex hold release`.

use std::path::Path;

use frex_client::{
    client::{Client, EraseOrder, ErasureRow, QueryError},
    keys::MemberHome,
};
use frex_proto::{erasure::EXONERATED, error::WireCode};
use serde_json::json;

use super::{
    HoldReleaseArgs, HoldSetArgs, Ordered, list,
    serving::{self, Serving},
};
use crate::cli::{
    erased,
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// Keeps a message. Spec: ERA-12.
pub fn set(args: &HoldSetArgs, json: bool) -> Done {
    hold((&args.which, &args.dir), args.court, false, json)
}

/// Ends the hold by one order; others stay.
pub fn release(args: &HoldReleaseArgs, json: bool) -> Done {
    hold((&args.which, &args.dir), false, true, json)
}

fn hold((which, dir): (&Ordered, &Path), court: bool, release: bool, json: bool) -> Done {
    let home = member::open(dir)?;
    let order = match release {
        true => which.order(&home)?,
        false => which.new_order(&home)?,
    };
    let what = match release {
        true => "the message is not released",
        false => "the message is not held",
    };
    member::runtime()?.block_on(async {
        let serving = Serving::running(&home).await?;
        let held = match serving.client.hold(&order, court, release).await {
            Err(error) => match gone(&home, &serving.client, &order, &error).await {
                Some(erased) => Err(erased),
                None => Err(error).or_fail(what),
            },
            Ok(()) => Ok(()),
        };
        serving.end().await;
        held.map_err(|failure| explain(serving::not_running(failure, dir), dir, release))
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
fn explain(failure: Failure, dir: &Path, release: bool) -> Failure {
    let ls = format!("frex hold ls {}", dir.display());
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

/// Whether what the node refuses is so because the message was erased, and on which ground.
async fn gone(
    home: &MemberHome,
    client: &Client,
    order: &EraseOrder,
    error: &QueryError,
) -> Option<Failure> {
    if !matches!(WireCode::from(error), WireCode::NotFound | WireCode::Erased) {
        return None;
    }
    let message = order.message.to_string();
    if let Some(erased) = erased::failure(home, &message) {
        return Some(erased);
    }
    let own = home.settings().member.as_str();
    let sender = order.sender.as_deref().unwrap_or(own);
    // The refusal says enough where the list cannot be had.
    let rows = list::all(client, false).await.ok()?;
    let mut rows = rows.iter();
    let row = rows.find(|row| row.message == Some(order.message) && row.sender == sender)?;
    let why = (
        row.ground.as_str(),
        row.authority.as_str(),
        erased::by(&row.ordered_by),
    );
    Some(erased::because(&message, why))
}

/// Adds to a refusal for a hold which orders keep the message: what is exonerated only a court's.
pub(super) async fn name(client: &Client, order: &EraseOrder, mut failure: Failure) -> Failure {
    let counts = |hold: &ErasureRow| hold.court || order.ground != EXONERATED;
    for hold in of_message(client, order)
        .await
        .iter()
        .filter(|hold| counts(hold))
    {
        failure = failure.cause(words(hold));
    }
    failure
}

/// The holds that an order goes over, in words: none but a court's keeps what is exonerated. Spec: ERA-12.
pub(super) async fn overridden(client: &Client, order: &EraseOrder) -> Vec<String> {
    if order.ground != EXONERATED {
        return Vec::new();
    }
    let holds = of_message(client, order).await;
    holds.iter().filter(|hold| !hold.court).map(words).collect()
}

/// Every order to keep a message; none where the node does not say.
async fn of_message(client: &Client, order: &EraseOrder) -> Vec<ErasureRow> {
    let mut holds = list::all(client, true).await.unwrap_or_default();
    let of_sender = |hold: &ErasureRow| {
        let mut sender = order.sender.iter();
        sender.all(|sender| *sender == hold.sender)
    };
    holds.retain(|hold| hold.message == Some(order.message) && of_sender(hold));
    holds
}

fn words(hold: &ErasureRow) -> String {
    format!(
        "{} holds it since {}: ground {}, authority {}{}",
        output::clean(&hold.ordered_by),
        rfc3339(hold.time_ms),
        output::clean(&hold.ground),
        output::clean(&hold.authority),
        match hold.court {
            true => ", by order of a court, which keeps it also where it is exonerated",
            false => "",
        }
    )
}
