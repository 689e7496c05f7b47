//! Making the plan of a report, by what is in the member's folder.

use std::{collections::BTreeSet, path::Path};

use frex_client::{
    casework::{
        model::{self, Report},
        quality,
        routing::{
            POLICY_BYTES_MAX, PassedOver, Plan, Policy, RANGES_BYTES_MAX, Ranges, RosterView,
            RouteError, route,
        },
    },
    environment::Clock,
    keys::MemberHome,
    report,
};
use frex_proto::{error::WireCode, label, roster::Roster};
use serde_json::Value;

use super::POLICY_FILE;
use crate::cli::{
    failure::{Failure, OrFail},
    files, member, output,
    send::checks,
};

/// How a plan goes on where a recipient needs the report to say more.
pub const ADD_OR_DENY: &str = "Add the fields named above to the report, leave that member out by a rule with do = \"deny\" in route.toml, or send it all the same: --anyway";

/// A report that is to be routed.
pub struct Routed {
    /// It as it stands.
    pub content_type: String,
    /// Its bytes.
    pub data: Vec<u8>,
    /// The view by which it is judged.
    pub view: Value,
}

impl Routed {
    /// A report of either version.
    ///
    /// # Errors
    /// It is none.
    pub fn of((content_type, data): (String, Vec<u8>)) -> Result<Self, Failure> {
        let view = quality::view(&content_type, &data).ok_or_else(|| {
            Failure::new(WireCode::BadInput, "only reports are routed")
                .advise("Name whom to send it to: frex send FILE --to MEMBER")
        })?;
        Ok(Self {
            content_type,
            data,
            view,
        })
    }

    /// It in version 2.
    ///
    /// # Errors
    /// It is no report any more.
    pub fn model(&self) -> Result<Report, Failure> {
        match self.content_type == model::CONTENT_TYPE {
            true => Report::decode(&self.data).map_err(|error| none(&error)),
            false => report::Report::parse(&self.data)
                .map(|first| model::from_first(&first))
                .map_err(|error| none(&error)),
        }
    }
}

fn none(error: &report::ReportErrors) -> Failure {
    Failure::new(WireCode::BadInput, "this is no report").because(error)
}

/// The member's policy, and the table of address ranges that it names, with the hash of that.
///
/// # Errors
/// One of them cannot be used.
pub fn policy(home: &MemberHome) -> Result<(Policy, Ranges, String), Failure> {
    let path = home.dir().join(POLICY_FILE);
    let mend = |what: &Path| format!("Mend {}; the form is in spec/29-routing.md", what.display());
    let policy = match path.exists() {
        true => Policy::parse(&files::read(&path, POLICY_BYTES_MAX)?)
            .or_fail(path.display())
            .map_err(|failure| failure.advise(mend(&path)))?,
        false => Policy::default(),
    };
    let Some(name) = &policy.ranges else {
        return Ok((policy, Ranges::default(), String::new()));
    };
    let table = home.dir().join(name);
    let bytes = files::read(&table, RANGES_BYTES_MAX)?;
    let ranges = Ranges::parse(&bytes)
        .or_fail(table.display())
        .map_err(|failure| failure.advise(mend(&table)))?;
    let hash = hex::encode(label::sha256(&[&bytes]));
    Ok((policy, ranges, hash))
}

/// The plan of a report under a roster.
///
/// # Errors
/// Nobody would get it, or the policy cannot be used.
pub fn plan(home: &MemberHome, roster: &Roster, routed: &Routed) -> Result<Plan, Failure> {
    let (policy, ranges, hash) = policy(home)?;
    note_strangers(&policy, roster);
    let view = RosterView::of(roster, Clock::System.now_ms());
    let own = &home.settings().member;
    let plan = route(&routed.view, &view, own, &policy, (&ranges, &hash));
    plan.map_err(|error| unrouted(home, &error))
}

/// A rule for a member that nobody knows may be of one that has left, or may be mistyped: then it denies nothing.
fn note_strangers(policy: &Policy, roster: &Roster) {
    let strangers = policy.members().filter(|id| roster.member(id).is_none());
    let strangers: BTreeSet<String> = strangers.map(|id| output::clean(id)).collect();
    if !strangers.is_empty() {
        let named = Vec::from_iter(strangers).join(", ");
        output::message(format_args!(
            "note: rules of {POLICY_FILE} fit nobody where they name {named}: the roster lists no such member"
        ));
    }
}

/// What recipients of a plan miss in its report, a line for each. The whole report is judged, whatever copy goes
/// to whom. Spec: RTE-5.
#[must_use]
pub fn lacks(roster: &Roster, routed: &Routed, plan: &Plan) -> Vec<String> {
    let recipients = plan.recipients.iter();
    let members: Vec<String> = recipients.map(|one| one.member.clone()).collect();
    let content = (routed.content_type.as_str(), routed.data.as_slice());
    checks::lacks(roster, &members, content)
}

/// Whether this is a plan, as  frex route --out  writes one: neither a report nor the record of a decision.
#[must_use]
pub fn is_plan(value: &Value) -> bool {
    let lists = ["candidates", "recipients", "passed_over", "uncovered"];
    value.get("form").is_none() && lists.iter().all(|name| value[*name].is_array())
}

fn unrouted(home: &MemberHome, error: &RouteError) -> Failure {
    let code = WireCode::from(error);
    let folder = member::folder(home).display();
    let path = home.dir().join(POLICY_FILE);
    let by_name = format!("frex send FILE --to MEMBER --from {folder}");
    let advice = match error {
        // To name them all the same would go round what the member itself has decided.
        RouteError::Nobody { passed_over, .. }
            if passed_over.iter().any(PassedOver::is_by_policy) =>
        {
            Some(format!(
                "That is as your own policy has it. If it is not meant so, mend {}, and ask again: frex route FILE {folder}",
                path.display()
            ))
        }
        RouteError::Nobody { countries, .. } if countries.is_empty() => Some(format!(
            "Say in the report which country it concerns: jurisdictions, an address, a telephone number; or name recipients: {by_name}"
        )),
        RouteError::Nobody { .. } => Some(format!(
            "Name recipients: {by_name}; who there is: frex roster show {}",
            home.roster_path().display()
        )),
        RouteError::TooMany { .. } => Some(format!("Narrow it by rules in {}", path.display())),
        RouteError::UnknownMember { member } => {
            let text = files::read(&path, POLICY_BYTES_MAX).unwrap_or_default();
            let line = Policy::line_of_also(&text, member).map(|line| format!("line {line} of "));
            Some(format!(
                "Mend the list also in {}{}; who there is: frex roster show {}",
                line.unwrap_or_default(),
                path.display(),
                home.roster_path().display()
            ))
        }
        _ => None,
    };
    let failure = Failure::new(code, "the report has no route").because(error);
    match advice {
        Some(advice) => failure.advise(advice),
        None => failure,
    }
}
