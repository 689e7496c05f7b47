//! Whose signature makes a log believed: a verifier key, or a roster under a pinned root.

use std::path::{Path, PathBuf};

use clap::Args;
use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    limits,
    log::{ANY_TIME_MS, Checkpoint, LogVerifier, Origin, checkpoint},
    roster::{EndedLog, Finality, Roster},
};

use crate::cli::{
    failure::{Failure, OrCode, OrFail},
    files, output,
    roster::{judge_even_expired, read_bundle, read_root, refused},
};

/// Which key a log is believed by.
#[derive(Debug, Args)]
pub struct TrustArgs {
    /// The log's verifier key: the line itself, or a file that holds it
    #[arg(long, value_name = "VKEY", required_unless_present = "roster")]
    pub vkey: Option<String>,
    /// A roster that lists the log
    #[arg(long, value_name = "FILE", requires = "root", conflicts_with = "vkey")]
    pub roster: Option<PathBuf>,
    /// The root that the roster must be under
    #[arg(long, value_name = "FILE", requires = "roster")]
    pub root: Option<PathBuf>,
}

/// Whom to believe.
pub enum Trust {
    /// One key.
    Vkey(Box<LogVerifier>),
    /// The logs that a roster lists.
    Roster(Box<Roster>),
}

impl Trust {
    /// What the arguments name.
    ///
    /// # Errors
    /// The failure names the file and what is wrong.
    pub fn of(args: &TrustArgs) -> Result<Self, Failure> {
        if let Some(vkey) = &args.vkey {
            return Ok(Self::Vkey(Box::new(read_vkey(vkey)?)));
        }
        let (Some(path), Some(root)) = (&args.roster, &args.root) else {
            let what = "nothing says whose signature to believe";
            return Err(Failure::new(WireCode::BadInput, what)
                .advise("Give --vkey FILE, or --roster FILE with --root FILE"));
        };
        let (_, anchor) = read_root(root)?;
        let judged = judge_even_expired(&read_bundle(path)?, &anchor, None);
        let judged = judged.map_err(|error| refused(path, error))?;
        if judged.expired {
            output::message("this roster is not in force any more: the log may have newer keys");
        }
        Ok(Self::Roster(Box::new(judged.roster)))
    }

    /// Believes a head that is served as the newest now, or as the last of a log that has ended: what it
    /// covers is before that end. Spec: AUD-3, AUD-12.
    ///
    /// # Errors
    /// It is not signed by a key of the log that has not ended (LOG-23), nor had when the log ended.
    pub fn judge(&self, note: &[u8]) -> Result<Checkpoint, Failure> {
        let just_now_ms = Clock::System
            .now_ms()
            .saturating_sub(limits::CLOCK_SKEW_MS_MAX);
        let head = Checkpoint::of_note(note).or_fail("what is published is no checkpoint")?;
        let log = self.log_of(&head)?;
        let end_ms = self.ended(&head).map(|ended| ended.not_after_ms);
        let at_ms = end_ms.map_or(just_now_ms, |end_ms| {
            just_now_ms.min(end_ms.saturating_sub(1))
        });
        let head = checkpoint::parse_and_verify(note, &log, at_ms);
        head.or_fail("the published checkpoint does not verify")
    }

    /// How far a head of the log is beyond its power, and that head, whenever it was signed.
    ///
    /// # Errors
    /// It is not signed by a key of the log, or a line of a witness on it is wrong (WIT-1).
    pub fn finality(&self, note: &[u8]) -> Result<(Checkpoint, Finality), Failure> {
        let head = Checkpoint::of_note(note).or_fail("what is published is no checkpoint")?;
        let head = checkpoint::parse_and_verify(note, &self.log_of(&head)?, ANY_TIME_MS);
        let head = head.or_fail("the published checkpoint does not verify")?;
        let Self::Roster(roster) = self else {
            return Ok((head, Finality::Unwitnessed));
        };
        let node = Origin::parse(&head.origin).map_or("", |origin| origin.node);
        let finality = roster.finality(node, note);
        let finality = finality.or_fail("a witness's line on the checkpoint does not hold")?;
        Ok((head, finality))
    }

    /// Where the log of this head has ended and how much of it its node keeps, if the roster says so.
    #[must_use]
    pub fn ended(&self, head: &Checkpoint) -> Option<EndedLog> {
        let Self::Roster(roster) = self else {
            return None;
        };
        let origin = Origin::parse(&head.origin).ok()?;
        roster.node(origin.node)?.ended_log(origin.epoch).copied()
    }

    /// The log that a head names, in force or ended.
    fn log_of(&self, head: &Checkpoint) -> Result<LogVerifier, Failure> {
        let roster = match self {
            Self::Vkey(log) => return Ok(log.as_ref().clone()),
            Self::Roster(roster) => roster,
        };
        roster.log_verifier_of(&head.origin).ok_or_else(|| {
            let what = "the roster lists no such log";
            Failure::new(WireCode::NotTrusted, what)
                .cause(output::clean(&head.origin))
                .advise("Give the newest roster of that federation: --roster FILE")
        })
    }
}

/// A verifier key: a line with two plus signs is one, anything else names a file.
///
/// # Errors
/// The file cannot be read, or holds none.
pub fn read_vkey(vkey: &str) -> Result<LogVerifier, Failure> {
    let text = match vkey.matches('+').count() {
        0 | 1 => String::from_utf8_lossy(&files::read(Path::new(vkey), 4096)?).into_owned(),
        _ => vkey.to_owned(),
    };
    LogVerifier::from_vkey(text.trim()).or_code(WireCode::BadInput, "--vkey is no verifier key")
}
