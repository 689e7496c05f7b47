//! What recipients do with a report, what becomes of the case at each, and when a case that was put aside
//! is to be taken up again. Spec: CSE-13, CSE-16, CSE-17.

use super::{
    Matter, Reopening, Said, Setting, What,
    requests::Move,
    roles::{Roles, reports, told_ms},
    view::{OFFERED, Track, WITHDRAWN},
};

/// What a member has decided is not undone by its saying that somebody has looked.
const LOOKED: [&str; 2] = ["acknowledged", "triaged"];
/// The member has said all that it will say, unless it takes the case up again.
pub(super) const ENDED: [&str; 6] = [
    "convicted",
    "no_crime",
    "no_jurisdiction",
    "insufficient",
    "shelved",
    "exonerated",
];

macro_rules! stated {
    ($word:expr, $($known:literal),*) => { match $word { $($known => Some($known),)* _ => None } };
}

/// What a step does to the state of a member.
pub(super) fn moved(matter: Matter, state: &str, word: &str) -> Move {
    let known = stated!(
        word,
        "acknowledged",
        "triaged",
        "rejected",
        "accepted",
        "declined",
        "rerouted",
        "duplicate",
        "registered",
        "in_investigation",
        "suspect_identified",
        "victim_identified",
        "safeguarded",
        "arrest",
        "charged",
        "convicted",
        "no_crime",
        "no_jurisdiction",
        "insufficient",
        "shelved",
        "reopened",
        "exonerated"
    );
    let Some(to) = known else {
        return Move::Stays;
    };
    if matter == Matter::Route {
        let looked_late = LOOKED.contains(&to) && !matches!(state, "" | "offered" | "acknowledged");
        // Passed on again, it is with somebody else.
        return match looked_late || (state == to && to != "rerouted") {
            true => Move::Stays,
            false => Move::To(to),
        };
    }
    match state {
        _ if state == to && to != "shelved" => Move::Stays,
        "exonerated" => Move::Contradicts,
        "convicted" if matches!(to, "no_crime" | "insufficient" | "no_jurisdiction") => {
            Move::Contradicts
        }
        _ if to == "reopened" && !ENDED.contains(&state) => Move::Contradicts,
        _ => Move::To(to),
    }
}

/// Who says so has not got the case any more.
const AWAY: [&str; 4] = ["rejected", "declined", "rerouted", WITHDRAWN];

