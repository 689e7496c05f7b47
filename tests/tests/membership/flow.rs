//! The acts in which several things go on at once: an invitation, thieves, keys that change.

use std::{
    collections::BTreeSet,
    fs, thread,
    time::{Duration, Instant},
};

use frex_proto::error::WireCode;
use frex_tests::processes::Frex;

use crate::script::{Script, code_of, text};

const PLATFORM: &str = "platform.ie";
/// Reports that are sent while the recipient's keys change.
const REPORTS: usize = 40;
const PAUSE: Duration = Duration::from_millis(100);
const WAIT: Duration = Duration::from_secs(60);

/// What is left of an invitation: its line, and its id at the one who invited.
pub struct Spent {
    line: String,
    id: String,
}

impl Script {
    /// The hotline invites a platform that its node will serve; people compare, both accept, the
    /// governance lists it, and the invitation brings the roster.
    pub fn invite_platform(&mut self) -> Spent {
        let served = ["--no-node", "--home-node", "node.hotline.nl"];
        self.init(PLATFORM, "IE", "platform", &served, "platform");
        let listen = ["--listen", "127.0.0.1:0", "hotline"];
        let mut waiting = self.frex.invite(&listen, "invite.log");
        let ready = waiting.ready().unwrap();
        let spent = Spent {
            line: text(&ready["code"]),
            id: text(&ready["invitation"]),
        };
        let joined = self.frex.run_with(&["join", "platform"], &spent.line);
        assert_eq!(joined.exit, Some(0), "{joined:?}");
        self.accept(PLATFORM, "hotline", "platform");
        let _ = self.accept("hotline.nl", "platform", "hotline");
        assert_eq!(waiting.ended().0, Some(0));
        let card = format!("hotline/cards/{PLATFORM}.frex");
        let revised = self.agree(&[&card]);
        self.install(&revised, "hotline");
        let mut waiting = self
            .frex
            .invite(&["--resume", &spent.id, "hotline"], "resumed.log");
        waiting.ready().unwrap();
        let fetched = self
            .frex
            .done(&["peer", "show", "hotline.nl", "platform", "--ask"]);
        assert_eq!(fetched["installed"], self.roster_version(), "{fetched}");
        assert_eq!(waiting.ended().0, Some(0));
        self.send("platform", &["police.es"]);
        let inbox = self.frex.done(&["inbox", "police"]);
        assert_eq!(inbox["items"][0]["from"], PLATFORM, "{inbox}");
        spent
    }

    fn accept(&self, peer: &str, folder: &str, of: &str) -> serde_json::Value {
        let print = text(&self.frex.done(&["status", of])["member"]["fingerprint"]);
        let accept = ["peer", "accept", peer, folder, "--fingerprint", &print];
        self.frex.done(&[&accept[..], &["--confirm"]].concat())
    }

    /// Whoever finds the line of a used invitation is nobody.
    pub fn thief_with_invitation(&self, spent: &Spent) {
        self.init(
            "thief.xx",
            "FR",
            "platform",
            &["--listen", "127.0.0.1:7999"],
            "thief",
        );
        let join = || self.frex.run_with(&["join", "thief"], &spent.line);
        assert_eq!(code_of(&join()), Some(WireCode::Unreachable));
        let mut waiting = self
            .frex
            .invite(&["--resume", &spent.id, "hotline"], "thief.log");
        waiting.ready().unwrap();
        let refused = join();
        assert_eq!(
            code_of(&refused),
            Some(WireCode::InvitationClosed),
            "{refused:?}"
        );
        assert_eq!(waiting.stop(), Some(0));
        assert!(!self.frex.dir().join("thief/member/root.frex").exists());
    }

    /// An old roster, signed by everybody who had to, takes no newer one's place.
    pub fn thief_with_roster(&self) {
        let held = fs::read(self.frex.dir().join("hotline/node/roster.frex")).unwrap();
        let refused = self
            .frex
            .run(&["roster", "install", "roster-1.frex", "hotline"]);
        assert_eq!(code_of(&refused), Some(WireCode::BadRoster), "{refused:?}");
        let kept = fs::read(self.frex.dir().join("hotline/node/roster.frex")).unwrap();
        assert_eq!(kept, held);
    }

    /// Reports go from the hotline to the police, who meanwhile change every key they have and
    /// start their node anew. None is lost, each is opened once, and all receipts verify.
    pub fn rotate_while_reports_flow(&mut self) {
        let before = self.send("hotline", &["police.es"]);
        let frex = self.frex.clone();
        let sending = thread::spawn(move || send_many(&frex));
        self.rotate(&["tls", "police"]);
        self.rotate(&["sealing", "police"]);
        self.rotate_with_ceremony("identity");
        self.rotate(&["tls", "--of", "node", "police"]);
        self.restart("police");
        self.rotate_with_ceremony("log");
        self.restart("police");
        let mut sent = sending.join().unwrap();
        sent.push(before);
        self.tell("every key has changed");
        self.open_all(&sent);
        self.verify_all("hotline");
        let listed = self.frex.done(&["key", "ls", "police"]);
        let retiring = listed.to_string().matches("retiring").count();
        assert!(retiring >= 3, "{listed}");
    }

    fn rotate(&self, which: &[&str]) -> serde_json::Value {
        self.frex.done(&[&["key", "rotate"], which].concat())
    }

    /// The card of the next key goes to the governance, its roster is installed, and the same
    /// command puts the key in use.
    fn rotate_with_ceremony(&mut self, which: &str) {
        let made = self.rotate(&[which, "police"]);
        let card = text(&made["card"]);
        let revised = self.agree(&[&card]);
        self.install(&revised, "hotline");
        let began = Instant::now();
        while self.rotate(&[which, "police"])["state"] == "next" {
            assert!(began.elapsed() < WAIT);
            thread::sleep(PAUSE);
        }
    }

    fn open_all(&self, sent: &[String]) {
        let sent: BTreeSet<&str> = sent.iter().map(String::as_str).collect();
        assert_eq!(sent.len(), REPORTS + 1);
        let (mut opened, began) = (Vec::new(), Instant::now());
        while opened.len() < sent.len() {
            assert!(began.elapsed() < WAIT, "{} of {}", opened.len(), sent.len());
            let inbox = self.frex.done(&["inbox", "police", "--wait", "1s"]);
            for item in inbox["items"].as_array().unwrap() {
                assert_eq!(item["state"], "opened", "{item}");
                opened.push(text(&item["message"]));
            }
        }
        let each: BTreeSet<&str> = opened.iter().map(String::as_str).collect();
        assert_eq!((each.len(), opened.len()), (sent.len(), sent.len()));
        assert_eq!(each, sent);
    }
}

/// Sends report after report; gives their message ids. One that only waits yet is no failure.
fn send_many(frex: &Frex) -> Vec<String> {
    let mut sent = Vec::new();
    for _ in 0..REPORTS {
        let line = [
            "send",
            "report.json",
            "--anyway",
            "--from",
            "hotline",
            "--to",
            "police.es",
            "--wait",
            "1s",
        ];
        let ended = frex.run(&line);
        assert!(matches!(ended.exit, Some(0 | 3)), "{ended:?}");
        sent.push(text(&ended.json()["message"]));
        thread::sleep(PAUSE);
    }
    sent
}
