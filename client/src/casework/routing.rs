//! To whom a report goes, and why: a plan, made before anything is sealed.
//!
//! What a report says of countries becomes *candidates*, each with its bases and a confidence; candidates
//! become *recipients* by the roster: police, prosecutors and hotlines of where it happened, hotlines of
//! where it is hosted, clearing houses. The member's own [`Policy`] denies, allows and narrows. Each
//! recipient has its reasons and the legal basis as far as a table knows it, and gets the whole report or
//! a copy without contents. Nothing ends silently: a plan has a recipient or there is none and an error says
//! what is missing, and every country without a recipient is named.
//!
//! Tables are data, in `client/schema/routing`. All arithmetic is of whole numbers. Spec: RTE-10 to RTE-34.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use frex_proto::error::WireCode;
use serde::{Deserialize, Serialize};

mod candidates;
mod country;
mod law;
mod plan;
mod policy;
mod ranges;
mod record;
mod reduce;
#[cfg(test)]
mod tests;
mod view;

pub use candidates::{NO_RANGES, candidates};
pub use plan::{allowed, route};
pub use policy::{Action, Approval, Hub, OwnBasis, Policy, PolicyError, Rule, Unknown};
pub use ranges::{Ranges, RangesError};
pub use record::{Record, RecordError, canonical, message_id};
pub use reduce::{ReduceError, is_metadata_only, metadata_only, reduced};

/// Rows of a table of address ranges. Spec: LIM-122.
pub const RANGES_MAX: usize = 1_000_000;
/// Bytes of a table of address ranges. Spec: LIM-122.
pub const RANGES_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a policy. Spec: LIM-123.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Rules, bases, approvals and further recipients of a policy, and members, countries and roles of one of
/// them, each. Spec: LIM-123.
pub const POLICY_ENTRIES_MAX: usize = 1_000;
/// Bytes of a text in a policy. Spec: LIM-123.
const TEXT_BYTES_MAX: usize = 256;
/// Bytes of a record of a decision. Spec: LIM-147.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Recipients of a plan: those of one envelope. Spec: LIM-124.
pub const RECIPIENTS_MAX: usize = frex_proto::limits::RECIPIENTS_MAX;

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let built_in = "a test reads the tables that are built in";
    Tables {
        routes: serde_json::from_str(include_str!("../../schema/routing/routes.v1.json"))
            .expect(built_in),
        law: serde_json::from_str(include_str!("../../schema/routing/legal-bases.v1.json"))
            .expect(built_in),
        copy: serde_json::from_str(include_str!("../../schema/routing/metadata-copy.v1.json"))
            .expect(built_in),
    }
});

/// The tables that are built in.
#[must_use]
pub fn tables() -> &'static Tables {
    &TABLES
}

/// All tables by which a plan is made.
#[derive(Debug)]
pub struct Tables {
    /// Where countries stand in a report, and who gets it.
    pub routes: Routes,
    /// On which legal basis.
    pub law: Law,
    /// What a copy without contents keeps.
    pub copy: Copies,
}

/// Where countries stand in a report, and who gets it. Spec: RTE-11 to RTE-17.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Routes {
    /// What it is called.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
    /// From this confidence on a country counts.
    pub threshold: u32,
    /// From this confidence on it counts where it is urgent.
    pub urgent_threshold: u32,
    /// Levels of urgency that are.
    pub urgent_levels: Vec<String>,
    /// Bases of a declared jurisdiction that speak of hosting.
    pub hosting_words: Vec<String>,
    /// ISO 3166-1 alpha-2.
    pub countries: BTreeSet<String>,
    /// Other codes of countries.
    pub aliases: BTreeMap<String, String>,
    /// Codes that name no country.
    pub no_country: BTreeSet<String>,
    /// Domains of countries that everybody uses.
    pub domains_apart: BTreeSet<String>,
    /// Languages that are of one country.
    pub languages: BTreeMap<String, String>,
    /// Calling codes, each with its countries.
    pub calling_codes: BTreeMap<String, Vec<String>>,
    /// Kinds of evidence, with what each counts.
    pub bases: Vec<Basis>,
    /// Where in a report each stands.
    pub reads: Vec<Read>,
    /// Who gets it.
    pub routes: Vec<RouteRow>,
}

/// A kind of evidence.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Its name.
    pub basis: String,
    /// What it speaks of.
    pub class: Class,
    /// From 0 to 100.
    pub points: u32,
}

/// What a country has to do with a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Class {
    /// It happened there, or people are there.
    Origin,
    /// Content is hosted there.
    Hosting,
}

/// A place in a report that names a country.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// Where.
    pub path: String,
    /// How it is read.
    #[serde(rename = "as")]
    pub form: Form,
    /// As which evidence it counts.
    pub basis: String,
}

