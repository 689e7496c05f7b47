//! `frex key token`: a key file for a key in a hardware token, which is made there or is there.

use std::path::PathBuf;

use clap::Args;
use frex_client::{environment::Random, keys::file};
use frex_proto::error::WireCode;
use serde_json::json;

use crate::cli::{
    failure::{Done, Failure, OrFail},
    fingerprint, output, passphrase, token,
};

/// `frex key token`.
#[derive(Debug, Args)]
pub struct KeyTokenArgs {
    /// The label of the token
    #[arg(long, value_name = "LABEL")]
    pub token: String,
    /// The library (PKCS#11 module) of the token's maker
    #[arg(long, value_name = "PATH")]
    pub module: PathBuf,
    /// The token's serial number, if two have the same label
    #[arg(long, value_name = "NUMBER")]
    pub serial: Option<String>,
    /// Take the Ed25519 key that is there under this `CKA_ID`, instead of making one
    #[arg(long, value_name = "HEX")]
    pub id: Option<String>,
    /// The key file to write; one that is there stays as it is
    pub file: PathBuf,
}

/// Writes a key file that says where in the token the key is. No key that is in use changes by
/// it: whoever puts another key in a listed one's place has to have it listed first.
pub fn token(args: &KeyTokenArgs, json: bool) -> Done {
    if args.file.exists() {
        let what = format!("{} exists already", args.file.display());
        return Err(Failure::new(WireCode::AlreadyExists, what)
            .cause("a key is never overwritten: the roster may list it")
            .advise("Name a new file"));
    }
    file::check_folder(&args.file).or_fail("no key can be kept there")?;
    let address = token::address(&args.token, &args.module, args.serial.as_deref())?;
    let mut rng = Random::System.rng();
    let name = args.file.file_name().unwrap_or_default().to_string_lossy();
    let key = match &args.id {
        None => token::new_key(Some(&address), name, &mut rng)?,
        Some(id) => {
            let id = hex::decode(id).map_err(|_| {
                Failure::new(
                    WireCode::BadInput,
                    "--id takes an even number of hex digits",
                )
            })?;
            address
                .take_key(&id, &passphrase::unlock())
                .or_fail("the key cannot be taken into use")?
        }
    };
    key.write(&args.file, None, &mut rng)
        .or_fail("cannot write the key file")?;
    let print = fingerprint::of_key(&key.key().verifying_key());
    if json {
        output::document(json!({
            "file": args.file, "token": args.token, "fingerprint": print,
            "key_id": key.key().key_id().to_string(), "made": args.id.is_none(),
        }));
        return Ok(0);
    }
    let made = if args.id.is_none() {
        "made in"
    } else {
        "found in"
    };
    output::data(format_args!(
        "{made:<12} token {}",
        output::clean(&args.token)
    ));
    output::data(format_args!("key file     {}", args.file.display()));
    output::data(format_args!("fingerprint  {print}"));
    output::data(
        "The file holds no secret. Neither does a backup of it: the token has the only key.",
    );
    Ok(0)
}