/// Whether reports are here that somebody is to have, and nobody has: each who got one has refused it, has
/// passed it on to such a one, or is a member no longer, and none of them works on it all the same.
pub(super) fn is_nobodys(tracks: &[&Track<'_>], roles: &Roles<'_>, setting: &Setting) -> bool {
    let of = |matter: Matter| tracks.iter().filter(move |one| one.thread.matter == matter);
    let got = of(Matter::Route).filter(|one| one.steps.iter().any(|step| step.word == OFFERED));
    let mut waits = got.clone().filter(|one| one.thread.state != WITHDRAWN);
    if waits.next().is_none() {
        return false;
    }
    let authors: Vec<&str> = reports(&roles.ordered)
        .map(|said| said.key.from.as_str())
        .collect();
    let is_listed =
        |member: &str| setting.members.is_empty() || setting.members.contains_key(member);
    let passed_to = of(Matter::Route)
        .filter(|one| one.thread.state == "rerouted")
        .map(|one| one.thread.reason.as_str())
        .filter(|member| is_listed(member) && !authors.contains(member));
    // Whoever was passed it once and has said what it does with it, whatever was said of others since.
    let spoken = tracks
        .iter()
        .filter(|one| matches!(one.thread.matter, Matter::Route | Matter::Outcome))
        .map(|one| one.thread.member.as_str())
        .filter(|member| {
            let holders = roles.holders.as_ref();
            holders.is_some_and(|holders| holders.contains(member)) && !authors.contains(member)
        });
    let has_it = |member: &str| {
        let is_gone = setting.members.get(member).is_some_and(|party| party.gone);
        let is_away = of(Matter::Route)
            .any(|one| one.thread.member == member && AWAY.contains(&one.thread.state.as_str()));
        let works = of(Matter::Outcome)
            .any(|one| one.thread.member == member && !ENDED.contains(&one.thread.state.as_str()));
        !is_gone && (!is_away || works)
    };
    let got = got.map(|one| one.thread.member.as_str());
    !got.chain(passed_to).chain(spoken).any(has_it)
}

/// Whether the reader knows all who got the case: who wrote a report of it does, and a recipient knows those alone
/// who got the same copy. Where no author is a member any more, nobody else would say it. Spec: CSE-35.
pub(super) fn knows_all(roles: &Roles<'_>, setting: &Setting) -> bool {
    let own = setting.own.as_str();
    let authors: Vec<&str> = reports(&roles.ordered)
        .map(|said| said.key.from.as_str())
        .collect();
    let is_gone = |author: &&str| {
        let party = setting.members.get(*author);
        party.is_some_and(|party| party.gone)
    };
    own.is_empty() || authors.contains(&own) || authors.iter().all(is_gone)
}

/// In one word, where nothing is overdue: what the members' outcomes come to.
pub(super) fn state(tracks: &[&Track<'_>]) -> &'static str {
    let mut routes = tracks
        .iter()
        .filter(|track| track.thread.matter == Matter::Route)
        .peekable();
    if routes.peek().is_some() && routes.all(|track| track.thread.state == WITHDRAWN) {
        return WITHDRAWN;
    }
    let outcomes = tracks
        .iter()
        .filter(|track| track.thread.matter == Matter::Outcome);
    let states: Vec<&str> = outcomes.map(|track| track.thread.state.as_str()).collect();
    match states.is_empty() {
        true => "open",
        false if states.iter().all(|state| *state == "shelved") => "shelved",
        false if states.iter().all(|state| ENDED.contains(state)) => "closed",
        false => "open",
    }
}

/// Every shelved case whose reason has gone since, by when that was told to who had shelved it: what is dated
/// back does not keep it shelved.
pub(super) fn reopenings(tracks: &[&Track<'_>], roles: &Roles<'_>) -> Vec<Reopening> {
    let outcomes = tracks
        .iter()
        .filter(|track| track.thread.matter == Matter::Outcome);
    let shelved = outcomes.filter(|track| track.thread.state == "shelved");
    shelved
        .filter_map(|track| reopening(track, tracks, roles))
        .collect()
}

fn reopening(track: &Track<'_>, tracks: &[&Track<'_>], roles: &Roles<'_>) -> Option<Reopening> {
    let thread = &track.thread;
    let reason = thread.reason.as_str();
    let found = |because: &'static str, said: &Said| Reopening {
        member: thread.member.clone(),
        reason: reason.to_owned(),
        because,
        by: said.key.clone(),
        at_ms: told_ms(said, &thread.member),
    };
    let mut causes: Vec<Reopening> = Vec::new();
    let steps = |matter: Matter| {
        let of_it = tracks.iter().filter(move |one| one.thread.matter == matter);
        let steps = of_it.flat_map(|one| &one.steps);
        steps.filter(|step| step.fits && told_ms(step.said, &thread.member) > thread.since_ms)
    };
    for step in steps(Matter::Produce) {
        let because = match (reason, step.word.as_str()) {
            ("no_cooperation" | "data_expired" | "insufficient_data", "partial" | "delivered") => {
                "data_delivered"
            }
            ("mla_pending", "partial" | "delivered" | "non_execution" | "refused") => {
                "mla_answered"
            }
            _ => continue,
        };
        causes.push(found(because, step.said));
    }
    if reason == "not_illegal" {
        let illegal = steps(Matter::Assessment).filter(|step| {
            step.word.starts_with("baseline") || step.word.starts_with("nationally_illegal")
        });
        causes.extend(illegal.map(|step| found("assessed_anew", step.said)));
    }
    // Another report of the same case.
    let reports = roles.ordered.iter().filter(|said| {
        said.what == What::Report
            && !said.otherwise
            && told_ms(said, &thread.member) > thread.since_ms
    });
    causes.extend(reports.map(|said| found("new_match", said)));
    let duplicates = steps(Matter::Route)
        .filter(|step| step.word == "duplicate" && step.said.key.from != thread.member);
    causes.extend(duplicates.map(|step| found("new_match", step.said)));
    causes
        .into_iter()
        .min_by(|one, other| (one.at_ms, &one.by).cmp(&(other.at_ms, &other.by)))
}
