//! What was asked in a case: about what, which data, by which law. A state says how a request goes on, not what
//! it is. Spec: CSE-34.

use frex_client::casework::{
    case::{Case, View, What, words, words_of},
    v1::case_message::{LegalInstrument, What as Content},
};
use serde_json::{Value, json};

use super::{list::dashed, say::letters};
use crate::cli::output;

/// Every request of a case that can be read here, in the order of the timeline.
pub fn all(case: &Case, view: &View) -> Vec<Value> {
    let said = view.timeline.iter().filter_map(|entry| {
        let said = case.get(&entry.key)?;
        let What::Case(message) = &said.what else {
            return None;
        };
        let (targets, categories, instrument) = match message.what.as_ref()? {
            Content::PreserveRequest(one) => (&one.targets, Vec::new(), &one.instrument),
            Content::ProduceRequest(one) => {
                let categories = one.categories.iter().map(|one| words::category(*one));
                (
                    &one.targets,
                    categories.collect::<Vec<_>>(),
                    &one.instrument,
                )
            }
            _ => return None,
        };
        let (what, profile) = words_of(message);
        Some(json!({
            "message": said.key.message.to_string(), "short": letters(&said.key.message),
            "from": said.key.from, "what": what, "profile": profile, "targets": targets,
            "categories": categories, "law": instrument.as_ref().map(law),
        }))
    });
    said.collect()
}

/// By which law, as its asker names it.
fn law(instrument: &LegalInstrument) -> String {
    format!("{} {}", instrument.law, instrument.article)
        .trim()
        .to_owned()
}

/// Lists them.
pub fn print(rows: &[Value]) {
    if rows.is_empty() {
        return;
    }
    output::data("");
    let mut table = output::table(&["REQUEST", "OF", "ASKS", "ABOUT", "LAW"]);
    for row in rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        let list = |field: &str| {
            let words = row[field].as_array().into_iter().flatten();
            let words: Vec<String> = words
                .filter_map(|one| Some(output::clean(one.as_str()?)))
                .collect();
            words.join(", ")
        };
        let asks = match row["what"] == "preserve_request" {
            true => "that it be kept".to_owned(),
            false => dashed(&list("categories")),
        };
        table.add_row([
            text("short"),
            text("from"),
            asks,
            list("targets"),
            text("law"),
        ]);
    }
    output::print_table(&table);
}
