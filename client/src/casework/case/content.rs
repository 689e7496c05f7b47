//! Reading a message of a case, and the rules for writing one.

use frex_proto::v1::Kind;
use prost::Message;

use super::{
    CODES_MAX, CaseError, LIST_MAX, MESSAGE_BYTES_MAX, NAME_BYTES_MAX, NOTE_BYTES_MAX,
    PLACE_BYTES_MAX, REPORT_TYPES,
};
use crate::casework::{
    clock::{self, Purpose},
    v1::{
        Assessment, CaseMessage, Outcome, PreserveAnswer, ProduceAnswer, RouteAnswer, TakedownStep,
        Triage,
        case_message::{LegalInstrument, What},
        outcome, preserve_answer, produce_answer, route_answer, takedown_step, triage,
    },
};

/// Most categories of data. Spec: LIM-130.
const CATEGORIES_MAX: usize = 16;
/// Longest text of a legal instrument, target or host. Spec: LIM-131.
const TEXT_BYTES_MAX: usize = 256;
/// Longest facts or necessity. Spec: LIM-132.
const FACTS_BYTES_MAX: usize = 2000;
/// Longest code, system or profile. Spec: LIM-133.
const CODE_BYTES_MAX: usize = 64;

/// Reads and judges a message.
///
/// # Errors
/// [`CaseError`] names the first rule that it breaks.
pub fn read(bytes: &[u8]) -> Result<CaseMessage, CaseError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(CaseError::TooLarge);
    }
    let message = CaseMessage::decode(bytes).map_err(|_| CaseError::Malformed)?;
    check(&message)?;
    Ok(message)
}

/// Judges a message before it is sent, and after it has come.
///
/// # Errors
/// [`CaseError`] names the first rule that it breaks. Spec: CSE-2 to CSE-6.
pub fn check(message: &CaseMessage) -> Result<(), CaseError> {
    text("reference", &message.reference, NAME_BYTES_MAX)?;
    text("note", &message.note, NOTE_BYTES_MAX)?;
    time("at", &message.at)?;
    count("external_ids", message.external_ids.len(), CODES_MAX)?;
    for id in &message.external_ids {
        text("external_ids.system", &id.system, CODE_BYTES_MAX)?;
        text("external_ids.id", &id.id, NAME_BYTES_MAX)?;
    }
    match message.what.as_ref().ok_or(CaseError::Nothing)? {
        What::Triage(triage) => check_triage(*triage),
        What::Route(route) => check_route(route),
        What::Assessment(assessment) => check_assessment(assessment),
        What::Takedown(step) => check_takedown(step),
        What::Outcome(outcome) => check_outcome(*outcome),
        What::PreserveRequest(asked) => {
            texts("targets", &asked.targets)?;
            texts("addressed_to", &asked.addressed_to)?;
            text("facts", &asked.facts, FACTS_BYTES_MAX)?;
            text("necessity", &asked.necessity, FACTS_BYTES_MAX)?;
            text("time_zone", &asked.time_zone, CODE_BYTES_MAX)?;
            check_instrument(asked.instrument.as_ref())?;
            check_profile(&asked.profile, Purpose::Preserve)
        }
        What::PreserveAnswer(answer) => check_kept(answer),
        What::ProduceRequest(asked) => {
            texts("targets", &asked.targets)?;
            texts("addressed_to", &asked.addressed_to)?;
            count("categories", asked.categories.len(), CATEGORIES_MAX)?;
            text(
                "enforcing_authority",
                &asked.enforcing_authority,
                CODE_BYTES_MAX,
            )?;
            text("time_zone", &asked.time_zone, CODE_BYTES_MAX)?;
            check_instrument(asked.instrument.as_ref())?;
            check_profile(&asked.profile, Purpose::Produce)
        }
        What::ProduceAnswer(answer) => check_produced(answer),
        What::Extension(extension) => {
            time("until", &extension.until)?;
            check_instrument(extension.instrument.as_ref())
        }
        What::Reminder(reminder) => time("deadline", &reminder.deadline),
        What::DuplicateOf(other) => {
            text("duplicate_of.reference", &other.reference, NAME_BYTES_MAX)?;
            match other.case_id.len() {
                16 => Ok(()),
                _ => Err(CaseError::Missing("duplicate_of.case_id")),
            }
        }
    }
}

