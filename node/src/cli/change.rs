//! What one version of something changes in the one before, in words.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::output;

/// A named property as it is shown.
pub type Field = (&'static str, String);

/// One thing that is new, other or gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    mark: char,
    kind: &'static str,
    id: String,
    text: String,
}

impl Change {
    /// As JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let what = match self.mark {
            '+' => "added",
            '-' => "removed",
            _ => "changed",
        };
        json!({ "change": what, "kind": self.kind, "id": self.id, "text": self.text })
    }
}

/// Prints changes, one a line.
pub fn print(changes: &[Change]) {
    if changes.is_empty() {
        output::data("  nothing changes");
    }
    let width = changes.iter().map(|change| change.id.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut above = None;
    for change in changes {
        let (mark, kind) = (change.mark, change.kind);
        let (id, text) = (output::clean(&change.id), output::clean(&change.text));
        if above.replace((mark, kind, id.clone())) == above {
            output::data(format_args!("    {:<7} {:<width$}  {text}", "", ""));
        } else {
            output::data(format_args!("  {mark} {kind:<7} {id:<width$}  {text}"));
        }
    }
}

/// What becomes of entries that are told apart by their ids.
#[must_use]
pub fn between_entries(
    kind: &'static str,
    old: &[(String, Vec<Field>)],
    new: &[(String, Vec<Field>)],
) -> Vec<Change> {
    let before: BTreeMap<&str, &[Field]> = old
        .iter()
        .map(|(id, fields)| (id.as_str(), fields.as_slice()))
        .collect();
    let mut changes = Vec::new();
    for (id, fields) in new {
        let known = before.get(id.as_str()).copied();
        changes.extend(between_fields(kind, id, known, fields));
    }
    let gone = old
        .iter()
        .filter(|(id, _)| new.iter().all(|(kept, _)| kept != id));
    changes.extend(gone.map(|(id, _)| Change {
        mark: '-',
        kind,
        id: id.clone(),
        text: "is listed no more".to_owned(),
    }));
    changes
}

/// What becomes of one thing; new if there is nothing before it. A field without text is not
/// there.
#[must_use]
pub fn between_fields(
    kind: &'static str,
    id: &str,
    old: Option<&[Field]>,
    new: &[Field],
) -> Vec<Change> {
    let said = |text: &str| match text {
        "" => "none".to_owned(),
        text => text.to_owned(),
    };
    let change = |mark, text| Change {
        mark,
        kind,
        id: id.to_owned(),
        text,
    };
    let before = |name: &str| {
        let fields = old.unwrap_or_default();
        let found = fields.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, text)| text.as_str())
    };
    let changed = new.iter().filter(|(name, text)| before(name) != text);
    match old {
        None => changed
            .map(|(name, text)| change('+', format!("{name}: {text}")))
            .collect(),
        Some(_) => changed
            .map(|(name, text)| {
                let text = format!("{name}: {} -> {}", said(before(name)), said(text));
                change('~', text)
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_name_what_is_new_other_and_gone() {
        let entry = |id: &str, role: &str| (id.to_owned(), vec![("role", role.to_owned())]);
        let old = [entry("a", "x"), entry("b", ""), entry("c", "x")];
        let new = [entry("a", "x"), entry("b", "y"), entry("d", "x")];
        let found = between_entries("member", &old, &new);
        let lines: Vec<(char, &str, &str)> = found
            .iter()
            .map(|change| (change.mark, change.id.as_str(), change.text.as_str()))
            .collect();
        assert_eq!(
            lines,
            [
                ('~', "b", "role: none -> y"),
                ('+', "d", "role: x"),
                ('-', "c", "is listed no more"),
            ]
        );
    }
}
