//! Real nodes and real clients in deterministic worlds: one seed, one history.
//!
//! One program, so that as many worlds run at a time as there are processors.
#![allow(clippy::unwrap_used, missing_docs)]

mod admission;
mod attachments;
mod bulk;
mod crashes;
mod erasure;
mod gossip;
mod join;
mod journal;
mod network;
mod outbox;
mod recall;
mod restore;
mod witness;

use std::ops::RangeInclusive;

/// The seeds of a scenario, each of which is named before it is tried; `FREX_SEED=N` replays that one alone.
fn seeds(usual: RangeInclusive<u64>) -> impl Iterator<Item = u64> {
    let one = std::env::var("FREX_SEED").map(|seed| seed.parse().unwrap());
    let seeds = one.map_or(usual, |one| one..=one);
    seeds.inspect(|seed| println!("replay with FREX_SEED={seed}"))
}
