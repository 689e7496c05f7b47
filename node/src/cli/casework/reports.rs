//! The reports of cases as a member's folder has them: what they call themselves, and what is in them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use frex_client::{
    casework::{
        case::{CaseId, REPORT_TYPES, name_of},
        model,
        routing::metadata_only,
    },
    keys::MemberHome,
    report,
};
use frex_proto::label;
use serde_json::Value;

use super::desk::{Row, case_of, content_path, is_forward};
use crate::cli::{
    files,
    inbox::{METADATA, RECALLED},
    messages::{RECEIVED, SENT},
};

/// What the reports of these cases call themselves, for which each is read; where none has a name, what it is of
/// which nothing more is known here.
#[must_use]
pub fn names(
    home: &MemberHome,
    rows: &[Row],
    wanted: impl Fn(&CaseId) -> bool,
) -> BTreeMap<CaseId, String> {
    let own = rows.iter().filter(|(at, row)| !is_forward(at, row));
    let of_case = own.filter_map(|(at, row)| Some((case_of(row)?, *at, row)));
    let rows: Vec<(CaseId, &str, &Value)> = of_case.filter(|one| wanted(&one.0)).collect();
    let mut names = BTreeMap::new();
    for (case, direction, row) in &rows {
        if !names.contains_key(case)
            && let Some(name) = name(home, direction, row)
        {
            names.insert(*case, name);
        }
    }
    for (case, _, row) in rows.iter().filter(|one| one.2["kind"] == "report") {
        let content_type = row["content_type"].as_str().unwrap_or_default();
        if !REPORT_TYPES.contains(&content_type) {
            names.entry(*case).or_insert(format!("({content_type})"));
        }
    }
    names
}

/// What a report calls itself, where it is kept. Of ours that is known from when it was sent; of older
/// ones, as long as their file is what was sent.
fn name(home: &MemberHome, direction: &str, row: &Value) -> Option<String> {
    if !REPORT_TYPES.contains(&row["content_type"].as_str()?) {
        return None;
    }
    let known = row["name"].as_str().or(row["reference"].as_str());
    if let Some(name) = known.filter(|_| direction == SENT) {
        return Some(name.to_owned());
    }
    let (content_type, bytes) = content(home, row)?;
    name_of(&content_type, &bytes)
}

/// A report as it was sealed, with its type, where it can be read: what came, or what was sent as long as its file
/// is what was sent, or what the copy that went is made of. Of a forward, what had come.
#[must_use]
pub fn content(home: &MemberHome, row: &Value) -> Option<(String, Vec<u8>)> {
    let content_type = row["content_type"].as_str()?;
    if !REPORT_TYPES.contains(&content_type) {
        return None;
    }
    let named = |bytes: Vec<u8>| (content_type.to_owned(), bytes);
    // Of what came alone there is no hash: nobody else writes there.
    let Some(sha256) = row["sha256"].as_str() else {
        let bytes = files::read(&content_path(home, row), model::REPORT_BYTES_MAX);
        return bytes.ok().map(named);
    };
    let bytes = files::read(Path::new(row["file"].as_str()?), model::JSON_BYTES_MAX).ok()?;
    let is_same = |bytes: &Vec<u8>| hex::encode(label::sha256(&[bytes])) == sha256;
    if content_type != model::CONTENT_TYPE {
        return Some(bytes).filter(is_same).map(named);
    }
    // Its owner may keep it as JSON; it went as Protobuf, or as a copy without contents.
    let whole = model::as_sent(bytes.clone());
    if is_same(&whole) {
        return Some(named(whole));
    }
    let report = match report::Report::parse(&bytes) {
        Ok(first) => model::from_first(&first),
        Err(_) => model::Report::decode(&whole).ok()?,
    };
    let copy = metadata_only(&report, &home.settings().member).ok()?;
    Some(copy.encode()).filter(is_same).map(named)
}

/// Cases of which reports came, and each of them is a copy without contents. Spec: CSE-36.
#[must_use]
pub fn without_contents(rows: &[Row]) -> BTreeSet<CaseId> {
    let came = rows
        .iter()
        .filter(|(at, row)| *at == RECEIVED && row["kind"] == "report");
    let mut cases = BTreeMap::new();
    for (case, row) in came.filter_map(|(_, row)| Some((case_of(row)?, row))) {
        *cases.entry(case).or_insert(true) &= row["copy"] == METADATA;
    }
    cases.retain(|_, without| *without);
    cases.into_keys().collect()
}

/// The report of a case that this member has sent.
#[must_use]
pub fn sent(rows: &[Row], case: CaseId) -> Option<&Value> {
    find(rows, case, SENT)
}

/// The report of a case that this member can pass on, by the first letters of the id under which it came.
#[must_use]
pub fn to_pass_on(rows: &[Row], case: CaseId) -> Option<&str> {
    find(rows, case, RECEIVED)?["message"].as_str()?.get(..8)
}

fn find<'a>(rows: &'a [Row], case: CaseId, direction: &str) -> Option<&'a Value> {
    let mut reports = rows.iter().filter(|(at, row)| {
        let stands = row["kind"] == "report" && row["state"] != RECALLED;
        *at == direction && stands && !is_forward(at, row) && case_of(row) == Some(case)
    });
    reports.next().map(|(_, row)| row)
}
