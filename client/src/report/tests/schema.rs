//! The published schema says what the code does. A small validator of just the keywords that the
//! schema uses; a keyword it does not know fails the test.

use serde_json::{Value, json};

use super::{example, minimal, parse};

const SCHEMA: &str = include_str!("../../../schema/report.v1.schema.json");

fn schema() -> Value {
    serde_json::from_str(SCHEMA).unwrap()
}

fn valid(root: &Value, schema: &Value, value: &Value) -> bool {
    schema
        .as_object()
        .unwrap()
        .iter()
        .all(|(keyword, rule)| match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" | "format" => true,
            "$ref" => {
                let target = rule.as_str().unwrap().strip_prefix('#').unwrap();
                valid(root, root.pointer(target).unwrap(), value)
            }
            "type" => match rule.as_str().unwrap() {
                "object" => value.is_object(),
                "array" => value.is_array(),
                "string" => value.is_string(),
                "number" => value.is_number(),
                other => panic!("type {other}"),
            },
            "required" => rule
                .as_array()
                .unwrap()
                .iter()
                .all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" => {
                rule.as_object().unwrap().iter().all(|(name, rule)| {
                    value.get(name).is_none_or(|value| valid(root, rule, value))
                })
            }
            "items" => value
                .as_array()
                .unwrap()
                .iter()
                .all(|value| valid(root, rule, value)),
            "anyOf" => rule
                .as_array()
                .unwrap()
                .iter()
                .any(|rule| valid(root, rule, value)),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minItems" => value
                .as_array()
                .is_none_or(|list| list.len() as u64 >= rule.as_u64().unwrap()),
            "maxItems" => value
                .as_array()
                .is_none_or(|list| list.len() as u64 <= rule.as_u64().unwrap()),
            "minLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 >= rule.as_u64().unwrap()),
            "maxLength" => value
                .as_str()
                .is_none_or(|text| text.len() as u64 <= rule.as_u64().unwrap()),
            "minimum" => value
                .as_f64()
                .is_none_or(|number| number >= rule.as_f64().unwrap()),
            "maximum" => value
                .as_f64()
                .is_none_or(|number| number <= rule.as_f64().unwrap()),
            "pattern" => value
                .as_str()
                .is_none_or(|text| matches(rule.as_str().unwrap(), text)),
            other => panic!("keyword {other}"),
        })
}

/// Patterns of the one form `^prefix[set]{count}$`.
fn matches(pattern: &str, text: &str) -> bool {
    let pattern = pattern
        .strip_prefix('^')
        .unwrap()
        .strip_suffix("}$")
        .unwrap();
    let (prefix, rest) = pattern.split_once('[').unwrap();
    let (set, count) = rest.split_once("]{").unwrap();
    let (least, most) = count.split_once(',').unwrap_or((count, count));
    let Some(text) = text.strip_prefix(prefix) else {
        return false;
    };
    let counted = (least.parse().unwrap()..=most.parse().unwrap()).contains(&text.len());
    counted && text.chars().all(|symbol| in_set(set, symbol))
}

fn in_set(set: &str, symbol: char) -> bool {
    let set: Vec<char> = set.chars().collect();
    let mut at = 0;
    while at < set.len() {
        if set.get(at + 1) == Some(&'-') && at + 2 < set.len() {
            if (set[at]..=set[at + 2]).contains(&symbol) {
                return true;
            }
            at += 3;
        } else if set[at] == symbol {
            return true;
        } else {
            at += 1;
        }
    }
    false
}

fn agree(value: &Value) -> bool {
    let schema = schema();
    valid(&schema, &schema, value)
}

// REP-1
#[test]
fn schema_and_code_take_the_same_reports() {
    assert!(agree(&example()) && parse(&example()).is_ok());
    assert!(agree(&minimal()) && parse(&minimal()).is_ok());
    for (algorithm, digits) in [("sha1", 40), ("sha512", 128), ("blake3", 64), ("pdq", 64)] {
        let mut value = minimal();
        value["hashes"] = json!([{"algorithm": algorithm, "value": "a".repeat(digits)}]);
        assert!(agree(&value) && parse(&value).is_ok(), "{algorithm}");
        value["hashes"][0]["value"] = json!("a".repeat(digits - 1));
        assert!(!agree(&value) && parse(&value).is_err(), "{algorithm}");
    }
}

// REP-1: whatever the schema refuses the code refuses; the code knows more, such as dates.
#[test]
fn schema_and_code_refuse_the_same_reports() {
    for (pointer, wrong) in [
        ("/reference", json!("")),
        ("/created", json!(5)),
        ("/urgency", json!({"level": "ongoing"})),
        ("/urgency/level", json!("urgent")),
        ("/categories/0", json!({"scheme": "a", "version": "1"})),
        ("/categories/0/code", json!("a b")),
        ("/urls/0", json!({"note": "where?"})),
        ("/hashes/0/algorithm", json!("md6")),
        ("/hashes/0/value", json!("0123")),
        ("/jurisdictions/0/country", json!("no")),
        ("/jurisdictions/0/confidence", json!(-0.1)),
        ("/subjects/0/identifiers", json!([])),
        ("/subjects/0/identifiers/0/kind", json!("User Name")),
    ] {
        let mut value = example();
        *value.pointer_mut(pointer).unwrap() = wrong;
        assert!(!agree(&value), "the schema takes {pointer}");
        assert!(parse(&value).is_err(), "the code takes {pointer}");
    }
    let silent = json!({"reference": "A-1", "created": "2026-07-01T12:00:00Z"});
    assert!(!agree(&silent) && parse(&silent).is_err());
}

// REP-1: every property of the schema is a field of the code, and the example has it.
#[test]
fn example_shows_every_property_of_the_schema() {
    fn visit(root: &Value, schema: &Value, samples: &[&Value], path: &str) {
        if let Some(target) = schema["$ref"].as_str() {
            let target = root.pointer(target.strip_prefix('#').unwrap()).unwrap();
            return visit(root, target, samples, path);
        }
        if let Some(items) = schema.get("items") {
            let entries: Vec<&Value> = samples
                .iter()
                .flat_map(|list| list.as_array().unwrap())
                .collect();
            return visit(root, items, &entries, path);
        }
        let properties = schema["properties"].as_object();
        for (name, rule) in properties.into_iter().flatten() {
            let found: Vec<&Value> = samples.iter().filter_map(|value| value.get(name)).collect();
            assert!(!found.is_empty(), "the example lacks {path}.{name}");
            visit(root, rule, &found, &format!("{path}.{name}"));
        }
    }
    let (schema, example) = (schema(), example());
    visit(&schema, &schema, &[&example], "report");
}
