//! What a report names that can be compared: of people and accounts that are reported, meant or
//! harmed, of channels, places and files. Who only told or saw it is left out. Spec: chapter DCF.

use std::collections::{BTreeMap, BTreeSet};

use super::Identifier;
use crate::casework::{hashes, model::Report, text, v1};

/// A perceptual hash of less quality matches by chance.
const QUALITY_MIN: i32 = 50;

/// What a report names.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// What can be compared, each once.
    pub identifiers: BTreeSet<Identifier>,
    /// How many of each kind are named in a way that cannot.
    pub left_out: BTreeMap<String, usize>,
}

impl Named {
    /// The identifiers and hashes of a report. A text is taken as it is compared (spec MOD-11), and
    /// nothing is guessed: a number without its country, an account whose service is no domain, or
    /// an address without its time is left out.
    #[must_use]
    pub fn of(report: &Report) -> Self {
        let report = report.typed();
        let mut named = Self::default();
        for party in [&report.reported, &report.recipients, &report.victims] {
            party.iter().for_each(|one| named.party(one));
        }
        for kind in report.channels.iter().filter_map(|one| one.kind.as_ref()) {
            named.channel(kind);
        }
        for hosting in &report.hosting {
            named.each("url", &hosting.url);
        }
        report.items.iter().for_each(|one| named.item(one));
        named
    }

    fn party(&mut self, party: &v1::Party) {
        if let Some(person) = &party.person {
            self.reached(&person.emails, &person.phones);
        }
        let services = [&party.platform, &party.esp_service];
        self.account(services, &party.esp_identifier, &party.screen_name);
        self.each("url", &party.profile_urls);
        self.ip_events(&party.ip_events);
        for other in &party.associated_accounts {
            self.reached(&other.emails, &other.phones);
            let platform = other.platform.as_ref().and_then(|one| one.name.clone());
            let services = [&platform, &other.esp_service];
            self.account(services, &other.esp_identifier, &other.screen_name);
            self.each("url", &other.profile_urls);
            self.ip_events(&other.ip_events);
        }
    }

    fn channel(&mut self, kind: &v1::channel::Kind) {
        use v1::channel::Kind;
        match kind {
            Kind::WebPage(one) => self.each("url", &one.urls),
            Kind::Email(one) => self.reached(&one.addresses, &[]),
            Kind::Newsgroup(one) => self.reached(&one.addresses, &[]),
            Kind::Phone(one) => self.reached(&[], one.number.as_slice()),
            Kind::PeerToPeer(one) => self.ip_events(&one.ip_events),
            Kind::Social(one) => self.each("url", &one.urls),
            Kind::Stream(one) => self.each("url", &one.urls),
            Kind::Onion(one) => {
                self.each("onion", &one.address);
                if let (Some(address), Some(path)) = (&one.address, &one.path) {
                    self.add(&["url", &format!("http://{address}{path}")]);
                }
            }
            Kind::Chat(_) | Kind::Game(_) | Kind::Offline(_) | Kind::Payment(_) => {}
        }
    }

    fn item(&mut self, item: &v1::Item) {
        for hash in &item.hashes {
            let algorithm = hash.algorithm.as_deref().unwrap_or_default();
            let value = hash.value.as_deref().unwrap_or_default();
            match hash.quality.is_some_and(|quality| quality < QUALITY_MIN) {
                true => self.leave_out("hash"),
                false => self.add(&["hash", algorithm, value]),
            }
        }
        let pairs = item.metadata.iter().flat_map(|one| &one.pairs);
        for pair in pairs {
            let (Some(name), Some(value)) = (&pair.name, &pair.value) else {
                continue;
            };
            // Of names and values those are hashes whose name is one of the registry.
            if hashes::algorithm(&hashes::id_of(name)).is_some() {
                self.add(&["hash", name, value]);
            }
        }
        self.each("url", &item.location);
        self.ip_events(item.ip_event.as_slice());
    }

    fn reached(&mut self, emails: &[v1::Email], phones: &[v1::Phone]) {
        for email in emails {
            self.each("email", &email.value);
        }
        for phone in phones {
            let value = text::compared(phone.value.as_deref().unwrap_or_default());
            let international = value.starts_with('+') || value.starts_with("00");
            let trunk = value.starts_with('0');
            match &phone.country_calling_code {
                // A number that begins with a zero is dialled otherwise from abroad, but not
                // everywhere: that would be a guess.
                Some(code) if !international && !trunk => self.add(&["phone", code, &value]),
                _ => self.add(&["phone", &value]),
            }
        }
    }

