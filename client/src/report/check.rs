//! Judges a report field by field and lists everything that is wrong, not just the first.

use serde_json::{Map, Value};

use super::{
    ENTRIES_MAX, ReportErrors,
    format::{self, Rule},
    no_files,
};

/// Collects problems.
#[derive(Default)]
pub(super) struct Checker(ReportErrors);

/// Judges a whole report. Spec: REP-3 to REP-10.
pub(super) fn check(value: &Value) -> Result<(), ReportErrors> {
    let mut checker = Checker::default();
    no_files::check(&mut checker, "", value);
    if let Some(report) = checker.object("", value) {
        checker.report(report);
    }
    if checker.0.problems.is_empty() {
        Ok(())
    } else {
        Err(checker.0)
    }
}

/// The path of a field. A name that is no plain word is not repeated: it could hold anything.
pub(crate) fn join(path: &str, name: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let name = match name.len() {
        1..=32 if name.bytes().all(plain) => name,
        _ => "?",
    };
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}

impl Checker {
    pub(super) fn fault(&mut self, path: &str, found: &str, expected: &'static str) {
        self.0.fault(path, found, expected);
    }

    fn report(&mut self, report: &Map<String, Value>) {
        self.required("", report, "reference", &format::REFERENCE);
        self.required("", report, "created", &format::CREATED);
        if let Some(urgency) = report.get("urgency") {
            self.urgency(urgency);
        }
        self.optional("", report, "language", &format::LANGUAGE);
        self.each(report, "categories", Self::category);
        self.optional("", report, "description", &format::DESCRIPTION);
        self.each(report, "urls", Self::location);
        self.each(report, "hashes", Self::hash);
        self.each(report, "jurisdictions", Self::jurisdiction);
        self.each(report, "subjects", Self::subject);
        let says = |name: &&str| match report.get(*name) {
            Some(Value::Array(list)) => !list.is_empty(),
            other => other.is_some(),
        };
        if !["description", "urls", "hashes", "subjects"]
            .iter()
            .any(says)
        {
            let expected = "at least one of description, urls, hashes and subjects";
            self.fault("", "says nothing", expected);
        }
    }

    fn urgency(&mut self, value: &Value) {
        let Some(urgency) = self.object("urgency", value) else {
            return;
        };
        self.required("urgency", urgency, "level", &format::LEVEL);
        self.optional("urgency", urgency, "reason", &format::REASON);
        let level = urgency.get("level").and_then(Value::as_str);
        let pressing = level.is_some_and(|level| matches!(level, "imminent" | "ongoing" | "high"));
        if pressing && !urgency.contains_key("reason") {
            let expected = "a reason for every level above normal";
            self.fault("urgency.reason", "is missing", expected);
        }
    }

    fn category(&mut self, path: &str, category: &Map<String, Value>) {
        for field in ["scheme", "version", "code"] {
            self.required(path, category, field, &format::WORD);
        }
    }

    fn location(&mut self, path: &str, location: &Map<String, Value>) {
        self.required(path, location, "url", &format::URL);
        self.optional(path, location, "note", &format::NOTE);
    }

    fn hash(&mut self, path: &str, hash: &Map<String, Value>) {
        let algorithm = self.required(path, hash, "algorithm", &format::ALGORITHM);
        let listed = format::ALGORITHMS
            .iter()
            .find(|(name, ..)| Some(*name) == algorithm);
        let Some((_, digits, expected)) = listed else {
            self.required(path, hash, "value", &format::OTHER_HASH);
            return;
        };
        let rule = Rule {
            holds: |_| true,
            bytes_max: usize::MAX,
            expected,
        };
        let Some(value) = self.required(path, hash, "value", &rule) else {
            return;
        };
        if !format::is_hex(value, *digits) {
            let found = match value.chars().count() {
                count if count != *digits => format!("has {count} characters"),
                _ => "has other characters".to_owned(),
            };
            self.fault(&join(path, "value"), &found, expected);
        }
    }

