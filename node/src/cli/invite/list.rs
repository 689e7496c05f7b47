//! `frex invite ls` and `frex invite rm`.

use frex_client::environment::Clock;
use serde_json::{Value, json};

use super::{InviteListArgs, InviteRemoveArgs};
use crate::{
    cli::{
        failure::{Done, Failure, OrFail},
        member, output,
        time::rfc3339,
    },
    join::{Invitations, JoinStoreError, Standing},
};

/// Lists invitations, oldest first.
pub fn list(args: &InviteListArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let rows = rows(&Invitations::of(home.dir())).or_fail("cannot read the invitations")?;
    if json {
        output::document(json!({ "invitations": rows }));
        return Ok(0);
    }
    let mut table = output::table(&["ID", "STATE", "FOR", "USED BY", "WRONG", "UNTIL"]);
    for row in &rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let tries = row["wrong_secrets"].to_string();
        let cells = [
            text("id"),
            text("state"),
            text("note"),
            text("used_by"),
            tries,
        ];
        table.add_row(cells.into_iter().chain([text("expires")]));
    }
    output::print_table(&table);
    Ok(0)
}

/// Takes an invitation back. A listener that runs ends by itself.
pub fn remove(args: &InviteRemoveArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let invitations = Invitations::of(home.dir());
    invitations
        .withdraw(&args.id, Clock::System.now_ms())
        .map_err(|error| not_found(error, &args.id, &args.dir.display().to_string()))?;
    if json {
        output::document(json!({ "invitation": args.id, "state": "withdrawn" }));
    } else {
        output::data(format_args!("withdrawn  {}", args.id));
    }
    Ok(0)
}

/// An invitation that cannot be had, with the command that shows which there are.
pub fn not_found(error: JoinStoreError, id: &str, dir: &str) -> Failure {
    let missing = matches!(error, JoinStoreError::NotFound);
    let failure = Failure::of(error, format!("cannot use the invitation {id}"));
    if missing {
        failure.advise(format!("frex invite ls {dir}"))
    } else {
        failure
    }
}

/// How an invitation stands, in a word.
pub const fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Open => "open",
        Standing::Used => "used",
        Standing::Withdrawn => "withdrawn",
        Standing::Spent => "too many tries",
        Standing::Expired => "expired",
    }
}

fn rows(invitations: &Invitations) -> Result<Vec<Value>, JoinStoreError> {
    let now_ms = Clock::System.now_ms();
    let mut rows = Vec::new();
    for record in invitations.list()? {
        let usage = invitations.usage(&record.id)?;
        rows.push(json!({
            "id": record.id, "note": record.note, "address": record.address,
            "listen": record.listen, "created": rfc3339(record.created_ms),
            "expires": rfc3339(record.expires_ms),
            "state": standing_name(invitations.standing(&record, now_ms)?),
            "used_by": usage.member, "used": usage.used_ms.map(rfc3339),
            "wrong_secrets": usage.tries,
        }));
    }
    Ok(rows)
}
