//! Whether what is to be said would count: asked of the fold before anything is sealed, so that nobody is told
//! what means nothing. Spec: CSE-31.

use std::collections::BTreeSet;

use frex_proto::{error::WireCode, roster::is_country};

use super::{
    Case, CaseError, Key, Matter, Not, Said, Setting, Standing, View, What, check,
    roles::{Place, Roles, reports},
    words,
};
use crate::casework::{
    clock::{Duty, instant},
    v1::{CaseMessage, case_message::What as Content},
};

/// The profile of what may be given without an order: no law need be named.
const VOLUNTARY: &str = "voluntary";

/// Outcomes that a member can tell of what it has refused.
const OVER_UNSEEN: [&str; 5] = [
    "no_crime",
    "no_jurisdiction",
    "insufficient",
    "shelved",
    "exonerated",
];

/// Why what is to be said is not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It breaks a rule for all such messages.
    #[error(transparent)]
    Rule(#[from] CaseError),
    /// The fold would not count it.
    #[error("it would not count: {}", .0.text())]
    Uncounted(Not),
    /// The fold would count it and move nothing.
    #[error("it does not fit what was said before: {0}")]
    Against(String),
    /// A field that means nothing beside what is said.
    #[error("{0} says nothing beside what is said here")]
    Idle(&'static str),
    /// A time that cannot be meant.
    #[error("{0} {1}")]
    Time(&'static str, &'static str),
    /// A name that is no live member's, or not of one who could be meant.
    #[error("{0} names nobody who could be meant: a live member, and another one")]
    Member(&'static str),
    /// Who says it has refused the case.
    #[error("who has {0} a case has not worked on it")]
    Refused(String),
    /// Whom it concerns would not hear of it.
    #[error("{0} is whom this concerns, and is not told")]
    NotTold(String),
    /// A reminder of nothing.
    #[error("none of those who are told owes an answer to that")]
    NothingOwed,
}

impl Unfit {
    /// The field that it is about, by its name in the schema.
    #[must_use]
    pub const fn field(&self) -> Option<&'static str> {
        match self {
            Self::Rule(error) => error.field(),
            Self::Idle(field) | Self::Time(field, _) | Self::Member(field) => Some(field),
            _ => None,
        }
    }
}

impl From<Unfit> for WireCode {
    fn from(unfit: Unfit) -> Self {
        match unfit {
            Unfit::Rule(error) => error.into(),
            Unfit::NothingOwed => Self::Answered,
            _ => Self::BadInput,
        }
    }
}

impl Case {
    /// Whether a message that is about to be said would count and move what it is about, by what is here and
    /// at the time that it bears. Of what is no message of a case nothing is said.
    ///
    /// # Errors
    /// [`Unfit`] names the first reason for which it must not be sealed. Spec: CSE-31.
    pub fn fits(&self, said: &Said, setting: &Setting) -> Result<(), Unfit> {
        let What::Case(message) = &said.what else {
            return Ok(());
        };
        check(message)?;
        if let Some(what) = &message.what {
            countries(what)?;
            idle(what)?;
            whole(what)?;
            members(what, &said.key.from, setting)?;
        }
        self.times(said, message)?;
        self.works(said, message, setting)?;
        let mut with = self.clone();
        with.add(said.clone());
        let view = with.view(said.created_ms, setting);
        let mut entries = view.timeline.iter();
        if let Some(entry) = entries.find(|one| one.key == said.key) {
            if let Some(not) = entry.not {
                return Err(Unfit::Uncounted(not));
            }
            if !entry.fits {
                return Err(Unfit::Against(
                    entry.contradicts.clone().unwrap_or_default(),
                ));
            }
        }
        with.told(&said.key, &view, setting)
    }

    /// Who has refused a case tells of it that it is over there, or takes it over first.
    fn works(&self, said: &Said, message: &CaseMessage, setting: &Setting) -> Result<(), Unfit> {
        let Some(Content::Outcome(outcome)) = &message.what else {
            return Ok(());
        };
        if OVER_UNSEEN.contains(&words::outcome(outcome.state).as_str()) {
            return Ok(());
        }
        let view = self.view(said.created_ms, setting);
        let refused = view.threads.iter().find(|one| {
            let refuses = matches!(one.state.as_str(), "rejected" | "declined");
            one.matter == Matter::Route && one.member == said.key.from && refuses
        });
        refused.map_or(Ok(()), |one| Err(Unfit::Refused(one.state.clone())))
    }

    /// Nothing has happened that is yet to come, nor before there was a case; what is to come is to come.
    fn times(&self, said: &Said, message: &CaseMessage) -> Result<(), Unfit> {
        let ordered: Vec<&Said> = self.said().collect();
        let begun_ms = reports(&ordered).map(|report| report.created_ms).min();
        if let Some(at_ms) = instant(&message.at) {
            if at_ms > said.created_ms {
                return Err(Unfit::Time("at", "is yet to come"));
            }
            // People write seconds.
            if begun_ms.is_some_and(|begun_ms| at_ms / 1000 < begun_ms / 1000) {
                return Err(Unfit::Time("at", "was before the case began"));
            }
        }
        let ahead = |field: &'static str, text: &str| {
            let is_past = instant(text).is_some_and(|ms| ms <= said.created_ms);
            match is_past {
                true => Err(Unfit::Time(field, "is over already")),
                false => Ok(()),
            }
        };
        match &message.what {
            Some(Content::PreserveAnswer(one)) => ahead("until", &one.until),
            Some(Content::Extension(one)) => ahead("until", &one.until),
            Some(Content::ProduceAnswer(one)) => ahead("deadline", &one.deadline),
            Some(Content::Reminder(one)) => ahead("deadline", &one.deadline),
            _ => Ok(()),
        }
    }

    /// Who must hear what is said of a request is among those who are told.
    fn told(&self, key: &Key, view: &View, setting: &Setting) -> Result<(), Unfit> {
        let roles = Roles::of(self, setting);
        let Some(said) = self.get(key) else {
            return Ok(());
        };
        let (asked, concerned) = match roles.judge(said) {
            Ok(Place::Step(asked, _)) if key.from != asked.said.key.from => {
                (asked, vec![asked.said.key.from.as_str()])
            }
            Ok(Place::Step(asked, mut members)) => {
                members.extend(Some(asked.authority).filter(|name| !name.is_empty()));
                (asked, members)
            }
            // The authority alone answers nothing.
            Ok(Place::Request(asked)) => (asked, asked.addressees.clone()),
            _ => return Ok(()),
        };
        let is_told = |member: &&str| said.to.contains(*member);
        if !concerned.iter().any(is_told) {
            let first = concerned.first().copied().unwrap_or("who is asked");
            return Err(Unfit::NotTold(first.to_owned()));
        }
        let reminds = matches!(&said.what, What::Case(message)
            if matches!(message.what, Some(Content::Reminder(_))));
        if reminds && view.owing(&asked.said.key).is_disjoint(&said.to) {
            return Err(Unfit::NothingOwed);
        }
        Ok(())
    }
}

