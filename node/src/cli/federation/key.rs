//! `frex federation key`: a holder's own keys, made where they stay, and the card about them.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use clap::Args;
use frex_client::{environment::Random, keys::token::NewKey};
use frex_proto::{
    keys::SigningKey,
    roster::ceremony::{Holder, holder_card},
};
use serde_json::json;

use crate::cli::{
    ceremony::slug,
    failure::{Done, Failure, OrFail},
    files, fingerprint, output, passphrase,
    token::{self, TokenArgs},
};

/// `frex federation key`.
#[derive(Debug, Args)]
pub struct FederationKeyArgs {
    /// The federation: 1 to 64 of a-z, 0-9, . and -
    #[arg(long, value_name = "FED")]
    pub federation: String,
    /// The person or office that will hold the keys
    #[arg(long, value_name = "NAME")]
    pub holder: String,
    /// Give both keys an ML-DSA-65 companion: all they sign is signed by both
    #[arg(long, conflicts_with = "token")]
    pub post_quantum: bool,
    /// Write the keys encrypted: by --passphrase-fd, or asked for at the terminal
    #[arg(long)]
    pub encrypt_keys: bool,
    #[command(flatten)]
    pub token: TokenArgs,
    /// Folder to make
    pub dir: PathBuf,
}

/// Makes the keys of one holder.
pub fn key(args: &FederationKeyArgs, json: bool) -> Done {
    let mut rng = Random::System.rng();
    let throwaway = [(); 2].map(|()| SigningKey::generate(&mut rng).into());
    // Before anything is made: a name that no root would list is refused here.
    card(args, &throwaway)?;
    let passphrase = passphrase::of_new_keys(args.encrypt_keys, "frex federation key")?;
    let token = args.token.address()?;
    let mut make = |name: &str| match args.post_quantum {
        true => Ok(super::new_key(true, &mut rng).into()),
        false => token::new_key(
            token.as_ref(),
            format_args!("{name} {}", args.holder),
            &mut rng,
        ),
    };
    let keys = [make("root")?, make("roster")?];
    let (card, holder) = card(args, &keys)?;
    files::make_folder(&args.dir)?;
    for (name, key) in ["root.key", "roster.key"].iter().zip(&keys) {
        let path = args.dir.join(name);
        key.write(&path, passphrase.as_ref(), &mut rng)
            .or_fail("cannot write a governance key")?;
    }
    let path = args.dir.join(format!("{}.holder", slug(&args.holder)));
    files::write_new(&path, &card)?;
    report(args, &path, &fingerprint::of(&holder.sha256()), json);
    Ok(0)
}

/// The card about two keys, judged as whoever gets it will judge it.
fn card(args: &FederationKeyArgs, keys: &[NewKey; 2]) -> Result<(Bytes, Holder), Failure> {
    let [root, roster] = keys.each_ref().map(NewKey::key);
    let card = holder_card(&args.federation, &args.holder, root, roster)
        .or_fail("the keys do not sign the card")?;
    let holder = Holder::judge(&card, &args.federation).or_fail("no holder can be called this")?;
    Ok((card, holder))
}

fn report(args: &FederationKeyArgs, path: &Path, print: &str, json: bool) {
    let dir = args.dir.display();
    if json {
        output::document(json!({
            "federation": args.federation, "holder": args.holder, "card": path,
            "root_key": args.dir.join("root.key"), "roster_key": args.dir.join("roster.key"),
            "fingerprint": print, "post_quantum": args.post_quantum, "token": args.token.token,
        }));
        return;
    }
    output::data(format_args!(
        "created      {dir}/root.key    changes who governs; keep it offline"
    ));
    output::data(format_args!(
        "             {dir}/roster.key  changes who belongs"
    ));
    if args.post_quantum {
        output::data("             each with an ML-DSA-65 companion in the same file");
    }
    output::data(format_args!("holder card  {}", path.display()));
    output::data(format_args!("fingerprint  {print}"));
    output::data("");
    match &args.token.token {
        None => {
            output::data("Neither key ever leaves this machine. Back the folder up, encrypted.");
        }
        Some(token) => output::data(format_args!(
            "Neither key ever leaves the token {}: the files only say where they are.",
            output::clean(token)
        )),
    }
    output::data(
        "Hand the card to whoever coordinates, and read them the fingerprint by telephone.",
    );
    output::data("Next, there, with the cards of all holders:");
    output::data(format_args!(
        "  frex federation propose --name {} --threshold K --out root.proposal HOLDER-CARD…",
        args.federation
    ));
}
