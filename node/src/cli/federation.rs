//! `frex federation init`: the keys that decide who belongs, and the root that names them.

use frex_client::{
    environment::{Clock, Random},
    keys::file,
};
use frex_proto::{
    error::WireCode,
    id,
    keys::{SigningKey, VerifyingKey},
    roster::{
        TrustAnchor,
        build::{self, RootDraft},
    },
};
use serde_json::json;

use super::{
    FederationInitArgs,
    failure::{Done, Failure, OrCode, OrFail},
    files, fingerprint, output, passphrase,
};

/// One person's keys: one changes the root, the other issues rosters.
struct Holder {
    root: SigningKey,
    roster: SigningKey,
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
            root: SigningKey::generate(&mut rng),
            roster: SigningKey::generate(&mut rng),
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
    let root = signed_root(args, &holders);
    let anchor = TrustAnchor::of_root(&root).or_fail("the root does not verify")?;
    let path = args.dir.join("root.frex");
    files::write_new(&path, &root)?;
    report(args, &fingerprint::of(&anchor.root_sha256), json);
    Ok(0)
}

fn signed_root(args: &FederationInitArgs, holders: &[Holder]) -> bytes::Bytes {
    let keys = |pick: fn(&Holder) -> &SigningKey| -> Vec<VerifyingKey> {
        holders
            .iter()
            .map(|holder| pick(holder).verifying_key())
            .collect()
    };
    let root = build::root(&RootDraft {
        federation: &args.name,
        version: 1,
        expires_ms: Clock::System.now_ms().saturating_add(args.expires.as_ms()),
        root_keys: &keys(|holder| &holder.root),
        root_threshold: args.threshold,
        roster_keys: &keys(|holder| &holder.roster),
        roster_threshold: args.threshold,
    });
    let signers: Vec<&SigningKey> = holders.iter().map(|holder| &holder.root).collect();
    build::sign_root(&root, &signers)
}

fn report(args: &FederationInitArgs, root: &str, json: bool) {
    let dir = args.dir.display();
    if json {
        return output::document(json!({
            "federation": args.name, "root": args.dir.join("root.frex"), "root_fingerprint": root,
            "keys": args.keys, "threshold": args.threshold, "encrypted": args.encrypt_keys,
        }));
    }
    output::data(format_args!(
        "created      {dir}/holder-1 … holder-{}, each with root.key and roster.key",
        args.keys
    ));
    output::data(format_args!(
        "root         {dir}/root.frex   {} of {} must agree",
        args.threshold, args.keys
    ));
    output::data(format_args!("fingerprint  {root}"));
    output::data("");
    output::data(
        "Give each folder to another person and delete it here. Give root.frex to every member.",
    );
    if args.encrypt_keys {
        output::data("Next, by each holder, who then alone knows the passphrase:");
        output::data(format_args!("  frex key passphrase {dir}/holder-1"));
    }
    output::data("Next, with the cards of members:");
    output::data(format_args!(
        "  frex roster make --root {dir}/root.frex --key {dir}/holder-1/roster.key --key {dir}/holder-2/roster.key CARD… --out roster.frex"
    ));
}
