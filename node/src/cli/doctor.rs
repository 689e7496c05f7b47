//! `frex doctor`: its words, the rows of its report, and what it looks at.
//!
//! It changes nothing, asks for no passphrase, and says for whatever is not well what mends it.
//! Spec: CLI-10 to CLI-12.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use frex_client::keys::{KeyFileError, text::KeyText};
use frex_proto::error::WireCode;

mod agreement;
mod backup;
mod disk;
mod evidence;
pub mod examine;
mod folder;
mod live;
mod log_key;
mod reach;
mod report;
mod roster;
mod witness_key;

/// `frex doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The folder that `frex init` made
    #[arg(env = "FREX_DIR", default_value = ".")]
    pub dir: PathBuf,
    /// How the report looks [default: text, or json with --json]
    #[arg(long, value_enum)]
    pub format: Option<Format>,
}

/// The form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line for each check, for people
    Text,
    /// One JSON document
    Json,
    /// One gauge for each check that was made: 0 ok, 1 warn, 2 fail
    Prometheus,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Ok,
    /// Works, and will not for long, or not as well as it should.
    Warn,
    /// Does not work.
    Fail(WireCode),
    /// Could not be checked.
    Skip,
}

/// One check. Nothing in it comes from a report, and no key.
#[derive(Debug)]
struct Row {
    check: String,
    outcome: Outcome,
    found: String,
    /// The command, or what a person has to do; for what is not well.
    mend: Option<String>,
}

/// The member's or the node's own folder.
struct Folder {
    kind: Kind,
    path: PathBuf,
    /// The member's or the node's id.
    id: String,
    /// The node that a member's settings name.
    home_node: Option<String>,
    keys: Vec<(&'static str, Result<KeyText, KeyFileError>)>,
}

/// Whose folder it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Member,
    Node,
}

impl Row {
    fn ok(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Ok, found, None)
    }

    fn skip(check: impl Into<String>, found: impl Into<String>) -> Self {
        Self::new(check, Outcome::Skip, found, None)
    }

    fn warn(check: impl Into<String>, found: impl Into<String>, mend: impl Into<String>) -> Self {
        Self::new(check, Outcome::Warn, found, Some(mend.into()))
    }

    fn fail(
        check: impl Into<String>,
        code: WireCode,
        found: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self::new(check, Outcome::Fail(code), found, Some(mend.into()))
    }

    fn new(
        check: impl Into<String>,
        outcome: Outcome,
        found: impl Into<String>,
        mend: Option<String>,
    ) -> Self {
        Self {
            check: check.into(),
            outcome,
            found: found.into(),
            mend,
        }
    }
}

impl Outcome {
    const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail(_) => "fail",
            Self::Skip => "skip",
        }
    }
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Node => "node",
        }
    }

    /// The key that authenticates connections is of this file in either folder.
    const fn key_files(self) -> &'static [&'static str] {
        match self {
            Self::Member => &["identity.key", "sealing.key", "tls.key"],
            Self::Node => &["tls.key", "log.key"],
        }
    }

    /// Keys that a folder may do without.
    const fn optional_key_files(self) -> &'static [&'static str] {
        match self {
            Self::Member => &[],
            Self::Node => &["witness.key"],
        }
    }

    /// What the names of credentials begin with. Spec: FIL-13.
    const fn credential(self) -> &'static str {
        match self {
            Self::Member => "frex-member-",
            Self::Node => "frex-node-",
        }
    }

    /// Folders beside the keys that only their owner may enter.
    const fn private_folders(self) -> &'static [&'static str] {
        match self {
            Self::Member => &["receipts"],
            Self::Node => &["journal", "index"],
        }
    }
}

impl Folder {
    /// The name of a check of this folder.
    fn check(&self, what: &str) -> String {
        format!("{} {what}", self.kind.name())
    }

    /// The command by which a key of this folder is followed by another.
    fn rotate(&self, name: &str) -> String {
        match (self.kind, name, self.path.parent()) {
            // The member states its node's keys, so the command needs the folder that has both.
            (Kind::Node, "tls", Some(both)) => {
                let both = match both.as_os_str().is_empty() {
                    true => Path::new("."),
                    false => both,
                };
                format!("frex key rotate tls --of node {}", both.display())
            }
            _ => format!("frex key rotate {name} {}", self.path.display()),
        }
    }
}
