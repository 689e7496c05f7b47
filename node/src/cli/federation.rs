//! `frex federation …`: who governs. What the commands about roots share, and `init`, which makes
//! all keys in one place: for trials on one machine.

use std::path::Path;

use bytes::Bytes;
use frex_client::{
    environment::{Clock, Random},
    keys::file,
};
use frex_proto::{
    error::WireCode,
    id,
    keys::{SigningError, SigningKey, VerifyingKey},
    limits,
    roster::{
        Root, RosterError, TrustAnchor,
        build::{self, RootDraft},
        ceremony::holder_sha256,
    },
    v1,
};
use prost::Message;
use rand_core::CryptoRng;
use serde_json::json;

use super::{
    FederationInitArgs,
    ceremony::Quorum,
    change::{self, Change},
    failure::{Done, Failure, OrCode, OrFail},
    files, fingerprint, output, passphrase,
    roster::words,
    time::rfc3339,
};

pub mod combine;
pub mod key;
pub mod propose;
pub mod show;
pub mod sign;

/// One person's keys: one changes the root, the other issues rosters.
struct Holder {
    root: SigningKey,
    roster: SigningKey,
}

/// A governance key, with a companion if it is wished for.
fn new_key(post_quantum: bool, rng: &mut dyn CryptoRng) -> SigningKey {
    match post_quantum {
        true => SigningKey::generate_pair(rng),
        false => SigningKey::generate(rng),
    }
}

/// Makes the governance of a federation.
pub fn init(args: &FederationInitArgs, json: bool) -> Done {
    id::check_name(&args.name).or_code(
        WireCode::BadInput,
        format_args!("{:?} is no name for a federation", args.name),
    )?;
    if args.threshold > args.keys {
        let what = format!(
            "a threshold of {} cannot be met by {} keys",
            args.threshold, args.keys
        );
        return Err(Failure::new(WireCode::BadInput, what));
    }
    let passphrase = passphrase::of_new_keys(args.encrypt_keys, "frex federation init")?;
    files::make_folder(&args.dir)?;
    let mut rng = Random::System.rng();
    let mut holders = Vec::new();
    for number in 1..=args.keys {
        let holder = Holder {
            root: new_key(args.post_quantum, &mut rng),
            roster: new_key(args.post_quantum, &mut rng),
        };
        let folder = args.dir.join(format!("holder-{number}"));
        files::make_folder(&folder)?;
        for (name, key) in [("root.key", &holder.root), ("roster.key", &holder.roster)] {
            let path = folder.join(name);
            file::write_key(&path, key.into(), passphrase.as_ref(), &mut rng)
                .or_fail("cannot write a governance key")?;
        }
        holders.push(holder);
    }
    let root = signed_root(args, &holders).or_fail("the keys do not sign the root")?;
    let anchor = TrustAnchor::of_root(&root).or_fail("the root does not verify")?;
    let path = args.dir.join("root.frex");
    files::write_new(&path, &root)?;
    report(args, &fingerprint::of(&anchor.root_sha256), json);
    Ok(0)
}

/// Reads a root that its quorum has signed.
///
/// # Errors
/// The failure names the file and what is wrong.
pub fn read_root_in_force(path: &Path) -> Result<(Vec<u8>, Root), Failure> {
    let bytes = files::read(path, limits::ROOT_BYTES_MAX)?;
    let root = Root::parse(&bytes).or_fail(format_args!(
        "{} is not the root of a federation",
        path.display()
    ))?;
    Ok((bytes, root))
}

/// Reads a proposal and, if it changes a root, the one in force.
fn read_proposal(
    path: &Path,
    old: Option<&Path>,
) -> Result<(v1::Signed, Root, Option<Root>), Failure> {
    let what = format!("{} is no proposal of a root", path.display());
    let bytes = files::read(path, limits::ROOT_BYTES_MAX)?;
    let root = Root::read_proposal(&bytes).or_fail(&what)?;
    let signed = v1::Signed::decode(&bytes[..]).or_code(WireCode::Malformed, &what)?;
    let old = old.map(read_root_in_force).transpose()?.map(|(_, old)| old);
    match &old {
        Some(old) => old
            .check_follower(&root)
            .or_fail("the proposal does not follow the root that you gave")?,
        None if root.version != 1 => {
            return Err(Failure::new(
                WireCode::BadInput,
                "the proposal changes a root, and the one in force was not given",
            )
            .cause(format!("it is version {}", root.version))
            .advise("Add --root root.frex: your own copy of the root in force"));
        }
        None => (),
    }
    Ok((signed, root, old))
}

/// Who must agree on `root`: its own holders, and those of the one it follows. Spec: ROS-22.
fn quorums(root: &Root, old: Option<&Root>) -> Vec<Quorum> {
    let before = old.map(|old| Quorum::of_root("root keys of the root in force", old));
    let own = match before.is_some() {
        true => "root keys of the new root",
        false => "root keys",
    };
    before
        .into_iter()
        .chain([Quorum::of_root(own, root)])
        .collect()
}

