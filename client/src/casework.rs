//! Casework: what members say about a report once it is there, and by when. Nodes never see it.
//!
//! [`case`] folds the messages of a case into one timeline with its threads and deadlines; [`clock`]
//! is the table of clocks and counts by it. Spec: chapter CSE.

pub mod case;
pub mod clock;

/// The generated messages: how they are said inside.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    include!("casework/gen/frex.casework.v1.rs");
}
