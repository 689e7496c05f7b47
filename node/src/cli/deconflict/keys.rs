//! `frex deconflict keys`: own epochs, and what others stated of theirs.

use frex_client::{
    casework::deconflict::{
        Epoch,
        store::{Begin, OwnEpoch, Store},
    },
    environment::{Clock, Random},
    keys::MemberHome,
};
use serde_json::{Value, json};

use super::KeysArgs;
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// Lists epochs; begins one if that is asked for.
pub fn keys(args: &KeysArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let store = Store::of(home.dir());
    if args.next {
        begin(&home, &store)?;
    }
    let now_ms = Clock::System.now_ms();
    let own = store.epochs().or_fail("the epochs cannot be read")?;
    let seen = store.seen().or_fail("what others stated cannot be read")?;
    let own = own
        .iter()
        .map(|one| row(&one.epoch, own_state(one, now_ms)));
    let seen = seen.iter().map(|one| {
        let state = match (one.is_second, one.epoch.is_in_force(now_ms)) {
            (true, _) => "contradicts the one before",
            (false, true) => "in force",
            (false, false) => "over",
        };
        row(&one.epoch, state)
    });
    let rows: Vec<Value> = own.chain(seen).collect();
    if json {
        output::document(json!({ "epochs": rows }));
        return Ok(0);
    }
    if rows.is_empty() {
        output::message(format_args!(
            "no epoch was begun or seen; begin one: frex deconflict keys --next {}",
            args.dir.display()
        ));
        return Ok(0);
    }
    let mut table = output::table(&["MEMBER", "BEGINS", "ENDS", "STATE", "BOOK", "BYTES"]);
    for row in &rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let book: String = text("book_sha256").chars().take(16).collect();
        table.add_row([
            text("member"),
            text("begins"),
            text("ends"),
            text("state"),
            book,
            row["book_bytes"].to_string(),
        ]);
    }
    output::print_table(&table);
    Ok(0)
}

fn own_state(own: &OwnEpoch, now_ms: u64) -> &'static str {
    match (own.has_key(), now_ms < own.epoch.ends_ms) {
        (true, true) => "own, in force",
        (true, false) => "own, over",
        (false, _) => "own, key destroyed",
    }
}

fn row(epoch: &Epoch, state: &str) -> Value {
    json!({
        "member": epoch.member, "begins": rfc3339(epoch.begins_ms), "ends": rfc3339(epoch.ends_ms),
        "state": state, "public_key": hex::encode(epoch.public_key),
        "book_sha256": hex::encode(epoch.book_sha256), "book_bytes": epoch.book_bytes,
    })
}

/// Begins an epoch, and destroys the keys of those that it ends.
///
/// # Errors
/// It cannot be written, or a desk is missing.
pub fn begin(home: &MemberHome, store: &Store) -> Result<(), Failure> {
    let keys = member::keys(home)?;
    let settings = home.settings();
    let roster = member::roster(home)?;
    let bar = output::progress_of("making the book", None);
    let begun = store.begin_epoch(
        Begin {
            federation: roster.federation(),
            member: &settings.member,
            identity: &keys.identity,
            now_ms: Clock::System.now_ms(),
            progress: &mut |done| bar.set_position(done),
        },
        &mut Random::System.rng(),
    );
    bar.finish_and_clear();
    begun.or_fail("no epoch can be begun")?;
    let destroyed = store.destroy_ended(Clock::System.now_ms());
    destroyed.or_fail("the key of an epoch that is over cannot be destroyed")?;
    Ok(())
}
