//! One page of HTML: no script, nothing from elsewhere, no images, every text escaped. Spec: EVD-13.

use std::path::Path;

use frex_client::{casework::model, report::CONTENT_TYPE};
use frex_proto::{
    envelope::Carried,
    evidence::{self, Outcome, Shown},
    label,
    roster::Member,
    v1,
};

use super::{
    Examined, Pin,
    clocks::{self, Told},
    print,
};
use crate::cli::{fingerprint, output, roster::words, time::rfc3339};

const STYLE: &str = include_str!("page.css");
/// Content that is shown as text; of all other only type, length and hash are.
const TEXTS: [&str; 2] = [CONTENT_TYPE, "text/plain"];

/// The page about a file.
pub(super) fn of(found: &Examined, file: &Path) -> String {
    let body = [
        head(found, file),
        parties(found),
        clock_part(found),
        timeline(found),
        exhibits(found),
        checks(found),
        how(found, file),
    ];
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>Evidence: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
        escaped(&title(found)),
        body.concat()
    )
}

/// Text that others wrote, so that it is text and nothing else.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' => safe.push('\n'),
            c => safe.push_str(&output::clean(c.encode_utf8(&mut [0; 4]))),
        }
    }
    safe
}

fn title(found: &Examined) -> String {
    let message = evidence::subject(&found.bundle);
    let name = message.map_or_else(|| "no message".to_owned(), |id| id.to_string());
    format!(
        "message {name} of the federation {}",
        found.roster.federation()
    )
}

fn head(found: &Examined, file: &Path) -> String {
    let verdict = match (found.holds(), &found.pin) {
        (false, _) => {
            "<span class=\"failed\">FAILED: a check below does not hold. Do not rely on this file.</span>"
        }
        (true, Pin::Own(_)) if found.is_provisional() => {
            "VERIFIED, provisional: every check below holds, but fewer witnesses have cosigned than the roster asks for."
        }
        (true, Pin::Own(_)) if print::is_unwitnessed(&found.findings) => {
            "VERIFIED: every check below holds. The roster names no witnesses, so nothing in it is final."
        }
        (true, Pin::Own(_)) => "VERIFIED: every check below holds.",
        (true, Pin::Unchecked) => {
            "NOT VERIFIED: every check holds, but nobody here has checked whose federation it is."
        }
    };
    format!(
        "<h1>Evidence</h1>\n<p>{}</p>\n<p class=\"verdict\">{verdict}</p>\n{}",
        escaped(&title(found)),
        table(
            "What was judged",
            &["", ""],
            &[
                ["File".to_owned(), file.display().to_string()],
                ["SHA-256 of the file".to_owned(), found.sha256.clone()],
                [
                    "Roster".to_owned(),
                    format!(
                        "version {}, issued {}",
                        found.roster.version(),
                        rfc3339(found.roster.issued_ms())
                    )
                ],
                [
                    "Root, by whose fingerprint it is known".to_owned(),
                    found.fingerprint()
                ],
            ],
        )
    )
}

