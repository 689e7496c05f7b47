//! From candidates to recipients.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    Action, Allowed, Candidate, Class, Copy, Hub, Lane, MadeBy, Needed, PassedOver, Plan, Policy,
    RECIPIENTS_MAX, Ranges, Recipient, Role, RosterView, RouteError, Rule, Seat, Unknown, Why,
    candidates,
    law::{Sender, ground},
    policy::is_in,
    tables,
};
use crate::casework::paths;

/// Reasons that no row of the table names.
const URGENT: &str = "police-where-urgent";
const HUB: &str = "clearing-house";
const FALLBACK: &str = "nobody-of-its-own";
const ALSO: &str = "policy";

/// Why a member is passed over.
const NOT_LIVE: &str = "not-live";
const TAKES_NONE: &str = "takes-no-reports";
const DENIED: &str = "denied";
const NO_BASIS: &str = "no-legal-basis";

/// Who would get it, with all reasons.
type Chosen<'a> = BTreeMap<&'a str, (&'a Seat, BTreeSet<Why>)>;
/// The rule that decided of a member, if one did, and its number from 1.
type Decided<'a> = Option<(usize, &'a Rule)>;

/// Everything that a plan is made by.
struct Planning<'a> {
    roster: &'a RosterView,
    sender: &'a str,
    policy: &'a Policy,
    urgent: bool,
}

/// Plans to whom a report goes, by the view of it. The same in whatever order lists of report and roster
/// stand. Spec: RTE-10, RTE-15 to RTE-19.
///
/// # Errors
/// [`RouteError`] says what is missing.
pub fn route(
    view: &Value,
    roster: &RosterView,
    sender: &str,
    policy: &Policy,
    ranges: (&Ranges, &str),
) -> Result<Plan, RouteError> {
    let planning = Planning {
        roster,
        sender,
        policy,
        urgent: is_urgent(view),
    };
    let (mut candidates, notes) = candidates(view, ranges.0);
    for one in &mut candidates {
        one.counts = planning.counts(one);
        one.hosting_alone = one.counts && !planning.is_origin(one);
    }
    let mut chosen = Chosen::new();
    planning.choose(&candidates, &mut chosen);
    planning.choose_also(&mut chosen)?;
    let (mut recipients, mut passed_over) = planning.judge(chosen);
    let uncovered = planning.uncovered(&candidates, &recipients);
    if policy.hub == Hub::Fallback {
        let mut hubs = Chosen::new();
        let nothing_counts = !candidates.iter().any(|one| one.counts);
        if nothing_counts || !uncovered.is_empty() {
            planning.choose_hubs(&uncovered, &mut hubs);
        }
        let (more, over) = planning.judge(hubs);
        merge(&mut recipients, more);
        passed_over.extend(over);
        passed_over.sort_by(|a, b| a.member.cmp(&b.member));
        passed_over.dedup_by(|a, b| a.member == b.member);
    } else {
        planning.name_fallback(&uncovered, &mut recipients);
    }
    if recipients.is_empty() {
        return Err(RouteError::Nobody {
            countries: uncovered,
            passed_over,
        });
    }
    if recipients.len() > RECIPIENTS_MAX {
        return Err(RouteError::TooMany {
            count: recipients.len(),
        });
    }
    Ok(Plan {
        by: made_by(policy, ranges.1, roster.version),
        sender: sender.to_owned(),
        urgent: planning.urgent,
        approvals: planning.approvals(&recipients),
        candidates,
        recipients,
        passed_over,
        uncovered,
        notes,
    })
}

/// What a member may have by policy and law, whatever a report says: of whom it goes to by name no plan is made.
/// None, if the roster does not list it, or it could not be sent to by any plan. Spec: RTE-20 to RTE-22.
#[must_use]
pub fn allowed(
    member: &str,
    roster: &RosterView,
    sender: &str,
    policy: &Policy,
) -> Option<Allowed> {
    let planning = Planning {
        roster,
        sender,
        policy,
        urgent: false,
    };
    match planning.judge_one(roster.seat(member)?) {
        Ok(one) => Some(Allowed {
            copy: Some(one.copy),
            rule: one.rule,
        }),
        Err((DENIED | NO_BASIS, decided)) => Some(Allowed {
            copy: None,
            rule: decided.map(|(number, _)| number),
        }),
        Err(_) => None,
    }
}

fn made_by(policy: &Policy, ranges: &str, roster: u64) -> MadeBy {
    let tables = tables();
    MadeBy {
        routes: tables.routes.version,
        law: tables.law.version,
        copy: tables.copy.version,
        policy: policy.sha256.clone(),
        ranges: ranges.to_owned(),
        roster,
    }
}