/// How a place is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// A jurisdiction that the sender declares.
    Jurisdiction,
    /// A country's code, ISO or not.
    Country,
    /// An address of the internet that was seen.
    IpEvent,
    /// An address of the internet.
    Ip,
    /// A telephone number.
    Phone,
    /// A domain.
    Domain,
    /// An e-mail address.
    Email,
    /// A location.
    Url,
    /// A language.
    Language,
}

/// Whom a country that counts brings a report to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteRow {
    /// A country of which class.
    pub class: Class,
    /// Members of which role.
    pub role: Role,
    /// What the reason is called.
    pub reason: String,
}

/// What kind of organisation a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // The names are those of the roster.
pub enum Role {
    Hotline,
    Platform,
    Police,
    Prosecutor,
    ClearingHouse,
    Oversight,
    Unknown,
}

/// Legal bases that are known. Spec: RTE-20.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Law {
    /// What it is called.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
    /// Names for several countries.
    pub groups: BTreeMap<String, BTreeSet<String>>,
    /// The first that fits counts.
    pub rows: Vec<LawRow>,
}

/// One legal basis.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LawRow {
    /// The sender's country, or a group.
    pub from: String,
    /// The sender's role, or `*`.
    pub sender: String,
    /// `same` country as the sender's, an `other` one, `*`, or a country or group.
    pub to: String,
    /// The recipient's role, or `*`.
    pub role: String,
    /// Which law.
    pub law: String,
    /// Which article of it.
    pub article: String,
    /// Whose law.
    pub jurisdiction: String,
    /// What may go by it.
    pub copy: Copy,
    /// Where it is said.
    pub source: String,
}

/// What a copy without contents keeps. Spec: RTE-24.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Copies {
    /// What it is called.
    pub id: String,
    /// Counts from 1.
    pub version: u32,
    /// What stands where something was left out.
    pub note: String,
    /// Fields that are left out without a word.
    pub unlisted: BTreeSet<String>,
    /// Fields that are named as left out, at most.
    pub listed_max: usize,
    /// Fields that are kept of each message, with the message that each holds, if any.
    pub keep: BTreeMap<String, BTreeMap<String, String>>,
}

/// What a recipient gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Copy {
    /// The whole report.
    Full,
    /// Identifiers, hashes and times without contents.
    Metadata,
}

/// How fast a message travels, as far as a plan decides it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// Before all others.
    Urgent,
    /// In turn.
    Normal,
}

/// The members of a federation, as far as routing looks at them. Spec: RTE-15.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RosterView {
    /// Of which roster.
    pub version: u64,
    /// In whatever order.
    pub members: Vec<Seat>,
}

/// A member, as far as routing looks at it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Seat {
    /// Its id.
    pub id: String,
    /// What kind of organisation.
    pub role: Role,
    /// Where it is.
    pub country: String,
    /// For which countries it is competent; none: its own.
    #[serde(default)]
    pub jurisdictions: BTreeSet<String>,
    /// Whether it may be sent to at all.
    pub live: bool,
    /// In which lanes it takes reports.
    pub lanes: BTreeSet<Lane>,
}

impl Seat {
    /// Whether it is competent for a country. Spec: RTE-15.
    #[must_use]
    pub fn is_competent(&self, country: &str) -> bool {
        match self.jurisdictions.is_empty() {
            true => self.country == country,
            false => self.jurisdictions.contains(country),
        }
    }
}

/// A country that may be competent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// How sure it is that it happened there, from 0 to 100.
    pub origin: u32,
    /// How sure it is that content is hosted there, from 0 to 100.
    pub hosting: u32,
    /// Whether it brings the report to anybody.
    pub counts: bool,
    /// Whether it counts for hosting and not as where it happened. For people; no part of the plan's form.
    #[serde(skip)]
    pub hosting_alone: bool,
    /// From what.
    pub evidence: Vec<Evidence>,
}

/// Something that names a country. It says where it stands, never what stands there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Evidence {
    /// Which kind.
    pub basis: String,
    /// Where it stands.
    pub path: String,
    /// What it counts.
    pub points: u32,
    /// How often it stands there.
    pub count: u32,
}

/// Something that should name a country and does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Note {
    /// Where it stands.
    pub path: String,
    /// Why it names none.
    pub why: &'static str,
}

/// Why a member gets a report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Why {
    /// A code.
    pub reason: String,
    /// For which country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
}

/// On which legal basis something goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ground {
    /// From which table: `frex/legal-bases`, `policy`, or `none`: it is not known.
    pub table: &'static str,
    /// Which law.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    /// Which article of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub article: Option<String>,
    /// Whose law.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<String>,
}

/// Somebody who will be able to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recipient {
    /// Who.
    pub member: String,
    /// What kind of organisation.
    pub role: Role,
    /// Where it is.
    pub country: String,
    /// How fast it travels.
    pub lane: Lane,
    /// What it gets.
    pub copy: Copy,
    /// Why.
    pub reasons: Vec<Why>,
    /// On which legal basis.
    pub ground: Ground,
    /// By which rule of the policy, if one decided; they count from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// What may go by the basis, if one is known. For people; no part of the plan's form.
    #[serde(skip)]
    pub lawful: Option<Copy>,
    /// What the rule gives as its reason. For people; no part of the plan's form.
    #[serde(skip)]
    pub rule_why: String,
}

