//! Vectors of casework: one outcome in each file of `spec/vectors/model`, agreed on with
//! the independent reader.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test model` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use frex_client::casework::{
    cybertip::{self, Form, ImportError},
    hashes,
    model::Report,
    text,
    xml::{Document, XmlError},
};
use serde_json::{Value, json};

/// Name, requirement, sentence, operation, inputs, outcome.
type Made = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    Value,
    &'static str,
);

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/vectors/model")
}

#[rustfmt::skip] // A table, one vector a line.
fn documents() -> Vec<Made> {
    let of = |xml: &str| json!({"form": "report", "xml": xml});
    let bytes = |bytes: &[u8]| json!({"form": "report", "bytes": hex::encode(bytes)});
    vec![
        ("document", "MOD-4", "a plain document", "read_document", of("<report><incidentSummary><incidentType>Child Sex Trafficking</incidentType></incidentSummary></report>"), "ok"),
        ("document-flags", "MOD-5", "three ways to say true, and one to say false", "read_document", of("<report><incidentSummary><reportAnnotations><sextortion/><csamSolicitation> 1 </csamSolicitation><spam>true</spam><minorToMinorInteraction>0</minorToMinorInteraction></reportAnnotations></incidentSummary></report>"), "ok"),
        ("document-order", "MOD-5", "an order of its own, comments, an element nobody knows", "read_document", of("<!--a--><report b='2' a=\"1\"><additionalInfo>x &amp; y</additionalInfo>\n <later><deep/></later><victim><screenName>z<!--c--></screenName></victim></report>"), "ok"),
        ("document-numbers", "MOD-5", "numbers with signs and zeros", "read_document", of("<report><internetDetails><cellPhoneIncident><latitude>+1.50</latitude><longitude>1e2</longitude></cellPhoneIncident></internetDetails></report>"), "ok"),
        ("document-section", "MOD-4", "a section of characters is text", "read_document", of("<report><additionalInfo><![CDATA[a < b]]></additionalInfo></report>"), "ok"),
        ("document-of-a-file", "MOD-7", "details of a file", "read_document", json!({"form": "fileDetails", "xml": "<fileDetails><reportId>007</reportId><originalFileHash hashType=\"SHA1\">DA39A3EE5E6B4B0D3255BFEF95601890AFD80709</originalFileHash></fileDetails>"}), "ok"),
        ("document-type", "MOD-6", "a document type is declared", "read_document", of("<!DOCTYPE report><report/>"), "DocumentType"),
        ("document-entity", "MOD-6", "an entity that XML does not define", "read_document", of("<report><additionalInfo>&all;</additionalInfo></report>"), "Entity"),
        ("document-cut", "MOD-6", "the end is missing", "read_document", of("<report><victim>"), "Malformed"),
        ("document-crossed", "MOD-6", "elements cross", "read_document", of("<report><a></report></a>"), "Malformed"),
        ("document-attribute-twice", "MOD-6", "an attribute stands twice", "read_document", of("<report a='1' a='1'/>"), "Malformed"),
        ("document-control-character", "MOD-6", "a character that XML cannot say", "read_document", of("<report>&#7;</report>"), "Malformed"),
        ("document-two-roots", "MOD-6", "two roots", "read_document", of("<report/><report/>"), "Malformed"),
        ("document-of-another-form", "MOD-6", "the root of another form", "read_document", of("<reports/>"), "OtherRoot"),
        ("document-not-utf-8", "MOD-6", "bytes that are no UTF-8", "read_document", bytes(b"<report>\xff\xfe</report>"), "Encoding"),
        ("document-32-deep", "LIM-112", "32 elements in one another", "read_document", of(&deep(32)), "ok"),
        ("document-33-deep", "LIM-112", "33 elements in one another", "read_document", of(&deep(33)), "TooDeep"),
        ("document-65-attributes", "LIM-114", "65 attributes of one element", "read_document", of(&attributes(65)), "TooMany"),
    ]
}

