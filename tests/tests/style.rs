//! The house's rules that no compiler checks.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const CRATES: [&str; 4] = ["proto", "client", "node", "tests"];
/// Requirements that no test or vector names yet. The list may only become shorter.
const UNTESTED: &str = include_str!("untested.txt");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != "gen" && !name.starts_with('.') {
            walk(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
}

/// Files below the crates, or below `place`, with this extension, and their text.
fn texts(places: &[&str], extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for place in places {
        walk(&root().join(place), &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|end| end == extension));
    let named = found.into_iter().map(|path| {
        let text = fs::read_to_string(&path).unwrap();
        (path.strip_prefix(root()).unwrap().to_path_buf(), text)
    });
    named.collect()
}

fn report(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// A line without its strings, characters and comment, so that braces in them do not count.
fn bare(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.len()
        } else if first == '"' {
            let mut escaped = false;
            let end = rest[1..].find(|c| {
                let closing = c == '"' && !escaped;
                escaped = c == '\\' && !escaped;
                closing
            });
            end.map_or(rest.len(), |end| end + 2)
        } else if rest.starts_with("'{'") || rest.starts_with("'}'") || rest.starts_with("'\"'") {
            3
        } else {
            out.push(first);
            first.len_utf8()
        };
        rest = &rest[skipped..];
    }
    out
}

fn starts_function(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "fn");
    at.is_some_and(|at| {
        words[..at].iter().all(|word| {
            word.starts_with("pub")
                || matches!(*word, "const" | "async" | "extern" | "in" | "crate)")
        })
    })
}

/// Where functions begin, and over how many lines they go.
fn functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<String> = text.lines().map(bare).collect();
    let mut found = Vec::new();
    for start in (0..lines.len()).filter(|at| starts_function(&lines[*at])) {
        let (mut depth, mut opened) = (0_usize, false);
        for (at, line) in lines.iter().enumerate().skip(start) {
            depth += line.matches('{').count();
            depth = depth.saturating_sub(line.matches('}').count());
            opened |= line.contains('{');
            if (opened && depth == 0) || (!opened && line.trim_end().ends_with(';')) {
                found.push((start + 1, at - start + 1));
                break;
            }
        }
    }
    found
}

#[test]
fn files_and_functions_are_small_enough_to_read() {
    let mut problems = Vec::new();
    for (path, text) in texts(&CRATES, "rs") {
        let lines = text.lines().count();
        if lines > FILE_LINES_MAX {
            problems.push(format!("{}: {lines} lines", path.display()));
        }
        for (line, length) in functions(&text) {
            if length > FUNCTION_LINES_MAX {
                problems.push(format!("{}:{line}: {length} lines", path.display()));
            }
        }
    }
    report(&problems);
}

#[test]
fn the_function_measure_measures() {
    let long = format!("pub async fn a() {{\n{}}}\n", "    b('{');\n".repeat(80));
    assert_eq!(functions(&long), [(1, 82)]);
    assert_eq!(functions("fn a();\nfn b() {}\n"), [(1, 1), (2, 1)]);
    assert_eq!(functions("fn a() -> &str {\n    \"}\"\n}\n"), [(1, 3)]);
}

#[test]
fn nothing_is_left_for_later() {
    // In halves, so that this file does not accuse itself.
    let words = [
        ["to", "do!("],
        ["TO", "DO"],
        ["FIX", "ME"],
        ["unimple", "mented!("],
        ["db", "g!("],
        ["for no", "w,"],
    ]
    .map(|halves| halves.concat());
    let mut problems = Vec::new();
    for (path, text) in texts(&CRATES, "rs") {
        for (number, line) in text.lines().enumerate() {
            for word in words.iter().filter(|word| line.contains(word.as_str())) {
                problems.push(format!("{}:{}: {word}", path.display(), number + 1));
            }
        }
    }
    report(&problems);
}

#[test]
fn no_crate_has_unsafe_code() {
    for name in CRATES {
        let text = fs::read_to_string(root().join(name).join("src/lib.rs")).unwrap();
        assert!(text.contains("#![forbid(unsafe_code)]"), "{name}");
    }
    for (path, text) in texts(&CRATES, "rs") {
        // The fuzz program is a workspace of its own, but holds none either.
        let word = ["uns", "afe "].concat();
        let allowed = text.lines().map(bare).any(|line| line.contains(&word));
        assert!(!allowed, "{}", path.display());
    }
}

