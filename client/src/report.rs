//! The first report model: what a member says about a case, as JSON.
//!
//! Classifications are data, `{scheme, version, code}`, because schemes differ between countries
//! and change without us. Fields that this version does not know are kept. There is no place for
//! file bytes: evidence is named by its hashes and where it is found, and stays with whoever may
//! hold it. The published form is `schema/report.v1.schema.json`. Spec: chapter REP.
//!
//! Nothing here prints what a report says: errors name fields and rules, never values.

use std::{borrow::Cow, fmt};

use bytes::Bytes;
use frex_proto::error::WireCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) mod check;
pub(crate) mod format;
pub(crate) mod json;
mod misspelt;
pub(crate) mod no_files;
mod profile;
#[cfg(test)]
mod tests;

pub use profile::{UnknownField, missing_fields, unknown_fields};

/// The type of the content that holds a report. Spec: REP-1.
pub const CONTENT_TYPE: &str = "application/vnd.frex.report.v1+json";
/// Longest report, bytes: it fits one envelope. Spec: REP-2.
pub const REPORT_BYTES_MAX: usize = 1024 * 1024;
/// Entries of one list. Spec: REP-2.
pub const ENTRIES_MAX: usize = 1000;
/// Problems that are listed; the rest is counted.
pub const PROBLEMS_MAX: usize = 64;

/// A report whose known fields all follow their rules.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The sender's own name for the case. Spec: REP-3.
    pub reference: String,
    /// When it was made: RFC 3339 with an offset, as the sender wrote it.
    pub created: String,
    /// How fast somebody should look at it.
    #[serde(default)]
    pub urgency: Urgency,
    /// Language of the free text, as a BCP 47 tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// What it is, in the words of one or more schemes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub categories: Vec<Category>,
    /// What happened, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it is found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<Location>,
    /// What the files are, without the files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashes: Vec<FileHash>,
    /// Which countries may be competent, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jurisdictions: Vec<Jurisdiction>,
    /// Who is involved, as far as it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Subject>,
    /// What later versions or the sender added; kept, not judged beyond the ban on file bytes.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// How fast somebody should look at it.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Urgency {
    /// From most to least.
    pub level: Level,
    /// Why; there must be a reason above normal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Levels of urgency. Spec: REP-4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Somebody is about to be harmed.
    Imminent,
    /// Somebody is being harmed.
    Ongoing,
    /// Before others.
    High,
    /// In turn.
    #[default]
    Normal,
    /// When there is time.
    Low,
}

/// A classification, in the words of its scheme. Spec: REP-5.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Category {
    /// Whose words.
    pub scheme: String,
    /// Which edition.
    pub version: String,
    /// The word.
    pub code: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Where something is found. Spec: REP-6.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// An absolute URL.
    pub url: String,
    /// For the reader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A file named by its hash. Spec: REP-7.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileHash {
    /// `md5`, `sha1`, `sha256`, `sha512`, `blake3`, `pdq`, or `x-` and a name of the sender's.
    pub algorithm: String,
    /// Lower-case hexadecimal for the listed algorithms.
    pub value: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A country that may be competent. Spec: REP-8.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Jurisdiction {
    /// ISO 3166-1 alpha-2, in capitals.
    pub country: String,
    /// Why: a code such as `victim-location` or `hosting`.
    pub basis: String,
    /// From 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// Somebody who is involved. Spec: REP-9.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// A code such as `reported-user` or `reporter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// By what it is known.
    pub identifiers: Vec<Identifier>,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One name that somebody has somewhere. Spec: REP-9.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identifier {
    /// `email`, `ip`, `phone`, or any other code.
    pub kind: String,
    /// As it was seen.
    pub value: String,
    /// Unknown fields.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// One thing that is wrong with a report. It says nothing of what the report says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which field, such as `hashes[2].value`; empty for the whole.
    pub path: String,
    /// What is wrong.
    pub found: String,
    /// What would be right.
    pub expected: Cow<'static, str>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = if self.path.is_empty() {
            "the report"
        } else {
            &self.path
        };
        write!(f, "{path} {}; expected {}", self.found, self.expected)
    }
}

/// Everything that is wrong with a report. The sender must mend it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportErrors {
    /// In the order of the rules, at most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How many more there are.
    pub further: usize,
    /// The report is longer than [`REPORT_BYTES_MAX`]; nothing else was looked at.
    pub too_large: bool,
}

impl fmt::Display for ReportErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, problem) in self.problems.iter().enumerate() {
            let line = if number == 0 { "" } else { "\n" };
            write!(f, "{line}{problem}")?;
        }
        if self.further > 0 {
            write!(f, "\nand {} more", self.further)?;
        }
        Ok(())
    }
}

impl std::error::Error for ReportErrors {}

impl From<&ReportErrors> for WireCode {
    fn from(errors: &ReportErrors) -> Self {
        if errors.too_large {
            Self::TooLarge
        } else {
            Self::Malformed
        }
    }
}

impl From<ReportErrors> for WireCode {
    fn from(errors: ReportErrors) -> Self {
        Self::from(&errors)
    }
}

impl Report {
    /// Reads a report and judges every known field. Spec: REP-1 to REP-10.
    ///
    /// # Errors
    /// [`ReportErrors`] lists all that is wrong, each with its field and what would be right.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportErrors> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(ReportErrors {
                too_large: true,
                ..ReportErrors::one("is longer than a report may be", "at most 1 MiB of JSON")
            });
        }
        let value =
            json::parse(bytes).map_err(|error| ReportErrors::one(&error, json::EXPECTED))?;
        check::check(&value)?;
        serde_json::from_value(value)
            .map_err(|_| ReportErrors::one("has a field of the wrong type", "the report schema"))
    }

    /// The report as JSON, unknown fields included.
    #[must_use]
    pub fn to_json(&self) -> Bytes {
        // Strings, finite numbers and maps with string keys always have a JSON form.
        serde_json::to_vec(self).unwrap_or_default().into()
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Report")
            .field("level", &self.urgency.level)
            .field("urls", &self.urls.len())
            .field("hashes", &self.hashes.len())
            .finish_non_exhaustive()
    }
}

impl ReportErrors {
    pub(crate) fn one(found: &str, expected: &'static str) -> Self {
        let mut errors = Self::default();
        errors.fault("", found, expected);
        errors
    }

    /// Whether somebody has put a file into it: no other form of the same file mends that. Spec: REP-10.
    #[must_use]
    pub fn is_about_files(&self) -> bool {
        let about = |problem: &Problem| problem.expected == no_files::EXPECTED;
        self.problems.iter().any(about)
    }

    /// Adds one; from [`PROBLEMS_MAX`] on it is only counted.
    pub(crate) fn fault(
        &mut self,
        path: &str,
        found: &str,
        expected: impl Into<Cow<'static, str>>,
    ) {
        if self.problems.len() == PROBLEMS_MAX {
            self.further += 1;
            return;
        }
        self.problems.push(Problem {
            path: path.to_owned(),
            found: found.to_owned(),
            expected: expected.into(),
        });
    }
}
