//! From what each has added up to totals. Spec: STA-34, STA-35.

use std::collections::BTreeMap;

use bytes::Bytes;
use frex_proto::{label, roster::Roster, sign, v1};
use prost::Message as _;

use super::{Round, StatisticsError, SumError, SumPartial, What, add_to, keys_of, wire};
use crate::casework::statistics::{Steps, definition, message, protect::line, wire::Row};

/// Totals of a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// Rows as they may be published: small ones are hidden, with others by which they could be computed.
    pub rows: Vec<Row>,
}

/// Reads what one member has added up.
///
/// # Errors
/// [`SumError`].
pub fn read_partial(bytes: &[u8], round: &Round, roster: &Roster) -> Result<SumPartial, SumError> {
    let What::Partial(signed) = message(bytes)? else {
        return Err(StatisticsError::Malformed.into());
    };
    let malformed = |_| StatisticsError::Malformed;
    let signed = v1::Signed::decode(signed).map_err(malformed)?;
    let said = SumPartial::decode(signed.payload.clone()).map_err(malformed)?;
    if said.round_sha256 != round.id[..] {
        return Err(SumError::OtherRound);
    }
    round.place(&said.member)?;
    round.figures(&said.values)?;
    let hashes = said.commitments_sha256.len() == round.said.members.len()
        && said.commitments_sha256.iter().all(|hash| hash.len() == 32);
    if !hashes {
        return Err(StatisticsError::Malformed.into());
    }
    let keys = keys_of(&said.member, roster)?;
    let verified = sign::verify(&signed, label::TYPE_SUM_PARTIAL, &keys, 1);
    verified.map_err(|_| SumError::Signature)?;
    Ok(said)
}

/// Adds up what every member has added up.
///
/// # Errors
/// [`SumError::Missing`] names who has not; [`SumError::TwoFaced`] who has given different commitments
/// to different members, or two sums.
pub fn combine(round: &Round, partials: &[SumPartial]) -> Result<Totals, SumError> {
    let mut by_member: BTreeMap<&str, &SumPartial> = BTreeMap::new();
    for one in partials {
        let earlier = by_member.insert(&one.member, one);
        if earlier.is_some_and(|earlier| earlier != one) {
            return Err(SumError::TwoFaced(one.member.clone()));
        }
    }
    let members = &round.said.members;
    let missing = members
        .iter()
        .filter(|one| !by_member.contains_key(&***one));
    let missing: Vec<String> = missing.cloned().collect();
    if !missing.is_empty() {
        return Err(SumError::Missing(missing));
    }
    let mut sum = vec![0; round.cells().len()];
    let mut first: Option<&[Bytes]> = None;
    for one in by_member.values() {
        let used = &one.commitments_sha256[..];
        let agreed = *first.get_or_insert(used);
        if let Some(place) = (0..members.len()).find(|place| agreed[*place] != used[*place]) {
            return Err(SumError::TwoFaced(members[place].clone()));
        }
        add_to(&mut sum, &round.figures(&one.values)?);
    }
    Ok(Totals {
        rows: rows(round, &sum),
    })
}

/// What may be published of the totals.
fn rows(round: &Round, sum: &[u64]) -> Vec<Row> {
    let threshold = u64::from(round.said.threshold);
    let steps = Steps {
        threshold: round.said.threshold,
        ..Steps::default()
    };
    let shown = |figure: u64| steps.round(figure).max(steps.smallest());
    let total = sum[0];
    let exact_from = definition(
        &round.said.definition_id,
        Some(round.said.definition_version),
    )
    .map_or(0, |definition| definition.exact_from);
    let open = total >= threshold;
    let exact = exact_from > 0 && total >= exact_from;
    let mut rows = vec![Row {
        reports: open.then(|| if exact { total } else { shown(total) }),
        ..Row::default()
    }];
    let mut next = 1;
    for axis in &round.said.axes {
        let figures = &sum[next..next + axis.values.len()];
        next += axis.values.len();
        let open = if open {
            line(figures, threshold)
        } else {
            vec![false; figures.len()]
        };
        for (at, value) in axis.values.iter().enumerate() {
            let place = wire::Coordinate {
                axis: axis.axis.clone(),
                value: value.clone(),
            };
            rows.push(Row {
                at: vec![place],
                reports: open[at].then(|| shown(figures[at])),
                ..Row::default()
            });
        }
    }
    rows
}
