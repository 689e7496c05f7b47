use std::collections::BTreeSet;

use proptest::prelude::*;
use prost_reflect::{Kind, MessageDescriptor};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use super::*;
use crate::casework::{model::Report, schema};

const COUNTRIES: [&str; 6] = ["NO", "SE", "US", "DE", "FR", "GB"];
const ROLES: [Role; 6] = [
    Role::Hotline,
    Role::Platform,
    Role::Police,
    Role::Prosecutor,
    Role::ClearingHouse,
    Role::Oversight,
];
const SENDER: &str = "sender";

/// Chance, repeatable.
struct Dice(ChaCha20Rng);

impl Dice {
    fn of(seed: u64) -> Self {
        Self(ChaCha20Rng::seed_from_u64(seed))
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.next_u64() % bound as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }

    fn seat(&mut self, id: &str) -> Seat {
        let mut lanes = BTreeSet::new();
        for lane in [Lane::Urgent, Lane::Normal] {
            if self.chance(85) {
                lanes.insert(lane);
            }
        }
        let many = if self.chance(30) { self.below(3) } else { 0 };
        Seat {
            id: id.to_owned(),
            role: self.pick(&ROLES),
            country: self.pick(&COUNTRIES).to_owned(),
            jurisdictions: (0..many)
                .map(|_| self.pick(&COUNTRIES).to_owned())
                .collect(),
            live: self.chance(90),
            lanes,
        }
    }

    fn roster(&mut self) -> RosterView {
        let count = self.below(12);
        let mut members = vec![Seat {
            id: SENDER.to_owned(),
            live: true,
            ..self.seat(SENDER)
        }];
        members.extend((0..count).map(|at| self.seat(&format!("member-{at}"))));
        RosterView {
            version: 7,
            members,
        }
    }

    fn report(&mut self) -> Value {
        let party = |dice: &mut Self| {
            json!({
                "person": {
                    "addresses": [{"country": dice.pick(&["NO", "A1", "se", "", "Nowhere"])}],
                    "phones": [{"value": dice.pick(&["+47 00000000", "+1 202 555 0100", "0100"])}],
                    "emails": [{"value": dice.pick(&["a@mail.example.de", "b@mail.example"])}],
                },
                "ip_events": [{"ip_address": dice.pick(&["192.0.2.1", "198.51.100.1"]), "possible_proxy": dice.chance(30)}],
            })
        };
        let mut report = json!({"reference": "A-1", "created": "2026-07-01T12:00:00Z"});
        for name in ["reported", "victims"] {
            let count = self.below(3);
            let list: Vec<Value> = (0..count).map(|_| party(self)).collect();
            report[name] = list.into();
        }
        if self.chance(50) {
            let country = self.pick(&COUNTRIES);
            report["hosting"] = json!([{"url": "https://a.example.fr/x", "country": country}]);
        }
        if self.chance(50) {
            let basis = self.pick(&["hosting", "victim-location"]);
            report["jurisdictions"] = json!([
                {"country": self.pick(&COUNTRIES), "basis": basis, "confidence": 0.75},
                {"country": self.pick(&COUNTRIES), "basis": "self-declared"},
            ]);
        }
        if self.chance(30) {
            report["urgency"] = json!({"level": "imminent", "reason": "now"});
        }
        report
    }
}

fn ranges() -> Ranges {
    Ranges::parse(b"192.0.2.0/24,NO\n198.51.100.0/24,SE\n").unwrap()
}

fn planned(report: &Value, roster: &RosterView, policy: &Policy) -> Result<Plan, RouteError> {
    route(report, roster, SENDER, policy, (&ranges(), ""))
}

