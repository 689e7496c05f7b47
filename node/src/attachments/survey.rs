//! What there is, for a check of a node that does not run.

use std::{io, path::Path};

use super::{FOLDER, map};
use crate::disk::Disk;

/// How many attachments there are, and how many bytes of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Survey {
    /// All chunks are there.
    pub whole: usize,
    /// Some chunks may be missing.
    pub partial: usize,
    /// Bytes of all these files.
    pub bytes: u64,
}

/// Counts the attachments of a node's data.
///
/// # Errors
/// Whatever the disk says.
pub fn survey(disk: &dyn Disk, data: &Path) -> io::Result<Survey> {
    let folder = data.join(FOLDER);
    let names = match disk.list(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Survey::default()),
        names => names?,
    };
    let mut survey = Survey::default();
    for name in names {
        match map::parse_name(&name) {
            Some((_, map::SEALED)) => survey.whole += 1,
            Some((_, map::PART)) => survey.partial += 1,
            _ => continue,
        }
        survey.bytes += disk.open(&folder.join(&name), false)?.len()?;
    }
    Ok(survey)
}
