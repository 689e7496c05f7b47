//! What benchmarks share: nodes in processes of their own, and what these cost.

pub mod roles;
pub mod scene;
