//! The identifiers and hashes of a report, each in one form, so that two reports can be compared.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::casework::paths;

/// Parties of a report, and the paths of what is compared of each.
const PARTIES: [&str; 3] = ["reported", "recipients", "victims"];
/// Digits that a telephone number has at least.
const DIGITS_MIN: usize = 5;
/// Letters of a time up to its hour.
const HOUR: usize = 13;

/// All that is compared of a report. Nothing of it is kept as it stands. Spec: RTE-7.
#[must_use]
pub fn tokens(view: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for party in PARTIES {
        paths::each_entry(view, party, &mut |one| of_party(one, &mut found));
    }
    paths::each_entry(view, "channels", &mut |one| of_channel(one, &mut found));
    for path in ["hosting.url", "items.location"] {
        paths::each(view, path, &mut |one| location(one, &mut found));
    }
    paths::each_entry(view, "items.hashes", &mut |one| {
        if let (Some(algorithm), Some(value)) = (text(one, "algorithm"), text(one, "value")) {
            found.insert(format!("hash {}:{}", lower(algorithm), lower(value)));
        }
    });
    paths::each_entry(view, "items.ip_event", &mut |one| ip(one, &mut found));
    found
}

fn of_party(party: &Value, found: &mut BTreeSet<String>) {
    of_account(party, found);
    paths::each_entry(party, "associated_accounts", &mut |one| {
        of_account(one, found);
    });
    paths::each_entry(party, "person.emails", &mut |one| email(one, found));
    paths::each_entry(party, "person.phones", &mut |one| phone(one, found));
    paths::each_entry(party, "payment_accounts", &mut |one| payment(one, found));
}

fn of_account(account: &Value, found: &mut BTreeSet<String>) {
    let service = lower(text(account, "esp_service").unwrap_or_default());
    if let Some(id) = text(account, "esp_identifier") {
        found.insert(format!("account {service}|{id}"));
    }
    if let Some(name) = text(account, "screen_name") {
        found.insert(format!("name {service}|{}", lower(name)));
    }
    paths::each_entry(account, "profile_urls", &mut |one| location(one, found));
    paths::each_entry(account, "emails", &mut |one| email(one, found));
    paths::each_entry(account, "phones", &mut |one| phone(one, found));
    paths::each_entry(account, "ip_events", &mut |one| ip(one, found));
    paths::each_entry(account, "devices", &mut |one| {
        if let (Some(kind), Some(value)) = (text(one, "id_type"), text(one, "id_value")) {
            found.insert(format!("device {}|{value}", lower(kind)));
        }
    });
}

fn of_channel(channel: &Value, found: &mut BTreeSet<String>) {
    for path in ["web_page.urls", "social.urls", "stream.urls"] {
        paths::each_entry(channel, path, &mut |one| location(one, found));
    }
    for path in ["email.addresses", "newsgroup.addresses"] {
        paths::each_entry(channel, path, &mut |one| email(one, found));
    }
    paths::each(channel, "phone.number", &mut |one| phone(one, found));
    paths::each_entry(channel, "peer_to_peer.ip_events", &mut |one| ip(one, found));
    paths::each(channel, "onion.address", &mut |one| {
        if let Some(address) = one.as_str() {
            found.insert(format!("onion {}", lower(address.trim())));
        }
    });
    for path in ["payment.payer", "payment.payee"] {
        paths::each(channel, path, &mut |one| payment(one, found));
    }
}

fn email(one: &Value, found: &mut BTreeSet<String>) {
    if let Some(address) = text(one, "value") {
        found.insert(format!("email {}", lower(address)));
    }
}

fn phone(one: &Value, found: &mut BTreeSet<String>) {
    let Some(value) = text(one, "value") else {
        return;
    };
    let code = text(one, "country_calling_code").unwrap_or_default();
    let digits = number(value, code);
    if digits.len() >= DIGITS_MIN {
        found.insert(format!("phone {digits}"));
    }
}

/// The digits of a number, in the international form where that is known.
pub(in crate::casework) fn number(value: &str, code: &str) -> String {
    let digits = |text: &str| -> String { text.chars().filter(char::is_ascii_digit).collect() };
    let plain = digits(value);
    if value.starts_with('+') {
        return plain;
    }
    match plain.strip_prefix("00") {
        Some(rest) => rest.to_owned(),
        None => digits(code) + &plain,
    }
}

fn ip(event: &Value, found: &mut BTreeSet<String>) {
    let Some(address) = text(event, "ip_address") else {
        return;
    };
    let port = event["port"].as_u64().unwrap_or_default();
    let at = text(event, "at").unwrap_or_default();
    let hour: String = at.chars().take(HOUR).collect();
    found.insert(format!("ip {}|{port}|{hour}", lower(address)));
}

fn payment(account: &Value, found: &mut BTreeSet<String>) {
    if let Some(name) = text(account, "account") {
        let provider = lower(text(account, "provider").unwrap_or_default());
        found.insert(format!("payment {provider}|{name}"));
    }
}

/// A location without its scheme, fragment and last slash, the host in lower case.
fn location(one: &Value, found: &mut BTreeSet<String>) {
    let Some(url) = one.as_str().map(str::trim) else {
        return;
    };
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, tail) = rest.split_at(end);
    let whole = format!("{}{tail}", lower(host));
    let whole = whole.strip_suffix('/').unwrap_or(&whole);
    if !whole.is_empty() {
        found.insert(format!("url {whole}"));
    }
}

fn text<'a>(one: &'a Value, name: &str) -> Option<&'a str> {
    let text = one.get(name)?.as_str()?.trim();
    Some(text).filter(|text| !text.is_empty())
}

fn lower(text: &str) -> String {
    text.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // RTE-7: the same thing written otherwise is the same token.
    #[test]
    fn what_is_the_same_is_compared_as_the_same() {
        let first = json!({
            "reported": [{"esp_identifier": "77", "esp_service": "Chat.Example", "person": {
                "emails": [{"value": " Sam@Mail.Example "}],
                "phones": [{"value": "0100 4711", "country_calling_code": "+999"}]}}],
            "hosting": [{"url": "HTTPS://Example.org/a/#x"}],
            "items": [{"hashes": [{"algorithm": "MD5", "value": "AA"}]}],
        });
        let second = json!({
            "reported": [{"esp_identifier": "77", "esp_service": "chat.example", "person": {
                "emails": [{"value": "sam@mail.example"}], "phones": [{"value": "+999 01004711"}]}}],
            "channels": [{"web_page": {"urls": ["http://example.org/a"]}}],
            "items": [{"hashes": [{"algorithm": "md5", "value": "aa"}]}],
            "description": "in other words",
        });
        assert_eq!(tokens(&first), tokens(&second));
        assert_eq!(tokens(&first).len(), 5);
        assert!(tokens(&json!({"description": "words", "reference": "A"})).is_empty());
    }
}
