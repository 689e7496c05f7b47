//! A folder with many cases.

use std::{fs, time::Instant};

use crate::scene::{PLATFORM, Scene};

/// Cases that are made up beside the one that there is.
const CASES: usize = 300;

// CSE-10: a folder of many cases is read as it lies, each row by itself; nothing is derived that could be wrong.
#[test]
fn many_cases_are_listed_from_the_folder_alone() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    multiply(&scene, CASES);
    let start = Instant::now();
    let listed = scene.frex.done(&["case", "ls", crate::scene::POLICE]);
    println!("{CASES} cases listed in {:?}", start.elapsed());
    assert_eq!(listed["cases"].as_array().unwrap().len(), CASES + 1);
    let senders = listed["cases"].as_array().unwrap().iter();
    assert!(
        senders
            .into_iter()
            .all(|one| one["parties"].to_string().contains(PLATFORM))
    );
}

/// What police has of the one case, under other ids.
fn multiply(scene: &Scene, cases: usize) {
    let inbox = scene
        .frex
        .dir()
        .join(crate::scene::POLICE)
        .join("member/inbox");
    let about = fs::read_dir(&inbox)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "about"))
        .unwrap();
    let text = fs::read_to_string(&about).unwrap();
    let row: serde_json::Value = serde_json::from_str(&text).unwrap();
    let (envelope, message) = (
        row["envelope"].as_str().unwrap(),
        row["message"].as_str().unwrap(),
    );
    for case in 0..cases {
        let other = (format!("{case:064x}"), format!("{case:032x}"));
        let text = text.replace(envelope, &other.0).replace(message, &other.1);
        fs::write(inbox.join(format!("{}.about", other.0)), text).unwrap();
    }
}
