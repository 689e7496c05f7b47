//! What recipients need, each by the minimum profile that the roster publishes of it.

use crate::casework::{model, paths};

/// A recipient whose needs are not met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// Who needs it.
    pub member: String,
    /// What is missing, as the profile names it.
    pub fields: Vec<String>,
}

impl Lacking {
    /// Each missing field with the place in a report's JSON where it is added.
    pub fn places(&self) -> impl Iterator<Item = (&str, String)> {
        self.fields.iter().map(|field| {
            let names = model::names_of(field);
            let place = names.first().map_or(field.as_str(), |name| name);
            (field.as_str(), paths::place(place))
        })
    }
}

/// Every recipient whose profile is not met, in the order in which they are named. Spec: RTE-5.
#[must_use]
pub fn lacking<'a>(
    missing: impl Fn(&[String]) -> Vec<String>,
    profiles: impl IntoIterator<Item = (&'a str, &'a [String])>,
) -> Vec<Lacking> {
    let judged = profiles.into_iter().map(|(member, needed)| Lacking {
        member: member.to_owned(),
        fields: missing(needed),
    });
    judged.filter(|one| !one.fields.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-5: every recipient and every field is named, with where it goes.
    #[test]
    fn what_is_missing_is_named_for_each_recipient() {
        let json = br#"{"reference": "A", "reported": [{"screen_name": "x"}]}"#;
        let report = model::Report::from_json_unchecked(json).unwrap().encode();
        let needs: [(&str, Vec<String>); 3] = [
            ("a", vec!["reported.ip_events.at".to_owned()]),
            ("b", vec!["reported".to_owned(), "subjects".to_owned()]),
            ("c", vec!["hashes".to_owned(), "victims".to_owned()]),
        ];
        let needs = needs
            .iter()
            .map(|(member, list)| (*member, list.as_slice()));
        let found = lacking(|needed| model::missing_fields(&report, needed), needs);
        let members: Vec<&str> = found.iter().map(|one| one.member.as_str()).collect();
        assert_eq!(members, ["a", "c"]);
        let places: Vec<_> = found.iter().flat_map(Lacking::places).collect();
        assert_eq!(places[0].1, "reported[0].ip_events[0].at");
        assert_eq!(places[1], ("hashes", "items".to_owned()));
    }
}
