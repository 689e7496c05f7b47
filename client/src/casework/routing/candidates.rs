//! Which countries may be competent, by everything in a report that names one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Candidate, Class, Evidence, Form, Note, Ranges, Read, Routes, country::Named, country::host,
    tables,
};
use crate::casework::{paths, quality};

const NO_COUNTRY: &str = "a code that is no country's";
const NOT_KNOWN: &str = "a code that is not known";
/// What a plan notes of an address where there is no table of address ranges, or one without a network.
pub const NO_RANGES: &str = "no table of address ranges is given";
const NOT_IN_RANGES: &str = "an address that the table of ranges has no country for";
const NO_CALLING_CODE: &str = "a number without a known calling code";
/// Basis of an address behind which somebody else may stand.
const PROXY: &str = "ip-proxy";
/// Basis of a declared jurisdiction that is one for hosting.
const DECLARED_HOSTING: &str = "declared-hosting";

/// Evidence of one country: by kind and place, what it counts and how often it stands there.
type Found = BTreeMap<(String, String), (u32, u32)>;

struct Gathering<'a> {
    routes: &'static Routes,
    ranges: &'a Ranges,
    found: BTreeMap<String, Found>,
    notes: BTreeSet<Note>,
}

/// Every country that a report names, the likeliest first, and what names none. Nothing counts yet.
/// Spec: RTE-11 to RTE-14.
#[must_use]
pub fn candidates(view: &Value, ranges: &Ranges) -> (Vec<Candidate>, Vec<Note>) {
    let mut gathering = Gathering {
        routes: &tables().routes,
        ranges,
        found: BTreeMap::new(),
        notes: BTreeSet::new(),
    };
    for read in &gathering.routes.reads {
        paths::each_entry(view, &read.path, &mut |value| gathering.read(read, value));
    }
    let routes = gathering.routes;
    let mut candidates: Vec<Candidate> = gathering
        .found
        .into_iter()
        .map(|(country, found)| candidate(routes, country, found))
        .collect();
    // They were in the order of their countries, which stays among equals.
    candidates.sort_by_key(|one| std::cmp::Reverse(one.origin.max(one.hosting)));
    (candidates, gathering.notes.into_iter().collect())
}

fn candidate(routes: &Routes, country: String, found: Found) -> Candidate {
    let confidence = |class: Class| {
        let of_class = routes.bases.iter().filter(|one| one.class == class);
        let best = of_class.map(|basis| {
            let of_it = found.iter().filter(|((name, _), _)| *name == basis.basis);
            of_it.map(|(_, (points, _))| *points).max().unwrap_or(0)
        });
        combined(best.collect())
    };
    let (origin, hosting) = (confidence(Class::Origin), confidence(Class::Hosting));
    let evidence = found
        .into_iter()
        .map(|((basis, path), (points, count))| Evidence {
            basis,
            path,
            points,
            count,
        });
    Candidate {
        country,
        origin,
        hosting,
        counts: false,
        hosting_alone: false,
        evidence: evidence.collect(),
    }
}

/// What independent evidence comes to, the strongest first: each takes its share of what the others have
/// left open. Spec: RTE-11.
fn combined(mut points: Vec<u32>) -> u32 {
    points.sort_unstable_by(|a, b| b.cmp(a));
    points
        .into_iter()
        .fold(0, |sum, one| sum + (100 - sum) * one / 100)
}

