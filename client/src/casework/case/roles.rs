//! Who may say what: the recipient of a report what it does with it, who was asked the answer, who asked
//! the rest. Spec: CSE-12.

use std::collections::{BTreeMap, BTreeSet};

use frex_proto::id::{EnvelopeId, MessageId};

use super::{Case, CaseId, Key, Matter, Not, Said, Setting, What};
use crate::casework::{
    clock::instant,
    v1::{
        CaseMessage, PreserveRequest, ProduceRequest, case_message::What as Content,
        preserve_answer::State as Kept, produce_answer::State as Produced, route_answer::Decision,
    },
};

/// How far a chain of replies is followed to the request that it is about.
const CHAIN_MAX: usize = 64;

/// A request as the case has it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Request<'a> {
    Preserve(&'a PreserveRequest),
    Produce(&'a ProduceRequest),
}

/// A request, its message, and who has a part in it.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) said: &'a Said,
    pub(super) request: Request<'a>,
    pub(super) addressees: Vec<&'a str>,
    pub(super) authority: &'a str,
}

/// Where a message belongs.
#[derive(Debug)]
pub(super) enum Place<'a> {
    /// A report, to these.
    Report,
    /// To a thread of a member, an item or a place.
    Thread(Matter, &'a str, &'a str),
    /// A request begins a thread for each who is asked.
    Request(&'a Asked<'a>),
    /// To the threads of a request at these.
    Step(&'a Asked<'a>, Vec<&'a str>),
    /// A recall, of this report if that is here.
    Recall(Option<&'a Said>),
    /// It moves no thread.
    Aside,
}

/// The messages of a case in their order, and who is who in it.
pub(super) struct Roles<'a> {
    id: CaseId,
    pub(super) ordered: Vec<&'a Said>,
    by_envelope: BTreeMap<EnvelopeId, &'a Said>,
    pub(super) asked: BTreeMap<&'a Key, Asked<'a>>,
    /// None: no report is here, so that nobody can be said to be a stranger.
    pub(super) parties: Option<BTreeSet<&'a str>>,
    /// Those of them who got a report; none where no report is here.
    pub(super) holders: Option<BTreeSet<&'a str>>,
    pub(super) setting: &'a Setting,
}

/// When something happened: by its writer's word, if that is not after it was sent.
pub(super) fn at_ms(said: &Said) -> u64 {
    let at = match &said.what {
        What::Case(message) => instant(&message.at),
        _ => None,
    };
    at.filter(|at| *at <= said.created_ms)
        .unwrap_or(said.created_ms)
}

/// When a message was told to somebody: when its node had it, or else when it was sent. Spec: CSE-24.
pub(super) fn told_ms(said: &Said, member: &str) -> u64 {
    said.received
        .get(member)
        .copied()
        .unwrap_or(said.created_ms)
}

fn content(said: &Said) -> Option<&Content> {
    match &said.what {
        What::Case(message) => message.what.as_ref(),
        _ => None,
    }
}

impl<'a> Roles<'a> {
    pub(super) fn of(case: &'a Case, setting: &'a Setting) -> Self {
        let mut ordered: Vec<&Said> = case.said().collect();
        ordered.sort_by_key(|said| (at_ms(said), said.created_ms, &said.key));
        let mut by_envelope = BTreeMap::new();
        for said in &ordered {
            by_envelope.extend(said.envelopes.iter().map(|id| (*id, *said)));
        }
        let asked = ordered
            .iter()
            .filter_map(|said| Some((&said.key, asked(said)?)));
        let holders = holders(&ordered);
        Self {
            id: case.id,
            asked: asked.collect(),
            parties: holders.as_ref().map(|holders| {
                let authors = reports(&ordered).map(|said| said.key.from.as_str());
                holders.iter().copied().chain(authors).collect()
            }),
            holders,
            by_envelope,
            ordered,
            setting,
        }
    }

