//! Full keys: the table's number, then the caller's key. They sort by table, then by key.

use std::ops::Bound;

use super::{KEY_BYTES_MAX, Table};

const FULL_KEY_BYTES_MAX: usize = KEY_BYTES_MAX + 1;

/// A key as the engine knows it. Most keys are short, so it is kept as exactly its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FullKey(Box<[u8]>);

impl FullKey {
    /// `None` if the key is over its limit.
    pub(super) fn new(table: Table, key: &[u8]) -> Option<Self> {
        if key.len() > KEY_BYTES_MAX {
            return None;
        }
        let mut bytes = Vec::with_capacity(1 + key.len());
        bytes.push(table as u8);
        bytes.extend_from_slice(key);
        Some(Self(bytes.into_boxed_slice()))
    }

    /// A key that was kept before. `None` if it cannot be one.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let fits = (1..=FULL_KEY_BYTES_MAX).contains(&bytes.len());
        fits.then(|| Self(bytes.into()))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The caller's part.
    pub(super) fn short(&self) -> &[u8] {
        &self.0[1..]
    }
}

/// Keys that begin with a prefix, from a point on.
#[derive(Debug, Clone)]
pub(super) struct Range {
    prefix: FullKey,
    start: Bound<FullKey>,
}

impl Range {
    pub(super) fn new(table: Table, prefix: &[u8], after: Option<&[u8]>) -> Option<Self> {
        let prefix = FullKey::new(table, prefix)?;
        let start = match after {
            None => Bound::Included(prefix.clone()),
            Some(after) => {
                let after = FullKey::new(table, after)?;
                if after < prefix {
                    Bound::Included(prefix.clone())
                } else {
                    Bound::Excluded(after)
                }
            }
        };
        Some(Self { prefix, start })
    }

    /// The same range from after `key` on.
    pub(super) fn after(&self, key: FullKey) -> Self {
        Self {
            prefix: self.prefix.clone(),
            start: Bound::Excluded(key),
        }
    }

    pub(super) fn bounds(&self) -> (Bound<FullKey>, Bound<FullKey>) {
        (self.start.clone(), Bound::Unbounded)
    }

    pub(super) fn byte_bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let start = match &self.start {
            Bound::Included(key) => Bound::Included(key.bytes()),
            Bound::Excluded(key) => Bound::Excluded(key.bytes()),
            Bound::Unbounded => Bound::Unbounded,
        };
        (start, Bound::Unbounded)
    }

    /// Whether a key at or after the start still belongs to the range.
    pub(super) fn holds(&self, key: &[u8]) -> bool {
        key.starts_with(self.prefix.bytes())
    }
}