fn deep(depth: usize) -> String {
    let inner = depth - 1;
    format!(
        "<report>{}{}</report>",
        "<a>".repeat(inner),
        "</a>".repeat(inner)
    )
}

fn attributes(count: usize) -> String {
    let list: String = (0..count).map(|at| format!(" a{at}=\"\"")).collect();
    format!("<report{list}/>")
}

#[rustfmt::skip] // A table, one vector a line.
fn values() -> Vec<Made> {
    let of = |algorithm: &str, value: &str| json!({"algorithm": algorithm, "value": value});
    let pdq = "0f".repeat(32);
    vec![
        ("hash-sha256", "MOD-10", "a SHA-256", "judge_hash", of("sha256", &"a1".repeat(32)), "ok"),
        ("hash-vpdq", "MOD-10", "two frames", "judge_hash", of("vpdq", &format!("{pdq},100,0.000;{pdq},7,12.500")), "ok"),
        ("hash-photodna", "MOD-10", "144 bytes", "judge_hash", of("photodna", &"AAAA".repeat(48)), "ok"),
        ("hash-own", "MOD-10", "an algorithm of the sender's", "judge_hash", of("x-mine", "1:2:3"), "ok"),
        ("hash-later", "MOD-10", "an algorithm of a later registry", "judge_hash", of("zzz", "Abc"), "ok"),
        ("hash-capitals", "MOD-10", "capitals", "judge_hash", of("md5", &"A1".repeat(16)), "Value"),
        ("hash-short", "MOD-10", "a digit too few", "judge_hash", of("sha1", &"a".repeat(39)), "Value"),
        ("hash-empty", "MOD-10", "nothing", "judge_hash", of("sha512", ""), "Value"),
        ("hash-frame-quality", "MOD-10", "a quality of 101", "judge_hash", of("vpdq", &format!("{pdq},101,0.000")), "Value"),
        ("hash-frame-second", "MOD-10", "a second with two decimals", "judge_hash", of("vpdq", &format!("{pdq},50,0.00")), "Value"),
        ("hash-padding", "MOD-10", "base64 without its padding", "judge_hash", of("tmk_pdqf", &"A".repeat(1366)), "Value"),
        ("hash-143-bytes", "MOD-10", "a byte too few", "judge_hash", of("photodna", &("AAAA".repeat(47) + "AAA=")), "Value"),
        ("hash-blank", "MOD-10", "a blank in an opaque value", "judge_hash", of("netclean", "a b"), "Value"),
        ("hash-511", "MOD-10", "511 characters", "judge_hash", of("x-mine", &"a".repeat(511)), "Value"),
    ]
}

#[rustfmt::skip] // A table, one vector a line.
fn texts() -> Vec<Made> {
    let onion = text::onion_of(&[0x17; 32]);
    let address = |address: &str| json!({"address": address});
    let of = |text: &str| json!({"text": text});
    let other = if onion.starts_with('a') { 'b' } else { 'a' };
    let other = format!("{other}{}", &onion[1..]);
    // The last character holds the version.
    let version = onion.replace("d.onion", "a.onion");
    vec![
        ("onion", "MOD-12", "an address", "read_onion", address(&onion.to_uppercase()), "ok"),
        ("onion-mistyped", "MOD-12", "another first letter", "read_onion", address(&other), "Checksum"),
        ("onion-version", "MOD-12", "another version", "read_onion", address(&version), "Version"),
        ("onion-short", "MOD-12", "an address as short as one of version 2", "read_onion", address("abcdefghij234567.onion"), "Form"),
        ("onion-digit", "MOD-12", "a digit that base32 does not have", "read_onion", address(&format!("1{}", &onion[1..])), "Form"),
        ("onion-inside", "MOD-12", "a name before the address", "read_onion", address(&format!("www.{onion}")), "Form"),
        ("onion-web", "MOD-12", "a name of the web", "read_onion", address("www.example"), "Form"),
        ("text", "MOD-11", "two accents and many blanks", "compare_text", of("Ame\u{301}lie \n\t B"), "ok"),
        ("text-turned", "MOD-11", "what turns text around is not compared", "compare_text", of("a\u{202e}b\u{200b}c\u{1b}d"), "ok"),
    ]
}

