//! What people and programs see.

use super::*;
use crate::casework::statistics::{Fact, Signed, parse, sign, tests};

fn table() -> Signed {
    let at = |number: u8| match number % 10 {
        0 => [0, 1, 2, 0],
        _ => [number % 3, number % 2 * 3, 1, number],
    };
    let facts: Vec<Fact> = (0..150_u8)
        .map(|number| tests::fact(u32::from(number), at(number)))
        .collect();
    let signed =
        sign(&tests::made(&facts), &crate::fixture::key(7)).expect("a key in memory signs");
    parse(&signed).expect("it reads")
}

// STA-39: every line is one of RFC 4180, says on what it rests, and runs nothing.
#[test]
fn csv_runs_nothing_and_names_its_root() {
    let text = csv(&table().table);
    let lines: Vec<&str> = text.split_terminator("\r\n").collect();
    let columns = lines[0].split(',').count();
    assert_eq!(columns, 29);
    for line in &lines {
        assert_eq!(line.split(',').count(), columns, "{line}");
        assert!(
            !line.contains('\n') && line.split(',').skip(20).all(|figure| figure != "0"),
            "{line}"
        );
    }
    assert!(
        lines
            .iter()
            .skip(1)
            .all(|line| line.contains(&hex::encode([0; 32])))
    );
    assert!(lines.iter().any(|line| line.contains(",x,")));
    let quoted: Vec<String> = ["=1+1", "+1", "-1", "@a", "a,\"b\"", "a"]
        .map(super::csv::quoted)
        .to_vec();
    assert_eq!(
        quoted,
        ["'=1+1", "'+1", "'-1", "'@a", "\"a,\"\"b\"\"\"", "a"]
    );
}

// STA-38: what is hidden is x in JSON too, and is never null or 0.
#[test]
fn json_says_x() {
    let said = json(&table());
    let rows = said["rows"].as_array().expect("rows");
    assert!(rows.iter().any(|row| row["reports"] == "x"));
    assert!(
        rows.iter()
            .all(|row| row["reports"] != 0 && !row["reports"].is_null())
    );
    assert_eq!(said["log"]["root"], hex::encode([0; 32]));
}

// STA-40, STA-41: chart and page can be read without seeing and without colour, and run nothing.
#[test]
fn chart_and_page_can_be_read_by_everybody() {
    let signed = table();
    let chart = svg(&signed.table, "country");
    for part in [
        "role=\"img\"",
        "<title id=",
        "<desc id=",
        "aria-labelledby=",
        "<pattern id=",
        "ES: ",
    ] {
        assert!(chart.contains(part), "{part}: {chart}");
    }
    let page = page(&signed, "table.frexstats");
    for part in [
        "<caption>Reports by month and country</caption>",
        "scope=\"col\"",
        "<td>x</td>",
        "<h2>What does not</h2>",
        &hex::encode([0; 32]),
    ] {
        assert!(page.contains(part), "{part}");
    }
    for text in [&chart, &page] {
        for never in [
            "<script",
            "javascript:",
            "href=",
            "onload",
            "<img",
            "@import",
        ] {
            assert!(!text.contains(never), "{never}");
        }
    }
}

// STA-41: text of others is text.
#[test]
fn text_of_others_is_text() {
    let hostile = "<script>\u{1b}\"'&";
    assert_eq!(
        super::page::escaped(hostile),
        "&lt;script&gt;\u{fffd}&quot;&#39;&amp;"
    );
}
