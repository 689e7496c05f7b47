//! Messages about identifiers that were received and lie in the inbox folder, and what became of them.

use frex_client::{
    casework::deconflict::{self, What},
    keys::MemberHome,
};
use frex_proto::{envelope, id::EnvelopeId, limits};
use serde_json::Value;

use crate::cli::{
    failure::{Failure, OrFail},
    files, inbox,
    member::{ABOUT, INBOX_DIR},
    messages,
};

/// Field of what is known of a received message: what this command has made of it.
pub const MADE: &str = "deconflict";

/// One of them.
pub struct Received {
    /// What `frex inbox` knows of it.
    pub about: Value,
    /// Its envelope.
    pub envelope: EnvelopeId,
    /// Who signed it.
    pub from: String,
    /// The conversation that it belongs to.
    pub conversation: ([u8; 16], u64),
    /// Whether it was passed on by somebody else: then it is nobody's word to this member.
    pub is_forward: bool,
}

/// What is known of all messages about identifiers that were received, the oldest first.
///
/// # Errors
/// The folder cannot be read.
pub fn all(home: &MemberHome) -> Result<Vec<Value>, Failure> {
    let mut found = Vec::new();
    for path in files::with_extension(&home.dir().join(INBOX_DIR), ABOUT)? {
        let about = messages::read(&path)?;
        if about["content_type"] == deconflict::CONTENT_TYPE {
            found.push(about);
        }
    }
    found.sort_by_key(|about| about["received"].as_str().unwrap_or_default().to_owned());
    Ok(found)
}

impl Received {
    /// The message that `about` is about.
    ///
    /// # Errors
    /// Its envelope is not kept any more.
    pub fn of(home: &MemberHome, about: Value) -> Result<Self, Failure> {
        let id = about["envelope"].as_str().unwrap_or_default();
        let kept = inbox::kept_envelope(home, id)?;
        let carried = envelope::parse_carried(&kept).or_fail("a kept envelope cannot be read")?;
        let core = &carried.original().core;
        Ok(Self {
            envelope: carried.id(),
            from: about["from"].as_str().unwrap_or_default().to_owned(),
            conversation: core.conversation.unwrap_or_default(),
            is_forward: about["from"] != about["author"],
            about,
        })
    }

    /// What it says.
    ///
    /// # Errors
    /// It does not say what such a message must.
    pub fn what(&self, home: &MemberHome) -> Result<What, Failure> {
        what(home, &self.envelope.to_string())
    }

    /// When this member's node took it, milliseconds since the Unix epoch.
    pub fn received_ms(&self) -> u64 {
        let text = self.about["received"].as_str().unwrap_or_default();
        let time = text.parse::<jiff::Timestamp>().ok();
        time.and_then(|time| u64::try_from(time.as_millisecond()).ok())
            .unwrap_or_default()
    }

    /// Keeps what was made of it, so that it is taken up once.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn made(&mut self, home: &MemberHome, made: &Value) -> Result<(), Failure> {
        self.about[MADE] = made.clone();
        let path = home.dir().join(INBOX_DIR);
        let path = path.join(format!("{}.{ABOUT}", self.envelope));
        files::replace(&path, format!("{:#}\n", self.about).as_bytes())
    }
}

/// What the received message of this envelope says.
///
/// # Errors
/// It is not here, or does not say what such a message must.
pub fn what(home: &MemberHome, envelope: &str) -> Result<What, Failure> {
    let path = home.dir().join(INBOX_DIR).join(format!("{envelope}.bin"));
    let bytes = files::read(&path, limits::CONTENT_BYTES_MAX)?;
    deconflict::decode(&bytes).or_fail("a message about identifiers is none")
}
