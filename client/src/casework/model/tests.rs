//! Reports good and bad.

use prost::Message as _;
use serde_json::{Value, json};

use super::*;
use crate::casework::cybertip::ImportError;

fn minimal() -> Value {
    json!({"reference": "A-1", "created": "2026-07-01T12:00:00Z", "description": "Words."})
}

fn parse(value: &Value) -> Result<Report, ReportErrors> {
    Report::from_json(&serde_json::to_vec(value).unwrap())
}

/// All that is wrong with a minimal report that also says this.
fn wrong(more: &Value) -> String {
    let mut value = minimal();
    for (name, more) in more.as_object().unwrap() {
        value[name] = more.clone();
    }
    parse(&value).unwrap_err().to_string()
}

// MOD-3: the view says all, in words.
#[test]
fn what_is_read_is_shown_again() {
    let mut value = minimal();
    value["urgency"] = json!({"level": "ongoing", "reason": "He is there now."});
    value["channels"] = json!([{"phone": {"number": {"value": "0100", "type": "mobile"}, "latitude": 1.25}}, {"chat": {}}]);
    value["items"] = json!([{"hashes": [{"algorithm": "pdq", "value": "0f".repeat(32), "quality": 90, "of": "as_stored"}], "bytes": 4_294_967_296_u64}]);
    value["incident"] = json!({"type": "grooming", "annotations": {"spam": false}});
    let report = parse(&value).unwrap();
    assert_eq!(report.to_json(), value);
    let again = Report::decode(&report.encode()).unwrap();
    assert_eq!(again.to_json(), value);
    let text: Value = serde_json::from_str(&report.to_json_text()).unwrap();
    assert_eq!(text, value);
    assert!(
        report
            .to_json_text()
            .starts_with("{\n  \"reference\": \"A-1\",\n  \"created\"")
    );
}

// MOD-3: what a later version added is kept, in Protobuf and in the view.
#[test]
fn fields_and_values_of_a_later_version_are_kept() {
    let mut bytes = parse(&minimal()).unwrap().encode();
    // Field 900, a text; and of the urgency, level 99.
    bytes.extend(b"\xa2\x38\x05later\xda\x02\x02\x08\x63");
    let report = Report::decode(&bytes).unwrap();
    let view = report.to_json();
    assert_eq!(view["urgency"]["level"], 99);
    assert!(view["unknown_fields"].is_string());
    assert_eq!(parse(&view).unwrap().to_json(), view);
    assert_eq!(Report::decode(&report.encode()).unwrap().to_json(), view);
    // A known field is not to be set that way.
    let mut sneaky = minimal();
    sneaky["unknown_fields"] = json!("ygIDQi0x");
    assert!(
        parse(&sneaky)
            .unwrap_err()
            .to_string()
            .contains("unknown_fields is not of this form")
    );
}

