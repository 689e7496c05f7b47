//! A report of CyberTipline documents: one `<report>`, and a `<fileDetails>` for each file.
//! Spec: MOD-4, MOD-7.

use prost_reflect::Value;
use ring::digest;

use super::Report;
use crate::casework::{
    cybertip::{self, Form, ImportError},
    v1,
};

/// What a CyberTipline document does not say of itself.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The sender's name for the case; none: one made of the document's hash.
    pub reference: Option<String>,
    /// When it is made, RFC 3339 with an offset.
    pub created: String,
}

/// A report that was read, and what is to be known of it.
#[derive(Debug)]
pub struct Imported {
    /// The report.
    pub report: Report,
    /// Elements, attributes and spellings that have no field and stand in the residue.
    pub kept_beside: usize,
    /// Where in the documents they stand, as in `victim[1]/email[0]`; of the root the empty text.
    pub places: Vec<String>,
}

/// Reads a report and the details of its files. Whatever a document says can be written again as
/// it came: what could not is refused.
///
/// # Errors
/// [`ImportError`], and which of the files it is about: none is the report itself.
pub fn import(
    report: &[u8],
    files: &[Vec<u8>],
    origin: &Origin,
) -> Result<Imported, (Option<usize>, ImportError)> {
    let mut message = cybertip::read(Form::Report, report).map_err(|error| (None, error))?;
    let mut items = Vec::new();
    for (at, file) in files.iter().enumerate() {
        let item = cybertip::read(Form::FileDetails, file).map_err(|error| (Some(at), error))?;
        items.push(Value::Message(item));
    }
    let reference = origin.reference.clone().unwrap_or_else(|| {
        let hash = digest::digest(&digest::SHA256, report);
        format!("tip-{}", hex::encode(&hash.as_ref()[..8]))
    });
    message.set_field_by_name("reference", Value::String(reference));
    message.set_field_by_name("created", Value::String(origin.created.clone()));
    if !items.is_empty() {
        message.set_field_by_name("items", Value::List(items));
    }
    let mut report = Report(message);
    report.say_urgency();
    let (kept_beside, places) = report.kept_beside();
    Ok(Imported {
        report,
        kept_beside,
        places,
    })
}

impl Report {
    /// Says for those who do not know CyberTipline's form that it cannot wait. Spec: MOD-14.
    fn say_urgency(&mut self) {
        let typed = self.typed();
        let escalation = typed.incident.and_then(|incident| incident.escalation);
        let Some(reason) = escalation.filter(|reason| !reason.trim().is_empty()) else {
            return;
        };
        let urgency = v1::Urgency {
            level: Some(v1::Level::High.into()),
            reason: Some(reason),
            until: None,
        };
        cybertip::set(&mut self.0, "urgency", &urgency, "Urgency");
    }

    /// How much the residues hold, and where it stands.
    fn kept_beside(&self) -> (usize, Vec<String>) {
        let typed = self.typed();
        let items = typed.items.iter().filter_map(|item| item.residue.as_ref());
        let places = items.chain(&typed.residue).flat_map(|left| &left.places);
        let count = |place: &v1::Place| {
            let pieces = usize::from(!place.pieces.is_empty());
            place.attributes.len() + usize::from(place.text.is_some()) + pieces
        };
        let held = places.map(|place| (count(place), place.path.clone().unwrap_or_default()));
        let held: Vec<_> = held.filter(|(count, _)| *count > 0).collect();
        let kept = held.iter().map(|(count, _)| count).sum();
        (kept, held.into_iter().map(|(_, path)| path).collect())
    }
}