#[rustfmt::skip] // A table, one vector a line.
fn views() -> Vec<Made> {
    let view = |more: Value| {
        let mut view = json!({"reference": "A-1", "created": "2026-07-01T12:00:00Z", "description": "Words."});
        for (name, value) in more.as_object().unwrap() {
            view[name] = value.clone();
        }
        json!({"view": view})
    };
    vec![
        ("view", "MOD-3", "a report of few words", "read_view", view(json!({})), "ok"),
        ("view-rich", "MOD-3", "a report of many", "read_view", view(json!({"urgency": {"level": "high", "reason": "Today."}, "victims": [{"person": {"age": 9}}], "channels": [{"phone": {"latitude": 1.5}}], "items": [{"hashes": [{"algorithm": "pdq", "value": "0f".repeat(32), "quality": 90}]}]})), "ok"),
        ("view-later-value", "MOD-3", "a value of a later version", "read_view", view(json!({"urgency": {"level": 99}})), "ok"),
        ("view-no-reference", "MOD-9", "the reference is empty", "read_view", view(json!({"reference": ""})), "Fault(reference)"),
        ("view-unknown-field", "MOD-3", "a field that is not known", "read_view", view(json!({"victim": []})), "Fault(victim)"),
        ("view-number-in-quotes", "MOD-3", "a number in quotes", "read_view", view(json!({"victims": [{"person": {"age": "9"}}]})), "Fault(victims[0].person.age)"),
        ("view-null", "MOD-3", "null is not absent", "read_view", view(json!({"handling": null})), "Fault(handling)"),
        ("view-unknown-word", "MOD-3", "a word that is not known", "read_view", view(json!({"urgency": {"level": "urgent"}})), "Fault(urgency.level)"),
        ("view-wire-word", "MOD-3", "a word of CyberTipline's form", "read_view", view(json!({"incident": {"type": "Child Sex Trafficking"}})), "Fault(incident.type)"),
        ("view-age", "MOD-9", "an age of 151", "read_view", view(json!({"victims": [{"person": {"age": 151}}]})), "Fault(victims[0].person.age)"),
        ("view-long-name", "MOD-9", "a name of 257 characters", "read_view", view(json!({"reported": [{"screen_name": "é".repeat(257)}]})), "Fault(reported[0].screen_name)"),
        ("view-name-of-256", "MOD-9", "a name of 256 characters, which are 512 bytes", "read_view", view(json!({"reported": [{"screen_name": "é".repeat(256)}]})), "ok"),
        ("view-two-kinds", "MOD-3", "a channel of two kinds", "read_view", view(json!({"channels": [{"chat": {}, "game": {}}]})), "Fault(channels[0])"),
        ("view-country", "MOD-19", "a jurisdiction that is no country's code", "read_view", view(json!({"jurisdictions": [{"country": "us", "basis": "ip"}]})), "Fault(jurisdictions[0].country)"),
        ("view-no-version", "MOD-9", "a classification without its version", "read_view", view(json!({"classifications": [{"scheme": "ucs", "code": "x"}]})), "Fault(classifications[0].version)"),
        ("view-confidence", "MOD-9", "a confidence of more than 1", "read_view", view(json!({"jurisdictions": [{"country": "NO", "basis": "ip", "confidence": 1.01}]})), "Fault(jurisdictions[0].confidence)"),
        ("view-code", "MOD-9", "a code in capitals", "read_view", view(json!({"handling": {"purposes": ["Investigation"]}})), "Fault(handling.purposes[0])"),
    ]
}

