//! Runs the operator's own command when something needs a person: deliveries that come to half of their
//! life, logs that are not witnessed or not to be believed.
//!
//! The command learns which node and lane and how many, and nothing of what is delivered. Whether
//! it works changes nothing but a line in the log. Spec: DEL-45.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    env, io,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::fs::{Access, access};

use crate::node::{Alarm, Node};

/// How often what is late is looked at.
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// The same node and lane is not told of more often.
const TELL_PAUSE: Duration = Duration::from_secs(60);
/// A command that takes longer is ended.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(30);
const COMMAND_POLL: Duration = Duration::from_millis(50);

/// What is told by itself: kind, node and lane.
type Place = (&'static str, String, &'static str);

/// What was told last of one place.
struct Told {
    at: Instant,
    count: usize,
}

/// Tells the command of everything that a person should look at, for as long as the node runs.
pub async fn watch(node: &Node, command: &[String]) -> Infallible {
    if command.is_empty() {
        return std::future::pending().await;
    }
    let mut told = BTreeMap::new();
    loop {
        for late in news(&mut told, node.alarms(), Instant::now()) {
            let command = command.to_vec();
            // Nobody waits for it: a command that hangs must hold up neither news nor the end.
            let told = thread::Builder::new().spawn(move || tell(&command, &late));
            if let Err(error) = told {
                tracing::error!(%error, "the alert command cannot be run");
            }
        }
        tokio::time::sleep(LOOK_PAUSE).await;
    }
}

/// Why the command cannot be run, as far as that shows before it is; nothing if it can be, or if
/// none is named.
#[must_use]
pub fn defect(command: &[String]) -> Option<String> {
    let program = command.first()?;
    if program.contains('/') {
        let from = match program.starts_with('/') {
            true => "",
            false => "; a relative path counts from where frex run is started",
        };
        let why = unfit(Path::new(program))?;
        return Some(format!("{program} {why}{from}"));
    }
    let search = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&search).any(|folder| unfit(&folder.join(program)).is_none());
    (!found).then(|| format!("{program} is in no folder of PATH; give its whole path"))
}

fn unfit(program: &Path) -> Option<&'static str> {
    if !program.exists() {
        return Some("does not exist");
    }
    let executable = program.is_file() && access(program, Access::EXEC_OK).is_ok();
    (!executable).then_some("is no program that can be run here")
}

/// What is to be told: only where there is more than was told before, and not too often.
fn news(told: &mut BTreeMap<Place, Told>, late: Vec<Alarm>, now: Instant) -> Vec<Alarm> {
    let still = |place: &Place| late.iter().any(|late| place_of(late) == *place);
    // Whoever came down to nothing begins anew, but no sooner than it could have been told again.
    told.retain(|place, told| {
        let still = still(place);
        if !still {
            told.count = 0;
        }
        still || now < told.at + TELL_PAUSE
    });
    let mut news = Vec::new();
    for late in late {
        let place = place_of(&late);
        let known = told.get(&place);
        let due = known.is_none_or(|told| late.count > told.count && now >= told.at + TELL_PAUSE);
        if due {
            let count = late.count;
            told.insert(place, Told { at: now, count });
            news.push(late);
        }
    }
    news
}

fn place_of(alarm: &Alarm) -> Place {
    (alarm.kind, alarm.node.clone(), alarm.lane)
}

fn tell(command: &[String], late: &Alarm) {
    match run(command, late) {
        Ok(true) => {}
        Ok(false) => tracing::error!("the alert command failed"),
        Err(error) => tracing::error!(%error, "the alert command cannot be run"),
    }
}

/// Says whether it ended well.
fn run(command: &[String], late: &Alarm) -> io::Result<bool> {
    let Some((program, arguments)) = command.split_first() else {
        return Ok(true);
    };
    let mut child = Command::new(program)
        .args(arguments)
        .env("FREX_ALERT", late.kind)
        .env("FREX_NODE", &late.node)
        .env("FREX_LANE", late.lane)
        .env("FREX_COUNT", late.count.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    while began.elapsed() < COMMAND_TIME_MAX {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        thread::sleep(COMMAND_POLL);
    }
    child.kill()?;
    child.wait()?;
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn late(lane: &'static str, count: usize) -> Alarm {
        Alarm {
            kind: "half-life",
            node: "node.es".to_owned(),
            lane,
            count,
        }
    }

    // DEL-45: what stays is told once, more of it at most once a minute, each lane by itself.
    #[test]
    fn more_is_told_at_most_once_a_minute_and_the_same_never_again() {
        let (mut told, began) = (BTreeMap::new(), Instant::now());
        let mut at = |seconds: u64, now_late: Vec<Alarm>| {
            news(&mut told, now_late, began + Duration::from_secs(seconds))
        };
        let (one, two) = (vec![late("bulk", 1)], vec![late("bulk", 2)]);
        let urgent = vec![late("urgent", 1)];
        let both = [two.clone(), urgent.clone()].concat();
        assert_eq!(at(0, one.clone()), one);
        assert_eq!(at(1, two.clone()), []);
        assert_eq!(at(2, both.clone()), urgent);
        assert_eq!(at(60, both.clone()), two);
        assert_eq!(at(600, both), []);
        // It went, and something came again.
        assert_eq!(at(601, Vec::new()), []);
        assert_eq!(at(602, one.clone()), one);
        assert_eq!(at(603, Vec::new()), []);
        assert_eq!(at(604, one), []);
    }

    // DEL-45: a command that cannot be run is known before it is needed.
    #[test]
    fn a_command_that_cannot_be_run_is_told_before() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page");
        let named = |program: &str| defect(&[program.to_owned(), "argument".to_owned()]);
        let page = path.to_str().unwrap();
        assert!(named(page).unwrap().contains("does not exist"));
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        assert!(named(page).unwrap().contains("is no program"));
        assert!(named(folder.path().to_str().unwrap()).is_some());
        assert!(named("bin/page").unwrap().contains("relative path"));
        assert!(named("no-such-program-at-all").unwrap().contains("PATH"));
        for works in ["/bin/sh", "sh"] {
            assert_eq!(named(works), None);
        }
        assert_eq!(defect(&[]), None);
    }
}
