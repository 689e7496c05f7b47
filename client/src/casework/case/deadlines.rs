//! What must be done by when, and whether it was. Spec: CSE-20 to CSE-27.

use std::collections::BTreeSet;

use super::{
    Deadline, Matter, Said, Setting, Standing, What,
    members::ENDED,
    requests::concludes,
    roles::{Asked, Request, Roles, told_ms},
    view::{Builder, OFFERED, Step, Track, WITHDRAWN},
};
use crate::casework::{
    clock::{Duty, Profile, Rule, Zone, instant, profile, rfc3339, zone_of},
    v1::case_message::What as Content,
};
use frex_proto::v1::Lane;

/// Days before the end of what is kept at which it is said that it ends.
const WARNINGS: [u32; 3] = [2, 7, 14];
const DAY_MS: u64 = 86_400_000;
/// The asker's own word in the header.
const REPLY_BY: &str = "reply-by";
/// Where the asker's own word stands.
const SIGNED: &str = "the asker's signed header";
/// What it said later instead.
const NEW_DEADLINE: &str = "the asker's new deadline";

/// Every deadline, the earliest first.
pub(super) fn of(builder: &Builder<'_>, roles: &Roles<'_>, now_ms: u64) -> Vec<Deadline> {
    let mut found = Vec::new();
    for (place, track) in builder.tracks.iter().enumerate() {
        let seat = Seat {
            builder,
            place,
            track,
            now_ms,
        };
        match (track.thread.matter, track.asked) {
            (Matter::Route, _) => seat.route(&mut found),
            (Matter::Takedown, _) => seat.takedown(&mut found),
            (Matter::Preserve, Some(asked)) => seat.preserve(asked, &mut found),
            (Matter::Produce, Some(asked)) => seat.produce(asked, &mut found),
            _ => {}
        }
    }
    found.extend(keepers(builder, roles, now_ms));
    for one in &mut found {
        if builder.exonerated
            && matches!(
                one.state,
                Standing::Open | Standing::Overdue | Standing::NotReceived
            )
        {
            one.state = Standing::Moot;
        }
    }
    found.sort_by(|one, other| {
        let name = |one: &Deadline| (one.due_ms.unwrap_or(u64::MAX), one.thread, one.what);
        (name(one), &one.who).cmp(&(name(other), &other.who))
    });
    found
}

/// One thread, and what is needed to count for it.
struct Seat<'a> {
    builder: &'a Builder<'a>,
    place: usize,
    track: &'a Track<'a>,
    now_ms: u64,
}

impl<'a> Seat<'a> {
    fn zone(&self, named: &str, member: &str) -> Zone {
        zone_of(named, self.country(member))
    }

    fn country(&self, member: &str) -> &str {
        self.builder.setting.country(member)
    }

    /// A deadline by a row of the table, for what began at `from_ms`.
    fn by_rule(
        &self,
        (profile, rule): (&Profile, &Rule),
        who: &str,
        zone: &Zone,
        from_ms: Option<u64>,
    ) -> Deadline {
        let holidays = self.builder.setting.holidays.get(self.country(who));
        Deadline {
            what: rule.what,
            who: who.to_owned(),
            thread: Some(self.place),
            profile: profile.id.clone(),
            source: rule.source.clone(),
            zone: zone.name.clone(),
            from_ms,
            due_ms: from_ms.and_then(|from_ms| rule.due(from_ms, zone, holidays)),
            met_ms: None,
            state: Standing::NotReceived,
            warning: None,
        }
    }

    /// A deadline by the header alone.
    fn by_header(&self, what: Duty, said: &Said, who: &str) -> Deadline {
        Deadline {
            what,
            who: who.to_owned(),
            thread: Some(self.place),
            profile: REPLY_BY.to_owned(),
            source: SIGNED.to_owned(),
            zone: String::new(),
            from_ms: said.received.get(who).copied(),
            due_ms: said.reply_by_ms,
            met_ms: None,
            state: Standing::NotReceived,
            warning: None,
        }
    }

