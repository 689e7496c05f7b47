//! Tables as bytes: signed, and read with every rule of their form. Spec: STA-1, STA-2.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_proto::{
    id::check_name,
    keys::{SigningError, SigningKey},
    label::{self, Hash},
    limits::{
        CHECKPOINT_BYTES_MAX, ID_BYTES_MAX, STATISTICS_BYTES_MAX, STATISTICS_VALUE_BYTES_MAX,
        STATISTICS_VALUES_MAX, STATISTICS_ZONE_BYTES_MAX,
    },
    sign, v1,
};
use prost::Message as _;

use super::{
    Axis, Month, Period, StatisticsError, Steps, fold,
    wire::{self, StatisticsMessage, StatisticsTable, statistics_message::What},
};

/// A table as it was signed; who signed it is judged by [`verify`](super::verify()).
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// What it says.
    pub table: StatisticsTable,
    /// As it was received.
    pub signed: v1::Signed,
    /// SHA-256 of the payload: by this a later revision names it.
    pub sha256: Hash,
}

/// Signs a table: the bytes of a file, and of a message that carries it.
///
/// # Errors
/// [`SigningError`].
pub fn sign(table: &StatisticsTable, key: &SigningKey) -> Result<Bytes, SigningError> {
    let payload = table.encode_to_vec().into();
    let signed = sign::sign(label::TYPE_STATISTICS, payload, &[key])?;
    Ok(to_bytes(What::Table(signed.encode_to_vec().into())))
}

/// A message about figures, as it travels.
pub(super) fn to_bytes(what: What) -> Bytes {
    let message = StatisticsMessage { what: Some(what) };
    message.encode_to_vec().into()
}

/// Reads what a message about figures says.
///
/// # Errors
/// [`StatisticsError::TooLarge`], [`StatisticsError::Malformed`].
pub fn message(bytes: &[u8]) -> Result<What, StatisticsError> {
    if bytes.len() > STATISTICS_BYTES_MAX {
        return Err(StatisticsError::TooLarge);
    }
    let message = StatisticsMessage::decode(bytes).map_err(|_| StatisticsError::Malformed)?;
    message.what.ok_or(StatisticsError::Malformed)
}

/// What was signed, with what it says; who signed it is not judged.
pub(super) fn opened<T: prost::Message + Default>(
    signed: Bytes,
) -> Result<(v1::Signed, T), StatisticsError> {
    let malformed = |_| StatisticsError::Malformed;
    let signed = v1::Signed::decode(signed).map_err(malformed)?;
    let said = T::decode(signed.payload.clone()).map_err(malformed)?;
    Ok((signed, said))
}

/// Reads a signed table and judges its form, not its signature.
///
/// # Errors
/// [`StatisticsError`].
pub fn parse(bytes: &[u8]) -> Result<Signed, StatisticsError> {
    let What::Table(signed) = message(bytes)? else {
        return Err(StatisticsError::Malformed);
    };
    let (signed, table) = opened::<StatisticsTable>(signed)?;
    if signed.payload_type != label::TYPE_STATISTICS || signed.batch.is_some() {
        return Err(StatisticsError::Malformed);
    }
    check(&table)?;
    Ok(Signed {
        sha256: label::sha256(&[&signed.payload]),
        table,
        signed,
    })
}

/// The period of a table.
///
/// # Errors
/// [`StatisticsError::Period`].
pub(super) fn period(table: &StatisticsTable) -> Result<Period, StatisticsError> {
    Period::between(&table.first_month, &table.last_month)
}

/// Judges the form of a table.
pub(super) fn check(table: &StatisticsTable) -> Result<(), StatisticsError> {
    let names = check_name(&table.federation).is_ok()
        && check_name(&table.member).is_ok()
        && is_code(&table.definition_id)
        && table.definition_version > 0
        && is_zone(&table.zone);
    let range = table.range.as_ref().ok_or(StatisticsError::Malformed)?;
    let hashes = table.definition_sha256.len() == 32
        && table.records_sha256.len() == 32
        && table.revision > 0
        && table.supersedes.len() == if table.revision == 1 { 0 } else { 32 };
    let rests = range.first <= range.end && range.checkpoint.len() <= CHECKPOINT_BYTES_MAX;
    let control = table.control.as_ref().ok_or(StatisticsError::Malformed)?;
    Steps::of(control)?;
    if !names || !hashes || !rests || control.noise_key_id.len() != 8 {
        return Err(StatisticsError::Malformed);
    }
    let period = period(table)?;
    check_axes(table, &period)?;
    check_crossings(table)?;
    check_rows(table)
}

