//! Totals of several members, of which none shows its own figures.
//!
//! Whoever begins says what is added up, for which months, by whom: a [`Round`]. Each member splits each
//! of its figures into shares that are random by themselves and add up to the figure, modulo
//! 2^64, and seals one to each other member ([`share()`]). Each adds up what it was given and shows the sum
//! to all ([`add()`]); these sums add up to the totals ([`combine()`]). Whoever does not hold the shares
//! of all the others learns of one member's figures nothing but what the totals say. If anybody is
//! missing, nothing comes out at all. [`audit()`] shows one who is trusted with one member's figures
//! that its shares were of these. Spec: STA-29 to STA-37.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::{
    error::WireCode,
    id::check_name,
    keys::{SigningError, SigningKey},
    label::{self, Hash, hmac_sha256},
    limits::{RECIPIENTS_MAX, STATISTICS_VALUES_MAX, SUM_CELLS_MAX, SUM_MEMBERS_MIN},
    roster::Roster,
    sign, v1,
};
use prost::Message as _;

use super::{
    Axis, Fact, OTHER, Period, StatisticsError, THRESHOLD_MIN,
    parse::{message, opened, to_bytes},
    wire::{self, SumCommitments, SumPartial, SumRound, statistics_message::What},
};

mod add;
mod audit;
mod combine;
mod input;
mod share;

pub use add::{Taken, add, take};
pub use audit::audit;
pub use combine::{Totals, combine, read_partial};
pub use input::input;
pub use share::{Shares, share};

/// What is added up, and by whom.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// What it says.
    pub said: SumRound,
    /// As it was signed.
    pub signed: v1::Signed,
    /// SHA-256 of the payload.
    pub id: Hash,
}

/// Why a part of a sum is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SumError {
    /// It does not decode, or is not of its form.
    #[error(transparent)]
    Statistics(#[from] StatisticsError),
    /// Not signed by the member whose it is.
    #[error("it is not signed by the member that it names")]
    Signature,
    /// It belongs to another round, or to nobody in this one.
    #[error("it belongs to another round")]
    OtherRound,
    /// The share is not the one that its member has committed to.
    #[error("a share is not the one that its member has committed to")]
    Commitment,
    /// Members were given different commitments by one member.
    #[error("one member has given others different commitments: {0}")]
    TwoFaced(String),
    /// Parts of these members are missing.
    #[error("nothing has come of: {}", .0.join(", "))]
    Missing(Vec<String>),
    /// Shares do not add up to the figures that were committed to.
    #[error("the shares do not add up to the figures that were committed to")]
    NotItsFigures,
    /// What is to be signed cannot be.
    #[error(transparent)]
    Signing(#[from] SigningError),
}

impl From<SumError> for WireCode {
    fn from(error: SumError) -> Self {
        match error {
            SumError::Statistics(error) => error.into(),
            SumError::Missing(_) => Self::SumVoid,
            SumError::Signing(error) => error.into(),
            _ => Self::BadStatistics,
        }
    }
}

impl Round {
    /// Signs what is to be added up.
    ///
    /// # Errors
    /// [`SumError`], also if it is none that others would take.
    pub fn open(said: SumRound, key: &SigningKey) -> Result<Self, SumError> {
        check(&said)?;
        let payload: Bytes = said.encode_to_vec().into();
        let id = label::sha256(&[&payload]);
        let signed = sign::sign(label::TYPE_SUM_ROUND, payload, &[key])?;
        Ok(Self { said, signed, id })
    }

    /// Reads a round that somebody has begun, and judges by whom under a roster.
    ///
    /// # Errors
    /// [`SumError`].
    pub fn read(bytes: &[u8], roster: &Roster) -> Result<Self, SumError> {
        let What::Round(signed) = message(bytes)? else {
            return Err(StatisticsError::Malformed.into());
        };
        let (signed, said) = opened::<SumRound>(signed)?;
        check(&said)?;
        if said.federation != roster.federation() {
            return Err(StatisticsError::WrongFederation.into());
        }
        check_signed(&signed, label::TYPE_SUM_ROUND, &said.initiator, roster)?;
        Ok(Self {
            id: label::sha256(&[&signed.payload]),
            said,
            signed,
        })
    }

    /// The bytes of a file, and of a message that carries it.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        to_bytes(What::Round(self.signed.encode_to_vec().into()))
    }

    /// The period that is counted.
    ///
    /// # Errors
    /// [`StatisticsError::Period`].
    pub fn period(&self) -> Result<Period, StatisticsError> {
        Period::between(&self.said.first_month, &self.said.last_month)
    }

    /// The cells, the total first: nothing, or an axis and a value.
    #[must_use]
    pub fn cells(&self) -> Vec<Option<(Axis, &str)>> {
        let axes = self.said.axes.iter().filter_map(|one| {
            let axis = Axis::of_name(&one.axis)?;
            Some(one.values.iter().map(move |value| Some((axis, &**value))))
        });
        std::iter::once(None).chain(axes.flatten()).collect()
    }

    fn place(&self, member: &str) -> Result<usize, SumError> {
        let mut members = self.said.members.iter();
        members
            .position(|one| one == member)
            .ok_or(SumError::OtherRound)
    }

    /// Figures as they travel.
    fn figures(&self, values: &[u8]) -> Result<Vec<u64>, SumError> {
        let cells = self.cells().len();
        if values.len() != cells * 8 {
            return Err(StatisticsError::Malformed.into());
        }
        let eight = values.chunks_exact(8);
        let figure = |bytes: &[u8]| bytes.try_into().map(u64::from_be_bytes);
        let figures: Result<Vec<u64>, _> = eight.map(figure).collect();
        figures.map_err(|_| StatisticsError::Malformed.into())
    }

    /// The commitment to figures of one member, for another or for itself. Spec: STA-31.
    #[must_use]
    pub fn commitment(
        &self,
        label: &[u8],
        salt: &[u8],
        (from, to): (&str, &str),
        values: &[u8],
    ) -> Hash {
        let (from, to) = (counted(from), counted(to));
        hmac_sha256(salt, &[label, &self.id, &from, &to, values])
    }
}

