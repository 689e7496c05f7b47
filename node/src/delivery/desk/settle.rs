//! What follows from how a batch went: which items rest, and whether the lane does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::error::WireCode;
use rand_core::Rng;
use tokio::time::Instant;

use super::{Desk, State};
use crate::{
    delivery::{About, Attempt, Report, Tried, breaker::speaks_of_destination},
    ledger::records::LANES,
    suspension::Suspensions,
};

/// How often what is withheld is looked at even though nobody changed a suspension.
const WITHHELD_PAUSE: Duration = Duration::from_secs(60);

/// A code, and how long the destination wants to be left alone.
type Refusal = (WireCode, u64);

/// What decides whom a failure in a batch concerns.
struct Company {
    /// Some item was answered for good: what others met is their own.
    some_answered: bool,
    /// The destination spoke, in this batch or about others meanwhile: silence is about an item.
    spoke: bool,
    /// There was more than one item.
    many: bool,
}

impl Company {
    fn blames_lane(&self, code: WireCode, about: About) -> bool {
        !self.some_answered
            && match about {
                About::Item => speaks_of_destination(code),
                About::Request => true,
                About::Company => false,
                About::Silence => !self.spoke,
            }
    }
}

impl Desk {
    /// Takes note of how a batch went. `suspended` is the list in force. Spec: DEL-39 … DEL-42.
    pub fn settle(&self, report: Report, suspended: &Arc<Suspensions>, rng: &mut dyn Rng) {
        let mut state = self.lock();
        state.slots.end(report.slot);
        let heard = report.tried.iter().any(is_word);
        let meanwhile = state.heard.is_some_and(|at| at > report.began);
        let answered = |tried: &Tried| tried.attempt == Attempt::Answered;
        let company = Company {
            some_answered: report.tried.iter().any(answered),
            spoke: heard || meanwhile,
            many: report.tried.len() > 1,
        };
        if heard {
            state.heard = Some(Instant::now());
        }
        let alive = report.tried.iter().any(is_sign_of_life);
        let mut trouble: Option<Refusal> = None;
        for tried in report.tried {
            state.in_flight.remove(&tried.key);
            let slot = report.slot;
            match tried.attempt {
                Attempt::Answered | Attempt::Ended => {
                    state.resting.remove(&tried.key);
                }
                Attempt::Withheld(by) => {
                    state.withhold(tried.key, Arc::ptr_eq(&by, suspended));
                }
                Attempt::Unreadable => {
                    state.refuse(slot, tried.key, (WireCode::StorageFailed, 0), false, rng);
                }
                Attempt::Again {
                    code,
                    retry_after_ms,
                    about,
                } => {
                    let refusal = (code, retry_after_ms);
                    if company.blames_lane(code, about) {
                        let longest = trouble.map_or(0, |(_, longest)| longest);
                        trouble = Some((code, retry_after_ms.max(longest)));
                        // What the lane rests for needs no rest of its own, unless it has one.
                        if !state.resting.contains_key(&tried.key) {
                            continue;
                        }
                    }
                    let alone = matches!(about, About::Company | About::Silence);
                    state.refuse(slot, tried.key, refusal, alone && company.many, rng);
                }
            }
        }
        state.conclude((report.slot, report.probe), trouble, alive, rng);
    }
}

/// Whether the destination said anything.
fn is_word(tried: &Tried) -> bool {
    match tried.attempt {
        Attempt::Answered => true,
        Attempt::Again { about, .. } => about != About::Silence,
        _ => false,
    }
}

/// Whether the destination showed that it takes what it is sent, if it is right.
fn is_sign_of_life(tried: &Tried) -> bool {
    match tried.attempt {
        Attempt::Answered => true,
        Attempt::Again { code, about, .. } => match about {
            About::Item => !speaks_of_destination(code),
            About::Company => true,
            About::Request | About::Silence => false,
        },
        _ => false,
    }
}

impl State {
    /// An item rests; or, if what it was sent with failed for it, goes alone at once.
    fn refuse(
        &mut self,
        slot: usize,
        key: Bytes,
        (code, retry_after_ms): Refusal,
        alone: bool,
        rng: &mut dyn Rng,
    ) {
        let Some(resting) = self.rest(key, code) else {
            return;
        };
        let wait_ms = resting.backoff.refused(LANES[slot], retry_after_ms, rng);
        resting.until = Instant::now();
        if alone {
            resting.alone = true;
        } else {
            resting.until += Duration::from_millis(wait_ms);
        }
    }

    fn withhold(&mut self, key: Bytes, list_is_in_force: bool) {
        if let Some(resting) = self.rest(key, WireCode::PeerSuspended) {
            resting.withheld = true;
            resting.until = Instant::now();
            if list_is_in_force {
                resting.until += WITHHELD_PAUSE;
            }
        }
    }

    /// Whether the lane rests from now on, or no longer.
    fn conclude(
        &mut self,
        (slot, probe): (usize, bool),
        trouble: Option<Refusal>,
        alive: bool,
        rng: &mut dyn Rng,
    ) {
        if let Some(refusal) = trouble {
            if self.breakers[slot].refused(LANES[slot], refusal, probe, (Instant::now(), rng)) {
                self.cursors[slot] = None;
            }
        } else if alive {
            if self.breakers[slot].answered() {
                self.cursors[slot] = None;
                self.breakers.iter_mut().for_each(|other| other.hurry());
            }
        } else if probe {
            self.breakers[slot].forget_probe();
        }
    }
}
