//! Publishes a made-up log of 70,000 entries, with everything that other programs verify about it.
//!
//! `cargo run -p frex-tests --example made_log -- DIR`, for `tests/third_party/run`. All of it is made
//! by what a node makes it with: its publisher, its proofs, its witnesses' signatures.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use frex_proto::{
    keys::SigningKey,
    log::{self, AddCheckpoint, TlogProof, WitnessVerifier, cosignature},
};
use frex_tests::published::MadeLog;

const TIME_MS: u64 = 1_800_000_000_000;
/// Entries of the earlier head, and those that came later: tiles of three levels.
const ENTRIES: [u64; 2] = [66_000, 4_000];
/// Entries that are proved: at the edges of tiles and elsewhere.
const PROVED: [u64; 6] = [0, 255, 256, 65_535, 65_536, 69_999];

fn main() -> anyhow::Result<()> {
    let out = std::env::args().nth(1).context("name a folder")?;
    let out = Path::new(&out);
    ensure!(!out.exists(), "{} exists already", out.display());
    let mut log = MadeLog::new(out)?;
    log.grow(ENTRIES[0], TIME_MS)?;
    let earlier = log.publisher().checkpoint();
    log.grow(ENTRIES[1], TIME_MS + ENTRIES[0])?;
    let size = log.publisher().size();
    let hashes = log.publisher().consistency_proof(ENTRIES[0], size)?;

    let mut witnesses = String::new();
    let mut note = log.publisher().checkpoint();
    for (number, time_s) in [(1_u8, 1_800_000_001), (2, 1_800_000_002)] {
        let key = SigningKey::from_seed(&[number; 32]);
        let node = format!("node.witness-{number}");
        let name = log::witness_name("example", &node, 1);
        note = cosignature::cosign(&note, &name, &key, time_s)?;
        let vkey = WitnessVerifier::new(name, key.verifying_key()).vkey();
        witnesses.push_str(&format!("{vkey}\n"));
    }
    log.publisher().put_witnessed(&note)?;

    fs::create_dir_all(out.join("proofs"))?;
    for index in PROVED {
        let proof = TlogProof {
            extra: None,
            index,
            hashes: log.publisher().inclusion_proof(index, size)?,
            checkpoint: note.clone(),
        };
        let name = out.join(format!("proofs/{index}"));
        fs::write(name.with_extension("tlog-proof"), proof.to_text()?)?;
        fs::write(name.with_extension("leaf"), log.publisher().entry(index)?)?;
    }
    let extended = AddCheckpoint {
        old_size: ENTRIES[0],
        proof: hashes,
        checkpoint: note,
    };
    fs::write(out.join("earlier.checkpoint"), &earlier)?;
    fs::write(out.join("extended.add-checkpoint"), extended.to_body())?;
    fs::write(out.join("log.vkey"), log.vkey() + "\n")?;
    fs::write(out.join("witnesses.vkey"), witnesses)?;
    println!("{size} entries in {}", out.display());
    Ok(())
}
