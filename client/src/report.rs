pub const CONTENT_TYPE: &str = "application/vnd.frex.report.v1+json";
