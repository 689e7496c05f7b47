//! What a member decides for itself about whom its reports go to: `route.toml` in its folder.
//! Spec: RTE-21 to RTE-23.

use std::collections::BTreeSet;

use frex_proto::{error::WireCode, label};
use serde::Deserialize;

use super::{
    Copy, POLICY_BYTES_MAX, POLICY_ENTRIES_MAX, Role, Seat, TEXT_BYTES_MAX, country::Named, tables,
};

/// So much of a code that is none is shown.
const SHOWN_MAX: usize = 32;

/// A policy. All of it may be left out but its version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// 1.
    pub version: u32,
    /// From this confidence on a country counts, instead of the table's.
    pub threshold: Option<u32>,
    /// The same where it is urgent.
    pub urgent_threshold: Option<u32>,
    /// When clearing houses get a report.
    #[serde(default)]
    pub hub: Hub,
    /// What becomes of recipients without a known legal basis.
    #[serde(default)]
    pub unknown_basis: Unknown,
    /// A table of address ranges, beside the policy.
    pub ranges: Option<String>,
    /// Members that get every report, whatever countries are in it.
    #[serde(default)]
    pub also: BTreeSet<String>,
    /// The first that fits a recipient decides.
    #[serde(default)]
    pub rule: Vec<Rule>,
    /// Legal bases, before those of the table.
    #[serde(default)]
    pub basis: Vec<OwnBasis>,
    /// Who must agree before something goes.
    #[serde(default)]
    pub approval: Vec<Approval>,
    /// SHA-256 of the file, in hexadecimal.
    #[serde(skip)]
    pub sha256: String,
}

/// When clearing houses get a report. Spec: RTE-17.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hub {
    /// All of them.
    #[default]
    Always,
    /// Where a country has nobody of its own, or no country counts.
    Fallback,
}

/// What becomes of recipients without a known legal basis.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    /// They get it, and the plan says that the basis is not known.
    #[default]
    Full,
    /// They get a copy without contents.
    Metadata,
    /// They get nothing.
    Deny,
}

/// What is decided of recipients.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Ids; none: any.
    #[serde(default)]
    pub members: BTreeSet<String>,
    /// Where they are: countries or groups of the table; none: anywhere.
    #[serde(default)]
    pub countries: BTreeSet<String>,
    /// What they are; none: anything.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// What becomes of them.
    #[serde(rename = "do")]
    pub action: Action,
    /// Why, for people.
    #[serde(default)]
    pub why: String,
}

/// What becomes of a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It gets what its legal basis says.
    Allow,
    /// It gets nothing.
    Deny,
    /// It gets the whole report.
    Full,
    /// It gets a copy without contents.
    Metadata,
}

/// A legal basis that the member knows of.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnBasis {
    /// Recipients, as in a rule.
    #[serde(default)]
    pub members: BTreeSet<String>,
    /// Where they are.
    #[serde(default)]
    pub countries: BTreeSet<String>,
    /// What they are.
    #[serde(default)]
    pub roles: BTreeSet<Role>,
    /// Which law.
    pub law: String,
    /// Which article of it.
    #[serde(default)]
    pub article: String,
    /// Whose law.
    #[serde(default)]
    pub jurisdiction: String,
    /// What may go by it.
    pub copy: Copy,
}

/// Who must agree before something goes to certain countries.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// Countries or groups of recipients.
    pub countries: BTreeSet<String>,
    /// Who: a person or an office, one word.
    pub by: String,
}

/// Why a policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the policy cannot be used: {reason}")]
pub struct PolicyError {
    /// What is wrong, and where.
    pub reason: String,
}

impl From<&PolicyError> for WireCode {
    fn from(_: &PolicyError) -> Self {
        Self::BadConfig
    }
}

impl From<PolicyError> for WireCode {
    fn from(error: PolicyError) -> Self {
        Self::from(&error)
    }
}

