//! Adding up what others have given. Spec: STA-32, STA-33.

use bytes::Bytes;
use frex_proto::{
    keys::SigningKey,
    label::{self, Hash},
    roster::Roster,
    sign,
};
use prost::Message as _;

use super::{
    Round, StatisticsError, SumError, SumPartial, What, add_to, commitments, message, of_each,
    to_bytes, to_values,
};

/// A share that was given, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct Taken {
    /// Whose figures it is of.
    pub from: String,
    /// Hash of the commitments that came with it.
    pub commitments_sha256: Hash,
    figures: Vec<u64>,
}

/// Judges a share that was given to `member`.
///
/// # Errors
/// [`SumError`].
pub fn take(bytes: &[u8], round: &Round, member: &str, roster: &Roster) -> Result<Taken, SumError> {
    let What::Share(share) = message(bytes)? else {
        return Err(StatisticsError::Malformed.into());
    };
    let (said, commitments_sha256) = commitments(&share.commitments, round, roster)?;
    let place = round.place(member)?;
    let figures = round.figures(&share.values)?;
    let pair = (&*said.member, member);
    let made = round.commitment(label::SUM_SHARE, &share.salt, pair, &share.values);
    if share.salt.len() != 32 || said.shares[place] != made[..] {
        return Err(SumError::Commitment);
    }
    Ok(Taken {
        from: said.member,
        commitments_sha256,
        figures,
    })
}

/// Adds up the shares that `member` was given, one of each, its own among them, and signs the sum.
///
/// # Errors
/// [`SumError::Missing`] names of whom none has come; [`SumError::TwoFaced`] who has given two.
pub fn add(
    round: &Round,
    (member, key): (&str, &SigningKey),
    taken: &[Taken],
) -> Result<Bytes, SumError> {
    round.place(member)?;
    let mut sum = vec![0; round.cells().len()];
    let mut hashes = Vec::new();
    for one in of_each(round, taken, |one| &one.from)? {
        add_to(&mut sum, &one.figures);
        hashes.push(Bytes::copy_from_slice(&one.commitments_sha256));
    }
    let said = SumPartial {
        round_sha256: Bytes::copy_from_slice(&round.id),
        member: member.to_owned(),
        values: to_values(&sum),
        commitments_sha256: hashes,
    };
    let signed = sign::sign(label::TYPE_SUM_PARTIAL, said.encode_to_vec().into(), &[key])?;
    Ok(to_bytes(What::Partial(signed.encode_to_vec().into())))
}
