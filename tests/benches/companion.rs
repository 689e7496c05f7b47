//! What a companion costs: signing and verifying with and without one, and the ratio; of an object by
//! ML-DSA-65, of a log's head, which a node signs once for each batch of entries, by ML-DSA-44.
//!
//! `cargo bench -p frex-tests --bench companion`. Medians of one object at a time; a batch of 64
//! pays once.

use std::{hint::black_box, time::Instant};

use bytes::Bytes;
use frex_proto::{
    keys::{CompanionKind, SigningKey},
    label,
    log::{Checkpoint, LogVerifier, checkpoint},
    sign, v1,
};
use prost::Message;

/// Bytes of a manifest for two recipients.
const PAYLOAD_BYTES: usize = 420;
/// An odd number, so that there is a middle one.
const ROUNDS: usize = 301;

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` starts benchmarks too, without this word.
    if !std::env::args().any(|word| word == "--bench") {
        return Ok(());
    }
    let bare = SigningKey::from_seed(&[1; 32]);
    let paired = SigningKey::from_seed(&[2; 32]).with_companion(&[3; 32]);
    print("object", [measure(&bare)?, measure(&paired)?]);
    let paired = bare
        .clone()
        .with_companion_of(CompanionKind::Heads, &[3; 32]);
    print("head", [measure_head(&bare)?, measure_head(&paired)?]);
    Ok(())
}

fn print(what: &str, figures: [Figures; 2]) {
    println!("{what}");
    for (
        name,
        Figures {
            sign_us,
            verify_us,
            bytes,
        },
    ) in ["without", "with"].iter().zip(&figures)
    {
        println!(
            "{name:<8} sign {sign_us:>7.1} us   verify {verify_us:>7.1} us   signed {bytes} bytes"
        );
    }
    let [bare, paired] = figures;
    println!(
        "ratio    sign {:.1}   verify {:.1}",
        paired.sign_us / bare.sign_us,
        paired.verify_us / bare.verify_us
    );
}

struct Figures {
    sign_us: f64,
    verify_us: f64,
    bytes: usize,
}

/// Every round signs another payload: how often ML-DSA starts again depends on it.
fn measure(key: &SigningKey) -> anyhow::Result<Figures> {
    let keys = [key.verifying_key()];
    let (mut signing, mut verifying, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let mut payload = vec![0; PAYLOAD_BYTES];
        payload[..8].copy_from_slice(&(round as u64).to_be_bytes());
        let payload = Bytes::from(payload);
        let started = Instant::now();
        let signed: v1::Signed = sign::sign(label::TYPE_MANIFEST, payload, &[key])?;
        signing.push(started.elapsed());
        let started = Instant::now();
        black_box(sign::verify(&signed, label::TYPE_MANIFEST, &keys, 1)?);
        verifying.push(started.elapsed());
        bytes = signed.encoded_len();
    }
    Ok(Figures {
        sign_us: median_us(signing),
        verify_us: median_us(verifying),
        bytes,
    })
}

/// As [`measure`], a head of another size in every round.
fn measure_head(key: &SigningKey) -> anyhow::Result<Figures> {
    let origin = "frex/example/node.example/log/1".to_owned();
    let log = LogVerifier::new(origin.clone(), key.verifying_key());
    let (mut signing, mut verifying, mut bytes) = (Vec::new(), Vec::new(), 0);
    for round in 0..ROUNDS {
        let head = Checkpoint {
            origin: origin.clone(),
            size: 1 + round as u64,
            root: [7; 32],
        };
        let started = Instant::now();
        let note = checkpoint::sign(&head, key)?;
        signing.push(started.elapsed());
        let started = Instant::now();
        black_box(checkpoint::parse_and_verify(&note, &log, 0)?);
        verifying.push(started.elapsed());
        bytes = note.len();
    }
    Ok(Figures {
        sign_us: median_us(signing),
        verify_us: median_us(verifying),
        bytes,
    })
}

fn median_us(mut times: Vec<std::time::Duration>) -> f64 {
    times.sort_unstable();
    times[ROUNDS / 2].as_secs_f64() * 1e6
}