/// Turns every list of a report, at every depth.
fn turned(value: &Value, dice: &mut Dice) -> Value {
    match value {
        Value::Array(list) => {
            let mut list: Vec<Value> = list.iter().map(|one| turned(one, dice)).collect();
            dice.shuffle(&mut list);
            list.into()
        }
        Value::Object(fields) => {
            let fields = fields.iter();
            let turned: Map<String, Value> = fields
                .map(|(name, one)| (name.clone(), turned(one, dice)))
                .collect();
            turned.into()
        }
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    // RTE-19: a plan has somebody, or an error says what is missing; each country that counts is somebody's
    // or named; whoever would have got it is a recipient or named.
    #[test]
    fn nothing_ends_silently(seed: u64) {
        let mut dice = Dice::of(seed);
        let (report, roster) = (dice.report(), dice.roster());
        match planned(&report, &roster, &Policy::default()) {
            Ok(plan) => {
                prop_assert!(!plan.recipients.is_empty());
                let counting = plan.candidates.iter().filter(|one| one.counts);
                for country in counting.map(|one| &one.country) {
                    let own = |one: &Recipient| roster.seat(&one.member).unwrap().is_competent(country)
                        && one.reasons.iter().any(|why| why.country.as_ref() == Some(country));
                    prop_assert!(plan.recipients.iter().any(own) || plan.uncovered.contains(country));
                }
                let parts: usize = plan.parts().iter().map(|part| part.members.len()).sum();
                prop_assert_eq!(parts, plan.recipients.len());
                prop_assert!(plan.recipients.iter().all(|one| one.member != SENDER && !one.reasons.is_empty()));
            }
            Err(RouteError::Nobody { countries, passed_over }) => {
                let hub = |seat: &&Seat| seat.role == Role::ClearingHouse && seat.id != SENDER;
                for seat in roster.members.iter().filter(hub) {
                    prop_assert!(passed_over.iter().any(|one| one.member == seat.id));
                }
                let (found, _) = candidates(&report, &ranges());
                let least = tables().routes.threshold;
                for one in found.iter().filter(|one| one.origin.max(one.hosting) >= least) {
                    prop_assert!(countries.contains(&one.country));
                }
            }
            Err(other) => prop_assert!(false, "{other}"),
        }
    }

    // RTE-10: the order of lists in report and roster decides nothing.
    #[test]
    fn the_order_of_lists_decides_nothing(seed: u64) {
        let mut dice = Dice::of(seed);
        let (report, mut roster) = (dice.report(), dice.roster());
        let plan = planned(&report, &roster, &Policy::default());
        let other = turned(&report, &mut dice);
        dice.shuffle(&mut roster.members);
        prop_assert_eq!(plan, planned(&other, &roster, &Policy::default()));
    }

    // RTE-17: whoever joins takes nobody's place, unless the policy makes clearing houses a fallback.
    #[test]
    fn a_member_more_takes_nobody_away(seed: u64) {
        let mut dice = Dice::of(seed);
        let (report, mut roster) = (dice.report(), dice.roster());
        let before = planned(&report, &roster, &Policy::default());
        roster.members.push(dice.seat("newcomer"));
        let after = planned(&report, &roster, &Policy::default());
        if let Ok(before) = before {
            let after = after.unwrap();
            for one in &before.recipients {
                let same = after.recipients.iter().find(|other| other.member == one.member);
                let same = same.expect("it is still there");
                prop_assert_eq!((same.copy, same.lane), (one.copy, one.lane));
            }
        }
    }

    // RTE-27, RTE-28: a record reads back as it was written, and in no other form.
    #[test]
    fn a_record_reads_back(seed: u64, salt: [u8; 32]) {
        let mut dice = Dice::of(seed);
        let Ok(plan) = planned(&dice.report(), &dice.roster(), &Policy::default()) else {
            return Ok(());
        };
        let record = Record::new(&plan, &["b".to_owned(), "a".to_owned()], 1_900_000_000_000, &salt);
        prop_assert_eq!(Record::parse(record.bytes()).unwrap(), record.clone());
        let spaced = serde_json::to_string_pretty(record.value()).unwrap();
        prop_assert_eq!(Record::parse(spaced.as_bytes()), Err(RecordError::Form));
        let mut half = record.value().clone();
        half["plan"]["candidates"] = json!(0.5);
        prop_assert_eq!(Record::parse(canonical(&half).as_bytes()), Err(RecordError::Form));
        let text = String::from_utf8(record.bytes().to_vec()).unwrap();
        prop_assert!(!text.contains("A-1") && !text.contains("192.0.2") && !text.contains("+47") && !text.contains("mail.example"));
    }
}

// LIM-147: a record has a bound.
#[test]
fn a_record_is_not_longer_than_a_mebibyte() {
    let plan = planned(
        &json!({"reported": [{"person": {"phones": [{"value": "+47 1"}]}}]}),
        &world(),
        &Policy::default(),
    );
    let plan = plan.unwrap();
    let of = |bytes: usize| Record::new(&plan, &["a".repeat(bytes)], 1, &[0; 32]);
    let rest = RECORD_BYTES_MAX - of(0).bytes().len();
    assert_eq!(Record::parse(of(rest).bytes()), Ok(of(rest)));
    assert_eq!(Record::parse(of(rest + 1).bytes()), Err(RecordError::Json));
}

/// A message that says everything that its schema has room for, each text its own.
fn full(message: &MessageDescriptor, path: &str) -> Value {
    let mut fields = Map::new();
    for field in message.fields() {
        let path = format!("{path}/{}", field.name());
        if field.containing_oneof().is_some() && message.name() == "Channel" {
            continue;
        }
        let one = match field.kind() {
            Kind::Message(inner) if inner.name() == "Channel" => {
                let kinds = inner.fields().map(|kind| {
                    let kind_of = kind.kind();
                    let shape = kind_of.as_message().unwrap();
                    json!({ kind.name(): full(shape, &format!("{path}/{}", kind.name())) })
                });
                fields.insert(field.name().to_owned(), kinds.collect());
                continue;
            }
            Kind::Message(inner) => full(&inner, &path),
            Kind::Bool => true.into(),
            Kind::String => format!("«{path}»").into(),
            Kind::Enum(words) => {
                let value = words.values().find(|value| value.number() != 0).unwrap();
                schema::word(&value).into()
            }
            _ => 1.into(),
        };
        let value = if field.is_list() { json!([one]) } else { one };
        fields.insert(field.name().to_owned(), value);
    }
    fields.into()
}

fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with('«') => {
            found.insert(text.trim_matches(['«', '»']).to_owned());
        }
        Value::Array(list) => list.iter().for_each(|one| texts(one, found)),
        Value::Object(fields) => fields.values().for_each(|one| texts(one, found)),
        _ => {}
    }
}

