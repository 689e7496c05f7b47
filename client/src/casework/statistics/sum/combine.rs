//! From what each has added up to totals. Spec: STA-34, STA-35.

use bytes::Bytes;
use frex_proto::{label, roster::Roster};

use super::{
    Round, StatisticsError, SumError, SumPartial, What, add_to, check_signed, message, of_each,
    opened,
};
use crate::casework::statistics::{Steps, definition, protect::line, view::place, wire::Row};

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
    let (signed, said) = opened::<SumPartial>(signed)?;
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
    check_signed(&signed, label::TYPE_SUM_PARTIAL, &said.member, roster)?;
    Ok(said)
}

/// Adds up what every member has added up.
///
/// # Errors
/// [`SumError::Missing`] names who has not; [`SumError::TwoFaced`] who has given different commitments
/// to different members, or two sums.
pub fn combine(round: &Round, partials: &[SumPartial]) -> Result<Totals, SumError> {
    let members = &round.said.members;
    let mut sum = vec![0; round.cells().len()];
    let mut first: Option<&[Bytes]> = None;
    for one in of_each(round, partials, |one| &one.member)? {
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
    let shown = |figure: u64| steps.shown(figure, 0);
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
            rows.push(Row {
                at: vec![place(&axis.axis, value)],
                reports: open[at].then(|| shown(figures[at])),
                ..Row::default()
            });
        }
    }
    rows
}
