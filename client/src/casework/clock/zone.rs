//! In whose midnight days end.

use std::{collections::BTreeMap, sync::LazyLock};

use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::Deserialize;

/// A time zone by its name.
#[derive(Debug, Clone, PartialEq)]
pub struct Zone {
    /// IANA name.
    pub name: String,
    pub(super) zone: TimeZone,
}

#[derive(Deserialize)]
struct Table {
    zones: BTreeMap<String, String>,
}

static ZONES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let table = include_str!("../../../schema/zones.v1.json");
    serde_json::from_str::<Table>(table).map_or_else(|_| BTreeMap::new(), |table| table.zones)
});

/// The zones of the program itself: a deadline does not depend on the machine.
static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The zone in which somebody's days are counted: the one that is named, or else that of the country,
/// or else UTC. Spec: CSE-23.
#[must_use]
pub fn zone_of(named: &str, country: &str) -> Zone {
    let listed = ZONES.get(country).map(String::as_str);
    let names = [Some(named).filter(|name| !name.is_empty()), listed];
    let found = names.into_iter().flatten().find_map(|name| {
        let zone = DATABASE.get(name).ok()?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Some(Zone { name, zone })
    });
    found.unwrap_or_else(|| Zone {
        name: "UTC".to_owned(),
        zone: TimeZone::UTC,
    })
}
