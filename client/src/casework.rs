//! What members say about cases, inside what is sealed, and what is counted of them.

pub mod statistics;
