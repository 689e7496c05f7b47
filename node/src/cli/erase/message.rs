//! `frex erase MESSAGE`: everything that is kept of one message goes, at the node and here.

use std::path::PathBuf;

use frex_client::{
    client::{EraseOrder, ErasurePlan, ProvenReceipt},
    keys::MemberHome,
};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{EraseHow, Ordered, hold, local, serving::Serving};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
};

/// What there is to be erased.
struct Plan {
    order: EraseOrder,
    /// At the node; none: it is not asked, or keeps nothing of the message.
    node: Option<Result<ErasurePlan, WireCode>>,
    files: Vec<PathBuf>,
}

/// Erases a message once it is confirmed. Spec: ERA-5, ERA-14.
pub fn erase(which: &Ordered, how: &EraseHow, json: bool) -> Done {
    let home = member::open(&which.dir)?;
    let order = which.order(&home)?;
    let files = local::find(
        &home,
        order.message,
        order.sender.as_deref(),
        !how.keep_receipts,
    )?;
    let (plan, receipt) = member::runtime()?.block_on(async {
        if how.local {
            let node = None;
            return Ok((Plan { order, node, files }, None));
        }
        let serving = Serving::reach(&which.dir, &home).await?;
        let done = at_node(&serving, order, files, how.confirm).await;
        serving.end().await;
        done
    })?;
    if plan.node.is_none() && plan.files.is_empty() {
        let what = format!("nothing is kept of {}", plan.order.message);
        return Err(Failure::new(WireCode::NotFound, what)
            .advise("Of a message that only the node has, name the sender: --sender MEMBER"));
    }
    if !json {
        print(&plan);
    }
    let kept = match how.confirm {
        true => Some(here(&home, &plan, receipt.as_ref())?),
        false => None,
    };
    tell((which, how), &plan, kept, receipt.as_ref(), json);
    Ok(0)
}

async fn at_node(
    serving: &Serving,
    order: EraseOrder,
    files: Vec<PathBuf>,
    confirm: bool,
) -> Result<(Plan, Option<ProvenReceipt>), Failure> {
    let node = match serving.client.plan_erasure(&order).await {
        Ok(plan) => Some(Ok(plan)),
        Err(error) => match WireCode::from(&error) {
            WireCode::NotFound => None,
            WireCode::Erased => Some(Err(WireCode::Erased)),
            _ => return Err(error).or_fail("the node does not say what would go"),
        },
    };
    if let (
        true,
        Some(Ok(ErasurePlan {
            refusal: Some(code),
            ..
        })),
    ) = (confirm, &node)
    {
        let refused = Failure::new(*code, format!("{} is not erased", order.message));
        return Err(hold::name(&serving.client, &order, refused).await);
    }
    let mut receipt = None;
    if confirm && node.is_some() {
        let erased = serving.client.erase(&order).await;
        match erased.or_fail("the message is not erased") {
            Ok(erased) => receipt = Some(erased),
            Err(refused) => return Err(hold::name(&serving.client, &order, refused).await),
        }
    }
    Ok((Plan { order, node, files }, receipt))
}

/// Removes what the folder keeps, then keeps the receipt that says so of the node.
fn here(home: &MemberHome, plan: &Plan, receipt: Option<&ProvenReceipt>) -> Result<Value, Failure> {
    local::remove(
        home,
        (plan.order.message, plan.order.sender.as_deref()),
        &plan.files,
    )?;
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
                output::counted(node.entries, "log entry").replace("entrys", "entries"),
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
    for file in &plan.files {
        output::data(format_args!("  here: {}", file.display()));
    }
}

fn tell(
    (which, how): (&Ordered, &EraseHow),
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
            "files": plan.files, "receipt": kept, "entries": entries,
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
            which.dir.display(),
            which.ground,
            which.authority,
        ));
    }
}
