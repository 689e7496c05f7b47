//! The table of codes in the specification is the one that the code knows.

use std::{fs, path::Path};

use frex_proto::error::{Blame, Retry, WireCode};

fn row(code: WireCode) -> String {
    let info = code.info();
    let blame = match info.blame {
        Blame::Peer => "peer",
        Blame::Caller => "caller",
        Blame::Environment => "environment",
    };
    let retry = match info.retry {
        Retry::Never => "never",
        Retry::Later => "later",
        Retry::AfterRosterUpdate => "roster",
    };
    let (number, name, text, exit) = (code as u16, info.name, info.text, info.exit);
    format!("| {number} | {name} | {text} | {exit} | {blame} | {retry} |")
}

// ERR-1: what another implementation reads is what this one says.
#[test]
fn the_specification_lists_exactly_the_codes() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/03-wire.md");
    let text = fs::read_to_string(path).expect("the chapter is there");
    let listed: Vec<&str> = text
        .lines()
        .filter(|line| {
            let number = line
                .strip_prefix("| ")
                .and_then(|rest| rest.split(' ').next());
            number.is_some_and(|number| number.parse::<u16>().is_ok_and(|number| number > 1000))
                || line.starts_with("| 1 | UNKNOWN")
        })
        .collect();
    let known: Vec<String> = WireCode::ALL.iter().map(|code| row(*code)).collect();
    assert_eq!(listed, known);
}

// CLI-2: every code ends the program with a documented exit code.
#[test]
fn every_exit_code_is_documented() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/13-cli.md");
    let text = fs::read_to_string(path).expect("the chapter is there");
    for code in WireCode::ALL {
        let row = format!("| {} |", code.info().exit);
        assert!(text.contains(&row), "{code}");
    }
}

// ERR-3: a refusal has room for two numbers, and a third field would not compile here.
#[test]
fn a_refusal_is_two_numbers() {
    let refusal = frex_proto::v1::Refusal::default();
    let frex_proto::v1::Refusal {
        code,
        retry_after_ms,
    } = refusal;
    let (_, _): (u32, u64) = (code, retry_after_ms);
}
