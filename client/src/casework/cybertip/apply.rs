//! Puts back what fields cannot say.

use std::collections::HashMap;

use super::residue::step;
use crate::casework::{
    v1::{Piece, Place, Residue, piece::Piece as Kind},
    xml::{Document, Element, Node, is_char, is_name},
};

/// Residue by where it belongs, and how much of it fits no more.
struct Rest<'a> {
    places: HashMap<&'a str, &'a Place>,
    stale: usize,
}

/// The document, and how much of the residue fits its fields no more.
pub(super) fn apply(root: Element, left: &Residue) -> (Document, usize) {
    let places = left.places.iter().map(|place| (place.path(), place));
    let mut rest = Rest {
        places: places.collect(),
        stale: 0,
    };
    let mut document = Document::of(rest.element(root, ""));
    let unused = rest.places.values().map(|place| size(place)).sum::<usize>();
    rest.stale += unused;
    document.before = rest.outside(&left.before);
    document.after = rest.outside(&left.after);
    (document, rest.stale)
}

/// How much stands at a place that is no more.
fn size(place: &Place) -> usize {
    place.attributes.len() + usize::from(place.text.is_some()) + place.pieces.len()
}

impl Rest<'_> {
    fn element(&mut self, mut element: Element, path: &str) -> Element {
        let place = self.places.remove(path);
        let mut seen: HashMap<String, usize> = HashMap::new();
        for child in &mut element.children {
            let Node::Element(inner) = child else {
                continue;
            };
            let number = seen.entry(inner.name.clone()).or_default();
            let path = step(path, &inner.name, *number);
            *number += 1;
            *inner = self.element(std::mem::take(inner), &path);
        }
        if let Some(place) = place {
            self.attributes(&mut element, place);
            self.content(&mut element, place);
        }
        element
    }

    fn attributes(&mut self, element: &mut Element, place: &Place) {
        for attribute in &place.attributes {
            let (name, value) = (attribute.name(), attribute.value());
            let sayable = is_name(name) && value.chars().all(is_char);
            if sayable && element.attribute(name) == attribute.of.as_deref() {
                element.set_attribute(name, value.to_owned());
            } else {
                self.stale += 1;
            }
        }
    }

    fn content(&mut self, element: &mut Element, place: &Place) {
        let same_text = |element: &Element| place.text_of.as_deref() == Some(&*element.text());
        if let Some(text) = &place.text {
            let sayable = text.chars().all(is_char);
            if sayable && same_text(element) && element.elements().next().is_none() {
                element.children.clear();
                element.push_text(text);
            } else {
                self.stale += 1;
            }
            return;
        }
        if place.pieces.is_empty() && place.children.is_none() && place.text_of.is_none() {
            return;
        }
        let count = element.elements().count();
        let fits =
            count == place.children() as usize && (place.text_of.is_none() || same_text(element));
        match fits {
            true => self.arrange(element, &place.pieces),
            false => self.insert(element, &place.pieces),
        }
    }

    /// Lays the content out as it was.
    fn arrange(&mut self, element: &mut Element, pieces: &[Piece]) {
        let content = std::mem::take(&mut element.children).into_iter();
        let mut known: Vec<Option<Element>> = content
            .filter_map(|node| match node {
                Node::Element(inner) => Some(Some(inner)),
                _ => None,
            })
            .collect();
        for piece in pieces {
            match &piece.piece {
                Some(Kind::Child(at)) => {
                    let child = known.get_mut(*at as usize).and_then(Option::take);
                    element.children.extend(child.map(Node::Element));
                }
                Some(Kind::Xml(xml)) => self.push(element, xml),
                None => {}
            }
        }
        // What no piece names is there all the same.
        let unnamed = known.into_iter().flatten().map(Node::Element);
        element.children.extend(unnamed);
    }

    /// Adds what is not known at the end: the fields have changed, and with them the order.
    fn insert(&mut self, element: &mut Element, pieces: &[Piece]) {
        self.stale += 1;
        for piece in pieces {
            let Some(Kind::Xml(xml)) = &piece.piece else {
                continue;
            };
            let nodes = Node::parse(xml).unwrap_or_default();
            let nodes = nodes.into_iter();
            let unknown = nodes.filter(|node| !matches!(node, Node::Text(_)));
            element.children.extend(unknown);
        }
    }

    fn push(&mut self, element: &mut Element, xml: &str) {
        let Ok(nodes) = Node::parse(xml) else {
            self.stale += 1;
            return;
        };
        for node in nodes {
            match node {
                Node::Text(text) => element.push_text(&text),
                other => element.children.push(other),
            }
        }
    }

    /// Comments and instructions; nothing else can stand there.
    fn outside(&mut self, xml: &[String]) -> Vec<Node> {
        let mut nodes = Vec::new();
        for one in xml {
            for node in Node::parse(one).unwrap_or_default() {
                match node {
                    Node::Comment(_) | Node::Instruction(..) => nodes.push(node),
                    _ => self.stale += 1,
                }
            }
        }
        nodes
    }
}