// RTE-24, RTE-25: of a report that says all there is, no text is in the copy but those on the list.
#[test]
fn no_text_is_in_a_copy_without_contents_but_what_is_on_the_list() {
    let mut report = full(&schema::message("Report"), "");
    report["unknown_fields"] = "«unknown»".into();
    report["reported"][0]["unknown_fields"] = "«unknown»".into();
    let mut before = BTreeSet::new();
    texts(&report, &mut before);
    let copy = reduced(&report, SENDER);
    let mut after = BTreeSet::new();
    texts(&copy, &mut after);
    assert!(before.len() > 300 && after.len() > 100, "{}", before.len());
    assert!(after.is_subset(&before));
    let forbidden = [
        "content",
        "additional_info",
        "description",
        "statements",
        "profile_bio",
        "views",
        "metadata",
        "file_name",
        "original_file_name",
        "file_names",
        "extensions",
        "residue",
        "company_template",
        "escalation",
        "unknown",
    ];
    for text in &after {
        let mut steps = text.split('/');
        assert!(!steps.any(|step| forbidden.contains(&step)), "{text}");
    }
    assert!(after.contains("/reported/person/emails/value"));
    assert!(after.contains("/items/hashes/value"));
    let states = copy["field_states"].as_array().unwrap();
    let withheld = |path: &str| {
        states
            .iter()
            .any(|one| one["path"] == path && one["state"] == "withheld")
    };
    for path in ["description", "channels[3].chat.content", "statements"] {
        assert!(withheld(path), "{path}: {states:?}");
    }
}

