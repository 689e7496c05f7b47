//! `frex overdue`: what was not done in time, and what ends soon, in all cases. Spec: CSE-27.

use frex_client::casework::case::{Deadline, Standing, View};
use serde_json::{Value, json};

use super::{
    OverdueArgs,
    desk::Desk,
    list::second,
    say::{Room, short},
    show::{not_received, print_not_received, request_of, standing, subject},
    unheld,
};
use crate::cli::{
    evidence::length,
    failure::Done,
    output,
    route::unfinished::{self, Unfinished},
    time::rfc3339,
};

/// Lists it, what is overdue longest first.
pub fn overdue(args: &OverdueArgs, json: bool) -> Done {
    let room = Room::open(&args.dir)?;
    let desk = &room.desk;
    let mut rows: Vec<Value> = Vec::new();
    let (mut waits, mut unheld) = (Vec::new(), Vec::new());
    for case in desk.cases.values() {
        let view = case.view(desk.now_ms, &desk.setting);
        let wanted = view.deadlines.iter().filter(|one| {
            let own = !args.own || one.who == desk.own;
            own && (one.state == Standing::Overdue || one.warning.is_some())
        });
        rows.extend(wanted.map(|one| row(one, &view, &desk.own)));
        if !args.own && view.state == "nobody" {
            unheld.push(unheld::of(&room, case, &args.dir));
        }
        // What only this member must do needs nobody's receipt.
        if !args.own && clocks_wait(&view) {
            waits.extend(desk.not_shown(case));
        }
    }
    rows.sort_by_key(|row| (row["due_ms"].as_u64(), row["case"].to_string()));
    // Who sent it must go on with it.
    let undone = unfinished::all(&room, &args.dir)?;
    if json {
        let waits: Vec<Value> = waits.iter().map(not_received).collect();
        let nobody = unheld;
        let undone: Vec<Value> = undone.iter().map(Unfinished::to_json).collect();
        output::document(json!({
            "overdue": rows, "not_received": waits, "nobody": nobody, "unfinished": undone,
        }));
    } else {
        unheld::print(&unheld, &args.dir);
        unfinished::print(&undone);
        if !rows.is_empty() || (unheld.is_empty() && undone.is_empty()) {
            print(desk, &rows, args);
        }
        print_not_received(&waits, &args.dir);
    }
    Ok(0)
}

/// Whether something is to be done of which nothing shows that its clock has begun.
fn clocks_wait(view: &View) -> bool {
    let mut deadlines = view.deadlines.iter();
    deadlines.any(|one| one.state == Standing::NotReceived)
}

fn row(one: &Deadline, view: &View, own: &str) -> Value {
    let request = request_of(one, view);
    json!({
        "case": view.id.to_string(), "what": one.what.word(), "who": one.who,
        "subject": subject(one, view), "state": one.state.word(), "said": standing(one, view, own), "profile": one.profile, "source": one.source,
        "due": one.due_ms.map(rfc3339), "due_ms": one.due_ms,
        "overdue_ms": one.overdue_ms(view.now_ms), "warning_days": one.warning,
        "request": request.map(|key| key.message.to_string()), "short": request.map(short),
        "asker": request.map(|key| key.from.clone()),
    })
}

fn print(desk: &Desk, rows: &[Value], args: &OverdueArgs) {
    if rows.is_empty() {
        return output::message("nothing is overdue, and nothing ends soon");
    }
    let dir = args.dir.display();
    let mut table = output::table(&[
        "DUE",
        "OVERDUE BY",
        "WHAT",
        "WHO",
        "STATE",
        "REQUEST",
        "CASE",
    ]);
    for row in rows {
        let text = |field: &str| output::clean(row[field].as_str().unwrap_or_default());
        table.add_row([
            second(row["due"].as_str()),
            row["overdue_ms"].as_u64().map(length).unwrap_or_default(),
            format!("{} {}", text("what"), text("subject"))
                .trim_end()
                .to_owned(),
            desk.called(row["who"].as_str().unwrap_or_default()),
            text("said"),
            text("short"),
            row["case"].as_str().unwrap_or_default()[..12].to_owned(),
        ]);
    }
    output::print_table(&table);
    // Who was asked itself reminds nobody.
    let asked = rows
        .iter()
        .find(|row| row["what"] == "answer" && row["asker"] == desk.own.as_str());
    if let Some(request) = asked.and_then(|row| row["short"].as_str()) {
        output::message(format_args!(
            "To remind, and to show others that no answer has come:\n  frex remind {request} --from {dir}\n  frex evidence export {request} {dir} --silence --out FILE"
        ));
    }
}
