//! `frex key rotate identity`: a card for the governance first; when the roster lists the key, the
//! rest.

use std::{path::PathBuf, time::Duration};

use frex_client::{
    client::{Client, News},
    environment::Random,
    keys::{ROOT_FILE, ROSTER_FILE, rotation::KeyUse, text::SecretKey},
};
use frex_proto::{
    error::WireCode,
    id::KeyId,
    keys::{SigningKey, VerifyingKey},
    limits,
    roster::{Card, Roster, build, document},
    v1,
};
use prost::Message;
use serde_json::json;

use super::{RotateIdentityArgs, Rotation, listed, signing, waiting};
use crate::cli::{
    failure::{Done, Failure, OrFail},
    files, fingerprint, inbox, member, output,
    time::rfc3339,
};

const PING_WAIT: Duration = Duration::from_secs(10);

/// Makes the key and its card; or, when the roster lists it, the document, test, and use.
pub fn rotate(args: &RotateIdentityArgs, json: bool) -> Done {
    let mut rotation = Rotation::begin(KeyUse::Identity, &args.dir, json)?;
    // Whoever signed with two halves goes on to.
    let former = rotation.keys()?.identity.verifying_key();
    let pair = args.post_quantum || former.companion().is_some();
    let make = || {
        let mut rng = Random::System.rng();
        SecretKey::Signing(Box::new(match pair {
            true => SigningKey::generate_pair(&mut rng),
            false => SigningKey::generate(&mut rng),
        }))
    };
    let next = signing(rotation.next_key(make)?)?;
    let runtime = member::runtime()?;
    let roster = runtime.block_on(newest(&rotation))?;
    let id = &rotation.home.settings().member;
    let keys = roster.member(id).map(|member| &member.identity_keys);
    let known = keys.is_some_and(|keys| keys.iter().any(|key| key.key == next.verifying_key()));
    if !known {
        return write_card(rotation, &roster, &next, args.overlap.as_ms());
    }
    let until_ms = runtime.block_on(put_in_use(&mut rotation, &next, args.overlap.as_ms()))?;
    let until = rfc3339(until_ms);
    let next = [
        match until_ms > rotation.now_ms() {
            true => format!(
                "The old key is good until {until}; programs that run go on with it until they are started again."
            ),
            false => format!(
                "The old key has ended, at {until}: start the programs again that still sign with it."
            ),
        },
        format!("See the keys with: frex key ls {}", args.dir.display()),
    ];
    rotation.end("active", &next, json!({}))
}

/// The roster in force, and what the home node knows newer, if it can be asked.
async fn newest(rotation: &Rotation) -> Result<Roster, Failure> {
    let client = rotation.client(rotation.keys()?).await?;
    if let Err(error) = client.hear_news().await {
        let node = &rotation.home.settings().home_node;
        output::message(format_args!(
            "note: {node} cannot be asked for a newer roster: {error}; if there is one, start the node or install it (frex roster install FILE {}), and run this again",
            rotation.dir.display()
        ));
    }
    let roster = Roster::clone(&client.roster().current());
    client.close().await;
    Ok(roster)
}

/// What the governance is to list: the next key, and the end of the one in use.
fn write_card(rotation: Rotation, roster: &Roster, next: &SigningKey, overlap_ms: u64) -> Done {
    let (id, now_ms) = (rotation.home.settings().member.clone(), rotation.now_ms());
    let (_, doc) = rotation.doc(roster)?;
    let until_ms = now_ms.saturating_add(overlap_ms);
    let former = rotation.keys()?.identity.verifying_key();
    let doc = document::next_version(&doc, now_ms);
    let card = card(roster, &doc, &former, next, until_ms)?;
    let path = rotation.dir.join(format!("{id}.next.card"));
    files::replace(&path, &card)?;
    tell_card(rotation, &path, next, until_ms)
}

/// The card, with the member's document signed by the next key: from the moment the roster lists
/// that, what the document states is good, whatever becomes of the key before. Spec: ROS-38.
fn card(
    roster: &Roster,
    doc: &v1::MemberDoc,
    former: &VerifyingKey,
    next: &SigningKey,
    until_ms: u64,
) -> Result<Vec<u8>, Failure> {
    let mut entry = roster.member_entry(&doc.member).unwrap_or_default();
    if entry.identity_keys.len() >= limits::KEYS_PER_ENTRY_MAX {
        let what = "the roster lists as many identity keys of this member as there may be";
        return Err(Failure::new(WireCode::TooLarge, what));
    }
    document::end_key(&mut entry.identity_keys, former.as_bytes(), until_ms);
    let now_ms = doc.issued_ms;
    let key = listed(build::signing_key(&next.verifying_key()), now_ms);
    entry.identity_keys.push(key);
    let node = doc.nodes.iter().find_map(|stated| {
        // What its log has signed with before, the roster before says (ROS-40).
        Some(v1::Node {
            earlier_log_keys: Vec::new(),
            earlier_witness_keys: Vec::new(),
            ..roster.node_entry(&stated.node)?
        })
    });
    let member_doc = build::sign_member_doc(doc, next)
        .or_fail("the member's document cannot be signed by the next key")?;
    let card = v1::MemberCard {
        member: Some(entry),
        node,
        member_doc,
    };
    let card = card.encode_to_vec();
    Card::judge(&card, roster.federation(), now_ms)
        .or_fail("no federation would list the card with the next key")?;
    Ok(card)
}

