//! Reports good and bad, and the published schema against both.

use serde_json::{Value, json};

use super::*;

mod schema;

const EXAMPLE: &str = include_str!("../../schema/report.v1.example.json");

fn example() -> Value {
    serde_json::from_str(EXAMPLE).unwrap()
}

fn parse(value: &Value) -> Result<Report, ReportErrors> {
    Report::parse(&serde_json::to_vec(value).unwrap())
}

fn minimal() -> Value {
    json!({"reference": "A-1", "created": "2026-07-01T12:00:00Z", "description": "Words."})
}

// REP-1: the example uses every field, and what is read is written again.
#[test]
fn example_reads_and_writes_back_unchanged() {
    let report = Report::parse(EXAMPLE.as_bytes()).unwrap();
    assert!(report.more.is_empty());
    let written: Value = serde_json::from_slice(&report.to_json()).unwrap();
    assert_eq!(written, example());
}

// REP-1: fields of later versions survive a reader of this one.
#[test]
fn unknown_fields_are_kept_everywhere() {
    let mut value = example();
    value["later"] = json!({"a": [1, 2, {"b": null}]});
    value["hashes"][0]["quality"] = json!(97);
    value["subjects"][0]["identifiers"][0]["first_seen"] = json!("2026-01-01");
    let report = parse(&value).unwrap();
    let written: Value = serde_json::from_slice(&report.to_json()).unwrap();
    assert_eq!(written, value);
}

// REP-3: nothing but a name, a time and one thing to say is required.
#[test]
fn minimal_report_is_enough() {
    let report = parse(&minimal()).unwrap();
    assert_eq!(report.urgency.level, Level::Normal);
}

