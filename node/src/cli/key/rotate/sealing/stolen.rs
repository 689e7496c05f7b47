//! `frex key rotate sealing --compromised`: whatever lay on the disk is destroyed, the key in use,
//! those before it and a next one; a key that was made after that takes their place. Spec: FIL-21.

use frex_client::keys::{
    MemberKeys,
    rotation::{KeyState, KeyUse},
};
use frex_proto::{
    id::KeyId,
    keys::{SealingPublicKey, SealingSecretKey},
    limits,
    roster::document,
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::{READING_MS, Rotation, next_key, places, test, waiting};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    output,
};

/// What it would do.
pub async fn plan(rotation: Rotation, keys: MemberKeys) -> Done {
    let stolen = ids(&keys);
    let client = rotation.connected(keys).await?;
    let lost = waiting::sealed_to(&client, &stolen).await?;
    client.close().await;
    let dir = rotation.dir.display();
    let next = [
        format!(
            "This would list a new sealing key, and destroy at once what is held here: {}.",
            counted(stolen.len())
        ),
        format!(
            "Waiting in the inbox for them, which nobody could open then: {}.",
            waiting::counted(lost)
        ),
        "What is under way to you is refused, and sealed again by its senders.".to_owned(),
        format!("First read the inbox:  frex inbox {dir}"),
        format!("Then:                  frex key rotate sealing --compromised --confirm {dir}"),
    ];
    let more = json!({ "waiting": lost, "would_destroy": names(&stolen) });
    rotation.end("planned", &next, more)
}

/// Makes, tests, lists, puts in use; every other one is destroyed when no node takes what is sealed
/// to it any more.
pub fn replace(mut rotation: Rotation, runtime: &Runtime) -> Done {
    rotation.options = "--compromised --confirm ";
    let keys = rotation.keys()?;
    let (stolen, former) = (ids(&keys), keys.sealing_public().key_id());
    set_aside_next(&mut rotation)?;
    let next = next_key(&mut rotation)?;
    test(&mut rotation, &next, &keys.identity)?;
    let public = next.public();
    let lost = runtime.block_on(list(&mut rotation, &public, &stolen, keys))?;
    let now_ms = rotation.now_ms();
    rotation.promote(former, now_ms)?;
    destroy(&mut rotation)?;
    rotation.steps.say(
        "destroyed",
        format!(
            "{}; nothing sealed to them opens any more",
            counted(stolen.len())
        ),
    );
    if lost > 0 {
        output::message(format_args!(
            "note: in the inbox nobody will be able to open {}, sealed to what was destroyed",
            waiting::counted(lost)
        ));
    }
    let next = [format!(
        "Read what is sealed to the new key with: frex inbox {}",
        rotation.dir.display()
    )];
    let more = json!({ "unopened": lost, "destroyed": names(&stolen) });
    rotation.end("active", &next, more)
}

/// A next key that lay on the disk is not put in use. A run that was cut short may have listed it:
/// it is kept until nodes refuse what is sealed to it.
fn set_aside_next(rotation: &mut Rotation) -> Result<(), Failure> {
    let now_ms = rotation.now_ms();
    let until_ms = now_ms.saturating_add(limits::LIFE_MS_MAX + READING_MS);
    rotation
        .folder
        .set_aside_next(KeyUse::Sealing, now_ms, until_ms)
        .or_fail("the next key, which somebody else may hold, cannot be set aside")
}

/// Lists the new key, and refuses every other one from now on; gives how many waiting items only
/// those open.
async fn list(
    rotation: &mut Rotation,
    next: &SealingPublicKey,
    stolen: &[KeyId],
    keys: MemberKeys,
) -> Result<usize, Failure> {
    let identity = keys.identity.clone();
    let client = rotation.connected(keys).await?;
    let (_, doc) = rotation.doc(&client.roster().current())?;
    let mut doc = rotation.next_doc(&doc, places)?;
    let _ = document::follow_sealing_keys(&mut doc, next, None);
    let what = "a new key, and the end of every other one".to_owned();
    rotation.publish(&client, &doc, &identity, what).await?;
    let lost = waiting::sealed_to(&client, stolen).await?;
    client.close().await;
    Ok(lost)
}

fn destroy(rotation: &mut Rotation) -> Result<(), Failure> {
    let now_ms = rotation.now_ms();
    let retiring = rotation.folder.of(KeyUse::Sealing, KeyState::Retiring);
    let retiring: Vec<KeyId> = retiring.map(|record| record.key_id).collect();
    for key in retiring {
        let gone = rotation.folder.destroy(key, now_ms);
        gone.or_fail("an old key cannot be destroyed")
            .map_err(|failure| rotation.again(failure))?;
    }
    Ok(())
}

/// All that this member's folder holds.
fn ids(keys: &MemberKeys) -> Vec<KeyId> {
    let held = keys.sealing.keys.iter();
    held.map(SealingSecretKey::key_id).collect()
}

fn names(keys: &[KeyId]) -> Vec<String> {
    keys.iter().map(KeyId::to_string).collect()
}

fn counted(keys: usize) -> String {
    match keys {
        1 => "1 sealing key".to_owned(),
        keys => format!("{keys} sealing keys"),
    }
}
