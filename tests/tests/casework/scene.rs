//! Members who have a report in common.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use frex_tests::processes::{Ended, Frex, NodeProcess};
use serde_json::Value;

pub const PLATFORM: &str = "platform.example-a";
pub const POLICE: &str = "police.example-b";
pub const HOTLINE: &str = "hotline.example-c";
/// The national clearing house, of which not every scene has need.
pub const CLEARING: &str = "clearing.example-d";
/// What every request for data says: about what, which data, and by which law.
pub const ORDER: [&str; 6] = [
    "--target",
    "account 4711",
    "--category",
    "subscriber",
    "--law",
    "a law of nobody",
];
const PATIENCE: Duration = Duration::from_secs(30);

/// A federation whose nodes run, and the case that a report of the platform began.
pub struct Scene {
    pub frex: Frex,
    /// They run for as long as the scene lasts.
    _nodes: Vec<NodeProcess>,
    pub case: String,
}

impl Scene {
    pub fn new(dir: &Path) -> Self {
        let report =
            r#"{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"synthetic"}"#;
        Self::among(dir, &[POLICE, HOTLINE], report)
    }

    /// The platform and these, who have got that report of it.
    pub fn among(dir: &Path, recipients: &[&str], report: &str) -> Self {
        let mut members = vec![(PLATFORM, "platform", "FR")];
        members.extend(recipients.iter().map(|id| (*id, "hotline", "FR")));
        let mut scene = Self::of(dir, &members);
        scene.case = scene.file(report, recipients);
        scene
    }

    /// These members with their roles and countries, of whom nobody has said anything yet.
    pub fn of(dir: &Path, members: &[(&str, &str, &str)]) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        frex.federation_of(members, &[]);
        let nodes = members.iter().map(|(id, ..)| frex.start(id)).collect();
        Self {
            frex,
            _nodes: nodes,
            case: String::new(),
        }
    }

    /// The platform files a report once, with whoever must act on it: gives the case it begins.
    pub fn route(&self, report: &str, readers: &[&str]) -> String {
        let name = self.keep(report);
        let send = ["send", &name, "--route", "--confirm", "--from", PLATFORM];
        let sent = self.frex.done(&[&send[..], &["--wait", "30s"]].concat());
        let parts = sent["messages"].as_array().unwrap().iter();
        let mut to: Vec<&str> = parts
            .flat_map(|part| part["recipients"].as_array().unwrap())
            .map(|one| one["member"].as_str().unwrap())
            .collect();
        to.sort_unstable();
        assert_eq!(to, readers, "{sent}");
        for reader in readers {
            self.read(reader);
        }
        sent["case"].as_str().unwrap().to_owned()
    }

    /// Writes a report into a file of its own, and gives the file's name.
    fn keep(&self, report: &str) -> String {
        let dir = self.frex.dir();
        let mut names = (1..).map(|number| format!("report-{number}.json"));
        let name = names.find(|name| !dir.join(name).exists()).unwrap();
        fs::write(dir.join(&name), report).unwrap();
        name
    }

    /// The platform files a report once, of a file that it keeps, and these read it; gives its message.
    pub fn file(&self, report: &str, recipients: &[&str]) -> String {
        let name = self.keep(report);
        // Stories report one account again and again.
        let send = ["send", &name, "--anyway", "--to"];
        self.say(&[&send[..], recipients].concat(), PLATFORM, recipients)
    }

    /// Says something, and has it read by these; gives its message id.
    pub fn say(&self, words: &[&str], from: &str, readers: &[&str]) -> String {
        let all = [words, &["--from", from, "--wait", "30s"]].concat();
        let sent = self.frex.done(&all);
        for reader in readers {
            self.read(reader);
        }
        sent["message"].as_str().unwrap().to_owned()
    }

    /// What people see of a command, its messages too.
    pub fn people(&self, words: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_frex-under-test"));
        command.current_dir(self.frex.dir()).args(words);
        command.env("NO_COLOR", "1").env_remove("FREX_DIR");
        let shown = command.output().unwrap();
        assert!(shown.status.success(), "{words:?}: {shown:?}");
        let text = [shown.stdout, shown.stderr].concat();
        String::from_utf8(text).unwrap()
    }

    pub fn refused(&self, words: &[&str], from: &str) -> Ended {
        self.frex.run(&[words, &["--from", from]].concat())
    }

    /// Reads an inbox in which something waits or comes soon.
    pub fn read(&self, member: &str) -> Vec<Value> {
        let read = self.frex.done(&["inbox", member, "--wait", "30s"]);
        read["items"].as_array().unwrap().clone()
    }

    pub fn show(&self, member: &str) -> Value {
        self.frex.done(&["case", "show", &self.case, member])
    }

    /// Waits until what a member sees of the case is as it should be.
    pub fn until(&self, member: &str, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let start = Instant::now();
        loop {
            let shown = self.show(member);
            if is_so(&shown) {
                return shown;
            }
            assert!(start.elapsed() < PATIENCE, "never {what}: {shown:#}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The state of that thread.
pub fn state<'a>(shown: &'a Value, matter: &str, member: &str) -> &'a str {
    thread(shown, matter, member)["state"].as_str().unwrap()
}

/// The thread of a matter at a member.
pub fn thread<'a>(shown: &'a Value, matter: &str, member: &str) -> &'a Value {
    let mut threads = shown["threads"].as_array().unwrap().iter();
    let found = threads.find(|one| one["matter"] == matter && one["member"] == member);
    found.unwrap_or_else(|| panic!("no {matter} of {member}: {shown:#}"))
}

/// What somebody must do.
pub fn deadline<'a>(shown: &'a Value, what: &str, who: &str) -> &'a Value {
    let mut deadlines = shown["deadlines"].as_array().unwrap().iter();
    let found = deadlines.find(|one| one["what"] == what && one["who"] == who);
    found.unwrap_or_else(|| panic!("no {what} of {who}: {shown:#}"))
}