fn tell_card(mut rotation: Rotation, path: &PathBuf, next: &SigningKey, until_ms: u64) -> Done {
    let (card, dir) = (path.display(), rotation.dir.display().to_string());
    let print = fingerprint::of_key(&next.verifying_key());
    let what = format!(
        "{card}: the next key, and the end of the old one, {}",
        rfc3339(until_ms)
    );
    rotation.steps.say("wrote", what);
    let home = rotation.home.dir();
    let (root, roster) = (home.join(ROOT_FILE), home.join(ROSTER_FILE));
    let next = [
        format!("fingerprint {print}"),
        format!(
            "Hand {card} to the governance; read them the fingerprint by telephone. They type:"
        ),
        format!(
            "  frex roster propose {card} --root {} --previous {} --out next.proposal",
            root.display(),
            roster.display()
        ),
        "and sign, combine and install it as it says. When it is in force here:".to_owned(),
        format!("  frex key rotate identity {dir}"),
    ];
    let more = json!({ "card": path, "fingerprint": print });
    rotation.end("next", &next, more)
}

async fn put_in_use(
    rotation: &mut Rotation,
    next: &SigningKey,
    overlap_ms: u64,
) -> Result<u64, Failure> {
    let keys = rotation.keys()?;
    let former = keys.identity.verifying_key();
    let client = rotation.connected(keys).await?;
    let roster = client.roster().current();
    let (signed, doc) = rotation.doc(&roster)?;
    if is_signed_by(&signed, next.key_id()) {
        rotation.bring(&client, signed).await?;
    } else {
        let doc = rotation.next_version(&doc);
        let what = "the same keys, signed by the next one".to_owned();
        rotation.publish(&client, &doc, next, what).await?;
    }
    client.close().await;
    let mut keys = rotation.keys()?;
    keys.identity = next.clone();
    let client = rotation.connected(keys).await?;
    ping(rotation, &client).await?;
    client.close().await;
    let id = &rotation.home.settings().member;
    let listed = roster
        .member(id)
        .into_iter()
        .flat_map(|member| &member.identity_keys);
    let ends = listed.filter(|key| key.key == former);
    let end_ms = ends.filter_map(|key| key.validity.not_after_ms).next();
    let until_ms = end_ms.unwrap_or_else(|| rotation.now_ms().saturating_add(overlap_ms));
    rotation.promote(former.key_id(), until_ms)?;
    Ok(until_ms)
}

/// A ping to oneself, signed by the next key, is taken by the node and comes back.
async fn ping(rotation: &mut Rotation, client: &Client) -> Result<(), Failure> {
    let me = client.member().to_owned();
    let draft = client
        .finish(client.draft(&[&me]).ping())
        .or_fail("a ping to this member cannot be drafted")?;
    let envelope = client.seal(&draft).or_fail("a ping cannot be sealed")?;
    let submission = client.submit(vec![envelope], PING_WAIT).await;
    let submission = submission.or_fail("the ping cannot be submitted")?;
    let mut taken = false;
    for event in submission.finish().await {
        match event.news {
            News::Accepted { .. } => taken = true,
            News::Refused { code } | News::Rejected { code, .. } => {
                let what = "the node refuses what the next key signs";
                return Err(rotation.again(Failure::new(code, what)));
            }
            _ => {}
        }
    }
    if !taken {
        let what = "the node did not answer a ping that the next key signed";
        return Err(rotation.again(Failure::new(WireCode::TimedOut, what)));
    }
    // The inbox confirms the ping by itself, unless a program that runs has done so.
    let mut items = waiting::open(client).await?;
    while inbox::next_waiting(&mut items).await?.is_some() {}
    let node = &rotation.home.settings().home_node;
    let what = format!("{node} takes what the next key signs");
    rotation.steps.say("tested", what);
    Ok(())
}

