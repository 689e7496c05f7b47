//! Whether members can be sent to: what is asked once, before anything is sealed for them.

use std::path::Path;

use frex_client::{client::DraftError, keys::MemberHome};
use frex_proto::{
    error::WireCode,
    roster::{Member, Roster},
};

use super::{failure::Failure, member, output, peer::suspend};

/// A recipient cannot be sent to, of so many that were named: who is alone cannot be left out.
#[must_use]
pub fn unsendable(error: &DraftError, named: usize) -> Failure {
    let failure = Failure::new(WireCode::from(error), "a recipient cannot be sent to");
    let failure = failure.because(error);
    let or_without = match named > 1 {
        true => "; or leave that recipient out of --to",
        false => "",
    };
    match error {
        DraftError::LacksFields { .. } => failure.advise(format!(
            "Add the fields named above to the report{or_without}"
        )),
        DraftError::NotLive { member } if named > 1 => failure.advise(format!(
            "Nothing was sent to anybody: leave {member} out, and the others get it"
        )),
        DraftError::NotLive { member } => failure.advise(format!(
            "Nothing was sent: name somebody else (frex peer ls DIR says who there is); {member} gets nothing unless the governance resumes it, and who is revoked is out for good"
        )),
        DraftError::FileRefused { .. } => failure.advise(format!(
            "Keep the file where it is, and name it in a report by its hashes and where it is found{or_without}"
        )),
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

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-3: what is advised is a way only where there are others.
    #[test]
    fn who_is_named_alone_is_not_to_be_left_out() {
        let member = || "clearing.de".to_owned();
        let fields = vec!["urls".to_owned()];
        for error in [
            DraftError::NotLive { member: member() },
            DraftError::FileRefused { member: member() },
            DraftError::LacksFields {
                member: member(),
                fields,
            },
        ] {
            let leaves_out = |named| {
                let failure = format!("{:?}", unsendable(&error, named));
                failure.contains("leave ")
            };
            assert!(!leaves_out(1) && leaves_out(2), "{error}");
        }
    }
}
