//! The stage lattice: folding what was heard, in any order and any number of times.

use super::{Progress, Stage};
use crate::v1;

impl Stage {
    /// Every stage, in the lattice's order.
    pub const ALL: [Self; 9] = [
        Self::Submitted,
        Self::Undeliverable,
        Self::Expired,
        Self::Rejected,
        Self::Accepted,
        Self::Delivered,
        Self::Opened,
        Self::Acted,
        Self::Recalled,
    ];

    /// The stage that a member's word stands for; none if it says nothing known.
    #[must_use]
    pub fn of_word(word: v1::Stage) -> Option<Self> {
        match word {
            v1::Stage::Unspecified => None,
            v1::Stage::Delivered => Some(Self::Delivered),
            v1::Stage::Opened => Some(Self::Opened),
            v1::Stage::Acted => Some(Self::Acted),
        }
    }

    /// The stage that a node's logged event shows by itself; a member's word needs
    /// [`Stage::of_word`].
    #[must_use]
    pub fn of_event(event: v1::Event) -> Option<Self> {
        match event {
            v1::Event::Submitted | v1::Event::Forwarded => Some(Self::Submitted),
            v1::Event::Accepted => Some(Self::Accepted),
            v1::Event::Rejected => Some(Self::Rejected),
            _ => None,
        }
    }

    /// What is true when both were heard: the greater. Spec: DEL-5.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        self.max(other)
    }

    /// What is true when all of `heard` were; none if nothing was. Spec: DEL-5.
    #[must_use]
    pub fn fold(heard: impl IntoIterator<Item = Self>) -> Option<Self> {
        heard.into_iter().reduce(Self::join)
    }

    /// Whether the sender's node has nothing more to do to bring it there.
    #[must_use]
    pub fn ends_delivery(self) -> bool {
        self > Self::Submitted
    }

    /// Whether it ended without reaching the recipient's node.
    #[must_use]
    pub fn has_failed(self) -> bool {
        matches!(self, Self::Undeliverable | Self::Expired | Self::Rejected)
    }

    /// Stable upper-case name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Submitted => "SUBMITTED",
            Self::Undeliverable => "UNDELIVERABLE",
            Self::Expired => "EXPIRED",
            Self::Rejected => "REJECTED",
            Self::Accepted => "ACCEPTED",
            Self::Delivered => "DELIVERED",
            Self::Opened => "OPENED",
            Self::Acted => "ACTED",
            Self::Recalled => "RECALLED",
        }
    }
}

impl Progress {
    /// An envelope just submitted to `recipients`.
    pub fn submitted(recipients: impl IntoIterator<Item = String>) -> Self {
        Self {
            stages: recipients
                .into_iter()
                .map(|recipient| (recipient, Stage::Submitted))
                .collect(),
        }
    }

    /// Takes what was heard about one recipient; says whether anything changed. Word about
    /// someone who is not a recipient changes nothing. Spec: DEL-6.
    pub fn hear(&mut self, recipient: &str, stage: Stage) -> bool {
        let Some(known) = self.stages.get_mut(recipient) else {
            return false;
        };
        let joined = known.join(stage);
        std::mem::replace(known, joined) != joined
    }

    /// The stage of one recipient.
    #[must_use]
    pub fn stage(&self, recipient: &str) -> Option<Stage> {
        self.stages.get(recipient).copied()
    }

    /// Recipients and their stages, by member id.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Stage)> {
        self.stages
            .iter()
            .map(|(recipient, stage)| (recipient.as_str(), *stage))
    }

    /// Whether nobody's delivery is still under way.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.stages.values().all(|stage| stage.ends_delivery())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stage() -> impl Strategy<Value = Stage> {
        prop::sample::select(Stage::ALL.to_vec())
    }

    fn heard() -> impl Strategy<Value = Vec<(usize, Stage)>> {
        prop::collection::vec((0..4_usize, stage()), 0..24)
    }

    proptest! {
        // DEL-5: order and repetition do not matter.
        #[test]
        fn fold_gives_the_same_stage_in_any_order(
            (heard, shuffled) in prop::collection::vec(stage(), 0..16)
                .prop_flat_map(|heard| (Just(heard.clone()), Just(heard).prop_shuffle())),
        ) {
            let twice = shuffled.iter().chain(&heard).copied();
            prop_assert_eq!(Stage::fold(twice), Stage::fold(heard.iter().copied()));
        }

        // DEL-5: join is associative, commutative and idempotent, and never loses ground.
        #[test]
        fn join_is_a_lattice(a in stage(), b in stage(), c in stage()) {
            prop_assert_eq!(a.join(b), b.join(a));
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
            prop_assert_eq!(a.join(a), a);
            prop_assert!(a.join(b) >= a && a.join(b) >= b);
        }

        // DEL-6
        #[test]
        fn progress_is_the_same_in_any_order(
            (heard, shuffled) in heard()
                .prop_flat_map(|heard| (Just(heard.clone()), Just(heard).prop_shuffle())),
        ) {
            let names = ["a", "b", "c"];
            let tell = |heard: &[(usize, Stage)]| {
                let mut progress = Progress::submitted(names.map(str::to_owned));
                for (recipient, stage) in heard {
                    progress.hear(names.get(*recipient).unwrap_or(&"stranger"), *stage);
                }
                progress
            };
            prop_assert_eq!(tell(&heard), tell(&shuffled));
        }
    }

    // DEL-5
    #[test]
    fn the_lattice_has_every_stage_once_in_its_order() {
        assert!(Stage::ALL.windows(2).all(|pair| pair[0] < pair[1]));
    }

    // DEL-6: the recipient's receipt is worth more than the sender's node giving up.
    #[test]
    fn a_late_acceptance_overrules_an_expiry() {
        let mut progress = Progress::submitted(["a".to_owned()]);
        assert!(!progress.is_settled());
        assert!(progress.hear("a", Stage::Expired));
        assert!(progress.is_settled());
        assert!(progress.hear("a", Stage::Accepted));
        assert!(!progress.hear("a", Stage::Expired));
        assert_eq!(progress.stage("a"), Some(Stage::Accepted));
    }
}
