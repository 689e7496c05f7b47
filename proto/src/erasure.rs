//! Why something is erased or held, in codes that tell nothing of it. Spec: chapter ERA.

use crate::{
    error::WireCode,
    limits::{AUTHORITY_BYTES_MAX, GROUND_BYTES_MAX},
};

/// The ground on which an erasure wins over a hold that no court ordered.
pub const EXONERATED: &str = "exonerated";
/// The ground of the node's own rule.
pub const RETENTION_OVER: &str = "retention-over";

/// Grounds that are registered, and what they mean. Others of the form are allowed. Spec: ERA-4.
pub const GROUNDS: &[(&str, &str)] = &[
    (RETENTION_OVER, "the time for which it may be kept is over"),
    ("court-order", "a court or authority has ordered it"),
    (
        "data-subject",
        "the person whom it is about may demand it, and has",
    ),
    (EXONERATED, "the suspicion has proved to be unfounded"),
    ("sent-in-error", "it was not meant to be sent"),
    ("withdrawn", "its sender has withdrawn it"),
    ("unlawful", "it must not have been processed"),
    (
        "agreement-ended",
        "the agreement under which it came is over",
    ),
    ("litigation", "of a hold: a case in which it is evidence"),
    ("investigation", "of a hold: an investigation that needs it"),
];

/// A ground or an authority is no code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodeError {
    /// The ground.
    #[error("a ground is a code of 1 to 32 of a-z, 0-9, -")]
    Ground,
    /// The authority.
    #[error("an authority is a code of 1 to 64 of A-Z, a-z, 0-9, . _ : / -")]
    Authority,
}

impl From<CodeError> for WireCode {
    fn from(_: CodeError) -> Self {
        Self::Malformed
    }
}

/// Checks both: they go into statements and logs, so no free text may pass. Spec: LIM-96, LIM-97.
///
/// # Errors
/// [`CodeError`]
pub fn check(ground: &str, authority: &str) -> Result<(), CodeError> {
    let lower = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let any = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    if !(1..=GROUND_BYTES_MAX).contains(&ground.len()) || !ground.bytes().all(lower) {
        return Err(CodeError::Ground);
    }
    if !(1..=AUTHORITY_BYTES_MAX).contains(&authority.len()) || !authority.bytes().all(any) {
        return Err(CodeError::Authority);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // ERA-4, LIM-96, LIM-97
    #[test]
    fn only_codes_pass() {
        for (ground, meaning) in GROUNDS {
            assert_eq!(check(ground, "LU:2024/12"), Ok(()), "{meaning}");
        }
        let long = "a".repeat(GROUND_BYTES_MAX + 1);
        for ground in ["", "Court", "a person", "a_b", &long] {
            assert_eq!(check(ground, "x"), Err(CodeError::Ground), "{ground}");
        }
        let long = "a".repeat(AUTHORITY_BYTES_MAX + 1);
        for authority in ["", "a person", "a@b", "a\nb", "\u{e9}", &long] {
            let judged = check(EXONERATED, authority);
            assert_eq!(judged, Err(CodeError::Authority), "{authority}");
        }
        assert_eq!(WireCode::from(CodeError::Ground), WireCode::Malformed);
    }
}
