//! Made-up reports, different from each other and the same at every run.

use rand_chacha::{
    ChaCha20Rng,
    rand_core::{Rng, SeedableRng},
};
use serde_json::{Value, json};

const SEED: u64 = 2026;
const COUNTRIES: [&str; 8] = ["NO", "ES", "FR", "DE", "NL", "US", "PH", "RO"];
const WORDS: [&str; 12] = [
    "account",
    "closed",
    "message",
    "page",
    "reported",
    "member",
    "public",
    "moderator",
    "confirmed",
    "text",
    "conversation",
    "profile",
];

/// Makes one after another.
pub struct Reports {
    rng: ChaCha20Rng,
    number: usize,
}

impl Reports {
    /// From the first on.
    pub fn new() -> Self {
        let (rng, number) = (ChaCha20Rng::seed_from_u64(SEED), 0);
        Self { rng, number }
    }

    /// The reference of the next report and its JSON, of 1 to 4 KiB.
    pub fn next(&mut self) -> (String, Vec<u8>) {
        self.number += 1;
        let reference = format!("W-{:08}", self.number);
        let urls: Vec<Value> = (0..1 + self.below(6))
            .map(|_| json!({ "url": format!("https://host-{}.example/{:016x}", self.below(500), self.rng.next_u64()) }))
            .collect();
        let hashes: Vec<Value> = (0..self.below(8)).map(|_| self.hash()).collect();
        let words = 20 + self.below(150);
        let description: Vec<&str> = (0..words).map(|_| self.pick(&WORDS)).collect();
        let report = json!({
            "reference": reference, "created": "2026-07-01T12:00:00Z", "language": "en",
            "categories": [{ "scheme": "example", "version": "1", "code": "synthetic" }],
            "description": description.join(" "), "urls": urls, "hashes": hashes,
            "jurisdictions": [{ "country": self.pick(&COUNTRIES), "basis": "hosting" }],
        });
        (reference, report.to_string().into_bytes())
    }

    fn hash(&mut self) -> Value {
        let mut bytes = [0; 32];
        self.rng.fill_bytes(&mut bytes);
        json!({ "algorithm": "sha256", "value": hex::encode(bytes) })
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u32()).unwrap_or_default() % bound
    }

    fn pick(&mut self, list: &[&'static str]) -> &'static str {
        list[self.below(list.len())]
    }
}
