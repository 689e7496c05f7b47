//! `frex federation show`: what a root, a proposal of one, or a holder's card says.

use std::path::PathBuf;

use clap::Args;
use frex_proto::{
    error::WireCode,
    keys::VerifyingKey,
    label, limits,
    roster::{Root, Timed, ceremony::Holder},
    v1,
};
use prost::Message;
use serde_json::json;

use crate::cli::{
    failure::{Done, Failure, OrCode, OrFail},
    files, fingerprint, output,
    roster::words,
    time::rfc3339,
};

/// `frex federation show`.
#[derive(Debug, Args)]
pub struct FederationShowArgs {
    /// A root, a proposal of one, or a holder's card
    pub file: PathBuf,
}

/// Shows a governance file. It verifies what the file proves by itself; trust is for people.
pub fn show(args: &FederationShowArgs, json: bool) -> Done {
    let bytes = files::read(&args.file, limits::ROOT_BYTES_MAX)?;
    let what = || format!("{} is no root and no holder's card", args.file.display());
    let signed = v1::Signed::decode(&bytes[..]).or_code(WireCode::Malformed, what())?;
    match signed.payload_type.as_str() {
        label::TYPE_ROOT => {
            let root = Root::read_proposal(&bytes).or_fail(what())?;
            let in_force = Root::parse(&bytes).is_ok();
            print_root(&root, in_force, json);
            Ok(0)
        }
        label::TYPE_HOLDER => {
            let stated = v1::Holder::decode(signed.payload).or_code(WireCode::Malformed, what())?;
            let holder = Holder::judge(&bytes, &stated.federation).or_fail(what())?;
            print_holder(&holder, &stated.federation, json);
            Ok(0)
        }
        _ => Err(Failure::new(WireCode::BadInput, what())
            .cause("it is signed as something else")
            .advise("Rosters are shown by: frex roster show FILE --root ROOT")),
    }
}

fn print_root(root: &Root, in_force: bool, json: bool) {
    let print = fingerprint::of(&root.sha256);
    if json {
        return output::document(json!({
            "what": "root", "federation": root.federation, "version": root.version,
            "signed_by_its_quorum": in_force, "expires": rfc3339(root.expires_ms),
            "fingerprint": print, "root_threshold": root.root_threshold,
            "roster_threshold": root.roster_threshold,
            "holders": (0..root.root_keys.len()).map(|place| root.holder(place)).collect::<Vec<_>>(),
            "post_quantum": {
                "root_keys": root.root_keys.iter().map(is_paired).collect::<Vec<_>>(),
                "roster_keys": root.roster_keys.iter().map(is_paired).collect::<Vec<_>>(),
            },
        }));
    }
    let state = match in_force {
        true => "signed by its quorum",
        false => "PROPOSAL: its quorum has not signed it",
    };
    output::data(format_args!(
        "root         {}   version {}",
        root.federation, root.version
    ));
    output::data(format_args!("state        {state}"));
    output::data(format_args!("expires      {}", rfc3339(root.expires_ms)));
    output::data(format_args!("fingerprint  {print}"));
    for (what, keys, threshold) in [
        ("root keys", &root.root_keys, root.root_threshold),
        ("roster keys", &root.roster_keys, root.roster_threshold),
    ] {
        output::data(format_args!(
            "{what}: {threshold} of {} must agree",
            keys.len()
        ));
        for (place, timed) in keys.iter().enumerate() {
            let (key, name) = (timed.key.key_id(), root.holder(place));
            let signs = words::algorithms([timed]);
            output::data(format_args!("  {key}  {}  {signs}", output::clean(&name)));
        }
    }
}

fn is_paired(timed: &Timed<VerifyingKey>) -> bool {
    timed.key.companion().is_some()
}

fn print_holder(holder: &Holder, federation: &str, json: bool) {
    let print = fingerprint::of(&holder.sha256());
    let keys = [&holder.root_key, &holder.roster_key];
    let signs = words::algorithms_of(keys);
    if json {
        return output::document(json!({
            "what": "holder", "federation": federation, "holder": holder.name,
            "fingerprint": print, "root_key": holder.root_key.key_id().to_string(),
            "roster_key": holder.roster_key.key_id().to_string(),
            "post_quantum": keys.iter().all(|key| key.companion().is_some()),
        }));
    }
    output::data(format_args!("holder       {}", output::clean(&holder.name)));
    output::data(format_args!("federation   {federation}"));
    output::data(format_args!("signs by     {signs}"));
    output::data(format_args!("fingerprint  {print}"));
    output::data(
        "Whoever made this card has both secret keys. Compare the fingerprint by telephone.",
    );
}
