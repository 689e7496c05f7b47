//! `frex roster …`: what the commands about rosters share.

use std::path::Path;

use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    limits,
    roster::{Fault, Roster, RosterError, TrustAnchor},
    v1,
};
use prost::Message;

use super::{
    failure::{Failure, OrFail},
    files,
};

pub mod install;
pub mod make;
pub mod show;

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
    let bytes = files::read(path, limits::SIGNED_BYTES_MAX)?;
    let anchor = TrustAnchor::of_root(&bytes).or_fail(format_args!(
        "{} is not the root of a federation",
        path.display()
    ))?;
    Ok((bytes, anchor))
}

/// Reads the bytes of a roster file.
///
/// # Errors
/// The failure names the file.
pub fn read_bundle(path: &Path) -> Result<Vec<u8>, Failure> {
    files::read(path, limits::ROSTER_BUNDLE_BYTES_MAX)
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
            let then_ms = then_ms
                .or_else(|| issued_ms(bundle))
                .filter(|then_ms| *then_ms <= now_ms);
            let roster = Roster::judge(bundle, anchor, then_ms.ok_or(error)?)?;
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
        _ => failure.advise("Ask the governance for the file again"),
    }
}

fn issued_ms(bundle: &[u8]) -> Option<u64> {
    let bundle = v1::RosterBundle::decode(bundle).ok()?;
    let signed = v1::Signed::decode(bundle.roster).ok()?;
    Some(v1::Roster::decode(signed.payload).ok()?.issued_ms)
}
