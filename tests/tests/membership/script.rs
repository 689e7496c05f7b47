//! What people type, and who they are.

use std::{
    collections::BTreeMap,
    fs,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use frex_tests::processes::{Ended, Frex, NodeProcess, Running, free_addresses};
use serde_json::Value;
use tempfile::TempDir;

const FEDERATION: &str = "example";
const HOLDERS: [&str; 3] = ["ana", "ben", "chloe"];
/// Folder, id, country and role of those who found the federation.
const FOUNDERS: [(&str, &str, &str, &str); 3] = [
    ("hotline", "hotline.nl", "NL", "hotline"),
    ("police", "police.es", "ES", "police"),
    ("clearing", "clearing.de", "DE", "clearing-house"),
];
const WAIT: Duration = Duration::from_secs(30);
const REPORT: &str = r#"{ "reference": "2026-0417", "created": "2026-07-01T12:00:00Z",
  "categories": [{ "scheme": "example", "version": "1", "code": "synthetic" }],
  "urls": [{ "url": "https://host.example/page" }] }"#;

/// The federation as far as it has come.
pub struct Script {
    pub frex: Frex,
    nodes: BTreeMap<&'static str, NodeProcess>,
    /// The roster in force, a file of the governance.
    roster: String,
    version: u32,
    began: Instant,
    _dir: TempDir,
}

