//! What the messages of a case come to: every one in its order, each into its thread. Spec: CSE-12 to CSE-19.

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::erasure::EXONERATED;

use super::{
    Case, CaseId, Entry, Key, Matter, Not, Said, Setting, Standing, Thread, View, What, deadlines,
    members,
    requests::{self, Move},
    roles::{Asked, Place, Roles, at_ms},
    subjects, words,
};
use crate::casework::{
    clock::{Duty, instant, profile, zone_of},
    v1::{CaseMessage, case_message::What as Content},
};

/// A recipient has a report of which it has said nothing yet.
pub(super) const OFFERED: &str = "offered";
/// Its author has taken a report back, for another reason.
pub(super) const WITHDRAWN: &str = "withdrawn";

/// A thread with what has led to its state.
pub(super) struct Track<'a> {
    pub(super) thread: Thread,
    pub(super) asked: Option<&'a Asked<'a>>,
    pub(super) steps: Vec<Step<'a>>,
}

/// One message in a thread.
pub(super) struct Step<'a> {
    pub(super) said: &'a Said,
    pub(super) at_ms: u64,
    pub(super) word: String,
    /// It fits what was said before it.
    pub(super) fits: bool,
}

pub(super) struct Builder<'a> {
    pub(super) setting: &'a Setting,
    pub(super) tracks: Vec<Track<'a>>,
    /// What counts, in its order.
    pub(super) counted: Vec<&'a Said>,
    places: BTreeMap<(Matter, Option<&'a Key>, String, String), usize>,
    timeline: Vec<Entry>,
    /// The author of a report has taken it back because the suspicion was unfounded.
    pub(super) exonerated: bool,
}

impl Case {
    /// What it comes to at `now_ms`. The same for the same messages, in whatever order they came.
    #[must_use]
    pub fn view(&self, now_ms: u64, setting: &Setting) -> View {
        let roles = Roles::of(self, setting);
        let mut builder = Builder {
            setting,
            tracks: Vec::new(),
            counted: Vec::new(),
            places: BTreeMap::new(),
            timeline: Vec::new(),
            exonerated: false,
        };
        for said in &roles.ordered {
            builder.take(said, roles.judge(said));
        }
        builder.withdraw(&roles);
        builder.lapse(now_ms);
        let deadlines = deadlines::of(&builder, &roles, now_ms);
        let tracks: Vec<&Track<'_>> = builder.tracks.iter().collect();
        let reopenings = members::reopenings(&tracks, &roles);
        let is_nobodys = members::is_nobodys(&tracks, &roles, setting);
        let state = match reopenings.is_empty() {
            _ if builder.exonerated => EXONERATED,
            _ if is_nobodys && members::knows_all(&roles, setting) => "nobody",
            false => "reopens",
            true if deadlines.iter().any(|one| one.state == Standing::Overdue) => "overdue",
            // Whoever reads this has refused it: who else has it, its author knows.
            true if is_nobodys => "declined",
            true => members::state(&tracks),
        };
        View {
            id: self.id,
            now_ms,
            deadlines,
            reopenings,
            state,
            parties: roles.everybody(),
            references: references(&roles),
            timeline: builder.timeline,
            threads: builder
                .tracks
                .into_iter()
                .map(|track| track.thread)
                .collect(),
        }
    }
}

impl Roles<'_> {
    /// Who has the case or was asked in it.
    fn everybody(&self) -> BTreeSet<String> {
        let members = &self.setting.members;
        // Of whom somebody says that it has the case, and who is no member, nobody else can say anything.
        let is_listed = |member: &&str| members.is_empty() || members.contains_key(*member);
        let parties = self.parties.iter().flatten().copied().filter(is_listed);
        let asked = self.asked.values();
        let asked = asked.flat_map(|asked| {
            let authority = Some(asked.authority).filter(|name| !name.is_empty());
            asked.addressees.iter().copied().chain(authority)
        });
        let spoken = self.ordered.iter().map(|said| said.key.from.as_str());
        parties
            .chain(asked)
            .chain(spoken)
            .map(str::to_owned)
            .collect()
    }
}