impl View {
    /// Who owes an answer to a request, or to what was asked of it since.
    #[must_use]
    pub fn owing(&self, request: &Key) -> BTreeSet<String> {
        let open = self.deadlines.iter().filter(|one| {
            let stands = matches!(
                one.state,
                Standing::Open | Standing::Overdue | Standing::NotReceived
            );
            let answers = matches!(one.what, Duty::Answer | Duty::Enforcement | Duty::Extend);
            let thread = one.thread.and_then(|thread| self.threads.get(thread));
            stands && answers && thread.is_some_and(|one| one.request.as_ref() == Some(request))
        });
        open.map(|one| one.who.clone()).collect()
    }
}

/// Every country that is named is one. What others have named is folded by its form alone (CSE-5), since lists
/// of countries change.
fn countries(what: &Content) -> Result<(), CaseError> {
    let named = |field: &'static str, code: &str| match code.is_empty() || is_country(code) {
        true => Ok(()),
        false => Err(CaseError::Country(field)),
    };
    let instrument = match what {
        Content::Assessment(one) => return named("jurisdiction", &one.jurisdiction),
        Content::Takedown(one) => return named("country", &one.country),
        Content::PreserveRequest(one) => &one.instrument,
        Content::ProduceRequest(one) => &one.instrument,
        Content::Extension(one) => &one.instrument,
        _ => return Ok(()),
    };
    instrument.as_ref().map_or(Ok(()), |one| {
        named("instrument.jurisdiction", &one.jurisdiction)
    })
}

