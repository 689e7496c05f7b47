//! `frex stats make`: counts, hides what is small, signs. Spec: STA-4 to STA-24.

use frex_client::{
    casework::statistics::{self, Order, Period, Signed, Steps},
    environment::Clock,
    keys::MemberHome,
};
use frex_proto::roster::Roster;
use serde_json::json;

use super::{MakeArgs, facts, print, store};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, member, output,
};

/// Makes a table.
pub fn make(args: &MakeArgs, json: bool) -> Done {
    let home = member::open(&args.dir)?;
    let roster = member::roster(&home)?;
    let period = args.period.0;
    let definition = statistics::definition(&args.definition, None);
    let definition = definition
        .or_fail("nothing can be counted")
        .map_err(|failure| failure.advise("Those that are known: frex stats definitions"))?;
    let as_of_ms = Clock::System.now_ms();
    // Before anything is compared by it.
    let begins = period.first.begins_ms(&args.zone);
    begins.or_fail("nothing can be counted in that zone")?;
    let tables = store::tables(&home)?;
    let before = store::before(&tables, &definition.id, &period, &args.zone)?;
    let counted = facts::of(&home, &roster, definition, as_of_ms)?;
    let range = counted.range(&period, &args.zone)?;
    let key = store::noise_key(&home)?;
    let order = Order {
        definition,
        federation: roster.federation(),
        member: &home.settings().member,
        period,
        zone: &args.zone,
        as_of_ms,
        steps: Steps {
            threshold: args.threshold,
            ..Steps::default()
        },
        range: &range,
        key: &key,
        before: before.map(|before| (&before.table, before.sha256)),
    };
    let table = statistics::make(&counted.facts, &order).or_fail("the table cannot be made")?;
    let keys = member::keys(&home)?;
    let signed = statistics::sign(&table, &keys.identity).or_fail("the table cannot be signed")?;
    let made = statistics::parse(&signed).or_fail("the table that was made does not read")?;
    // Kept first: whoever has the file has a table that the next one agrees with.
    store::keep(&home, &made, &signed)?;
    files::write_new(&args.out, &signed)?;
    if json {
        let mut said = statistics::view::json(&made);
        said["file"] = json!(args.out);
        output::document(said);
    } else {
        print::table(&made);
        output::message(format_args!(
            "note: written to {0}; to publish it: frex stats publish {0} --dir {1} --out FOLDER",
            args.out.display(),
            args.dir.display()
        ));
    }
    Ok(0)
}

/// Counts anew what a table counts, as of its time. Gives what differs, in words; nothing if nothing does.
pub(super) fn recount(
    home: &MemberHome,
    roster: &Roster,
    signed: &Signed,
) -> Result<Option<String>, Failure> {
    let table = &signed.table;
    let found = statistics::definition(&table.definition_id, Some(table.definition_version));
    let Ok(definition) = found else {
        return Ok(Some("the definition is not known here".to_owned()));
    };
    let counted = facts::of(home, roster, definition, table.as_of_ms)?;
    let control = table.control.clone().unwrap_or_default();
    // None is made here: who verifies changes nothing.
    let key = store::kept_key(home)?.filter(|key| control.noise_key_id == key.id()[..]);
    let Some(key) = key else {
        return Ok(Some(
            "its noise is of another key than the one in this folder".to_owned(),
        ));
    };
    let tables = store::tables(home)?;
    let before = tables
        .iter()
        .find(|one| one.sha256[..] == table.supersedes[..]);
    let range = table.range.clone().unwrap_or_default();
    let order = Order {
        definition,
        federation: &table.federation,
        member: &table.member,
        period: Period::between(&table.first_month, &table.last_month)
            .or_fail("the table is damaged")?,
        zone: &table.zone,
        as_of_ms: table.as_of_ms,
        steps: Steps::of(&control).or_fail("the table is damaged")?,
        range: &range,
        key: &key,
        before: before.map(|before| (&before.table, before.sha256)),
    };
    let own = counted.range(&order.period, order.zone)?;
    if (own.first, own.end, &own.origin) != (range.first, range.end, &range.origin) {
        return Ok(Some(
            "it rests on other entries of the log than the reports here".to_owned(),
        ));
    }
    let again =
        statistics::make(&counted.facts, &order).or_fail("the table cannot be made again")?;
    Ok(if again.records_sha256 != table.records_sha256 {
        Some("it counts other reports than those in this folder".to_owned())
    } else if again != *table {
        Some("the same reports make other figures".to_owned())
    } else {
        None
    })
}
