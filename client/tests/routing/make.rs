//! Reports, rosters and what is planned of them; scores, needs, copies, likeness, records.

use frex_client::casework::routing::{Policy, Ranges, Record, RosterView, canonical, route};
use serde_json::{Value, json};

use super::Vector;

const SENDER: &str = "platform.us";

fn seat(id: &str, role: &str, country: &str) -> Value {
    json!({"id": id, "role": role, "country": country, "live": true, "lanes": ["urgent", "normal"]})
}

fn roster() -> Value {
    let mut members = vec![
        seat(SENDER, "platform", "US"),
        seat("clearing.us", "clearing-house", "US"),
        seat("police.no", "police", "NO"),
        seat("hotline.no", "hotline", "NO"),
        seat("prosecutor.se", "prosecutor", "SE"),
        seat("hotline.fr", "hotline", "FR"),
        seat("police.us", "police", "US"),
        seat("oversight.eu", "oversight", "BE"),
    ];
    members.push(json!({"id": "police.nordic", "role": "police", "country": "DK", "jurisdictions": ["DK", "SE"],
        "live": true, "lanes": ["normal"]}));
    members.push(json!({"id": "police.de", "role": "police", "country": "DE", "live": false, "lanes": ["urgent", "normal"]}));
    members.push(
        json!({"id": "hotline.de", "role": "hotline", "country": "DE", "live": true, "lanes": []}),
    );
    json!({"version": 3, "members": members})
}

fn without(roles: &[&str]) -> Value {
    let mut roster = roster();
    let members = roster["members"].as_array_mut().unwrap();
    members.retain(|one| !roles.iter().any(|role| one["role"] == *role));
    roster
}

fn with(
    name: &str,
    spec: &str,
    what: &str,
    report: &Value,
    roster: &Value,
    policy: &str,
) -> Vector {
    Vector::new(&format!("route-{name}"), spec, what, "route_report")
        .set("report", report.clone())
        .set("roster", roster.clone())
        .set("sender", SENDER)
        .set("policy", policy)
        .set(
            "ranges",
            "192.0.2.0/24,NO\n198.51.100.0/24,A1\n2001:db8::/32,SE\n",
        )
}

fn declared(country: &str) -> Value {
    json!({"jurisdictions": [{"country": country, "basis": "victim-location"}]})
}

