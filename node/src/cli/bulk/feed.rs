//! Reads the file line by line and hands its reports over.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use frex_client::{
    casework::model::{self, Shape},
    client::{BulkSender, Client},
    report::{Report, ReportErrors},
};
use frex_proto::{error::WireCode, v1};
use serde::de::IgnoredAny;
use serde_json::json;
use tokio::sync::Mutex;

use super::{BulkArgs, Tally, Underway, Words};
use crate::cli::{failure::Failure, member, receipt::fetch};

/// The lines of a file.
pub(super) struct Lines {
    reader: Box<dyn BufRead>,
    /// How many, where that can be known before.
    pub(super) count: Option<u64>,
    name: String,
}

impl Lines {
    pub(super) fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new("-") {
            return Ok(Self {
                reader: Box::new(BufReader::new(io::stdin())),
                count: None,
                name: "standard input".to_owned(),
            });
        }
        let failed = |error: io::Error| Failure::file("read", path, &error);
        let mut file = File::open(path).map_err(failed)?;
        let count = count(&file).map_err(failed)?;
        file.seek(SeekFrom::Start(0)).map_err(failed)?;
        Ok(Self {
            reader: Box::new(BufReader::new(file)),
            count: Some(count),
            name: path.display().to_string(),
        })
    }

    /// The next line without its end; an empty one at the end of the file.
    fn next(&mut self, line: &mut Vec<u8>) -> Result<bool, Failure> {
        line.clear();
        // A line without an end is read no further than shows that it is too long.
        let limit = u64::try_from(model::JSON_BYTES_MAX + 2).unwrap_or(u64::MAX);
        let read = io::Read::take(&mut self.reader, limit).read_until(b'\n', line);
        let read = read.map_err(|error| Failure::file("read", Path::new(&self.name), &error))?;
        while matches!(line.last(), Some(b'\n' | b'\r')) {
            line.pop();
        }
        Ok(read > 0)
    }
}

fn count(file: &File) -> io::Result<u64> {
    let mut count = 0;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(count);
        }
        count += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        let length = bytes.len();
        reader.consume(length);
    }
}

/// Refuses a file that is one thing over many lines: once, and not at each of its lines.
/// Spec: CLI-32.
///
/// # Errors
/// What the file is instead, and the command that takes it.
pub(super) fn are_lines(args: &BulkArgs) -> Result<(), Failure> {
    let path = &args.file;
    if path == Path::new("-") {
        return Ok(());
    }
    let failed = |error: io::Error| Failure::file("read", path, &error);
    let most = model::JSON_BYTES_MAX as u64;
    let (file, mut bytes) = (File::open(path).map_err(failed)?, Vec::new());
    let mut file = file.take(most + 1);
    file.read_to_end(&mut bytes).map_err(failed)?;
    // What is longer than any report is none.
    if bytes.len() > model::JSON_BYTES_MAX {
        return Ok(());
    }
    let Some(whole) = Whole::of(&bytes) else {
        return Ok(());
    };
    let (file, to, from) = (path.display(), args.to.join(" "), args.from.display());
    let options = fetch::options(&json!({
        "kind": v1::Kind::from(args.kind).word(), "lane": member::lane_name(args.lane.into()),
    }));
    let send = |file: &str| format!("frex send {file} --to {to}{options} --from {from}");
    let (what, advice) = match whole {
        Whole::Report => (
            "it is one report, not one on each line",
            send(&file.to_string()),
        ),
        Whole::Array => (
            "it is one list over many lines",
            format!("Write each report of it on a line of its own: jq -c '.[]' {file}"),
        ),
        Whole::Xml => (
            "it is XML, which is imported first",
            format!(
                "frex report import {file} --out REPORT.frexreport, then  {}",
                send("REPORT.frexreport")
            ),
        ),
    };
    let failure = Failure::new(
        WireCode::BadInput,
        format!("{file} has no report on a line"),
    );
    Err(failure.cause(what).advise(advice))
}

/// What a file is as a whole that has not one report on each line.
#[derive(Debug, PartialEq, Eq)]
enum Whole {
    Report,
    Array,
    Xml,
}

impl Whole {
    /// Nothing if its lines are to be read one by one.
    fn of(bytes: &[u8]) -> Option<Self> {
        let is_json = |bytes: &[u8]| serde_json::from_slice::<IgnoredAny>(bytes).is_ok();
        let lines = bytes.split(|byte| *byte == b'\n');
        let mut lines = lines.filter(|line| !line.trim_ascii().is_empty());
        match model::detect(bytes) {
            Shape::Document => {
                // A line that is wrong at the beginning of a file holds up no other.
                let report = |line: &[u8]| line.starts_with(b"{") && is_json(line);
                return (!lines.any(report)).then_some(Self::Xml);
            }
            Shape::Encoded => {
                let report = model::Report::decode_unchecked(bytes).is_ok();
                return report.then_some(Self::Report);
            }
            Shape::View | Shape::First | Shape::Mixed(_) => {}
        }
        if lines.count() < 2 || !is_json(bytes) {
            return None;
        }
        match bytes.trim_ascii_start().first() {
            Some(b'[') => Some(Self::Array),
            _ => Some(Self::Report),
        }
    }
}

