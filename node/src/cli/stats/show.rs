//! `frex stats show` and `frex stats definitions`.

use frex_client::casework::statistics::{definitions, view};
use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{Form, ShowArgs, print, read};
use crate::cli::{
    failure::{Done, Failure},
    output,
};

/// Shows a table; it is not verified.
pub fn show(args: &ShowArgs, json: bool) -> Done {
    let signed = read(&args.file)?;
    if !signed.table.axes.is_empty() && view::values(&signed.table, &args.axis).is_empty() {
        let axes: Vec<&str> = signed.table.axes.iter().map(|one| &*one.axis).collect();
        let what = format!("the table has no axis {:?}", args.axis);
        return Err(
            Failure::new(WireCode::BadInput, what).advise(format!("One of: {}", axes.join(", ")))
        );
    }
    match args.form {
        _ if json || args.form == Form::Json => output::document(view::json(&signed)),
        Form::Text | Form::Json => print::table(&signed),
        Form::Csv => whole(&view::csv(&signed.table)),
        Form::Svg => whole(&view::svg(&signed.table, &args.axis)),
        Form::Html => whole(&view::page(&signed, &name(args))),
    }
    output::message(format_args!(
        "note: shown as it says; whether it holds: frex stats verify {}",
        args.file.display()
    ));
    Ok(0)
}

/// Prints a file as it is: its last line has its end already.
fn whole(text: &str) {
    output::data(text.strip_suffix('\n').unwrap_or(text));
}

fn name(args: &ShowArgs) -> String {
    let name = args.file.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Says what is counted.
pub fn list(json: bool) -> Done {
    if json {
        let one = |known: &frex_client::casework::statistics::Definition| -> Value {
            json!({
                "id": known.id, "version": known.version, "title": known.title,
                "counts": known.counts, "does_not_count": known.does_not_count,
                "sha256": hex::encode(known.sha256),
            })
        };
        let list: Vec<Value> = definitions().iter().map(one).collect();
        output::document(json!({ "definitions": list }));
        return Ok(0);
    }
    for known in definitions() {
        output::data(format_args!(
            "{} version {}: {}",
            known.id, known.version, known.title
        ));
        for one in &known.counts {
            output::data(format_args!("  counts      {one}"));
        }
        for one in &known.does_not_count {
            output::data(format_args!("  not         {one}"));
        }
    }
    Ok(0)
}
