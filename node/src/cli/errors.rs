//! `frex errors`: every code with its meaning, cause and remedy; by name, number or exit code.

use frex_proto::error::{Blame, Retry, WireCode};
use serde_json::{Value, json};

use super::{
    failure::{Done, Failure, PARTIAL},
    output,
};

/// What the exit code says that no error has.
const PARTIAL_MEANS: &str = "a command did a part of what was asked, or waited in vain for the rest; what it printed says which";

/// Explains one code, or lists all, or those of one exit code.
pub fn errors(code: Option<&str>, json: bool) -> Done {
    let exit = code.and_then(|text| text.parse().ok());
    match (code, of_exit(exit)) {
        (None, _) => list(WireCode::ALL, json),
        (Some(_), codes) if exit == Some(PARTIAL) => explain_partial(&codes, json),
        (Some(_), codes) if !codes.is_empty() => list(&codes, json),
        (Some(text), _) => explain(find(text)?, json),
    }
    Ok(0)
}

/// The codes that end a command with this exit code. No code has so small a number itself.
fn of_exit(exit: Option<u8>) -> Vec<WireCode> {
    let all = WireCode::ALL.iter().copied();
    all.filter(|code| Some(code.info().exit) == exit).collect()
}

/// By number, or by name in any case; `FREX-2004` is a number too.
fn find(text: &str) -> Result<WireCode, Failure> {
    let wanted = text.to_ascii_uppercase().replace('-', "_");
    let number: Option<u32> = wanted.strip_prefix("FREX_").unwrap_or(&wanted).parse().ok();
    WireCode::ALL
        .iter()
        .copied()
        .find(|code| number == Some(*code as u32) || code.info().name == wanted)
        .ok_or_else(|| {
            Failure::new(
                WireCode::NotFound,
                format!("there is no error code {:?}", output::clean(text)),
            )
            .advise("frex errors")
        })
}

fn explain_partial(codes: &[WireCode], json: bool) {
    if json {
        let rows: Vec<Value> = codes.iter().map(|code| row(*code)).collect();
        let what = json!({ "exit": PARTIAL, "what": PARTIAL_MEANS, "errors": rows });
        return output::document(what);
    }
    output::data(format_args!("exit code {PARTIAL}: {PARTIAL_MEANS}"));
    list(codes, false);
}

fn explain(code: WireCode, json: bool) {
    if json {
        return output::document(row(code));
    }
    let info = code.info();
    output::data(format_args!("{} {}", info.name, code as u16));
    output::data(format_args!("  what      {}", info.text));
    output::data(format_args!("  who       {}", who(info.blame)));
    output::data(format_args!("  again     {}", again(info.retry)));
    output::data(format_args!("  exit code {}", info.exit));
    output::data(format_args!("  try       {}", info.advice));
}

fn list(codes: &[WireCode], json: bool) {
    if json {
        let rows: Vec<Value> = codes.iter().map(|code| row(*code)).collect();
        return output::document(json!({ "errors": rows }));
    }
    let mut table = output::table(&["CODE", "NAME", "EXIT", "WHAT"]);
    for code in codes {
        let info = code.info();
        table.add_row([
            (*code as u16).to_string(),
            info.name.to_owned(),
            info.exit.to_string(),
            info.text.to_owned(),
        ]);
    }
    output::print_table(&table);
}

fn row(code: WireCode) -> Value {
    let info = code.info();
    json!({
        "code": code as u16, "name": info.name, "what": info.text, "who": who(info.blame),
        "again": again(info.retry), "exit": info.exit, "try": info.advice,
    })
}

fn who(blame: Blame) -> &'static str {
    match blame {
        Blame::Peer => "the one who sent the bytes",
        Blame::Caller => "the caller",
        Blame::Environment => "disk, network or machine",
    }
}

fn again(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "the same bytes will be refused again",
        Retry::Later => "can help, later",
        Retry::AfterRosterUpdate => "can help after the roster has changed",
    }
}
