//! What people see of a case: the report, its life, its figures. All of it is sealed; nodes never
//! see it.
//!
//! [`v1`] is generated from `schema/frex/casework/v1`; [`schema`] is that schema as data, by which
//! everything else works without lists of fields: [`model`] reads, checks and shows a report,
//! [`cybertip`] carries a CyberTipline document in it without loss, [`xml`] is the tree under
//! that, [`hashes`] the registry of hash algorithms, [`text`] what is compared of a text. [`case`]
//! folds what members say of a report into one timeline with its threads and deadlines, [`clock`]
//! counts by the table of clocks; [`statistics`] is what is counted of cases;
//! [`deconflict`] asks whether another member holds an identifier, without telling which; [`quality`]
//! is how much a report says, [`routing`] to whom it goes and why.

pub mod case;
pub mod clock;
pub mod cybertip;
pub mod deconflict;
pub mod hashes;
pub mod model;
pub mod paths;
pub mod quality;
pub mod routing;
pub mod schema;
pub mod statistics;
pub mod text;
pub mod xml;

/// The messages, generated from `schema/frex/casework/v1`. They drop what they do not know:
/// [`model::Report`] keeps it.
#[allow(missing_docs, clippy::all, clippy::pedantic, rustdoc::all)]
#[rustfmt::skip]
#[path = "casework/gen/frex.casework.v1.rs"]
pub mod v1;
