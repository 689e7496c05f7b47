//! `frex peer rm`: puts away what is kept of an organisation that came by an invitation.

use std::fs;

use frex_client::environment::Clock;
use serde_json::json;

use super::{PeerRemoveArgs, decide::card_path, not_found, print_plan};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        member, output,
    },
    join::{Invitations, JoinStoreError, Peers, Side},
};

/// Puts a peer's record away, and ends the invitation by which it came. Who is listed stays
/// listed: that is the governance's to change.
pub fn remove(args: &PeerRemoveArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let peers = Peers::of(home.dir());
    let record = peers
        .find(&args.id)
        .map_err(|error| not_found(error, &args.id, &args.dir))?;
    let listed = member::roster(&home)
        .ok()
        .is_some_and(|roster| roster.member(&record.member).is_some());
    let card = card_path(&args.dir, &record.member);
    let mut plan = vec![format!(
        "put the record of {} and of both decisions away into peers/_past",
        record.member
    )];
    if record.side == Side::Inviter {
        plan.push(format!("take back the invitation {}", record.invitation));
    }
    if card.exists() {
        plan.push(format!("delete {}", card.display()));
    }
    if !json {
        print_plan(&plan);
    }
    if args.confirm {
        if record.side == Side::Inviter {
            let now_ms = Clock::System.now_ms();
            let withdrawn = Invitations::of(home.dir()).withdraw(&record.invitation, now_ms);
            match withdrawn {
                Ok(()) | Err(JoinStoreError::NotFound) => {}
                Err(error) => return Err(error).or_fail("the invitation cannot be taken back"),
            }
        }
        if card.exists() {
            fs::remove_file(&card).map_err(|error| Failure::file("delete", &card, &error))?;
        }
        peers
            .lay_aside(&record)
            .or_fail("the record cannot be put away")?;
    }
    conclude(args, &plan, listed, json);
    Ok(0)
}

fn conclude(args: &PeerRemoveArgs, plan: &[String], listed: bool, json: bool) {
    let dir = args.dir.display();
    if json {
        output::document(json!({
            "peer": args.id, "confirmed": args.confirm, "plan": plan, "listed": listed,
        }));
        return;
    }
    if args.confirm {
        output::data(format_args!("removed  {}", args.id));
    } else {
        output::data("Nothing was changed. To do it:");
        output::data(format_args!("  frex peer rm {} {dir} --confirm", args.id));
    }
    if listed {
        output::data(format_args!(
            "{} is in the roster and stays there. To stop the exchange here:\n  frex peer suspend {} {dir} --reason …\nTo end it for everybody, by the governance:\n  frex roster propose --root root.frex --previous roster.frex --out next.proposal --revoke {}",
            args.id, args.id, args.id
        ));
    }
}