impl Script {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("report.json"), REPORT).unwrap();
        Self {
            frex: Frex::new(env!("CARGO_BIN_EXE_frex-under-test"), dir.path()),
            nodes: BTreeMap::new(),
            roster: String::new(),
            version: 0,
            began: Instant::now(),
            _dir: dir,
        }
    }

    /// Says what comes, and how long everything took so far.
    pub fn tell(&self, what: &str) {
        println!("{:6.1} s  {what}", self.began.elapsed().as_secs_f64());
    }

    /// Three people make keys where they stay; two of them sign a root of the three cards.
    pub fn found(&mut self) {
        for holder in HOLDERS {
            let _ = self.frex.done(&[
                "federation",
                "key",
                "--federation",
                FEDERATION,
                "--holder",
                holder,
                holder,
            ]);
        }
        let cards = HOLDERS.map(|holder| format!("{holder}/{holder}.holder"));
        let propose = [
            "federation",
            "propose",
            "--name",
            FEDERATION,
            "--threshold",
            "2",
            "--out",
            "root.proposal",
        ];
        let _ = self
            .frex
            .done(&[&propose[..], &cards.each_ref().map(String::as_str)].concat());
        let mut combine = vec![
            "federation",
            "combine",
            "root.proposal",
            "--out",
            "root.frex",
        ];
        for holder in ["ana", "chloe"] {
            let key = format!("{holder}/root.key");
            let _ = self
                .frex
                .done(&["federation", "sign", "root.proposal", "--key", &key]);
        }
        combine.extend(["root.proposal.ana.sig", "root.proposal.chloe.sig"]);
        let _ = self.frex.done(&combine);
    }

    pub fn list_three(&mut self) {
        let mut cards = Vec::new();
        let addresses = free_addresses(2 * FOUNDERS.len()).into_iter();
        let mut addresses = addresses.map(|address| address.to_string());
        for (folder, id, country, role) in FOUNDERS {
            let (listen, metrics) = (addresses.next().unwrap(), addresses.next().unwrap());
            let more = ["--listen", &listen, "--metrics", &metrics];
            let made = self.init(id, country, role, &more, folder);
            cards.push(text(&made["card"]));
        }
        let cards: Vec<&str> = cards.iter().map(String::as_str).collect();
        let first = self.agree(&cards);
        for (folder, ..) in FOUNDERS {
            let _ = self
                .frex
                .done(&["roster", "install", &first, "--root", "root.frex", folder]);
            self.start(folder);
        }
    }

    pub fn init(&self, id: &str, country: &str, role: &str, more: &[&str], folder: &str) -> Value {
        let line = [
            "init",
            "--federation",
            FEDERATION,
            "--member",
            id,
            "--name",
            id,
            "--country",
            country,
            "--role",
            role,
        ];
        self.frex.done(&[&line[..], more, &[folder]].concat())
    }

    /// Two of three sign what these arguments propose; gives the file of the roster then in force.
    pub fn agree(&mut self, arguments: &[&str]) -> String {
        self.version += 1;
        let (out, held) = (format!("roster-{}.frex", self.version), self.roster.clone());
        let (proposal, mut trust) = (format!("{out}.proposal"), vec!["--root", "root.frex"]);
        if !held.is_empty() {
            trust.extend(["--previous", &held]);
        }
        let propose = ["roster", "propose", "--out", &proposal];
        let _ = self.frex.done(&[&propose[..], &trust, arguments].concat());
        let mut combine = vec!["roster".to_owned(), "combine".to_owned(), proposal.clone()];
        for holder in ["ana", "ben"] {
            let key = format!("{holder}/roster.key");
            let sign = ["roster", "sign", &proposal, "--key", &key];
            let signed = self.frex.done(&[&sign[..], &trust].concat());
            combine.push(text(&signed["signature"]));
        }
        let combine: Vec<&str> = combine.iter().map(String::as_str).collect();
        let _ = self
            .frex
            .done(&[&combine[..], &["--out", &out], &trust].concat());
        self.roster.clone_from(&out);
        out
    }

    pub fn roster_version(&self) -> u32 {
        self.version
    }

    /// Installs a roster at a running node, which takes it up by itself.
    pub fn install(&self, file: &str, folder: &str) {
        let _ = self.frex.done(&["roster", "install", file, folder]);
        self.until(folder, |live| live["roster_version"] == self.version);
    }

    pub fn start(&mut self, folder: &'static str) {
        let mut node = self.frex.node(folder);
        node.ready().unwrap();
        self.nodes.insert(folder, node);
    }

    pub fn restart(&mut self, folder: &'static str) {
        let node = self.nodes.remove(folder).unwrap();
        assert_eq!(node.stop(), Some(0));
        self.start(folder);
    }

    /// Files the report; gives its message id.
    pub fn send(&self, from: &str, to: &[&str]) -> String {
        // It is the same report each time.
        let line = ["send", "report.json", "--anyway", "--from", from, "--to"];
        let line = [&line, to].concat();
        text(&self.frex.done(&line)["message"])
    }

    /// Its recipients open what they have; every receipt is verified offline.
    pub fn verify(&self, message: &str) {
        for (folder, ..) in FOUNDERS {
            let _ = self.frex.done(&["inbox", folder]);
        }
        let fetched = self
            .frex
            .done(&["receipt", "fetch", message, "hotline", "--opened", "1"]);
        assert!(fetched.to_string().contains("opened"), "{fetched}");
        self.verify_all("hotline");
    }

    /// Every receipt that an organisation keeps, under the newest roster.
    pub fn verify_all(&self, folder: &str) {
        let receipts = self.frex.dir().join(folder).join("member/receipts");
        let mut files: Vec<String> = Vec::new();
        for entry in fs::read_dir(receipts).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|ending| ending == "tlog-proof")
            {
                files.push(path.to_string_lossy().into_owned());
            }
        }
        assert!(!files.is_empty());
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let trust = ["--roster", &self.roster, "--root", "root.frex"];
        let verified = self
            .frex
            .done(&[&["receipt", "verify"], &files[..], &trust].concat());
        assert_eq!(verified["verified"], true);
    }

    /// Starts to wait for a report, and is connected meanwhile.
    pub fn wait_at_inbox(&self, folder: &str) -> Running {
        self.frex.begin(&["inbox", folder, "--wait", "120s"])
    }

    /// Waits until a node says so of itself.
    pub fn until(&self, folder: &str, holds: impl Fn(&Value) -> bool) {
        let began = Instant::now();
        loop {
            let status = self.frex.done(&["status", folder]);
            if holds(&status["node"]["live"]) {
                return;
            }
            let log = self.frex.dir().join(format!("{folder}.log"));
            assert!(
                began.elapsed() < WAIT,
                "{status} {}",
                fs::read_to_string(log).unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn stop(self) {
        for (_, node) in self.nodes {
            assert_eq!(node.stop(), Some(0));
        }
    }
}

pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

pub fn code_of(ended: &Ended) -> Option<WireCode> {
    Some(WireCode::from_number(u32::try_from(ended.code()?).ok()?))
}
