//! Canonical XML 1.0, inclusive, with comments, of a whole document.

use super::{Document, Element, Node, write};

/// Prefixes and the name spaces that they stand for, as written outside of where one is.
type Scope = Vec<(String, String)>;

pub(super) fn document(document: &Document) -> String {
    let mut out = String::new();
    for node in &document.before {
        write::node(node, &mut out);
        out.push('\n');
    }
    element(&document.root, &Scope::new(), &mut out);
    for node in &document.after {
        out.push('\n');
        write::node(node, &mut out);
    }
    out
}

fn element(element: &Element, outside: &Scope, out: &mut String) {
    let mut scope = outside.clone();
    out.push('<');
    out.push_str(&element.name);
    let mut declared = Vec::new();
    let mut attributes = Vec::new();
    for (name, value) in &element.attributes {
        match declared_prefix(name) {
            Some(prefix) => declared.push((prefix, value.as_str())),
            None => attributes.push((name.as_str(), value.as_str())),
        }
    }
    declared.sort_unstable();
    for (prefix, space) in declared {
        if lookup(&scope, prefix) == space {
            continue;
        }
        let name = match prefix {
            "" => "xmlns".to_owned(),
            prefix => format!("xmlns:{prefix}"),
        };
        write::push_attribute(&name, space, out);
        scope.retain(|(known, _)| known != prefix);
        scope.push((prefix.to_owned(), space.to_owned()));
    }
    attributes.sort_by_cached_key(|(name, _)| match name.split_once(':') {
        None => (String::new(), (*name).to_owned()),
        Some((prefix, local)) => (lookup(&scope, prefix).to_owned(), local.to_owned()),
    });
    for (name, value) in attributes {
        write::push_attribute(name, value, out);
    }
    out.push('>');
    for child in &element.children {
        match child {
            Node::Element(inner) => self::element(inner, &scope, out),
            other => write::node(other, out),
        }
    }
    out.push_str("</");
    out.push_str(&element.name);
    out.push('>');
}

fn declared_prefix(name: &str) -> Option<&str> {
    match name {
        "xmlns" => Some(""),
        name => name.strip_prefix("xmlns:"),
    }
}

fn lookup<'a>(scope: &'a Scope, prefix: &str) -> &'a str {
    if prefix == "xml" {
        return "http://www.w3.org/XML/1998/namespace";
    }
    let found = scope.iter().find(|(known, _)| known == prefix);
    found.map_or("", |(_, space)| space)
}