/// A name with its length before it.
fn counted(name: &str) -> Vec<u8> {
    let length = u16::try_from(name.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes()[..], name.as_bytes()].concat()
}

fn to_values(figures: &[u64]) -> Bytes {
    figures
        .iter()
        .flat_map(|figure| figure.to_be_bytes())
        .collect()
}

/// Adds figures of one list to those of another, modulo 2^64.
fn add_to(sum: &mut [u64], figures: &[u64]) {
    for (sum, figure) in sum.iter_mut().zip(figures) {
        *sum = sum.wrapping_add(*figure);
    }
}

/// Judges whether a member has signed, by any key that it had: a round lasts days, and its parts are judged
/// when they come.
fn check_signed(
    signed: &v1::Signed,
    payload_type: &str,
    member: &str,
    roster: &Roster,
) -> Result<(), SumError> {
    let listed = roster.member(member).ok_or(SumError::Signature)?;
    let keys = listed.identity_keys.iter().map(|timed| timed.key.clone());
    let keys: Vec<_> = keys.collect();
    let verified = sign::verify(signed, payload_type, &keys, 1);
    verified.map(drop).map_err(|_| SumError::Signature)
}

/// What came of each member, in the order of the round, by whose it is. Spec: STA-32 to STA-34.
fn of_each<'a, T: PartialEq>(
    round: &Round,
    came: &'a [T],
    whose: impl Fn(&T) -> &str,
) -> Result<Vec<&'a T>, SumError> {
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for member in &round.said.members {
        let mut theirs = came.iter().filter(|one| whose(one) == member);
        match theirs.next() {
            None => missing.push(member.clone()),
            Some(first) if theirs.all(|other| other == first) => found.push(first),
            Some(_) => return Err(SumError::TwoFaced(member.clone())),
        }
    }
    match missing.is_empty() {
        true => Ok(found),
        false => Err(SumError::Missing(missing)),
    }
}

/// Judges the form of a round. Spec: STA-29.
fn check(said: &SumRound) -> Result<(), StatisticsError> {
    let ascending = said.members.windows(2).all(|pair| pair[0] < pair[1]);
    let named = said.members.iter().all(|member| check_name(member).is_ok());
    let count = said.members.len();
    let fits = (SUM_MEMBERS_MIN..=RECIPIENTS_MAX).contains(&count)
        && said.nonce.len() == 16
        && said.threshold >= THRESHOLD_MIN
        && check_name(&said.initiator).is_ok();
    if !ascending || !named || !fits {
        return Err(StatisticsError::Malformed);
    }
    let known = super::definition(&said.definition_id, Some(said.definition_version))?;
    if known.sha256[..] != said.definition_sha256[..] {
        return Err(StatisticsError::UnknownDefinition);
    }
    let months: Vec<String> = Period::between(&said.first_month, &said.last_month)?
        .months()?
        .iter()
        .map(ToString::to_string)
        .collect();
    let mut cells = 1;
    let mut seen = BTreeSet::new();
    for one in &said.axes {
        let axis = Axis::of_name(&one.axis).ok_or(StatisticsError::Malformed)?;
        let distinct: BTreeSet<&String> = one.values.iter().collect();
        let closed = match axis {
            Axis::Month => one.values == months,
            _ => one.values.last().is_some_and(|last| last == OTHER),
        };
        let fits = one.values.len() <= STATISTICS_VALUES_MAX && distinct.len() == one.values.len();
        if !closed || !fits || !seen.insert(axis) {
            return Err(StatisticsError::Malformed);
        }
        cells += one.values.len();
    }
    match cells <= SUM_CELLS_MAX {
        true => Ok(()),
        false => Err(StatisticsError::TooLarge),
    }
}

/// Commitments, if they are of this round and signed by whom they name.
fn commitments(
    signed: &Bytes,
    round: &Round,
    roster: &Roster,
) -> Result<(SumCommitments, Hash), SumError> {
    let (signed, said) = opened::<SumCommitments>(signed.clone())?;
    round.place(&said.member)?;
    let sizes = said.input.len() == 32
        && said.shares.len() == round.said.members.len()
        && said.shares.iter().all(|share| share.len() == 32);
    if said.round_sha256 != round.id[..] {
        return Err(SumError::OtherRound);
    }
    if !sizes {
        return Err(StatisticsError::Malformed.into());
    }
    check_signed(&signed, label::TYPE_SUM_COMMITMENTS, &said.member, roster)?;
    Ok((said, label::sha256(&[&signed.payload])))
}
