//! Reads a document. The tokens are quick-xml's; what they may say is judged here.

use quick_xml::{
    XmlVersion,
    events::{BytesStart, Event},
    reader::Reader,
};

use super::{
    ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, Document, Element, NODES_MAX, Node, XmlError,
    encoding, is_char, is_name,
};

/// The element around content that is read alone. No name of a document begins so.
const AROUND: &str = "content";

/// A tree that grows.
struct Builder {
    before: Vec<Node>,
    root: Option<Element>,
    after: Vec<Node>,
    /// The elements that are open, the innermost last.
    open: Vec<Element>,
    nodes: usize,
}

/// Reads a whole document.
pub(super) fn document(bytes: &[u8]) -> Result<Document, XmlError> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(XmlError::TooLong);
    }
    let text = encoding::decode(bytes)?;
    build(&text)
}

/// Reads what can stand in an element.
pub(super) fn content(xml: &str) -> Result<Vec<Node>, XmlError> {
    if xml.len() > DOCUMENT_BYTES_MAX {
        return Err(XmlError::TooLong);
    }
    let around = format!("<{AROUND}>{xml}</{AROUND}>");
    let document = build(&around)?;
    // Content that closes the element around it would leave something beside it.
    if !document.after.is_empty() {
        return Err(XmlError::Malformed(0));
    }
    Ok(document.root.children)
}

fn build(text: &str) -> Result<Document, XmlError> {
    let mut reader = Reader::from_str(text);
    let config = reader.config_mut();
    config.check_comments = true;
    config.check_end_names = true;
    let mut builder = Builder {
        before: Vec::new(),
        root: None,
        after: Vec::new(),
        open: Vec::new(),
        nodes: 0,
    };
    let mut first = true;
    loop {
        let at = usize::try_from(reader.buffer_position()).unwrap_or(usize::MAX);
        let event = reader.read_event().map_err(|_| XmlError::Malformed(at))?;
        if matches!(event, Event::Eof) {
            return builder.end(at);
        }
        builder.take(event, at, first)?;
        first = false;
    }
}

impl Builder {
    fn take(&mut self, event: Event<'_>, at: usize, first: bool) -> Result<(), XmlError> {
        let malformed = XmlError::Malformed(at);
        match event {
            Event::Start(start) => self.open(&start, at),
            Event::Empty(start) => {
                self.open(&start, at)?;
                self.close(at)
            }
            Event::End(_) => self.close(at),
            Event::Text(text) => self.text(&text.xml10_content(), at),
            Event::CData(data) => {
                // Outside the root there is no text, not even this way.
                self.open.last().ok_or(malformed)?;
                self.text(&data.xml10_content(), at)
            }
            Event::GeneralRef(reference) => {
                self.open.last().ok_or(malformed)?;
                if let Some(symbol) = reference.resolve_char_ref().map_err(|_| malformed)? {
                    return self.text(symbol.encode_utf8(&mut [0; 4]), at);
                }
                let text = predefined(&reference).ok_or(XmlError::Entity)?;
                self.text(text, at)
            }
            Event::Comment(comment) => {
                let text = comment.xml10_content();
                all_chars(&text, at)?;
                self.push(Node::Comment(text.into_owned()))
            }
            Event::PI(instruction) => {
                let target = instruction.target();
                name(target, at)?;
                if target.eq_ignore_ascii_case("xml") {
                    return Err(malformed);
                }
                let content = instruction.content().replace("\r\n", "\n");
                let content = content.replace('\r', "\n");
                all_chars(&content, at)?;
                let content = content.trim_start().to_owned();
                self.push(Node::Instruction(target.to_owned(), content))
            }
            Event::Decl(declaration) if first => {
                let version = declaration.version().map_err(|_| malformed)?;
                if version == "1.0" {
                    Ok(())
                } else {
                    Err(malformed)
                }
            }
            Event::DocType(_) => Err(XmlError::DocumentType),
            Event::Decl(_) | Event::Eof => Err(malformed),
        }
    }

    fn open(&mut self, start: &BytesStart<'_>, at: usize) -> Result<(), XmlError> {
        if self.open.len() == DEPTH_MAX {
            return Err(XmlError::TooDeep);
        }
        if self.root.is_some() {
            return Err(XmlError::Malformed(at));
        }
        self.count()?;
        let tag = start.name();
        name(tag.as_ref(), at)?;
        let mut element = Element::new(tag.as_ref());
        for attribute in start.attributes() {
            // Also one that stands twice.
            let attribute = attribute.map_err(|_| XmlError::Malformed(at))?;
            if element.attributes.len() == ATTRIBUTES_MAX {
                return Err(XmlError::TooMany);
            }
            name(attribute.key.as_ref(), at)?;
            if attribute.value.contains('<') {
                return Err(XmlError::Malformed(at));
            }
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|_| XmlError::Entity)?;
            all_chars(&value, at)?;
            let key = attribute.key.as_ref().to_owned();
            element.attributes.push((key, value.into_owned()));
        }
        self.open.push(element);
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<(), XmlError> {
        let element = self.open.pop().ok_or(XmlError::Malformed(at))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(Node::Element(element)),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str, at: usize) -> Result<(), XmlError> {
        all_chars(text, at)?;
        let Some(element) = self.open.last_mut() else {
            let blank = text.bytes().all(|byte| byte.is_ascii_whitespace());
            return if blank {
                Ok(())
            } else {
                Err(XmlError::Malformed(at))
            };
        };
        if !matches!(element.children.last(), Some(Node::Text(_))) {
            self.count()?;
        }
        if let Some(element) = self.open.last_mut() {
            element.push_text(text);
        }
        Ok(())
    }

    fn push(&mut self, node: Node) -> Result<(), XmlError> {
        self.count()?;
        match (self.open.last_mut(), &self.root) {
            (Some(element), _) => element.children.push(node),
            (None, None) => self.before.push(node),
            (None, Some(_)) => self.after.push(node),
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), XmlError> {
        self.nodes += 1;
        if self.nodes > NODES_MAX {
            return Err(XmlError::TooMany);
        }
        Ok(())
    }

    fn end(self, at: usize) -> Result<Document, XmlError> {
        let Some(root) = self.root.filter(|_| self.open.is_empty()) else {
            return Err(XmlError::Malformed(at));
        };
        Ok(Document {
            before: self.before,
            root,
            after: self.after,
        })
    }
}

fn predefined(name: &str) -> Option<&'static str> {
    Some(match name {
        "lt" => "<",
        "gt" => ">",
        "amp" => "&",
        "apos" => "'",
        "quot" => "\"",
        _ => return None,
    })
}

fn all_chars(text: &str, at: usize) -> Result<(), XmlError> {
    match text.chars().all(is_char) {
        true => Ok(()),
        false => Err(XmlError::Malformed(at)),
    }
}

fn name(text: &str, at: usize) -> Result<(), XmlError> {
    match is_name(text) {
        true => Ok(()),
        false => Err(XmlError::Malformed(at)),
    }
}