fn references(roles: &Roles<'_>) -> BTreeSet<String> {
    let names = roles.ordered.iter().filter_map(|said| match &said.what {
        What::Case(message) => Some(message.reference.clone()),
        _ => None,
    });
    names.filter(|name| !name.is_empty()).collect()
}

impl<'a> Builder<'a> {
    fn take(&mut self, said: &'a Said, place: Result<Place<'a>, Not>) {
        let (what, says) = said_words(said);
        let mut entry = Entry {
            at_ms: at_ms(said),
            key: said.key.clone(),
            what,
            says: names(said).unwrap_or_else(|| says.clone()),
            note: note(said),
            to: said.to.iter().cloned().collect(),
            thread: None,
            not: place.as_ref().err().copied(),
            contradicts: None,
            fits: place.is_ok(),
        };
        if place.is_ok() {
            self.counted.push(said);
        }
        match place {
            Err(_) | Ok(Place::Aside) => {}
            Ok(Place::Report) => self.report(said),
            Ok(Place::Recall(_)) => self.recall(said, &says),
            Ok(Place::Request(asked)) => {
                for member in &asked.addressees {
                    let place = self.place(asked.matter(), Some(asked), member, "", said, "sent");
                    entry.thread = entry.thread.or(Some(place));
                }
            }
            Ok(Place::Step(asked, members)) => {
                // Said to several, it fits if it fits for one of them.
                entry.fits = false;
                for member in members {
                    let place = self.place(asked.matter(), Some(asked), member, "", said, "sent");
                    entry.thread = entry.thread.or(Some(place));
                    let (fits, against) = self.step(place, said, &says);
                    entry.fits |= fits;
                    entry.contradicts = entry.contradicts.or(against);
                }
            }
            Ok(Place::Thread(matter, member, subject)) => {
                let place = self.place(matter, None, member, subject, said, "");
                entry.thread = Some(place);
                (entry.fits, entry.contradicts) = self.step(place, said, &says);
            }
        }
        self.timeline.push(entry);
    }

    /// Each recipient is to say what it does with a report.
    fn report(&mut self, said: &'a Said) {
        for member in said.to.iter().filter(|member| **member != said.key.from) {
            let place = self.place(Matter::Route, None, member, "", said, OFFERED);
            self.tracks[place].steps.push(Step {
                said,
                at_ms: at_ms(said),
                word: OFFERED.to_owned(),
                fits: true,
            });
        }
    }

    fn recall(&mut self, said: &'a Said, reason: &str) {
        if reason != EXONERATED {
            return;
        }
        self.exonerated = true;
        let place = self.place(Matter::Outcome, None, &said.key.from, "", said, "");
        self.step(place, said, EXONERATED);
    }

    /// The thread of this, begun with `state` if it is not there yet.
    fn place(
        &mut self,
        matter: Matter,
        asked: Option<&'a Asked<'a>>,
        member: &str,
        subject: &str,
        said: &Said,
        state: &str,
    ) -> usize {
        let request = asked.map(|asked| &asked.said.key);
        let name = (matter, request, member.to_owned(), subject.to_owned());
        if let Some(place) = self.places.get(&name) {
            return *place;
        }
        let begun = asked.map_or(said, |asked| asked.said);
        self.tracks.push(Track {
            thread: Thread {
                matter,
                request: request.cloned(),
                member: member.to_owned(),
                subject: subject.to_owned(),
                state: state.to_owned(),
                reason: String::new(),
                since_ms: at_ms(begun),
                profile: asked.map_or_else(String::new, |asked| asked.profile().to_owned()),
                until_ms: None,
                contradictions: Vec::new(),
            },
            asked,
            steps: Vec::new(),
        });
        self.places.insert(name, self.tracks.len() - 1);
        self.tracks.len() - 1
    }

