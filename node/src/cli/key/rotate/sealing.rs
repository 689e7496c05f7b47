//! `frex key rotate sealing`: others seal to the new key from the moment it is listed; what was
//! sealed to the old one opens until that is destroyed.

use bytes::Bytes;
use frex_client::{
    client::Client,
    environment::Random,
    keys::{MemberKeys, rotation::KeyUse, text::SecretKey},
};
use frex_proto::{
    envelope::{self, Draft},
    error::WireCode,
    id::{KeyId, MessageId},
    keys::{SealingPublicKey, SealingSecretKey, SigningKey},
    roster::{build, document},
    v1,
};
use serde_json::json;

use super::{RotateSealingArgs, Rotation, waiting};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    member, output,
    time::rfc3339,
};

/// What a node took at the last moment waits so long for its member to read it.
const READING_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// Makes, tests, lists, puts in use; the old one opens what is under way.
pub fn rotate(args: &RotateSealingArgs, json: bool) -> Done {
    let mut rotation = Rotation::begin(KeyUse::Sealing, &args.dir, json)?;
    let runtime = member::runtime()?;
    let keys = rotation.keys()?;
    let former = keys.sealing_public();
    if args.compromised && !args.confirm {
        return runtime.block_on(plan(rotation, keys));
    }
    let make = || SecretKey::Sealing(SealingSecretKey::generate(&mut Random::System.rng()));
    let next = match rotation.next_key(make)? {
        SecretKey::Sealing(key) => key,
        SecretKey::Signing(_) => {
            let what = "the next key signs, where a sealing key belongs";
            return Err(Failure::new(WireCode::BadConfig, what));
        }
    };
    test(&mut rotation, &next, &keys.identity)?;
    let overlap_ms = if args.compromised {
        0
    } else {
        args.overlap.as_ms()
    };
    let (from_ms, lost) = runtime.block_on(list(&mut rotation, &next, keys, overlap_ms))?;
    let until_ms = from_ms.saturating_add(overlap_ms.min(READING_MS));
    rotation.promote(former.key_id(), until_ms)?;
    if args.compromised {
        rotation
            .folder
            .destroy(former.key_id(), rotation.now_ms())
            .or_fail("the old key cannot be destroyed")?;
        rotation.steps.say(
            "destroyed",
            "the old sealing key; nothing sealed to it opens any more".to_owned(),
        );
        if lost > 0 {
            output::message(format_args!(
                "note: in the inbox nobody will be able to open {}, sealed to the old key",
                waiting::counted(lost)
            ));
        }
        let next = [format!(
            "Read what is sealed to the new key with: frex inbox {}",
            args.dir.display()
        )];
        return rotation.end("active", &next, json!({ "unopened": lost }));
    }
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

/// What `--compromised` would do.
async fn plan(rotation: Rotation, keys: MemberKeys) -> Done {
    let former = keys.sealing_public().key_id();
    let client = rotation.connected(keys).await?;
    let lost = waiting::sealed_to(&client, former).await?;
    client.close().await;
    let dir = rotation.dir.display();
    let next = [
        "This would list a new sealing key, and destroy the old one at once.".to_owned(),
        format!(
            "Waiting in the inbox for the old one, which nobody could open then: {}.",
            waiting::counted(lost)
        ),
        "What is under way to you is refused, and sealed again by its senders.".to_owned(),
        format!("First read the inbox:  frex inbox {dir}"),
        format!("Then:                  frex key rotate sealing --compromised --confirm {dir}"),
    ];
    rotation.end("planned", &next, json!({ "waiting": lost }))
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

/// Lists the next key, with the end of the old one; gives from when on that is retired, and how
/// many waiting items only it opens.
async fn list(
    rotation: &mut Rotation,
    next: &SealingSecretKey,
    keys: MemberKeys,
    overlap_ms: u64,
) -> Result<(u64, usize), Failure> {
    let (former, public) = (keys.sealing_public(), next.public());
    let identity = keys.identity.clone();
    let client = rotation.connected(keys).await?;
    let (signed, doc) = rotation.doc(&client.roster().current())?;
    let known = doc
        .sealing_keys
        .iter()
        .any(|key| key.key == public.as_bytes()[..]);
    let retired = retired_from(&doc, former.key_id()).filter(|_| known && overlap_ms > 0);
    let from_ms = match retired {
        Some(from_ms) => {
            rotation.bring(&client, signed).await?;
            from_ms
        }
        None => {
            follow(
                rotation,
                &client,
                &doc,
                (&public, &former),
                &identity,
                overlap_ms,
            )
            .await?
        }
    };
    let lost = match overlap_ms {
        0 => waiting::sealed_to(&client, former.key_id()).await?,
        _ => 0,
    };
    client.close().await;
    Ok((from_ms, lost))
}

/// The document in which one sealing key follows another.
async fn follow(
    rotation: &mut Rotation,
    client: &Client,
    doc: &v1::MemberDoc,
    (next, former): (&SealingPublicKey, &SealingPublicKey),
    identity: &SigningKey,
    overlap_ms: u64,
) -> Result<u64, Failure> {
    let count = |doc: &v1::MemberDoc| doc.sealing_keys.len().max(doc.retired_sealing_keys.len());
    let mut doc = rotation.next_doc(doc, count)?;
    let now_ms = doc.issued_ms;
    if doc
        .sealing_keys
        .iter()
        .all(|key| key.key != next.as_bytes()[..])
    {
        // Of several good keys the one that became good last is used (ROS-18): this one.
        doc.sealing_keys.push(v1::PublicKey {
            not_before_ms: now_ms,
            ..build::sealing_key(next)
        });
    }
    let from_ms = now_ms.saturating_add(overlap_ms);
    if document::end_key(&mut doc.sealing_keys, former.as_bytes(), now_ms) {
        document::retire_sealing_key(&mut doc, former, from_ms);
    }
    let what = "the next key, and the end of the old one".to_owned();
    rotation.publish(client, &doc, identity, what).await?;
    Ok(from_ms)
}

fn retired_from(doc: &v1::MemberDoc, key: KeyId) -> Option<u64> {
    let mut retired = doc.retired_sealing_keys.iter();
    let retired = retired.find(|one| one.key_id.as_ref() == key.as_ref());
    retired.map(|one| one.from_ms)
}