// MOD-9, MOD-13 to MOD-16: every fault is named by its path, with what would be right.
#[rustfmt::skip] // A table, one case a line.
#[test]
fn every_fault_is_named_with_what_would_be_right() {
    for (more, expected) in [
        (json!({"reference": ""}), "reference is empty; expected text on one line, at most 128 characters"),
        (json!({"reference": "a\nb"}), "reference is not of this form"),
        (json!({"created": "2026-02-30T00:00:00Z"}), "created is not of this form; expected an RFC 3339"),
        (json!({"language": "english language"}), "language is not of this form"),
        (json!({"victim": []}), "victim is not known; expected a field of the schema, such as victims"),
        (json!({"victims": {}}), "victims is an object; expected a list"),
        (json!({"victims": [{"person": {"age": 151}}]}), "victims[0].person.age is not such a number; expected a number from 0 to 150"),
        (json!({"victims": [{"person": {"age": "7"}}]}), "victims[0].person.age is not of this form; expected a whole number"),
        (json!({"victims": [{"person": null}]}), "victims[0].person is null; expected an object"),
        (json!({"reported": [{"screen_name": "x".repeat(257)}]}), "reported[0].screen_name has 257 characters; expected text of at most 256"),
        (json!({"reported": [{"ip_events": [{}]}]}), "reported[0].ip_events[0].ip_address is missing; expected an IPv4"),
        (json!({"reported": [{"ip_events": [{"ip_address": "192.0.2.300"}]}]}), "ip_address is not of this form"),
        (json!({"classifications": [{"scheme": "ucs", "code": "x"}]}), "classifications[0].version is missing"),
        (json!({"jurisdictions": [{"country": "A1", "basis": "ip"}]}), "jurisdictions[0].country is not of this form"),
        (json!({"jurisdictions": [{"country": "NO", "basis": "ip", "confidence": 1.5}]}), "expected a number from 0 to 1"),
        (json!({"urgency": {"level": "high"}}), "urgency.reason is missing; expected a reason"),
        (json!({"urgency": {"level": "urgent"}}), "urgency.level is not of this form; expected one of imminent, ongoing, high, normal, low"),
        (json!({"urgency": {"level": 3}}), "urgency.level is not of this form"),
        (json!({"channels": [{"chat": {}, "game": {}}]}), "stands beside another of its kind"),
        (json!({"channels": [{"onion": {"address": "a.onion"}}]}), "channels[0].onion.address is not of this form; expected a version 3"),
        (json!({"items": [{"hashes": [{"algorithm": "md5", "value": "0F"}]}]}), "items[0].hashes[0].value is not of this form; expected 32 lower-case"),
        (json!({"items": [{"hashes": [{"algorithm": "md5", "value": "0f".repeat(16), "quality": 3}]}]}), "quality means nothing here"),
        (json!({"items": [{"exif_viewed_by_esp": true, "viewed_by_esp": false}]}), "items[0].viewed_by_esp is false"),
        (json!({"items": [{"legality": [{"verdict": "nationally_illegal"}]}]}), "items[0].legality names no country"),
        (json!({"field_states": [{"path": "victims[0].shoe", "state": "held"}]}), "field_states[0].path is not of this form"),
        (json!({"batched": {"reason": "viral_potential_meme"}, "victims": [{}]}), "victims is there; expected nothing beside"),
        (json!({"batch": {"incident": "a", "part": 3, "parts": 2}}), "batch.part is not such a number"),
        (json!({"description": "bell \u{7}"}), "description holds control characters"),
    ] {
        let text = wrong(&more);
        assert!(text.contains(expected), "{text}\nlacks {expected}");
    }
    // What is wrong besides an unknown field is named with it, and not what was left out because of it.
    let both = wrong(&json!({"victim": [], "reference": "", "urgency": {"level": "urgent"}}));
    assert!(both.contains("victim is not known") && both.contains("reference is empty"), "{both}");
    assert!(!both.contains("urgency.level is missing"), "{both}");
    let mistyped = parse(&json!({"reference": "A", "created": "2026-07-01T12:00:00Z", "descripton": "words"}));
    let mistyped = mistyped.unwrap_err().to_string();
    assert!(mistyped.contains("such as description") && !mistyped.contains("says nothing"), "{mistyped}");
    let nothing = parse(&json!({"reference": "A", "created": "2026-07-01T12:00:00Z"}));
    assert!(nothing.unwrap_err().to_string().starts_with("the report says nothing"));
}

// MOD-18: no bytes of files, in whatever field.
#[test]
fn file_content_is_refused_in_every_field() {
    let base64 = "QUJD".repeat(200);
    for (more, found) in [
        (
            json!({"description": base64}),
            "description holds encoded bytes",
        ),
        (
            json!({"description": "see data:image/png;base64,QUJD"}),
            "description holds a data: URL",
        ),
        (
            json!({"reported": [{"profile_urls": ["data:text/plain,a"]}]}),
            "profile_urls[0] is not of this form",
        ),
        (
            json!({"items": [{"metadata": [{"pairs": [{"name": "a", "value": base64}]}]}]}),
            "value holds encoded bytes",
        ),
        (
            json!({"residue": {"places": [{"pieces": [{"xml": format!("<a>{base64}</a>")}]}]}}),
            "xml holds encoded bytes",
        ),
        (
            json!({"items": [{"hashes": [{"algorithm": "x-file", "value": base64}]}]}),
            "value is not of this form; expected 1 to 510",
        ),
    ] {
        let text = wrong(&more);
        assert!(text.contains(found), "{text}\nlacks {found}");
    }
    let mut bytes = parse(&minimal()).unwrap().encode();
    bytes.extend(b"\xa2\x38\x80\x08");
    bytes.extend((0..1024_u32).map(|at| u8::try_from(at * 7 % 251).unwrap() | 0x80));
    let error = Report::decode(&bytes).unwrap_err().to_string();
    assert!(
        error.contains("holds bytes in a field of a later version"),
        "{error}"
    );
}

// LIM-110, LIM-115 to LIM-118: too much is refused before it takes memory.
#[test]
fn what_is_too_large_is_refused() {
    let large = |bytes: &[u8]| Report::decode(bytes).unwrap_err().too_large;
    assert!(large(&vec![0; REPORT_BYTES_MAX + 1]));
    // Empty victims, two bytes each.
    assert!(large(&b"\x42\x00".repeat(VALUES_MAX)));
    // Of a victim, packed numbers of one byte each.
    let mut packed = b"\x42\x84\xd0\x0f\x72\x80\xd0\x0f".to_vec();
    packed.extend(vec![1; 256_000]);
    assert!(large(&packed));
    let value = json!({"victims": vec![json!({}); ENTRIES_MAX + 1]});
    assert!(wrong(&value).contains("victims has 10001 entries"));
    // Field 2000, a text.
    let later = [&b"\x82\x7d\xf0\xa2\x04"[..], &[b'a'; 70_000]].concat();
    let later = data_encoding::BASE64.encode(&later);
    assert!(
        wrong(&json!({"unknown_fields": later})).contains("unknown_fields is not of this form")
    );
    let error = Report::from_json(&vec![b' '; JSON_BYTES_MAX + 1]).unwrap_err();
    assert!(error.too_large);
}

