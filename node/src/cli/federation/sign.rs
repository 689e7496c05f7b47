//! `frex federation sign`: one holder's signature on a root, in a file of its own.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{announce, changes, quorums, read_proposal};
use crate::cli::{
    ceremony::{
        self,
        signed::{self, Signing},
    },
    change::Change,
    failure::Done,
    fingerprint, output,
};

/// `frex federation sign`.
#[derive(Debug, Args)]
pub struct FederationSignArgs {
    /// The proposal
    pub file: PathBuf,
    /// A holder's root key; repeat for each
    #[arg(long = "key", value_name = "FILE", required = true)]
    pub keys: Vec<PathBuf>,
    /// The root in force, for a change of it
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// Where to write the signature [default: beside the proposal, with the holder's name]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Sign although a key has signed another proposal of this version, which was given up
    #[arg(long)]
    pub instead: bool,
}

/// Shows what is signed, then signs it.
pub fn sign(args: &FederationSignArgs, json: bool) -> Done {
    let (signed, root, old) = read_proposal(&args.file, args.root.as_deref())?;
    let quorums = quorums(&root, old.as_ref());
    let keys = ceremony::read_keys(&args.keys, &quorums, "root.key")?;
    if !json {
        announce(&root, old.as_ref());
    }
    let signing = Signing {
        what: "root",
        version: root.version,
        sha256: &root.sha256,
        instead: args.instead,
    };
    signed::note(&args.keys, &signing)?;
    let path = ceremony::write_signatures(&signed, &keys, &args.file, args.out.as_deref())?;
    let names: Vec<&str> = keys.iter().map(|(_, name)| name.as_str()).collect();
    if json {
        output::document(json!({
            "signature": path, "signed_by": names, "fingerprint": fingerprint::of(&root.sha256),
            "changes": changes(&root, old.as_ref()).iter().map(Change::to_json).collect::<Vec<_>>(),
        }));
        return Ok(0);
    }
    output::data(format_args!("signed       by {}", names.join(", ")));
    output::data(format_args!("wrote        {}", path.display()));
    output::data("Compare the fingerprint with the other holders before you hand the file over.");
    output::data("Next, whoever coordinates, with the signatures of all:");
    output::data(format_args!(
        "  frex federation combine {} {} SIG… {}--out {}",
        args.file.display(),
        path.display(),
        args.root
            .as_ref()
            .map_or(String::new(), |path| format!("--root {} ", path.display())),
        super::file_name(root.version),
    ));
    Ok(0)
}