// RTE-25, RTE-26: a copy is a report whose rules hold, says whose it is, and of words alone only that
// there were some.
#[test]
fn a_copy_is_a_report_again() {
    let json = br#"{"reference": "A-1", "created": "2026-07-01T12:00:00Z", "description": "words",
        "urgency": {"level": "imminent", "reason": "the child said so"},
        "field_states": [{"path": "victims", "state": "held", "note": "ask us"}]}"#;
    let report = Report::from_json(json).unwrap();
    let copy = metadata_only(&report, SENDER).unwrap();
    // CSE-36
    let is_copy = [&report, &copy].map(|one| is_metadata_only(&one.encode()));
    assert_eq!(is_copy, [false, true]);
    let copy = copy.to_json();
    assert_eq!(copy["urgency"]["reason"], "metadata-only copy");
    assert_eq!(copy["lineage"]["origin"], SENDER);
    assert_eq!(copy["lineage"]["origin_reference"], "A-1");
    let states = json!([
        {"path": "victims", "state": "held"},
        {"path": "description", "state": "withheld", "note": "metadata-only copy"},
        {"path": "urgency.reason", "state": "withheld", "note": "metadata-only copy"},
    ]);
    assert_eq!(copy["field_states"], states);
    let text = copy.to_string();
    assert!(!text.contains("words") && !text.contains("the child") && !text.contains("ask us"));
}

fn seat(id: &str, role: Role, country: &str) -> Seat {
    Seat {
        id: id.to_owned(),
        role,
        country: country.to_owned(),
        jurisdictions: BTreeSet::new(),
        live: true,
        lanes: BTreeSet::from([Lane::Urgent, Lane::Normal]),
    }
}

fn world() -> RosterView {
    let members = vec![
        seat(SENDER, Role::Platform, "US"),
        seat("hub.us", Role::ClearingHouse, "US"),
        seat("police.no", Role::Police, "NO"),
        seat("hotline.no", Role::Hotline, "NO"),
        seat("police.se", Role::Police, "SE"),
        seat("hotline.fr", Role::Hotline, "FR"),
        seat("police.us", Role::Police, "US"),
    ];
    RosterView {
        version: 1,
        members,
    }
}

fn members(plan: &Plan, copy: Copy) -> Vec<&str> {
    let of_copy = plan.recipients.iter().filter(|one| one.copy == copy);
    of_copy.map(|one| one.member.as_str()).collect()
}

// RTE-15 to RTE-21: one filing, many destinations, each with what it lawfully gets.
#[test]
fn one_report_goes_to_everybody_competent_with_what_each_may_have() {
    let report = json!({
        "jurisdictions": [{"country": "NO", "basis": "victim-location"}],
        "hosting": [{"country": "FR"}],
        "reported": [{"person": {"phones": [{"value": "+46 00 000 000"}]}, "languages": ["sv"]}],
    });
    let plan = planned(&report, &world(), &Policy::default()).unwrap();
    assert_eq!(members(&plan, Copy::Full), ["hub.us"]);
    let abroad = ["hotline.fr", "hotline.no", "police.no", "police.se"];
    assert_eq!(members(&plan, Copy::Metadata), abroad);
    let hub = &plan.recipients[2];
    assert_eq!(hub.member, "hub.us");
    assert_eq!(hub.ground.law.as_deref(), Some("18 USC 2258A"));
    assert!(plan.uncovered.is_empty() && plan.passed_over.is_empty());
    let parts = plan.parts();
    assert_eq!((parts.len(), parts[0].copy), (2, Copy::Full));
}