// MOD-2: any bytes are read or refused, without a panic.
#[test]
fn damaged_bytes_are_refused_or_read() {
    let mut value = minimal();
    value["victims"] = json!([{"person": {"age": 9, "phones": [{"value": "1"}]}}]);
    let bytes = parse(&value).unwrap().encode();
    for at in 0..bytes.len() {
        for change in [0, 1, 0x7f, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[at] = change;
            let _ = Report::decode(&damaged);
            let _ = Report::decode(&damaged[..at]);
        }
    }
    assert!(Report::decode(b"\x0b\x0c").is_err());
}

// MOD-17: version 1 in version 2.
#[test]
fn a_report_of_version_1_says_the_same_in_version_2() {
    const FIRST: &str = include_str!("../../../schema/report.v1.example.json");
    let first = crate::report::Report::parse(FIRST.as_bytes()).unwrap();
    let report = from_first(&first);
    report.check().unwrap();
    let view = report.to_json();
    assert_eq!(view["reference"], first.reference);
    assert_eq!(view["hosting"][0]["url"], first.urls[0].url);
    let items = view["items"].as_array().unwrap();
    assert_eq!(items.len(), first.hashes.len());
    let text = view.to_string();
    for subject in &first.subjects {
        for identifier in &subject.identifiers {
            assert!(text.contains(&identifier.value), "{}", identifier.kind);
        }
    }
}

// MOD-17: what version 1 says in fields of its own is kept, wherever they stand.
#[test]
fn own_fields_of_version_1_are_kept() {
    let first = json!({
        "reference": "A", "created": "2026-07-01T12:00:00Z", "own": 0,
        "urgency": {"level": "normal", "own": 1},
        "categories": [{"scheme": "ucs", "version": "1", "code": "a", "own": 2}],
        "urls": [{"url": "https://host.example/1", "own": 3}],
        "hashes": [{"algorithm": "md5", "value": "0f".repeat(16), "own": 4}],
        "jurisdictions": [{"country": "NO", "basis": "ip", "own": 5}],
        "subjects": [{"own": 6, "identifiers": [{"kind": "email", "value": "a@b.example", "own": 7}]}],
    });
    let first = crate::report::Report::parse(first.to_string().as_bytes()).unwrap();
    let report = from_first(&first);
    report.check().unwrap();
    let extensions = report.typed().extensions;
    let values: Vec<&str> = extensions.iter().map(v1::Extra::value).collect();
    assert_eq!(values, ["0", "1", "2", "3", "4", "5", "6", "7"]);
}

// MOD-7, MOD-14: an import names the case, says that it is urgent, and is a report that may be sent.
#[test]
fn an_import_is_a_report_that_may_be_sent() {
    let xml = b"<report><incidentSummary><incidentType>Online Enticement of Children for Sexual Acts</incidentType><escalateToHighPriority>He is on his way.</escalateToHighPriority><incidentDateTime>2026-07-01T12:00:00Z</incidentDateTime></incidentSummary><reporter><reportingPerson><email>a@b.example</email></reportingPerson></reporter></report>";
    let file = b"<fileDetails><reportId>1</reportId><fileId>a</fileId><fileViewedByEsp>1</fileViewedByEsp></fileDetails>";
    let origin = Origin {
        reference: None,
        created: "2026-07-01T13:00:00Z".to_owned(),
    };
    let imported = import(xml, &[file.to_vec()], &origin).unwrap();
    imported.report.check().unwrap();
    assert_eq!(imported.kept_beside, 1);
    let typed = imported.report.typed();
    assert!(typed.reference().starts_with("tip-"));
    assert_eq!(typed.urgency.unwrap().level(), v1::Level::High);
    assert_eq!(typed.items[0].viewed_by_esp, Some(true));
    let encoded = Report::decode(&imported.report.encode()).unwrap();
    assert_eq!(encoded.items_to_cybertip().len(), 1);
    let (at, error) = import(xml, &[file.to_vec(), xml.to_vec()], &origin).unwrap_err();
    assert_eq!(
        (at, error),
        (Some(1), ImportError::OtherRoot("fileDetails"))
    );
}

// MOD-9: nothing wrong repeats what a report says.
#[test]
fn problems_do_not_repeat_content() {
    let text =
        wrong(&json!({"a secret\nname": 1, "language": "secret words", "created": "secret"}));
    assert!(!text.contains("secret"), "{text}");
    assert!(!format!("{:?}", parse(&minimal()).unwrap()).contains("Words"));
    let encoded = parse(&minimal()).unwrap();
    assert_eq!(encoded.message().encoded_len(), encoded.encode().len());
}
