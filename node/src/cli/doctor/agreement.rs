//! Whether logs say what they said before: the files on disk, the node, the neighbours.

use frex_client::environment::Clock;
use frex_proto::{
    error::WireCode,
    label::Hash,
    limits,
    log::{
        ANY_TIME_MS, Checkpoint, CheckpointError, LogVerifier, checkpoint,
        proof::verify_consistency,
    },
    roster::Roster,
    v1,
};

use super::{Folder, Row};
use crate::cli::{
    log::{LogFiles, WhichLog},
    way::Met,
};

/// What to keep when a log contradicts itself.
const EVIDENCE: &str = "Keep both checkpoints as evidence, and ask its operator";

/// The files that the node has published, by the key that the roster lists.
pub fn published(folder: &Folder, roster: Option<&Roster>) -> (Row, Option<Checkpoint>) {
    let check = folder.check("log");
    let dir = folder.path.display();
    let Some(log) = roster.and_then(|roster| roster.log_verifier(&folder.id)) else {
        return (Row::skip(check, "no roster lists this node's log"), None);
    };
    let files = match LogFiles::open(&folder.path, &WhichLog::ANY) {
        Ok(files) => files,
        Err(failure) if failure.code() == WireCode::NotFound => {
            return (Row::skip(check, "nothing has been published yet"), None);
        }
        Err(failure) => {
            let mend = format!("frex log verify {dir}");
            return (
                Row::fail(check, failure.code(), failure.cause_text(), mend),
                None,
            );
        }
    };
    match checkpoint::parse_and_verify(&files.note, &log, ANY_TIME_MS) {
        Ok(head) => (
            Row::ok(
                check,
                format!("{} published entries, signed by the listed key", head.size),
            ),
            Some(head),
        ),
        Err(error) => {
            let mend = format!("frex log checkpoint {dir}");
            (
                Row::fail(check, WireCode::BadProof, error.to_string(), mend),
                None,
            )
        }
    }
}

/// Whether the node's answer extends what it has published.
pub fn extends(known: Option<&Checkpoint>, log: &LogVerifier, met: Option<&Met>) -> Row {
    let check = "node log extends";
    let Some(known) = known else {
        return Row::skip(check, "nothing has been published yet");
    };
    let Some(met) = met else {
        return Row::skip(check, "the node could not be asked");
    };
    let judged = match &met.answer {
        Some(answer) => judge(known, log, answer),
        None => Err("it does not prove that it extends what it has published".to_owned()),
    };
    match judged {
        Ok(size) => {
            let found = format!("{size} entries extend the {} published ones", known.size);
            Row::ok(check, found)
        }
        Err(why) => Row::fail(check, WireCode::BadProof, why, EVIDENCE),
    }
}

fn judge(known: &Checkpoint, log: &LogVerifier, answer: &v1::Checkpoint) -> Result<u64, String> {
    let head = newest(&answer.checkpoint, log).map_err(|error| error.to_string())?;
    let hashes: Result<Vec<Hash>, _> = answer
        .consistency
        .iter()
        .map(|hash| Hash::try_from(&hash[..]))
        .collect();
    let hashes = hashes.map_err(|_| "its proof does not decode".to_owned())?;
    verify_consistency(known.size, &known.root, head.size, &head.root, &hashes)
        .map_err(|error| error.to_string())?;
    Ok(head.size)
}

/// A head that another gives as its newest now. Spec: LOG-23.
fn newest(note: &[u8], log: &LogVerifier) -> Result<Checkpoint, CheckpointError> {
    let at_ms = Clock::System.now_ms();
    checkpoint::parse_and_verify(note, log, at_ms.saturating_sub(limits::CLOCK_SKEW_MS_MAX))
}

/// Whether a neighbour's newest checkpoint is signed by the key that the roster lists.
pub fn of_peer(node: &str, roster: &Roster, met: Option<&Met>) -> Row {
    let check = format!("log {node}");
    let (Some(met), Some(log)) = (met, roster.log_verifier(node)) else {
        return Row::skip(check, "it was not reached");
    };
    if met.checkpoint.is_empty() {
        return Row::skip(check, "its hello has no checkpoint");
    }
    match newest(&met.checkpoint, &log) {
        Ok(head) => Row::ok(
            check,
            format!("{} entries, signed by the listed key", head.size),
        ),
        Err(error) => Row::fail(check, WireCode::BadProof, error.to_string(), EVIDENCE),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use frex_proto::{
        keys::SigningKey,
        log::{empty_root, leaf_hash, node_hash},
    };

    use super::*;
    use crate::cli::doctor::Outcome;

    // CLI-10: a log that does not extend what it has published fails, whatever it signs.
    #[test]
    fn a_node_must_extend_what_it_has_published() {
        let key = SigningKey::from_seed(&[1; 32]);
        let log = LogVerifier::new("frex/test/node.fr/log/1".to_owned(), key.verifying_key());
        let head = |size, root| Checkpoint {
            origin: log.origin.clone(),
            size,
            root,
        };
        let [first, second, other] = [b"a", b"b", b"c"].map(|entry| leaf_hash(entry));
        let known = head(1, first);
        let both = head(2, node_hash(&first, &second));
        let stranger = SigningKey::from_seed(&[2; 32]);
        let outcome = |head: &Checkpoint, key: &SigningKey, proof: &[Hash]| {
            let answer = v1::Checkpoint {
                checkpoint: checkpoint::sign(head, key).expect("a head"),
                consistency: proof
                    .iter()
                    .map(|hash| Bytes::copy_from_slice(hash))
                    .collect(),
            };
            let met = Met {
                clock_offset_ms: 0,
                checkpoint: Bytes::new(),
                answer: Some(answer),
            };
            extends(Some(&known), &log, Some(&met)).outcome
        };
        let failed = Outcome::Fail(WireCode::BadProof);
        assert_eq!(outcome(&known, &key, &[]), Outcome::Ok);
        assert_eq!(outcome(&both, &key, &[second]), Outcome::Ok);
        assert_eq!(outcome(&both, &stranger, &[second]), failed);
        assert_eq!(outcome(&both, &key, &[other]), failed);
        assert_eq!(outcome(&head(1, other), &key, &[]), failed);
        assert_eq!(outcome(&head(0, empty_root()), &key, &[]), failed);
    }
}
