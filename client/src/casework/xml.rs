//! XML as a tree, as much of it as report forms need: elements, attributes, text, comments,
//! instructions. Names stand with their prefixes as written. No document types, no entities.
//!
//! Trees are no deeper than [`DEPTH_MAX`], so that whatever walks one may call itself.

use std::fmt;

mod c14n;
mod encoding;
mod parse;
mod write;

/// Longest document, bytes. Spec: LIM-111.
pub const DOCUMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Elements inside one another. Spec: LIM-112.
pub const DEPTH_MAX: usize = 32;
/// Elements, texts, comments and instructions of one document. Spec: LIM-113.
pub const NODES_MAX: usize = 200_000;
/// Attributes of one element. Spec: LIM-114.
pub const ATTRIBUTES_MAX: usize = 64;

/// A document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Comments and instructions before the root.
    pub before: Vec<Node>,
    /// The root.
    pub root: Element,
    /// Comments and instructions after it.
    pub after: Vec<Node>,
}

/// An element.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Element {
    /// Its name, with the prefix as written.
    pub name: String,
    /// Names and values in the order written, declarations of name spaces among them.
    pub attributes: Vec<(String, String)>,
    /// What is in it. Texts never stand side by side.
    pub children: Vec<Node>,
}

/// What can be in an element.
#[derive(Clone, PartialEq, Eq)]
pub enum Node {
    /// Another element.
    Element(Element),
    /// Text, references resolved.
    Text(String),
    /// A comment.
    Comment(String),
    /// A processing instruction: target and the rest.
    Instruction(String, String),
}

/// Why bytes are no document. Nothing here repeats content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum XmlError {
    /// Over [`DOCUMENT_BYTES_MAX`].
    #[error("the document is longer than 4 MiB")]
    TooLong,
    /// Over [`DEPTH_MAX`].
    #[error("elements stand more than 32 deep in one another")]
    TooDeep,
    /// Over [`NODES_MAX`] or [`ATTRIBUTES_MAX`].
    #[error("the document has too many elements or attributes")]
    TooMany,
    /// Neither UTF-8 nor one of the few others that are read.
    #[error(
        "the document is in none of the encodings UTF-8, UTF-16, US-ASCII and ISO-8859-1, or not in the one that it names"
    )]
    Encoding,
    /// A `<!DOCTYPE`.
    #[error("the document declares a document type, which is never read")]
    DocumentType,
    /// A reference to an entity that XML does not define itself.
    #[error("the document refers to an entity, which is never resolved")]
    Entity,
    /// Not well-formed.
    #[error("the document is not well-formed XML near byte {0}")]
    Malformed(usize),
}

impl Document {
    /// A document of this root alone.
    #[must_use]
    pub fn of(root: Element) -> Self {
        Self {
            before: Vec::new(),
            root,
            after: Vec::new(),
        }
    }

    /// Reads a document.
    ///
    /// # Errors
    /// [`XmlError`] says why it is none, or is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        parse::document(bytes)
    }

    /// Writes it, in UTF-8 and with a declaration.
    #[must_use]
    pub fn to_xml(&self) -> String {
        write::document(self)
    }

    /// Its canonical form: inclusive Canonical XML 1.0, with comments. Two documents are the same
    /// document if these are equal. Spec: MOD-4.
    #[must_use]
    pub fn canonical(&self) -> String {
        c14n::document(self)
    }
}

impl Element {
    /// An element of this name with nothing in it.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Sets an attribute.
    pub fn set_attribute(&mut self, name: &str, value: String) {
        match self.attributes.iter_mut().find(|(known, _)| known == name) {
            Some(known) => known.1 = value,
            None => self.attributes.push((name.to_owned(), value)),
        }
    }

    /// The child elements, in order.
    pub fn elements(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter_map(|child| match child {
            Node::Element(element) => Some(element),
            _ => None,
        })
    }

    /// Its own text, without that of its children.
    #[must_use]
    pub fn text(&self) -> String {
        let texts = self.children.iter().filter_map(|child| match child {
            Node::Text(text) => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Adds text, to the text before it if there is one.
    pub fn push_text(&mut self, text: &str) {
        match self.children.last_mut() {
            _ if text.is_empty() => {}
            Some(Node::Text(before)) => before.push_str(text),
            _ => self.children.push(Node::Text(text.to_owned())),
        }
    }
}

impl Node {
    /// Writes it alone, as [`Node::parse`] reads it.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = String::new();
        write::node(self, &mut out);
        out
    }

    /// Reads the content of an element: any nodes in a row.
    ///
    /// # Errors
    /// [`XmlError`] says why it is none.
    pub fn parse(xml: &str) -> Result<Vec<Self>, XmlError> {
        parse::content(xml)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Document(…)")
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({}, …)", self.name)
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Node(…)")
    }
}

/// Whether XML 1.0 can say a character at all.
#[must_use]
pub fn is_char(symbol: char) -> bool {
    matches!(symbol, '\t' | '\n' | '\r' | '\u{20}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether an element or attribute may be called so: letters, digits and the few marks, what XML
/// allows seen a little narrower.
#[must_use]
pub fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_alphabetic() || c == '_';
    let other = |c: char| letter(c) || c.is_numeric() || matches!(c, '-' | '.' | ':' | '\u{b7}');
    let mut chars = text.chars();
    let first = chars.next().is_some_and(letter);
    let colons = text.matches(':').count() <= 1 && !text.ends_with(':');
    first && colons && chars.all(other)
}

#[cfg(test)]
mod tests;