/// Requirement ids like `ENV-7` in a text.
fn ids(text: &str) -> BTreeSet<String> {
    let letter = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    let words = text.split(|c: char| !letter(c));
    let named = words.filter(|word| {
        word.split_once('-').is_some_and(|(chapter, number)| {
            chapter.len() == 3
                && chapter.chars().all(|c| c.is_ascii_uppercase())
                && !number.is_empty()
                && number.chars().all(|c| c.is_ascii_digit())
        })
    });
    named.map(str::to_owned).collect()
}

/// Requirements as the numbered chapters define them: the id in bold, once.
fn required() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, text) in chapters() {
        for bold in text.split("**").skip(1).step_by(2) {
            if ids(bold).contains(bold) {
                assert!(found.insert(bold.to_owned()), "{bold} is defined twice");
            }
        }
    }
    found
}

fn chapters() -> Vec<(String, String)> {
    let all = texts(&["spec"], "md").into_iter();
    let named = all.map(|(path, text)| {
        (
            path.file_name().unwrap().to_string_lossy().into_owned(),
            text,
        )
    });
    named
        .filter(|(name, _)| name.starts_with(|c: char| c.is_ascii_digit()))
        .collect()
}

#[test]
fn every_must_of_the_specification_has_an_id() {
    let mut problems = Vec::new();
    for (chapter, text) in chapters() {
        for block in blocks(&text) {
            let binds = block
                .split(|c: char| !c.is_ascii_alphabetic())
                .any(|word| word == "MUST" || word == "SHALL");
            if binds && !block.split("**").any(|bold| ids(bold).contains(bold)) {
                let start: String = block.trim().chars().take(70).collect();
                problems.push(format!("{chapter}: no id: {start}"));
            }
        }
    }
    report(&problems);
}

/// Paragraphs, table rows and numbered steps; code left out.
fn blocks(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut in_code = false;
    for line in text.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code {
            let step = line
                .split_once(". ")
                .is_some_and(|(number, _)| number.parse::<u8>().is_ok());
            if line.trim().is_empty() || line.starts_with('|') || step {
                found.push(String::new());
            }
            let last = found.last_mut().unwrap();
            last.push_str(line);
            last.push('\n');
        }
    }
    found
}

/// Requirements that a test's comment or a vector names.
fn tested() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (_, text) in texts(&CRATES, "rs") {
        // `// ENV-7: …` stands over a test, `/// … Spec: ENV-7.` over what fulfils it.
        for line in text.lines() {
            let Some(comment) = line.trim_start().strip_prefix("// ") else {
                continue;
            };
            let first = comment.split_whitespace().next().unwrap_or_default();
            if !ids(first).is_empty() {
                let cited = comment.split(':').next().unwrap_or_default();
                found.extend(ids(cited));
                found.extend(ranges(cited));
            }
        }
    }
    for (_, text) in texts(&["spec/vectors"], "json") {
        found.extend(ids(&text));
    }
    found
}

/// What lies within `ROS-11 to ROS-18`.
fn ranges(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let words: Vec<&str> = text.split_whitespace().collect();
    for three in words.windows(3).filter(|three| three[1] == "to") {
        let ends = [three[0], three[2]].map(|end| end.trim_end_matches([',', '.']).split_once('-'));
        let [Some((chapter, from)), Some((same, to))] = ends else {
            continue;
        };
        if let (true, Ok(from), Ok(to)) = (chapter == same, from.parse::<u32>(), to.parse::<u32>())
        {
            found.extend((from..=to).map(|number| format!("{chapter}-{number}")));
        }
    }
    found
}

#[test]
fn every_requirement_is_tested_or_known_not_to_be() {
    let (required, tested, listed) = (required(), tested(), ids(UNTESTED));
    let untested: BTreeSet<String> = required.difference(&tested).cloned().collect();
    if std::env::var_os("FREX_UPDATE").is_some() {
        let lines: Vec<&str> = untested.intersection(&listed).map(String::as_str).collect();
        let path = root().join("tests/tests/untested.txt");
        fs::write(path, lines.join("\n") + "\n").unwrap();
        return;
    }
    let missing: Vec<_> = untested.difference(&listed).collect();
    assert!(missing.is_empty(), "no test or vector names {missing:?}");
    let done: Vec<_> = listed.difference(&untested).collect();
    assert!(
        done.is_empty(),
        "take {done:?} off tests/tests/untested.txt"
    );
    // Something else of an id's shape, like RFC-1, has no chapter.
    let has_chapter = |id: &str| required.iter().any(|known| known[..4] == id[..4]);
    let unknown: Vec<_> = tested
        .difference(&required)
        .filter(|id| has_chapter(id))
        .collect();
    assert!(unknown.is_empty(), "no requirement is called {unknown:?}");
}