    /// Moves a thread; gives whether the step fits it, and what it contradicts.
    fn step(&mut self, place: usize, said: &'a Said, word: &str) -> (bool, Option<String>) {
        let (until_ms, fault) = self.kept_until(place, said, word);
        let track = &mut self.tracks[place];
        let at_ms = at_ms(said);
        let before = track.thread.state.clone();
        let moved = match track.thread.matter {
            Matter::Preserve => requests::keeping(&before, word),
            Matter::Produce => requests::producing(&before, word),
            Matter::Route | Matter::Outcome => members::moved(track.thread.matter, &before, word),
            Matter::Takedown => subjects::taken_down(&before, word),
            Matter::Assessment => Move::Stays,
        };
        let fits = moved != Move::Contradicts;
        track.steps.push(Step {
            said,
            at_ms,
            word: word.to_owned(),
            fits,
        });
        if let Move::To(state) = moved {
            track.thread.state = state.to_owned();
            track.thread.since_ms = at_ms;
            track.thread.reason = reason_of(said);
            track.thread.until_ms = until_ms.or(track.thread.until_ms);
        }
        let mut against = fault;
        let is_back = word == "still_up" && matches!(before.as_str(), "removed" | "gone");
        if !fits || is_back {
            let before = Some(before.as_str()).filter(|before| !before.is_empty());
            let before = before.unwrap_or("nothing that is known here");
            against = Some(format!("{word} after {before}"));
        }
        if track.thread.matter == Matter::Assessment {
            against = subjects::assessed(track);
        }
        if let Some(against) = &against {
            let said = format!("{against}, by {}", said.key.from);
            track.thread.contradictions.push(said);
        }
        (fits, against)
    }

    /// Until when something is kept by a step, and whether it is kept longer than its profile allows.
    fn kept_until(&self, place: usize, said: &Said, word: &str) -> (Option<u64>, Option<String>) {
        let track = &self.tracks[place];
        let (Some(asked), Matter::Preserve) = (track.asked, track.thread.matter) else {
            return (None, None);
        };
        let duty = match word {
            "in_force" => Duty::Keep,
            "extended" => Duty::Extend,
            _ => return (None, None),
        };
        let named = match &said.what {
            What::Case(message) => match &message.what {
                Some(Content::PreserveAnswer(answer)) => instant(&answer.until),
                _ => None,
            },
            _ => None,
        };
        let rule = profile(asked.profile()).and_then(|profile| profile.rule(duty));
        let member = track.thread.member.as_str();
        let from = match duty {
            Duty::Extend => track.thread.until_ms,
            _ => asked.said.received.get(member).copied(),
        };
        let counted = || {
            let country = self.setting.country(member);
            let zone = zone_of(asked.time_zone(), country);
            rule?.due(from?, &zone, self.setting.holidays.get(country))
        };
        let times = rule.map_or(0, |rule| rule.times);
        let extended = |step: &&Step<'_>| step.word == "extended" && step.fits;
        let before = track.steps.iter().filter(extended).count();
        let over = duty == Duty::Extend && times > 0 && before >= times as usize;
        let fault = over.then(|| format!("extended more often than {} allows", asked.profile()));
        (named.or_else(counted), fault)
    }

    /// What its author has taken back from a recipient need not be dealt with there, unless it has got
    /// another report of the case: then that is what it must deal with.
    fn withdraw(&mut self, roles: &Roles<'_>) {
        let taken_back = roles.taken_back();
        for track in &mut self.tracks {
            let thread = &mut track.thread;
            let offered = track.steps.iter_mut().filter(|step| step.word == OFFERED);
            let each = offered.map(|step| {
                let back = taken_back.get(&(&step.said.key, thread.member.as_str()));
                step.fits = back.is_none();
                back.copied()
            });
            // Each is marked, whether all were taken back or not.
            let each: Vec<Option<(u64, &str)>> = each.collect();
            let all: Option<Vec<(u64, &str)>> = each.into_iter().collect();
            let last = all.and_then(|all| all.into_iter().max());
            if let Some((at_ms, reason)) = last {
                (thread.state, thread.since_ms) = (WITHDRAWN.to_owned(), at_ms);
                reason.clone_into(&mut thread.reason);
            }
        }
    }

