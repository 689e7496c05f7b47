//! A CyberTipline document in the model and back, without loss.
//!
//! What a document says goes to fields, by the options of the schema: there is no code for any one
//! of them. What fields cannot say again, such as `1` for true, another order or an element that
//! is not known, stays beside them in a `Residue`, and is put back when the document is written.
//! Reading verifies itself: a document that would not be written again as it came is refused.
//! Spec: MOD-4 to MOD-8.

use prost::Message;
use prost_reflect::DynamicMessage;

use super::{
    schema,
    xml::{Document, XmlError},
};

mod apply;
mod codec;
mod diff;
mod emit;
mod layout;
mod read;
mod residue;
#[cfg(test)]
mod tests;

/// The field of a message that holds its residue.
const RESIDUE: &str = "residue";
/// The field of a message that names the document it came from.
const SOURCE: &str = "source";

/// Which of the two documents of the form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `<report>`.
    Report,
    /// `<fileDetails>`.
    FileDetails,
}

/// Why a document cannot be carried. Nothing here repeats content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ImportError {
    /// It is no document, or is refused.
    #[error(transparent)]
    Xml(#[from] XmlError),
    /// It has another root.
    #[error("the root element is not <{0}>")]
    OtherRoot(&'static str),
    /// It would not be written again as it came. A fault of this program.
    #[error("the document would not be written again as it came: it was not taken")]
    Loss,
}

/// A document that was written.
#[derive(Debug)]
pub struct Written {
    /// The document.
    pub document: Document,
    /// Fields that the form has no place for, by their paths.
    pub left_out: Vec<String>,
    /// How much of the residue fits no more, because fields were changed since. Unknown elements
    /// are written all the same.
    pub stale: usize,
}

impl Form {
    /// Its root element.
    #[must_use]
    pub fn root(self) -> &'static str {
        match self {
            Self::Report => "report",
            Self::FileDetails => "fileDetails",
        }
    }

    /// The form that has this root.
    #[must_use]
    pub fn of_root(name: &str) -> Option<Self> {
        [Self::Report, Self::FileDetails]
            .into_iter()
            .find(|form| form.root() == name)
    }

    /// The message of the schema that it is.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Report => "Report",
            Self::FileDetails => "Item",
        }
    }
}

/// Reads a document into a message, verifies that it is written again as it came, and notes
/// where it came from.
///
/// # Errors
/// [`ImportError`] says why it is not taken.
pub fn read(form: Form, bytes: &[u8]) -> Result<DynamicMessage, ImportError> {
    let document = Document::parse(bytes)?;
    if document.root.name != form.root() {
        return Err(ImportError::OtherRoot(form.root()));
    }
    let mut message = DynamicMessage::new(schema::message(form.message()));
    let unread = read::element(&mut message, &document.root);
    let indent = layout::indent(&document.root);
    let mut plain = emit::element(&message, form.root());
    if let Some(indent) = &indent {
        layout::spread(&mut plain, indent);
    }
    let left = diff::residue(&plain, &document, &unread, indent);
    if left != super::v1::Residue::default() {
        set(&mut message, RESIDUE, &left, "Residue");
    }
    let source = residue::source(bytes);
    set(&mut message, SOURCE, &source, "SourceDocument");
    let (written, _) = compose(form, &message);
    if written.canonical() != document.canonical() {
        return Err(ImportError::Loss);
    }
    Ok(message)
}

/// Writes a message as a document, its residue put back where it still fits.
#[must_use]
pub fn write(form: Form, message: &DynamicMessage) -> Written {
    let (document, stale) = compose(form, message);
    Written {
        document,
        left_out: emit::left_out(message, form.root()),
        stale,
    }
}

/// The document, and how much of the residue fits no more.
fn compose(form: Form, message: &DynamicMessage) -> (Document, usize) {
    let left = residue::of(message);
    let mut root = emit::element(message, form.root());
    let blank = |indent: &&String| indent.chars().all(|c| matches!(c, ' ' | '\t'));
    if let Some(indent) = left.indent.as_ref().filter(blank) {
        layout::spread(&mut root, indent);
    }
    apply::apply(root, &left)
}

/// Sets a field of a message by its name to what is said, which is of that type.
pub(super) fn set(message: &mut DynamicMessage, field: &str, said: &impl Message, kind: &str) {
    let bytes = said.encode_to_vec();
    if let Ok(value) = DynamicMessage::decode(schema::message(kind), bytes.as_slice()) {
        message.set_field_by_name(field, prost_reflect::Value::Message(value));
    }
}
