//! Whether members can be sent to: what is asked once, before anything is sealed for them.

use std::path::Path;

use frex_client::client::DraftError;
use frex_proto::error::WireCode;

use super::{failure::Failure, output, peer::suspend};

/// A recipient cannot be sent to.
#[must_use]
pub fn unsendable(error: &DraftError) -> Failure {
    let failure = Failure::new(WireCode::from(error), "a recipient cannot be sent to");
    let failure = failure.because(error);
    match error {
        DraftError::LacksFields { .. } => failure.advise(
            "Add the fields named above to the report, or leave that recipient out of --to",
        ),
        DraftError::FileRefused { .. } => failure.advise(
            "Keep the file where it is, and name it in a report by its hashes and where it is found; or leave that recipient out of --to",
        ),
        _ => failure,
    }
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