    fn jurisdiction(&mut self, path: &str, jurisdiction: &Map<String, Value>) {
        self.required(path, jurisdiction, "country", &format::COUNTRY);
        self.required(path, jurisdiction, "basis", &format::CODE);
        let Some(confidence) = jurisdiction.get("confidence") else {
            return;
        };
        let fits = |number: f64| (0.0..=1.0).contains(&number);
        if !confidence.as_f64().is_some_and(fits) {
            let path = join(path, "confidence");
            self.fault(&path, "is not such a number", "a number from 0 to 1");
        }
    }

    fn subject(&mut self, path: &str, subject: &Map<String, Value>) {
        self.optional(path, subject, "role", &format::CODE);
        let expected = "a list of 1 to 1,000 objects with kind and value";
        let list_path = join(path, "identifiers");
        let Some(list) = self.list(&list_path, subject.get("identifiers"), expected) else {
            return;
        };
        if list.is_empty() {
            self.fault(&list_path, "is empty", expected);
        }
        for (number, value) in list.iter().enumerate() {
            let path = format!("{list_path}[{number}]");
            if let Some(identifier) = self.object(&path, value) {
                self.identifier(&path, identifier);
            }
        }
    }

    fn identifier(&mut self, path: &str, identifier: &Map<String, Value>) {
        let kind = self.required(path, identifier, "kind", &format::CODE);
        let rule = match kind {
            Some("email") => &format::EMAIL,
            Some("ip") => &format::IP,
            Some("phone") => &format::PHONE,
            _ => &format::IDENTIFIER,
        };
        self.required(path, identifier, "value", rule);
    }

    /// Judges every object of an optional list.
    fn each(
        &mut self,
        report: &Map<String, Value>,
        field: &str,
        judge: fn(&mut Self, &str, &Map<String, Value>),
    ) {
        let Some(value) = report.get(field) else {
            return;
        };
        let expected = "a list of at most 1,000 objects";
        for (number, value) in self
            .list(field, Some(value), expected)
            .unwrap_or_default()
            .iter()
            .enumerate()
        {
            let path = format!("{field}[{number}]");
            if let Some(object) = self.object(&path, value) {
                judge(self, &path, object);
            }
        }
    }

    fn required<'a>(
        &mut self,
        path: &str,
        object: &'a Map<String, Value>,
        field: &str,
        rule: &Rule,
    ) -> Option<&'a str> {
        if object.contains_key(field) {
            return self.optional(path, object, field, rule);
        }
        self.fault(&join(path, field), "is missing", rule.expected);
        None
    }

    /// The text of a field, if it is there and follows its rule.
    fn optional<'a>(
        &mut self,
        path: &str,
        object: &'a Map<String, Value>,
        field: &str,
        rule: &Rule,
    ) -> Option<&'a str> {
        let value = object.get(field)?;
        let Some(text) = value.as_str() else {
            let found = format!("is {}", kind(value));
            self.fault(&join(path, field), &found, rule.expected);
            return None;
        };
        let found = if text.is_empty() {
            "is empty".to_owned()
        } else if text.len() > rule.bytes_max {
            format!("has {} bytes", text.len())
        } else if !(rule.holds)(text) {
            "is not of this form".to_owned()
        } else {
            return Some(text);
        };
        self.fault(&join(path, field), &found, rule.expected);
        None
    }

    fn object<'a>(&mut self, path: &str, value: &'a Value) -> Option<&'a Map<String, Value>> {
        let object = value.as_object();
        if object.is_none() {
            self.fault(path, &format!("is {}", kind(value)), "an object");
        }
        object
    }

    fn list<'a>(
        &mut self,
        path: &str,
        value: Option<&'a Value>,
        expected: &'static str,
    ) -> Option<&'a [Value]> {
        let found = match value {
            Some(Value::Array(list)) if list.len() <= ENTRIES_MAX => return Some(list),
            Some(Value::Array(list)) => format!("has {} entries", list.len()),
            Some(value) => format!("is {}", kind(value)),
            None => "is missing".to_owned(),
        };
        self.fault(path, &found, expected);
        None
    }
}

pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
