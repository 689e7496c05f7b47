//! Three members who witness for each other, and what they say to each other.

use std::{fs, path::Path};

use frex_tests::processes::{Ended, Frex, NodeProcess};
use serde_json::Value;

pub const HOTLINE: &str = "hotline.fr";
pub const POLICE: &str = "police.es";
pub const CLEARING: &str = "clearing.de";
pub const MEMBERS: [&str; 3] = [HOTLINE, POLICE, CLEARING];
pub const ROOT: &str = "governance/root.frex";
const ROSTER: &str = "second.frex";
const NODES: &str = "node.hotline.fr,node.police.es,node.clearing.de";
/// What a request says; nobody who is not to see it finds it in a file.
pub const SECRET: &str = "synthetic words that nobody else may read";

/// A federation whose nodes run.
pub struct Scene {
    pub frex: Frex,
    pub nodes: Vec<NodeProcess>,
}

impl Scene {
    pub fn new(dir: &Path) -> Self {
        let frex = Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir);
        frex.federation(&MEMBERS, &[]);
        let witnesses = ["--witnesses", NODES, "--quorum", "2"];
        frex.next_roster(ROSTER, "roster.frex", &witnesses);
        for member in MEMBERS {
            let _ = frex.done(&["roster", "install", ROSTER, member]);
        }
        let report = format!(
            r#"{{"reference":"A-1","created":"2026-07-01T12:00:00Z","description":"{SECRET}"}}"#
        );
        fs::write(dir.join("report.json"), report).unwrap();
        let nodes = MEMBERS.iter().map(|member| frex.start(member)).collect();
        Self { frex, nodes }
    }

    /// Sends the report; gives its message id.
    pub fn send(&self, from: &str, to: &[&str], more: &[&str]) -> String {
        let mut words = vec!["send", "report.json", "--from", from, "--wait", "30s"];
        for member in to {
            words.extend(["--to", member]);
        }
        words.extend(more);
        let sent = self.frex.done(&words);
        sent["message"].as_str().unwrap().to_owned()
    }

    /// A request that awaits an answer at once, so that it is overdue as soon as it is there.
    pub fn ask(&self, to: &[&str], reply_by: &str) -> String {
        let request = ["--kind", "request", "--reply-by", reply_by];
        self.send(HOTLINE, to, &request)
    }

    pub fn read_inbox(&self, member: &str) -> Vec<Value> {
        let read = self.frex.done(&["inbox", member, "--wait", "30s"]);
        read["items"].as_array().unwrap().clone()
    }

    /// Waits until who sent a message knows that so many have opened it.
    pub fn opened(&self, message: &str, sender: &str, count: &str) {
        let words = [
            "receipt", "fetch", message, sender, "--opened", count, "--wait", "60s",
        ];
        let _ = self.frex.done(&words);
    }

    /// Exports evidence to a file; gives what the command says.
    pub fn export(&self, id: &str, member: &str, out: &str, more: &[&str]) -> Value {
        let words = [
            "evidence", "export", id, member, "--out", out, "--wait", "60s",
        ];
        self.frex.done(&[&words[..], more].concat())
    }

    pub fn verify(&self, file: &str, more: &[&str]) -> Ended {
        let words = ["evidence", "verify", file, "--root", ROOT];
        self.frex.run(&[&words[..], more].concat())
    }

    pub fn verified(&self, file: &str) -> Value {
        let ended = self.verify(file, &["--final"]);
        assert_eq!(ended.exit, Some(0), "{ended:?}");
        let found = ended.json();
        assert_eq!(found["verified"], true, "{found}");
        found
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.frex.dir().join(file)).unwrap()
    }
}

/// Whether `words` stand in `bytes`.
pub fn holds(bytes: &[u8], words: &[u8]) -> bool {
    bytes.windows(words.len()).any(|window| window == words)
}

/// The words of the timeline, in their order.
pub fn told(found: &Value) -> Vec<&str> {
    let rows = found["timeline"].as_array().unwrap().iter();
    rows.map(|row| row["what"].as_str().unwrap()).collect()
}
