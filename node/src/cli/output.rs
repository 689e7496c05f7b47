//! What commands print: data on standard output, messages on standard error. Spec: CLI-1.

use std::{
    cell::RefCell,
    fmt::Display,
    io::{self, IsTerminal, Write},
};

use comfy_table::{Table, TableStyle};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

/// Version of every JSON document that the program prints.
pub const JSON_VERSION: u32 = 1;

/// Prints a line of data. A reader that has gone away is no error of ours.
pub fn data(line: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Prints a message for the person at the terminal.
pub fn message(line: impl Display) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

thread_local! {
    /// Documents of commands that one command is made of.
    static PARTS: RefCell<Option<Vec<Value>>> = const { RefCell::new(None) };
}

/// Prints one JSON document, with its version first among equals.
pub fn document(mut document: Value) {
    if let Value::Object(fields) = &mut document {
        fields.insert("v".to_owned(), JSON_VERSION.into());
    }
    let part = PARTS.with_borrow_mut(|parts| match parts {
        Some(parts) => {
            parts.push(std::mem::take(&mut document));
            true
        }
        None => false,
    });
    if !part {
        data(document);
    }
}

/// Does what other commands do and gives their documents, so that one command prints one. Spec: CLI-1.
pub fn parts<T>(work: impl FnOnce() -> T) -> (T, Vec<Value>) {
    PARTS.set(Some(Vec::new()));
    let done = work();
    (done, PARTS.take().unwrap_or_default())
}

/// So many of something that is named in the singular: `1 file`, `2 files`, `2 entries`.
#[must_use]
pub fn counted(count: impl Display, one: &str) -> String {
    let count = count.to_string();
    match one.strip_suffix('y') {
        _ if count == "1" => format!("{count} {one}"),
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{count} {stem}ies"),
        _ => format!("{count} {one}s"),
    }
}

/// A table without lines, which survives copying into a mail.
#[must_use]
pub fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(TableStyle::new())
        .set_header(header.to_vec());
    table
}

/// Prints a table, without blanks at the ends of its lines.
pub fn print_table(table: &Table) {
    for line in table.lines() {
        data(line.trim_end());
    }
}

/// `text` in green on a terminal that wants colour.
#[must_use]
pub fn good(text: &str) -> String {
    paint(text, "32;1")
}

/// `text` in red on a terminal that wants colour.
#[must_use]
pub fn bad(text: &str) -> String {
    paint(text, "31;1")
}

/// Text that others wrote, without what moves the cursor or reorders the line.
#[must_use]
pub fn clean(text: &str) -> String {
    let harmless = |c: char| {
        !(c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'))
    };
    text.chars()
        .map(|c| if harmless(c) { c } else { '\u{fffd}' })
        .collect()
}

/// A progress bar in bytes: only on a terminal, gone when done.
#[must_use]
pub fn progress(what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(0);
    let template = "{msg} [{bar:30}] {bytes}/{total_bytes} {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("#-"));
    }
    bar.set_message(what);
    bar
}

/// A progress bar in pieces; with none, it only counts.
#[must_use]
pub fn progress_of(what: &'static str, total: Option<u64>) -> ProgressBar {
    let (bar, template) = match total {
        Some(total) => (
            ProgressBar::new(total),
            "{msg} [{bar:30}] {human_pos}/{human_len} {per_sec} {eta}",
        ),
        None => (ProgressBar::no_length(), "{msg} {human_pos} {per_sec}"),
    };
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("#-"));
    }
    bar.set_message(what);
    bar
}

/// Moves a bar to `done` of `total` bytes.
pub fn advance(bar: &ProgressBar, done: u64, total: u64) {
    bar.set_length(total);
    bar.set_position(done);
}

fn paint(text: &str, style: &str) -> String {
    // https://no-color.org: any value but the empty one.
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if refused || !io::stdout().is_terminal() {
        return text.to_owned();
    }
    format!("\u{1b}[{style}m{text}\u{1b}[0m")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_counted_as_one() {
        let counts = [0, 1, 21].map(|count| counted(count, "file"));
        assert_eq!(counts, ["0 files", "1 file", "21 files"]);
        let counts = [counted(1, "entry"), counted(2, "entry"), counted(3, "day")];
        assert_eq!(counts, ["1 entry", "2 entries", "3 days"]);
    }

    #[test]
    fn text_of_others_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{202e}c"), "a\u{fffd}[2Jb\u{fffd}c");
        assert_eq!(clean("Hôtline ĝ"), "Hôtline ĝ");
    }
}
