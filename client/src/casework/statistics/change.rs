//! What changed from one figure to another, exactly. Spec: STA-25.

use super::CHANGE_BASE_MIN;

/// The change from `before` to `after` in whole per cent, halves away from zero: from 785,322 to
/// 2,497,438 it is 218. None where it began with fewer than 50.
#[must_use]
pub fn change(before: u64, after: u64) -> Option<i128> {
    if before < CHANGE_BASE_MIN {
        return None;
    }
    let (before, after) = (i128::from(before), i128::from(after));
    let difference = (after - before) * 100;
    let size = (difference.abs() * 2 + before) / (before * 2);
    Some(size * difference.signum())
}

/// A change as it is written: `+218 %`, `-12 %`, `0 %`.
#[must_use]
pub fn percent(change: i128) -> String {
    match change {
        0 => "0 %".to_owned(),
        change => format!("{change:+} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // STA-25: the year of which everybody has heard, halves, falls, and what is too little to compare.
    #[test]
    fn a_change_is_exact_and_needs_fifty() {
        assert_eq!(
            change(785_322, 2_497_438).map(percent).as_deref(),
            Some("+218 %")
        );
        assert_eq!(change(200, 201).map(percent).as_deref(), Some("+1 %"));
        assert_eq!(change(200, 199).map(percent).as_deref(), Some("-1 %"));
        assert_eq!(change(1000, 1004).map(percent).as_deref(), Some("0 %"));
        assert_eq!(change(50, 0).map(percent).as_deref(), Some("-100 %"));
        assert_eq!(change(49, 5000), None);
        assert_eq!(change(u64::MAX, u64::MAX), Some(0));
    }
}
