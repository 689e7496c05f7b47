//! A past that did not happen: reports of months that are over, with receipts by the node's own log key, so that
//! figures can be counted in a test that runs today. Synthetic text alone.

use std::{fs, path::Path};

use frex_client::keys::file;
use frex_client::passphrase::Unlock;
use frex_proto::{
    id::{EnvelopeId, MessageId},
    keys::SigningKey,
    label,
    log::{self, Checkpoint, Frontier, Leaf, batch_append, checkpoint},
    receipt::{self, Statement},
    v1::Event,
};
use serde_json::json;

const FEDERATION: &str = "example";
const DAY_MS: u64 = 86_400_000;
/// 2026-01-01T00:00:00Z.
const YEAR_MS: u64 = 1_767_225_600_000;

/// What came to a member: so many reports of a country, on a day of the year 2026, from 0.
pub struct Came {
    pub count: u32,
    pub day: u64,
    pub country: &'static str,
}

/// Writes reports that came from `sender` into a member's folder, as if it had fetched them then.
pub fn write(dir: &Path, member: &str, sender: &str, came: &[Came]) {
    let home = dir.join(member).join("member");
    let inbox = home.join("inbox");
    for folder in [&inbox, &home.join("receipts")] {
        fs::create_dir_all(folder).unwrap();
    }
    let key = dir.join(member).join("node/keys/log.key");
    let key = file::read_signing_key(&key, &Unlock::none()).unwrap();
    let mut log = Log::new(&key, member);
    let mut number: u32 = 0;
    for of in came {
        for _ in 0..of.count {
            number += 1;
            let name = label::sha256(&[member.as_bytes(), &number.to_be_bytes()]);
            let message = MessageId(name[..16].try_into().unwrap());
            let time_ms = YEAR_MS + of.day * DAY_MS + u64::from(number) * 1000;
            let proof = log.accepted(message, EnvelopeId(name), sender, time_ms);
            let id = message.to_string();
            let receipt = home.join(format!("receipts/{id}-node.{member}-accepted.tlog-proof"));
            fs::write(receipt, proof).unwrap();
            let report = json!({
                "reference": format!("made-up-{number}"), "created": "2026-01-01T00:00:00Z",
                "description": "synthetic words",
                "categories": [{ "scheme": "iccam", "version": "3", "code": "baseline" }],
                "jurisdictions": [{ "country": of.country, "basis": "account-country" }],
                "subjects": [{ "identifiers": [{ "kind": "user-name", "value": "nobody" }] }],
            });
            let envelope = hex::encode(name);
            fs::write(inbox.join(format!("{envelope}.json")), report.to_string()).unwrap();
            let about = json!({
                "v": 1, "envelope": envelope, "message": id, "from": sender, "kind": "report", "lane": "normal",
                "content_type": "application/vnd.frex.report.v1+json", "state": "opened",
                "created": "2026-01-01T00:00:00Z", "reply_by": null, "in_reply_to": null,
                "file": inbox.join(format!("{envelope}.json")),
            });
            fs::write(inbox.join(format!("{envelope}.about")), about.to_string()).unwrap();
        }
    }
}

/// A log that was never at a node.
struct Log<'a> {
    key: &'a SigningKey,
    origin: String,
    node: String,
    member: String,
    frontier: Frontier,
}

impl<'a> Log<'a> {
    fn new(key: &'a SigningKey, member: &str) -> Self {
        let node = format!("node.{member}");
        Self {
            key,
            origin: log::origin(FEDERATION, &node, 1),
            node,
            member: member.to_owned(),
            frontier: Frontier::new(),
        }
    }

    /// The proof file of one more entry, under the head that it makes.
    fn accepted(
        &mut self,
        message: MessageId,
        envelope: EnvelopeId,
        sender: &str,
        time_ms: u64,
    ) -> String {
        let statement = Statement {
            envelope_id: Some(envelope),
            message_id: Some(message),
            sender: sender.to_owned(),
            recipients: vec![self.member.clone()],
            ..Statement::new(Event::Accepted, &self.node)
        };
        let bytes = statement.encode().unwrap();
        let salt = label::sha256(&[&message.0]);
        let leaf = Leaf::build(Event::Accepted, time_ms, &salt, &bytes);
        let index = self.frontier.size();
        let grown = batch_append(&self.frontier, &[leaf.hash()]);
        let head = Checkpoint {
            origin: self.origin.clone(),
            size: grown.frontier.size(),
            root: grown.root,
        };
        let note = checkpoint::sign(&head, self.key).unwrap();
        let receipt = receipt::build(bytes, &salt, &leaf, index, &grown.proofs[0], note);
        self.frontier = grown.frontier;
        receipt::to_tlog_proof_text(&receipt).unwrap()
    }
}