    fn steps(&self) -> impl DoubleEndedIterator<Item = &'a Step<'a>> {
        self.track.steps.iter()
    }

    /// What a recipient is to do with a report, and what it is to tell later.
    fn route(&self, found: &mut Vec<Deadline>) {
        let member = self.track.thread.member.as_str();
        let is_report = |step: &&Step<'_>| step.word == OFFERED;
        // Of several the first that was not taken back starts the clocks.
        let standing = self.steps().find(|step| is_report(step) && step.fits);
        let Some(step) = standing.or_else(|| self.steps().find(is_report)) else {
            return;
        };
        let report = step.said;
        let name = match report.lane {
            Lane::Urgent => "report-urgent",
            _ => "report",
        };
        let zone = self.zone("", member);
        let from_ms = report.received.get(member).copied();
        let decided = |step: &&Step<'_>| {
            matches!(
                step.word.as_str(),
                "accepted" | "declined" | "rerouted" | "rejected" | "duplicate"
            )
        };
        let decision = self
            .steps()
            .find(decided)
            .map(|step| told_ms(step.said, &report.key.from));
        let first = self.of_member(member).next();
        let first = first.map(|said| told_ms(said, &report.key.from));
        let assessed = self.of_member(member).find(|said| is_assessment(said));
        let assessed = assessed.map(|said| told_ms(said, &report.key.from));
        let away = matches!(
            self.track.thread.state.as_str(),
            "declined" | "rerouted" | "rejected" | "duplicate"
        );
        let back = self.track.thread.state == WITHDRAWN;
        for rule in profile(name)
            .into_iter()
            .flat_map(|profile| profile.clocks.iter().map(move |rule| (profile, rule)))
        {
            let mut one = self.by_rule(rule, member, &zone, from_ms);
            one.met_ms = match one.what {
                Duty::Acknowledge => first,
                Duty::Route => decision,
                _ => assessed,
            };
            one.stand(self.now_ms, back || (one.what == Duty::Assess && away));
            found.push(one);
        }
        self.feedback(&report.key.from, found);
    }

    /// Who has accepted a case tells its reporter what becomes of it: the first mark that has no outcome.
    fn feedback(&self, reporter: &str, found: &mut Vec<Deadline>) {
        let thread = &self.track.thread;
        let member = thread.member.as_str();
        if thread.state != "accepted" {
            return;
        }
        let zone = self.zone("", member);
        let outcome = |track: &&Track<'_>| {
            track.thread.matter == Matter::Outcome && track.thread.member == member
        };
        let outcome = self.builder.tracks.iter().find(outcome);
        let ended = outcome.is_some_and(|track| ENDED.contains(&track.thread.state.as_str()));
        let told: Vec<u64> = outcome
            .iter()
            .flat_map(|track| track.steps.iter())
            .map(|step| told_ms(step.said, reporter))
            .collect();
        let mut since = thread.since_ms;
        for rule in profile("feedback")
            .into_iter()
            .flat_map(|profile| profile.clocks.iter().map(move |rule| (profile, rule)))
        {
            let mut one = self.by_rule(rule, member, &zone, Some(thread.since_ms));
            let due_ms = one.due_ms.unwrap_or(u64::MAX);
            if told.iter().any(|at| (since..=due_ms).contains(at)) {
                since = due_ms;
                continue;
            }
            one.met_ms = told.iter().copied().filter(|at| *at > due_ms).min();
            one.stand(self.now_ms, ended);
            found.push(one);
            return;
        }
    }

    /// What a member has said in the case that counts.
    fn of_member(&self, member: &'a str) -> impl Iterator<Item = &'a Said> {
        let counted = self.builder.counted.iter().copied();
        counted.filter(move |said| said.key.from == member && said.what != What::Report)
    }

    /// How long what a notice is about is still there: whoever has sent it sees to it. It is gone when that is
    /// told: a word alone that it was gone before shows nothing.
    fn takedown(&self, found: &mut Vec<Deadline>) {
        let Some(notice) = self.steps().find(|step| step.word == "notice_sent") else {
            return;
        };
        let rule = profile("takedown").and_then(|one| Some((one, one.rule(Duty::Takedown)?)));
        let Some(rule) = rule else {
            return;
        };
        let is_away = |step: &&Step<'_>| matches!(step.word.as_str(), "removed" | "gone" | "moved");
        let who = notice.said.key.from.as_str();
        let mut one = self.by_rule(rule, who, &self.zone("", who), Some(notice.at_ms));
        let state = self.track.thread.state.as_str();
        let away = matches!(state, "removed" | "gone" | "moved");
        one.met_ms = self
            .steps()
            .find(is_away)
            .filter(|_| away)
            .map(|step| told_ms(step.said, who));
        one.stand(self.now_ms, false);
        if state == "stay_up" {
            one.state = Standing::Paused;
        }
        found.push(one);
    }

    /// When what is kept ends, and by when that it is kept must be said.
    fn preserve(&self, asked: &Asked<'_>, found: &mut Vec<Deadline>) {
        let thread = &self.track.thread;
        let (member, asker) = (thread.member.as_str(), asked.said.key.from.as_str());
        let over = matches!(thread.state.as_str(), "released" | "converted");
        let received = asked.said.received.get(member).copied();
        let mut one = self.awaited(asked, asked.said, received);
        if one.due_ms.is_some() || one.from_ms.is_none() {
            let answer = self.steps().find(|step| {
                step.fits && matches!(step.word.as_str(), "in_force" | "not_possible" | "extended")
            });
            one.met_ms = answer.map(|step| told_ms(step.said, asker));
            one.stand(self.now_ms, over);
            found.push(one);
        }
        self.extension(asked, found);
        let Some(until_ms) = thread.until_ms else {
            return;
        };
        let source = profile(asked.profile()).and_then(|profile| profile.rule(Duty::Keep));
        // Who asked must have it extended, ask for the data, or let go of it before that.
        let mut one = Deadline {
            what: Duty::Keep,
            who: asker.to_owned(),
            thread: Some(self.place),
            profile: asked.profile().to_owned(),
            source: source.map_or_else(String::new, |rule| rule.source.clone()),
            zone: self.zone(asked.time_zone(), member).name,
            from_ms: asked
                .said
                .received
                .get(member)
                .copied()
                .or(Some(thread.since_ms)),
            due_ms: Some(until_ms),
            met_ms: None,
            state: Standing::Open,
            warning: None,
        };
        one.stand(self.now_ms, over || thread.state == "expired");
        if one.state == Standing::Open {
            let left = until_ms.saturating_sub(self.now_ms);
            let passed = WARNINGS
                .into_iter()
                .find(|days| left <= u64::from(*days) * DAY_MS);
            one.warning = passed;
        }
        found.push(one);
    }

    /// By when a message of the asker's is to be answered: the later of what it has signed in that and what
    /// the profile gives.
    fn awaited(&self, asked: &Asked<'_>, said: &Said, from_ms: Option<u64>) -> Deadline {
        let member = self.track.thread.member.as_str();
        let row = profile(asked.profile());
        let rule = row.and_then(|row| Some((row, row.rule(Duty::Answer)?)));
        let mut one = match rule {
            Some(rule) => {
                let zone = self.zone(asked.time_zone(), member);
                self.by_rule(rule, member, &zone, from_ms)
            }
            None => self.by_header(Duty::Answer, said, member),
        };
        let signed = said.reply_by_ms.filter(|_| one.from_ms.is_some());
        // A time that the asker gave is not said to be that of a law.
        if let (Some(rule_ms), Some(signed_ms)) = (one.due_ms, signed)
            && signed_ms > rule_ms
        {
            one.source = format!("{SIGNED}; by {} alone {}", one.source, rfc3339(rule_ms));
        }
        one.due_ms = one.due_ms.max(signed);
        one
    }

    /// A request to keep longer that is not answered.
    fn extension(&self, asked: &Asked<'_>, found: &mut Vec<Deadline>) {
        let member = self.track.thread.member.as_str();
        let is_ask = |step: &&Step<'_>| step.word == "extension" && step.fits;
        let Some(step) = self.steps().rev().find(is_ask) else {
            return;
        };
        let mut one = self.awaited(asked, step.said, step.said.received.get(member).copied());
        one.what = Duty::Extend;
        if one.due_ms.is_none() && one.from_ms.is_some() {
            return;
        }
        let after = |other: &&Step<'_>| {
            other.fits
                && other.at_ms >= step.at_ms
                && matches!(other.word.as_str(), "extended" | "not_possible" | "expired")
        };
        one.met_ms = self
            .steps()
            .find(after)
            .map(|step| told_ms(step.said, &asked.said.key.from));
        one.stand(
            self.now_ms,
            matches!(self.track.thread.state.as_str(), "released" | "converted"),
        );
        found.push(one);
    }

    /// What a request for data must have by when, of each who has a part in it.
    fn produce(&self, asked: &Asked<'_>, found: &mut Vec<Deadline>) {
        let Request::Produce(request) = asked.request else {
            return;
        };
        self.answer(asked, found);
        let Some(row) = profile(asked.profile()) else {
            return;
        };
        let asker = asked.said.key.from.as_str();
        let over = self.track.thread.state == "withdrawn";
        let done = |words: &[&str]| {
            let step = self
                .steps()
                .find(|step| words.contains(&step.word.as_str()));
            step.map(|step| told_ms(step.said, asker))
        };
        if let Some(rule) = row
            .rule(Duty::Objection)
            .filter(|_| !asked.authority.is_empty())
        {
            let zone = self.zone("", asked.authority);
            let from_ms = asked.said.received.get(asked.authority).copied();
            let mut one = self.by_rule((row, rule), asked.authority, &zone, from_ms);
            one.met_ms = done(&["objection", "no_objection"]);
            one.stand(self.now_ms, over);
            // Silence is no objection: nobody is late with it.
            if one.state == Standing::Overdue {
                one.state = Standing::Moot;
            }
            found.push(one);
        }
        let enforced = self
            .steps()
            .find(|step| step.word == "enforcement" && step.fits);
        if let (Some(rule), Some(step)) = (row.rule(Duty::Enforcement), enforced) {
            let zone = self.zone("", asked.authority);
            let from_ms = told_ms(step.said, asked.authority);
            let mut one = self.by_rule((row, rule), asked.authority, &zone, Some(from_ms));
            let answers = |step: &&Step<'_>| {
                step.fits && matches!(step.word.as_str(), "recognised" | "objection")
            };
            let answer = self.steps().find(answers);
            one.met_ms = answer.map(|step| told_ms(step.said, asker));
            one.stand(self.now_ms, over);
            found.push(one);
        }
        if let Some(rule) = row
            .rule(Duty::Validation)
            .filter(|_| request.validation_follows)
        {
            let mut one = self.by_rule(
                (row, rule),
                asker,
                &self.zone("", asker),
                Some(asked.said.created_ms),
            );
            one.met_ms = done(&["validated"]);
            one.stand(self.now_ms, over);
            found.push(one);
        }
    }

    /// By when the addressee answers: the later of what the asker has signed and what the law gives.
    fn answer(&self, asked: &Asked<'_>, found: &mut Vec<Deadline>) {
        let thread = &self.track.thread;
        let (member, asker) = (thread.member.as_str(), asked.said.key.from.as_str());
        // What was made clear starts the clock anew: until then nobody could answer.
        let clear = self
            .steps()
            .rev()
            .find(|step| step.word == "clarification" && step.fits);
        let received = asked.said.received.get(member).copied();
        let from_ms = clear.map(|step| told_ms(step.said, member)).or(received);
        let mut one = self.awaited(asked, asked.said, from_ms);
        let newer = self.steps().rev().find_map(new_deadline);
        if newer.is_some() {
            one.source = NEW_DEADLINE.to_owned();
        }
        one.due_ms = newer.or(one.due_ms);
        if one.due_ms.is_none() && one.from_ms.is_some() {
            return;
        }
        let answer = self.steps().find(|step| step.fits && concludes(&step.word));
        let again = matches!(thread.state.as_str(), "delivery_error");
        one.met_ms = answer
            .filter(|_| !again)
            .map(|step| told_ms(step.said, asker));
        one.stand(
            self.now_ms,
            matches!(thread.state.as_str(), "withdrawn" | "objected"),
        );
        if thread.state == "clarify" {
            one.state = Standing::Paused;
        }
        found.push(one);
    }
}

