//! Casework: what members say to each other beyond the report. Nodes never see it.
//!
//! [`deconflict`] asks whether another member holds an identifier, without telling which. Spec: chapter DCF.

pub mod deconflict;

/// The generated messages: how they are said inside.
#[allow(missing_docs, clippy::all, clippy::pedantic)]
pub mod v1 {
    include!("casework/gen/frex.casework.v1.rs");
}
