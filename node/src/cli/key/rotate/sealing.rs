//! `frex key rotate sealing`: others seal to the new key from the moment it is listed; what was
//! sealed to the old one opens until that is destroyed.

use std::collections::BTreeSet;

use bytes::Bytes;
use frex_client::{
    environment::Random,
    keys::{MemberKeys, rotation::KeyUse, text::SecretKey},
};
use frex_proto::{
    envelope::{self, Draft},
    error::WireCode,
    id::{KeyId, MessageId},
    keys::{SealingPublicKey, SealingSecretKey, SigningKey},
    roster::document,
    v1,
};
use serde_json::json;

use super::{RotateSealingArgs, Rotation, waiting};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member,
    time::rfc3339,
};

mod stolen;

/// What a node took at the last moment waits so long for its member to read it. Spec: FIL-19.
const READING_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Makes, tests, lists, puts in use; the old one opens what is under way.
pub fn rotate(args: &RotateSealingArgs, json: bool) -> Done {
    let mut rotation = Rotation::begin(KeyUse::Sealing, &args.dir, json)?;
    let runtime = member::runtime()?;
    let keys = rotation.keys()?;
    match (args.compromised, args.confirm) {
        (true, false) => return runtime.block_on(stolen::plan(rotation, keys)),
        (true, true) => return stolen::replace(rotation, &runtime),
        (false, _) => {}
    }
    let former = keys.sealing_public();
    let next = next_key(&mut rotation)?;
    test(&mut rotation, &next, &keys.identity)?;
    let listed = list(&mut rotation, &next, keys, args.overlap.as_ms());
    let from_ms = runtime.block_on(listed)?;
    // However short the overlap: what a node took in it is still to be read.
    let until_ms = from_ms.saturating_add(READING_MS);
    rotation.promote(former.key_id(), until_ms)?;
    let next = [
        format!(
            "Nodes take what is sealed to the old key until {}.",
            rfc3339(from_ms)
        ),
        format!(
            "Its secret is destroyed at {}, by the next command after that.",
            rfc3339(until_ms)
        ),
        format!("See the keys with: frex key ls {}", args.dir.display()),
    ];
    rotation.end("active", &next, json!({ "taken_until": rfc3339(from_ms) }))
}

fn next_key(rotation: &mut Rotation) -> Result<SealingSecretKey, Failure> {
    let make = || SecretKey::Sealing(SealingSecretKey::generate(&mut Random::System.rng()));
    match rotation.next_key(make)? {
        SecretKey::Sealing(key) => Ok(key),
        SecretKey::Signing(_) => {
            let what = "the next key signs, where a sealing key belongs";
            Err(Failure::new(WireCode::BadConfig, what))
        }
    }
}

/// What is sealed to the next key as it is on the disk opens with it.
fn test(
    rotation: &mut Rotation,
    next: &SealingSecretKey,
    identity: &SigningKey,
) -> Result<(), Failure> {
    let settings = rotation.home.settings();
    let now_ms = rotation.now_ms();
    let draft = Draft {
        federation: settings.federation.clone(),
        sender: settings.member.clone(),
        recipients: vec![(settings.member.clone(), next.public())],
        kind: v1::Kind::Ping,
        lane: v1::Lane::Control,
        created_ms: now_ms,
        expires_ms: now_ms.saturating_add(60_000),
        reply_by_ms: None,
        message_id: MessageId([0; 16]),
        conversation: None,
        in_reply_to: None,
        content_type: "text/plain".to_owned(),
        data: Bytes::from_static(b"self-test"),
        attachments: Vec::new(),
    };
    let sealed = envelope::seal(&draft, &mut Random::System.rng());
    let sealed = sealed.or_fail("the self-test of the next key cannot be sealed")?;
    let signed = envelope::sign_one(sealed, identity);
    let signed = signed.or_fail("the self-test of the next key cannot be signed")?;
    let wire = signed.to_wire(None);
    let parsed = envelope::parse(&wire).or_fail("the self-test of the next key failed")?;
    let opened = envelope::open(&parsed, &wire.body, &settings.member, &[next])
        .or_fail("the next key does not open what is sealed to it")?;
    if opened.data != draft.data {
        return Err(Failure::new(
            WireCode::CannotOpen,
            "the next key opens something else than was sealed to it",
        ));
    }
    rotation.steps.say(
        "tested",
        "what is sealed to the next key opens with it".to_owned(),
    );
    Ok(())
}

/// Lists the next key, with the end of the old one; gives from when on that is refused.
async fn list(
    rotation: &mut Rotation,
    next: &SealingSecretKey,
    keys: MemberKeys,
    overlap_ms: u64,
) -> Result<u64, Failure> {
    let (former, public) = (keys.sealing_public(), next.public());
    let identity = keys.identity.clone();
    let client = rotation.connected(keys).await?;
    let (signed, doc) = rotation.doc(&client.roster().current())?;
    let mut listed = doc.sealing_keys.iter();
    let known = listed.any(|key| key.key == public.as_bytes()[..]);
    let from_ms = match retired_from(&doc, former.key_id()).filter(|_| known) {
        Some(from_ms) => {
            rotation.bring(&client, signed).await?;
            from_ms
        }
        None => {
            let mut doc = rotation.next_doc(&doc, places)?;
            let from_ms = document::follow_sealing_keys(&mut doc, &public, Some(overlap_ms));
            let what = "the next key, and the end of the old one".to_owned();
            rotation.publish(&client, &doc, &identity, what).await?;
            from_ms
        }
    };
    client.close().await;
    Ok(from_ms)
}

/// How many keys a document names: each that is followed is to be listed as retired too.
fn places(doc: &v1::MemberDoc) -> usize {
    let listed = doc.sealing_keys.iter();
    let listed = listed.filter_map(|key| SealingPublicKey::admit(&key.key).ok());
    let retired = doc.retired_sealing_keys.iter();
    let retired = retired.filter_map(|one| KeyId::from_slice(&one.key_id).ok());
    let named: BTreeSet<KeyId> = listed.map(|key| key.key_id()).chain(retired).collect();
    named.len()
}

fn retired_from(doc: &v1::MemberDoc, key: KeyId) -> Option<u64> {
    let mut retired = doc.retired_sealing_keys.iter();
    let retired = retired.find(|one| one.key_id.as_ref() == key.as_ref());
    retired.map(|one| one.from_ms)
}
