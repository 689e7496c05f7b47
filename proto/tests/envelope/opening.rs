//! What is sealed opens, for its recipients.

use frex_proto::{
    envelope::{
        Draft, OpenCause, OpenContexts, SealError, Sealed, SharedContexts, check_body, open,
        open_cached, parse, seal, seal_shared, sign_many, sign_one, verify,
    },
    limits,
    sign::BatchCache,
};
use proptest::prelude::*;

use crate::support::*;

// ENV-10..ENV-22: any number of recipients opens what was sealed, and reads the header's fields.
#[test]
fn every_recipient_opens_what_was_sealed() {
    for count in [1, 2, 3, 17, 64] {
        let draft = draft(count, "the content");
        let envelope = sign_one(seal(&draft, &mut rng(1)).unwrap(), &author())
            .unwrap()
            .to_wire(None);
        let parsed = judge(&envelope, &author_keys()).unwrap();
        for index in 0..count {
            let opened = open(&parsed, &envelope.body, &member(index), &[&sealing(index)]);
            let opened = opened.unwrap();
            assert_eq!(opened.data, draft.data);
            assert_eq!(opened.content_type, draft.content_type);
        }
        let core = &parsed.core;
        assert_eq!(core.recipients.len(), count);
        assert_eq!(
            (&core.federation, &core.sender),
            (&draft.federation, &draft.sender)
        );
        assert_eq!((core.kind, core.lane), (draft.kind, draft.lane));
        assert_eq!(
            (core.message_id, core.conversation),
            (draft.message_id, draft.conversation)
        );
        assert_eq!(
            (core.in_reply_to, core.reply_by_ms),
            (draft.in_reply_to, draft.reply_by_ms)
        );
        assert_eq!(
            (core.created_ms, core.expires_ms),
            (draft.created_ms, draft.expires_ms)
        );
    }
}

// ENV-13, LIM-4: sizes from nothing to 1 MiB return; the body's length hides the content's.
#[test]
fn contents_of_every_size_return() {
    for length in [
        0,
        1,
        200,
        2048,
        16_000,
        16_384,
        32_768,
        65_536,
        262_144,
        1 << 20,
    ] {
        let data = vec![0xa5; length];
        let signed = sign_one(
            seal(&draft(1, data.clone()), &mut rng(1)).unwrap(),
            &author(),
        )
        .unwrap();
        let parsed = parse(&signed.to_wire(None)).unwrap();
        assert_eq!(check_body(&parsed, &signed.body), Ok(()));
        assert!(signed.body.len() <= length + length * 12 / 100 + 16 * (length / 16_384) + 400);
        let opened = open(&parsed, &signed.body, &member(0), &[&sealing(0)]).unwrap();
        assert_eq!(opened.data, data);
    }
    let too_long = vec![0; limits::CONTENT_BYTES_MAX];
    assert_eq!(
        seal(&draft(1, too_long), &mut rng(1)).err(),
        Some(SealError::TooLarge)
    );
}

// ENV-14
#[test]
fn contents_of_like_size_have_bodies_of_one_size() {
    let length = |length: usize| {
        seal(&draft(1, vec![0; length]), &mut rng(1))
            .unwrap()
            .body
            .len()
    };
    assert_eq!(length(1950), length(1960));
}

// ENV-29, ENV-30: the same draft twice shares no secret and no salt, nor do wraps share a context.
#[test]
fn every_envelope_draws_its_own_secrets() {
    let (mut contexts, mut rng, draft) = (SharedContexts::new(), rng(1), draft(2, "content"));
    let mut sealed: Vec<Sealed> = (0..2).map(|_| seal(&draft, &mut rng).unwrap()).collect();
    sealed.extend((0..2).map(|_| seal_shared(&draft, &mut contexts, &mut rng).unwrap()));
    let context = |index: usize, wrap: usize| sealed[index].wraps[wrap].slice(1..1121);
    assert_ne!(context(0, 0), context(1, 0));
    assert_ne!(context(2, 0), context(2, 1), "one recipient, one context");
    let mut drawn = std::collections::BTreeSet::new();
    for sealed in sealed {
        assert!(drawn.insert(sealed.body[..24].to_vec()));
        let envelope = sign_one(sealed, &author()).unwrap().to_wire(None);
        let parsed = parse(&envelope).unwrap();
        let opened = open(&parsed, &envelope.body, &member(0), &[&sealing(0)]).unwrap();
        assert!(drawn.insert(opened.content_key.to_vec()));
        assert!(drawn.insert(opened.salt.to_vec()));
    }
    assert_eq!(drawn.len(), 12);
}