fn is_signed_by(signed: &[u8], key: KeyId) -> bool {
    v1::Signed::decode(signed).is_ok_and(|signed| {
        let mut signatures = signed.signatures.iter();
        signatures.any(|one| one.key_id.as_ref() == key.as_ref())
    })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use frex_proto::{
        keys::SealingSecretKey,
        roster::{Peer, TrustAnchor},
    };

    use super::*;

    const NOW_MS: u64 = 1_900_000_000_000;
    const FAR_MS: u64 = NOW_MS + 365 * 86_400_000;
    const MEMBER: &str = "hotline.no";
    const NODE: &str = "node.hotline.no";
    const IDENTITY: u8 = 1;
    const CLIENT_TLS: u8 = 2;
    const NODE_TLS: u8 = 3;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_seed(&[seed; 32])
    }

    fn member_card(log_key: u8) -> v1::MemberCard {
        build::card(&build::CardDraft {
            federation: "fed",
            id: MEMBER,
            name: MEMBER,
            role: v1::Role::Hotline,
            country: "NO",
            home_node: NODE,
            identity: &key(IDENTITY),
            client_tls: &[key(CLIENT_TLS).verifying_key()],
            sealing: &[SealingSecretKey::from_seed(&[4; 32]).public()],
            node: Some(build::NodeDraft {
                id: NODE,
                log_key: &key(log_key).verifying_key(),
                witness_key: None,
                tls_keys: &[key(NODE_TLS).verifying_key()],
                addresses: &["127.0.0.1:4433".to_owned()],
            }),
            issued_ms: NOW_MS,
            expires_ms: FAR_MS,
        })
        .unwrap()
    }

    /// A federation whose member's log has gone over to another key.
    struct Scene {
        root: Bytes,
        roster: Roster,
    }

    impl Scene {
        fn new() -> Self {
            let root = build::root(&build::RootDraft {
                federation: "fed",
                version: 1,
                expires_ms: FAR_MS,
                root_keys: &[key(50).verifying_key()],
                root_threshold: 1,
                roster_keys: &[key(51).verifying_key()],
                roster_threshold: 1,
            });
            let mut listed = build::first_roster(&root, NOW_MS, FAR_MS);
            let root = build::sign_root(&root, &[&key(50)]).unwrap();
            let (first, second) = (member_card(10), member_card(11));
            build::list_card(&mut listed, &first);
            build::list_card(&mut listed, &second);
            let roster = judged(&root, &listed, &second.member_doc, NOW_MS);
            Self { root, roster }
        }

        /// The governance lists the card; read as of `at_ms`.
        fn with(&self, card: &[u8], at_ms: u64) -> Roster {
            let card = v1::MemberCard::decode(card).unwrap();
            let mut listed = build::next_roster(&self.roster, NOW_MS, FAR_MS);
            build::list_card(&mut listed, &card);
            judged(&self.root, &listed, &card.member_doc, at_ms)
        }
    }

    fn judged(root: &Bytes, listed: &v1::Roster, doc: &Bytes, at_ms: u64) -> Roster {
        let signed = build::sign_roster(listed, &[&key(51)]).unwrap();
        let bundle = build::bundle(root, &signed, vec![doc.clone()], None);
        let anchor = TrustAnchor::of_root(root).unwrap();
        Roster::judge(&bundle, &anchor, at_ms).unwrap()
    }

    // ROS-38, ROS-17, ROS-19: what the member states stays good after the end of its identity key, however
    // short the overlap, and the document is newer than the one before.
    // ROS-40, ROS-41: the card can be listed after the log has changed its key, and takes none away.
    #[test]
    fn a_card_outlives_the_old_key_and_leaves_the_log_its_keys() {
        let scene = Scene::new();
        let held = scene.roster.node(NODE).unwrap().earlier_log_keys.len();
        assert_eq!(held, 1);
        let (_, doc) = scene.roster.member_doc(MEMBER).unwrap();
        let doc = document::next_version(&doc, NOW_MS);
        let (former, next, until_ms) = (key(IDENTITY).verifying_key(), key(20), NOW_MS + 1);
        let card = card(&scene.roster, &doc, &former, &next, until_ms).unwrap();
        let roster = scene.with(&card, NOW_MS);
        assert!(roster.succeeds(&scene.roster).unwrap());
        assert_eq!(roster.node(NODE).unwrap().earlier_log_keys.len(), held);
        let listed = roster.member(MEMBER).unwrap().doc.unwrap();
        assert_eq!(listed.version, 2);
        let late_ms = until_ms + 86_400_000;
        let owner = |seed: u8| {
            let key = key(seed).verifying_key();
            roster.owner_of_tls_key(key.as_bytes(), late_ms).cloned()
        };
        assert_eq!(owner(CLIENT_TLS), Some(Peer::Client(MEMBER.to_owned())));
        assert_eq!(owner(NODE_TLS), Some(Peer::Node(NODE.to_owned())));
        assert!(roster.sealing_key(MEMBER, late_ms).is_some());
        let good = roster.member(MEMBER).unwrap().identity_keys_at(late_ms);
        assert_eq!(good, [next.verifying_key()]);
    }
}