fn check_axes(table: &StatisticsTable, period: &Period) -> Result<(), StatisticsError> {
    let mut last = None;
    for one in &table.axes {
        let axis = Axis::of_name(&one.axis).ok_or(StatisticsError::Malformed)?;
        let distinct: BTreeSet<&String> = one.values.iter().collect();
        if one.values.is_empty() || one.values.len() > STATISTICS_VALUES_MAX {
            return Err(StatisticsError::TooLarge);
        }
        let good = last < Some(axis)
            && distinct.len() == one.values.len()
            && one.values.iter().all(|value| is_value(value));
        if !good {
            return Err(StatisticsError::Malformed);
        }
        if axis == Axis::Month {
            check_months(&one.values, period)?;
        }
        last = Some(axis);
    }
    Ok(())
}

/// Months that are told apart or joined are those of the period, each once, in their order.
fn check_months(values: &[String], period: &Period) -> Result<(), StatisticsError> {
    let mut next: Option<Month> = Some(period.first);
    for value in values {
        let (first, last) = fold::joined(value)?;
        if next != Some(first) || last < first || last > period.last {
            return Err(StatisticsError::Malformed);
        }
        next = Some(last.next());
    }
    match next == Some(period.last.next()) {
        true => Ok(()),
        false => Err(StatisticsError::Malformed),
    }
}

fn check_crossings(table: &StatisticsTable) -> Result<(), StatisticsError> {
    let mut seen = BTreeSet::new();
    for crossing in &table.crossings {
        let (first, second) = (&crossing.first, &crossing.second);
        let known = Axis::of_name(first).is_some() && Axis::of_name(second).is_some();
        let told = |axis: &String| table.axes.iter().any(|one| one.axis == *axis);
        let shown = crossing.withdrawn || (told(first) && told(second));
        if first == second
            || !known
            || !shown
            || !seen.insert((first.min(second), first.max(second)))
        {
            return Err(StatisticsError::Malformed);
        }
    }
    Ok(())
}

/// Where a row belongs: the total first, then each value of each axis, then cells of crossings.
fn check_rows(table: &StatisticsTable) -> Result<(), StatisticsError> {
    let mut last: Option<Vec<usize>> = None;
    for row in &table.rows {
        let place = place_of(table, row).ok_or(StatisticsError::Malformed)?;
        if last.as_ref().is_some_and(|last| *last >= place) {
            return Err(StatisticsError::Malformed);
        }
        let alone = wire::Row {
            at: row.at.clone(),
            reports: row.reports,
            ..wire::Row::default()
        };
        let good = match row.at.len() {
            0 => true,
            1 => row.reports.is_some(),
            _ => row.reports.is_some() && *row == alone,
        };
        if !good {
            return Err(StatisticsError::Malformed);
        }
        last = Some(place);
    }
    let lines: usize = table.axes.iter().map(|one| one.values.len()).sum();
    let shown = table.rows.iter().filter(|row| row.at.len() < 2).count();
    match shown == lines + 1 {
        true => Ok(()),
        false => Err(StatisticsError::Malformed),
    }
}

fn place_of(table: &StatisticsTable, row: &wire::Row) -> Option<Vec<usize>> {
    let value = |place: &wire::Coordinate| {
        let axis = table.axes.iter().position(|one| one.axis == place.axis)?;
        let value = table.axes[axis]
            .values
            .iter()
            .position(|value| *value == place.value)?;
        Some((axis, value))
    };
    match &row.at[..] {
        [] => Some(vec![0]),
        [one] => value(one).map(|(axis, value)| vec![1, axis, value]),
        [one, other] => {
            let crossing = table.crossings.iter().position(|crossing| {
                !crossing.withdrawn && crossing.first == one.axis && crossing.second == other.axis
            })?;
            Some(vec![2, crossing, value(one)?.1, value(other)?.1])
        }
        _ => None,
    }
}

fn is_code(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len()) && frex_proto::id::is_code(text)
}

fn is_zone(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"_+-/".contains(&byte);
    (1..=STATISTICS_ZONE_BYTES_MAX).contains(&text.len()) && text.bytes().all(good)
}

/// A label of a value: it begins with a letter or digit, so that no program takes it for a formula.
pub(super) fn is_value(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/-".contains(&byte);
    let begins = text
        .bytes()
        .next()
        .is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= STATISTICS_VALUE_BYTES_MAX && text.bytes().all(good)
}
