//! `frex roster make` and `frex roster sign`: cards in, a roster under k of n signatures out.

use std::{collections::BTreeMap, path::Path};

use bytes::Bytes;
use frex_client::{environment::Clock, keys::file};
use frex_proto::{
    error::WireCode,
    keys::SigningKey,
    label, limits,
    roster::{Card, Fault, Part, Roster, TrustAnchor, build},
    sign, v1,
};
use prost::Message;
use serde_json::json;

use super::{judge_even_expired, read_bundle, read_root, refused};
use crate::cli::{
    RosterMakeArgs, RosterSignArgs,
    failure::{Done, Failure, OrCode, OrFail},
    files, fingerprint, output, passphrase,
};

/// Exit code of a roster that waits for further signatures.
const PARTIAL: u8 = 3;

/// Signs member cards into a roster.
pub fn make(args: &RosterMakeArgs, json: bool) -> Done {
    let (root_bytes, anchor) = read_root(&args.root)?;
    let root = decode_root(&root_bytes)?;
    let keys = read_keys(&args.keys, &root)?;
    let now_ms = Clock::System.now_ms();
    let expires_ms = now_ms.saturating_add(args.expires.as_ms());
    let (mut roster, mut docs) = match &args.previous {
        Some(path) => follow(path, &anchor, now_ms, expires_ms)?,
        None => (
            build::first_roster(&root, now_ms, expires_ms),
            BTreeMap::new(),
        ),
    };
    for path in &args.cards {
        let bytes = files::read(path, limits::SIGNED_BYTES_MAX)?;
        let card = Card::judge(&bytes, &anchor.federation, now_ms).or_fail(format_args!(
            "{} is no card that can be listed",
            path.display()
        ))?;
        announce(&card, json);
        build::list_card(&mut roster, &card.wire);
        docs.insert(card.member.id, card.wire.member_doc);
    }
    let signers: Vec<&SigningKey> = keys.iter().collect();
    let signed = build::sign_roster(&roster, &signers);
    let bundle = build::bundle(
        &Bytes::from(root_bytes),
        &signed,
        docs.into_values().collect(),
        None,
    );
    finish(&bundle, &anchor, &args.out, &args.root, json)
}

/// Adds signatures of further holders.
pub fn sign(args: &RosterSignArgs, json: bool) -> Done {
    let (root_bytes, anchor) = read_root(&args.root)?;
    let root = decode_root(&root_bytes)?;
    let keys = read_keys(&args.keys, &root)?;
    let malformed = |error: prost::DecodeError| {
        Failure::new(
            WireCode::BadRoster,
            format!("{} is no roster", args.file.display()),
        )
        .because(&error)
    };
    let bytes = read_bundle(&args.file)?;
    let mut bundle = v1::RosterBundle::decode(&bytes[..]).map_err(malformed)?;
    let mut signed = v1::Signed::decode(bundle.roster.clone()).map_err(malformed)?;
    for key in &keys {
        let own = key.key_id();
        let added = sign::sign(label::TYPE_ROSTER, signed.payload.clone(), &[key]);
        signed
            .signatures
            .retain(|signature| signature.key_id != own.as_ref());
        signed.signatures.extend(added.signatures);
    }
    bundle.roster = signed.encode_to_vec().into();
    finish(
        &bundle.encode_to_vec(),
        &anchor,
        &args.file,
        &args.root,
        json,
    )
}

/// The next roster after the one in `path`, with its documents by member.
fn follow(
    path: &Path,
    anchor: &TrustAnchor,
    now_ms: u64,
    expires_ms: u64,
) -> Result<(v1::Roster, BTreeMap<String, Bytes>), Failure> {
    let bytes = read_bundle(path)?;
    let held = judge_even_expired(&bytes, anchor, None).map_err(|error| refused(path, error))?;
    let bundle = v1::RosterBundle::decode(&bytes[..]).or_code(
        WireCode::BadRoster,
        format_args!("{} is no roster", path.display()),
    )?;
    let member_of = |signed: &Bytes| {
        let signed = v1::Signed::decode(signed.clone()).ok()?;
        Some(v1::MemberDoc::decode(signed.payload).ok()?.member)
    };
    let docs = bundle
        .member_docs
        .into_iter()
        .filter_map(|doc| Some((member_of(&doc)?, doc)));
    Ok((
        build::next_roster(&held.roster, now_ms, expires_ms),
        docs.collect(),
    ))
}

fn decode_root(signed: &[u8]) -> Result<v1::Root, Failure> {
    v1::Signed::decode(signed)
        .and_then(|signed| v1::Root::decode(signed.payload))
        .or_code(WireCode::BadRoster, "the root does not decode")
}

fn read_keys(paths: &[std::path::PathBuf], root: &v1::Root) -> Result<Vec<SigningKey>, Failure> {
    let mut keys = Vec::new();
    for path in paths {
        let key = file::read_signing_key(path, &passphrase::unlock())
            .or_fail("cannot read a governance key")?;
        let listed = root
            .roster_keys
            .iter()
            .any(|listed| listed.key == key.verifying_key().as_bytes()[..]);
        if !listed {
            let what = format!("{} is no roster key of this federation", path.display());
            return Err(Failure::new(WireCode::NotTrusted, what)
                .cause("the root does not list it for rosters")
                .advise("Use the roster.key of a holder"));
        }
        keys.push(key);
    }
    Ok(keys)
}

fn announce(card: &Card, json: bool) {
    let Some(key) = card.member.identity_keys.first() else {
        return;
    };
    if !json {
        let print = fingerprint::of(&label::sha256(&[key.key.as_bytes()]));
        output::data(format_args!("lists  {}  {}", card.member.id, print));
    }
}

/// Judges what was made and writes it; a roster that only lacks signatures is written too.
fn finish(bundle: &[u8], anchor: &TrustAnchor, out: &Path, root: &Path, json: bool) -> Done {
    let judged = Roster::judge(bundle, anchor, Clock::System.now_ms());
    let incomplete = matches!(&judged, Err(error) if error.part == Part::Roster && error.fault == Fault::TooFewSignatures);
    let roster = match judged {
        Ok(roster) => Some(roster),
        Err(_) if incomplete => None,
        Err(error) => return Err(refused(out, error)),
    };
    files::replace(out, bundle)?;
    let (out, root) = (out.display(), root.display());
    if json {
        output::document(json!({
            "file": out.to_string(), "complete": roster.is_some(),
            "version": roster.as_ref().map(Roster::version),
            "sha256": roster.as_ref().map(|roster| hex::encode(roster.sha256())),
        }));
    } else if let Some(roster) = &roster {
        output::data(format_args!(
            "wrote  {out}   version {}   {} members   {} nodes",
            roster.version(),
            roster.members().len(),
            roster.nodes().len()
        ));
        output::data("Next, on every member's machine:");
        output::data(format_args!(
            "  frex roster install {out} --root {root} DIR"
        ));
    } else {
        output::data(format_args!("wrote  {out}   more holders must sign"));
        output::data("Next, by another holder:");
        output::data(format_args!(
            "  frex roster sign {out} --root {root} --key roster.key"
        ));
    }
    Ok(if roster.is_some() { 0 } else { PARTIAL })
}
