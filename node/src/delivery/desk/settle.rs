//! What follows from how a batch went: which items rest, and whether the lane does.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use frex_proto::error::WireCode;
use rand_core::Rng;
use tokio::time::Instant;

use super::{Desk, State};
use crate::{
    delivery::{
        About, Attempt, Report, Tried,
        breaker::{Breaker, speaks_of_destination},
    },
    ledger::records::{LANES, lane_slot},
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
                // Under way until the destination has them.
                Attempt::Attachments => {
                    state.in_flight.insert(tried.key);
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

    /// The destination was brought so many chunks of what it lacked of an item, which then goes at
    /// once; or it was not, and the item rests as after any refusal, so that a destination that
    /// lacks them for ever is not asked for ever. Spec: ATT-18.
    pub fn brought(&self, key: Bytes, chunks: Result<u32, WireCode>, rng: &mut dyn Rng) {
        let (mut state, slot) = (self.lock(), lane_slot(&key));
        state.in_flight.remove(&key);
        match chunks {
            Ok(chunks) if chunks > 0 => match state.rest(key, WireCode::AttachmentMissing) {
                Some(resting) => resting.until = Instant::now(),
                None => state.cursors[slot] = None,
            },
            _ => {
                let code = chunks.err().unwrap_or(WireCode::AttachmentMissing);
                state.refuse(slot, key, (code, 0), false, rng);
            }
        }
    }
}

/// Whether the destination said anything.
fn is_word(tried: &Tried) -> bool {
    match tried.attempt {
        Attempt::Answered | Attempt::Attachments => true,
        Attempt::Again { about, .. } => about != About::Silence,
        _ => false,
    }
}

/// Whether the destination showed that it takes what it is sent, if it is right.
fn is_sign_of_life(tried: &Tried) -> bool {
    match tried.attempt {
        Attempt::Answered | Attempt::Attachments => true,
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
                self.breakers.iter_mut().for_each(Breaker::hurry);
            }
        } else if probe {
            self.breakers[slot].forget_probe();
        }
    }
}

#[cfg(test)]
mod tests {
    use frex_proto::{limits, v1::OutboxState};
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;
    use crate::{
        delivery::{breaker::Passage, desk::Desks},
        journal::Position,
        ledger::records::queue_key,
    };

    const NORMAL: usize = 2;

    struct Scene {
        desk: Arc<Desk>,
        rng: ChaCha20Rng,
    }

    fn key(number: u64) -> Bytes {
        let lane = LANES[NORMAL].into();
        queue_key("node.es", lane, Position::from_u64(number)).into()
    }

    fn again(code: WireCode, about: About) -> Attempt {
        Attempt::Again {
            code,
            retry_after_ms: 0,
            about,
        }
    }

    impl Scene {
        fn new() -> Self {
            Self {
                desk: Desks::default().open("node.es", 3),
                rng: ChaCha20Rng::seed_from_u64(1),
            }
        }

        /// What became of items that went out together at `began`.
        fn settle(&mut self, began: Instant, tried: Vec<(u64, Attempt)>) {
            let tried = tried.into_iter();
            let tried = tried.map(|(number, attempt)| Tried {
                key: key(number),
                attempt,
            });
            let report = Report {
                slot: NORMAL,
                probe: false,
                began,
                tried: tried.collect(),
            };
            self.desk
                .settle(report, &Arc::new(Suspensions::default()), &mut self.rng);
        }

        fn state(&self, number: u64) -> OutboxState {
            self.desk.outlook(&key(number)).state
        }

        fn is_alone(&self, number: u64) -> bool {
            let state = self.desk.lock();
            state
                .resting
                .get(&key(number))
                .is_some_and(|item| item.alone)
        }

        fn lane_rests(&self) -> bool {
            self.desk.lock().breakers[NORMAL].passage(Instant::now()) != Passage::All
        }
    }

    // DEL-41, LIM-60: however many are refused, so many are remembered, and the others are not forgotten.
    #[test]
    fn what_rests_is_bounded_and_the_rest_is_looked_for_again() {
        let mut scene = Scene::new();
        let unknown = || again(WireCode::KeyUnknown, About::Item);
        for number in 0..2 * limits::RESTING_ITEMS_MAX as u64 {
            scene.settle(Instant::now(), vec![(number, unknown())]);
        }
        assert_eq!(scene.desk.load().0, limits::RESTING_ITEMS_MAX);
        let at = scene.desk.lock().look_again[NORMAL].expect("the lane is looked through again");
        let longest = Duration::from_millis(frex_proto::delivery::cap_ms(LANES[NORMAL]));
        assert!(at <= Instant::now() + longest);
        // One that is answered makes room.
        scene.settle(Instant::now(), vec![(0, Attempt::Answered)]);
        assert_eq!(scene.desk.load().0, limits::RESTING_ITEMS_MAX - 1);
    }

    // DEL-39, DEL-41: what speaks of the destination is remembered once, for the lane.
    #[test]
    fn a_destination_in_trouble_rests_lanes_and_not_items() {
        for about in [About::Item, About::Request] {
            let mut scene = Scene::new();
            let full = (0..64).map(|number| (number, again(WireCode::DiskFull, about)));
            scene.settle(Instant::now(), full.collect());
            assert_eq!(scene.desk.load().0, 0);
            assert!(scene.lane_rests());
            assert_eq!(scene.state(7), OutboxState::Unreachable);
        }
        // But if others were answered beside it, it is about the one.
        let mut scene = Scene::new();
        let full = again(WireCode::DiskFull, About::Item);
        scene.settle(Instant::now(), vec![(1, full), (2, Attempt::Answered)]);
        assert!(!scene.lane_rests());
        assert_eq!(scene.state(1), OutboxState::Resting);
        assert_eq!(scene.state(3), OutboxState::Waiting);
    }

    // DEL-42: a request refused for what may be in it is taken apart; so is one that alone is not
    // answered. Where nothing is answered, nobody is suspected.
    #[test]
    fn what_may_be_poison_goes_alone() {
        let mut scene = Scene::new();
        let company = || again(WireCode::Malformed, About::Company);
        scene.settle(Instant::now(), vec![(1, company()), (2, company())]);
        assert!(scene.is_alone(1) && scene.is_alone(2) && !scene.lane_rests());

        let silence = || again(WireCode::TimedOut, About::Silence);
        let mut scene = Scene::new();
        let began = Instant::now();
        scene.settle(began, vec![(1, silence()), (2, silence())]);
        assert!(!scene.is_alone(1) && scene.lane_rests());
        let later = Instant::now();
        scene.settle(later, vec![(3, Attempt::Answered)]);
        assert!(!scene.lane_rests());
        scene.settle(began, vec![(1, silence()), (2, silence())]);
        assert!(scene.is_alone(1) && scene.is_alone(2) && !scene.lane_rests());
    }
}