    /// What was kept until an instant that has passed is not said to be kept any more.
    fn lapse(&mut self, now_ms: u64) {
        for track in &mut self.tracks {
            let thread = &mut track.thread;
            let runs = matches!(thread.state.as_str(), "in_force" | "extended");
            if let Some(until_ms) = thread.until_ms.filter(|until| runs && *until < now_ms) {
                (thread.state, thread.since_ms) = ("lapsed".to_owned(), until_ms);
            }
        }
    }
}

/// What a message is, and the state or code in it.
fn said_words(said: &Said) -> (&'static str, String) {
    let message = match &said.what {
        What::Report => return ("report", String::new()),
        What::Recall { reason, .. } => return ("recall", reason.clone()),
        What::Unreadable(why) => return ("unreadable", (*why).to_owned()),
        What::Other => return ("other", String::new()),
        What::Case(message) => message,
    };
    words_of(message)
}

/// What a message of a case is, and the state or code in it, as a view has them.
#[must_use]
pub fn words_of(message: &CaseMessage) -> (&'static str, String) {
    match &message.what {
        None => ("unknown", String::new()),
        Some(what) => match what {
            Content::Triage(one) => ("triage", words::triage(one.state)),
            Content::Route(one) => ("route", words::decision(one.decision)),
            Content::Assessment(one) => ("assessment", subjects::verdict(one)),
            Content::Takedown(one) => ("takedown", words::takedown(one.state)),
            Content::Outcome(one) => ("outcome", words::outcome(one.state)),
            Content::PreserveRequest(one) => ("preserve_request", one.profile.clone()),
            Content::PreserveAnswer(one) => ("preserve_answer", words::preserve(one.state)),
            Content::ProduceRequest(one) => ("produce_request", one.profile.clone()),
            Content::ProduceAnswer(one) => ("produce_answer", words::produce(one.state)),
            Content::Extension(_) => ("extension", "extension".to_owned()),
            Content::Reminder(_) => ("reminder", "reminder".to_owned()),
            Content::DuplicateOf(_) => ("duplicate_of", "duplicate".to_owned()),
        },
    }
}

/// What a message names where its kind says all else.
fn names(said: &Said) -> Option<String> {
    let What::Case(message) = &said.what else {
        return None;
    };
    match message.what.as_ref()? {
        Content::DuplicateOf(one) => Some(format!("duplicate of {}", other_case(&one.case_id))),
        Content::Extension(one) => Some(one.until.clone()),
        Content::Reminder(one) => Some(one.deadline.clone()),
        _ => None,
    }
}

fn other_case(id: &[u8]) -> String {
    <[u8; 16]>::try_from(id).map_or_else(|_| String::new(), |id| CaseId(id).to_string())
}

fn note(said: &Said) -> String {
    match &said.what {
        What::Case(message) => message.note.clone(),
        _ => String::new(),
    }
}

/// The reason in a message, as a word; or empty.
fn reason_of(said: &Said) -> String {
    let What::Case(message) = &said.what else {
        return String::new();
    };
    match &message.what {
        Some(Content::Triage(one)) => words::or_empty(one.reason, words::route_reason),
        Some(Content::Route(one)) if !one.rerouted_to.is_empty() => one.rerouted_to.clone(),
        Some(Content::Route(one)) => words::or_empty(one.reason, words::route_reason),
        Some(Content::Outcome(one)) if one.reason != 0 => words::shelved(one.reason),
        Some(Content::Outcome(one)) => words::or_empty(one.because, words::because),
        Some(Content::PreserveAnswer(one)) => words::or_empty(one.reason, words::non_execution),
        Some(Content::ProduceAnswer(one)) => words::or_empty(one.reason, words::non_execution),
        Some(Content::Takedown(one)) => one.moved_to.clone(),
        Some(Content::DuplicateOf(one)) => other_case(&one.case_id),
        _ => String::new(),
    }
}
