//! That the node takes nothing at the moment, said without filling the screen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use indicatif::ProgressBar;

use crate::cli::{output, time::seconds};

/// Of a node that does not answer.
pub(super) const AWAY: &str =
    "the node does not answer; waiting for it; Ctrl-C is safe: the same command goes on";
/// The same is not said more often.
const SAY_PAUSE: Duration = Duration::from_secs(60);
/// What the bar counts.
const REPORTS: &str = "reports";

/// Since when the node takes nothing, and what was said of it.
#[derive(Default)]
pub(super) struct Waiting {
    since: Option<(Instant, WireCode)>,
    said: BTreeMap<WireCode, Said>,
}

/// Something that was said.
struct Said {
    at: Instant,
    /// Whether the node has taken a report since.
    over: bool,
}

impl Waiting {
    /// The node wants to be left alone for so long.
    pub(super) fn delayed(&mut self, bar: &ProgressBar, code: WireCode, wait: Duration) {
        let wait = seconds(wait);
        bar.set_message(format!("{REPORTS}, the next after {wait}"));
        if self.begins(code, Instant::now()) {
            let text = format!(
                "the node is busy or the quota is used up: it takes the next report after {wait}"
            );
            bar.suspend(|| output::message(text));
        }
    }

    /// The node does not take it now, or does not answer.
    pub(super) fn refused(&mut self, bar: &ProgressBar, code: WireCode) {
        if !self.begins(code, Instant::now()) {
            return;
        }
        let text = match code {
            WireCode::Unreachable | WireCode::TimedOut | WireCode::ShuttingDown => AWAY.to_owned(),
            _ => format!("note: not taken yet: {code}; it is tried again"),
        };
        bar.suspend(|| output::message(text));
    }

    /// The node has taken a report.
    pub(super) fn taken(&mut self, bar: &ProgressBar) {
        if self.since.take().is_some() {
            bar.set_message(REPORTS);
        }
        self.said.values_mut().for_each(|said| said.over = true);
    }

    /// When it has been waited for so long, and what was heard last.
    pub(super) fn over(&self, patience: Duration) -> Option<(Instant, WireCode)> {
        let (since, code) = self.since?;
        Some((since + patience, code))
    }

    /// Takes note that the node takes nothing; whether that is to be said.
    fn begins(&mut self, code: WireCode, now: Instant) -> bool {
        self.since = Some((self.since.map_or(now, |(since, _)| since), code));
        let known = self.said.get(&code);
        let due = known.is_none_or(|said| said.over && now >= said.at + SAY_PAUSE);
        if due {
            let over = false;
            self.said.insert(code, Said { at: now, over });
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-32: however many reports wait, and however often, a line a minute says so.
    #[test]
    fn that_the_node_takes_nothing_is_said_once_and_again_after_a_minute() {
        let (bar, mut waiting, began) = (ProgressBar::hidden(), Waiting::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        let code = WireCode::RetryAfter;
        assert!(waiting.begins(code, at(0)));
        assert!(!waiting.begins(code, at(1)));
        assert!(!waiting.begins(code, at(100)), "it is the same wait");
        assert!(waiting.begins(WireCode::Unreachable, at(100)));
        assert_eq!(
            waiting.over(Duration::ZERO),
            Some((began, WireCode::Unreachable))
        );
        waiting.taken(&bar);
        assert_eq!(waiting.over(Duration::ZERO), None);
        assert!(waiting.begins(code, at(101)));
        waiting.taken(&bar);
        assert!(!waiting.begins(code, at(102)));
    }
}