/// What `root` changes.
fn changes(root: &Root, old: Option<&Root>) -> Vec<Change> {
    let seats = |root: &Root| -> Vec<(String, Vec<change::Field>)> {
        let pairs = root.root_keys.iter().zip(&root.roster_keys).enumerate();
        pairs
            .map(|(place, (root_key, roster_key))| {
                let print = fingerprint::of(&holder_sha256(&root_key.key, &roster_key.key));
                let signs = words::algorithms([root_key, roster_key]);
                let fields = vec![("signs by", signs.to_owned()), ("fingerprint", print)];
                (root.holder(place), fields)
            })
            .collect()
    };
    let fields = |root: &Root| {
        let of = |threshold: usize, keys: usize| format!("{threshold} of {keys}");
        vec![
            ("expires", rfc3339(root.expires_ms)),
            (
                "change the root",
                of(root.root_threshold, root.root_keys.len()),
            ),
            (
                "issue rosters",
                of(root.roster_threshold, root.roster_keys.len()),
            ),
        ]
    };
    let own = old.map(fields);
    let mut found =
        change::between_entries("holder", &old.map(seats).unwrap_or_default(), &seats(root));
    found.extend(change::between_fields(
        "root",
        &root.federation,
        own.as_deref(),
        &fields(root),
    ));
    found
}

/// Says what a proposal is about before anything is written.
fn announce(root: &Root, old: Option<&Root>) {
    let from = old.map_or(String::new(), |old| format!("{} -> ", old.version));
    output::data(format_args!(
        "proposal     root of {}, version {from}{}",
        root.federation, root.version
    ));
    change::print(&changes(root, old));
    output::data(format_args!(
        "fingerprint  {}",
        fingerprint::of(&root.sha256)
    ));
}

/// Writes a root that its quorums have signed, after judging it once more as anybody would.
fn write_root(path: &Path, signed: &v1::Signed, old: Option<&Root>) -> Result<(), Failure> {
    let bytes = Bytes::from(signed.encode_to_vec());
    let judged: Result<Root, RosterError> = match old {
        Some(old) => old.judge_successor(&bytes, Clock::System.now_ms()),
        None => Root::parse(&bytes),
    };
    judged.or_fail("the root does not verify, so nothing was written")?;
    files::write_new(path, &bytes)
}

/// What a root of this version is called where nobody says otherwise.
fn file_name(version: u64) -> String {
    match version {
        1 => "root.frex".to_owned(),
        _ => format!("root-{version}.frex"),
    }
}

fn signed_root(args: &FederationInitArgs, holders: &[Holder]) -> Result<Bytes, SigningError> {
    let keys = |pick: fn(&Holder) -> &SigningKey| -> Vec<VerifyingKey> {
        holders
            .iter()
            .map(|holder| pick(holder).verifying_key())
            .collect()
    };
    let mut root = build::root(&RootDraft {
        federation: &args.name,
        version: 1,
        expires_ms: Clock::System.now_ms().saturating_add(args.expires.as_ms()),
        root_keys: &keys(|holder| &holder.root),
        root_threshold: args.threshold,
        roster_keys: &keys(|holder| &holder.roster),
        roster_threshold: args.threshold,
    });
    root.holders = (1..=holders.len())
        .map(|number| format!("holder-{number}"))
        .collect();
    let signers: Vec<&SigningKey> = holders.iter().map(|holder| &holder.root).collect();
    build::sign_root(&root, &signers)
}

fn report(args: &FederationInitArgs, root: &str, json: bool) {
    let dir = args.dir.display();
    if json {
        return output::document(json!({
            "federation": args.name, "root": args.dir.join("root.frex"), "root_fingerprint": root,
            "keys": args.keys, "threshold": args.threshold, "encrypted": args.encrypt_keys,
            "post_quantum": args.post_quantum,
        }));
    }
    output::data(format_args!(
        "created      {dir}/holder-1 … holder-{}, each with root.key and roster.key",
        args.keys
    ));
    if args.post_quantum {
        output::data("             each with an ML-DSA-65 companion in the same file");
    }
    output::data(format_args!(
        "root         {dir}/root.frex   {} of {} must agree",
        args.threshold, args.keys
    ));
    output::data(format_args!("fingerprint  {root}"));
    output::data("");
    output::data(
        "All keys were made in one place: good for a trial on one machine, and only for that.",
    );
    output::data(
        "For people who do not trust one machine, each makes their own: frex federation key --help",
    );
    if args.encrypt_keys {
        output::data("Next, by each holder, who then alone knows the passphrase:");
        output::data(format_args!("  frex key passphrase {dir}/holder-1"));
    }
    output::data("Next, with the cards of members:");
    output::data(format_args!(
        "  frex roster propose --root {dir}/root.frex --out roster.proposal CARD…"
    ));
}
