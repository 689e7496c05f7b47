//! What waits in memory, laid over what the engine holds.

use std::sync::Arc;

use bytes::Bytes;

use super::{Delta, IndexError, key::FullKey, key::Range};

/// Changes not yet in the engine: those of the flush under way, and newer ones over them.
#[derive(Default)]
pub(super) struct Layers {
    active: Delta,
    flushing: Arc<Delta>,
}

/// Changed keys in order; `None` is a deleted key.
pub(super) type Waiting = Vec<(FullKey, Option<Bytes>)>;

impl Layers {
    pub(super) fn pending(&self) -> usize {
        self.active.len() + self.flushing.len()
    }

    pub(super) fn get(&self, key: &FullKey) -> Option<Option<Bytes>> {
        let value = self.active.get(key).or_else(|| self.flushing.get(key));
        value.cloned()
    }

    pub(super) fn put(&mut self, key: FullKey, value: Option<Bytes>) {
        self.active.insert(key, value);
    }

    /// The changes of the range up to the `limit`-th that has a value: no scan looks further.
    pub(super) fn first(&self, range: &Range, limit: usize) -> Waiting {
        let mut upper = self.active.range(range.bounds()).peekable();
        let mut lower = self.flushing.range(range.bounds()).peekable();
        let mut found = Vec::new();
        let mut values = 0;
        while values < limit {
            let upper_is_next = match (upper.peek(), lower.peek()) {
                (Some((newer, _)), Some((older, _))) => {
                    if newer == older {
                        lower.next();
                        continue;
                    }
                    newer < older
                }
                (newer, _) => newer.is_some(),
            };
            let next = if upper_is_next {
                upper.next()
            } else {
                lower.next()
            };
            let Some((key, value)) = next.filter(|(key, _)| range.holds(key.bytes())) else {
                break;
            };
            values += usize::from(value.is_some());
            found.push((key.clone(), value.clone()));
        }
        found
    }

    /// Sets the waiting changes apart. They are still read until the flush has ended.
    pub(super) fn begin_flush(&mut self) -> Arc<Delta> {
        self.flushing = Arc::new(std::mem::take(&mut self.active));
        Arc::clone(&self.flushing)
    }

    pub(super) fn end_flush(&mut self) {
        self.flushing = Arc::default();
    }

    /// Puts the changes back under those that came meanwhile.
    pub(super) fn abandon_flush(&mut self) {
        let newer = std::mem::take(&mut self.active);
        self.active = Arc::unwrap_or_clone(std::mem::take(&mut self.flushing));
        self.active.extend(newer);
    }
}

/// Merges the waiting changes with pages of the engine; the waiting ones win.
pub(super) fn over(
    waiting: Waiting,
    range: &Range,
    limit: usize,
    page: impl Fn(&Range, usize) -> Result<Vec<(FullKey, Bytes)>, IndexError>,
) -> Result<Vec<(Bytes, Bytes)>, IndexError> {
    let mut merged = Vec::new();
    let mut waiting = waiting.into_iter().peekable();
    let mut range = range.clone();
    while merged.len() < limit {
        let kept = page(&range, limit)?;
        let last = kept.last().map(|(key, _)| key.clone());
        let more = kept.len() == limit;
        for (key, value) in kept {
            while let Some((newer, value)) = waiting.next_if(|(newer, _)| *newer < key) {
                merged.extend(entry(&newer, value));
            }
            match waiting.next_if(|(newer, _)| *newer == key) {
                Some((_, value)) => merged.extend(entry(&key, value)),
                None => merged.extend(entry(&key, Some(value))),
            }
        }
        match last {
            Some(last) if more => range = range.after(last),
            _ => {
                merged.extend(waiting.filter_map(|(key, value)| entry(&key, value)));
                break;
            }
        }
    }
    merged.truncate(limit);
    Ok(merged)
}

fn entry(key: &FullKey, value: Option<Bytes>) -> Option<(Bytes, Bytes)> {
    value.map(|value| (Bytes::copy_from_slice(key.short()), value))
}
