//! The asked member's side: from a question to its answer. Spec: DCF-18, DCF-19, DCF-20.

use bytes::Bytes;
use frex_proto::id::EnvelopeId;
use rand_core::CryptoRng;

use super::{
    DeconflictAnswer, DeconflictQuery, REFUSED_MALFORMED, REFUSED_NO_BOOK, REFUSED_NOT_SERVED,
    REFUSED_QUOTA,
    store::{Admission, OwnEpoch, Query, Store, StoreError},
};

/// Longest book that travels inside an answer; a longer one goes along as an attachment.
const INLINE_BYTES_MAX: u64 = 768 * 1024;

/// A question that came.
#[derive(Debug, Clone, Copy)]
pub struct Serving<'a> {
    /// Who asked.
    pub member: &'a str,
    /// The envelope with the question.
    pub envelope: EnvelopeId,
    /// The question.
    pub query: &'a DeconflictQuery,
    /// The present, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// What is to be sent.
pub struct Served {
    /// The answer, or the refusal.
    pub answer: DeconflictAnswer,
    /// The epoch whose book goes along as an attachment.
    pub attach: Option<OwnEpoch>,
    /// To be kept once the answer has left.
    pub note: Query,
}

/// Answers a question, or says why not; nothing if it was answered before. Who asks whatever it is
/// learns no more than its quota allows: what is evaluated was written down before.
///
/// # Errors
/// [`StoreError`]: nothing may be sent then.
pub fn serve(
    store: &Store,
    serving: Serving<'_>,
    rng: &mut dyn CryptoRng,
) -> Result<Option<Served>, StoreError> {
    let Serving { member, query, .. } = serving;
    let before = store.served(&serving.envelope.to_string())?;
    if before.is_some_and(|before| before.state != "counted") {
        return Ok(None);
    }
    let settings = store.settings()?;
    if !settings.serves(member) {
        return Ok(Some(refusal(serving, REFUSED_NOT_SERVED, 0)));
    }
    let Some(own) = store.epoch(serving.now_ms)? else {
        return Ok(Some(refusal(serving, REFUSED_NO_BOOK, 0)));
    };
    let items = query.blinded.len();
    match store.admit(serving.envelope, member, items, serving.now_ms, &settings)? {
        Admission::Counted | Admission::Again => {}
        Admission::Done => return Ok(None),
        Admission::Over { again_ms } => {
            return Ok(Some(refusal(serving, REFUSED_QUOTA, again_ms)));
        }
    }
    let Ok(evaluation) = own.key()?.evaluate(&query.blinded, rng) else {
        return Ok(Some(refusal(serving, REFUSED_MALFORMED, 0)));
    };
    let has_book = query
        .books
        .iter()
        .any(|hash| hash[..] == own.epoch.book_sha256);
    let inline = !has_book && own.epoch.book_bytes <= INLINE_BYTES_MAX;
    let answer = DeconflictAnswer {
        query: Bytes::copy_from_slice(serving.envelope.as_ref()),
        epoch: own.signed.clone(),
        evaluated: evaluation.evaluated,
        proof: evaluation.proof,
        book: match inline {
            true => own.book()?,
            false => Bytes::new(),
        },
        refusal: String::new(),
        again_ms: 0,
    };
    let mut note = note(serving, "answered");
    note.epoch_ms = Some(own.epoch.begins_ms);
    Ok(Some(Served {
        answer,
        attach: (!has_book && !inline).then_some(own),
        note,
    }))
}

fn refusal(serving: Serving<'_>, why: &str, again_ms: u64) -> Served {
    let mut note = note(serving, "refused");
    why.clone_into(&mut note.refusal);
    Served {
        answer: DeconflictAnswer {
            query: Bytes::copy_from_slice(serving.envelope.as_ref()),
            refusal: why.to_owned(),
            again_ms,
            ..DeconflictAnswer::default()
        },
        attach: None,
        note,
    }
}

fn note(serving: Serving<'_>, state: &str) -> Query {
    Query {
        query: serving.envelope.to_string(),
        member: serving.member.to_owned(),
        at_ms: serving.now_ms,
        items: serving.query.blinded.len(),
        state: state.to_owned(),
        ..Query::default()
    }
}
