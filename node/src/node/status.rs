//! What an operator reads about a running node.

use frex_proto::{log::Checkpoint, roster::Standing, v1::Lane};

use super::{Alarm, HalfLife, NodeStatus, Waiting};
use crate::{index::Table, ledger::records, metrics::lane_name, shared::Shared};

/// Waiting things are counted up to here.
const COUNT_MAX: usize = 10_000;

pub(super) fn of(shared: &Shared) -> NodeStatus {
    let roster = &shared.roster();
    let origin = roster
        .log_verifier(&shared.id)
        .map(|log| log.origin)
        .unwrap_or_default();
    let checkpoint = shared.ledger.checkpoint.borrow().clone();
    let log_size = log_size(shared);
    let room = shared.room();
    let (under_way_bytes, under_way_bytes_highest) = shared.admission.memory().held_bytes();
    NodeStatus {
        node: shared.id.clone(),
        federation: roster.federation().to_owned(),
        roster_version: roster.version(),
        roster_standing: standing_name(roster.standing(shared.now_ms())),
        roster_expires_ms: roster.expires_ms(),
        log_origin: origin,
        log_key: shared.keys.log.key_id().to_string(),
        tls_key: shared.keys.tls.key_id().to_string(),
        log_size,
        checkpoint: String::from_utf8_lossy(&checkpoint).into_owned(),
        final_size: roster.witnessing().map(|_| final_size(shared)),
        unwitnessed_since_ms: shared.witnessed.waits_since_ms(),
        doubted_logs: shared.heads.doubts(),
        forked_logs: shared.heads.forks(),
        outbox: waiting(
            shared,
            Table::Outbox,
            roster.nodes().map(|node| node.id.as_str()),
        ),
        half_life: half_life(shared),
        inbox: waiting(
            shared,
            Table::Inbox,
            roster
                .members()
                .filter(|member| member.home_node == shared.id)
                .map(|member| member.id.as_str()),
        ),
        sessions: shared.endpoint.open_connections(),
        disk_free_bytes: room.free_bytes,
        lanes_refused: shared.lanes_refused(),
        under_way_bytes,
        under_way_bytes_highest,
        uptime_ms: shared.now_ms().saturating_sub(shared.started_ms),
    }
}

/// What a person should look at, each with how much of it there is.
pub(super) fn alarms(shared: &Shared) -> Vec<Alarm> {
    let late = half_life(shared).into_iter().map(|late| Alarm {
        kind: "half-life",
        node: late.node,
        lane: late.lane,
        count: late.count,
    });
    let of_log = |kind: &'static str, node: String, count: usize| Alarm {
        kind,
        node,
        lane: "",
        count,
    };
    let doubted = shared.heads.doubts().into_iter();
    let doubted = doubted.map(|log| of_log("log-doubted", log.node, 1));
    let forked = shared.heads.forks().into_iter();
    let forked = forked.map(|node| of_log("log-forked", node, 1));
    let refused = [Lane::Bulk, Lane::Normal];
    let refused = refused
        .iter()
        .filter(|lane| !shared.is_witnessed_for(**lane));
    let refused = match refused.count() {
        0 => None,
        lanes => Some(of_log("unwitnessed", shared.id.clone(), lanes)),
    };
    late.chain(doubted).chain(forked).chain(refused).collect()
}

/// Entries in the log.
pub(super) fn log_size(shared: &Shared) -> u64 {
    size_of(&shared.ledger.checkpoint.borrow())
}

/// Entries that enough witnesses have seen.
fn final_size(shared: &Shared) -> u64 {
    let cosigned = shared.ledger.cosigned();
    cosigned.map_or(0, |cosigned| size_of(&cosigned))
}

fn size_of(checkpoint: &[u8]) -> u64 {
    Checkpoint::of_note(checkpoint).map_or(0, |head| head.size)
}

pub(super) fn half_life(shared: &Shared) -> Vec<HalfLife> {
    let late = shared.desks.late().into_iter();
    late.map(|(node, lane, count)| HalfLife {
        node,
        lane: lane_name(lane),
        count,
    })
    .collect()
}

fn standing_name(standing: Standing) -> &'static str {
    match standing {
        Standing::Current => "current",
        Standing::Stale => "stale",
        Standing::Unconfirmed => "unconfirmed",
        Standing::Expired => "expired",
        Standing::Void => "void",
    }
}

fn waiting<'a>(
    shared: &Shared,
    table: Table,
    owners: impl Iterator<Item = &'a str>,
) -> Vec<Waiting> {
    owners
        .filter_map(|owner| {
            let rows =
                shared
                    .ledger
                    .index
                    .scan(table, &records::queue_prefix(owner), None, COUNT_MAX);
            let count = rows.map_or(0, |rows| rows.len());
            (count > 0).then(|| Waiting {
                owner: owner.to_owned(),
                count,
            })
        })
        .collect()
}