    /// Where a message belongs, or why it does not count.
    pub(super) fn judge(&'a self, said: &'a Said) -> Result<Place<'a>, Not> {
        if said.otherwise {
            return Err(Not::Otherwise);
        }
        let from = said.key.from.as_str();
        match &said.what {
            What::Unreadable(_) => Err(Not::Unreadable),
            What::Report => Ok(Place::Report),
            What::Other => Ok(Place::Aside),
            What::Recall { message, .. } => self.judge_recall(from, *message),
            What::Case(message) => self.judge_message(said, from, message),
        }
    }

    /// Who wrote a message takes it back, and nobody else, whatever others have under the same id. Of the report
    /// that began the case and is erased here nothing is left but its id, which is the case's.
    fn judge_recall(&'a self, from: &str, message: MessageId) -> Result<Place<'a>, Not> {
        let named = self.ordered.iter().copied();
        let mut named = named.filter(|one| one.key.message == message).peekable();
        let is_here = named.peek().is_some();
        match named.find(|one| one.key.from == from) {
            Some(report) if report.what == What::Report => Ok(Place::Recall(Some(report))),
            // What is no report begins no duty of its recipients.
            Some(_) => Ok(Place::Aside),
            None if is_here => Err(Not::NoParty),
            None if self.holders.is_none() || message.0 == self.id.0 => Ok(Place::Recall(None)),
            None => Ok(Place::Aside),
        }
    }

    fn judge_message(
        &'a self,
        said: &'a Said,
        from: &'a str,
        message: &'a CaseMessage,
    ) -> Result<Place<'a>, Not> {
        let Some(what) = &message.what else {
            return Err(Not::Unknown);
        };
        let is_party = self
            .parties
            .as_ref()
            .is_none_or(|parties| parties.contains(from));
        let as_party = |place: Place<'a>| match is_party {
            true => Ok(place),
            false => Err(Not::NoParty),
        };
        let holds = self
            .holders
            .as_ref()
            .is_none_or(|holders| holders.contains(from));
        match what {
            Content::Triage(_) | Content::Route(_) if is_party && !holds => Err(Not::NotARecipient),
            Content::Outcome(_) if is_party && !holds && self.is_platform(from) => {
                Err(Not::Reporter)
            }
            Content::DuplicateOf(other) if other.case_id == self.id.0[..] => Err(Not::Itself),
            Content::Triage(_) | Content::Route(_) => {
                as_party(Place::Thread(Matter::Route, from, ""))
            }
            Content::Assessment(one) => as_party(Place::Thread(Matter::Assessment, "", &one.item)),
            Content::Takedown(one) => as_party(Place::Thread(Matter::Takedown, "", &one.url)),
            Content::Outcome(_) => as_party(Place::Thread(Matter::Outcome, from, "")),
            Content::DuplicateOf(_) => as_party(Place::Thread(Matter::Route, from, "")),
            Content::PreserveRequest(_) | Content::ProduceRequest(_) => {
                let asked = self.asked.get(&said.key).ok_or(Not::Unknown)?;
                match self.is_asked(asked) {
                    true => Ok(Place::Request(asked)),
                    false => Err(Not::NoParty),
                }
            }
            _ => self.judge_step(said, from, what),
        }
    }

    /// Whether a request counts: a party asks, or somebody asks a party. Of a report that went to each in a copy of
    /// its own, who got one copy knows nobody who got another; and evidence shows what is asked to be owed, whoever
    /// asks.
    fn is_asked(&self, asked: &Asked<'_>) -> bool {
        let asker = asked.said.key.from.as_str();
        self.parties.as_ref().is_none_or(|parties| {
            let mut addressees = asked.addressees.iter().copied();
            parties.contains(asker) || addressees.any(|member| parties.contains(member))
        })
    }

    fn is_platform(&self, member: &str) -> bool {
        let party = self.setting.members.get(member);
        party.is_some_and(|party| party.platform)
    }

    /// What belongs to a request.
    fn judge_step(
        &'a self,
        said: &'a Said,
        from: &'a str,
        what: &'a Content,
    ) -> Result<Place<'a>, Not> {
        let asked = self.request_of(said).ok_or(Not::NoRequest)?;
        let asker = asked.said.key.from.as_str();
        // A request that does not count has no answers that do.
        if asked.said.otherwise || !self.is_asked(asked) {
            return Err(Not::NoRequest);
        }
        let step = |place: Vec<&'a str>| Ok(Place::Step(asked, place));
        let by_asker = || match from == asker {
            true => step(asked.meant(said, "")),
            false => Err(Not::NotTheAsker),
        };
        let by_addressee = || match asked.addressees.contains(&from) {
            true => step(vec![from]),
            false => Err(Not::NotAsked),
        };
        match (what, asked.request) {
            (Content::Extension(_), Request::Preserve(_)) | (Content::Reminder(_), _) => by_asker(),
            (Content::PreserveAnswer(answer), Request::Preserve(_)) => {
                match Kept::try_from(answer.state).map_err(|_| Not::Unknown)? {
                    Kept::Converted | Kept::Released => by_asker(),
                    _ => by_addressee(),
                }
            }
            (Content::ProduceAnswer(answer), Request::Produce(_)) => {
                let state = Produced::try_from(answer.state).map_err(|_| Not::Unknown)?;
                let by_authority = || match from == asked.authority {
                    true => step(asked.meant(said, &answer.addressee)),
                    false => Err(Not::NotTheAuthority),
                };
                match state {
                    Produced::Clarification
                    | Produced::NewDeadline
                    | Produced::DeliveryOk
                    | Produced::DeliveryError
                    | Produced::Withdrawn
                    | Produced::Enforcement
                    | Produced::Validated => by_asker(),
                    Produced::Objection | Produced::NoObjection | Produced::Recognised => {
                        by_authority()
                    }
                    Produced::Refused if !asked.authority.is_empty() && from == asked.authority => {
                        by_authority()
                    }
                    _ => by_addressee(),
                }
            }
            _ => Err(Not::NoRequest),
        }
    }

    /// The request that a chain of replies comes back to.
    fn request_of(&'a self, said: &Said) -> Option<&'a Asked<'a>> {
        let mut next = said.in_reply_to?;
        for _ in 0..CHAIN_MAX {
            let before = self.by_envelope.get(&next)?;
            if let Some(asked) = self.asked.get(&before.key) {
                return Some(asked);
            }
            next = before.in_reply_to?;
        }
        None
    }
}