/// Whether a report says that it cannot wait. Spec: RTE-16.
fn is_urgent(view: &Value) -> bool {
    let level = view.pointer("/urgency/level").and_then(Value::as_str);
    let levels = &tables().routes.urgent_levels;
    let pressing = level.is_some_and(|level| levels.iter().any(|one| one == level));
    pressing || paths::is_said(view, "incident.escalation")
}

impl<'a> Planning<'a> {
    fn counts(&self, one: &Candidate) -> bool {
        self.is_origin(one) || self.counts_in(one, Class::Hosting)
    }

    /// Whether it brings more than hotlines of where something is hosted.
    fn is_origin(&self, one: &Candidate) -> bool {
        self.counts_in(one, Class::Origin) || self.is_pressing(one)
    }

    fn counts_in(&self, one: &Candidate, class: Class) -> bool {
        let confidence = match class {
            Class::Origin => one.origin,
            Class::Hosting => one.hosting,
        };
        let threshold = self.policy.threshold;
        confidence >= threshold.unwrap_or(tables().routes.threshold)
    }

    /// Whether the police of a country get it although the country is not likely enough otherwise.
    fn is_pressing(&self, one: &Candidate) -> bool {
        let threshold = self.policy.urgent_threshold;
        self.urgent && one.origin >= threshold.unwrap_or(tables().routes.urgent_threshold)
    }

    fn choose(&self, candidates: &[Candidate], chosen: &mut Chosen<'a>) {
        for one in candidates {
            for row in &tables().routes.routes {
                if self.counts_in(one, row.class) {
                    self.choose_of(&one.country, row.role, &row.reason, chosen);
                }
            }
            if self.is_pressing(one) {
                self.choose_of(&one.country, Role::Police, URGENT, chosen);
            }
        }
        if self.policy.hub == Hub::Always {
            self.choose_hubs(&[], chosen);
        }
    }

    fn choose_of(&self, country: &str, role: Role, reason: &str, chosen: &mut Chosen<'a>) {
        for seat in &self.roster.members {
            if seat.role == role && seat.is_competent(country) {
                self.add(seat, reason, Some(country), chosen);
            }
        }
    }

    fn choose_hubs(&self, uncovered: &[String], chosen: &mut Chosen<'a>) {
        let hubs = self.roster.members.iter();
        for seat in hubs.filter(|seat| seat.role == Role::ClearingHouse) {
            self.add(seat, HUB, None, chosen);
            for country in uncovered {
                self.add(seat, FALLBACK, Some(country), chosen);
            }
        }
    }

    fn choose_also(&self, chosen: &mut Chosen<'a>) -> Result<(), RouteError> {
        for member in &self.policy.also {
            let seat = self.roster.seat(member);
            let seat = seat.ok_or_else(|| RouteError::UnknownMember {
                member: member.clone(),
            })?;
            self.add(seat, ALSO, None, chosen);
        }
        Ok(())
    }

    fn add(&self, seat: &'a Seat, reason: &str, country: Option<&str>, chosen: &mut Chosen<'a>) {
        if seat.id == self.sender {
            return;
        }
        let (_, reasons) = chosen
            .entry(&seat.id)
            .or_insert_with(|| (seat, BTreeSet::new()));
        reasons.insert(Why {
            reason: reason.to_owned(),
            country: country.map(str::to_owned),
        });
    }

    /// What becomes of everybody who would get it: each is a recipient or is named as passed over.
    fn judge(&self, chosen: Chosen<'_>) -> (Vec<Recipient>, Vec<PassedOver>) {
        let (mut recipients, mut passed_over) = (Vec::new(), Vec::new());
        for (seat, reasons) in chosen.into_values() {
            let reasons: Vec<Why> = reasons.into_iter().collect();
            match self.judge_one(seat) {
                Ok(mut one) => {
                    one.reasons = reasons;
                    recipients.push(one);
                }
                Err((why, decided)) => passed_over.push(PassedOver {
                    member: seat.id.clone(),
                    why,
                    rule: decided.map(|(number, _)| number),
                    reasons,
                    rule_why: why_of(decided),
                }),
            }
        }
        (recipients, passed_over)
    }

