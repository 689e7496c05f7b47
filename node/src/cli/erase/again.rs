//! `frex erase again`: what was erased before a restore is erased again.

use frex_client::{
    client::{Client, EraseOrder},
    keys::MemberHome,
};
use frex_proto::{error::WireCode, id::MessageId};
use serde_json::{Value, json};

use super::{EraseAgainArgs, local, serving::Serving};
use crate::cli::{
    failure::{Done, Failure, OrCode, OrFail},
    files, member, output,
};

/// Largest list.
const LIST_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What came of one list.
#[derive(Default)]
struct Count {
    erased: usize,
    not_here: usize,
    held: usize,
}

/// Erases whatever a list names; what is gone already, or is not here, stays so. Spec: ERA-16.
pub fn again(args: &EraseAgainArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let orders = read(args)?;
    let count = member::runtime()?.block_on(async {
        let serving = Serving::reach(&args.dir, &home).await?;
        let count = each(&serving.client, &home, &orders).await;
        serving.end().await;
        count
    })?;
    let Count {
        erased,
        not_here,
        held,
    } = count;
    if json {
        output::document(json!({ "erased": erased, "not_here": not_here, "held": held }));
    } else {
        output::data(format_args!(
            "erased {erased}, not here {not_here}, kept by a hold {held}"
        ));
    }
    Ok(0)
}

async fn each(client: &Client, home: &MemberHome, orders: &[EraseOrder]) -> Result<Count, Failure> {
    let mut count = Count::default();
    let bar = output::progress_of("erasing again", Some(orders.len() as u64));
    for order in orders {
        match client.erase(order).await {
            Ok(_) => count.erased += 1,
            Err(error) => match WireCode::from(&error) {
                WireCode::NotFound => count.not_here += 1,
                WireCode::OnHold => {
                    count.held += 1;
                    bar.inc(1);
                    continue;
                }
                _ => {
                    let what = format!("{} is not erased; those before it are", order.message);
                    return Err(error).or_fail(what);
                }
            },
        }
        let sender = order.sender.as_deref();
        let files = local::find(home, order.message, sender, true)?;
        local::remove(home, (order.message, sender), &files)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(count)
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
