//! Any JSON view that the schema allows: every field of every message, whatever the rules say.

use frex_client::casework::schema::{self, Field, Shape};
use prost_reflect::Kind;
use serde_json::{Map, Value, json};

use super::Dice;

/// A report in which about `likely` of a hundred fields are set.
pub fn random(dice: &mut Dice, likely: usize) -> Value {
    object(dice, &schema::shape(&schema::message("Report")), likely)
}

fn object(dice: &mut Dice, shape: &Shape, likely: usize) -> Value {
    let mut map = Map::new();
    let choice = shape.descriptor.oneofs().any(|oneof| !oneof.is_synthetic());
    let mut fields: Vec<&Field> = shape.fields.iter().collect();
    if choice {
        dice.shuffle(&mut fields);
        fields.truncate(1);
    }
    for field in fields {
        if !choice && !dice.chance(likely) {
            continue;
        }
        let name = field.descriptor.name().to_owned();
        let value = match field.descriptor.is_list() {
            true => {
                let count = 1 + dice.below(2);
                (0..count).map(|_| value(dice, field, likely)).collect()
            }
            false => value(dice, field, likely),
        };
        map.insert(name, value);
    }
    if dice.chance(3) {
        // Field 2000, a text of three letters.
        map.insert("unknown_fields".to_owned(), "gn0DYWJj".into());
    }
    Value::Object(map)
}

fn value(dice: &mut Dice, field: &Field, likely: usize) -> Value {
    match field.descriptor.kind() {
        Kind::Message(inner) => object(dice, &schema::shape(&inner), likely),
        Kind::Bool => dice.chance(50).into(),
        Kind::Int32 => json!(*dice.pick(&[&0, &-1, &i32::MAX, &i32::MIN, &7])),
        Kind::Int64 => json!(*dice.pick(&[&0, &-1, &i64::MAX, &i64::MIN, &7])),
        Kind::Uint32 => json!(*dice.pick(&[&0, &u32::MAX, &7])),
        Kind::Uint64 => json!(*dice.pick(&[&0, &u64::MAX, &7])),
        Kind::Double => json!(*dice.pick(&[&0.0, &-0.1, &52.370_216, &1e-7, &0.3])),
        Kind::Enum(words) => {
            let values: Vec<_> = words.values().collect();
            match &values[dice.below(values.len())] {
                // One of a later version.
                value if value.number() == 0 => 99.into(),
                value => schema::word(value).into(),
            }
        }
        _ => json!(dice.pick(&[
            "",
            "words",
            "日本語",
            "a\nb \u{202e}c",
            "2026-07-01T12:00:00Z"
        ])),
    }
}
