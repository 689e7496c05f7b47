//! From what a report says to a country: codes that are ISO and codes that are not, calling codes,
//! domains, languages. Each by a table, none by a guess.

use super::Routes;

/// A text that should name a country. Spec: RTE-12.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Named<'a> {
    /// It does.
    Country(&'a str),
    /// It is a code that names none: a proxy, a union, a country that is no more.
    NoCountry,
    /// It is no code that is known.
    NotKnown,
}

impl Routes {
    pub(super) fn country(&self, text: &str) -> Named<'_> {
        let code = text.trim().to_ascii_uppercase();
        if code.is_empty() || self.no_country.contains(&code) {
            return Named::NoCountry;
        }
        let code = self.aliases.get(&code).unwrap_or(&code);
        match self.countries.get(code) {
            Some(country) => Named::Country(country),
            None => Named::NotKnown,
        }
    }

    /// The countries of a number in the international form, by its longest calling code.
    pub(super) fn countries_of_number(&self, digits: &str) -> &[String] {
        let longest = digits.len().min(7);
        let codes = (1..=longest).rev().filter_map(|end| digits.get(..end));
        let mut found = codes.filter_map(|code| self.calling_codes.get(code));
        found.next().map_or(&[], Vec::as_slice)
    }

    /// The country of a domain, if it ends in one's.
    pub(super) fn country_of_domain(&self, domain: &str) -> Option<&str> {
        let domain = domain.trim().trim_end_matches('.').to_ascii_lowercase();
        let (_, last) = domain.rsplit_once('.')?;
        let is_of_one = last.len() == 2 && !self.domains_apart.contains(last);
        match self.country(last) {
            Named::Country(country) if is_of_one => Some(country),
            _ => None,
        }
    }

    /// The country of a language tag: of its region, or where the language is of one country.
    pub(super) fn country_of_language(&self, tag: &str) -> Option<&str> {
        let mut subtags = tag.split('-');
        let language = subtags.next()?.to_ascii_lowercase();
        // What stands behind a single letter is of other matters.
        let regions = subtags.take_while(|one| one.len() > 1);
        let mut regions = regions.filter(|one| one.len() == 2);
        if let Some(region) = regions.next() {
            return match self.country(region) {
                Named::Country(country) => Some(country),
                _ => None,
            };
        }
        self.languages.get(&language).map(String::as_str)
    }
}

/// The host of a location, in whatever form it is written.
pub(super) fn host(url: &str) -> Option<&str> {
    let rest = url.trim().split_once("://")?.1;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    if host.starts_with('[') {
        return None;
    }
    host.split(':').next().filter(|host| !host.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::routing::tables;

    // RTE-12: the form's codes that are not ISO are what they are, and no country is made of them.
    #[test]
    fn codes_name_countries_or_say_that_they_do_not() {
        let routes = &tables().routes;
        for (text, country) in [("NO", "NO"), (" uk ", "GB"), ("EL", "GR"), ("XK", "XK")] {
            assert_eq!(routes.country(text), Named::Country(country), "{text}");
        }
        for text in ["A1", "A2", "AP", "EU", "O1", "", "AN", " "] {
            assert_eq!(routes.country(text), Named::NoCountry, "{text}");
        }
        for text in ["Norway", "N", "QQ", "NOR"] {
            assert_eq!(routes.country(text), Named::NotKnown, "{text}");
        }
    }

    // RTE-12
    #[test]
    fn numbers_domains_and_languages_name_countries_by_their_longest_part() {
        let routes = &tables().routes;
        assert_eq!(routes.countries_of_number("18765550100"), ["JM"]);
        assert_eq!(routes.countries_of_number("12025550100"), ["US", "CA"]);
        assert_eq!(routes.countries_of_number("4700000000"), ["NO"]);
        assert!(routes.countries_of_number("99955001234").is_empty());
        let domain = |text| routes.country_of_domain(text);
        assert_eq!(
            (domain("a.b.co.uk"), domain("x.NO.")),
            (Some("GB"), Some("NO"))
        );
        assert_eq!(
            (domain("x.io"), domain("x.example"), domain("no")),
            (None, None, None)
        );
        let language = |text| routes.country_of_language(text);
        assert_eq!(
            (language("pt-BR"), language("zh-Hant-TW")),
            (Some("BR"), Some("TW"))
        );
        assert_eq!(
            (language("is"), language("en"), language("en-x-us")),
            (Some("IS"), None, None)
        );
        assert_eq!(host("https://u@h.example:8/x"), Some("h.example"));
        assert_eq!((host("no url"), host("http://[::1]/")), (None, None));
    }
}
