//! Which inbox items some stream holds: two readers never hold the same one.

use std::{collections::BTreeSet, sync::Mutex};

use bytes::Bytes;

/// Inbox keys that are leased. Leases live as long as the connection, never on disk.
#[derive(Debug, Default)]
pub struct Leases(Mutex<BTreeSet<Bytes>>);

impl Leases {
    /// Leases an item; false if another stream holds it.
    pub fn take(&self, key: &Bytes) -> bool {
        self.0
            .lock()
            .expect("no holder of the leases panics")
            .insert(key.clone())
    }

    /// Whether a stream holds it.
    pub fn is_held(&self, key: &Bytes) -> bool {
        self.0
            .lock()
            .expect("no holder of the leases panics")
            .contains(key)
    }

    /// Ends a lease.
    pub fn give_back(&self, key: &Bytes) {
        self.0
            .lock()
            .expect("no holder of the leases panics")
            .remove(key);
    }
}