/// Somebody who would have got it, and does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// Who.
    pub member: String,
    /// A code: `not-live`, `takes-no-reports`, `denied`, `no-legal-basis`.
    pub why: &'static str,
    /// By which rule of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<usize>,
    /// Why it would have got it.
    pub reasons: Vec<Why>,
    /// What the rule gives as its reason. For people; no part of the plan's form.
    #[serde(skip)]
    pub rule_why: String,
}

/// What somebody may have by policy and law.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowed {
    /// Which copy of a report; none: nothing.
    pub copy: Option<Copy>,
    /// By which rule of the policy, if one decided; they count from 1.
    pub rule: Option<usize>,
}

/// Somebody who must agree before it goes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Needed {
    /// Who.
    pub by: String,
    /// For recipients of which country.
    pub country: String,
}

/// A plan: who will be able to read a report, and why. Spec: RTE-18.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// By what it was made.
    pub by: MadeBy,
    /// Whose.
    pub sender: String,
    /// Whether it is urgent.
    pub urgent: bool,
    /// By how far they are likely, then by country.
    pub candidates: Vec<Candidate>,
    /// By id.
    pub recipients: Vec<Recipient>,
    /// By id.
    pub passed_over: Vec<PassedOver>,
    /// Countries that count and have nobody of their own, in order.
    pub uncovered: Vec<String>,
    /// Who must agree first.
    pub approvals: Vec<Needed>,
    /// What names no country and should.
    pub notes: Vec<Note>,
}

/// By which tables, policy and roster a plan was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadeBy {
    /// Version of the table of routes.
    pub routes: u32,
    /// Version of the table of legal bases.
    pub law: u32,
    /// Version of the table of what a copy without contents keeps.
    pub copy: u32,
    /// SHA-256 of the policy, or empty.
    pub policy: String,
    /// SHA-256 of the table of address ranges, or empty.
    pub ranges: String,
    /// Version of the roster.
    pub roster: u64,
}

/// A message of a plan: all who get the same copy equally fast.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What they get.
    pub copy: Copy,
    /// How fast.
    pub lane: Lane,
    /// Who, by id.
    pub members: Vec<String>,
}

impl Plan {
    /// The messages that carry it out: whole before copies, urgent before normal. Spec: RTE-30.
    #[must_use]
    pub fn parts(&self) -> Vec<Part> {
        let mut parts: BTreeMap<(Copy, Lane), Vec<String>> = BTreeMap::new();
        for one in &self.recipients {
            let members = parts.entry((one.copy, one.lane)).or_default();
            members.push(one.member.clone());
        }
        let part = |((copy, lane), members)| Part {
            copy,
            lane,
            members,
        };
        parts.into_iter().map(part).collect()
    }

    /// What two plans must have in common to be the same: all but by which tables they were made.
    /// Spec: RTE-33.
    #[must_use]
    pub fn decided(&self) -> serde_json::Value {
        let mut decided = serde_json::to_value(self).unwrap_or_default();
        if let Some(fields) = decided.as_object_mut() {
            fields.remove("by");
        }
        decided
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RouteError {
    /// Nobody gets it. Spec: RTE-19.
    #[error("nobody would get this report: {}", said(countries, passed_over))]
    Nobody {
        /// Countries that count, none of which has anybody.
        countries: Vec<String>,
        /// Who would have got it, each with why not.
        passed_over: Vec<PassedOver>,
    },
    /// More than one envelope has room for. Spec: LIM-124.
    #[error("{count} members would get this report, and a plan has at most 64 recipients")]
    TooMany {
        /// How many.
        count: usize,
    },
    /// Its policy names a member that the roster does not list.
    #[error("the policy names {member}, whom the roster does not list")]
    UnknownMember {
        /// Whom.
        member: String,
    },
}

fn said(countries: &[String], passed_over: &[PassedOver]) -> String {
    let whom = match countries {
        [] => "no country in it counts and no clearing house takes it".to_owned(),
        named => format!(
            "no other member that is competent for {} takes it, and no clearing house does",
            named.join(", ")
        ),
    };
    let over: Vec<String> = passed_over
        .iter()
        .map(|one| format!("{} is passed over: {}", one.member, one.said()))
        .collect();
    match over.is_empty() {
        true => whom,
        false => format!("{whom}; {}", over.join("; ")),
    }
}

impl From<&RouteError> for WireCode {
    fn from(error: &RouteError) -> Self {
        match error {
            RouteError::Nobody { .. } | RouteError::TooMany { .. } => Self::Unrouted,
            RouteError::UnknownMember { .. } => Self::BadConfig,
        }
    }
}

impl From<RouteError> for WireCode {
    fn from(error: RouteError) -> Self {
        Self::from(&error)
    }
}
