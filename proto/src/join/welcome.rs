//! What the inviting side answers, and how the newcomer judges it.

use bytes::Bytes;
use prost::Message;

use super::{AnswerError, Applicant, Decision, Host, Invitation};
use crate::{
    error::WireCode,
    keys::{SigningError, SigningKey, VerifyingKey},
    label::{self, Hash},
    limits,
    roster::{Member, Roster, TrustAnchor},
    sign, v1,
};

/// Writes the answer to an applicant: the roster in force, and what it means for this connection.
/// `host` is the inviting member. Spec: JOI-8.
///
/// # Errors
/// [`SigningError`].
pub fn welcome(
    roster: &Roster,
    host: &str,
    identity: &SigningKey,
    applicant: &Applicant,
    decision: &Decision,
    channel: &Hash,
) -> Result<Vec<u8>, SigningError> {
    let statement = v1::JoinStatement {
        federation: roster.federation().to_owned(),
        member: host.to_owned(),
        channel: Bytes::copy_from_slice(channel),
        root_sha256: Bytes::copy_from_slice(&roster.root().sha256),
        card_sha256: Bytes::copy_from_slice(&applicant.card_sha256),
        state: i32::from(decision.state),
        state_ms: decision.at_ms,
        reason: decision.reason.clone(),
    };
    let payload = statement.encode_to_vec().into();
    let signed = sign::sign(label::TYPE_JOIN, payload, &[identity])?;
    let welcome = v1::JoinWelcome {
        statement: signed.encode_to_vec().into(),
        roster: roster.bytes().clone(),
    };
    Ok(answer(v1::join_answer::Answer::Welcome(welcome)))
}

/// Writes an answer that is a code.
#[must_use]
pub fn refusal(code: WireCode) -> Vec<u8> {
    answer(v1::join_answer::Answer::Refusal(v1::Refusal {
        code: code as u32,
        retry_after_ms: 0,
    }))
}

/// Judges the answer that came over the connection of `channel` to a request about the card of
/// this hash. Spec: JOI-8.
///
/// # Errors
/// [`AnswerError`] with the first rule that is broken.
pub fn judge_answer(
    bytes: &[u8],
    invitation: &Invitation,
    card_sha256: &Hash,
    channel: &Hash,
    now_ms: u64,
) -> Result<Host, AnswerError> {
    use AnswerError as E;
    if bytes.len() > limits::JOIN_ANSWER_BYTES_MAX {
        return Err(E::TooLarge);
    }
    let answer = v1::JoinAnswer::decode(Bytes::copy_from_slice(bytes)).or(Err(E::Malformed))?;
    let welcome = match answer.answer.ok_or(E::Malformed)? {
        v1::join_answer::Answer::Welcome(welcome) => welcome,
        v1::join_answer::Answer::Refusal(refusal) => {
            return Err(E::Refused(WireCode::from_number(refusal.code)));
        }
    };
    let anchor = TrustAnchor {
        federation: invitation.federation.clone(),
        root_sha256: invitation.root_sha256,
    };
    let roster = Roster::judge(&welcome.roster, &anchor, now_ms).map_err(E::Roster)?;
    let host = roster.member(&invitation.member);
    let host = host.filter(|host| host.is_live()).ok_or(E::UnknownHost)?;
    let signed = open_statement(&welcome.statement).ok_or(E::Malformed)?;
    let identity = signer(&signed, host, now_ms).ok_or(E::NotIdentity)?;
    let statement = v1::JoinStatement::decode(signed.payload.clone()).or(Err(E::Malformed))?;
    if statement.channel[..] != channel[..] {
        return Err(E::Replayed);
    }
    let same_subject = statement.federation == invitation.federation
        && statement.member == invitation.member
        && statement.root_sha256[..] == invitation.root_sha256[..]
        && statement.card_sha256[..] == card_sha256[..];
    if !same_subject {
        return Err(E::OtherSubject);
    }
    let decision = decision(&statement).ok_or(E::Malformed)?;
    Ok(Host {
        roster,
        identity,
        decision,
    })
}

/// The signed statement in these bytes, not verified.
pub(super) fn open_statement(bytes: &Bytes) -> Option<v1::Signed> {
    if bytes.len() > limits::JOIN_STATEMENT_BYTES_MAX {
        return None;
    }
    let signed = v1::Signed::decode(bytes.clone()).ok()?;
    signed.batch.is_none().then_some(signed)
}

/// Which identity key of `member` has signed the statement.
pub(super) fn signer(signed: &v1::Signed, member: &Member, now_ms: u64) -> Option<VerifyingKey> {
    let keys = member.identity_keys_at(now_ms);
    let verified = sign::verify(signed, label::TYPE_JOIN, &keys, 1).ok()?;
    let by = *verified.key_ids.first()?;
    keys.into_iter().find(|key| key.key_id() == by)
}

/// The decision that a statement carries. Spec: JOI-9.
pub(super) fn decision(statement: &v1::JoinStatement) -> Option<Decision> {
    let state = statement.state();
    let known = state != v1::JoinState::Unspecified;
    let short = statement.reason.len() <= limits::JOIN_REASON_BYTES_MAX;
    (known && short).then(|| Decision {
        state,
        at_ms: statement.state_ms,
        reason: statement.reason.clone(),
    })
}

fn answer(answer: v1::join_answer::Answer) -> Vec<u8> {
    v1::JoinAnswer {
        answer: Some(answer),
    }
    .encode_to_vec()
}
