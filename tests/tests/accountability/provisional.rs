//! What is not so yet, or not any more, is not said to be so: silence, and what is final.

use std::fs;

use frex_proto::error::WireCode;

use crate::{
    evidence::asked,
    scene::{CLEARING, HOTLINE, MEMBERS, POLICE, ROOT, Scene},
};

// EVD-10: an answer that the folder knows of and the file cannot show is an answer all the same; what is
// advised then works, also where the folder is named by the environment.
#[test]
fn an_answer_that_is_kept_is_no_silence() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    let request = asked(&scene);
    scene.read_inbox(HOTLINE);
    let inbox = dir.path().join(HOTLINE).join("member/inbox");
    for entry in fs::read_dir(inbox).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|end| end == "envelope") {
            fs::remove_file(path).unwrap();
        }
    }
    let export = ["evidence", "export", &request, HOTLINE, "--out", "a.frexev"];
    let export = |more: &[&str]| scene.frex.run(&[&export[..], more].concat());
    let alone = export(&["--silence", "--alone"]);
    assert_eq!(alone.code(), Some(WireCode::BadInput as u64), "{alone:?}");
    let refused = export(&["--silence"]);
    let answered = Some(WireCode::Answered as u64);
    assert_eq!(refused.code(), answered, "{refused:?}");
    let advice = format!("frex evidence export {request} {HOTLINE} --out a.frexev");
    assert!(refused.err.contains(&advice), "{refused:?}");
    assert!(!dir.path().join("a.frexev").exists());
    let made = export(&[]);
    assert_eq!(made.exit, Some(0), "{made:?}");

    let homed = scene
        .frex
        .clone()
        .with("FREX_DIR", dir.path().join(HOTLINE));
    for words in [
        &["evidence", "verify", "a.frexev", "--root", ROOT][..],
        &[
            "evidence", "report", "a.frexev", "--root", ROOT, "--out", "a.html",
        ],
        &["erase", "ls"],
        &["erase", "export"],
        &["hold", "ls"],
    ] {
        let ended = homed.run(words);
        assert_eq!(ended.exit, Some(0), "{words:?}: {ended:?}");
    }
}

// EVD-5, RCP-18: while too few have cosigned, a file and its page say that what they prove is provisional.
#[test]
fn what_is_provisional_is_said_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let mut scene = Scene::new(dir.path());
    let place = MEMBERS.iter().position(|member| *member == CLEARING);
    scene.nodes[place.unwrap()].kill().unwrap();
    let message = scene.send(HOTLINE, &[POLICE], &[]);
    let export = ["evidence", "export", &message, HOTLINE, "--offline"];
    let export = [&export[..], &["--reveal", "content", "--out", "a.frexev"]].concat();
    let made = scene.frex.done(&export);
    assert_eq!(made["final"], false, "{made}");
    let ended = scene.verify("a.frexev", &[]);
    let found = ended.json();
    assert_eq!(ended.exit, Some(0), "{found}");
    assert_eq!(
        (&found["verified"], &found["provisional"]),
        (&true.into(), &true.into())
    );
    let strict = scene.verify("a.frexev", &["--final"]);
    assert_eq!(strict.exit, Some(20), "{strict:?}");
    let report = ["evidence", "report", "a.frexev", "--root", ROOT];
    let _ = scene
        .frex
        .done(&[&report[..], &["--out", "a.html"]].concat());
    let page = String::from_utf8(scene.bytes("a.html")).unwrap();
    assert!(page.contains("VERIFIED, provisional: "), "{page}");
    // What a narrower file leaves out is named.
    let narrow = ["evidence", "disclose", "a.frexev", "--out", "b.frexev"];
    let narrow = scene.frex.done(&narrow);
    let left_out = narrow["left_out"][0].as_str().unwrap();
    assert!(left_out.starts_with("the content of exhibit 1"), "{narrow}");
}
