//! Whether members can be sent to: what is asked once, before anything is sealed for them.

use std::path::Path;

use frex_client::{client::DraftError, keys::MemberHome};
use frex_proto::{
    error::WireCode,
    roster::{Member, Roster},
};

use super::{failure::Failure, member, output, peer::suspend};

/// A recipient cannot be sent to.
#[must_use]
pub fn unsendable(error: &DraftError) -> Failure {
    let failure = Failure::new(WireCode::from(error), "a recipient cannot be sent to");
    let failure = failure.because(error);
    match error {
        DraftError::LacksFields { .. } => failure.advise(
            "Add the fields named above to the report, or leave that recipient out of --to",
        ),
        DraftError::NotLive { member } => failure.advise(format!(
            "Nothing was sent to anybody: leave {member} out, and the others get it"
        )),
        DraftError::FileRefused { .. } => failure.advise(
            "Keep the file where it is, and name it in a report by its hashes and where it is found; or leave that recipient out of --to",
        ),
        _ => failure,
    }
}

/// Whether this member may send at all, by the roster that is at hand: one that is revoked waits for nothing.
///
/// # Errors
/// It is suspended or revoked.
pub fn may_send(home: &MemberHome, roster: &Roster) -> Result<(), Failure> {
    let own = &home.settings().member;
    if roster.member(own).is_none_or(Member::is_live) {
        return Ok(());
    }
    let what = format!("{own} is suspended or revoked, and nothing was sent");
    Err(Failure::new(WireCode::Revoked, what).cause(format!(
        "roster version {} says so; no node of the federation takes anything from it",
        roster.version()
    )))
}

/// The roster at hand, by which this member may send.
///
/// # Errors
/// There is none, or it says that the member is suspended or revoked.
pub fn roster_to_send(home: &MemberHome) -> Result<Roster, Failure> {
    let roster = member::roster(home)?;
    may_send(home, &roster)?;
    Ok(roster)
}

/// Who is suspended by the own people gets it later, and whoever sends should know that.
///
/// # Errors
/// It cannot be read who is suspended.
pub fn warn_of_suspended<'a>(
    dir: &Path,
    members: impl IntoIterator<Item = &'a str>,
) -> Result<(), Failure> {
    let suspended = suspend::suspended(dir)?;
    for member in members {
        if suspended.holds_member(member) {
            output::message(format_args!(
                "{member} is suspended here: this waits until  frex peer resume {member} {}",
                dir.display()
            ));
        }
    }
    Ok(())
}