pub fn make() -> Vec<Vector> {
    [
        plans(),
        policies(),
        nobody(),
        scores(),
        needs(),
        copies(),
        likeness(),
        records(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[rustfmt::skip] // One vector on each line.
fn plans() -> Vec<Vector> {
    let ok = |name: &str, spec: &str, what: &str, report: Value| with(name, spec, what, &report, &roster(), "").set("expect", "ok");
    vec![
        ok("declared", "RTE-11", "a declared jurisdiction brings police and hotline, and the clearing house", declared("NO")),
        ok("address-and-phone", "RTE-11", "evidence of several kinds adds up", json!({"reported": [{"person": {"addresses": [{"country": "no"}], "phones": [{"value": "+47 00 00 00 00"}, {"value": "+47 00 00 00 01"}]}}]})),
        ok("ip", "RTE-13", "an address of the internet by the table, and behind a proxy it counts little", json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.7"}, {"ip_address": "2001:db8::1", "possible_proxy": true}, {"ip_address": "198.51.100.1"}, {"ip_address": "203.0.113.1"}]}]})),
        ok("not-iso", "RTE-12", "codes of the form that are no countries are named, and count nothing", json!({"reported": [{"person": {"addresses": [{"country": "A1"}, {"country": "EU"}, {"country": "\u{a0}no "}, {"country": ""}, {"country": "Utopia"}]}}], "victims": [{"estimated_location": {"country_code": "UK"}}]})),
        ok("shared-code", "RTE-12", "a calling code of two countries counts half for each", json!({"reported": [{"person": {"phones": [{"value": "(202) 555 0100", "country_calling_code": "+1"}, {"value": "0100 555"}, {"value": "+999 55 01 23"}]}}]})),
        ok("long-code", "RTE-12", "the longest calling code counts", json!({"victims": [{"person": {"phones": [{"value": "0018765550100"}]}}]})),
        ok("hosting", "RTE-16", "where it is hosted a hotline gets it", json!({"hosting": [{"url": "https://a.example.fr/x", "country": "FR"}, {"domain": "b.example.io"}], "channels": [{"web_page": {"urls": ["http://u:p@c.example.fr:8080/", "no url"]}}]})),
        ok("hosting-declared", "RTE-16", "a declared jurisdiction may be one for hosting", json!({"jurisdictions": [{"country": "FR", "basis": "hosting", "confidence": 0.5}]})),
        ok("confidence", "RTE-11", "a confidence is rounded half up, and counts as its share", json!({"jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.445}, {"country": "SE", "basis": "x", "confidence": 0.0}, {"country": "XX", "basis": "x"}]})),
        ok("languages", "RTE-12", "domains and languages count little", json!({"reported": [{"languages": ["nb", "pt-BR", "en", "zh-Hant-TW"], "person": {"emails": [{"value": "a@mail.example.de"}, {"value": "b@mail.example"}]}}]})),
        ok("prosecutor", "RTE-15", "a prosecutor of the country, and police that are competent for it", declared("SE")),
        ok("nobody-there", "RTE-17", "a country without a member is named, and the clearing house stands in", declared("GB")),
        ok("passed-over", "RTE-15", "who is not live and who takes no reports is named", declared("DE")),
        ok("nothing", "RTE-17", "a report that names no country goes to the clearing house", json!({"description": "words"})),
        ok("urgent", "RTE-16", "what is urgent goes to the police of every likely country", json!({"urgency": {"level": "imminent", "reason": "now"}, "jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.3}, {"country": "SE", "basis": "x"}]})),
        ok("not-urgent", "RTE-16", "what is not urgent does not", json!({"urgency": {"level": "high", "reason": "soon"}, "jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.3}]})),
        ok("escalation", "RTE-16", "an escalation is urgent", json!({"incident": {"escalation": "now"}, "jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.3}]})),
        ok("own-country", "RTE-20", "of a recipient at home the table knows no basis, and that is said", declared("US")),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn policies() -> Vec<Vector> {
    let ok = |name: &str, what: &str, report: Value, policy: &str| with(&format!("policy-{name}"), "RTE-22", what, &report, &roster(), policy).set("expect", "ok");
    let rule = |fields: &str| format!("version = 1\n[[rule]]\n{fields}\n");
    vec![
        ok("deny", "a rule denies", declared("NO"), &rule("roles = [\"police\"]\ncountries = [\"NO\"]\ndo = \"deny\"")),
        ok("full", "a rule gives more than the table", declared("NO"), &rule("members = [\"police.no\"]\ndo = \"full\"")),
        ok("metadata", "a rule gives less", declared("NO"), &rule("roles = [\"clearing-house\"]\ndo = \"metadata\"")),
        ok("first", "the first rule that fits decides", declared("NO"), &format!("{}[[rule]]\ndo = \"deny\"\n", rule("roles = [\"clearing-house\"]\ndo = \"allow\""))),
        ok("group", "a group stands for its countries", declared("SE"), &rule("countries = [\"EU\"]\ndo = \"deny\"")),
        ok("also", "somebody who gets everything", declared("NO"), "version = 1\nalso = [\"oversight.eu\"]\n"),
        ok("basis", "a basis of the member's own comes first", declared("NO"), "version = 1\n[[basis]]\nroles = [\"police\"]\nlaw = \"Treaty\"\njurisdiction = \"NO\"\ncopy = \"full\"\n"),
        ok("unknown-metadata", "without a basis a copy without contents", declared("US"), "version = 1\nunknown_basis = \"metadata\"\n"),
        ok("unknown-deny", "without a basis nothing", declared("US"), "version = 1\nunknown_basis = \"deny\"\n"),
        ok("threshold", "a threshold of the member's own", declared("NO"), "version = 1\nthreshold = 91\n"),
        ok("fallback-not-needed", "a clearing house that is a fallback gets nothing where it is not needed", declared("NO"), "version = 1\nhub = \"fallback\"\n"),
        ok("fallback", "and gets it where it is", declared("GB"), "version = 1\nhub = \"fallback\"\n"),
        ok("approval", "who must agree is named with the country", declared("SE"), "version = 1\n[[approval]]\ncountries = [\"DK\", \"US\"]\nby = \"legal\"\n"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn nobody() -> Vec<Vector> {
    let refused = |name: &str, what: &str, report: Value, roster: Value, policy: &str, expect: &str| {
        with(&format!("refused-{name}"), "RTE-19", what, &report, &roster, policy).set("expect", expect)
    };
    let alone = json!({"version": 1, "members": [seat(SENDER, "platform", "US")]});
    let mut crowd = roster();
    for number in 0..65 {
        crowd["members"].as_array_mut().unwrap().push(seat(&format!("police-{number}.no"), "police", "NO"));
    }
    let no_hub = || without(&["clearing-house"]);
    let deny = "version = 1\n[[rule]]\ndo = \"deny\"\n";
    vec![
        refused("no-country", "no country and no clearing house: nobody, and it is said", json!({"description": "words"}), no_hub(), "", "Nobody(|)"),
        refused("no-member", "a country without a member is named", declared("GB"), no_hub(), "", "Nobody(GB|)"),
        refused("two-countries", "each of them", json!({"jurisdictions": [{"country": "JP", "basis": "x"}, {"country": "GB", "basis": "x"}]}), no_hub(), "", "Nobody(GB JP|)"),
        refused("not-live", "who is not live is named", declared("DE"), no_hub(), "", "Nobody(DE|hotline.de:takes-no-reports police.de:not-live)"),
        refused("alone", "whoever sends is no recipient", declared("US"), alone, "", "Nobody(US|)"),
        refused("weak", "a country that does not count brings nobody", json!({"jurisdictions": [{"country": "NO", "basis": "x", "confidence": 0.1}]}), no_hub(), "", "Nobody(|)"),
        refused("only-hosting", "police of the country where it is hosted are not of its origin", json!({"hosting": [{"country": "US"}]}), no_hub(), "", "Nobody(US|)"),
        refused("denied", "a policy that denies everybody leaves nobody, and that is said", declared("NO"), roster(), deny, "Nobody(NO|clearing.us:denied hotline.no:denied police.no:denied)"),
        refused("denied-fallback", "also where the clearing house is a fallback", declared("NO"), roster(), &format!("version = 1\nhub = \"fallback\"\n{}", &deny[12..]), "Nobody(NO|clearing.us:denied hotline.no:denied police.no:denied)"),
        refused("no-basis", "no basis for anybody", declared("US"), no_hub(), "version = 1\nunknown_basis = \"deny\"\n", "Nobody(US|police.us:no-legal-basis)"),
        refused("stranger", "a policy that names whom nobody knows", declared("NO"), roster(), "version = 1\nalso = [\"police.xx\"]\n", "UnknownMember"),
        with("refused-too-many", "LIM-124", "more than one envelope has room for", &declared("NO"), &crowd, "").set("expect", "TooMany(68)"),
        refused("bad-policy", "a policy with a fault sends nothing", declared("NO"), roster(), "version = 1\nhub = \"sometimes\"\n", "Policy"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn scores() -> Vec<Vector> {
    let score = |name: &str, spec: &str, what: &str, report: Value| Vector::new(&format!("score-{name}"), spec, what, "score_report").set("report", report).set("expect", "ok");
    vec![
        score("empty", "RTE-3", "a report of nothing", json!({"reference": "A", "created": "2026-07-01T12:00:00Z"})),
        score("grooming", "RTE-3", "a profile of its own for what it is", json!({"incident": {"type": "grooming", "at": "2026-07-01T12:00:00Z"}, "channels": [{"chat": {"content": "words"}}], "reported": [{"screen_name": "x"}], "victims": [{}]})),
        score("declared", "RTE-3", "what the sender never had leaves the whole", json!({"incident": {"type": "abuse_material"}, "field_states": [{"path": "items[0].hashes", "state": "not_held"}, {"path": "incident.at", "state": "held"}, {"path": "reported[2].ip_events", "state": "withheld"}]})),
        score("full-of-nothing", "RTE-4", "complete and not to act on", json!({"incident": {"type": "misleading_domain", "at": "2026-07-01T12:00:00Z"}, "description": "a strange name", "hosting": [{"url": "https://a.example/", "provider": "Example"}], "provenance": {"source": "public"}})),
        score("apart", "RTE-4", "an address and the time of another do not belong together", json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.1", "port": 4711}, {"at": "2026-07-01T12:00:00Z"}]}]})),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn needs() -> Vec<Vector> {
    let need = |name: &str, version: u64, what: &str, report: Value, needed: &[&str], expect: &str| {
        Vector::new(&format!("needs-{name}"), "RTE-5", what, "missing_fields").set("version", version).set("report", report).set("needed", json!(needed)).set("expect", expect)
    };
    let report = json!({"reference": "A", "reported": [{"screen_name": " "}, {"ip_events": [{"ip_address": "192.0.2.1"}]}], "victims": [{"person": {"age": 12}}]});
    let first = json!({"reference": "A", "urls": [], "subjects": [{"identifiers": [{"kind": "ip", "value": "192.0.2.1"}]}]});
    vec![
        need("met", 2, "everything is said", report.clone(), &["reported.ip_events.ip_address", "victims.person.age", "subjects"], "ok"),
        need("none", 2, "nothing is needed", report.clone(), &[], "ok"),
        need("path", 2, "a field inside entries is named by its path", report.clone(), &["reported.ip_events.at", "reference"], "Lacks(reported.ip_events.at)"),
        need("blank", 2, "a blank is nothing", report.clone(), &["reported.screen_name"], "Lacks(reported.screen_name)"),
        need("first-names", 2, "names of the first version stand for what says the same", report.clone(), &["urls", "hashes", "categories", "subjects"], "Lacks(urls hashes categories)"),
        need("unknown", 2, "a name that is not known is a field like others", report, &["rank"], "Lacks(rank)"),
        need("first", 1, "a report of the first version", first.clone(), &["urls", "subjects.identifiers.kind", "subjects.role"], "Lacks(urls subjects.role)"),
        need("first-met", 1, "and one that says it", first, &["subjects"], "ok"),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn copies() -> Vec<Vector> {
    let copy = |name: &str, spec: &str, what: &str, report: Value| Vector::new(&format!("copy-{name}"), spec, what, "copy_metadata").set("report", report).set("sender", SENDER).set("expect", "ok");
    vec![
        copy("words", "RTE-26", "a report that had nothing but words", json!({"reference": "A", "created": "2026-07-01T12:00:00Z", "description": "words"})),
        copy("chat", "RTE-24", "of a conversation the room stays and the words go", json!({"reference": "A", "channels": [{"chat": {"client": "Example", "room": "r", "content": "words", "additional_info": "more"}}, {"peer_to_peer": {"file_names": "a.jpg", "ip_events": [{"ip_address": "192.0.2.1", "port": 4711}]}}]})),
        copy("item", "RTE-24", "of a file its hashes stay, its name and metadata go", json!({"reference": "A", "items": [{"item_id": "1", "file_name": "a.jpg", "hashes": [{"algorithm": "md5", "value": "d41d8cd98f00b204e9800998ecf8427e"}], "metadata": [{"type": "exif", "pairs": [{"name": "GPS", "value": "1"}]}], "additional_info": ["x"]}]})),
        copy("urgent", "RTE-25", "a reason is needed, and the one given is words", json!({"reference": "A", "urgency": {"level": "imminent", "reason": "the child says so"}, "incident": {"escalation": "now", "type": "grooming"}})),
        copy("unknown", "RTE-24", "what is not known is not kept", json!({"reference": "A", "unknown_fields": "ogYA", "reported": [{"unknown_fields": "ogYA", "esp_identifier": "1", "profile_bio": "words"}], "extensions": [{"name": "x", "value": "y"}], "residue": {"before": ["<!-- words -->"]}, "source": {"sha256": "x"}})),
        copy("lineage", "RTE-25", "what came from another stays theirs, and what was said of fields stays without words", json!({"reference": "A", "lineage": {"origin": "other", "origin_reference": "B"}, "field_states": [{"path": "victims", "state": "held", "note": "ask"}, {"path": "description", "state": "withheld"}], "description": "words", "provenance": {"views": [{"who": "analyst", "scope": "file"}], "source": "public"}})),
    ]
}

#[rustfmt::skip] // One vector on each line.
fn likeness() -> Vec<Vector> {
    let compare = |name: &str, what: &str, one: Value, other: Value, expect: &str| {
        Vector::new(&format!("alike-{name}"), "RTE-8", what, "compare_reports").set("report", one).set("other", other).set("expect", expect)
    };
    let hashes = |values: &[&str]| json!({"items": [{"hashes": values.iter().map(|value| json!({"algorithm": "md5", "value": value})).collect::<Vec<_>>()}]});
    vec![
        compare("same", "the same, written otherwise", json!({"reported": [{"person": {"emails": [{"value": "Sam@Mail.Example"}], "phones": [{"value": "+999 01 00 47 11"}]}}], "hosting": [{"url": "HTTPS://Example.org/a/#x"}]}), json!({"reported": [{"person": {"emails": [{"value": " sam@mail.example "}], "phones": [{"value": "0100 4711", "country_calling_code": "+999"}]}}], "channels": [{"web_page": {"urls": ["http://example.org/a"]}}]}), "ok"),
        compare("accounts", "accounts, devices and payments", json!({"victims": [{"esp_service": "Chat", "esp_identifier": "7", "screen_name": "Sam", "devices": [{"id_type": "IMEI", "id_value": "1"}], "payment_accounts": [{"method": "card", "provider": "Pay", "account": "4"}]}]}), json!({"reported": [{"associated_accounts": [{"esp_service": "chat", "esp_identifier": "7", "screen_name": "sam", "devices": [{"id_type": "imei", "id_value": "1"}]}], "payment_accounts": [{"method": "bank", "provider": "pay", "account": "4"}]}]}), "ok"),
        compare("near", "most of it is the same", hashes(&["aa", "bb", "cc"]), hashes(&["aa", "BB", "cc", "dd"]), "ok"),
        compare("ip", "the hour of an address counts, not the minute", json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.1", "port": 5, "at": "2026-07-01T12:00:00Z"}]}]}), json!({"items": [{"ip_event": {"ip_address": "192.0.2.1", "port": 5, "at": "2026-07-01T12:59:00Z"}}]}), "ok"),
        compare("far", "half of it is not enough", hashes(&["aa", "bb", "cc"]), hashes(&["aa", "bb", "dd"]), "Unlike"),
        compare("two", "a person who is reported again for something else has a few in common", json!({"reported": [{"screen_name": "x", "esp_identifier": "1"}], "items": [{"hashes": [{"algorithm": "md5", "value": "aa"}]}]}), json!({"reported": [{"screen_name": "x", "esp_identifier": "1"}], "items": [{"hashes": [{"algorithm": "md5", "value": "bb"}]}]}), "Unlike"),
        compare("one", "one thing in common is chance", hashes(&["aa"]), json!({"items": [{"hashes": [{"algorithm": "md5", "value": "aa"}]}], "reported": [{"screen_name": "x"}]}), "Unlike"),
        compare("nothing", "reports without identifiers are not compared", json!({"description": "words"}), json!({"description": "words"}), "Unlike"),
        compare("half-empty", "nor is one with one without", hashes(&["aa"]), json!({"description": "words"}), "Unlike"),
        compare("algorithm", "a value under another algorithm is another", hashes(&["aa", "bb"]), json!({"items": [{"hashes": [{"algorithm": "sha1", "value": "aa"}, {"algorithm": "sha1", "value": "bb"}]}]}), "Unlike"),
        compare("port", "behind one address there are many people", json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.1", "port": 5}]}]}), json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.1", "port": 6}]}]}), "Unlike"),
        compare("service", "a name at another service is another", json!({"reported": [{"esp_service": "a", "screen_name": "x"}]}), json!({"reported": [{"esp_service": "b", "screen_name": "x"}]}), "Unlike"),
    ]
}

fn record() -> Value {
    let roster: RosterView = serde_json::from_value(roster()).unwrap();
    let plan = route(
        &declared("NO"),
        &roster,
        SENDER,
        &Policy::default(),
        (&Ranges::default(), ""),
    )
    .unwrap();
    let record = Record::new(&plan, &["legal".to_owned()], 1_900_000_000_000, &[7; 32]);
    record.value().clone()
}

#[rustfmt::skip] // One vector on each line.
fn records() -> Vec<Vector> {
    let read = |name: &str, what: &str, text: String, expect: &str| {
        Vector::new(&format!("record-{name}"), "RTE-28", what, "read_record").set("record", text).set("expect", expect)
    };
    let changed = |name: &str, what: &str, expect: &str, change: &dyn Fn(&mut Value)| {
        let mut record = record();
        change(&mut record);
        read(name, what, canonical(&record), expect)
    };
    let one = canonical(&record());
    vec![
        changed("whole", "the ids of its messages are made of its bytes", "ok", &|_| {}),
        changed("other-salt", "another salt gives other ids", "ok", &|one| one["salt"] = "08".repeat(32).into()),
        read("spaced", "another form is another hash", one.replacen(':', ": ", 1), "Form"),
        read("newline", "so is one with a line's end", format!("{one}\n"), "Form"),
        read("turned", "and one whose names are in another order", format!("{},\"approved\":[\"legal\"]}}", one.replacen("\"approved\":[\"legal\"],", "", 1).trim_end_matches('}').to_owned() + "}"), "Json"),
        read("cut", "a record that was cut is none", one[..one.len() - 1].to_owned(), "Json"),
        read("empty", "nothing is none", String::new(), "Json"),
        read("list", "a list is none", "[]".to_owned(), "Fields"),
        changed("form", "it says what it is", "Fields", &|one| one["form"] = "frex-route/v2".into()),
        changed("salt-short", "a salt has 32 bytes", "Fields", &|one| one["salt"] = "07".into()),
        changed("salt-capitals", "in lower case", "Fields", &|one| one["salt"] = "AB".repeat(32).into()),
        changed("time", "a time is a whole number", "Fields", &|one| one["created_ms"] = "now".into()),
        changed("approved", "those who agreed are words", "Fields", &|one| one["approved"] = json!([1])),
        changed("more", "nothing else stands in it", "Fields", &|one| one["note"] = "x".into()),
        changed("less", "and nothing is missing", "Fields", &|one| drop(one.as_object_mut().unwrap().remove("approved"))),
        changed("no-plan", "it has a plan", "Fields", &|one| one["plan"] = Value::Null),
        changed("member-added", "a member in its messages that the plan does not name", "Parts", &|one| one["parts"][0]["members"].as_array_mut().unwrap().push("police.xx".into())),
        changed("member-dropped", "a member of the plan that no message goes to", "Parts", &|one| drop(one["parts"][1]["members"].as_array_mut().unwrap().pop())),
        changed("copy", "a copy that the plan does not say", "Parts", &|one| one["parts"][1]["copy"] = "full".into()),
        changed("lane", "a lane that there is not", "Parts", &|one| one["plan"]["recipients"][0]["lane"] = "slow".into()),
        changed("nobody", "a plan has somebody", "Parts", &|one| { one["plan"]["recipients"] = json!([]); one["parts"] = json!([]); }),
    ]
}
