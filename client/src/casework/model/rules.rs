//! Rules that look at more than one field.

use prost_reflect::DynamicMessage;

use crate::{
    casework::{hashes, v1},
    report::ReportErrors,
};

/// Judges what belongs together.
pub(super) fn check(message: &DynamicMessage, errors: &mut ReportErrors) {
    let Ok(report) = message.transcode_to::<v1::Report>() else {
        // Numbers of a later version always fit: an enumeration is a number here.
        return errors.fault("", "has a field of the wrong type", "the report schema");
    };
    says_something(&report, errors);
    urgency(&report, errors);
    for (at, item) in report.items.iter().enumerate() {
        self::item(item, &format!("items[{at}]"), errors);
    }
    if report.batched.is_some() {
        batched(&report, errors);
    }
    parts(&report, errors);
}

/// Spec: MOD-13.
fn says_something(report: &v1::Report, errors: &mut ReportErrors) {
    let says = report.incident.is_some()
        || report.description.is_some()
        || !report.channels.is_empty()
        || !report.items.is_empty()
        || !report.hosting.is_empty()
        || !report.statements.is_empty()
        || [&report.reported, &report.recipients, &report.victims]
            .iter()
            .any(|list| !list.is_empty());
    if !says {
        let expected = "at least one of incident, description, channels, items, hosting, statements, reported, recipients and victims";
        errors.fault("", "says nothing", expected);
    }
}

/// Spec: MOD-14.
fn urgency(report: &v1::Report, errors: &mut ReportErrors) {
    let Some(urgency) = &report.urgency else {
        return;
    };
    let pressing = matches!(
        urgency.level(),
        v1::Level::Imminent | v1::Level::Ongoing | v1::Level::High
    );
    let reason = urgency.reason.as_deref().unwrap_or_default();
    if pressing && reason.trim().is_empty() {
        let expected = "a reason for every level above normal";
        errors.fault("urgency.reason", "is missing", expected);
    }
}

/// Spec: MOD-10, MOD-15.
fn item(item: &v1::Item, path: &str, errors: &mut ReportErrors) {
    for (at, hash) in item.hashes.iter().enumerate() {
        let (Some(algorithm), Some(value)) = (&hash.algorithm, &hash.value) else {
            continue;
        };
        if let Some(expected) = hashes::fault(algorithm, value) {
            let path = format!("{path}.hashes[{at}].value");
            errors.fault(&path, "is not of this form", expected);
        }
        let perceptual = hashes::algorithm(algorithm).is_none_or(|known| known.perceptual);
        if hash.quality.is_some() && !perceptual {
            let path = format!("{path}.hashes[{at}].quality");
            errors.fault(
                &path,
                "means nothing here",
                "a quality of perceptual hashes only",
            );
        }
    }
    if item.exif_viewed_by_esp == Some(true) && item.viewed_by_esp == Some(false) {
        let path = format!("{path}.viewed_by_esp");
        errors.fault(&path, "is false", "true where exif_viewed_by_esp is");
    }
    for verdict in &item.legality {
        let national = verdict.verdict() == v1::Verdict::NationallyIllegal;
        if national && verdict.country.is_none() {
            let path = format!("{path}.legality");
            let expected = "a country with nationally_illegal";
            errors.fault(&path, "names no country", expected);
        }
    }
}

/// One file among many: accounts by their ids, and nothing else. Spec: MOD-16.
fn batched(report: &v1::Report, errors: &mut ReportErrors) {
    let alone = "nothing beside incident, reporter, reported and one item in a batched report";
    let escalation = report
        .incident
        .as_ref()
        .is_some_and(|one| one.escalation.is_some());
    for (path, there) in [
        ("channels", !report.channels.is_empty()),
        ("law_enforcement", report.law_enforcement.is_some()),
        ("recipients", !report.recipients.is_empty()),
        ("victims", !report.victims.is_empty()),
        ("additional_info", report.additional_info.is_some()),
        ("incident.escalation", escalation),
    ] {
        if there {
            errors.fault(path, "is there", alone);
        }
    }
    if report.items.len() > 1 {
        let found = format!("has {} entries", report.items.len());
        errors.fault("items", &found, "one item in a batched report");
    }
}

fn parts(report: &v1::Report, errors: &mut ReportErrors) {
    let Some(batch) = &report.batch else { return };
    if let (Some(part), Some(parts)) = (batch.part, batch.parts)
        && part > parts
    {
        errors.fault("batch.part", "is not such a number", "at most batch.parts");
    }
}
