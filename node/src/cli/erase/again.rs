//! `frex erase again`: what was erased before a restore is erased again.

use std::collections::BTreeSet;

use frex_client::{
    client::{Client, EraseOrder},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::{Value, json};

use super::{
    EraseAgainArgs,
    local::{self, Folder},
    serving::Serving,
};
use crate::cli::{
    failure::{Done, Failure, OrCode, OrFail, PARTIAL},
    files, member, output,
};

/// Largest list.
const LIST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What came of one list.
#[derive(Default)]
struct Count {
    erased: usize,
    /// Erased already: nothing of it was at the node any more.
    before: usize,
    not_here: usize,
    held: usize,
    held_by_others: usize,
}

/// Messages of a list that are erased.
#[derive(Default)]
struct Gone {
    messages: BTreeSet<MessageId>,
    /// Those of them that the member had sent itself.
    own: BTreeSet<MessageId>,
}

/// Erases whatever a list names; what is gone already, or is not here, stays so. Spec: ERA-16.
pub fn again(args: &EraseAgainArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let orders = read(args)?;
    let count = member::runtime()?.block_on(async {
        let serving = Serving::reach(&args.dir, &home).await?;
        let mut gone = Gone::default();
        let count = each(&serving.client, &home, &orders, &mut gone).await;
        serving.end().await;
        // Also of those before one that failed.
        local::forget(&home, &gone.own)?;
        // For all at once: each time everything that is held is written anew.
        local::let_go(&home, &gone.messages)?;
        count
    })?;
    Ok(tell(&count, json))
}

fn tell(count: &Count, json: bool) -> u8 {
    let Count {
        erased,
        before,
        not_here,
        held,
        held_by_others,
    } = count;
    if json {
        output::document(json!({
            "erased": erased, "erased_before": before, "not_here": not_here, "held": held,
            "held_by_others": held_by_others,
        }));
    } else {
        output::data(format_args!(
            "erased now {erased}, erased before {before}, not here {not_here}, kept by a hold {held}, kept for other members {held_by_others}"
        ));
    }
    if *held_by_others == 0 {
        return 0;
    }
    output::message(
        "note: what other members that the node serves have too, only the member that runs it may erase; give it the list",
    );
    PARTIAL
}

async fn each(
    client: &Client,
    home: &MemberHome,
    orders: &[EraseOrder],
    gone: &mut Gone,
) -> Result<Count, Failure> {
    let folder = Folder::read(home)?;
    let own = home.settings().member.as_str();
    let mut count = Count::default();
    let bar = output::progress_of("erasing again", Some(orders.len() as u64));
    for order in orders {
        bar.inc(1);
        let kept = match at_node(client, order).await? {
            Came::Erased => &mut count.erased,
            Came::Before => &mut count.before,
            Came::NotHere => &mut count.not_here,
            Came::Held => {
                count.held += 1;
                continue;
            }
            Came::HeldByOthers => {
                count.held_by_others += 1;
                continue;
            }
        };
        *kept += 1;
        let sender = order.sender.as_deref();
        gone.messages.insert(order.message);
        let found = folder.find(order.message, sender, true)?;
        found.remove()?;
        found.tell_by_hand();
        if sender.is_none_or(|sender| sender.is_empty() || sender == own) {
            gone.own.insert(order.message);
        }
    }
    bar.finish_and_clear();
    Ok(count)
}

/// What came of one order.
enum Came {
    Erased,
    Before,
    NotHere,
    Held,
    HeldByOthers,
}

async fn at_node(client: &Client, order: &EraseOrder) -> Result<Came, Failure> {
    let done = match client.plan_erasure(order).await {
        Ok(_) => client.erase(order).await.map(drop),
        Err(error) => Err(error),
    };
    let Err(error) = done else {
        return Ok(Came::Erased);
    };
    match WireCode::from(&error) {
        WireCode::Erased => Ok(Came::Before),
        WireCode::NotFound => Ok(Came::NotHere),
        WireCode::OnHold => Ok(Came::Held),
        WireCode::HeldByOthers => Ok(Came::HeldByOthers),
        _ => {
            let what = format!("{} is not erased; those before it are", order.message);
            Err(error).or_fail(what)
        }
    }
}

fn read(args: &EraseAgainArgs) -> Result<Vec<EraseOrder>, Failure> {
    let bytes = files::read(&args.file, LIST_BYTES_MAX)?;
    let what = format!("{} is no list of erasures", args.file.display());
    let text = String::from_utf8(bytes).or_code(WireCode::BadInput, &what)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let orders = lines.map(|line| {
        serde_json::from_str(line)
            .ok()
            .and_then(|line| order(&line))
    });
    let orders: Option<Vec<EraseOrder>> = orders.collect();
    orders.ok_or_else(|| Failure::new(WireCode::BadInput, what).cause("a line is no erasure"))
}

fn order(line: &Value) -> Option<EraseOrder> {
    let text = |field: &str| line[field].as_str().map(str::to_owned);
    Some(EraseOrder {
        message: MessageId::from_hex(line["message"].as_str()?).ok()?,
        sender: Some(text("sender")?),
        ground: text("ground")?,
        authority: text("authority")?,
    })
}
