//! White space between elements: none, or one element on each line.

use crate::casework::xml::{Element, Node};

/// What one level of depth adds, where the first element stands on a line of its own.
pub(super) fn indent(root: &Element) -> Option<String> {
    let Some(Node::Text(text)) = root.children.first() else {
        return None;
    };
    let blank = text.chars().all(|c| matches!(c, ' ' | '\t' | '\n'));
    let (before, indent) = text.rsplit_once('\n')?;
    let fits = blank && before.is_empty() && indent.len() <= 32;
    (fits && root.elements().next().is_some()).then(|| indent.to_owned())
}

/// Puts each element on a line of its own.
pub(super) fn spread(root: &mut Element, indent: &str) {
    level(root, indent, 1);
}

fn level(element: &mut Element, indent: &str, depth: usize) {
    if element.elements().next().is_none() {
        return;
    }
    let line = format!("\n{}", indent.repeat(depth));
    let mut spread = Vec::new();
    for mut child in std::mem::take(&mut element.children) {
        if let Node::Element(inner) = &mut child {
            level(inner, indent, depth + 1);
            spread.push(Node::Text(line.clone()));
        }
        spread.push(child);
    }
    spread.push(Node::Text(format!("\n{}", indent.repeat(depth - 1))));
    element.children = spread;
}
