//! `frex erase ls`, `frex hold ls` and `frex erase export`.

use std::path::Path;

use frex_client::client::{Client, ErasureRow};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{
    serving::{self, Serving},
    stopped,
};
use crate::cli::{
    erased,
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// Pages that are asked for at most: far more than anybody reads.
const PAGES_MAX: usize = 100_000;

/// Lists erasures, or what is held. Spec: ERA-13.
pub fn list(dir: &Path, holds: bool, json: bool) -> Done {
    let rows = gather(dir, holds)?;
    if json {
        let rows: Vec<Value> = rows.iter().map(|row| document(row, holds)).collect();
        let field = if holds { "held" } else { "erased" };
        output::document(json!({ field: rows }));
        return Ok(0);
    }
    if rows.is_empty() {
        output::message(if holds {
            "nothing is held"
        } else {
            "nothing was erased"
        });
        return Ok(0);
    }
    let last = if holds { "COURT" } else { "ENTRY" };
    let mut table = output::table(&["TIME", "MESSAGE", "FROM", "GROUND", "AUTHORITY", "BY", last]);
    for row in &rows {
        let end = match (holds, row.court) {
            (false, _) => row.index.to_string(),
            (true, true) => "yes".to_owned(),
            (true, false) => "no".to_owned(),
        };
        table.add_row([
            rfc3339(row.time_ms),
            row.message.map(|id| id.to_string()).unwrap_or_default(),
            output::clean(&row.sender),
            output::clean(&row.ground),
            output::clean(&row.authority),
            output::clean(erased::by(&row.ordered_by)),
            end,
        ]);
    }
    output::print_table(&table);
    Ok(0)
}

/// Writes what a restored node must erase again, one document a line. Spec: ERA-16.
pub fn export(dir: &Path) -> Done {
    let home = member::open(dir)?;
    for row in gather(dir, false)? {
        let mut line = document(&row, false);
        line["v"] = output::JSON_VERSION.into();
        // Nobody has ordered what its time was over for: of whose log that is tells whose list it is.
        line["node"] = home.settings().home_node.as_str().into();
        output::data(line);
    }
    Ok(0)
}

/// From the node if it runs, or else from its files.
fn gather(dir: &Path, holds: bool) -> Result<Vec<ErasureRow>, Failure> {
    let home = member::open(dir)?;
    if let Some(rows) = stopped::rows(dir, &home, holds)? {
        return Ok(rows);
    }
    member::runtime()?.block_on(async {
        let serving = Serving::running(&home).await?;
        let rows = all(&serving.client, holds).await;
        serving.end().await;
        rows.map_err(|failure| serving::not_running(failure, dir))
    })
}

/// Every row that the node shows.
///
/// # Errors
/// It does not answer, or without end.
pub(super) async fn all(client: &Client, holds: bool) -> Result<Vec<ErasureRow>, Failure> {
    let (mut rows, mut after) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = client.erasures(holds, after).await;
        let (some, next) = page.or_fail("the node does not tell of its erasures")?;
        rows.extend(some);
        after = next;
        if after.is_none() {
            return Ok(rows);
        }
    }
    let what = format!("the list of the node is longer than {PAGES_MAX} pages");
    Err(Failure::new(WireCode::TooLarge, what)
        .cause("a part of it would be taken for the whole")
        .advise(
            "Stop the node and give the same command again: it then reads the node's own files",
        ))
}

fn document(row: &ErasureRow, holds: bool) -> Value {
    let mut document = json!({
        "message": row.message.map(|id| id.to_string()),
        "envelope": row.envelope.map(|id| id.to_string()),
        "sender": row.sender, "ground": row.ground, "authority": row.authority,
        "ordered_by": row.ordered_by, "time": rfc3339(row.time_ms),
    });
    if holds {
        document["court"] = row.court.into();
    } else {
        document["index"] = row.index.into();
        document["entries"] = row.entries.into();
    }
    document
}
