//! `frex report export`: a report in another form.

use std::io::{self, Write};

use frex_client::casework::{cybertip::Written, model::Report};
use frex_proto::error::WireCode;
use serde_json::json;

use super::{ExportArgs, FormArg, read_report};
use crate::cli::{
    failure::{Done, Failure, OrCode},
    files, output,
};

/// How many fields that are left out are named.
const NAMED_MAX: usize = 8;

/// Writes the report. Names what the form has no place for.
pub fn export(args: &ExportArgs, json: bool) -> Done {
    let report = read_report(&args.file)?;
    if args.item.is_some() && args.form != FormArg::Xml {
        let what = "the details of one file are written as XML only";
        return Err(Failure::new(WireCode::BadInput, what)
            .advise("frex report export REPORT --as xml --item NUMBER"));
    }
    let (bytes, left_out, stale) = match args.form {
        FormArg::Xml => {
            let written = xml(&report, args.item)?;
            let bytes = written.document.to_xml().into_bytes();
            (bytes, written.left_out, written.stale)
        }
        FormArg::Json => ((report.to_json_text() + "\n").into_bytes(), Vec::new(), 0),
        FormArg::Protobuf => (report.encode(), Vec::new(), 0),
    };
    match &args.out {
        Some(path) => {
            files::write_new(path, &bytes)?;
            if json {
                output::document(json!({
                    "file": path, "bytes": bytes.len(), "left_out": left_out, "stale": stale,
                }));
            } else {
                output::data(format_args!("{}  {} bytes", path.display(), bytes.len()));
            }
        }
        None if json => output::document(json!({
            "form": form_name(args.form), "text": std::str::from_utf8(&bytes).ok(),
            "hex": std::str::from_utf8(&bytes).is_err().then(|| hex::encode(&bytes)),
            "left_out": left_out, "stale": stale,
        })),
        None => io::stdout()
            .write_all(&bytes)
            .or_code(WireCode::Files, "cannot write to standard output")?,
    }
    note(&left_out, stale);
    Ok(0)
}

fn form_name(form: FormArg) -> &'static str {
    match form {
        FormArg::Xml => "xml",
        FormArg::Json => "json",
        FormArg::Protobuf => "protobuf",
    }
}

fn xml(report: &Report, item: Option<u32>) -> Result<Written, Failure> {
    let Some(number) = item else {
        return Ok(report.to_cybertip());
    };
    let mut items = report.items_to_cybertip();
    let at = number as usize - 1;
    if at >= items.len() {
        let what = format!("the report has {}", output::counted(items.len(), "item"));
        return Err(Failure::new(WireCode::BadInput, what));
    }
    Ok(items.swap_remove(at))
}

fn note(left_out: &[String], stale: usize) {
    if !left_out.is_empty() {
        let named = left_out.iter().take(NAMED_MAX).map(String::as_str);
        let named = named.collect::<Vec<_>>().join(", ");
        let more = left_out.len().saturating_sub(NAMED_MAX);
        let more = match more {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        output::message(format_args!(
            "note: the form has no place for {named}{more}"
        ));
    }
    if stale > 0 {
        output::message(format_args!(
            "note: fields were changed since the XML was read: {} of its spelling or order is not kept",
            output::counted(stale, "place"),
        ));
    }
}
