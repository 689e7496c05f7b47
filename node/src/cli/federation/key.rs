//! `frex federation key`: a holder's own keys, made where they stay, and the card about them.

use std::path::PathBuf;

use clap::Args;
use frex_client::{environment::Random, keys::file};
use frex_proto::roster::ceremony::{Holder, holder_card};
use serde_json::json;

use crate::cli::{
    ceremony::slug,
    failure::{Done, OrFail},
    files, fingerprint, output, passphrase,
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
    #[arg(long)]
    pub post_quantum: bool,
    /// Write the keys encrypted: by --passphrase-fd, or asked for at the terminal
    #[arg(long)]
    pub encrypt_keys: bool,
    /// Folder to make
    pub dir: PathBuf,
}

/// Makes the keys of one holder.
pub fn key(args: &FederationKeyArgs, json: bool) -> Done {
    let mut rng = Random::System.rng();
    let keys = [(); 2].map(|()| super::new_key(args.post_quantum, &mut rng));
    let card = holder_card(&args.federation, &args.holder, &keys[0], &keys[1])
        .or_fail("the keys do not sign the card")?;
    // Before anything is written: a name that no root would list is refused here.
    let holder = Holder::judge(&card, &args.federation).or_fail("no holder can be called this")?;
    let passphrase = passphrase::of_new_keys(args.encrypt_keys, "frex federation key")?;
    files::make_folder(&args.dir)?;
    for (name, key) in ["root.key", "roster.key"].iter().zip(&keys) {
        let path = args.dir.join(name);
        file::write_key(&path, key.into(), passphrase.as_ref(), &mut rng)
            .or_fail("cannot write a governance key")?;
    }
    let path = args.dir.join(format!("{}.holder", slug(&args.holder)));
    files::write_new(&path, &card)?;
    let (dir, print) = (args.dir.display(), fingerprint::of(&holder.sha256()));
    if json {
        output::document(json!({
            "federation": args.federation, "holder": args.holder, "card": path,
            "root_key": args.dir.join("root.key"), "roster_key": args.dir.join("roster.key"),
            "fingerprint": print, "post_quantum": args.post_quantum,
        }));
        return Ok(0);
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
    output::data("Neither key ever leaves this machine. Back the folder up, encrypted.");
    output::data(
        "Hand the card to whoever coordinates, and read them the fingerprint by telephone.",
    );
    output::data("Next, there, with the cards of all holders:");
    output::data(format_args!(
        "  frex federation propose --name {} --threshold K --out root.proposal HOLDER-CARD…",
        args.federation
    ));
    Ok(0)
}