/// Hands every report over; tells of those that are none.
pub(super) async fn feed(
    mut lines: Lines,
    client: &Client,
    words: &Words<'_>,
    sender: BulkSender,
    tally: &Mutex<Tally>,
) -> Result<(), Failure> {
    let mut content = Vec::new();
    let mut line = 0;
    while lines.next(&mut content)? {
        line += 1;
        if content.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        // Longer than either version may be as JSON: where the next line begins is not known.
        if content.len() > model::JSON_BYTES_MAX {
            return Err(Failure::new(
                WireCode::TooLarge,
                format!(
                    "line {line} of {} is longer than a report may be",
                    lines.name
                ),
            ));
        }
        let (reference, said) = match report_of(&content) {
            Ok(report) => report,
            Err(error) => {
                let why = error.to_string();
                let mut tally = tally.lock().await;
                tally.not_sent("", line, WireCode::BadInput, &why);
                continue;
            }
        };
        let draft = words.draft(client, &words.args.to, &said);
        {
            let mut tally = tally.lock().await;
            let underway = Underway {
                line,
                content: said,
                own: draft.id(),
                message: None,
                retired: Vec::new(),
            };
            if tally.underway.contains_key(&reference) {
                let why = "the same reference stands on an earlier line";
                tally.not_sent(&reference, line, WireCode::IdReuse, why);
                continue;
            }
            tally.underway.insert(reference.clone(), underway);
        }
        if sender.send(&reference, draft).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The reference of a report of either version, and its bytes as they travel.
fn report_of(line: &[u8]) -> Result<(String, Vec<u8>), ReportErrors> {
    match model::detect(line) {
        Shape::View => {
            let report = model::Report::from_json(line)?;
            let reference = report.message().get_field_by_name("reference");
            let reference = reference.as_ref().and_then(|value| value.as_str());
            let reference = reference.unwrap_or_default().to_owned();
            return Ok((reference, report.encode()));
        }
        Shape::Mixed(first) => return Err(model::mixed(first)),
        Shape::Document => return Err(model::unimported()),
        Shape::First | Shape::Encoded => {}
    }
    let report = Report::parse(line)?;
    report.misspelt()?;
    Ok((report.reference, line.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLI-32, MBR-16: one report over many lines is told of once; a line that is wrong is judged by itself.
    #[test]
    fn what_is_one_thing_over_many_lines_is_told_from_lines() {
        let of = |text: &str| Whole::of(text.as_bytes());
        assert_eq!(of("{\n  \"reference\": \"A\"\n}\n"), Some(Whole::Report));
        assert_eq!(of("[\n{\"reference\": \"A\"},\n{}\n]"), Some(Whole::Array));
        assert_eq!(of("<?xml version=\"1.0\"?>\n<report/>\n"), Some(Whole::Xml));
        let report = model::Report::from_json_unchecked(br#"{"reference": "A"}"#).unwrap();
        assert_eq!(Whole::of(&report.encode()), Some(Whole::Report));
        for lines in [
            "",
            "{\"reference\": \"A\"}\n\n",
            "{\"reference\": \"A\"}\n{\"reference\": \"B\"}\n",
            "{\"reference\": \n{\"reference\": \"B\"}\n",
            "<report/>\n{\"reference\": \"B\"}\n",
            "{\"reference\": \"\u{1}\"}\n{\"reference\": \"B\"}\n",
        ] {
            assert_eq!(of(lines), None, "{lines:?}");
        }
    }

    // LIM-115: a report of version 2 may be longer as JSON than one of version 1.
    #[test]
    fn a_line_may_be_as_long_as_a_report_of_either_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("reports.jsonl");
        let mut text = vec![b' '; model::JSON_BYTES_MAX];
        text.extend_from_slice(b"\r\n{}\n");
        std::fs::write(&path, text).unwrap();
        let mut lines = Lines::open(&path).unwrap();
        let mut line = Vec::new();
        assert!(lines.next(&mut line).unwrap());
        assert_eq!(line.len(), model::JSON_BYTES_MAX);
        assert!(lines.next(&mut line).unwrap());
        assert_eq!(line, b"{}");
        assert!(!lines.next(&mut line).unwrap());
    }
}
