//! Evidence over two logs of one node, of which the first has ended.

use super::*;

/// The hotline's node has begun its log anew; in the second the reminder is logged.
#[rustfmt::skip] // A table: one row a vector.
pub(super) fn ended_logs() -> Vec<Vector> {
    let row = |name: &str, spec: &str, what: &str, (end_ms, kept): (u64, u64), change: &dyn Fn(&mut Scene), expect: &str| {
        let anew = |s: &mut Scene| {
            let reminder = reminder(&s.request);
            let entry = (NOW_MS + 2 * DAY_MS + 30, statement(Event::Submitted, &reminder, &[CLEARING]));
            s.exhibits.push(exhibit(&reminder));
            s.anew = Some((v1::EndedLog { not_after_ms: NOW_MS + end_ms, kept }, vec![entry]));
            change(s);
        };
        vector(name, spec, what, &Scene::new().with(&anew).file(), expect)
    };
    let police = |s: &mut Scene| s.silence.silent = vec![POLICE.to_owned()];
    let first_head = |s: &mut Scene| s.silence.checkpoint = s.receipts(0)[0].checkpoint.clone();
    let answer_later = |s: &mut Scene| {
        let answer = s.logs[0].pop().expect("the answer");
        s.anew.as_mut().expect("set").1.push((answer.0 + 30, answer.1));
    };
    // The answer is entry 1 of the first log, at two days and ten milliseconds.
    let late = 2 * DAY_MS + 20;
    vec![
        row("log-ended", "LOG-30", "receipts of a log that has ended, and of the one that follows it", (late, 2), &|_| (), "ok"),
        row("log-ended-before-the-answer", "LOG-30", "the request in the first log, the answer in the second", (DAY_MS, 1), &answer_later, "ok"),
        row("log-ended-after-the-silence", "EVD-9", "silence under a head of the first log, which had not ended", (4 * DAY_MS, 2), &first_head, "ok"),
        row("log-ended-before-the-receipt", "LOG-30", "a receipt of a log that had ended by then", (2 * DAY_MS, 2), &|_| (), "Receipt(Checkpoint(KeyEnded))"),
        row("log-ended-before-the-silence", "EVD-9", "silence under a head of a log that had ended by then", (late, 2), &first_head, "SilenceHead(KeyEnded)"),
        row("log-ended-with-the-answer", "EVD-10", "silence under the second log of who has answered in the first", (late, 2), &police, "Contradicted"),
        row("log-ended-without-the-answer", "EVD-10", "the node has lost the answer: that none had come is not contradicted", (late, 1), &police, "ok"),
        vector("silence-under-a-log-not-begun", "EVD-9", "silence under a head of a log that the roster does not list", &Scene::new().with(&|s| {
            let later = logged(0, 2, &s.logs[0], &[1, 2]);
            s.silence.checkpoint = later[0].checkpoint.clone();
        }).file(), "SilenceHead(Origin)"),
        vector("receipt-of-a-log-not-begun", "LOG-30", "receipts of a log that the roster does not list", &{
            let scene = Scene::new();
            let receipts = logged(0, 2, &scene.logs[0], &[1, 2]);
            let parts = Parts { receipts, ..scene.parts() };
            evidence::build(parts).expect("within the limits")
        }, "UnknownLog"),
    ]
}