impl Policy {
    /// Reads a policy and judges it.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        if bytes.len() > POLICY_BYTES_MAX {
            return Err(fault("it has more than 65,536 bytes"));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| fault("it is no text"))?;
        let mut policy: Self = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| {
                let before = text.get(..span.start).unwrap_or_default();
                format!("line {}: ", before.matches('\n').count() + 1)
            });
            fault(&format!("{}{}", line.unwrap_or_default(), error.message()))
        })?;
        policy.check().map_err(|wrong| wrong.in_text(text))?;
        policy.sha256 = hex::encode(label::sha256(&[bytes]));
        Ok(policy)
    }

    fn check(&self) -> Result<(), Wrong<'_>> {
        if self.version != 1 {
            return Err(Wrong::of("version", "its version is not 1"));
        }
        for (name, threshold) in [
            ("threshold", self.threshold),
            ("urgent_threshold", self.urgent_threshold),
        ] {
            if threshold.is_some_and(|one| !(1..=100).contains(&one)) {
                return Err(Wrong::of(name, &format!("{name} is not from 1 to 100")));
            }
        }
        for (name, count) in [
            ("rule", self.rule.len()),
            ("basis", self.basis.len()),
            ("approval", self.approval.len()),
            ("also", self.also.len()),
        ] {
            if count > POLICY_ENTRIES_MAX {
                return Err(Wrong::of(
                    name,
                    &format!("{name} has more than 1,000 entries"),
                ));
            }
        }
        for (at, rule) in self.rule.iter().enumerate() {
            let entry = Entry::of("rule", at);
            entry.check_who(&rule.members, &rule.countries)?;
            entry.check_text("why", &rule.why, true)?;
        }
        for (at, basis) in self.basis.iter().enumerate() {
            let entry = Entry::of("basis", at);
            entry.check_who(&basis.members, &basis.countries)?;
            entry.check_text("law", &basis.law, false)?;
            entry.check_text("article", &basis.article, true)?;
            entry.check_text("jurisdiction", &basis.jurisdiction, true)?;
        }
        for (at, approval) in self.approval.iter().enumerate() {
            Entry::of("approval", at).check_approval(approval)?;
        }
        let ranges = self.ranges.as_deref().unwrap_or("-");
        match ranges.is_empty() || ranges.contains(['/', '\\']) {
            true => Err(Wrong::of(
                "ranges",
                "ranges is no name of a file beside the policy",
            )),
            false => Ok(()),
        }
    }

    /// The line of a policy's text that names a member to whom everything goes, from 1. Whether there is
    /// such a member the roster says, and so no policy is refused for it when it is read.
    #[must_use]
    pub fn line_of_also(bytes: &[u8], member: &str) -> Option<usize> {
        line_of(std::str::from_utf8(bytes).ok()?, None, "also", member)
    }

    /// Members that rules and legal bases name.
    pub fn members(&self) -> impl Iterator<Item = &String> {
        let rules = self.rule.iter().flat_map(|one| &one.members);
        rules.chain(self.basis.iter().flat_map(|one| &one.members))
    }

    /// The rule that decides of a member, and its number from 1.
    pub(super) fn rule_for(&self, seat: &Seat) -> Option<(usize, &Rule)> {
        let mut rules = self.rule.iter().enumerate();
        let found = rules.find(|(_, rule)| fits(seat, &rule.members, &rule.countries, &rule.roles));
        found.map(|(at, rule)| (at + 1, rule))
    }

    /// The legal basis that the policy states for a member.
    pub(super) fn basis_for(&self, seat: &Seat) -> Option<&OwnBasis> {
        let mut bases = self.basis.iter();
        bases.find(|one| fits(seat, &one.members, &one.countries, &one.roles))
    }
}

fn fits(
    seat: &Seat,
    members: &BTreeSet<String>,
    countries: &BTreeSet<String>,
    roles: &BTreeSet<Role>,
) -> bool {
    (members.is_empty() || members.contains(&seat.id))
        && (countries.is_empty() || countries.iter().any(|one| is_in(&seat.country, one)))
        && (roles.is_empty() || roles.contains(&seat.role))
}

/// Whether a country is this one, or in this group.
pub(super) fn is_in(country: &str, named: &str) -> bool {
    let group = tables().law.groups.get(named);
    country == named || group.is_some_and(|group| group.contains(country))
}

/// What is wrong with a policy that could be read, and where.
struct Wrong<'a> {
    /// In which entry, if in one.
    entry: Option<Entry>,
    /// In which field.
    field: &'static str,
    /// Which word of that, if it is a single one.
    word: &'a str,
    reason: String,
}

impl Wrong<'_> {
    fn of(field: &'static str, reason: &str) -> Self {
        Self {
            entry: None,
            field,
            word: "",
            reason: reason.to_owned(),
        }
    }

    /// Whoever mends it needs the line.
    fn in_text(self, text: &str) -> PolicyError {
        let line = line_of(text, self.entry, self.field, self.word);
        let line = line.map(|line| format!("line {line}: "));
        fault(&format!("{}{}", line.unwrap_or_default(), self.reason))
    }
}

/// The line of a field, from 1: that of a word in it, where one is meant.
fn line_of(text: &str, entry: Option<Entry>, field: &str, word: &str) -> Option<usize> {
    let policy = toml::de::DeTable::parse(text).ok()?;
    let span = match entry {
        None => policy.get_ref().get(field)?.span(),
        Some(Entry { kind, number }) => {
            let entries = policy.get_ref().get(kind)?.get_ref();
            let entry = entries.get(number - 1)?.get_ref();
            entry.get(field)?.span()
        }
    };
    let within = text.get(span.clone())?;
    let at = within.find(&format!("\"{word}\""));
    let at = at.or_else(|| within.find(&format!("'{word}'")));
    let before = text.get(..span.start + at.unwrap_or_default())?;
    Some(before.matches('\n').count() + 1)
}

/// One of the entries of a kind, from 1.
#[derive(Debug, Clone, Copy)]
struct Entry {
    kind: &'static str,
    number: usize,
}

impl Entry {
    fn of(kind: &'static str, at: usize) -> Self {
        Self {
            kind,
            number: at + 1,
        }
    }

    fn wrong<'a>(self, field: &'static str, word: &'a str, reason: &str) -> Wrong<'a> {
        Wrong {
            entry: Some(self),
            field,
            word,
            reason: format!("{} {} {reason}", self.kind, self.number),
        }
    }