// ENV-18, SIG-4, ENV-29: a batch with shared contexts, opened with and without kept contexts.
#[test]
fn shared_wraps_in_a_batch_open_like_single_ones() {
    let mut contexts = SharedContexts::new();
    let mut rng = rng(2);
    let drafts: Vec<Draft> = (0..70)
        .map(|index| draft(2, format!("content {index}")))
        .collect();
    let sealed = drafts
        .iter()
        .map(|draft| seal_shared(draft, &mut contexts, &mut rng).unwrap());
    let sealed: Vec<Sealed> = sealed.collect();
    let encapsulated = |index: usize| sealed[index].wraps[0].slice(1..1121);
    assert_eq!(
        encapsulated(0),
        encapsulated(63),
        "one context serves 64 envelopes"
    );
    assert_ne!(encapsulated(63), encapsulated(64), "and no more");
    let mut cache = BatchCache::new();
    let mut opening = OpenContexts::new();
    for (signed, draft) in sign_many(sealed.clone(), &author())
        .unwrap()
        .iter()
        .zip(&drafts)
    {
        let envelope = signed.to_wire(None);
        let parsed = parse(&envelope).unwrap();
        assert_eq!(parsed.id, signed.id);
        verify(&parsed, &author_keys(), &mut cache).unwrap();
        let (name, key) = (member(1), sealing(1));
        let kept = open_cached(&parsed, &envelope.body, &name, &[&key], &mut opening).unwrap();
        let fresh = open(&parsed, &envelope.body, &name, &[&key]).unwrap();
        assert_eq!((&kept.data, &fresh.data), (&draft.data, &draft.data));
    }
}

// ENV-8, LIM-6: each receiver is sent what it needs.
#[test]
fn wire_form_carries_the_wraps_asked_for_and_an_inline_body_only() {
    let signed = sign_one(
        seal(&draft(3, vec![0; 100_000]), &mut rng(1)).unwrap(),
        &author(),
    )
    .unwrap();
    let second = member(1);
    let envelope = signed.to_wire(Some(&[&second]));
    assert_eq!(envelope.wraps.len(), 1);
    assert_eq!(envelope.wraps[0].recipient, 1);
    assert!(envelope.body.is_empty(), "it follows in a BODY frame");
    let parsed = parse(&envelope).unwrap();
    verify(&parsed, &author_keys(), &mut BatchCache::new()).unwrap();
    let opened = open(&parsed, &signed.body, &second, &[&sealing(1)]);
    assert!(opened.is_ok());
    let absent = open(&parsed, &signed.body, &member(0), &[&sealing(0)]);
    assert_eq!(absent.unwrap_err().cause(), OpenCause::NoWrap);
    assert!(signed.to_wire(Some(&[])).wraps.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // ENV-10..ENV-18
    #[test]
    fn any_content_opens_for_any_recipient(
        count in 1_usize..6,
        data in prop::collection::vec(any::<u8>(), 0..5000),
        seed: u64,
        shared: bool,
    ) {
        let draft = draft(count, data);
        let sealed = if shared {
            seal_shared(&draft, &mut SharedContexts::new(), &mut rng(seed))
        } else {
            seal(&draft, &mut rng(seed))
        };
        let envelope = sign_one(sealed.unwrap(), &author()).unwrap().to_wire(None);
        let parsed = judge(&envelope, &author_keys()).unwrap();
        for index in 0..count {
            let opened = open(&parsed, &envelope.body, &member(index), &[&sealing(index)]);
            prop_assert_eq!(&opened.unwrap().data, &draft.data);
        }
    }
}

// Workers own their contexts and caches: all of them move between threads.
#[test]
fn contexts_and_caches_move_between_threads() {
    fn moves<T: Send>() {}
    moves::<SharedContexts>();
    moves::<OpenContexts>();
    moves::<BatchCache>();
    moves::<Draft>();
}
