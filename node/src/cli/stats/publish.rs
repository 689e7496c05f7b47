//! `frex stats publish`: a folder for others, of what verifies. Spec: STA-38 to STA-41.

use frex_client::casework::statistics::view;
use frex_proto::error::WireCode;
use serde_json::json;

use super::{PublishArgs, parsed, roster, verify};
use crate::cli::{
    failure::{Done, Failure},
    files, output,
};

/// The table as it was signed.
const TABLE: &str = "table.frexstats";

/// Writes every form of a table.
pub fn publish(args: &PublishArgs, json: bool) -> Done {
    let bytes = files::read(&args.file, frex_proto::limits::STATISTICS_BYTES_MAX)?;
    // Of the bytes that are published: the file may change meanwhile.
    let signed = parsed(&args.file, &bytes)?;
    let checks = verify::checks(&signed, &roster(&args.trust)?);
    if let Some((name, why)) = checks
        .into_iter()
        .find_map(|(name, why)| Some((name, why?)))
    {
        let what = "a table that does not hold is not published";
        return Err(Failure::new(WireCode::BadStatistics, what).cause(format!("{name}: {why}")));
    }
    files::make_folder(&args.out)?;
    let document = format!("{:#}\n", versioned(view::json(&signed)));
    let mut forms: Vec<(String, Vec<u8>)> = vec![
        (TABLE.to_owned(), bytes),
        (
            "table.csv".to_owned(),
            view::csv(&signed.table).into_bytes(),
        ),
        ("table.json".to_owned(), document.into_bytes()),
        (
            "index.html".to_owned(),
            view::page(&signed, TABLE).into_bytes(),
        ),
    ];
    for axis in &signed.table.axes {
        let chart = view::svg(&signed.table, &axis.axis);
        forms.push((format!("by-{}.svg", axis.axis), chart.into_bytes()));
    }
    for (name, bytes) in &forms {
        files::write_new(&args.out.join(name), bytes)?;
    }
    let names: Vec<&String> = forms.iter().map(|(name, _)| name).collect();
    if json {
        output::document(
            json!({ "folder": args.out, "files": names, "sha256": hex::encode(signed.sha256) }),
        );
    } else {
        for name in names {
            output::data(args.out.join(name).display());
        }
    }
    Ok(0)
}

fn versioned(mut document: serde_json::Value) -> serde_json::Value {
    document["v"] = output::JSON_VERSION.into();
    document
}
