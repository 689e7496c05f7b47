//! Somebody calls after a hit: what it claims is held against what it asked and what was answered.
//! Spec: DCF-21.

use frex_client::{
    casework::deconflict::{
        DeconflictContact, Epoch, What, decode,
        store::{Desk, Store},
        verify_claim,
    },
    keys::MemberHome,
};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use crate::cli::{
    deconflict::received::{self, Received},
    failure::{Failure, OrFail},
    output,
};

/// Takes a call.
///
/// # Errors
/// It does not prove what it claims.
pub(super) fn take(
    home: &MemberHome,
    store: &Store,
    received: &Received,
    contact: &DeconflictContact,
) -> Result<Value, Failure> {
    let wrong = "what the caller claims does not hold";
    let other = || {
        Failure::new(WireCode::BadAnswer, wrong)
            .cause("it names a question or an answer that is not here")
    };
    let query = hex::encode(&contact.query);
    let served = store
        .served(&query)
        .or_fail("what was answered cannot be read")?;
    let answer_id = hex::encode(&contact.answer);
    let is_it = served.is_some_and(|served| {
        served.member == received.from && served.answer.as_deref() == Some(&*answer_id)
    });
    if !is_it {
        return Err(other());
    }
    let What::Query(asked) = received::what(home, &query)? else {
        return Err(other());
    };
    let kept = store
        .kept_answer(&query)
        .or_fail("what was answered cannot be read")?;
    let What::Answer(answer) = decode(&kept.ok_or_else(other)?).or_fail(wrong)? else {
        return Err(other());
    };
    let epoch = Epoch::stated(&answer.epoch).or_fail(wrong)?;
    let (identifier, _) = verify_claim(contact, &asked, &answer, &epoch).or_fail(wrong)?;
    let mut found = None;
    store
        .each_held(|holding| {
            if holding.identifier == identifier {
                found = Some(holding);
            }
            Ok(())
        })
        .or_fail("what is held cannot be read")?;
    let held = found.as_ref().is_some_and(|holding| !holding.silent);
    let caller: Desk = Desk::from(contact.desk.clone().unwrap_or_default());
    Ok(json!({
        "what": "call of", "from": received.from, "state": "proved", "identifier": identifier.as_str(),
        "held": held, "desk": found.as_ref().map(|holding| holding.desk.clone()),
        "source": found.map(|holding| holding.source), "caller": caller,
        "reference": contact.reference, "note": contact.note, "query": query, "answer": answer_id,
        "say": format!("about {}", output::clean(identifier.as_str())),
    }))
}
