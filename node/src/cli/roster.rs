//! `frex roster …`: what the commands about rosters share.

use std::path::Path;

use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    label, limits,
    roster::{Fault, Part, Proposal, Roster, RosterError, TrustAnchor},
    v1,
};
use prost::Message;

use super::{
    change::{self, Change},
    failure::{Failure, OrFail},
    files, fingerprint, output,
    time::rfc3339,
};

pub mod combine;
pub mod diff;
mod edit;
pub mod freshness;
pub mod install;
pub mod propose;
pub mod show;
pub mod sign;
pub mod verify;
mod witnesses;
pub mod words;

/// A proposal, the roster that it follows, and whom the reader trusts.
pub struct Reading {
    /// The proposal.
    pub proposal: Proposal,
    /// The pinned root.
    pub anchor: TrustAnchor,
    /// The roster in force; none before the first.
    pub held: Option<Judged>,
}

/// A judged roster, and whether it was in force only in the past.
pub struct Judged {
    /// The roster.
    pub roster: Roster,
    /// Its end has passed; it proves what happened before.
    pub expired: bool,
}

/// Reads a signed root and pins it.
///
/// # Errors
/// The failure names the file and what is wrong.
pub fn read_root(path: &Path) -> Result<(Vec<u8>, TrustAnchor), Failure> {
    // A roster given in its place is read too, to be told what it is.
    let bytes = files::read(path, limits::ROSTER_BUNDLE_BYTES_MAX)?;
    let anchor = TrustAnchor::of_root(&bytes).or_fail(format_args!(
        "{} is not the root of a federation",
        path.display()
    ));
    let anchor = anchor.map_err(|failure| match holds_roster(&bytes) {
        true => failure
            .cause("it is a roster")
            .advise("The root is a file of its own, root.frex: frex federation show FILE tells"),
        false => failure,
    })?;
    Ok((bytes, anchor))
}

/// Reads the bytes of a roster file.
///
/// # Errors
/// The failure names the file.
pub fn read_bundle(path: &Path) -> Result<Vec<u8>, Failure> {
    let bytes = files::read(path, limits::ROSTER_BUNDLE_BYTES_MAX)?;
    if !holds_roster(&bytes) && TrustAnchor::of_root(&bytes).is_ok() {
        let what = format!(
            "{} is the root of a federation, and no roster",
            path.display()
        );
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("The roster is a file of its own, roster.frex: frex roster show FILE tells"));
    }
    Ok(bytes)
}

/// Whether these bytes have the shape of a roster file; they may still prove nothing.
fn holds_roster(bytes: &[u8]) -> bool {
    let bundle = v1::RosterBundle::decode(bytes);
    let signed = bundle.and_then(|bundle| v1::Signed::decode(bundle.roster));
    signed.is_ok_and(|signed| signed.payload_type == label::TYPE_ROSTER)
}

/// Reads a proposal and judges it as what may follow the roster in force.
///
/// # Errors
/// The failure names the file and what is wrong.
pub fn read_proposal(
    file: &Path,
    root: &Path,
    previous: Option<&Path>,
) -> Result<Reading, Failure> {
    let (_, anchor) = read_root(root)?;
    let unsound = |error| refused(file, error);
    let proposal =
        Proposal::judge(&read_bundle(file)?, &anchor, Clock::System.now_ms()).map_err(unsound)?;
    let held = previous.map(|path| {
        judge_even_expired(&read_bundle(path)?, &anchor, None).map_err(|error| refused(path, error))
    });
    let held = held.transpose()?;
    let version = proposal.contents().version();
    match &held {
        Some(held) => {
            proposal
                .contents()
                .succeeds(&held.roster)
                .map_err(unsound)?;
        }
        None if version != 1 => {
            return Err(Failure::new(
                WireCode::BadInput,
                "the proposal follows a roster, and the one in force was not given",
            )
            .cause(format!("it is version {version}"))
            .advise("Add --previous roster.frex: your own copy of the roster in force"));
        }
        None => (),
    }
    Ok(Reading {
        proposal,
        anchor,
        held,
    })
}

/// Says what a proposal changes before anything is written.
pub fn announce(proposal: &Proposal, held: Option<&Roster>, changes: &[Change]) {
    let roster = proposal.contents();
    let from = held.map_or(String::new(), |held| format!("{} -> ", held.version()));
    output::data(format_args!(
        "proposal     roster of {}, version {from}{}",
        roster.federation(),
        roster.version()
    ));
    change::print(changes);
    let print = fingerprint::of(proposal.sha256());
    output::data(format_args!("fingerprint  {print}"));
}

/// How new a roster is said to be.
pub fn fresh(roster: &Roster, now_ms: u64) -> String {
    match roster.freshness() {
        None => "no holder has stated that this is the newest".to_owned(),
        Some(stated) if now_ms < stated.until_ms => {
            format!("the newest, as stated until {}", rfc3339(stated.until_ms))
        }
        Some(stated) => format!(
            "STALE: stated to be the newest only until {}",
            rfc3339(stated.until_ms)
        ),
    }
}

/// The option that gives a command the roster in force, where there is one.
pub fn previous_option(path: Option<&Path>) -> String {
    path.map_or(String::new(), |path| {
        format!(" --previous {}", path.display())
    })
}

/// Judges a roster, if need be as of `then_ms`: evidence outlives the roster it was made under.
///
/// # Errors
/// What is wrong now, unless it is only that the end has passed.
pub fn judge_even_expired(
    bundle: &[u8],
    anchor: &TrustAnchor,
    then_ms: Option<u64>,
) -> Result<Judged, RosterError> {
    let now_ms = Clock::System.now_ms();
    match Roster::judge(bundle, anchor, now_ms) {
        Ok(roster) => Ok(Judged {
            roster,
            expired: false,
        }),
        Err(error) if error.fault == Fault::Expired => {
            let roster = match then_ms {
                Some(then_ms) if then_ms > now_ms => return Err(error),
                Some(then_ms) => Roster::judge(&past(bundle), anchor, then_ms)?,
                None => Roster::judge_held(bundle, anchor, now_ms)?,
            };
            Ok(Judged {
                roster,
                expired: true,
            })
        }
        Err(error) => Err(error),
    }
}

/// A roster that does not verify, as a failure that names the part at fault.
pub fn refused(path: &Path, error: RosterError) -> Failure {
    let what = format!("{} does not verify", path.display());
    let failure = Failure::new(WireCode::from(error), what).because(&error);
    match error.fault {
        Fault::Expired => failure.advise("Ask the governance for the roster in force now"),
        Fault::WrongRoot => {
            failure.advise("Compare the root's fingerprint with the governance by telephone")
        }
        Fault::RolledBack | Fault::Forked => failure.advise(
            "Keep the roster in force; send both files to the governance: they are evidence",
        ),
        Fault::TooFewSignatures if error.part == Part::Roster => failure.advise(
            "A proposal is seen with frex roster diff, and put in force with frex roster combine; anything else: ask the governance for the file again",
        ),
        Fault::EntryMissing | Fault::Revived | Fault::TombstoneChanged => failure
            .advise("Keep the roster in force; ask the governance why it was signed like this"),
        _ => failure.advise("Ask the governance for the file again"),
    }
}

/// The file without its freshness statement, which would lie in the future of what is past.
fn past(bundle: &[u8]) -> Vec<u8> {
    match v1::RosterBundle::decode(bundle) {
        Ok(mut decoded) => {
            decoded.freshness.clear();
            decoded.encode_to_vec()
        }
        Err(_) => bundle.to_vec(),
    }
}
