//! What a clock proves, and what it does not, in sentences. Spec: EVD-8, EVD-10.

use frex_proto::evidence::{Clock, Findings, Proof, State};

use crate::cli::time::rfc3339;

/// Sentences about one recipient of one request, each with its proof.
pub(super) fn words(clock: &Clock, findings: &Findings) -> Vec<String> {
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
    if clock.reminders > 0 {
        let count = clock.reminders;
        let what = if count == 1 { "reminder" } else { "reminders" };
        lines.push(format!(
            "{count} {what} by {asker} reached the node of {member} too."
        ));
    }
    lines.extend(end(clock, findings));
    lines
}

fn end(clock: &Clock, findings: &Findings) -> Vec<String> {
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
        return vec![format!(
            "{node} has signed that it had an answer by {member} at {}{}{late} ({proof}, entry #{index} of its log).",
            rfc3339(at_ms),
            after("after it had the request")
        )];
    }
    let Some((at_ms, proof)) = clock.silent else {
        return vec![format!(
            "This file holds no answer by {member}, and nobody states in it that there is none."
        )];
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

/// The node and the entry of its log that a receipt proves.
fn entry(proof: Proof, findings: &Findings) -> (&str, u64) {
    let Proof::Receipt(place) = proof else {
        return ("", 0);
    };
    let proven = findings.receipts.get(place).and_then(Option::as_ref);
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
    use super::*;

    #[test]
    fn a_length_has_its_two_largest_units() {
        let said = [0, 7, 1000, 61_005, 3_600_000, 90_061_000].map(length);
        let wanted = ["0 s", "7 ms", "1 s", "1 min 1 s", "1 h", "1 d 1 h"];
        assert_eq!(said, wanted);
    }
}