/// Who refuses a report says why: somebody else is to have it, and must know whether it can be.
fn check_triage(triage: Triage) -> Result<(), CaseError> {
    if triage.state == triage::State::Rejected as i32 {
        some("triage.reason", triage.reason)?;
    }
    some("triage.state", triage.state)
}

fn check_route(route: &RouteAnswer) -> Result<(), CaseError> {
    text("rerouted_to", &route.rerouted_to, CODE_BYTES_MAX)?;
    if route.decision == route_answer::Decision::Declined as i32 {
        some("route.reason", route.reason)?;
    }
    if route.decision == route_answer::Decision::Rerouted as i32 && route.rerouted_to.is_empty() {
        return Err(CaseError::Missing("rerouted_to"));
    }
    some("route.decision", route.decision)
}

fn check_takedown(step: &TakedownStep) -> Result<(), CaseError> {
    text("url", &step.url, PLACE_BYTES_MAX)?;
    text("moved_to", &step.moved_to, PLACE_BYTES_MAX)?;
    text("host", &step.host, TEXT_BYTES_MAX)?;
    text("asked_by", &step.asked_by, CODE_BYTES_MAX)?;
    country("country", &step.country)?;
    if step.url.is_empty() {
        return Err(CaseError::Missing("url"));
    }
    url("url", &step.url)?;
    url("moved_to", &step.moved_to)?;
    if step.state == takedown_step::State::Moved as i32 && step.moved_to.is_empty() {
        return Err(CaseError::Missing("moved_to"));
    }
    some("takedown.state", step.state)
}

/// A scheme, `://`, and something after it; no blank, so that nobody takes words for a place.
fn url(name: &'static str, text: &str) -> Result<(), CaseError> {
    let is_scheme = |scheme: &str| {
        let mut bytes = scheme.bytes();
        let starts = bytes
            .next()
            .is_some_and(|first| first.is_ascii_alphabetic());
        starts && bytes.all(|one| one.is_ascii_alphanumeric() || b"+.-".contains(&one))
    };
    let is_place = |rest: &str| {
        let blank = |byte: u8| byte <= b' ' || byte == 0x7f;
        !rest.is_empty() && !rest.starts_with('/') && !rest.bytes().any(blank)
    };
    let parts = text.split_once("://");
    let is_one = parts.is_some_and(|(scheme, rest)| is_scheme(scheme) && is_place(rest));
    match text.is_empty() || is_one {
        true => Ok(()),
        false => Err(CaseError::Url(name)),
    }
}

fn check_assessment(assessment: &Assessment) -> Result<(), CaseError> {
    text("item", &assessment.item, PLACE_BYTES_MAX)?;
    count(
        "classifications",
        assessment.classifications.len(),
        CODES_MAX,
    )?;
    for one in &assessment.classifications {
        for part in [
            &one.scheme,
            &one.version,
            &one.section,
            &one.code,
            &one.value,
        ] {
            text("classifications", part, CODE_BYTES_MAX)?;
        }
    }
    country("jurisdiction", &assessment.jurisdiction)?;
    let national = crate::casework::v1::assessment::Verdict::NationallyIllegal as i32;
    if assessment.verdict == national && assessment.jurisdiction.is_empty() {
        return Err(CaseError::Missing("jurisdiction"));
    }
    some("verdict", assessment.verdict)
}

fn check_outcome(outcome: Outcome) -> Result<(), CaseError> {
    let is = |state: outcome::State| outcome.state == state as i32;
    if is(outcome::State::Shelved) {
        some("outcome.reason", outcome.reason)?;
    }
    if is(outcome::State::Reopened) {
        some("outcome.because", outcome.because)?;
    }
    some("outcome.state", outcome.state)
}

fn check_kept(answer: &PreserveAnswer) -> Result<(), CaseError> {
    time("until", &answer.until)?;
    text("handle", &answer.handle, NAME_BYTES_MAX)?;
    if answer.state == preserve_answer::State::NotPossible as i32 {
        some("reason", answer.reason)?;
    }
    some("preserve_answer.state", answer.state)
}

fn check_produced(answer: &ProduceAnswer) -> Result<(), CaseError> {
    use produce_answer::State;
    time("deadline", &answer.deadline)?;
    text("handle", &answer.handle, NAME_BYTES_MAX)?;
    text("addressee", &answer.addressee, CODE_BYTES_MAX)?;
    let is = |state: State| answer.state == state as i32;
    if is(State::NewDeadline) && answer.deadline.is_empty() {
        return Err(CaseError::Missing("deadline"));
    }
    if is(State::Refused) || is(State::NonExecution) || is(State::Objection) {
        some("reason", answer.reason)?;
    }
    some("produce_answer.state", answer.state)
}