    fn check_who<'a>(
        self,
        members: &BTreeSet<String>,
        countries: &'a BTreeSet<String>,
    ) -> Result<(), Wrong<'a>> {
        for (field, count) in [("members", members.len()), ("countries", countries.len())] {
            if count > POLICY_ENTRIES_MAX {
                return Err(self.wrong(field, "", &format!("has more than 1,000 {field}")));
            }
        }
        match countries.iter().find(|code| !is_place(code)) {
            Some(code) => Err(self.wrong("countries", code, &no_place(code))),
            None => Ok(()),
        }
    }

    fn check_approval(self, approval: &Approval) -> Result<(), Wrong<'_>> {
        self.check_who(&BTreeSet::new(), &approval.countries)?;
        if approval.countries.is_empty() {
            return Err(self.wrong("countries", "", "names no country"));
        }
        self.check_text("by", &approval.by, false)?;
        match approval.by.contains(char::is_whitespace) {
            true => Err(self.wrong("by", "", "names who approves by more than one word")),
            false => Ok(()),
        }
    }

    fn check_text(
        self,
        field: &'static str,
        text: &str,
        may_be_empty: bool,
    ) -> Result<(), Wrong<'static>> {
        let empty = text.trim().is_empty();
        if (empty && !(may_be_empty && text.is_empty()))
            || text.len() > TEXT_BYTES_MAX
            || text.contains(char::is_control)
        {
            let reason = format!("has a {field} that is not of 1 to 256 bytes on one line");
            return Err(self.wrong(field, "", &reason));
        }
        Ok(())
    }
}

/// Whether this is a country's code, or a group of the table of legal bases.
fn is_place(code: &str) -> bool {
    let tables = tables();
    tables.routes.countries.contains(code) || tables.law.groups.contains_key(code)
}

/// What is wrong with a code that is none, and what was likely meant.
fn no_place(code: &str) -> String {
    let tables = tables();
    let shown: String = code.escape_debug().take(SHOWN_MAX).collect();
    let capitals = code.trim().to_ascii_uppercase();
    let meant = match tables.routes.country(code) {
        Named::Country(country) => Some(country),
        _ => Some(capitals.as_str()).filter(|code| is_place(code)),
    };
    match meant {
        Some(meant) => format!("names \"{shown}\", which is written \"{meant}\""),
        None => {
            let groups: Vec<&str> = tables.law.groups.keys().map(String::as_str).collect();
            format!(
                "names \"{shown}\", which is neither a country, two capitals of ISO 3166-1 as \"FR\", nor one of {}",
                groups.join(", ")
            )
        }
    }
}

fn fault(reason: &str) -> PolicyError {
    PolicyError {
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-21: whoever mends a policy is told the line, the entry and what was likely meant.
    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let two =
            "version = 1\n\n[[rule]]\ndo = \"allow\"\n\n[[rule]]\ncountries = [\n  \"NO\",\n  ";
        for (text, said) in [
            (
                format!("{two}\"Fr\",\n]\ndo = \"deny\"\n"),
                "line 9: rule 2 names \"Fr\", which is written \"FR\"",
            ),
            (
                format!("{two}'UK',\n]\ndo = \"deny\"\n"),
                "line 9: rule 2 names \"UK\", which is written \"GB\"",
            ),
            (
                format!("{two}\"eu\"]\ndo = \"deny\"\n"),
                "line 9: rule 2 names \"eu\", which is written \"EU\"",
            ),
            (
                format!("{two}\"Norway\"]\ndo = \"deny\"\n"),
                "line 9: rule 2 names \"Norway\", which is neither a country",
            ),
            (
                "version = 1\nthreshold = 0\n".to_owned(),
                "line 2: threshold is not from 1 to 100",
            ),
            ("\nversion = 2\n".to_owned(), "line 2: its version is not 1"),
            (
                "version = 1\nranges = \"a/b\"\n".to_owned(),
                "line 2: ranges is no name",
            ),
            (
                "version = 1\napproval = [{countries = [\"NO\"], by = \"a b\"}]\n".to_owned(),
                "line 2: approval 1 names who approves by more than one word",
            ),
            (
                "version = 1\n[[basis]]\nlaw = \"\"\ncopy = \"full\"\n".to_owned(),
                "line 3: basis 1 has a law that is not of 1 to 256 bytes",
            ),
        ] {
            let error = Policy::parse(text.as_bytes()).unwrap_err();
            assert!(error.reason.starts_with(said), "{text}: {error}");
        }
    }

    // RTE-21: that of a further recipient is found once the roster says that there is none.
    #[test]
    fn a_further_recipient_has_a_line() {
        let text = b"version = 1\nalso = [\n  \"a.no\",\n  \"nobody.xx\",\n]\n";
        assert!(Policy::parse(text).is_ok());
        assert_eq!(Policy::line_of_also(text, "nobody.xx"), Some(4));
        assert_eq!(Policy::line_of_also(text, "a.no"), Some(3));
        assert_eq!(Policy::line_of_also(b"version = 1\n", "a.no"), None);
    }
}
