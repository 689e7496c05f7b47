//! What routing looks at of a roster.

use std::collections::BTreeSet;

use frex_proto::{roster::Roster, v1};

use super::{Lane, Role, RosterView, Seat};

impl RosterView {
    /// The members of a roster in force. Whoever has no sealing key that is good at `now_ms` is not live here:
    /// nothing can be sealed to it.
    #[must_use]
    pub fn of(roster: &Roster, now_ms: u64) -> Self {
        let seat = |member: &frex_proto::roster::Member| {
            let takes = |lane| member.accepts(v1::Kind::Report, lane);
            let lanes = [
                (Lane::Urgent, v1::Lane::Urgent),
                (Lane::Normal, v1::Lane::Normal),
            ];
            let lanes: BTreeSet<Lane> = lanes
                .into_iter()
                .filter(|(_, lane)| takes(*lane))
                .map(|(own, _)| own)
                .collect();
            Seat {
                id: member.id.clone(),
                role: Role::of(member.role),
                country: member.country.clone(),
                jurisdictions: member.jurisdictions.iter().cloned().collect(),
                live: roster.sealing_key(&member.id, now_ms).is_some(),
                lanes,
            }
        };
        Self {
            version: roster.version(),
            members: roster.members().map(seat).collect(),
        }
    }

    /// The member of this id.
    #[must_use]
    pub fn seat(&self, id: &str) -> Option<&Seat> {
        self.members.iter().find(|seat| seat.id == id)
    }
}

impl Role {
    /// That of the roster.
    #[must_use]
    pub fn of(role: v1::Role) -> Self {
        match role {
            v1::Role::Hotline => Self::Hotline,
            v1::Role::Platform => Self::Platform,
            v1::Role::Police => Self::Police,
            v1::Role::Prosecutor => Self::Prosecutor,
            v1::Role::ClearingHouse => Self::ClearingHouse,
            v1::Role::Oversight => Self::Oversight,
            v1::Role::Unspecified => Self::Unknown,
        }
    }
}
