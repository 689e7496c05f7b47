//! Does what a vector says.

use frex_client::casework::{
    quality::{self, Likeness, tokens},
    routing::{
        Plan, Policy, Ranges, RangesError, Record, RecordError, RosterView, RouteError, canonical,
        reduced, route,
    },
};
use serde_json::{Map, Value, json};

pub fn run(inputs: &Map<String, Value>) -> Result<String, String> {
    match inputs["op"].as_str().unwrap() {
        "route_report" => route_report(inputs),
        "read_policy" => policy(inputs).map(|_| String::new()),
        "find_range" => find_range(inputs),
        "score_report" => {
            let scores = quality::score(&inputs["report"]);
            Ok(canonical(&serde_json::to_value(scores).unwrap()))
        }
        "missing_fields" => missing(inputs),
        "copy_metadata" => Ok(canonical(&reduced(
            &inputs["report"],
            &text(inputs, "sender"),
        ))),
        "compare_reports" => {
            let [one, other] = ["report", "other"].map(|name| tokens(&inputs[name]));
            match Likeness::between(&one, &other) {
                Some(Likeness::Exact) => Ok("exact".to_owned()),
                Some(Likeness::Near(percent)) => Ok(format!("near {percent}")),
                None => Err("Unlike".to_owned()),
            }
        }
        "read_record" => record(inputs),
        other => panic!("no operation {other}"),
    }
}

fn text(inputs: &Map<String, Value>, name: &str) -> String {
    inputs[name].as_str().unwrap().to_owned()
}

fn policy(inputs: &Map<String, Value>) -> Result<Policy, String> {
    let text = text(inputs, "policy");
    if text.is_empty() {
        return Ok(Policy::default());
    }
    Policy::parse(text.as_bytes()).map_err(|_| "Policy".to_owned())
}

fn ranges(inputs: &Map<String, Value>) -> Result<Ranges, String> {
    let parsed = Ranges::parse(text(inputs, "ranges").as_bytes());
    parsed.map_err(|error| match error {
        RangesError::Fields(line) => format!("Fields({line})"),
        RangesError::Network(line) => format!("Network({line})"),
        RangesError::Country(line) => format!("Country({line})"),
        RangesError::Twice(line) => format!("Twice({line})"),
        other => format!("{other:?}"),
    })
}

fn route_report(inputs: &Map<String, Value>) -> Result<String, String> {
    let (policy, ranges) = (policy(inputs)?, ranges(inputs)?);
    let roster: RosterView = serde_json::from_value(inputs["roster"].clone()).unwrap();
    let sender = text(inputs, "sender");
    let made = route(&inputs["report"], &roster, &sender, &policy, (&ranges, ""));
    let plan: Plan = made.map_err(|error| match error {
        RouteError::Nobody {
            countries,
            passed_over,
        } => {
            let over: Vec<String> = passed_over
                .iter()
                .map(|one| format!("{}:{}", one.member, one.why))
                .collect();
            format!("Nobody({}|{})", countries.join(" "), over.join(" "))
        }
        RouteError::TooMany { count } => format!("TooMany({count})"),
        RouteError::UnknownMember { .. } => "UnknownMember".to_owned(),
        other => format!("{other:?}"),
    })?;
    let both = json!({"plan": plan, "parts": plan.parts()});
    Ok(canonical(&both))
}

fn find_range(inputs: &Map<String, Value>) -> Result<String, String> {
    let ranges = ranges(inputs)?;
    let country = ranges.country(&text(inputs, "address"));
    country
        .map(str::to_owned)
        .ok_or_else(|| "NoCountry".to_owned())
}

fn missing(inputs: &Map<String, Value>) -> Result<String, String> {
    let json = serde_json::to_vec(&inputs["report"]).unwrap();
    let needed: Vec<String> = serde_json::from_value(inputs["needed"].clone()).unwrap();
    let missing = match inputs["version"].as_u64() {
        Some(1) => frex_client::report::missing_fields(&json, &needed),
        _ => {
            let report = frex_client::casework::model::Report::from_json_unchecked(&json).unwrap();
            frex_client::casework::model::missing_fields(&report.encode(), &needed)
        }
    };
    match missing.is_empty() {
        true => Ok(String::new()),
        false => Err(format!("Lacks({})", missing.join(" "))),
    }
}

fn record(inputs: &Map<String, Value>) -> Result<String, String> {
    let record = Record::parse(text(inputs, "record").as_bytes()).map_err(|error| match error {
        RecordError::Json => "Json",
        RecordError::Form => "Form",
        RecordError::Fields => "Fields",
        RecordError::Parts => "Parts",
        _ => "Other",
    })?;
    let ids: Vec<String> = (0..record.parts())
        .map(|part| record.message_id(part).to_string())
        .collect();
    Ok(ids.join(" "))
}
