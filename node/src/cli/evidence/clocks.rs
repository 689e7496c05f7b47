//! What a clock proves, and what it does not, in sentences. Spec: EVD-8, EVD-10, EVD-15.

use frex_proto::evidence::{Clock, Findings, Proof, State};

use crate::cli::time::rfc3339;

/// What is told of.
#[derive(Debug, Clone, Copy)]
pub(super) enum Told {
    /// A file, which says the same whenever it is read.
    File,
    /// What the own folder holds by now, milliseconds.
    Folder { now_ms: u64 },
}

impl Told {
    /// Of a folder, an answer that is due and not there is overdue, by the clock here.
    pub(super) fn state(self, clock: &Clock) -> State {
        match (clock.state(), self.late_ms(clock)) {
            (State::Open, Some(_)) => State::Overdue,
            (state, _) => state,
        }
    }

    pub(super) fn overdue_ms(self, clock: &Clock) -> Option<u64> {
        clock.overdue_ms().or_else(|| self.late_ms(clock))
    }

    /// How long the clock here is past the time by which an open answer was due.
    fn late_ms(self, clock: &Clock) -> Option<u64> {
        match self {
            Self::Folder { now_ms } if clock.state() == State::Open => {
                now_ms.checked_sub(clock.due_ms?).filter(|late| *late > 0)
            }
            _ => None,
        }
    }
}

/// A header names what it answers, and no more. Spec: EVD-15.
const ANSWERED: &str = "Whether that answers all that was asked, its header does not say.";

/// Sentences about one recipient of one request, each with its proof.
pub(super) fn words(clock: &Clock, findings: &Findings, told: Told) -> Vec<String> {
    let (asker, member) = (&clock.asker, &clock.member);
    let mut lines = Vec::new();
    lines.push(match clock.received {
        Some((at_ms, proof)) => {
            let (node, index) = entry(proof, findings);
            format!(
                "{node} has signed that it had this for {member} at {} ({proof}, entry #{index} of its log).",
                rfc3339(at_ms)
            )
        }
        None => format!("Nothing in this file shows that it reached the node of {member}."),
    });
    if let Some(due_ms) = clock.due_ms {
        let due = rfc3339(due_ms);
        lines.push(format!("{asker} signed that it awaits an answer by {due}."));
    }
    match clock.further {
        0 => {}
        1 => lines.push(format!(
            "1 further message by {asker} that names it reached the node of {member} too; whether it reminds, extends or ends it, its header does not say."
        )),
        count => lines.push(format!(
            "{count} further messages by {asker} that name it reached the node of {member} too; whether they remind, extend or end it, their headers do not say."
        )),
    }
    lines.extend(end(clock, findings, told));
    lines
}

fn end(clock: &Clock, findings: &Findings, told: Told) -> Vec<String> {
    let (asker, member) = (&clock.asker, &clock.member);
    let after = |words: &str| {
        let elapsed = clock.elapsed_ms().map(length);
        elapsed.map_or_else(String::new, |elapsed| format!(", {elapsed} {words}"))
    };
    if let Some((at_ms, proof)) = clock.answered {
        let (node, index) = entry(proof, findings);
        let late = match clock.overdue_ms() {
            Some(0) => ", in time".to_owned(),
            Some(late_ms) => format!(", {} after it was due", length(late_ms)),
            None => String::new(),
        };
        return vec![
            format!(
                "{node} has signed that it had an answer by {member} at {}{}{late} ({proof}, entry #{index} of its log).",
                rfc3339(at_ms),
                after("after it had the request")
            ),
            ANSWERED.to_owned(),
        ];
    }
    let Some((at_ms, proof)) = clock.silent else {
        return open(clock, told);
    };
    let head = match proof {
        Proof::Silence(place) => findings.silences[place].as_ref().map(|one| &one.head),
        Proof::Exhibit(_) | Proof::Receipt(_) => None,
    };
    let (size, origin) = head.map_or((0, ""), |head| (head.size, head.origin.as_str()));
    let mut lines = vec![
        format!(
            "{asker} states at {}{} that within the first {size} entries of {origin}, the log of its node, no answer by {member} had come to it ({proof}).",
            rfc3339(at_ms),
            after("after that node had it")
        ),
        format!(
            "That is the word of {asker}, signed by its key: a log proves what is in it, and not what is not. If {member} holds a receipt of an answer among those entries, the word is proved false."
        ),
    ];
    if let (State::Overdue, Some(late_ms)) = (clock.state(), clock.overdue_ms()) {
        lines.push(format!(
            "By then the answer was overdue by {}.",
            length(late_ms)
        ));
    }
    lines
}

/// There is neither an answer nor a word that there is none.
fn open(clock: &Clock, told: Told) -> Vec<String> {
    let member = &clock.member;
    if matches!(told, Told::File) {
        return vec![format!(
            "This file holds no answer by {member}, and nobody states in it that there is none."
        )];
    }
    let mut lines = vec![format!(
        "No answer by {member} is in this folder; one may wait in the inbox."
    )];
    if let Some(late_ms) = told.late_ms(clock) {
        lines.push(format!(
            "By the clock here it is overdue by {}. To state that, signed: frex evidence export with --silence.",
            length(late_ms)
        ));
    }
    lines
}

/// The node and the entry of its log that a receipt proves.
fn entry(proof: Proof, findings: &Findings) -> (&str, u64) {
    let proven = findings.receipt(proof);
    proven.map_or(("", 0), |proven| {
        (
            proven.verified.statement.node.as_str(),
            proven.verified.index,
        )
    })
}

/// A length of time in its two largest units.
#[must_use]
pub fn length(ms: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "min"),
        (1000, "s"),
        (1, "ms"),
    ];
    let first = units.iter().position(|(unit, _)| ms >= *unit);
    let Some(first) = first else {
        return "0 s".to_owned();
    };
    let mut rest = ms;
    let mut parts = Vec::new();
    for (unit, name) in units.iter().skip(first).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 {
            parts.push(format!("{count} {name}"));
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use frex_proto::id::MessageId;

    use super::*;

    // EVD-15: what an asker sent later is not called a reminder, and an answer not a whole one.
    #[test]
    fn no_sentence_says_more_than_the_headers_do() {
        let clock = |further| Clock {
            message: MessageId([7; 16]),
            asker: "police.example-a".to_owned(),
            member: "platform.example-b".to_owned(),
            received: Some((1000, Proof::Receipt(0))),
            due_ms: Some(9000),
            further,
            answered: Some((5000, Proof::Receipt(1))),
            silent: None,
        };
        let said = |further| words(&clock(further), &Findings::default(), Told::File).join("\n");
        assert!(!said(0).contains("further message"), "{}", said(0));
        assert!(said(1).contains("1 further message by police.example-a"));
        assert!(said(3).contains("3 further messages by police.example-a"));
        for text in [said(0), said(1), said(3)] {
            assert!(!text.contains("reminder"), "{text}");
            assert!(text.contains(ANSWERED), "{text}");
        }
    }

    #[test]
    fn a_length_has_its_two_largest_units() {
        let said = [0, 7, 1000, 61_005, 3_600_000, 90_061_000].map(length);
        let wanted = ["0 s", "7 ms", "1 s", "1 min 1 s", "1 h", "1 d 1 h"];
        assert_eq!(said, wanted);
    }
}
