//! What one who is trusted with one member's figures can see of its part in a round. Spec: STA-36.

use frex_proto::{label, roster::Roster};

use super::{Round, StatisticsError, SumError, add_to, commitments, wire};

/// Whether the shares of a member add up to the figures that it committed to, each as it
/// committed to it. Gives the member and its figures.
///
/// # Errors
/// [`SumError::Commitment`], [`SumError::NotItsFigures`] and those of what is malformed.
pub fn audit(
    opening: &wire::SumOpening,
    round: &Round,
    roster: &Roster,
) -> Result<(String, Vec<u64>), SumError> {
    let (said, _) = commitments(&opening.commitments, round, roster)?;
    let members = &round.said.members;
    let sizes = opening.shares.len() == members.len()
        && opening.share_salts.len() == members.len()
        && opening.share_salts.iter().all(|salt| salt.len() == 32)
        && opening.input_salt.len() == 32;
    if !sizes {
        return Err(StatisticsError::Malformed.into());
    }
    let member = &*said.member;
    let input = round.commitment(
        label::SUM_INPUT,
        &opening.input_salt,
        (member, member),
        &opening.input,
    );
    if said.input != input[..] {
        return Err(SumError::Commitment);
    }
    let mut sum = vec![0; round.cells().len()];
    for (place, to) in members.iter().enumerate() {
        let (salt, values) = (&opening.share_salts[place], &opening.shares[place]);
        let made = round.commitment(label::SUM_SHARE, salt, (member, to), values);
        if said.shares[place] != made[..] {
            return Err(SumError::Commitment);
        }
        add_to(&mut sum, &round.figures(values)?);
    }
    let figures = round.figures(&opening.input)?;
    match sum == figures {
        true => Ok((said.member, figures)),
        false => Err(SumError::NotItsFigures),
    }
}