/// A table with a caption and a header for each column.
fn table<const N: usize>(caption: &str, header: &[&str; N], rows: &[[String; N]]) -> String {
    let heads: String = header
        .iter()
        .map(|name| format!("<th scope=\"col\">{}</th>", escaped(name)))
        .collect();
    let head = match header.iter().all(|name| name.is_empty()) {
        true => String::new(),
        false => format!("<thead><tr>{heads}</tr></thead>\n"),
    };
    let row = |row: &[String; N]| {
        let cells = row.iter().enumerate().map(|(place, cell)| {
            let tag = if place == 0 { "th scope=\"row\"" } else { "td" };
            let end = if place == 0 { "th" } else { "td" };
            format!("<{tag}>{}</{end}>", escaped(cell))
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    format!(
        "<table>\n<caption>{}</caption>\n{head}<tbody>\n{}</tbody>\n</table>\n",
        escaped(caption),
        rows.iter().map(row).collect::<String>()
    )
}

fn parties(found: &Examined) -> String {
    let row = |member: &&Member| {
        let keys = member.identity_keys.iter();
        let prints: Vec<String> = keys.map(|key| fingerprint::of_key(&key.key)).collect();
        let role = words::role_name(member.role);
        [
            member.id.clone(),
            member.name.clone(),
            format!("{role}, {}", member.country),
            prints.join("\n"),
        ]
    };
    let rows: Vec<_> = print::parties(&found.findings, &found.roster)
        .iter()
        .map(row)
        .collect();
    format!(
        "<h2>Who takes part</h2>\n{}",
        table(
            "Organisations as the roster lists them, and the fingerprints of the keys by which they sign",
            &["Id", "Name", "What it is", "Identity keys"],
            &rows
        )
    )
}

fn clock_part(found: &Examined) -> String {
    let clocks = evidence::clocks(&found.findings);
    if clocks.is_empty() {
        return String::new();
    }
    let mut part = "<h2>Requests and answers</h2>\n".to_owned();
    for clock in clocks {
        let lines = clocks::words(&clock, &found.findings, Told::File);
        let lines: String = lines
            .iter()
            .map(|line| format!("<li>{}</li>\n", escaped(line)))
            .collect();
        part.push_str(&format!(
            "<h3>{}</h3>\n<ul>\n{lines}</ul>\n",
            escaped(&print::verdict(&clock, Told::File))
        ));
    }
    part
}

fn timeline(found: &Examined) -> String {
    let row = |row: evidence::Row| {
        let message = row.message.map_or_else(String::new, |id| id.to_string());
        [
            rfc3339(row.at_ms),
            print::said(&row),
            message,
            print::place(&row, &found.findings),
        ]
    };
    let rows: Vec<_> = evidence::rows(&found.findings)
        .into_iter()
        .map(row)
        .collect();
    format!(
        "<h2>Timeline</h2>\n<p>The time of a receipt is the one that its node has logged. What was written, is due or expires is as its sender signed it.</p>\n{}",
        table(
            "What happened, in the order of its times (UTC)",
            &["Time", "What", "Message", "Proof"],
            &rows
        )
    )
}

fn exhibits(found: &Examined) -> String {
    let mut part = "<h2>What the file shows</h2>\n".to_owned();
    for (place, shown) in found.findings.exhibits.iter().enumerate() {
        let Some(shown) = shown else { continue };
        part.push_str(&exhibit(place + 1, shown));
    }
    let receipt = |(place, proven): (usize, &Option<evidence::Proven>)| {
        let proven = proven.as_ref()?;
        let verified = &proven.verified;
        Some([
            format!("receipt {}", place + 1),
            verified.statement.node.clone(),
            format!(
                "entry #{} of {} in {}",
                verified.index, verified.checkpoint.size, verified.checkpoint.origin
            ),
            print::cosigned(&proven.finality),
        ])
    };
    let rows: Vec<_> = found
        .findings
        .receipts
        .iter()
        .enumerate()
        .filter_map(receipt)
        .collect();
    part.push_str(&table(
        "Receipts: each is an entry of a node's log that cannot be changed any more",
        &["Receipt", "Node", "Entry", "Witnesses"],
        &rows,
    ));
    part
}

fn exhibit(number: usize, shown: &Shown) -> String {
    let carried = &shown.carried;
    let core = &carried.original().core;
    let recipients: Vec<&str> = carried
        .recipients()
        .iter()
        .map(|one| one.member.as_str())
        .collect();
    let what = match carried {
        Carried::Own(_) => core.kind.word().to_owned(),
        Carried::Forward(_) => format!("forward of a {} by {}", core.kind.word(), core.sender),
    };
    let mut rows = vec![
        ["What".to_owned(), what],
        ["From".to_owned(), carried.sender().to_owned()],
        ["To".to_owned(), recipients.join(", ")],
        ["Message".to_owned(), carried.message_id().to_string()],
        ["Envelope".to_owned(), carried.id().to_string()],
        ["Written, as signed".to_owned(), rfc3339(carried.times().0)],
        [
            "Logged first".to_owned(),
            shown
                .logged_ms
                .map_or_else(|| "no receipt dates it".to_owned(), rfc3339),
        ],
    ];
    if let Some(answered) = core.in_reply_to {
        rows.push(["In reply to envelope".to_owned(), answered.to_string()]);
    }
    let content = match &shown.content {
        None => "<p>Its content is not revealed.</p>\n".to_owned(),
        Some(content) => content_part(content),
    };
    format!(
        "{}{content}",
        table(&format!("Exhibit {number}"), &["", ""], &rows)
    )
}

fn content_part(content: &v1::Content) -> String {
    let hash = hex::encode(label::sha256(&[&content.data]));
    let mut part = format!(
        "<p>Content: {}, {} bytes, SHA-256 <code>{hash}</code>. It is what the signed header commits to.</p>\n",
        escaped(&content.content_type),
        content.data.len()
    );
    let text = match content.content_type == model::CONTENT_TYPE {
        true => model::Report::decode_unchecked(&content.data)
            .ok()
            .map(|report| report.to_json_text()),
        false => TEXTS
            .contains(&content.content_type.as_str())
            .then(|| String::from_utf8(content.data.to_vec()).ok())
            .flatten(),
    };
    match text {
        Some(text) => part.push_str(&format!("<pre>{}</pre>\n", escaped(&text))),
        _ => part.push_str("<p>It is not shown here.</p>\n"),
    }
    for file in &content.attachments {
        part.push_str(&format!(
            "<p>A file came with it, not shown: {} bytes, SHA-256 <code>{}</code>.</p>\n",
            file.bytes,
            hex::encode(&file.sha256)
        ));
    }
    part
}

fn checks(found: &Examined) -> String {
    let row = |check: &evidence::Check| {
        let why = match check.outcome {
            Outcome::Fails(error) => error.to_string(),
            _ => String::new(),
        };
        [check.name.clone(), check.outcome.word().to_owned(), why]
    };
    let rows: Vec<_> = found.findings.checks.iter().map(row).collect();
    format!(
        "<h2>Checks</h2>\n{}",
        table(
            "Every check that was made",
            &["Check", "Outcome", "Why"],
            &rows
        )
    )
}

fn how(found: &Examined, file: &Path) -> String {
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let root = match &found.pin {
        Pin::Own(path) => format!("It was judged under the root in {}.", path.display()),
        Pin::Unchecked => "The root came from the file itself. Anybody can make a federation: compare the fingerprint above with the governance by telephone.".to_owned(),
    };
    format!(
        "<h2>How to verify it yourself</h2>\n<p>{}</p>\n<p>This page proves nothing: the file <code>{}</code> does, to whoever has the root of the federation from a hand they trust. No network is needed.</p>\n<pre>frex evidence verify {} --root root.frex</pre>\n<p>A second program, in Python, shares no code with the first:</p>\n<pre>spec/reader/run evidence {} --root root.frex</pre>\n",
        escaped(&root),
        escaped(&name),
        escaped(&name),
        escaped(&name)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    // EVD-13
    #[test]
    fn text_of_others_is_text_and_nothing_else() {
        let hostile = "<script>alert('x')</script>\"&\u{202e}\n";
        assert_eq!(
            escaped(hostile),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&amp;\u{fffd}\n"
        );
        let row = [["<b>".to_owned(), "<img src=x>".to_owned()]];
        let table = table("<i>", &["<u>", ""], &row);
        for tag in ["<b>", "<img", "<i>", "<u>"] {
            assert!(!table.contains(tag), "{table}");
        }
    }
}
