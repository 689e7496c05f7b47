//! A received report with attachments, as the inbox folder keeps it.

use std::{
    fs,
    path::{PathBuf, absolute},
};

use frex_client::keys::MemberHome;
use frex_proto::{error::WireCode, v1};
use serde_json::Value;

use crate::cli::{
    failure::Failure,
    files, inbox,
    member::{ABOUT, INBOX_DIR},
    messages,
};

/// What is known of it, and where that stands.
pub struct Received {
    /// The row that `frex inbox` made.
    pub about: Value,
    folder: PathBuf,
    id: String,
}

impl Received {
    /// The one report whose envelope or message id begins so.
    ///
    /// # Errors
    /// None or several do, or it has no attachments.
    pub fn find(home: &MemberHome, id: &str) -> Result<Self, Failure> {
        let (direction, about) = messages::find_received(home, id)?;
        let any = about["attachments"]
            .as_array()
            .is_some_and(|list| !list.is_empty());
        if direction != messages::RECEIVED || !any {
            return Err(
                Failure::new(WireCode::NotFound, format!("no files came with {id}")).advise(
                    format!(
                        "See what came with which: frex inbox {} --kept --json",
                        home.dir().display()
                    ),
                ),
            );
        }
        Ok(Self {
            id: about["envelope"].as_str().unwrap_or_default().to_owned(),
            folder: home.dir().join(INBOX_DIR),
            about,
        })
    }

    /// The sealed envelope as it came.
    ///
    /// # Errors
    /// It is not there any more, or damaged.
    pub fn envelope(&self, home: &MemberHome) -> Result<v1::Envelope, Failure> {
        inbox::kept_envelope(home, &self.id)
    }

    /// Whether a file was fetched to this place before, and is still there, as long as it was.
    #[must_use]
    pub fn has(&self, number: usize, file: &std::path::Path) -> bool {
        let row = &self.about["attachments"][number];
        let there = file.symlink_metadata().ok().filter(fs::Metadata::is_file);
        // Older programs noted it as it was named.
        let noted = row["file"].as_str().and_then(|file| absolute(file).ok());
        row["state"] == "fetched"
            && noted.is_some_and(|noted| absolute(file).is_ok_and(|file| file == noted))
            && there.is_some_and(|about| row["bytes"] == about.len())
    }

    /// Notes that a file was fetched, and where it is, from whatever folder that is looked for.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn note(&mut self, number: usize, file: &std::path::Path) -> Result<(), Failure> {
        let row = &mut self.about["attachments"][number];
        row["state"] = "fetched".into();
        let file = absolute(file).map_err(|error| Failure::file("find", file, &error))?;
        row["file"] = file.display().to_string().into();
        let path = self.folder.join(format!("{}.{ABOUT}", self.id));
        files::replace(&path, format!("{:#}\n", self.about).as_bytes())
    }
}