impl Gathering<'_> {
    fn read(&mut self, read: &Read, value: &Value) {
        match read.form {
            Form::Jurisdiction => self.jurisdiction(read, value),
            Form::IpEvent => {
                let proxy = value["possible_proxy"] == true;
                let basis = if proxy { PROXY } else { &read.basis };
                self.address(read, basis, value["ip_address"].as_str());
            }
            Form::Phone => self.phone(read, value),
            Form::Ip => self.address(read, &read.basis, value.as_str()),
            Form::Country => self.code(read, value.as_str()),
            Form::Domain => self.domain(read, value.as_str()),
            Form::Email => {
                let domain = value.as_str().and_then(|text| text.rsplit_once('@'));
                self.domain(read, domain.map(|(_, domain)| domain));
            }
            Form::Url => self.domain(read, value.as_str().and_then(host)),
            Form::Language => {
                let tag = value.as_str().unwrap_or_default();
                if let Some(country) = self.routes.country_of_language(tag) {
                    self.add(country, &read.basis, read, 1, 1);
                }
            }
        }
    }

    fn jurisdiction(&mut self, read: &Read, value: &Value) {
        let word = value["basis"].as_str().unwrap_or_default();
        let hosting = self.routes.hosting_words.iter().any(|one| one == word);
        let basis = if hosting {
            DECLARED_HOSTING
        } else {
            &read.basis
        };
        let code = value["country"].as_str().unwrap_or_default();
        match self.routes.country(code) {
            Named::Country(country) => {
                let percent = percent(value["confidence"].as_f64().unwrap_or(1.0));
                self.add(country, basis, read, percent, 100);
            }
            Named::NoCountry => self.note(read, NO_COUNTRY),
            Named::NotKnown => self.note(read, NOT_KNOWN),
        }
    }

    fn code(&mut self, read: &Read, text: Option<&str>) {
        match self.routes.country(text.unwrap_or_default()) {
            Named::Country(country) => self.add(country, &read.basis, read, 1, 1),
            Named::NoCountry => self.note(read, NO_COUNTRY),
            Named::NotKnown => self.note(read, NOT_KNOWN),
        }
    }

    fn address(&mut self, read: &Read, basis: &str, text: Option<&str>) {
        let Some(text) = text else { return };
        if self.ranges.is_empty() {
            return self.note(read, NO_RANGES);
        }
        match self.ranges.country(text) {
            Some(country) => self.add(country, basis, read, 1, 1),
            None => self.note(read, NOT_IN_RANGES),
        }
    }

    fn phone(&mut self, read: &Read, value: &Value) {
        let text = |name: &str| value[name].as_str().unwrap_or_default().trim().to_owned();
        let (number, code) = (text("value"), text("country_calling_code"));
        let international = number.starts_with('+') || number.starts_with("00") || !code.is_empty();
        let digits = quality::number(&number, &code);
        let countries = match international {
            true => self.routes.countries_of_number(&digits),
            false => &[],
        };
        if countries.is_empty() {
            return self.note(read, NO_CALLING_CODE);
        }
        let share = u32::try_from(countries.len()).unwrap_or(u32::MAX);
        for country in countries {
            self.add(country, &read.basis, read, 1, share);
        }
    }

    fn domain(&mut self, read: &Read, domain: Option<&str>) {
        let country = domain.and_then(|domain| self.routes.country_of_domain(domain));
        if let Some(country) = country {
            self.add(country, &read.basis, read, 1, 1);
        }
    }

    /// Adds evidence that counts this fraction of its kind's points.
    fn add(&mut self, country: &str, basis: &str, read: &Read, numerator: u32, denominator: u32) {
        let points = self.routes.bases.iter().find(|one| one.basis == basis);
        let points = points.map_or(0, |one| one.points * numerator / denominator);
        let found = self.found.entry(country.to_owned()).or_default();
        let place = (basis.to_owned(), read.path.clone());
        let (most, count) = found.entry(place).or_default();
        *most = (*most).max(points);
        *count += 1;
    }

    fn note(&mut self, read: &Read, why: &'static str) {
        self.notes.insert(Note {
            path: read.path.clone(),
            why,
        });
    }
}

/// A share from 0 to 1 in percent, rounded half up.
fn percent(share: f64) -> u32 {
    let scaled = (share * 100.0 + 0.5).floor();
    (0..=100)
        .rev()
        .find(|percent| f64::from(*percent) <= scaled)
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RTE-11: what the table reads is of the schema, and counts as a basis that there is.
    #[test]
    fn what_is_read_is_there_and_counts() {
        let routes = &tables().routes;
        let counts = |name: &str| {
            let mut bases = routes.bases.iter();
            bases.any(|one| one.basis == name && one.points > 0)
        };
        assert!(counts(PROXY) && counts(DECLARED_HOSTING));
        for read in &routes.reads {
            let there = paths::is_of_schema(&read.path);
            assert!(there && counts(&read.basis), "{read:?}");
        }
    }

    // RTE-11: evidence adds up, the same kind twice does not, and it never passes 100.
    #[test]
    fn confidence_is_combined_in_whole_numbers() {
        assert_eq!(combined(vec![50, 45]), 72);
        assert_eq!(combined(vec![45, 50]), 72);
        assert_eq!(combined(vec![90, 75, 70, 60, 60, 55, 50]), 99);
        assert_eq!(combined(vec![100, 100]), 100);
        assert_eq!(combined(Vec::new()), 0);
        assert_eq!(
            (percent(0.8), percent(0.005), percent(2.0), percent(-1.0)),
            (80, 1, 100, 0)
        );
    }

    // RTE-11, RTE-12: where each stands is said, never what stands there.
    #[test]
    fn everything_that_names_a_country_is_named_with_its_place() {
        let ranges = Ranges::parse(b"192.0.2.0/24,SE\n").unwrap();
        let view = json!({
            "reported": [{
                "person": {"addresses": [{"country": "A1"}, {"country": "NO"}], "phones": [{"value": "+47 00 00 00 00"}, {"value": "12345"}]},
                "ip_events": [{"ip_address": "192.0.2.7"}, {"ip_address": "192.0.2.8"}, {"ip_address": "192.0.2.9", "possible_proxy": true}],
                "languages": ["is"],
            }],
            "jurisdictions": [{"country": "NO", "basis": "victim-location", "confidence": 0.5}, {"country": "US", "basis": "hosting"}],
            "hosting": [{"url": "https://x.example.nl/", "ip_address": "198.51.100.1"}],
        });
        let (found, notes) = candidates(&view, &ranges);
        let seen: Vec<_> = found
            .iter()
            .map(|one| (one.country.as_str(), one.origin, one.hosting))
            .collect();
        assert_eq!(
            seen,
            [
                ("US", 0, 90),
                ("NO", 87, 0),
                ("SE", 55, 0),
                ("NL", 0, 15),
                ("IS", 10, 0)
            ]
        );
        let ip = found[2].evidence.iter().find(|one| one.basis == "ip");
        assert_eq!(ip.map(|one| (one.points, one.count)), Some((50, 2)));
        assert_eq!(notes.len(), 3, "{notes:?}");
        let text = serde_json::to_string(&found).unwrap();
        assert!(
            !text.contains("192.0") && !text.contains("example"),
            "{text}"
        );
    }
}