/// A time that the asker has given instead.
fn new_deadline(step: &Step<'_>) -> Option<u64> {
    let What::Case(message) = &step.said.what else {
        return None;
    };
    match &message.what {
        Some(Content::ProduceAnswer(answer)) if step.word == "new_deadline" => {
            instant(&answer.deadline)
        }
        _ => None,
    }
}

fn is_assessment(said: &Said) -> bool {
    matches!(&said.what, What::Case(message) if matches!(message.what, Some(Content::Assessment(_))))
}

/// Platforms that law tells to keep what they have reported.
fn keepers(builder: &Builder<'_>, roles: &Roles<'_>, now_ms: u64) -> Vec<Deadline> {
    let Some((row, rule)) =
        profile("us-report-act").and_then(|row| Some((row, row.rule(Duty::Keep)?)))
    else {
        return Vec::new();
    };
    let reports = roles
        .ordered
        .iter()
        .filter(|said| said.what == What::Report && !said.otherwise);
    let kept = reports.filter_map(|said| {
        let who = said.key.from.as_str();
        let party = builder.setting.members.get(who)?;
        if !party.platform || party.country != "US" {
            return None;
        }
        let zone = zone_of("", "US");
        let due_ms = rule.due(said.created_ms, &zone, None)?;
        let over = due_ms < now_ms;
        Some(Deadline {
            what: Duty::Keep,
            who: who.to_owned(),
            thread: None,
            profile: row.id.clone(),
            source: rule.source.clone(),
            zone: zone.name,
            from_ms: Some(said.created_ms),
            due_ms: Some(due_ms),
            met_ms: None,
            state: if over { Standing::Moot } else { Standing::Open },
            warning: None,
        })
    });
    let mut kept: Vec<Deadline> = kept.collect();
    // The messages of one filing are one report to the law, and so is what was reported again on the same day.
    let mut known = BTreeSet::new();
    kept.retain(|one| known.insert((one.who.clone(), one.due_ms)));
    kept
}

impl Setting {
    /// The country that the roster lists for a member; empty of who is not in it.
    #[must_use]
    pub fn country(&self, member: &str) -> &str {
        let party = self.members.get(member);
        party.map_or("", |party| party.country.as_str())
    }
}

impl Deadline {
    /// How it stands, from when it was due and done.
    fn stand(&mut self, now_ms: u64, moot: bool) {
        let late = |at_ms: u64| self.due_ms.is_some_and(|due_ms| at_ms > due_ms);
        self.state = match self.met_ms {
            Some(at_ms) if late(at_ms) => Standing::AnsweredLate,
            Some(_) => Standing::Answered,
            None if moot => Standing::Moot,
            None if self.from_ms.is_none() => Standing::NotReceived,
            None if late(now_ms) => Standing::Overdue,
            None => Standing::Open,
        };
    }
}
