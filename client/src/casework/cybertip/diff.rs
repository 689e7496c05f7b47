//! What a document says beyond, or otherwise than, what its fields say.

use std::collections::{HashMap, VecDeque};

use super::{read::Unread, residue::step};
use crate::casework::{
    v1::{self, Piece, Place, piece},
    xml::{Document, Element, Node},
};

/// Everything left of `document`, of which `plain` is what the fields say.
pub(super) fn residue(
    plain: &Element,
    document: &Document,
    unread: &Unread,
    indent: Option<String>,
) -> v1::Residue {
    let mut places = Vec::new();
    compare(plain, &document.root, "", unread, &mut places);
    let outside = |nodes: &[Node]| nodes.iter().map(Node::to_xml).collect();
    v1::Residue {
        indent,
        before: outside(&document.before),
        after: outside(&document.after),
        places,
    }
}

/// Compares one element with what the fields say of it, then the children that they know.
fn compare(plain: &Element, source: &Element, path: &str, unread: &Unread, out: &mut Vec<Place>) {
    let mut place = Place {
        path: Some(path.to_owned()),
        attributes: attributes(plain, source),
        ..Place::default()
    };
    let pairs = Pairs::of(plain, source, unread);
    let leaf = |element: &Element| {
        element
            .children
            .iter()
            .all(|one| matches!(one, Node::Text(_)))
    };
    if leaf(plain) && leaf(source) {
        let (said, written) = (plain.text(), source.text());
        if said != written {
            place.text = Some(written);
            place.text_of = Some(said);
        }
    } else if !same_order(plain, source, &pairs) {
        place.children = u32::try_from(plain.elements().count()).ok();
        place.pieces = pieces(source, &pairs);
        if leaf(plain) {
            place.text_of = Some(plain.text());
        }
    }
    // One of these stands beside whatever text or pieces there are, also where the document has none.
    let differs = place.text_of.is_some() || place.children.is_some();
    if differs || !place.attributes.is_empty() {
        out.push(place);
    }
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (at, child) in plain.elements().enumerate() {
        let number = seen.entry(&child.name).or_default();
        let path = step(path, &child.name, *number);
        *number += 1;
        if let Some(written) = pairs.elements[at] {
            compare(child, written, &path, unread, out);
        }
    }
}

/// Attributes that are not known or written otherwise.
fn attributes(plain: &Element, source: &Element) -> Vec<v1::Attribute> {
    let differing = source.attributes.iter().filter_map(|(name, value)| {
        let said = plain.attribute(name);
        (said != Some(value)).then(|| v1::Attribute {
            name: Some(name.clone()),
            value: Some(value.clone()),
            of: said.map(str::to_owned),
        })
    });
    differing.collect()
}

/// Which child of what the fields say was read from which element.
struct Pairs<'a> {
    /// By the number of the child.
    elements: Vec<Option<&'a Element>>,
    children: HashMap<*const Element, usize>,
}

impl<'a> Pairs<'a> {
    /// The n-th child of a name is the n-th element of that name that a field has taken.
    fn of(plain: &Element, source: &'a Element, unread: &Unread) -> Self {
        let mut by_name: HashMap<&str, VecDeque<&'a Element>> = HashMap::new();
        for element in source.elements().filter(|one| !unread.has(one)) {
            by_name.entry(&element.name).or_default().push_back(element);
        }
        let mut pairs = Self {
            elements: Vec::new(),
            children: HashMap::new(),
        };
        for (at, child) in plain.elements().enumerate() {
            let found = by_name.get_mut(child.name.as_str());
            let element = found.and_then(VecDeque::pop_front);
            pairs.elements.push(element);
            if let Some(element) = element {
                pairs.children.insert(std::ptr::from_ref(element), at);
            }
        }
        pairs
    }

    fn child(&self, element: &Element) -> Option<usize> {
        self.children.get(&std::ptr::from_ref(element)).copied()
    }
}

/// Whether the content stands in the order, and with the white space, that the fields give it.
fn same_order(plain: &Element, source: &Element, pairs: &Pairs<'_>) -> bool {
    if plain.children.len() != source.children.len() {
        return false;
    }
    let mut at = 0;
    plain
        .children
        .iter()
        .zip(&source.children)
        .all(|two| match two {
            (Node::Text(said), Node::Text(written)) => said == written,
            (Node::Element(_), Node::Element(written)) => {
                let here = pairs.child(written) == Some(at);
                at += 1;
                here
            }
            _ => false,
        })
}

/// The content of an element: children that the fields say by their numbers, all else as it is.
fn pieces(source: &Element, pairs: &Pairs<'_>) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for node in &source.children {
        let child = match node {
            Node::Element(element) => pairs.child(element),
            _ => None,
        };
        if let Some(child) = child.and_then(|child| u32::try_from(child).ok()) {
            let piece = Some(piece::Piece::Child(child));
            pieces.push(Piece { piece });
            continue;
        }
        let xml = node.to_xml();
        match pieces.last_mut() {
            // What stands side by side is one piece.
            Some(Piece {
                piece: Some(piece::Piece::Xml(before)),
            }) => before.push_str(&xml),
            _ => pieces.push(Piece {
                piece: Some(piece::Piece::Xml(xml)),
            }),
        }
    }
    pieces
}