    /// An account at the first of these services that is named by its domain.
    fn account(
        &mut self,
        services: [&Option<String>; 2],
        id: &Option<String>,
        name: &Option<String>,
    ) {
        let mut services = services.into_iter().flatten();
        let service = services.find(|one| text::domain(one).is_some());
        for (kind, named) in [("account", id), ("username", name)] {
            match (service, named) {
                (_, None) => {}
                (None, Some(_)) => self.leave_out(kind),
                (Some(service), Some(named)) => self.add(&[kind, service, named]),
            }
        }
    }

    fn ip_events(&mut self, events: &[v1::IpEvent]) {
        for event in events {
            let address = event.ip_address.as_deref().unwrap_or_default();
            let at = event.at.as_deref().unwrap_or_default();
            match event.port {
                Some(port) => self.add(&["ip", address, &port.to_string(), at]),
                None => self.add(&["ip", address, at]),
            }
        }
    }

    fn each<'a>(&mut self, kind: &str, texts: impl IntoIterator<Item = &'a String>) {
        for text in texts {
            self.add(&[kind, text]);
        }
    }

    fn add(&mut self, words: &[&str]) {
        let words: Vec<String> = words.iter().map(|word| text::compared(word)).collect();
        match Identifier::parse(&words.join(" ")) {
            Ok(identifier) => {
                self.identifiers.insert(identifier);
            }
            Err(_) => self.leave_out(&words[0]),
        }
    }

    fn leave_out(&mut self, kind: &str) {
        *self.left_out.entry(kind.to_owned()).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONION: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion";

    fn of(json: &str) -> Named {
        let report = Report::from_json_unchecked(json.as_bytes());
        Named::of(&report.unwrap_or_else(|errors| panic!("{errors}")))
    }

    fn texts(named: &Named) -> Vec<&str> {
        named.identifiers.iter().map(Identifier::as_str).collect()
    }

    // DCF-1, MOD-10, MOD-11: what a report names is compared as it is everywhere.
    #[test]
    fn what_a_report_names_is_compared_as_everywhere() {
        let named = of(&format!(
            r#"{{"reference": "A", "reported": [{{
                "person": {{"emails": [{{"value": " Sam\u200b@Mail.Example "}}],
                    "phones": [{{"value": "5501 2345", "country_calling_code": "+999"}}]}},
                "platform": "Chat", "esp_service": "chat.example", "esp_identifier": "Ab1",
                "screen_name": "@Sam", "profile_urls": ["https://chat.example/sam#top"],
                "ip_events": [{{"ip_address": "192.0.2.7", "port": 443, "at": "2026-07-01T12:30:00Z"}}]
            }}],
            "victims": [{{"associated_accounts": [{{"platform": {{"name": "game.example"}},
                "screen_name": "kid"}}]}}],
            "witnesses": [{{"person": {{"emails": [{{"value": "witness@mail.example"}}]}}}}],
            "channels": [{{"onion": {{"address": "{ONION}", "path": "/b"}}}}],
            "hosting": [{{"url": "http://host.example"}}],
            "items": [{{"hashes": [{{"algorithm": "SHA-1",
                "value": "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709"}}],
                "metadata": [{{"type": "hash", "pairs": [
                    {{"name": "MD5", "value": "D41D8CD98F00B204E9800998ECF8427E"}},
                    {{"name": "Camera", "value": "of a kind"}}]}}]}}]
            }}"#
        ));
        assert_eq!(
            texts(&named),
            [
                "account chat.example Ab1",
                "email sam@mail.example",
                "hash md5 d41d8cd98f00b204e9800998ecf8427e",
                "hash sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709",
                "ip 192.0.2.7 443 2026-07-01T12",
                &format!("onion {ONION}"),
                "phone +99955012345",
                "url chat.example/sam",
                "url host.example/",
                &format!("url {ONION}/b"),
                "username chat.example sam",
                "username game.example kid",
            ]
        );
        assert!(named.left_out.is_empty());
    }

    // DCF-1: nothing is guessed, and what is left out is counted.
    #[test]
    fn what_would_be_a_guess_is_left_out() {
        let named = of(r#"{"reference": "A", "reported": [{
                "person": {"phones": [{"value": "055012345", "country_calling_code": "+999"},
                    {"value": "5501 2345"}]},
                "esp_service": "Example Chat", "esp_identifier": "1", "screen_name": "two words",
                "ip_events": [{"ip_address": "192.0.2.7"},
                    {"ip_address": "192.0.2.7", "at": "2026-07-01T12:30:00"}]}],
            "items": [{"hashes": [{"algorithm": "pdq", "value": "00", "quality": 12}]}]}"#);
        assert_eq!(texts(&named), [] as [&str; 0]);
        let kinds = [
            ("account", 1),
            ("hash", 1),
            ("ip", 2),
            ("phone", 2),
            ("username", 1),
        ];
        let kinds = kinds.map(|(kind, count)| (kind.to_owned(), count));
        assert_eq!(named.left_out, BTreeMap::from(kinds));
    }
}
