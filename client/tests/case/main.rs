//! Vectors of cases, in `spec/vectors/case`.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test case` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod clocks;
mod ends;
mod folds;
mod messages;
mod replay;
#[path = "../vector/mod.rs"]
mod vector;

use vector::Vector;

fn make() -> Vec<Vector> {
    let made = [
        messages::make(),
        clocks::make(),
        folds::make(),
        ends::make(),
    ];
    made.into_iter().flatten().collect()
}

#[test]
fn every_vector_comes_out_as_it_says() {
    vector::check("case", make, |inputs| replay::run(inputs).map(Some));
}
