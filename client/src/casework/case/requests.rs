//! How requests go on: the two tables of states. Spec: CSE-14, CSE-15.

/// What a step does to a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The state is another now.
    To(&'static str),
    /// It stays, and nothing is wrong.
    Stays,
    /// It stays: the step does not fit what was said before.
    Contradicts,
}

type Row = (&'static str, &'static [&'static str]);

/// From which state a request to keep gets to which.
const KEEPING: &[Row] = &[
    (
        "sent",
        &["acked", "in_force", "not_possible", "converted", "released"],
    ),
    (
        "acked",
        &["in_force", "not_possible", "converted", "released"],
    ),
    (
        "in_force",
        &["in_force", "extended", "converted", "released", "expired"],
    ),
    (
        "extended",
        &["extended", "converted", "released", "expired"],
    ),
    ("converted", &["released"]),
    ("not_possible", &["in_force", "released"]),
    ("expired", &[]),
    ("released", &[]),
];

/// What may be said first to a request for data; the first two of it in this order alone, so that after each
/// the rest is left.
const FIRST: &[&str] = &[
    "acked",
    "preserved",
    "clarify",
    "partial",
    "delivered",
    "non_execution",
    "refused",
    "withdrawn",
    "enforcement",
    "objected",
];
const AFTER_ACKED: &[&str] = FIRST.split_at(1).1;
const AFTER_PRESERVED: &[&str] = FIRST.split_at(2).1;

/// From which state a request for data gets to which.
const PRODUCING: &[Row] = &[
    ("sent", FIRST),
    ("acked", AFTER_ACKED),
    ("preserved", AFTER_PRESERVED),
    (
        "clarify",
        &[
            "clarified",
            "partial",
            "delivered",
            "non_execution",
            "refused",
            "withdrawn",
            "enforcement",
            "objected",
        ],
    ),
    ("clarified", AFTER_ACKED),
    (
        "partial",
        &[
            "clarify",
            "partial",
            "delivered",
            "delivery_error",
            "non_execution",
            "refused",
            "withdrawn",
            "enforcement",
            "objected",
        ],
    ),
    (
        "delivered",
        &["delivered", "delivery_ok", "delivery_error", "objected"],
    ),
    ("delivery_error", AFTER_PRESERVED),
    (
        "non_execution",
        &[
            "clarified",
            "partial",
            "delivered",
            "withdrawn",
            "enforcement",
        ],
    ),
    (
        "refused",
        &["partial", "delivered", "withdrawn", "enforcement"],
    ),
    (
        "enforcement",
        &[
            "recognised",
            "partial",
            "delivered",
            "non_execution",
            "refused",
            "withdrawn",
            "objected",
        ],
    ),
    (
        "recognised",
        &[
            "partial",
            "delivered",
            "non_execution",
            "refused",
            "withdrawn",
        ],
    ),
    ("objected", &["withdrawn", "partial", "delivered"]),
    ("delivery_ok", &["objected"]),
    ("withdrawn", &[]),
];

/// Said late, these change nothing: what came after says more.
const EARLY: [&str; 2] = ["acked", "preserved"];
/// What is not kept any more, or for a reason without an end, cannot be asked to be kept longer.
const OVER: [&str; 4] = ["not_possible", "converted", "expired", "released"];
/// These never change the state.
const BESIDE: [&str; 5] = [
    "new_deadline",
    "validated",
    "no_objection",
    "extension",
    "reminder",
];

fn along(table: &'static [Row], state: &str, word: &str) -> Move {
    let to = match word {
        "objection" => "objected",
        "clarification" => "clarified",
        word => word,
    };
    let row = table.iter().find(|(from, _)| *from == state);
    let fits = row.and_then(|(_, next)| next.iter().find(|next| **next == to));
    match fits {
        Some(next) => Move::To(next),
        // What is confirmed of a part leaves it one: the rest is owed still.
        None if (state, to) == ("partial", "delivery_ok") => Move::Stays,
        None if to == "extension" && OVER.contains(&state) => Move::Contradicts,
        None if to == state || BESIDE.contains(&to) || EARLY.contains(&to) => Move::Stays,
        None => Move::Contradicts,
    }
}

/// What a step does to a request to keep.
pub(super) fn keeping(state: &str, word: &str) -> Move {
    along(KEEPING, state, word)
}

/// What a step does to a request for data.
pub(super) fn producing(state: &str, word: &str) -> Move {
    along(PRODUCING, state, word)
}

/// Whether the addressee has concluded a request for data by this.
pub(super) fn concludes(word: &str) -> bool {
    matches!(word, "delivered" | "non_execution" | "refused")
}
