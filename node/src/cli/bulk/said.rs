//! How it goes: that the node takes nothing at the moment, that it takes reports again, how far it
//! is. All of it is said without filling the screen.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use indicatif::ProgressBar;

use crate::cli::{output, time::seconds};

/// The node takes reports again.
pub(super) const GOING_ON: &str = "the node takes reports again: going on";
/// The same is not said more often.
const SAY_PAUSE: Duration = Duration::from_secs(60);
/// What the bar counts.
const REPORTS: &str = "reports";

/// Since when the node takes nothing, and what was said of it.
#[derive(Default)]
pub(super) struct Waiting {
    since: Option<(Instant, WireCode)>,
    said: BTreeMap<WireCode, Said>,
    /// A wait was told of, and its end was not.
    untold_end: bool,
    with_list: bool,
}

/// When it was last said how far it is.
pub(super) struct Progress(Instant);

/// Something that was said.
struct Said {
    at: Instant,
    /// Whether the node has taken a report since.
    over: bool,
}

/// Of a node that does not answer. A list is a new file each time.
pub(super) fn away(with_list: bool) -> String {
    let list = match with_list {
        true => ", with a new file for --list",
        false => "",
    };
    format!(
        "the node does not answer; waiting for it; Ctrl-C is safe: the same command goes on{list}"
    )
}

impl Progress {
    pub(super) fn new() -> Self {
        Self(Instant::now())
    }

    /// Where no bar shows it, a line a minute does.
    pub(super) fn tell(&mut self, bar: &ProgressBar) {
        if !bar.is_hidden() {
            return;
        }
        if let Some(text) = self.due(bar, Instant::now()) {
            output::message(text);
        }
    }

    fn due(&mut self, bar: &ProgressBar, now: Instant) -> Option<String> {
        if now < self.0 + SAY_PAUSE {
            return None;
        }
        self.0 = now;
        let total = bar.length().map(|total| format!(" of {total}"));
        Some(format!(
            "{}{} {REPORTS} are done",
            bar.position(),
            total.unwrap_or_default()
        ))
    }
}

impl Waiting {
    pub(super) fn new(with_list: bool) -> Self {
        Self {
            with_list,
            ..Self::default()
        }
    }

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
            WireCode::Unreachable | WireCode::TimedOut | WireCode::ShuttingDown => {
                away(self.with_list)
            }
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
        if std::mem::take(&mut self.untold_end) {
            bar.suspend(|| output::message(GOING_ON));
        }
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
            self.untold_end = true;
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
        assert!(waiting.untold_end);
        assert_eq!(
            waiting.over(Duration::ZERO),
            Some((began, WireCode::Unreachable))
        );
        waiting.taken(&bar);
        assert_eq!(waiting.over(Duration::ZERO), None);
        assert!(!waiting.untold_end, "that it goes on is said once");
        assert!(waiting.begins(code, at(101)));
        waiting.taken(&bar);
        assert!(!waiting.begins(code, at(102)));
        assert!(
            !waiting.untold_end,
            "of a wait that was not told of, nor is its end"
        );
    }

    // CLI-32: whoever writes the output to a file reads how far it is, a line a minute.
    #[test]
    fn without_a_bar_it_is_said_once_a_minute_how_far_it_is() {
        let (bar, began) = (ProgressBar::hidden(), Instant::now());
        let mut progress = Progress(began);
        let at = |seconds| began + Duration::from_secs(seconds);
        bar.set_length(20);
        bar.inc(5);
        assert_eq!(progress.due(&bar, at(59)), None);
        let said = progress.due(&bar, at(60));
        assert_eq!(said.as_deref(), Some("5 of 20 reports are done"));
        assert_eq!(progress.due(&bar, at(119)), None);
        assert!(progress.due(&bar, at(120)).is_some());
    }
}
