//! A folder with many cases.

use std::{fs, path::Path, time::Instant};

use serde_json::Value;

use crate::scene::{HOTLINE, PLATFORM, POLICE, Scene};

/// Cases of two messages each that are made up beside the one that there is, unless `FREX_CASES` says how many.
const CASES: usize = 150;

// CSE-10: a folder of many cases is read as it lies; nothing is derived that could be wrong.
#[test]
fn many_cases_are_listed_from_the_folder_alone() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let found = ["assess", &scene.case, "baseline", "--to", POLICE];
    scene.say(&found, HOTLINE, &[POLICE]);
    let wanted = std::env::var("FREX_CASES").ok();
    let cases = wanted.and_then(|count| count.parse().ok()).unwrap_or(CASES);
    multiply(&scene, cases);
    let start = Instant::now();
    let listed = scene.frex.done(&["case", "ls", POLICE]);
    println!(
        "{} messages in {cases} cases listed in {:?}",
        2 * cases,
        start.elapsed()
    );
    let listed = listed["cases"].as_array().unwrap();
    assert_eq!(listed.len(), cases + 1);
    for case in listed {
        assert_eq!(case["messages"], 2, "{case}");
        assert!(case["parties"].to_string().contains(PLATFORM));
    }
}

/// What police have of the one case, under other ids.
fn multiply(scene: &Scene, cases: usize) {
    let inbox = scene.frex.dir().join(POLICE).join("member/inbox");
    let rows: Vec<String> = abouts(&inbox);
    for text in &rows {
        let row: Value = serde_json::from_str(text).unwrap();
        let word = |name: &str| row[name].as_str().unwrap().to_owned();
        let file = word("file");
        let file = Path::new(&file).file_name().unwrap().to_str().unwrap();
        let content = fs::read(inbox.join(file)).unwrap();
        let is_report = row["kind"] == "report";
        for case in 1..=cases {
            let name = format!("{:064x}", 2 * case + usize::from(is_report));
            let mut text = text.replace(&scene.case, &format!("{case:032x}"));
            if !is_report {
                text = text.replace(&word("message"), &format!("{:032x}", case + (1 << 32)));
            }
            let text = text.replace(&word("envelope"), &name);
            fs::write(inbox.join(format!("{name}.about")), text).unwrap();
            let file = file.replace(&word("envelope"), &name);
            fs::write(inbox.join(file), &content).unwrap();
        }
    }
}

fn abouts(inbox: &Path) -> Vec<String> {
    let entries = fs::read_dir(inbox)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let rows = entries.filter(|path| path.extension().is_some_and(|end| end == "about"));
    rows.map(|path| fs::read_to_string(path).unwrap()).collect()
}
