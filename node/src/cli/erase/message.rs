//! `frex erase MESSAGE`: everything that is kept of one message goes, at the node and here.

use std::path::Path;

use frex_client::{
    client::{Client, EraseOrder, ErasurePlan, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{
    EraseHow, Ordered, hold,
    local::{self, Folder, Found},
    serving::Serving,
};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
};

/// What there is to be erased.
struct Plan {
    order: EraseOrder,
    /// At the node; none: it is not asked, or keeps nothing of the message.
    node: Option<Result<ErasurePlan, WireCode>>,
    found: Found,
    /// Orders to keep it, which this one goes over: nobody but a court keeps what is exonerated.
    overridden: Vec<String>,
    /// Whether the reference of the message goes, with the hash of its content.
    referenced: bool,
}

impl Plan {
    fn is_empty(&self) -> bool {
        let here =
            self.referenced || !self.found.files.is_empty() || !self.found.by_hand.is_empty();
        self.node.is_none() && !here
    }
}

/// Erases a message once it is confirmed. Spec: ERA-5, ERA-14.
pub fn erase(which: &Ordered, dir: &Path, how: &EraseHow, json: bool) -> Done {
    let home = member::open(dir)?;
    let order = which.new_order(&home)?;
    let sender = order.sender.clone();
    let own = sender
        .as_ref()
        .is_none_or(|sender| *sender == home.settings().member);
    let found = Folder::read(&home)?.find(order.message, sender.as_deref(), !how.keep_receipts)?;
    let plan = Plan {
        referenced: own && local::is_referenced(&home, order.message)?,
        node: None,
        order,
        found,
        overridden: Vec::new(),
    };
    let (plan, receipt) = member::runtime()?.block_on(async {
        if how.local {
            return Ok((plan, None));
        }
        let serving = Serving::reach(dir, &home).await?;
        let done = at_node(&serving, plan, (how.confirm, dir)).await;
        serving.end().await;
        done
    })?;
    if plan.is_empty() {
        return Err(nothing(&plan.order, how.local));
    }
    if !json {
        print(&plan);
    }
    let kept = match how.confirm {
        true => Some(here(&home, &plan, receipt.as_ref())?),
        false => None,
    };
    tell((which, dir, how), &plan, kept, receipt.as_ref(), json);
    Ok(0)
}

fn nothing(order: &EraseOrder, local: bool) -> Failure {
    let of = order.sender.as_ref();
    let of = of.map_or_else(String::new, |sender| format!(" by {sender}"));
    let (what, advice) = match local {
        true => (
            "in this folder",
            "Of what the node keeps, leave out --local",
        ),
        false => (
            "in this folder, and the node has nothing of it for this member",
            "Of a message that only the node has, name the sender: --sender MEMBER",
        ),
    };
    let what = format!("nothing is kept of message {}{of} {what}", order.message);
    Failure::new(WireCode::NotFound, what).advise(advice)
}

async fn at_node(
    serving: &Serving,
    mut plan: Plan,
    (confirm, dir): (bool, &Path),
) -> Result<(Plan, Option<ProvenReceipt>), Failure> {
    let order = &plan.order;
    plan.node = match serving.client.plan_erasure(order).await {
        Ok(node) => Some(Ok(node)),
        Err(error) => match WireCode::from(&error) {
            WireCode::NotFound => None,
            WireCode::Erased => Some(Err(WireCode::Erased)),
            _ => return Err(error).or_fail("the node does not say what would go"),
        },
    };
    plan.overridden = hold::overridden(&serving.client, order).await;
    let refusal = match &plan.node {
        Some(Ok(node)) => node.refusal,
        _ => None,
    };
    if let (true, Some(code)) = (confirm, refusal) {
        let refused = Failure::new(code, format!("{} is not erased", order.message));
        return Err(on_hold(&serving.client, order, dir, refused).await);
    }
    let mut receipt = None;
    if confirm && plan.node.is_some() {
        let erased = serving.client.erase(order).await;
        match erased.or_fail("the message is not erased") {
            Ok(erased) => receipt = Some(erased),
            Err(refused) => return Err(on_hold(&serving.client, order, dir, refused).await),
        }
    }
    Ok((plan, receipt))
}

/// Adds to a refusal who holds the message, and how that ends.
async fn on_hold(client: &Client, order: &EraseOrder, dir: &Path, refused: Failure) -> Failure {
    if refused.code() != WireCode::OnHold {
        return refused;
    }
    let refused = hold::name(client, order, refused).await;
    refused.advise(format!(
        "See all holds: frex hold ls {0}; to release one: frex hold release {1} {0} --ground CODE --authority CODE",
        dir.display(),
        order.message
    ))
}

/// Removes what the folder keeps, then keeps the receipt that says so of the node.
fn here(home: &MemberHome, plan: &Plan, receipt: Option<&ProvenReceipt>) -> Result<Value, Failure> {
    if plan.referenced {
        local::forget(home, &[plan.order.message].into())?;
    }
    local::let_go(home, &[plan.order.message].into())?;
    plan.found.remove()?;
    let kept = receipt.map(|receipt| member::keep_receipt(&home.receipts_dir(), receipt));
    Ok(json!(kept.transpose()?))
}

fn print(plan: &Plan) {
    output::data("plan:");
    match &plan.node {
        None => {}
        Some(Err(code)) => output::data(format_args!("  at the node: {code}")),
        Some(Ok(node)) => {
            output::data(format_args!(
                "  at the node: {} of {} bytes, with the statements of {}",
                output::counted(node.records, "record"),
                node.bytes,
                output::counted(node.entries, "log entry"),
            ));
            for (count, what) in [
                (node.deliveries, "a delivery that waits or was given up"),
                (node.inbox_items, "an inbox item that nobody has confirmed"),
                (
                    node.attachments,
                    "an attachment, unless another message needs it",
                ),
            ] {
                if count > 0 {
                    output::data(format_args!("  at the node: {count} × {what}"));
                }
            }
            if let Some(code) = node.refusal {
                output::data(format_args!("  the node would refuse: {code}"));
            }
        }
    }
    for hold in &plan.overridden {
        output::data(format_args!("  this goes over a hold: {hold}"));
    }
    for file in &plan.found.files {
        output::data(format_args!("  here: {}", file.display()));
    }
    if plan.referenced {
        output::data("  here: the reference under which it was sent, with a hash of its content");
    }
    if plan.found.receipts {
        output::data(
            "  its receipts go with it, so that this folder proves no more that it was sent; --keep-receipts leaves them: they hold none of its content",
        );
    }
    plan.found.tell_by_hand();
}

fn tell(
    (which, dir, how): (&Ordered, &Path, &EraseHow),
    plan: &Plan,
    kept: Option<Value>,
    receipt: Option<&ProvenReceipt>,
    json: bool,
) {
    let message = plan.order.message;
    let entries = receipt.and_then(|receipt| receipt.statement().erasure.as_ref());
    let entries = entries.map(|erasure| &erasure.entries);
    if json {
        let node = plan.node.as_ref().map(|node| match node {
            Err(code) => json!({ "before": code.info().name }),
            Ok(node) => json!({
                "records": node.records, "bytes": node.bytes, "entries": node.entries,
                "deliveries": node.deliveries, "inbox_items": node.inbox_items,
                "attachments": node.attachments,
                "refusal": node.refusal.map(|code| code.info().name),
            }),
        });
        output::document(json!({
            "message": message.to_string(), "ground": plan.order.ground,
            "authority": plan.order.authority, "confirmed": how.confirm, "node": node,
            "files": plan.found.files, "by_hand": plan.found.by_hand, "overrides": plan.overridden,
            "referenced": plan.referenced, "receipts_go": plan.found.receipts, "receipt": kept, "entries": entries,
        }));
    } else if let Some(kept) = kept {
        output::data(format_args!("erased  {message}"));
        if let Some(path) = kept.as_str() {
            output::data(format_args!("the node's word for it: {path}"));
        }
    } else {
        let sender = which
            .sender
            .iter()
            .map(|sender| format!(" --sender {sender}"));
        let mut more: String = sender.collect();
        for (given, word) in [
            (how.local, " --local"),
            (how.keep_receipts, " --keep-receipts"),
        ] {
            if given {
                more.push_str(word);
            }
        }
        output::data("Nothing was changed. It cannot be undone. To do it:");
        output::data(format_args!(
            "  frex erase {message} {} --ground {} --authority {}{more} --confirm",
            dir.display(),
            which.ground,
            which.authority,
        ));
    }
}
