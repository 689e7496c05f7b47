//! Why a message is withdrawn: what is nearly a registered code is mistyped, and would do less. Spec: RCL-23.

use frex_client::near;
use frex_proto::{
    envelope::{RECALL_REASONS, recall_notice},
    error::WireCode,
};

use crate::cli::{
    failure::{Failure, OrCode},
    output,
};

/// Whether this can be a reason.
///
/// # Errors
/// It is no code, or nearly a registered one.
pub(super) fn check(reason: &str) -> Result<(), Failure> {
    let codes: Vec<&str> = RECALL_REASONS.iter().map(|(code, _)| *code).collect();
    let advice = format!("Reasons are: {}", codes.join(", "));
    let code = recall_notice(reason, bytes::Bytes::new());
    code.or_code(WireCode::BadInput, "the reason is no code")
        .map_err(|failure| failure.advise(&advice))?;
    if let Some(meant) = near::meant(reason, &codes) {
        let what = format!("{reason} is no registered reason: {meant} is meant");
        return Err(Failure::new(WireCode::BadInput, what)
            .cause("another code tells a person and does nothing else, so one that is nearly registered is not taken")
            .advise(advice));
    }
    if !codes.contains(&reason) {
        output::message(format_args!(
            "note: {reason} is not registered: it tells a person, and no program does anything by it. {advice}"
        ));
    }
    Ok(())
}
