//! `frex key rotate tls`: both keys are let in until the new one has been seen to work.

use frex_client::{
    environment::Random,
    keys::{rotation::KeyUse, text::SecretKey},
};
use frex_proto::{
    keys::SigningKey,
    roster::{build, document},
    v1,
};
use serde_json::Value;

use super::{RotateTlsArgs, Rotation, listed, retiring, signing};
use crate::cli::{
    failure::{Done, Failure},
    member,
    time::rfc3339,
};

/// Makes, lists, tests, puts in use; then states when the old key ends.
pub fn rotate(args: &RotateTlsArgs, json: bool) -> Done {
    let mut rotation = Rotation::begin(KeyUse::Tls, &args.dir, json)?;
    let runtime = member::runtime()?;
    let unfinished = unfinished(&rotation)?;
    if unfinished.is_none() {
        let make = || SecretKey::Signing(Box::new(SigningKey::generate(&mut Random::System.rng())));
        let next = signing(rotation.next_key(make)?)?;
        runtime.block_on(put_in_use(&mut rotation, &next, args.overlap.as_ms()))?;
    }
    let until_ms = runtime.block_on(end_former(&mut rotation))?;
    let until = rfc3339(until_ms);
    let next = [
        format!("Programs that run go on with the old key until {until}; start them again before."),
        format!("See the keys with: frex key ls {}", args.dir.display()),
    ];
    rotation.end("active", &next, Value::Null)
}

/// The former key, if it was followed and the document does not say yet when it ends.
fn unfinished(rotation: &Rotation) -> Result<Option<v1::PublicKey>, Failure> {
    let roster = member::roster(&rotation.home)?;
    let (_, doc) = rotation.doc(&roster)?;
    Ok(retiring(&rotation.folder, KeyUse::Tls).and_then(|former| {
        let mut keys = doc.client_tls_keys.into_iter();
        keys.find(|key| key.not_after_ms == 0 && key_id(key) == Some(former.key_id))
    }))
}

async fn put_in_use(
    rotation: &mut Rotation,
    next: &SigningKey,
    overlap_ms: u64,
) -> Result<(), Failure> {
    let keys = rotation.keys()?;
    let former = keys.tls.key_id();
    let (identity, public) = (keys.identity.clone(), next.verifying_key());
    let client = rotation.connected(keys).await?;
    let (signed, doc) = rotation.doc(&client.roster().current())?;
    if doc
        .client_tls_keys
        .iter()
        .any(|key| key.key == public.as_bytes()[..])
    {
        rotation.bring(&client, signed).await?;
    } else {
        let mut doc = rotation.next_doc(&doc, |doc| doc.client_tls_keys.len())?;
        let key = listed(build::signing_key(&public), doc.issued_ms);
        doc.client_tls_keys.push(key);
        let what = "the next key beside the old one".to_owned();
        rotation.publish(&client, &doc, &identity, what).await?;
    }
    client.close().await;
    test(rotation, next).await?;
    let until_ms = rotation.now_ms().saturating_add(overlap_ms);
    rotation.promote(former, until_ms)
}

/// The node greets whoever comes with the next key.
async fn test(rotation: &mut Rotation, next: &SigningKey) -> Result<(), Failure> {
    let mut keys = rotation.keys()?;
    keys.tls = next.clone();
    let client = rotation.connected(keys).await?;
    client.close().await;
    let node = &rotation.home.settings().home_node;
    let what = format!("{node} greets whoever comes with the next key");
    rotation.steps.say("tested", what);
    Ok(())
}

/// States in the document when the former key ends.
async fn end_former(rotation: &mut Rotation) -> Result<u64, Failure> {
    let former = retiring(&rotation.folder, KeyUse::Tls);
    let until_ms = former
        .as_ref()
        .and_then(|record| record.until_ms)
        .unwrap_or_default();
    let Some(former) = unfinished(rotation)? else {
        return Ok(until_ms);
    };
    let keys = rotation.keys()?;
    let identity = keys.identity.clone();
    let client = rotation.connected(keys).await?;
    let (_, doc) = rotation.doc(&client.roster().current())?;
    let mut doc = rotation.next_version(&doc);
    document::end_key(&mut doc.client_tls_keys, &former.key, until_ms);
    let what = format!("the end of the old key, {}", rfc3339(until_ms));
    rotation.publish(&client, &doc, &identity, what).await?;
    client.close().await;
    Ok(until_ms)
}

fn key_id(key: &v1::PublicKey) -> Option<frex_proto::id::KeyId> {
    let admitted = frex_proto::keys::VerifyingKey::admit(&key.key);
    admitted.ok().map(|key| key.key_id())
}