/// A field of the example, what is wrongly put there as JSON, and part of the sentence that says so.
const BROKEN: [(&str, &str, &str); 29] = [
    (
        "/reference",
        r#""""#,
        "reference is empty; expected the sender's own name",
    ),
    ("/reference", r#""a\nb""#, "reference is not of this form"),
    ("/reference", "7", "reference is a number"),
    (
        "/created",
        r#""2026-02-29T00:00:00Z""#,
        "created is not of this form; expected an RFC 3339",
    ),
    (
        "/created",
        r#""2026-02-28 00:00:00""#,
        "created is not of this form",
    ),
    (
        "/created",
        r#""2026-02-28T00:00:00""#,
        "created is not of this form",
    ),
    (
        "/created",
        r#""2026-02-28T00:00:00+24:00""#,
        "created is not of this form",
    ),
    (
        "/urgency",
        r#""high""#,
        "urgency is a string; expected an object",
    ),
    (
        "/urgency",
        r#"{"level": "high"}"#,
        "urgency.reason is missing; expected a reason",
    ),
    (
        "/urgency/level",
        r#""urgent""#,
        "urgency.level is not of this form; expected imminent",
    ),
    (
        "/language",
        r#""english language""#,
        "language is not of this form; expected a BCP 47",
    ),
    (
        "/categories/0",
        r#""A1""#,
        "categories[0] is a string; expected an object",
    ),
    (
        "/categories/1/code",
        r#""two words""#,
        "categories[1].code is not of this form",
    ),
    ("/urls", r#"{}"#, "urls is an object; expected a list"),
    (
        "/urls/0/url",
        r#""example.org/a""#,
        "urls[0].url is not of this form; expected an absolute",
    ),
    (
        "/urls/0/url",
        r#""file:///etc/passwd""#,
        "urls[0].url is not of this form",
    ),
    ("/urls/0/note", r#"null"#, "urls[0].note is null"),
    (
        "/hashes/0/value",
        r#""d41d8cd98f00b204""#,
        "hashes[0].value has 16 characters; expected 32",
    ),
    (
        "/hashes/1/value",
        r#""E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855""#,
        "hashes[1].value has other characters; expected 64 lower-case",
    ),
    (
        "/hashes/1/algorithm",
        r#""SHA-256""#,
        "hashes[1].algorithm is not of this form; expected md5",
    ),
    (
        "/jurisdictions/0/country",
        r#""UK""#,
        "jurisdictions[0].country is not of this form; expected an ISO",
    ),
    (
        "/jurisdictions/0/country",
        r#""NOR""#,
        "jurisdictions[0].country has 3 bytes",
    ),
    (
        "/jurisdictions/0/confidence",
        r#"1.5"#,
        "jurisdictions[0].confidence is not such a number",
    ),
    (
        "/jurisdictions/0/confidence",
        r#""80%""#,
        "expected a number from 0 to 1",
    ),
    (
        "/subjects/0/role",
        r#""Reported User""#,
        "subjects[0].role is not of this form; expected a code",
    ),
    (
        "/subjects/0/identifiers",
        r#"[]"#,
        "subjects[0].identifiers is empty",
    ),
    (
        "/subjects/0/identifiers/1/value",
        r#""nobody""#,
        "identifiers[1].value is not of this form; expected an e-mail",
    ),
    (
        "/subjects/0/identifiers/2/value",
        r#""10.0.0.1:80""#,
        "expected an IPv4 or IPv6",
    ),
    (
        "/subjects/0/identifiers/3/value",
        r#""0047 123""#,
        "expected an international number",
    ),
];

// REP-3 to REP-9: each rule names its field and what would be right.
#[test]
fn every_broken_field_is_named_with_what_would_be_right() {
    for (pointer, wrong, expected) in BROKEN {
        let mut value = example();
        *value.pointer_mut(pointer).unwrap() = serde_json::from_str(wrong).unwrap();
        let errors = parse(&value).unwrap_err();
        assert_eq!(errors.problems.len(), 1, "{pointer}: {errors}");
        assert!(errors.to_string().contains(expected), "{errors}");
        assert_eq!(WireCode::from(errors), WireCode::Malformed);
    }
}

// REP-3: all problems at once, so that a sender mends them in one go.
#[test]
fn all_problems_are_listed_at_once() {
    let errors =
        Report::parse(b"{\"urls\":[{}], \"hashes\":[{\"algorithm\":\"md5\"}]}").unwrap_err();
    let text = errors.to_string();
    let lines: Vec<&str> = text
        .lines()
        .map(|line| line.split(';').next().unwrap())
        .collect();
    let expected = [
        "reference is missing",
        "created is missing",
        "urls[0].url is missing",
        "hashes[0].value is missing",
    ];
    assert_eq!(lines, expected);
    let mut value = minimal();
    value["urls"] = json!(vec![json!({}); 200]);
    let errors = parse(&value).unwrap_err();
    assert_eq!(
        (errors.problems.len(), errors.further),
        (PROBLEMS_MAX, 200 - PROBLEMS_MAX)
    );
    assert!(errors.to_string().ends_with("and 136 more"));
}

// REP-3
#[test]
fn report_that_says_nothing_is_refused() {
    let mut value = minimal();
    value.as_object_mut().unwrap().remove("description");
    let errors = parse(&value).unwrap_err();
    assert!(
        errors.to_string().starts_with("the report says nothing"),
        "{errors}"
    );
}

// REP-1: what two readers could read differently is not a report.
#[test]
fn bytes_that_are_not_strict_json_are_refused() {
    for (bytes, found) in [
        (&b""[..], "the report is empty"),
        (b"{\n\"a\" 1}", "the report is not JSON at line 2, column 5"),
        (b"[]", "the report is a list; expected an object"),
        (b"{\"a\":1,}", "the report is not JSON"),
        (b"{\"a\":\"\xff\"}", "the report is not JSON"),
        (
            b"{\"reference\":\"a\",\"reference\":\"b\"}",
            "the report has a field twice at column 33",
        ),
        (
            b"{\"x\":[{\"a\":1,\"a\":1}]}",
            "the report has a field twice",
        ),
        (b"{} {}", "the report is not JSON"),
    ] {
        let errors = Report::parse(bytes).unwrap_err();
        assert!(errors.to_string().starts_with(found), "{errors}");
    }
    let deep = "[".repeat(100_000);
    assert!(Report::parse(deep.as_bytes()).is_err());
}

// REP-2
#[test]
fn oversized_reports_and_lists_are_refused() {
    let errors = Report::parse(&vec![b' '; REPORT_BYTES_MAX + 1]).unwrap_err();
    assert_eq!(WireCode::from(errors), WireCode::TooLarge);
    let mut value = minimal();
    value["urls"] = json!(vec![
        json!({"url": "https://example.org/"});
        ENTRIES_MAX + 1
    ]);
    let errors = parse(&value).unwrap_err();
    assert!(
        errors.to_string().starts_with("urls has 1001 entries"),
        "{errors}"
    );
    value["urls"] = json!([{"url": format!("https://example.org/{}", "a".repeat(8192))}]);
    let errors = parse(&value).unwrap_err();
    assert!(errors.to_string().contains("has 8212 bytes"), "{errors}");
}

// REP-10: no file bytes, in whatever field and form.
#[test]
fn file_content_is_refused_in_every_form() {
    let base64 = "QUJD".repeat(200);
    let lines = vec!["QUJD".repeat(19); 10].join("\r\n");
    for (field, wrong, found) in [
        (
            "description",
            json!("see data:text/plain;base64,QUJD"),
            "description holds a data: URL",
        ),
        (
            "later",
            json!("DATA:text/plain,abc"),
            "later holds a data: URL",
        ),
        ("later", json!(base64), "later holds encoded bytes"),
        (
            "later",
            json!({"x": [base64]}),
            "later.x[0] holds encoded bytes",
        ),
        (
            "description",
            json!(lines),
            "description holds encoded bytes",
        ),
        (
            "later",
            json!("0f".repeat(300)),
            "later holds encoded bytes",
        ),
        ("later", json!(vec![17; 300]), "later holds a list of bytes"),
    ] {
        let mut value = minimal();
        value[field] = wrong;
        let errors = parse(&value).unwrap_err();
        let text = errors.to_string();
        assert!(text.starts_with(found), "{text}");
        assert!(text.contains("name files by their hashes"), "{text}");
    }
}

// REP-10: what only looks a little like it passes.
#[test]
fn prose_lists_and_long_urls_are_not_taken_for_files() {
    let mut value = minimal();
    let names = vec!["some-user-name"; 400].join("\n");
    value["description"] = json!(format!(
        "metadata: these accounts,\n{names}\ndata: none, really."
    ));
    value["urls"] = json!([{"url": format!("https://example.org/t?k={}", "aZ09".repeat(500))}]);
    value["numbers"] = json!(vec![70_000; 300]);
    value["hashes"] = json!([{"algorithm": "sha512", "value": "ab".repeat(64)}]);
    parse(&value).unwrap();
}

// ERR: problems never repeat what a report says, not even the names of strange fields.
#[test]
fn problems_do_not_repeat_content() {
    let mut value = minimal();
    value["a name\nwith secrets"] = json!("QUJD".repeat(200));
    value["reference"] = json!("secret\u{7}");
    let text = parse(&value).unwrap_err().to_string();
    assert!(!text.contains("secret"), "{text}");
    let report = Report::parse(EXAMPLE.as_bytes()).unwrap();
    assert!(!format!("{report:?}").contains("P-2026"));
}
