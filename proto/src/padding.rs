//! Padmé: lengths rounded up so that only their order of magnitude shows, at most 12 % more.
//! Spec: ENV-14.

/// The padded length of `length` bytes.
pub(crate) fn padded(length: usize) -> usize {
    let Some(exponent) = length.checked_ilog2() else {
        return 0;
    };
    let Some(mantissa) = exponent.checked_ilog2().map(|bits| bits + 1) else {
        return length;
    };
    let mask = (1_usize << exponent.saturating_sub(mantissa)) - 1;
    (length + mask) & !mask
}

/// Smallest k with `length` at most 2^k. Spec: ENV-9.
pub(crate) fn size_class(length: u64) -> u32 {
    match length {
        0 | 1 => 0,
        _ => 64 - (length - 1).leading_zeros(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    // ENV-14: known answers.
    #[test]
    fn padding_gives_the_known_answers() {
        for (length, expected) in [(40, 40), (45, 48), (1000, 1024), (1_000_000, 1_015_808)] {
            assert_eq!(padded(length), expected);
        }
    }

    // ENV-9
    #[test]
    fn size_class_is_the_smallest_power_that_holds() {
        for (length, class) in [(1, 0), (2, 1), (112, 7), (128, 7), (129, 8), (1 << 20, 20)] {
            assert_eq!(size_class(length), class);
        }
    }

    proptest! {
        // ENV-14: at most 12 % more, and padding a padded length changes nothing.
        #[test]
        fn padding_adds_little_and_settles(length in 40_usize..2_000_000) {
            let once = padded(length);
            prop_assert!(once >= length && (once - length) * 100 <= length * 12);
            prop_assert_eq!(padded(once), once);
        }
    }
}
