//! A report of version 1 in the model of version 2. Spec: MOD-17.

use std::collections::BTreeMap;

use crate::{
    casework::v1,
    report::{self, Level, Subject},
};

use super::Report;

/// Where a field of version 1 goes that version 2 does not know, as JSON text.
const MORE: &str = "frex.report.v1/";

/// All that a report of version 1 says. What it says in fields of its own goes to extensions.
#[must_use]
pub fn from_first(first: &report::Report) -> Report {
    let mut reported = Vec::new();
    let mut victims = Vec::new();
    let mut witnesses = Vec::new();
    for subject in &first.subjects {
        let role = subject.role.as_deref().unwrap_or_default();
        let list = match role {
            "victim" | "child" => &mut victims,
            "reporter" | "witness" => &mut witnesses,
            _ => &mut reported,
        };
        list.push(party(subject));
    }
    let item = |(at, hash): (usize, &report::FileHash)| v1::Item {
        item_id: Some(format!("item-{}", at + 1)),
        hashes: vec![v1::Hash {
            algorithm: Some(hash.algorithm.clone()),
            value: Some(hash.value.clone()),
            ..v1::Hash::default()
        }],
        ..v1::Item::default()
    };
    let report = v1::Report {
        reference: Some(first.reference.clone()),
        created: Some(first.created.clone()),
        urgency: urgency(&first.urgency),
        language: first.language.clone(),
        description: first.description.clone(),
        classifications: first.categories.iter().map(classification).collect(),
        hosting: first.urls.iter().map(hosting).collect(),
        items: first.hashes.iter().enumerate().map(item).collect(),
        jurisdictions: first.jurisdictions.iter().map(jurisdiction).collect(),
        reported,
        victims,
        witnesses,
        extensions: extensions(first),
        ..v1::Report::default()
    };
    Report::of(&report)
}

/// What it says in fields of its own, wherever they stand.
fn extensions(first: &report::Report) -> Vec<v1::Extra> {
    let mut all = more(&first.more, "");
    all.extend(more(&first.urgency.more, "urgency."));
    for (at, category) in first.categories.iter().enumerate() {
        all.extend(more(&category.more, &format!("categories.{at}.")));
    }
    for (at, location) in first.urls.iter().enumerate() {
        all.extend(more(&location.more, &format!("urls.{at}.")));
    }
    for (at, hash) in first.hashes.iter().enumerate() {
        all.extend(more(&hash.more, &format!("hashes.{at}.")));
    }
    for (at, jurisdiction) in first.jurisdictions.iter().enumerate() {
        all.extend(more(&jurisdiction.more, &format!("jurisdictions.{at}.")));
    }
    for (at, subject) in first.subjects.iter().enumerate() {
        let place = format!("subjects.{at}.");
        all.extend(more(&subject.more, &place));
        for (number, identifier) in subject.identifiers.iter().enumerate() {
            let place = format!("{place}identifiers.{number}.");
            all.extend(more(&identifier.more, &place));
        }
    }
    all
}

fn more(fields: &serde_json::Map<String, serde_json::Value>, place: &str) -> Vec<v1::Extra> {
    // A map in the order of its names, whatever features the JSON library is built with.
    let fields: BTreeMap<_, _> = fields.iter().collect();
    let word = |name: &str| -> String {
        let plain = |c: char| c.is_ascii_graphic();
        name.chars().filter(|c| plain(*c)).take(64).collect()
    };
    let extension = |(name, value): (&String, &serde_json::Value)| v1::Extra {
        name: Some(format!("{MORE}{place}{}", word(name))),
        value: Some(value.to_string()),
    };
    fields.into_iter().map(extension).collect()
}

fn urgency(urgency: &report::Urgency) -> Option<v1::Urgency> {
    let level = match urgency.level {
        Level::Imminent => v1::Level::Imminent,
        Level::Ongoing => v1::Level::Ongoing,
        Level::High => v1::Level::High,
        Level::Normal if urgency.reason.is_none() => return None,
        Level::Normal => v1::Level::Normal,
        Level::Low => v1::Level::Low,
    };
    Some(v1::Urgency {
        level: Some(level.into()),
        reason: urgency.reason.clone(),
        until: None,
    })
}

fn classification(category: &report::Category) -> v1::Classification {
    v1::Classification {
        scheme: Some(category.scheme.clone()),
        version: Some(category.version.clone()),
        code: Some(category.code.clone()),
        ..v1::Classification::default()
    }
}

fn hosting(location: &report::Location) -> v1::Hosting {
    v1::Hosting {
        url: Some(location.url.clone()),
        note: location.note.clone(),
        ..v1::Hosting::default()
    }
}

fn jurisdiction(jurisdiction: &report::Jurisdiction) -> v1::Jurisdiction {
    v1::Jurisdiction {
        country: Some(jurisdiction.country.clone()),
        basis: Some(jurisdiction.basis.clone()),
        confidence: jurisdiction.confidence,
        ..v1::Jurisdiction::default()
    }
}

fn party(subject: &Subject) -> v1::Party {
    let mut party = v1::Party {
        relation: subject.role.clone(),
        ..v1::Party::default()
    };
    let mut person = v1::Person::default();
    for identifier in &subject.identifiers {
        let value = Some(identifier.value.clone());
        match identifier.kind.as_str() {
            "email" => person.emails.push(v1::Email {
                value,
                ..v1::Email::default()
            }),
            "phone" => person.phones.push(v1::Phone {
                value,
                ..v1::Phone::default()
            }),
            "ip" => party.ip_events.push(v1::IpEvent {
                ip_address: value,
                ..v1::IpEvent::default()
            }),
            "name" | "alias" => person.aliases.push(identifier.value.clone()),
            "username" | "screen-name" | "account" if party.screen_name.is_none() => {
                party.screen_name = value;
            }
            kind => {
                let note = format!("{kind}: {}", identifier.value);
                party.additional_info.push(note);
            }
        }
    }
    if person != v1::Person::default() {
        party.person = Some(person);
    }
    party
}
