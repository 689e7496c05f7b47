//! What was decided as one is withdrawn as one; what was carried out in part is named until all of it is.

use frex_proto::error::WireCode;
use serde_json::{Value, json};

use super::{CLEARING, HOTLINE, NARROW, PLATFORM, POLICE, Scene, refused, report, text};

/// A route whose second message had no room; gives its case, and the command that goes on.
fn half_sent(scene: &Scene) -> (String, String) {
    let stopped = scene.send("report.json", "--confirm");
    assert_eq!(stopped.exit, Some(3), "{stopped:?}");
    let printed = stopped.err.lines().find_map(|line| {
        let (_, command) = line.split_once("go on with:  frex ")?;
        Some(command.to_owned())
    });
    scene.widen();
    let case = text(&stopped.json(), "case").to_owned();
    (case, printed.unwrap_or_else(|| panic!("{stopped:?}")))
}

/// What every list of cases says of decisions that are not carried out.
fn unfinished(scene: &Scene, case: &str) -> Value {
    let of = |words: &str| scene.done(&format!("{words} {PLATFORM}"))["unfinished"].clone();
    let shown = of(&format!("case show {case}"));
    assert_eq!((&of("overdue"), &of("case ls")), (&shown, &shown));
    shown
}

/// Withdraws; gives from whom, as which message, and all that was said.
fn recalled(scene: &Scene, message: &str, how: &str) -> (Vec<(String, String)>, Value) {
    let ended = scene.patiently(&format!("recall {message} {PLATFORM} {how}"));
    assert!(matches!(ended.exit, Some(0 | 3)), "{ended:?}");
    let said = ended.json();
    let rows = said["recipients"].as_array().unwrap().iter();
    let from = rows.map(|row| of(text(row, "member"), text(row, "message")));
    (from.collect(), said)
}

fn of(member: &str, message: &str) -> (String, String) {
    (member.to_owned(), message.to_owned())
}

// RTE-35, RTE-36: who has not got what was decided is named; what was withdrawn from all who had it does not go
// to the others, and is not called for any more.
#[test]
fn a_route_that_was_withdrawn_does_not_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::with(dir.path(), &NARROW);
    scene.write("report.json", &report(|_| ()));
    let (case, go_on) = half_sent(&scene);
    let undone = unfinished(&scene, &case);
    assert_eq!(undone[0]["members"], json!([HOTLINE, POLICE]), "{undone}");
    let command = text(&undone[0], "try");
    for words in ["--route", &format!("--message {case}")] {
        assert!(command.contains(words), "{undone}");
    }
    let (from, said) = recalled(&scene, &case, "--reason sent-in-error --confirm");
    assert!(from.contains(&of(CLEARING, &case)), "{said}");
    assert_eq!(unfinished(&scene, &case), json!([]));
    refused(&scene.run(&go_on), WireCode::Recalled);
    // What is printed can be given as it stands: no option is there twice.
    let again = scene.run(&format!("{go_on} --anyway"));
    refused(&again, WireCode::Recalled);
    let printed = again.err.lines().last().unwrap();
    assert_eq!(printed.matches("--anyway").count(), 1, "{again:?}");
}

// RCL-24, RTE-35, RTE-36: a recall of any message of a decision is one of all, each by a recall of its own; of
// members who are named, as the message that went there. It was recalled before only where all of it was.
#[test]
fn a_recall_reaches_everybody_whom_the_decision_did() {
    let dir = tempfile::tempdir().unwrap();
    let scene = Scene::new(dir.path());
    scene.write("report.json", &report(|_| ()));
    let sent = scene.send("report.json", "--confirm").json();
    let (case, copy) = (text(&sent, "case"), text(&sent["messages"][1], "message"));
    scene.read(CLEARING);
    assert_eq!(unfinished(&scene, case), json!([]));
    planned(&scene, case, copy);

    let some = format!("--reason sent-in-error --to {POLICE} --confirm");
    assert_eq!(recalled(&scene, case, &some).0, [of(POLICE, copy)]);
    let (from, said) = recalled(&scene, copy, "--reason exonerated --confirm");
    assert_eq!(from, [of(CLEARING, case), of(HOTLINE, copy)], "{said}");
    assert_eq!(said["recalls"].as_array().unwrap().len(), 2, "{said}");
    let before = &said["recalled_before"][0]["from"];
    assert_eq!(*before, json!([POLICE]), "{said}");
    for (member, message) in [(CLEARING, case), (HOTLINE, copy), (POLICE, copy)] {
        let read = scene.done(&format!("inbox {member} --wait 30s"));
        assert_eq!(read["items"][0]["recalls"], message, "{member}: {read}");
    }
    let (from, said) = recalled(&scene, case, "--reason exonerated --confirm");
    assert!(from.is_empty() && said["recall"].is_null(), "{said}");
    let before = said["recalled_before"].as_array().unwrap();
    assert_eq!(before.len(), 3, "{said}");
}

/// Before anything is sent all messages are named, whichever was meant, and who got none is refused.
fn planned(scene: &Scene, case: &str, copy: &str) {
    let plan = scene.done(&format!("recall {copy} {PLATFORM} --reason exonerated"));
    let all = json!([CLEARING, HOTLINE, POLICE]);
    assert_eq!(plan["recipients"], all, "{plan}");
    let named = plan["messages"].as_array().unwrap().iter();
    let named: Vec<&str> = named.map(|one| text(one, "message")).collect();
    assert_eq!(named, [case, copy], "{plan}");
    let steps = plan["plan"].to_string();
    assert!(steps.contains(case) && steps.contains(copy), "{plan}");
    let line = format!("recall {case} {PLATFORM} --reason legal --to nobody.xx");
    let stranger = scene.run(&line);
    refused(&stranger, WireCode::UnknownRecipient);
    for member in [CLEARING, HOTLINE, POLICE] {
        assert!(stranger.err.contains(member), "{stranger:?}");
    }
}
