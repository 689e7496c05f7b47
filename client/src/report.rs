//! The first report model: what a member says about a case, as JSON.

/// The type of the content that holds a report. Spec: REP-1.
pub const CONTENT_TYPE: &str = "application/vnd.frex.report.v1+json";
