//! From fields to a document, each value in the one way that this program writes it.

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::{RESIDUE, SOURCE, codec};
use crate::casework::{
    schema::{self, Field},
    xml::{Element, Node, is_char},
};

/// The message as an element of this name.
pub(super) fn element(message: &DynamicMessage, name: &str) -> Element {
    let mut element = Element::new(name);
    let shape = schema::shape(&message.descriptor());
    for field in &shape.fields {
        let Some(tip) = &field.tip else { continue };
        for value in values(message, field) {
            if tip.text || tip.attribute.is_some() {
                let Some(text) = text_of(field, value) else {
                    continue;
                };
                match &tip.attribute {
                    Some(name) => element.set_attribute(name, text),
                    None => element.push_text(&text),
                }
            } else if let Some(child) = child(field, name, value) {
                element.children.push(Node::Element(child));
            }
        }
    }
    element
}

/// Paths of what is set and has no place in the form.
pub(super) fn left_out(message: &DynamicMessage, name: &str) -> Vec<String> {
    let mut found = Vec::new();
    look(message, name, "", &mut found);
    found
}

fn look(message: &DynamicMessage, name: &str, path: &str, found: &mut Vec<String>) {
    let shape = schema::shape(&message.descriptor());
    for field in &shape.fields {
        // Items are documents of their own.
        if [RESIDUE, SOURCE, "items"].contains(&field.descriptor.name()) {
            continue;
        }
        for (at, value) in values(message, field).into_iter().enumerate() {
            let path = path_of(path, field, at);
            let tip = field.tip.as_ref();
            let in_text = tip.is_some_and(|tip| tip.text || tip.attribute.is_some());
            let element = field.element_in(name);
            let placed = in_text || element.is_some();
            let sayable = matches!(value, Value::Message(_)) || text_of(field, value).is_some();
            match (value, element) {
                (Value::Message(inner), Some(element)) => look(inner, element, &path, found),
                _ if placed && sayable => {}
                _ => found.push(path),
            }
        }
    }
    if message.unknown_fields().next().is_some() {
        found.push(match path {
            "" => "fields of a later version".to_owned(),
            path => format!("{path}: fields of a later version"),
        });
    }
}

/// The path of a value: the field, with its number in a list.
fn path_of(path: &str, field: &Field, at: usize) -> String {
    let dot = if path.is_empty() { "" } else { "." };
    let name = field.descriptor.name();
    match field.descriptor.is_list() {
        true => format!("{path}{dot}{name}[{at}]"),
        false => format!("{path}{dot}{name}"),
    }
}

/// What a field holds, one or many. A list of what is set.
fn values<'a>(message: &'a DynamicMessage, field: &Field) -> Vec<&'a Value> {
    let set = message
        .fields()
        .find(|(known, _)| known.number() == field.descriptor.number());
    match set {
        Some((_, Value::List(list))) => list.iter().collect(),
        Some((_, value)) => vec![value],
        None => Vec::new(),
    }
}

fn child(field: &Field, parent: &str, value: &Value) -> Option<Element> {
    let name = field.element_in(parent)?;
    if let Value::Message(inner) = value {
        // One of which nothing has a place, such as an onion service among the channels.
        let child = element(inner, name);
        let silent = child.children.is_empty() && child.attributes.is_empty();
        let says = inner.fields().next().is_some();
        return (!silent || !says || has_place(inner)).then_some(child);
    }
    let mut child = Element::new(name);
    child.push_text(&text_of(field, value)?);
    Some(child)
}

/// Whether anything that is set has a place, be it empty.
fn has_place(message: &DynamicMessage) -> bool {
    let shape = schema::shape(&message.descriptor());
    let mut fields = shape.fields.iter().filter(|field| field.tip.is_some());
    fields.any(|field| message.has_field(&field.descriptor))
}

/// XML has no way at all to say some characters, which JSON and Protobuf can.
fn text_of(field: &Field, value: &Value) -> Option<String> {
    codec::write(field, value).filter(|text| text.chars().all(is_char))
}
