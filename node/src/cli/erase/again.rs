//! `frex erase again`: what was erased before a restore is erased again.

use std::collections::BTreeSet;

use frex_client::{
    client::{Client, EraseOrder, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId, roster::Roster};
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

/// A line of a list.
struct Line {
    order: EraseOrder,
    /// Who had ordered it; empty where the time of the message was over. None in a list made by hand.
    ordered_by: Option<String>,
    /// The node of whose log it is. None in a list of before, or one made by hand.
    node: Option<String>,
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
    let lines = read(args)?;
    check_own(args, &home, &lines)?;
    let orders: Vec<EraseOrder> = lines.into_iter().map(|line| line.order).collect();
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
        let mut receipt = None;
        let kept = match at_node(client, order).await? {
            Came::Erased(stated) => {
                receipt = Some(stated);
                &mut count.erased
            }
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
        // Who asks for the message later is told that it was erased, and on which ground. Before it goes: should
        // this end here, nothing else would tell.
        if let Some(receipt) = receipt {
            member::keep_receipt(&home.receipts_dir(), &receipt)?;
        }
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
    Erased(Box<ProvenReceipt>),
    Before,
    NotHere,
    Held,
    HeldByOthers,
}

async fn at_node(client: &Client, order: &EraseOrder) -> Result<Came, Failure> {
    let done = match client.plan_erasure(order).await {
        Ok(_) => client.erase(order).await,
        Err(error) => Err(error),
    };
    let error = match done {
        Ok(receipt) => return Ok(Came::Erased(Box::new(receipt))),
        Err(error) => error,
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

/// Refuses a list of what was erased elsewhere, before any of it is erased here: what another member had reason to
/// erase is none of this one's.
fn check_own(args: &EraseAgainArgs, home: &MemberHome, lines: &[Line]) -> Result<(), Failure> {
    // Without one, whom else the node serves is not known.
    let roster = member::roster(home).ok();
    let settings = home.settings();
    let here = (&settings.member[..], &settings.home_node[..]);
    let found = lines.iter().zip(1..).find_map(|(line, number)| {
        let whose = line.foreign(here, roster.as_ref())?;
        Some(format!("line {number} was {whose}"))
    });
    let Some(found) = found else {
        return Ok(());
    };
    let (file, dir) = (args.file.display(), args.dir.display());
    let what = format!(
        "{file} is no list of {}: nothing was erased",
        output::clean(&settings.member)
    );
    Err(Failure::new(WireCode::BadInput, what)
        .cause(found)
        .advise(format!(
            "Give it with the folder of the member whose list it is: frex erase again {file} FOLDER; the list of this one is made by: frex erase export {dir}"
        )))
}

impl Line {
    /// Whose erasure it is, if not one of this member's, or of another that the same node serves, for which the
    /// member that runs it acts. What this node has logged is its own, whoever ordered it: that may be a member
    /// no more, or be served elsewhere by now.
    fn foreign(&self, (own, home): (&str, &str), roster: Option<&Roster>) -> Option<String> {
        if self.node.as_deref() == Some(home) {
            return None;
        }
        let serves = |by: &str| {
            let at_home = |roster: &Roster| {
                let listed = roster.member(by).is_some_and(|one| one.home_node == home);
                listed || roster.node(home).is_some_and(|node| node.operator == by)
            };
            by == own || roster.is_some_and(at_home)
        };
        match self.ordered_by.as_deref() {
            Some("") => {
                let other = output::clean(self.node.as_deref()?);
                Some(format!("erased at {other} because its time was over there"))
            }
            Some(by) if !serves(by) => Some(format!("ordered by {}", output::clean(by))),
            _ => None,
        }
    }
}

fn read(args: &EraseAgainArgs) -> Result<Vec<Line>, Failure> {
    let bytes = files::read(&args.file, LIST_BYTES_MAX)?;
    let what = format!("{} is no list of erasures", args.file.display());
    let text = String::from_utf8(bytes).or_code(WireCode::BadInput, &what)?;
    let lines = text.lines().filter(|line| !line.is_empty());
    let orders = lines.map(|line| {
        serde_json::from_str(line)
            .ok()
            .and_then(|line| parsed(&line))
    });
    let orders: Option<Vec<Line>> = orders.collect();
    orders.ok_or_else(|| Failure::new(WireCode::BadInput, what).cause("a line is no erasure"))
}

fn parsed(line: &Value) -> Option<Line> {
    let text = |field: &str| line[field].as_str().map(str::to_owned);
    let order = EraseOrder {
        message: MessageId::from_hex(line["message"].as_str()?).ok()?,
        sender: Some(text("sender")?),
        ground: text("ground")?,
        authority: text("authority")?,
    };
    Some(Line {
        order,
        ordered_by: text("ordered_by"),
        node: text("node"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // ERA-16: what another member had ordered, or another node's time was over for, is not erased here again.
    #[test]
    fn a_line_of_another_member_is_told_apart() {
        let line = |more: Value| {
            let mut line = json!({
                "message": "0".repeat(32), "sender": "a", "ground": "g", "authority": "x",
            });
            for (name, value) in more.as_object().unwrap() {
                line[name] = value.clone();
            }
            parsed(&line).unwrap()
        };
        for (more, due) in [
            (json!({}), false),
            (json!({ "ordered_by": "own" }), false),
            (json!({ "ordered_by": "own", "node": "before" }), false),
            (json!({ "ordered_by": "" }), false),
            (json!({ "ordered_by": "", "node": "here" }), false),
            (json!({ "ordered_by": "", "node": "there" }), true),
            (json!({ "ordered_by": "other" }), true),
            (json!({ "ordered_by": "other", "node": "here" }), false),
            (json!({ "ordered_by": "other", "node": "there" }), true),
        ] {
            let foreign = line(more.clone()).foreign(("own", "here"), None);
            assert_eq!(foreign.is_some(), due, "{more}");
        }
    }
}
