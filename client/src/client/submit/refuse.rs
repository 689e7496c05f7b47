//! What is refused, what is put off until later, and what is left when the node is done.

use std::time::Duration;

use frex_proto::{
    delivery::Backoff,
    error::{Retry, WireCode},
    v1,
};
use tokio::time::Instant;

use super::{News, Submission};
use crate::client::GivenUp;

impl Submission {
    /// Takes what the node said instead of a receipt.
    pub(super) fn refuse(&mut self, place: usize, code: WireCode, retry_after: Duration) {
        let pending = &mut self.envelopes[place];
        if pending.submitted {
            self.tell(place, News::Undeliverable { node: None, code });
            return;
        }
        if code != WireCode::RetryAfter {
            pending.refused.push_back(code);
            return;
        }
        // A little later, as others may have been told the same.
        let due = Instant::now() + retry_after + self.client.0.link.pause(&mut Backoff::default());
        let in_time = due < self.try_until;
        if in_time {
            pending.due = Some(due);
        } else {
            pending.refused.push_back(code);
        }
        self.tell(place, News::Delayed { code, retry_after });
    }

    /// Takes what the node says of one delivery. It has none of what is not proven to be submitted.
    pub(super) fn give_up(&mut self, place: usize, told: v1::GivenUp) {
        if self.envelopes[place].submitted {
            let GivenUp { node, code } = self.client.given_up(told);
            self.tell(place, News::Undeliverable { node, code });
        }
    }

    /// When the first of those comes again that the home node put off.
    pub(super) fn due(&self) -> Option<Instant> {
        let waiting = self.envelopes.iter().filter(|pending| !pending.settled);
        waiting.filter_map(|pending| pending.due).min()
    }

    /// The node says that nothing more follows: what it did not take, it refused or put off.
    pub(super) fn done(&mut self) {
        // What is said of the whole request is said once, in the place of its first envelope.
        let whole = self
            .envelopes
            .iter()
            .find_map(|pending| pending.refused.front().copied());
        let (due, lost) = (self.due(), self.lost);
        for place in 0..self.envelopes.len() {
            let pending = &mut self.envelopes[place];
            if pending.due.is_some() || pending.settled {
                continue;
            }
            if pending.submitted {
                pending.settled = true;
                continue;
            }
            let news = match pending.refused.pop_front().or(whole) {
                // Of a try whose answer was lost that says nothing.
                Some(code) if lost && code.info().retry == Retry::Later => {
                    News::Unanswered { code }
                }
                Some(code) => News::Refused { code },
                None if due.is_some() => {
                    pending.due = due;
                    continue;
                }
                None => News::Unanswered {
                    code: WireCode::TimedOut,
                },
            };
            pending.settled = true;
            self.tell(place, news);
        }
        match due {
            Some(_) => self.stream = None,
            None => self.end(),
        }
    }
}