    /// Spec: RTE-15, RTE-20 to RTE-22.
    fn judge_one(&self, seat: &Seat) -> Result<Recipient, (&'static str, Decided<'a>)> {
        if !seat.live {
            return Err((NOT_LIVE, None));
        }
        let wanted = if self.urgent {
            Lane::Urgent
        } else {
            Lane::Normal
        };
        // Late is better than not at all; what is not urgent never takes the lane of what is.
        let lanes = [wanted, Lane::Normal];
        let lane = lanes.into_iter().find(|lane| seat.lanes.contains(lane));
        let lane = lane.ok_or((TAKES_NONE, None))?;
        let decided = self.policy.rule_for(seat);
        let sender = self.roster.seat(self.sender);
        let sender = Sender {
            role: sender.map_or(Role::Unknown, |seat| seat.role),
            country: sender.map_or("", |seat| seat.country.as_str()),
        };
        let (ground, by_law) = ground(sender, seat, self.policy);
        let copy = match (decided.map(|(_, rule)| rule.action), by_law) {
            (Some(Action::Deny), _) => return Err((DENIED, decided)),
            (Some(Action::Full), _) => Copy::Full,
            (Some(Action::Metadata), _) => Copy::Metadata,
            (None | Some(Action::Allow), Some(copy)) => copy,
            (None | Some(Action::Allow), None) => match self.policy.unknown_basis {
                Unknown::Full => Copy::Full,
                Unknown::Metadata => Copy::Metadata,
                Unknown::Deny => return Err((NO_BASIS, decided)),
            },
        };
        Ok(Recipient {
            member: seat.id.clone(),
            role: seat.role,
            country: seat.country.clone(),
            lane,
            copy,
            reasons: Vec::new(),
            ground,
            rule: decided.map(|(number, _)| number),
            lawful: by_law,
            rule_why: why_of(decided),
        })
    }

    /// Countries that count and for which no recipient was chosen.
    fn uncovered(&self, candidates: &[Candidate], recipients: &[Recipient]) -> Vec<String> {
        let covered: BTreeSet<&str> = recipients
            .iter()
            .flat_map(|one| &one.reasons)
            .filter(|why| why.reason != FALLBACK)
            .filter_map(|why| why.country.as_deref())
            .collect();
        let open = candidates
            .iter()
            .filter(|one| one.counts && !covered.contains(one.country.as_str()));
        let open: BTreeSet<&String> = open.map(|one| &one.country).collect();
        open.into_iter().cloned().collect()
    }

    /// Says of clearing houses that get it anyhow for which countries they stand in.
    fn name_fallback(&self, uncovered: &[String], recipients: &mut [Recipient]) {
        let is_hub = |one: &&mut Recipient| one.role == Role::ClearingHouse;
        for hub in recipients.iter_mut().filter(is_hub) {
            let more = uncovered.iter().map(|country| Why {
                reason: FALLBACK.to_owned(),
                country: Some(country.clone()),
            });
            hub.reasons.extend(more);
            hub.reasons.sort();
        }
    }

    /// Spec: RTE-23.
    fn approvals(&self, recipients: &[Recipient]) -> Vec<Needed> {
        let mut needed = BTreeSet::new();
        for one in recipients {
            for approval in &self.policy.approval {
                if approval
                    .countries
                    .iter()
                    .any(|named| is_in(&one.country, named))
                {
                    needed.insert(Needed {
                        by: approval.by.clone(),
                        country: one.country.clone(),
                    });
                }
            }
        }
        needed.into_iter().collect()
    }
}

/// What the rule that decided gives as its reason.
fn why_of(decided: Decided<'_>) -> String {
    decided.map_or_else(String::new, |(_, rule)| rule.why.clone())
}

impl PassedOver {
    /// Whether it is so by the sender's own policy, which may let it be otherwise.
    #[must_use]
    pub fn is_by_policy(&self) -> bool {
        [DENIED, NO_BASIS].contains(&self.why)
    }

    /// Why, with the rule that decided and its reason.
    #[must_use]
    pub fn said(&self) -> String {
        match (self.rule, self.rule_why.as_str()) {
            (None, _) => self.why.to_owned(),
            (Some(number), "") => format!("{} by rule {number} of the policy", self.why),
            (Some(number), why) => {
                format!("{} by rule {number} of the policy, \"{why}\"", self.why)
            }
        }
    }
}

/// Adds recipients; of one that is there already, its further reasons.
fn merge(recipients: &mut Vec<Recipient>, more: Vec<Recipient>) {
    for one in more {
        match recipients
            .iter_mut()
            .find(|known| known.member == one.member)
        {
            Some(known) => {
                known.reasons.extend(one.reasons);
                known.reasons.sort();
                known.reasons.dedup();
            }
            None => recipients.push(one),
        }
    }
    recipients.sort_by(|a, b| a.member.cmp(&b.member));
}