fn check_instrument(instrument: Option<&LegalInstrument>) -> Result<(), CaseError> {
    let Some(one) = instrument else {
        return Ok(());
    };
    for part in [&one.law, &one.article, &one.file_number, &one.authority] {
        text("instrument", part, TEXT_BYTES_MAX)?;
    }
    country("instrument.jurisdiction", &one.jurisdiction)
}

/// A profile that this program does not know is a name alone; one of another purpose is a mistake.
fn check_profile(id: &str, purpose: Purpose) -> Result<(), CaseError> {
    text("profile", id, CODE_BYTES_MAX)?;
    match clock::profile(id) {
        Some(profile) if profile.of != purpose => Err(CaseError::Profile),
        _ => Ok(()),
    }
}

fn text(name: &'static str, text: &str, max: usize) -> Result<(), CaseError> {
    match text.len() > max {
        true => Err(CaseError::TooLong(name)),
        false => Ok(()),
    }
}

fn texts(name: &'static str, list: &[String]) -> Result<(), CaseError> {
    count(name, list.len(), LIST_MAX)?;
    list.iter()
        .try_for_each(|one| text(name, one, TEXT_BYTES_MAX))
}

fn count(name: &'static str, count: usize, max: usize) -> Result<(), CaseError> {
    match count > max {
        true => Err(CaseError::TooLong(name)),
        false => Ok(()),
    }
}

fn time(name: &'static str, text: &str) -> Result<(), CaseError> {
    match text.is_empty() || clock::instant(text).is_some() {
        true => Ok(()),
        false => Err(CaseError::Time(name)),
    }
}

fn country(name: &'static str, code: &str) -> Result<(), CaseError> {
    let is_one = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    match code.is_empty() || is_one {
        true => Ok(()),
        false => Err(CaseError::Country(name)),
    }
}

fn some(name: &'static str, value: i32) -> Result<(), CaseError> {
    match value {
        0 => Err(CaseError::Missing(name)),
        _ => Ok(()),
    }
}

/// What a report calls its case, of all that it says; none if it cannot be told.
#[must_use]
pub fn name_of(content_type: &str, report: &[u8]) -> Option<String> {
    /// A report of which nothing else is read: there may be thousands.
    #[derive(serde::Deserialize)]
    struct First {
        reference: String,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Second {
        #[prost(string, optional, tag = "41")]
        reference: Option<String>,
    }
    let [first, second] = REPORT_TYPES;
    let name = match content_type {
        one if one == first => serde_json::from_slice::<First>(report).ok()?.reference,
        one if one == second => Second::decode(report).ok()?.reference?,
        _ => return None,
    };
    (!name.is_empty() && name.len() <= NAME_BYTES_MAX).then_some(name)
}

/// Under which kind a message travels: what asks, what answers, and what goes between. Spec: CSE-8.
#[must_use]
pub fn kind_of(what: &What) -> Kind {
    use preserve_answer::State as Kept;
    use produce_answer::State as Produced;
    let concludes = |state: i32, interim: &[i32]| match interim.contains(&state) {
        true => Kind::Feedback,
        false => Kind::Response,
    };
    match what {
        What::PreserveRequest(_)
        | What::ProduceRequest(_)
        | What::Extension(_)
        | What::Reminder(_) => Kind::Request,
        What::Route(_) => Kind::Response,
        What::PreserveAnswer(answer) => concludes(
            answer.state,
            &[
                Kept::Acked as i32,
                Kept::Converted as i32,
                Kept::Released as i32,
            ],
        ),
        What::ProduceAnswer(answer) => concludes(
            answer.state,
            &[
                Produced::Acked as i32,
                Produced::Preserved as i32,
                Produced::Clarify as i32,
                Produced::Clarification as i32,
                Produced::NewDeadline as i32,
                Produced::Partial as i32,
                Produced::DeliveryOk as i32,
                Produced::DeliveryError as i32,
                Produced::Withdrawn as i32,
                Produced::Enforcement as i32,
                Produced::Validated as i32,
            ],
        ),
        _ => Kind::Feedback,
    }
}
