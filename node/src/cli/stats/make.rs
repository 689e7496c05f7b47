//! `frex stats make`: counts, hides what is small, signs. Spec: STA-4 to STA-24.

use frex_client::{
    casework::statistics::{
        self, Definition, Fact, Order, Period, Signed, Steps, month_of, wire::LogRange,
    },
    environment::Clock,
    keys::MemberHome,
};
use frex_proto::{limits, roster::Roster};
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
    let within = |fact: &Fact| is_within(fact, &period, &args.zone);
    let range = counted.range(within)?;
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
    store::keep(&home, &signed)?;
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

fn is_within(fact: &Fact, period: &Period, zone: &str) -> bool {
    month_of(fact.logged_ms, zone).is_ok_and(|month| period.first <= month && month <= period.last)
}

/// Counts anew what a table counts, as of its time. Gives what differs, in words; nothing if nothing does.
pub(super) fn recount(
    home: &MemberHome,
    roster: &Roster,
    signed: &Signed,
) -> Result<Option<String>, Failure> {
    let table = &signed.table;
    let found: Option<&Definition> =
        statistics::definition(&table.definition_id, Some(table.definition_version)).ok();
    let Some(definition) = found else {
        return Ok(Some("the definition is not known here".to_owned()));
    };
    let counted = facts::of(home, roster, definition, table.as_of_ms)?;
    let key = store::noise_key(home)?;
    let control = table.control.clone().unwrap_or_default();
    if control.noise_key_id != key.id()[..] {
        return Ok(Some(
            "its noise is of another key than the one in this folder".to_owned(),
        ));
    }
    let tables = store::tables(home)?;
    let before = tables
        .iter()
        .find(|one| one.sha256[..] == table.supersedes[..]);
    let range = table.range.clone().unwrap_or_default();
    let order = Order {
        definition,
        federation: &table.federation,
        member: &table.member,
        period: Period {
            first: table.first_month.parse().or_fail("the table is damaged")?,
            last: table.last_month.parse().or_fail("the table is damaged")?,
        },
        zone: &table.zone,
        as_of_ms: table.as_of_ms,
        steps: Steps::of(&control).or_fail("the table is damaged")?,
        range: &range,
        key: &key,
        before: before.map(|before| (&before.table, before.sha256)),
    };
    let within = |fact: &Fact| is_within(fact, &order.period, order.zone);
    let own: LogRange = counted.range(within)?;
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

/// Longest head that is read.
pub(super) const HEAD_BYTES_MAX: usize = limits::CHECKPOINT_BYTES_MAX;
