//! Vectors of chapter DCF, in `spec/vectors/deconfliction`.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test deconfliction` writes them anew from fixed seeds.
#![allow(clippy::unwrap_used, missing_docs)]

mod identifiers;
mod make;
mod replay;
#[path = "../vector/mod.rs"]
mod vector;

use vector::Vector;

impl Vector {
    fn hex(self, name: &'static str, bytes: impl AsRef<[u8]>) -> Self {
        self.set(name, hex::encode(bytes))
    }

    fn hexes(self, name: &'static str, list: impl IntoIterator<Item: AsRef<[u8]>>) -> Self {
        let list: Vec<String> = list.into_iter().map(hex::encode).collect();
        self.set(name, list)
    }

    fn expect(self, name: &str) -> Self {
        self.set("expect", name)
    }
}

fn all() -> Vec<Vector> {
    let made = [identifiers::make(), make::make()];
    made.into_iter().flatten().collect()
}

#[test]
fn every_vector_comes_out_as_it_says() {
    vector::check("deconfliction", all, |inputs| replay::run(inputs).map(Some));
}
