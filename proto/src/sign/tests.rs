#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;
use crate::{keys::VerifyingKey, label};

const TYPE: &str = label::TYPE_MANIFEST;

fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32])
}

fn public(seeds: &[u8]) -> Vec<VerifyingKey> {
    seeds
        .iter()
        .map(|seed| key(*seed).verifying_key())
        .collect()
}

fn payloads(count: usize) -> Vec<Bytes> {
    (0..count)
        .map(|index| Bytes::from(format!("payload {index}")))
        .collect()
}

// SIG-1: known answer.
#[test]
fn pre_authentication_encoding_is_that_of_dsse() {
    assert_eq!(pae("t", b"ab"), b"DSSEv1 1 t 2 ab");
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

// SIG-2, SIG-3
#[test]
fn signatures_of_enough_keys_are_accepted_and_named() {
    let signed = sign(TYPE, Bytes::from("payload"), &[&key(1), &key(2)]).unwrap();
    let verified = verify(&signed, TYPE, &public(&[3, 2, 1]), 2).unwrap();
    assert_eq!(verified.payload, "payload");
    assert_eq!(verified.key_ids, [key(1).key_id(), key(2).key_id()]);
}

// SIG-3, SIG-7, SIG-8, SIG-9: each rule refuses by its own name.
#[test]
fn signed_objects_that_break_a_rule_are_refused() {
    let good = sign(TYPE, Bytes::from("payload"), &[&key(1)]).unwrap();
    let keys = public(&[1, 2]);
    let judge = |signed: &v1::Signed, threshold| verify(signed, TYPE, &keys, threshold);
    assert!(judge(&good, 1).is_ok());
    assert_eq!(judge(&good, 2), Err(SignError::TooFew));

    let mut twice = good.clone();
    twice.signatures.push(good.signatures[0].clone());
    assert_eq!(
        judge(&twice, 2),
        Err(SignError::TooFew),
        "one key counts once"
    );

    let mut many = good.clone();
    many.signatures = vec![good.signatures[0].clone(); 129];
    assert_eq!(judge(&many, 1), Err(SignError::TooMany));

    let mut changed = good.clone();
    changed.payload = Bytes::from("Payload");
    assert_eq!(judge(&changed, 1), Err(SignError::BadSignature));

    let mut renamed = good.clone();
    renamed.signatures[0].key_id = Bytes::copy_from_slice(key(2).key_id().as_ref());
    assert_eq!(
        judge(&renamed, 1),
        Err(SignError::BadSignature),
        "the id is only a hint"
    );

    let mut none = good.clone();
    none.signatures.clear();
    assert_eq!(
        judge(&none, 0),
        Err(SignError::UnknownKey),
        "a threshold of 0 opens nothing"
    );

    let stranger = verify(&good, TYPE, &public(&[9]), 1);
    assert_eq!(stranger, Err(SignError::UnknownKey));
}

// SIG-1, SIG-10: bytes signed as one type are nothing as another.
#[test]
fn signature_does_not_carry_over_to_another_type() {
    let mut signed = sign(label::TYPE_STAGE, Bytes::from("payload"), &[&key(1)]).unwrap();
    let as_it_is = verify(&signed, TYPE, &public(&[1]), 1);
    assert_eq!(as_it_is, Err(SignError::PayloadType));
    signed.payload_type = TYPE.to_owned();
    let relabelled = verify(&signed, TYPE, &public(&[1]), 1);
    assert_eq!(relabelled, Err(SignError::BadSignature));

    let mut batch = sign_batch(label::TYPE_STAGE, payloads(2), &key(1)).unwrap();
    batch[0].payload_type = TYPE.to_owned();
    let relabelled = verify(&batch[0], TYPE, &public(&[1]), 1);
    assert_eq!(relabelled, Err(SignError::BadSignature));
}

// SIG-4
#[test]
fn every_payload_of_every_batch_size_verifies_alone() {
    for size in 1..=64 {
        let signed = sign_batch(TYPE, payloads(size), &key(1)).unwrap();
        for (signed, payload) in signed.iter().zip(payloads(size)) {
            let verified = verify(signed, TYPE, &public(&[1]), 1).unwrap();
            assert_eq!(verified.payload, payload);
        }
    }
}

// SIG-4, LIM-2
#[test]
fn more_payloads_than_a_batch_holds_become_several_batches() {
    let signed = sign_batch(TYPE, payloads(130), &key(1)).unwrap();
    let sizes: Vec<u32> = signed
        .iter()
        .map(|one| one.batch.as_ref().unwrap().size)
        .collect();
    assert_eq!((sizes[0], sizes[64], sizes[129]), (64, 64, 2));
    assert!(sign_batch(TYPE, Vec::new(), &key(1)).unwrap().is_empty());
}

// SIG-5: neither form passes for the other.
#[test]
fn single_and_batch_signatures_do_not_replace_each_other() {
    let mut batch = sign_batch(TYPE, payloads(1), &key(1)).unwrap().remove(0);
    let mut single = sign(TYPE, payloads(1).remove(0), &[&key(1)]).unwrap();
    single.batch = batch.batch.take();
    for signed in [batch, single] {
        let judged = verify(&signed, TYPE, &public(&[1]), 1);
        assert_eq!(judged, Err(SignError::BadSignature));
    }
}

// SIG-6
#[test]
fn batch_paths_of_the_wrong_shape_are_refused() {
    let good = sign_batch(TYPE, payloads(5), &key(1)).unwrap().remove(2);
    let changes: [fn(&mut v1::BatchPath); 7] = [
        |path| path.size = 0,
        |path| path.size = 65,
        |path| path.index = 5,
        |path| drop(path.hashes.pop()),
        |path| path.hashes.push(Bytes::from_static(&[0; 32])),
        |path| path.hashes.clear(),
        |path| path.hashes[0] = Bytes::from_static(&[0; 31]),
    ];
    for change in changes {
        let mut signed = good.clone();
        change(signed.batch.as_mut().unwrap());
        let judged = verify(&signed, TYPE, &public(&[1]), 1);
        assert_eq!(judged, Err(SignError::BatchPath));
    }
}

// SIG-5, SIG-11: what the cache holds is the whole message, so it excuses nothing.
#[test]
fn cache_accepts_nothing_that_verification_would_refuse() {
    let mut cache = BatchCache::new();
    let signed = sign_batch(TYPE, payloads(64), &key(1)).unwrap();
    for one in &signed {
        assert!(verify_cached(&mut cache, one, TYPE, &public(&[1]), 1).is_ok());
    }
    assert_eq!(cache.held.len(), 1, "one verification served the batch");
    let mut changed = signed[3].clone();
    changed.payload = Bytes::from("payload 4");
    let mut resigned = signed[3].clone();
    resigned.signatures[0].signature = Bytes::from_static(&[0; 64]);
    for forged in [changed, resigned] {
        let judged = verify_cached(&mut cache, &forged, TYPE, &public(&[1]), 1);
        assert_eq!(judged, Err(SignError::BadSignature));
    }
    let other_key = verify_cached(&mut cache, &signed[3], TYPE, &public(&[2]), 1);
    assert_eq!(other_key, Err(SignError::UnknownKey));
}

/// A key with a companion.
fn pair(seed: u8) -> SigningKey {
    key(seed).with_companion(&[seed; 32])
}

fn paired(seeds: &[u8]) -> Vec<VerifyingKey> {
    seeds
        .iter()
        .map(|seed| pair(*seed).verifying_key())
        .collect()
}

// SIG-20, SIG-9: two signatures, one key; their order does not matter.
#[test]
fn a_key_and_its_companion_sign_both_and_count_once() {
    let mut signed = sign(TYPE, Bytes::from("payload"), &[&pair(1), &key(2)]).unwrap();
    assert_eq!(signed.signatures.len(), 3);
    for _ in 0..3 {
        signed.signatures.rotate_left(1);
        let keys = [paired(&[1]), public(&[2])].concat();
        let verified = verify(&signed, TYPE, &keys, 2).unwrap();
        assert_eq!(verified.key_ids.len(), 2);
        assert_eq!(verify(&signed, TYPE, &keys, 3), Err(SignError::TooFew));
    }
}

// SIG-21: whichever is missing, in either form, and however many others have signed.
#[test]
fn half_a_signature_refuses_the_whole() {
    let single = sign(TYPE, Bytes::from("payload"), &[&pair(1), &pair(2)]).unwrap();
    let batch = sign_batch(TYPE, payloads(3), &pair(1)).unwrap().remove(1);
    for signed in [single, batch] {
        let keys = paired(&[1, 2]);
        assert!(verify(&signed, TYPE, &keys, 1).is_ok());
        for missing in 0..signed.signatures.len() {
            let mut half = signed.clone();
            half.signatures.remove(missing);
            let judged = verify(&half, TYPE, &keys, 1);
            assert_eq!(judged, Err(SignError::HalfSigned));
        }
    }
    let ed25519_alone = sign(TYPE, Bytes::from("payload"), &[&key(1)]).unwrap();
    let judged = verify(&ed25519_alone, TYPE, &paired(&[1]), 1);
    assert_eq!(judged, Err(SignError::HalfSigned));
    assert_eq!(WireCode::from(SignError::HalfSigned), WireCode::HalfSigned);
}

// SIG-22: both verdicts are remembered as one, so neither half can be exchanged or left out.
#[test]
fn cache_remembers_a_key_and_its_companion_together() {
    let mut cache = BatchCache::new();
    let signed = sign_batch(TYPE, payloads(8), &pair(1)).unwrap();
    let other = sign_batch(TYPE, payloads(8), &pair(2)).unwrap();
    for one in &signed {
        assert!(verify_cached(&mut cache, one, TYPE, &paired(&[1]), 1).is_ok());
    }
    assert_eq!(cache.held.len(), 1, "one verification served the batch");
    let mut judge = |change: &dyn Fn(&mut Vec<v1::Signature>)| {
        let mut forged = signed[3].clone();
        change(&mut forged.signatures);
        verify_cached(&mut cache, &forged, TYPE, &paired(&[1]), 1)
    };
    assert!(judge(&|_| ()).is_ok());
    let stripped = judge(&|signatures| signatures.truncate(1));
    assert_eq!(stripped, Err(SignError::HalfSigned));
    let of_other = other[3].signatures[1].signature.clone();
    let exchanged = judge(&|signatures| signatures[1].signature = of_other.clone());
    assert_eq!(exchanged, Err(SignError::BadSignature));
    let cut = judge(&|signatures| signatures[1].signature.truncate(3308));
    assert_eq!(cut, Err(SignError::BadSignature));
    // Under the key without its companion it is another verdict, asked anew.
    let bare = verify_cached(&mut cache, &signed[3], TYPE, &public(&[1]), 1);
    assert!(bare.is_ok());
    assert_eq!(cache.held.len(), 2);
}

proptest! {
    // SIG-6: a payload verifies under its own path only.
    #[test]
    fn swapped_paths_are_refused(size in 2_usize..=64, one: prop::sample::Index, two: prop::sample::Index) {
        let mut signed = sign_batch(TYPE, payloads(size), &key(1)).unwrap();
        let (one, two) = (one.index(size), two.index(size));
        prop_assume!(one != two);
        let path = signed[one].batch.clone();
        signed[two].batch = path;
        let judged = verify(&signed[two], TYPE, &public(&[1]), 1);
        prop_assert_eq!(judged, Err(SignError::BadSignature));
    }

    // SIG-21: of the signatures of three keys with companions, any that are missing leave either
    // whole keys, enough or not, or half of one.
    #[test]
    fn any_missing_signatures_leave_whole_keys_or_a_refusal(kept in 0_u8..64, threshold in 1_usize..=3) {
        let keys = [pair(1), pair(2), pair(3)];
        let mut signed = sign(TYPE, Bytes::from("payload"), &keys.each_ref()).unwrap();
        let mut place = 0;
        signed.signatures.retain(|_| { place += 1; kept >> (place - 1) & 1 == 1 });
        let halves: Vec<u8> = (0..3).map(|key| kept >> (2 * key) & 3).collect();
        let whole = halves.iter().filter(|halves| **halves == 3).count();
        let expected = if halves.iter().any(|halves| matches!(halves, 1 | 2)) {
            Err(SignError::HalfSigned)
        } else if whole == 0 {
            Err(SignError::UnknownKey)
        } else if whole < threshold {
            Err(SignError::TooFew)
        } else {
            Ok(whole)
        };
        let judged = verify(&signed, TYPE, &paired(&[1, 2, 3]), threshold);
        prop_assert_eq!(judged.map(|verified| verified.key_ids.len()), expected);
    }
}
