//! What was sent: of its shape, signed by its sender, with the content that it commits to.

use super::{check, outcome};
use crate::{
    envelope::{self, Carried, EnvelopeError},
    evidence::{Check, EvidenceError, Outcome, Shown},
    id::EnvelopeId,
    keys::VerifyingKey,
    roster::Roster,
    sign::BatchCache,
    v1,
};

/// Judges one; `logged_ms` is when a log first wrote it down, `seen` are the envelopes that stand
/// before it in the file.
pub(super) fn judge(
    place: usize,
    exhibit: &v1::Exhibit,
    shape: Result<Carried, EnvelopeError>,
    (logged_ms, seen): (Option<u64>, &[EnvelopeId]),
    roster: &Roster,
) -> (Vec<Check>, Option<Shown>) {
    let name = |what: &str| format!("exhibit {}: {what}", place + 1);
    let fits = match &shape {
        Err(error) => Err(EvidenceError::Exhibit(*error)),
        Ok(carried) if carried.original().core.federation != roster.federation() => {
            Err(EvidenceError::WrongFederation)
        }
        Ok(carried) if seen.contains(&carried.id()) => Err(EvidenceError::Repeated),
        Ok(_) => Ok(()),
    };
    let mut checks = vec![check(name("is an envelope, once"), outcome(fits))];
    let Some(carried) = shape.ok().filter(|_| fits.is_ok()) else {
        checks.push(check(name("is signed by its sender"), Outcome::NotReached));
        return (checks, None);
    };
    let signed = signed(&carried, logged_ms, roster);
    checks.push(check(name(&signers(&carried)), outcome(signed)));
    let revealed = !exhibit.content.is_empty() || !exhibit.salt.is_empty();
    let content = revealed.then(|| content(&carried, exhibit));
    if let Some(content) = &content {
        let author = &carried.original().core.sender;
        let what = format!("content is what {author} committed to");
        checks.push(check(name(&what), outcome(content.clone().map(drop))));
    }
    let holds = signed.is_ok() && content.as_ref().is_none_or(Result::is_ok);
    let shown = Shown {
        content: content.and_then(Result::ok),
        carried,
        logged_ms,
    };
    (checks, holds.then_some(shown))
}

fn signers(carried: &Carried) -> String {
    match carried {
        Carried::Own(_) => format!("is signed by {}", carried.sender()),
        Carried::Forward(forward) => format!(
            "is signed by {}, and its original by {}",
            forward.sender, forward.original.core.sender
        ),
    }
}

/// By keys that were good when a log wrote it down, or else when its sender says that it was made.
fn signed(carried: &Carried, logged_ms: Option<u64>, roster: &Roster) -> Result<(), EvidenceError> {
    let keys = |member: &str, at_ms: u64| -> Result<Vec<VerifyingKey>, EvidenceError> {
        let member = roster.member(member).ok_or(EvidenceError::UnknownSender)?;
        Ok(member.identity_keys_at(at_ms))
    };
    let core = &carried.original().core;
    let sender = keys(carried.sender(), logged_ms.unwrap_or(carried.times().0))?;
    let author = keys(&core.sender, core.created_ms)?;
    carried
        .verify(&sender, &author, &mut BatchCache::new())
        .map_err(EvidenceError::Exhibit)
}

fn content(carried: &Carried, exhibit: &v1::Exhibit) -> Result<v1::Content, EvidenceError> {
    let salt = exhibit.salt[..]
        .try_into()
        .map_err(|_| EvidenceError::Content)?;
    envelope::read_content(carried.original(), &exhibit.content, &salt)
        .map_err(|_| EvidenceError::Content)
}
