//! `frex hold set` and `frex hold release`.

use serde_json::json;

use super::{HoldReleaseArgs, HoldSetArgs, Ordered, serving::Serving};
use crate::cli::{
    failure::{Done, OrFail},
    member, output,
};

/// Keeps a message. Spec: ERA-12.
pub fn set(args: &HoldSetArgs, json: bool) -> Done {
    hold(&args.which, args.court, false, json)
}

/// Lets a message be erased again.
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
        held.or_fail(match release {
            true => "the message is not released",
            false => "the message is not held",
        })
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
