//! What is told of the reports of a cell beside how many they are. Spec: STA-21 to STA-23.

use std::collections::BTreeSet;

use super::Fact;

/// Figures of one cell as they are, before anything is hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Measures {
    /// How many they are.
    pub reports: u64,
    /// Of how many incidents.
    pub incidents: u64,
    /// Accounts that they name.
    pub accounts: u64,
    /// Files and places that they name.
    pub items: u64,
    /// The median until a recipient's node had it, in tenths of an hour.
    pub accepted_tenths: Option<u32>,
    /// Until it was opened.
    pub opened_tenths: Option<u32>,
    /// Until something was done.
    pub acted_tenths: Option<u32>,
}

/// Measures the reports of one cell. A median of fewer than `threshold` times is none.
#[must_use]
pub fn measure<'a>(facts: &(impl Iterator<Item = &'a Fact> + Clone), threshold: u64) -> Measures {
    let times = |at: fn(&Fact) -> Option<u64>| {
        let lasted = |fact: &Fact| Some(at(fact)?.saturating_sub(fact.times.filed_ms));
        median_tenths(facts.clone().filter_map(lasted).collect(), threshold)
    };
    Measures {
        reports: facts.clone().count() as u64,
        incidents: incidents(facts.clone()),
        accounts: facts.clone().map(|fact| fact.accounts).sum(),
        items: facts.clone().map(|fact| fact.items).sum(),
        accepted_tenths: times(|fact| fact.times.accepted_ms),
        opened_tenths: times(|fact| fact.times.opened_ms),
        acted_tenths: times(|fact| fact.times.acted_ms),
    }
}

/// Batches count once, what repeats another report not at all.
fn incidents<'a>(facts: impl Iterator<Item = &'a Fact>) -> u64 {
    let (mut alone, mut batches) = (0, BTreeSet::new());
    for fact in facts.filter(|fact| !fact.duplicate) {
        match &fact.incident {
            Some(incident) => {
                batches.insert(incident);
            }
            None => alone += 1,
        }
    }
    alone + batches.len() as u64
}

/// The middle one, or the mean of the two in the middle, in tenths of an hour, halves up.
pub(super) fn median_tenths(mut lasted_ms: Vec<u64>, threshold: u64) -> Option<u32> {
    const TENTH_MS: u64 = 360_000;
    if lasted_ms.is_empty() || (lasted_ms.len() as u64) < threshold {
        return None;
    }
    lasted_ms.sort_unstable();
    let high = lasted_ms[lasted_ms.len() / 2];
    let low = lasted_ms[(lasted_ms.len() - 1) / 2];
    let middle = low + (high - low) / 2;
    u32::try_from(middle.saturating_add(TENTH_MS / 2) / TENTH_MS).ok()
}

/// A share in whole per cent, halves up, of figures as they are shown.
pub(super) fn share(part: u64, whole: u64) -> Option<u32> {
    let percent =
        (part.checked_mul(200)?.checked_add(whole)?).checked_div(whole.checked_mul(2)?)?;
    u32::try_from(percent.min(100)).ok()
}
