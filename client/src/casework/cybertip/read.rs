//! From a document to fields.

use std::collections::HashSet;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};

use super::codec;
use crate::casework::{
    schema::{self, Field, Shape},
    xml::{Element, Node},
};

/// Elements that no field has taken, by where they are in memory: the tree does not move while it
/// is read.
#[derive(Default)]
pub(super) struct Unread(HashSet<*const Element>);

impl Unread {
    pub(super) fn has(&self, element: &Element) -> bool {
        self.0.contains(&std::ptr::from_ref(element))
    }

    fn add(&mut self, element: &Element) {
        self.0.insert(std::ptr::from_ref(element));
    }
}

/// Fills a message from an element. What it cannot say is unread.
pub(super) fn element(message: &mut DynamicMessage, element: &Element) -> Unread {
    let mut unread = Unread::default();
    fill(message, element, &mut unread);
    unread
}

fn fill(message: &mut DynamicMessage, element: &Element, unread: &mut Unread) {
    let shape = schema::shape(&message.descriptor());
    for (name, value) in &element.attributes {
        if let Some(field) = shape.by_attribute(name)
            && let Some(value) = codec::read(field, value)
        {
            message.set_field(&field.descriptor, value);
        }
    }
    if let Some(field) = shape.text() {
        let text = element.text();
        if !text.is_empty()
            && let Some(value) = codec::read(field, &text)
        {
            message.set_field(&field.descriptor, value);
        }
    }
    for child in &element.children {
        let Node::Element(child) = child else {
            continue;
        };
        match free(message, &shape, element, child).and_then(|field| {
            let value = value(&field, child, unread)?;
            Some((field, value))
        }) {
            Some((field, value)) => put(message, &field, value),
            None => unread.add(child),
        }
    }
}

/// The field that takes `child`, unless it holds something already and can hold one thing only.
fn free(
    message: &DynamicMessage,
    shape: &Shape,
    parent: &Element,
    child: &Element,
) -> Option<Field> {
    let field = shape.by_element(&parent.name, &child.name)?;
    if field.descriptor.is_list() {
        return Some(field.clone());
    }
    let taken = match field.descriptor.containing_oneof() {
        Some(oneof) => oneof.fields().any(|one| message.has_field(&one)),
        None => message.has_field(&field.descriptor),
    };
    (!taken).then(|| field.clone())
}

fn value(field: &Field, child: &Element, unread: &mut Unread) -> Option<Value> {
    let Some(shape) = field.message() else {
        for inner in child.elements() {
            unread.add(inner);
        }
        return codec::read(field, &child.text());
    };
    let mut inner = DynamicMessage::new(shape.descriptor.clone());
    fill(&mut inner, child, unread);
    Some(Value::Message(inner))
}

fn put(message: &mut DynamicMessage, field: &Field, value: Value) {
    if !field.descriptor.is_list() {
        return message.set_field(&field.descriptor, value);
    }
    if let Value::List(list) = message.get_field_mut(&field.descriptor) {
        list.push(value);
    }
}