impl Roles<'_> {
    /// Which reports were taken back from whom, by their author: since when, and why.
    pub(super) fn taken_back(&self) -> BTreeMap<(&Key, &str), (u64, &str)> {
        let mut found = BTreeMap::new();
        for said in &self.ordered {
            let What::Recall { reason, .. } = &said.what else {
                continue;
            };
            let Ok(Place::Recall(Some(report))) = self.judge(said) else {
                continue;
            };
            for member in &said.to {
                let name = (&report.key, member.as_str());
                found.entry(name).or_insert((at_ms(said), reason.as_str()));
            }
        }
        found
    }
}

impl<'a> Asked<'a> {
    pub(super) fn matter(&self) -> Matter {
        match self.request {
            Request::Preserve(_) => Matter::Preserve,
            Request::Produce(_) => Matter::Produce,
        }
    }

    pub(super) fn profile(&self) -> &'a str {
        match self.request {
            Request::Preserve(one) => &one.profile,
            Request::Produce(one) => &one.profile,
        }
    }

    pub(super) fn time_zone(&self) -> &'a str {
        match self.request {
            Request::Preserve(one) => &one.time_zone,
            Request::Produce(one) => &one.time_zone,
        }
    }

    /// The addressees whom the asker or the authority speaks about: the one that is named, else those
    /// who are told, else all.
    fn meant(&self, said: &Said, named: &str) -> Vec<&'a str> {
        let among = |wanted: &dyn Fn(&str) -> bool| -> Vec<&'a str> {
            let addressees = self.addressees.iter().copied();
            addressees.filter(|one| wanted(one)).collect()
        };
        let one = among(&|one| one == named);
        let told = among(&|one| said.to.contains(one));
        [one, told]
            .into_iter()
            .find(|list| !list.is_empty())
            .unwrap_or_else(|| self.addressees.clone())
    }
}

fn asked(said: &Said) -> Option<Asked<'_>> {
    let (request, listed, authority) = match content(said)? {
        Content::PreserveRequest(one) => (Request::Preserve(one), &one.addressed_to, ""),
        Content::ProduceRequest(one) => {
            let authority = one.enforcing_authority.as_str();
            (Request::Produce(one), &one.addressed_to, authority)
        }
        _ => return None,
    };
    // Who has not got it was not asked.
    let wanted = |one: &&str| match listed.is_empty() {
        true => *one != authority,
        false => listed.iter().any(|listed| listed == *one),
    };
    Some(Asked {
        said,
        request,
        addressees: said.to.iter().map(String::as_str).filter(wanted).collect(),
        authority,
    })
}

/// The reports of a case.
pub(super) fn reports<'a>(ordered: &[&'a Said]) -> impl Iterator<Item = &'a Said> {
    let ordered = ordered.iter().copied();
    ordered.filter(|said| said.what == What::Report)
}

/// Who has got the case: by a report of it, or from one of these who has passed it on.
fn holders<'a>(ordered: &[&'a Said]) -> Option<BTreeSet<&'a str>> {
    reports(ordered).next()?;
    let to = reports(ordered).flat_map(|said| &said.to);
    let mut holders: BTreeSet<&str> = to.map(String::as_str).collect();
    loop {
        let rerouted = ordered.iter().filter_map(|said| match content(said) {
            Some(Content::Route(route)) if !said.otherwise => {
                let moves = route.decision == Decision::Rerouted as i32;
                let by_holder = holders.contains(said.key.from.as_str());
                (moves && by_holder).then_some(route.rerouted_to.as_str())
            }
            _ => None,
        });
        let more: Vec<&str> = rerouted
            .filter(|member| !member.is_empty() && !holders.contains(member))
            .collect();
        if more.is_empty() {
            return Some(holders);
        }
        holders.extend(more);
    }
}
