//! Vectors of figures, in `spec/vectors/statistics`.
//!
//! `FREX_REGENERATE=1 cargo test -p frex-client --test statistics` writes them anew.
#![allow(clippy::unwrap_used, missing_docs)]

mod facts;
mod replay;
mod tables;
#[path = "../vector/mod.rs"]
mod vector;

use serde_json::Value;

/// A vector that may be like another but for what is set again.
pub struct Vector(vector::Vector);

impl Vector {
    pub fn new(name: &str, spec: &str, what: &str, op: &str) -> Self {
        Self(vector::Vector::new(name, spec, what, op))
    }

    pub fn set(mut self, field: &'static str, value: impl Into<Value>) -> Self {
        self.0.fields.retain(|(name, _)| *name != field);
        Self(self.0.set(field, value))
    }
}

/// Each with its fields in the order of their names.
fn make() -> Vec<vector::Vector> {
    let made = [facts::make(), tables::make()].into_iter().flatten();
    let sorted = |Vector(mut vector): Vector| {
        vector.fields.sort_by_key(|(name, _)| *name);
        vector
    };
    made.map(sorted).collect()
}

#[test]
fn every_vector_of_figures_comes_out_as_it_says() {
    vector::check("statistics", make, replay::run);
}
