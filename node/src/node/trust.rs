//! Where a node keeps its roster, and the log of what it trusts.

use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use frex_client::{
    keys::ROSTER_FILE,
    membership::{
        RosterStore,
        store::{EVIDENCE_DIR, evidence_name},
    },
};
use frex_proto::{limits, roster::Roster};

use crate::{
    disk::{self, Disk},
    ledger::{Entry, Outcome},
    shared::Shared,
};

/// The node's directory, through its disk.
pub(super) struct DataStore {
    disk: Arc<dyn Disk>,
    data: PathBuf,
}

impl DataStore {
    pub(super) fn new(disk: Arc<dyn Disk>, data: &Path) -> Self {
        Self {
            disk,
            data: data.to_owned(),
        }
    }
}

impl RosterStore for DataStore {
    fn hold(&self) -> io::Result<Option<File>> {
        self.disk.hold(&self.data.join(ROSTER_FILE))
    }

    fn keep(&self, bundle: &[u8]) -> io::Result<()> {
        disk::replace(self.disk.as_ref(), &self.data.join(ROSTER_FILE), bundle)
    }

    fn kept(&self) -> io::Result<Vec<u8>> {
        let bytes_max = limits::ROSTER_BUNDLE_BYTES_MAX as u64;
        disk::read_all(self.disk.as_ref(), &self.data.join(ROSTER_FILE), bytes_max)
    }

    fn keep_evidence(&self, roster: &Roster) -> io::Result<()> {
        let folder = self.data.join(EVIDENCE_DIR);
        disk::create_dir_durable(self.disk.as_ref(), &folder)?;
        let path = folder.join(evidence_name(roster));
        disk::replace(self.disk.as_ref(), &path, roster.bytes())
    }
}

/// Logs every roster that comes into force, until the node stops. Spec: DIS-10.
pub(super) async fn log_changes(shared: Arc<Shared>) {
    let mut changes = shared.membership.roster().changes();
    loop {
        let roster = changes.borrow_and_update().reference();
        if let Outcome::Failed(code) = shared.ledger.record(Entry::Trust(roster)).await {
            tracing::error!(code = %code, "a change of the roster is not logged");
        }
        tokio::select! {
            biased;
            () = shared.stopped() => return,
            changed = changes.changed() => if changed.is_err() {
                return;
            },
        }
    }
}