/// What a vector's inputs lead to here.
fn outcome(vector: &Value) -> (String, Option<String>) {
    let run = match vector["op"].as_str().unwrap() {
        "read_document" => read_document(vector),
        "judge_hash" => {
            let (id, value) = (said(vector, "algorithm"), said(vector, "value"));
            match hashes::fault(&id, &value) {
                None => Ok(Some(hashes::normal(&id, &value))),
                Some(_) => Err("Value".to_owned()),
            }
        }
        "read_onion" => text::onion(&said(vector, "address"))
            .map(Some)
            .map_err(|error| format!("{error:?}")),
        "compare_text" => Ok(Some(text::compared(&said(vector, "text")))),
        _ => {
            let json = vector["view"].to_string();
            let errors = Report::from_json(json.as_bytes()).err();
            errors.map_or(Ok(None), |errors| {
                Err(format!("Fault({})", place(&errors.problems[0].path)))
            })
        }
    };
    match run {
        Ok(result) => ("ok".to_owned(), result),
        Err(name) => (name, None),
    }
}

/// The path of a message of which a choice was made twice, which here is that of the second.
fn place(path: &str) -> &str {
    path.strip_suffix(".game").unwrap_or(path)
}

fn said(vector: &Value, name: &str) -> String {
    vector[name].as_str().unwrap().to_owned()
}

fn read_document(vector: &Value) -> Result<Option<String>, String> {
    let form = Form::of_root(&said(vector, "form")).unwrap();
    let bytes = match vector["bytes"].as_str() {
        Some(bytes) => hex::decode(bytes).unwrap(),
        None => said(vector, "xml").into_bytes(),
    };
    let name = |error: ImportError| match error {
        ImportError::OtherRoot(_) => "OtherRoot".to_owned(),
        ImportError::Xml(XmlError::Malformed(_)) => "Malformed".to_owned(),
        ImportError::Xml(error) => format!("{error:?}"),
        other => format!("{other:?}"),
    };
    let message = cybertip::read(form, &bytes).map_err(name)?;
    let written = cybertip::write(form, &message).document.canonical();
    assert_eq!(written, Document::parse(&bytes).unwrap().canonical());
    Ok(Some(written))
}

/// One field a line, in an order that a person can read.
fn to_text((_, spec, what, op, inputs, expect): &Made, result: Option<&String>) -> String {
    let mut lines = vec![
        ("spec", json!(spec)),
        ("what", json!(what)),
        ("op", json!(op)),
    ];
    for (name, value) in inputs.as_object().unwrap() {
        lines.push((name, value.clone()));
    }
    lines.push(("expect", json!(expect)));
    lines.extend(result.map(|result| ("result", json!(result))));
    let lines: Vec<String> = lines
        .iter()
        .map(|(name, value)| format!("  {}: {value}", json!(name)))
        .collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

#[test]
fn every_vector_comes_out_as_it_says() {
    let made = [documents(), values(), texts(), views()].concat();
    let mut fresh = BTreeMap::new();
    let mut failures = 0;
    for one in &made {
        let (name, .., inputs, expect) = one;
        let mut vector = inputs.clone();
        vector["op"] = json!(one.3);
        let (found, result) = outcome(&vector);
        assert_eq!(found, *expect, "{name}");
        failures += usize::from(*expect != "ok");
        let text = to_text(one, result.as_ref());
        assert!(
            fresh.insert(format!("{name}.json"), text).is_none(),
            "{name} stands twice"
        );
    }
    assert!(
        failures * 2 > made.len(),
        "most vectors say what must be refused"
    );
    if std::env::var_os("FREX_REGENERATE").is_some() {
        let _ = fs::remove_dir_all(folder());
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &fresh {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let count = fs::read_dir(folder()).unwrap().count();
    assert_eq!(count, fresh.len());
    for (name, text) in &fresh {
        assert_eq!(
            &fs::read_to_string(folder().join(name)).unwrap(),
            text,
            "{name}"
        );
    }
}
