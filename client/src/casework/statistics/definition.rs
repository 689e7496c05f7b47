//! What counts, as data: the same everywhere, with the words by which people read it. Spec: STA-3.

use std::sync::LazyLock;

use frex_proto::label::{self, Hash};
use serde::Deserialize;

use super::{Axis, StatisticsError};

/// The definitions as they are published, one a file.
const PUBLISHED: [&str; 2] = [
    include_str!("../../../schema/statistics/reports-received.v1.json"),
    include_str!("../../../schema/statistics/reports-filed.v1.json"),
];

// They are part of the program, and a test reads them.
static DEFINITIONS: LazyLock<Vec<Definition>> =
    LazyLock::new(|| PUBLISHED.into_iter().filter_map(read).collect());

/// What one kind of table counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    /// `frex.reports-received`.
    pub id: String,
    /// The edition: another one may count otherwise.
    pub version: u32,
    /// For people.
    pub title: String,
    /// Whether reports that came to the member are counted, or those that it sent.
    pub received: bool,
    /// What counts, in sentences.
    pub counts: Vec<String>,
    /// What does not, and what must not be read from it.
    pub does_not_count: Vec<String>,
    /// Tables of two axes.
    pub crossings: Vec<(Axis, Axis)>,
    /// A total of so many is given exactly.
    pub exact_from: u64,
    /// SHA-256 of the definition as it is published.
    pub sha256: Hash,
}

#[derive(Deserialize)]
struct Form {
    id: String,
    version: u32,
    title: String,
    received: bool,
    counts: Vec<String>,
    does_not_count: Vec<String>,
    crossings: Vec<(String, String)>,
    exact_from: u64,
}

/// Every definition that this program knows.
#[must_use]
pub fn definitions() -> &'static [Definition] {
    &DEFINITIONS
}

/// The definition of this name: the newest edition, or the one that is asked for.
///
/// # Errors
/// [`StatisticsError::UnknownDefinition`].
pub fn definition(id: &str, version: Option<u32>) -> Result<&'static Definition, StatisticsError> {
    let named = DEFINITIONS.iter().filter(|one| one.id == id);
    let wanted = named.filter(|one| version.is_none_or(|version| one.version == version));
    wanted
        .max_by_key(|one| one.version)
        .ok_or(StatisticsError::UnknownDefinition)
}

/// One definition, with the hash of its file as it stands.
fn read(text: &str) -> Option<Definition> {
    let form: Form = serde_json::from_str(text).ok()?;
    let axes =
        |(first, second): &(String, String)| Some((Axis::of_name(first)?, Axis::of_name(second)?));
    Some(Definition {
        crossings: form.crossings.iter().map(axes).collect::<Option<_>>()?,
        id: form.id,
        version: form.version,
        title: form.title,
        received: form.received,
        counts: form.counts,
        does_not_count: form.does_not_count,
        exact_from: form.exact_from,
        sha256: label::sha256(&[text.as_bytes()]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // STA-3: every definition that is published is known, each by its name and edition, with what counts
    // and what does not.
    #[test]
    fn every_published_definition_is_known() {
        assert_eq!(definitions().len(), PUBLISHED.len());
        for known in definitions() {
            assert_eq!(definition(&known.id, Some(known.version)), Ok(known));
            assert!(!known.counts.is_empty() && !known.does_not_count.is_empty());
        }
        let unknown = definition("frex.reports-received", Some(99));
        assert_eq!(unknown, Err(StatisticsError::UnknownDefinition));
    }
}
