//! Forgetting messages that were sent: their references, and the hashes of what they said. Spec: ERA-14.

use std::{collections::BTreeSet, fs, fs::File, path::Path};

use frex_proto::id::MessageId;

use super::{
    SentError, SentStore,
    log::{NAME, no_entry, opened, parse, whole},
    sealed,
    store::io,
};
use crate::keys::file;

impl SentStore {
    /// Forgets messages under whatever references they were sent, also if they were only sealed; says
    /// whether any was here. Durable when this returns. A report under such a reference is a new one
    /// from then on.
    ///
    /// # Errors
    /// [`SentError::Damaged`], [`SentError::Io`], [`SentError::Files`].
    pub fn forget(&mut self, gone: &BTreeSet<MessageId>) -> Result<bool, SentError> {
        let mut found = self.forget_sealed(gone)?;
        if let Some(log) = rewritten(&self.folder.join(NAME), gone)? {
            self.log = log;
            found = true;
        }
        self.rows.retain(|_, row| !gone.contains(&row.sent.message));
        Ok(found)
    }

    fn forget_sealed(&self, gone: &BTreeSet<MessageId>) -> Result<bool, SentError> {
        let mut found = false;
        for mut batch in self.pending()? {
            let before = batch.items.len();
            batch.items.retain(|kept| !gone.contains(&kept.message));
            if batch.items.len() == before {
                continue;
            }
            found = true;
            if batch.items.is_empty() {
                fs::remove_file(&batch.path).map_err(|source| io(&batch.path, source))?;
                file::sync_parent(&batch.path)?;
            } else {
                sealed::write(&batch)?;
            }
        }
        Ok(found)
    }
}

/// The log without the lines of these messages; nothing if it has none.
fn rewritten(path: &Path, gone: &BTreeSet<MessageId>) -> Result<Option<File>, SentError> {
    let text = fs::read_to_string(path).map_err(|source| io(path, source))?;
    let (mut rest, mut found) = (String::new(), false);
    for line in whole(&text).lines() {
        let (_, row, _) = parse(line).ok_or_else(|| no_entry(path))?;
        if gone.contains(&row.sent.message) {
            found = true;
        } else {
            rest.push_str(line);
            rest.push('\n');
        }
    }
    if !found {
        return Ok(None);
    }
    file::replace(path, rest.as_bytes())?;
    opened(path).map(Some)
}
