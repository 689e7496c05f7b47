//! What an asker can prove: that it asked for this identifier, and what the member's answer made of it.
//! Question and answer are signed by whoever sent them; the rest follows from their bytes and the blind.
//! Spec: DCF-21.

use super::{
    AnswerError, Blinded, DeconflictAnswer, DeconflictContact, DeconflictQuery, Epoch, Identifier,
    OprfError, finish, oprf::Output,
};

/// Checks a claim against question and answer, whose envelopes have the ids that it names; gives the
/// identifier, and the output, which stands in the epoch's book or does not.
///
/// # Errors
/// [`AnswerError`].
pub fn verify_claim(
    contact: &DeconflictContact,
    query: &DeconflictQuery,
    answer: &DeconflictAnswer,
    epoch: &Epoch,
) -> Result<(Identifier, Output), AnswerError> {
    if answer.query != contact.query {
        return Err(AnswerError::OtherQuestion);
    }
    if !answer.refusal.is_empty() {
        return Err(AnswerError::Refused);
    }
    let item = usize::try_from(contact.item).unwrap_or(usize::MAX);
    let element = query.blinded.get(item).ok_or(AnswerError::OtherQuestion)?;
    let identifier = Identifier::normal(&contact.identifier).or(Err(AnswerError::NotNormal))?;
    let blinded = Blinded::again(&identifier.input(), &contact.blind)?;
    if blinded.element() != *element {
        return Err(AnswerError::NotAsked);
    }
    // The proof is of all elements together; the others keep their secret.
    let others = query.blinded.iter();
    let others = others.map(|element| Blinded::of_others(element));
    let mut all: Vec<Blinded> = others.collect::<Result<_, OprfError>>()?;
    all[item] = blinded;
    let (evaluated, proof) = (&answer.evaluated, &answer.proof);
    let blinded: Vec<&Blinded> = all.iter().collect();
    let inputs = vec![identifier.input(); all.len()];
    let outputs = finish(&inputs, &blinded, evaluated, proof, &epoch.public_key)?;
    let output = outputs.get(item).ok_or(OprfError::Count)?;
    Ok((identifier, *output))
}
