//! Reading an answer: everything is proved before anything is believed. Spec: DCF-17.

use super::{AnswerError, DeconflictAnswer, Epoch, Question, finish, oprf::Output};

/// Checks an answer to `question`, whose envelope has this id, against the epoch that it names and
/// that was verified before. Gives what each identifier became, in the order of the question: to be
/// looked for in the book.
///
/// # Errors
/// [`AnswerError`].
pub fn read_answer(
    question: &Question,
    query: &[u8],
    answer: &DeconflictAnswer,
    epoch: &Epoch,
) -> Result<Vec<Output>, AnswerError> {
    if answer.query != query {
        return Err(AnswerError::OtherQuestion);
    }
    if !answer.refusal.is_empty() {
        return Err(AnswerError::Refused);
    }
    let inputs = question.items.iter().map(|item| item.identifier.input());
    let inputs: Vec<Vec<u8>> = inputs.collect();
    let blinded: Vec<_> = question.items.iter().map(|item| &item.blinded).collect();
    let (evaluated, proof) = (&answer.evaluated, &answer.proof);
    Ok(finish(
        &inputs,
        &blinded,
        evaluated,
        proof,
        &epoch.public_key,
    )?)
}
