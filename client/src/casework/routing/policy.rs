//! What a member decides for itself about whom its reports go to: `route.toml` in its folder.
//! Spec: RTE-21 to RTE-23.

use std::collections::BTreeSet;

use frex_proto::{error::WireCode, label};
use serde::Deserialize;

use super::{Copy, POLICY_BYTES_MAX, POLICY_ENTRIES_MAX, Role, Seat, TEXT_BYTES_MAX, tables};

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
        policy.check()?;
        policy.sha256 = hex::encode(label::sha256(&[bytes]));
        Ok(policy)
    }

    fn check(&self) -> Result<(), PolicyError> {
        if self.version != 1 {
            return Err(fault("its version is not 1"));
        }
        let thresholds = [self.threshold, self.urgent_threshold];
        if thresholds
            .iter()
            .flatten()
            .any(|one| !(1..=100).contains(one))
        {
            return Err(fault("a threshold is not from 1 to 100"));
        }
        let counts = [
            self.rule.len(),
            self.basis.len(),
            self.approval.len(),
            self.also.len(),
        ];
        if counts.iter().any(|count| *count > POLICY_ENTRIES_MAX) {
            return Err(fault("it has more than 1,000 entries of a kind"));
        }
        for rule in &self.rule {
            check_who("rule", &rule.members, &rule.countries)?;
            check_text("rule", &rule.why, true)?;
        }
        for basis in &self.basis {
            check_who("basis", &basis.members, &basis.countries)?;
            check_text("basis", &basis.law, false)?;
            check_text("basis", &basis.article, true)?;
            check_text("basis", &basis.jurisdiction, true)?;
        }
        for approval in &self.approval {
            check_who("approval", &BTreeSet::new(), &approval.countries)?;
            if approval.countries.is_empty() {
                return Err(fault("an approval names no country"));
            }
            check_text("approval", &approval.by, false)?;
            if approval.by.contains(char::is_whitespace) {
                return Err(fault("whoever approves is named by one word"));
            }
        }
        let ranges = self.ranges.as_deref().unwrap_or("-");
        match ranges.is_empty() || ranges.contains(['/', '\\']) {
            true => Err(fault("ranges is no name of a file beside the policy")),
            false => Ok(()),
        }
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

fn check_who(
    what: &str,
    members: &BTreeSet<String>,
    countries: &BTreeSet<String>,
) -> Result<(), PolicyError> {
    if members.len().max(countries.len()) > POLICY_ENTRIES_MAX {
        return Err(fault("it has more than 1,000 entries of a kind"));
    }
    let tables = tables();
    let known = |code: &String| {
        tables.routes.countries.contains(code) || tables.law.groups.contains_key(code)
    };
    match countries.iter().find(|code| !known(code)) {
        Some(_) => Err(fault(&format!("a {what} names a country that is none"))),
        None => Ok(()),
    }
}

fn check_text(what: &str, text: &str, may_be_empty: bool) -> Result<(), PolicyError> {
    let empty = text.trim().is_empty();
    if (empty && !(may_be_empty && text.is_empty()))
        || text.len() > TEXT_BYTES_MAX
        || text.contains(char::is_control)
    {
        return Err(fault(&format!(
            "a text of a {what} is not of 1 to 256 bytes on one line"
        )));
    }
    Ok(())
}

fn fault(reason: &str) -> PolicyError {
    PolicyError {
        reason: reason.to_owned(),
    }
}
