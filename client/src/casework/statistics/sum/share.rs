//! Splitting figures into shares. Spec: STA-31.

use bytes::Bytes;
use frex_proto::{keys::SigningKey, label, sign};
use prost::Message as _;
use rand_core::CryptoRng;

use super::{
    Round, StatisticsError, SumCommitments, SumError, What, add_to, to_bytes, to_values, wire,
};

/// One member's part of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Shares {
    /// For each member of the round, its own among them: the message that goes to it.
    pub messages: Vec<(String, Bytes)>,
    /// What shows an auditor that the shares are of these figures. It holds the figures.
    pub opening: wire::SumOpening,
}

/// Splits the figures of `member` and signs what it commits to. All but one share of a figure are random;
/// the last is what is missing to it, so that any of them alone is random.
///
/// # Errors
/// [`SumError`].
pub fn share(
    round: &Round,
    (member, key): (&str, &SigningKey),
    figures: &[u64],
    range: &wire::LogRange,
    rng: &mut impl CryptoRng,
) -> Result<Shares, SumError> {
    let own = round.place(member)?;
    let members = &round.said.members;
    if figures.len() != round.cells().len() {
        return Err(StatisticsError::Malformed.into());
    }
    let mut rest: Vec<u64> = vec![0; figures.len()];
    let mut shares: Vec<Vec<u64>> = Vec::new();
    for place in 0..members.len() {
        let drawn: Vec<u64> = figures.iter().map(|_| rng.next_u64()).collect();
        if place != own {
            add_to(&mut rest, &drawn);
        }
        shares.push(drawn);
    }
    let missing = figures.iter().zip(&rest);
    shares[own] = missing
        .map(|(figure, rest)| figure.wrapping_sub(*rest))
        .collect();
    let mut salt = || {
        let mut salt = [0; 32];
        rng.fill_bytes(&mut salt);
        Bytes::copy_from_slice(&salt)
    };
    let input_salt = salt();
    let share_salts: Vec<Bytes> = members.iter().map(|_| salt()).collect();
    let input = to_values(figures);
    let shares: Vec<Bytes> = shares.iter().map(|share| to_values(share)).collect();
    let of_input = round.commitment(label::SUM_INPUT, &input_salt, (member, member), &input);
    let of_share = |place: usize| {
        let pair = (member, &*members[place]);
        let made = round.commitment(label::SUM_SHARE, &share_salts[place], pair, &shares[place]);
        Bytes::copy_from_slice(&made)
    };
    let said = SumCommitments {
        round_sha256: Bytes::copy_from_slice(&round.id),
        member: member.to_owned(),
        input: Bytes::copy_from_slice(&of_input),
        shares: (0..members.len()).map(of_share).collect(),
        range: Some(range.clone()),
    };
    let signed = sign::sign(
        label::TYPE_SUM_COMMITMENTS,
        said.encode_to_vec().into(),
        &[key],
    )?;
    let commitments: Bytes = signed.encode_to_vec().into();
    let message = |place: usize| {
        let (salt, values) = (&share_salts[place], &shares[place]);
        (members[place].clone(), message(&commitments, salt, values))
    };
    let messages = (0..members.len()).map(message).collect();
    Ok(Shares {
        messages,
        opening: wire::SumOpening {
            commitments,
            input_salt,
            input,
            share_salts,
            shares,
        },
    })
}

fn message(commitments: &Bytes, salt: &Bytes, values: &Bytes) -> Bytes {
    to_bytes(What::Share(wire::SumShare {
        commitments: commitments.clone(),
        salt: salt.clone(),
        values: values.clone(),
    }))
}