// RTE-20 to RTE-22: what a member may have that is named, whatever the report says of countries.
#[test]
fn whoever_is_named_may_have_what_policy_and_law_say() {
    let world = world();
    let of = |member: &str, policy: &Policy| allowed(member, &world, SENDER, policy);
    let (all, some) = (Some(Copy::Full), Some(Copy::Metadata));
    let plain = Policy::default();
    let by_law = |copy| Some(Allowed { copy, rule: None });
    assert_eq!(of("hub.us", &plain), by_law(all));
    assert_eq!(of("police.no", &plain), by_law(some));
    assert_eq!(of("nobody.xx", &plain), None);
    let text = b"version = 1\n[[rule]]\nmembers = [\"hub.us\"]\ndo = \"deny\"\n";
    let denied = Allowed {
        copy: None,
        rule: Some(1),
    };
    assert_eq!(of("hub.us", &Policy::parse(text).unwrap()), Some(denied));
}

// RTE-16, RTE-22, RTE-23: urgent goes to the police of every likely country; a policy denies, allows and
// wants to be asked.
#[test]
fn urgent_reports_go_further_and_policies_decide() {
    let report = json!({
        "urgency": {"level": "imminent", "reason": "now"},
        "jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.3}],
    });
    let plan = planned(&report, &world(), &Policy::default()).unwrap();
    assert!(plan.urgent && plan.candidates[0].counts);
    let police = plan.recipients.iter().find(|one| one.member == "police.no");
    assert_eq!(police.unwrap().reasons[0].reason, "police-where-urgent");
    assert_eq!(police.unwrap().lane, Lane::Urgent);
    let policy = Policy::parse(
        br#"
version = 1
also = ["police.se"]
[[rule]]
members = ["police.no"]
do = "full"
[[rule]]
roles = ["clearing-house"]
do = "deny"
why = "no agreement"
[[approval]]
countries = ["EU"]
by = "legal"
"#,
    )
    .unwrap();
    let plan = planned(&report, &world(), &policy).unwrap();
    assert_eq!(members(&plan, Copy::Full), ["police.no"]);
    assert_eq!(members(&plan, Copy::Metadata), ["police.se"]);
    assert_eq!(plan.passed_over[0].member, "hub.us");
    assert_eq!(plan.passed_over[0].rule, Some(2));
    assert_eq!(
        (
            plan.approvals[0].by.as_str(),
            plan.approvals[0].country.as_str()
        ),
        ("legal", "SE")
    );
    let nobody = planned(
        &json!({}),
        &world(),
        &Policy {
            also: BTreeSet::new(),
            ..policy
        },
    );
    let text = nobody.unwrap_err().to_string();
    assert!(text.contains("hub.us is passed over: denied"), "{text}");
}

// RTE-17, RTE-20: a clearing house as a fallback, and what is not known is said.
#[test]
fn a_clearing_house_stands_in_and_an_unknown_basis_is_said() {
    let mut roster = world();
    roster.members[0].country = "DE".to_owned();
    let policy = Policy {
        hub: Hub::Fallback,
        ..Policy::default()
    };
    let of = |country: &str| json!({"jurisdictions": [{"country": country, "basis": "x"}]});
    let plan = planned(&of("NO"), &roster, &policy).unwrap();
    assert_eq!(members(&plan, Copy::Full), ["hotline.no", "police.no"]);
    assert!(plan.recipients.iter().all(|one| one.ground.table == "none"));
    let plan = planned(&of("GB"), &roster, &policy).unwrap();
    assert_eq!(members(&plan, Copy::Full), ["hub.us"]);
    assert_eq!(plan.uncovered, ["GB"]);
    let deny = Policy {
        unknown_basis: Unknown::Deny,
        ..Policy::default()
    };
    let error = planned(&of("GB"), &roster, &deny).unwrap_err();
    assert!(
        matches!(error, RouteError::Nobody { ref passed_over, .. } if passed_over[0].why == "no-legal-basis")
    );
}
