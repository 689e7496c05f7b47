//! A report as it is kept and travels: Protobuf, with what this version does not know; seen by
//! people and programs as JSON. Errors name fields and rules, never values. Spec: chapter MOD.

use std::fmt;

use prost::Message as _;
use prost_reflect::DynamicMessage;
use serde_json::Value;

use super::{
    cybertip::{self, Form, Written},
    schema, v1,
};
use crate::report::ReportErrors;

mod check;
mod detect;
mod first;
mod format;
mod import;
mod json;
mod measure;
mod profile;
mod rules;
#[cfg(test)]
mod tests;

pub use detect::{Shape, as_sent, detect, is_encoded, mixed, unimported};
pub use first::from_first;
pub use import::{Imported, Origin, import};
pub use profile::{example_of, missing_fields, names_of};

/// The type of the content that holds a report. Spec: MOD-2.
pub const CONTENT_TYPE: &str = "application/vnd.frex.report.v2+protobuf";
/// Longest report as Protobuf, bytes: it fits one envelope. Spec: LIM-110.
pub const REPORT_BYTES_MAX: usize = 1024 * 1024;
/// Longest report as JSON, bytes. Spec: LIM-115.
pub const JSON_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Entries of one list. Spec: LIM-116.
pub const ENTRIES_MAX: usize = 10_000;
/// Fields and entries of one report in all. Spec: LIM-117.
pub const VALUES_MAX: usize = 100_000;
/// Bytes of one field that is not known. Spec: LIM-118.
pub const UNKNOWN_BYTES_MAX: usize = 64 * 1024;

/// A report of version 2.
#[derive(Clone, PartialEq)]
pub struct Report(DynamicMessage);

impl Report {
    /// Reads a report that arrived, and judges it. Spec: MOD-2, MOD-3.
    ///
    /// # Errors
    /// [`ReportErrors`] lists all that is wrong, each with its field and what would be right.
    pub fn decode(bytes: &[u8]) -> Result<Self, ReportErrors> {
        let report = Self::decode_unchecked(bytes)?;
        report.check()?;
        Ok(report)
    }

    /// Reads a report without judging what it says: to show what cannot be judged, or name what is
    /// wrong with it.
    ///
    /// # Errors
    /// [`ReportErrors`] if it is too large or is no report at all.
    pub fn decode_unchecked(bytes: &[u8]) -> Result<Self, ReportErrors> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(too_large("at most 1 MiB of Protobuf"));
        }
        let kind = schema::message("Report");
        measure::measure(&kind, bytes)?;
        let message = DynamicMessage::decode(kind, bytes)
            .map_err(|_| ReportErrors::one("is not Protobuf", "one encoded Report"))?;
        Ok(Self(message))
    }

    /// Reads the JSON view of a report, and judges it. Spec: MOD-3.
    ///
    /// # Errors
    /// [`ReportErrors`] lists all that is wrong, each with its field and what would be right.
    pub fn from_json(bytes: &[u8]) -> Result<Self, ReportErrors> {
        let report = Self::from_json_unchecked(bytes)?;
        report.check()?;
        if report.0.encoded_len() > REPORT_BYTES_MAX {
            return Err(too_large("at most 1 MiB as Protobuf"));
        }
        Ok(report)
    }

    /// Reads the JSON view without judging what it says beyond its fields and their types.
    ///
    /// # Errors
    /// [`ReportErrors`] lists the fields that are not known or of another type.
    pub fn from_json_unchecked(bytes: &[u8]) -> Result<Self, ReportErrors> {
        if bytes.len() > JSON_BYTES_MAX {
            return Err(too_large("at most 4 MiB of JSON"));
        }
        let value = crate::report::json::parse(bytes)
            .map_err(|found| ReportErrors::one(&found, crate::report::json::EXPECTED))?;
        Self::of_json(&value)
    }

    /// The same of JSON that is read already.
    ///
    /// # Errors
    /// [`ReportErrors`] lists the fields that are not known or of another type.
    pub fn of_json(value: &Value) -> Result<Self, ReportErrors> {
        json::read(&schema::shape(&schema::message("Report")), value).map(Self)
    }

    /// A report of the generated type, which knows all that this version knows.
    #[must_use]
    pub fn of(report: &v1::Report) -> Self {
        let mut message = DynamicMessage::new(schema::message("Report"));
        message
            .transcode_from(report)
            .expect("both are of one schema");
        Self(message)
    }

    /// Lists all that is wrong with what it says. Spec: MOD-3.
    ///
    /// # Errors
    /// [`ReportErrors`], each with its field and what would be right.
    pub fn check(&self) -> Result<(), ReportErrors> {
        check::check(&self.0)
    }

    /// It as Protobuf, fields of later versions included.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.0.encode_to_vec()
    }

    /// Its JSON view.
    #[must_use]
    pub fn to_json(&self) -> Value {
        serde_json::to_value(json::View(&self.0)).unwrap_or_default()
    }

    /// Its JSON view as text, fields in the order of the schema.
    #[must_use]
    pub fn to_json_text(&self) -> String {
        serde_json::to_string_pretty(&json::View(&self.0)).unwrap_or_default()
    }

    /// It as the generated type, without what this version does not know.
    #[must_use]
    pub fn typed(&self) -> v1::Report {
        self.0.transcode_to().unwrap_or_default()
    }

    /// It as the CyberTipline document `<report>`.
    #[must_use]
    pub fn to_cybertip(&self) -> Written {
        cybertip::write(Form::Report, &self.0)
    }

    /// Its items as the CyberTipline documents `<fileDetails>`, in their order.
    #[must_use]
    pub fn items_to_cybertip(&self) -> Vec<Written> {
        let items = self.0.get_field_by_name("items");
        let items = items.as_ref().and_then(|items| items.as_list());
        let items = items
            .into_iter()
            .flatten()
            .filter_map(|item| item.as_message());
        items
            .map(|item| cybertip::write(Form::FileDetails, item))
            .collect()
    }

    /// The message, for what works on the schema.
    #[must_use]
    pub fn message(&self) -> &DynamicMessage {
        &self.0
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Report({} bytes)", self.0.encoded_len())
    }
}

fn too_large(expected: &'static str) -> ReportErrors {
    ReportErrors {
        too_large: true,
        ..ReportErrors::one("is longer than a report may be", expected)
    }
}

/// The names of the forms of text that are checked. Spec: MOD-9.
#[must_use]
pub fn formats() -> Vec<&'static str> {
    format::FORMATS.iter().map(|format| format.name).collect()
}
