//! The log goes over to another key.

use frex_proto::{
    keys::{SigningError, Token},
    log::{ANY_TIME_MS, LogKey},
};

use super::*;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

/// The log of the tests once its key is `seed` and the first one has ended at `end_ms`.
fn followed(seed: u8, end_ms: u64) -> LogVerifier {
    let listed = |seed, not_after_ms| LogKey {
        key: key(seed).verifying_key(),
        not_after_ms,
    };
    let origin = log::origin("f", "n", 1);
    LogVerifier::with_earlier(origin, listed(seed, None), [listed(3, Some(end_ms))])
}

fn newest(sequencer: &Sequencer) -> Bytes {
    sequencer.checkpoint.borrow().clone()
}

// LOG-22, LOG-24: the head is signed anew with the next key, and the journal reads back whole
// under both; the same head as before, so nothing contradicts what was let out.
#[test]
fn the_head_is_signed_anew_and_the_log_goes_on() {
    let mut scene = Scene::new();
    // An empty log has no head.
    scene.sequencer.sign_head_anew().expect("a disk that works");
    assert!(newest(&scene.sequencer).is_empty());
    assert_eq!(scene.submit(1, &["b"], &["nb"]), Said::Submitted);
    let before = newest(&scene.sequencer);

    let log = followed(4, 5);
    let dir = std::mem::replace(&mut scene.dir, tempfile::tempdir().expect("a folder"));
    drop(scene);
    let mut next = open_under(&dir, &log, key(4)).expect("a sound journal");
    assert_eq!(newest(&next), before);
    next.sign_head_anew().expect("a disk that works");
    let head = |note: &Bytes, log: &LogVerifier| {
        checkpoint::parse_and_verify(note, log, ANY_TIME_MS).expect("a head")
    };
    let anew = newest(&next);
    assert_eq!(head(&anew, &log), head(&before, &log));
    assert!(checkpoint::parse_and_verify(&anew, &log, u64::MAX).is_ok());
    assert!(checkpoint::parse_and_verify(&before, &log, u64::MAX).is_err());

    let (reply, mut outcome) = oneshot::channel();
    let mut entry = submission(2, &["b"], &["nb"]);
    if let Entry::Submit { admitted, .. } = &mut entry {
        admitted.message_id = MessageId([8; 16]);
    }
    next.commit(vec![Job { entry, reply }])
        .expect("a disk that works");
    assert_eq!(
        said(outcome.try_recv().expect("an outcome")),
        Said::Submitted
    );
    let grown = newest(&next);
    drop(next);
    // Its index lost, everything is read again: blocks of both keys, and the lone head between.
    let again = open_under(&dir, &log, key(4)).expect("a sound journal");
    assert_eq!((newest(&again), again.frontier.size()), (grown, 2));
    drop(again);
    // Of a key that the roster does not list, nothing is believed.
    let stranger = LogVerifier::new(log.origin.clone(), key(9).verifying_key());
    let refused = open_under(&dir, &stranger, key(9)).err();
    assert!(matches!(refused, Some(LedgerError::Inconsistent)));
}

// LOG-24: at its end a key signs no more, and nothing is written that it would have to cover.
#[test]
fn a_key_that_has_ended_signs_nothing() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b"], &["nb"]), Said::Submitted);
    let (end, end_ms) = watch::channel(Some(u64::MAX));
    scene.sequencer.signer.end_ms = end_ms;
    assert!(scene.sequencer.sign_head_anew().is_ok());
    let now_ms = scene.sequencer.clock.now_ms();
    end.send_replace(Some(now_ms.min(scene.sequencer.last_ms)));
    let written = scene.sequencer.journal.end();
    let (reply, _outcome) = oneshot::channel();
    let mut entry = submission(2, &["b"], &["nb"]);
    if let Entry::Submit { admitted, .. } = &mut entry {
        admitted.message_id = MessageId([8; 16]);
    }
    let refused = scene.sequencer.commit(vec![Job { entry, reply }]);
    assert!(matches!(refused, Err(LedgerError::KeyEnded)));
    let refused = scene.sequencer.sign_head_anew();
    assert!(matches!(refused, Err(LedgerError::KeyEnded)));
    assert_eq!(scene.sequencer.journal.end(), written);
    assert_eq!(scene.sequencer.frontier.size(), 1);
}

/// A token that nobody has connected.
struct Gone;

impl Token for Gone {
    fn sign(&self, _: &[u8]) -> Result<[u8; 64], SigningError> {
        Err(SigningError::Unavailable)
    }
}

// KEY-21, LOG-24: a key that does not sign for a while is an answer, and the node goes on; once it has
// ended, that is what counts.
#[test]
fn a_key_that_does_not_sign_fails_its_block_and_nothing_else() {
    let mut scene = Scene::new();
    assert_eq!(scene.submit(1, &["b"], &["nb"]), Said::Submitted);
    let gone = SigningKey::in_token(key(3).verifying_key(), Arc::new(Gone));
    let present = std::mem::replace(&mut scene.sequencer.signer.key, gone);
    let written = scene.sequencer.journal.end();
    let mut entry = submission(2, &["b"], &["nb"]);
    if let Entry::Submit { admitted, .. } = &mut entry {
        admitted.message_id = MessageId([8; 16]);
    }
    let failed = scene.record(entry.clone());
    assert!(matches!(failed, Outcome::Failed(WireCode::KeyUnavailable)));
    // At a start the head must be signed: there is nobody to answer.
    let refused = scene.sequencer.sign_head_anew();
    assert!(matches!(
        refused,
        Err(LedgerError::Signing(SigningError::Unavailable))
    ));
    assert_eq!(scene.sequencer.journal.end(), written);
    assert_eq!(scene.sequencer.frontier.size(), 1);

    let end = watch::channel(Some(scene.sequencer.last_ms)).1;
    let endless = std::mem::replace(&mut scene.sequencer.signer.end_ms, end);
    let refused = scene.sequencer.sign_head_anew();
    assert!(matches!(refused, Err(LedgerError::KeyEnded)));
    scene.sequencer.signer.end_ms = endless;
    scene.sequencer.signer.key = present;
    assert_eq!(said(scene.record(entry)), Said::Submitted);
    assert_eq!(scene.sequencer.frontier.size(), 2);
}