/// What is given that means nothing beside a state. Of a state that is not known here nothing is said.
fn idle(what: &Content) -> Result<(), Unfit> {
    let only = |field: &'static str, given: bool, state: &str, with: &[&str]| {
        let is_idle = given && !state.starts_with('#') && !with.contains(&state);
        match is_idle {
            true => Err(Unfit::Idle(field)),
            false => Ok(()),
        }
    };
    match what {
        Content::Triage(one) => {
            let state = words::triage(one.state);
            only("triage.reason", one.reason != 0, &state, &["rejected"])
        }
        Content::Route(one) => {
            let state = words::decision(one.decision);
            let refuses = ["declined", "rerouted"];
            only("route.reason", one.reason != 0, &state, &refuses)?;
            only(
                "rerouted_to",
                !one.rerouted_to.is_empty(),
                &state,
                &["rerouted"],
            )
        }
        Content::Takedown(one) => {
            let state = words::takedown(one.state);
            only("moved_to", !one.moved_to.is_empty(), &state, &["moved"])?;
            only("asked_by", !one.asked_by.is_empty(), &state, &["stay_up"])
        }
        Content::Outcome(one) => {
            let state = words::outcome(one.state);
            only("outcome.reason", one.reason != 0, &state, &["shelved"])?;
            only("outcome.because", one.because != 0, &state, &["reopened"])
        }
        Content::PreserveAnswer(one) => {
            let state = words::preserve(one.state);
            let keeps = ["in_force", "extended"];
            only("until", !one.until.is_empty(), &state, &keeps)?;
            only("reason", one.reason != 0, &state, &["not_possible"])
        }
        Content::ProduceAnswer(one) => {
            let state = words::produce(one.state);
            only(
                "deadline",
                !one.deadline.is_empty(),
                &state,
                &["new_deadline"],
            )?;
            only("reason", one.reason != 0, &state, &WITH_REASON)
        }
        _ => Ok(()),
    }
}

/// Answers to a request for data that may say why.
const WITH_REASON: [&str; 6] = [
    "clarify",
    "partial",
    "delivery_error",
    "non_execution",
    "refused",
    "objection",
];

/// A request says what it is about, and one for data also which and by which law.
fn whole(what: &Content) -> Result<(), CaseError> {
    let given = |field: &'static str, given: bool| match given {
        true => Ok(()),
        false => Err(CaseError::Missing(field)),
    };
    match what {
        Content::PreserveRequest(one) => given("targets", !one.targets.is_empty()),
        Content::ProduceRequest(one) => {
            let instrument = one.instrument.as_ref();
            let law = instrument.is_some_and(|instrument| !instrument.law.is_empty());
            given("targets", !one.targets.is_empty())?;
            given("categories", !one.categories.is_empty())?;
            given("instrument.law", law || one.profile == VOLUNTARY)
        }
        _ => Ok(()),
    }
}

/// Who is named is a live member, and not who names it. Where no members are known, nothing is said.
fn members(what: &Content, own: &str, setting: &Setting) -> Result<(), Unfit> {
    let is_live = |member: &str| {
        let party = setting.members.get(member);
        setting.members.is_empty() || party.is_some_and(|party| !party.gone)
    };
    let named = |field: &'static str, member: &str| match member.is_empty()
        || (is_live(member) && member != own)
    {
        true => Ok(()),
        false => Err(Unfit::Member(field)),
    };
    match what {
        Content::Route(one) => named("rerouted_to", &one.rerouted_to),
        Content::Takedown(one) if one.asked_by != own => named("asked_by", &one.asked_by),
        Content::ProduceRequest(one) => named("enforcing_authority", &one.enforcing_authority),
        Content::ProduceAnswer(one) => named("addressee", &one.addressee),
        _ => Ok(()),
    }
}
