//! How long an envelope lives when its sender does not say.

use crate::{limits::LIFE_MS_MAX, v1::Lane};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The life of an envelope by its lane, milliseconds: a day, a week, thirty days. Spec: DEL-4.
#[must_use]
pub fn default_life_ms(lane: Lane) -> u64 {
    match lane {
        Lane::Urgent | Lane::Control | Lane::Unspecified => DAY_MS,
        Lane::Normal => 7 * DAY_MS,
        Lane::Bulk => 30 * DAY_MS,
    }
}

const _: () = assert!(30 * DAY_MS <= LIFE_MS_MAX);

#[cfg(test)]
mod tests {
    use super::*;

    // DEL-4: what a program's draft lives by when its caller names no life.
    #[test]
    fn every_lane_has_the_life_of_its_row() {
        let rows = [
            (Lane::Urgent, 24),
            (Lane::Control, 24),
            (Lane::Normal, 7 * 24),
            (Lane::Bulk, 30 * 24),
        ];
        for (lane, hours) in rows {
            assert_eq!(default_life_ms(lane), hours * HOUR_MS);
        }
    }
}
