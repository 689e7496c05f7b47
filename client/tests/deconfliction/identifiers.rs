//! Identifiers as people write them, and what is compared of them.

use super::Vector;

const ONION: &str = "pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd";

/// Name, text, and what must come of it: `ok`, or the name of the fault.
const CASES: [(&str, &str, &str); 83] = [
    ("email", "email Some.One@Mail.Example", "ok"),
    ("email-spaces", "  email   a@b.example  ", "ok"),
    ("email-tag", "email a+news@b.example", "ok"),
    ("email-idn", "email a@Bücher.example", "ok"),
    ("email-root-dot", "email a@b.example.", "ok"),
    ("email-decomposed", "email Rene\u{301}@b.example", "ok"),
    ("phone", "phone +999 55 01 23 45", "ok"),
    ("phone-written", "phone tel:+999-(0)55.01/23-45", "ok"),
    ("phone-double-zero", "phone 0099955012345", "ok"),
    ("account", "account Chat.Example AbC-123", "ok"),
    ("username", "username chat.example @Some_One", "ok"),
    ("username-wide", "username chat.example Ｓｏｍｅ", "ok"),
    ("ip", "ip 192.0.2.7 443 2026-11-26T22:15:59Z", "ok"),
    (
        "ip-offset",
        "ip 192.0.2.7 443 2026-11-27T00:15:00.250+02:00",
        "ok",
    ),
    (
        "ip-alone",
        "ip 198.51.100.9 2026-02-28T23:59:59-01:00",
        "ok",
    ),
    ("ip-six", "ip 2001:0DB8:0:0::1 2026-11-26T22:00:00Z", "ok"),
    (
        "ip-mapped",
        "ip ::ffff:192.0.2.7 443 2026-11-26T22:00:00Z",
        "ok",
    ),
    ("url", "url https://Example.org/a/B?q=1", "ok"),
    ("url-plain", "url HTTP://example.org", "ok"),
    ("url-usual-port", "url https://example.org:443/", "ok"),
    ("url-other-port", "url http://example.org:443/", "ok"),
    (
        "url-detours",
        "url https://example.org/a/./b/../../c/.",
        "ok",
    ),
    (
        "url-escapes",
        "url https://example.org/%7ea%2fb%c3%a9",
        "ok",
    ),
    ("url-letters", "url https://example.org/é|<>", "ok"),
    ("url-fragment", "url https://example.org/a?#part", "ok"),
    ("url-ip", "url http://192.0.2.7:8080/x", "ok"),
    ("url-six", "url http://[2001:DB8:0::1]/x", "ok"),
    (
        "onion",
        "onion PG6MMJIYJMCRSSLVYKFWNNTLARU7P5SVN6Y2YMMJU6NUBXNDF4PSCRYD.onion",
        "ok",
    ),
    (
        "onion-below",
        "onion www.pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
        "ok",
    ),
    (
        "url-onion",
        "url http://pg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion/a",
        "ok",
    ),
    (
        "hash-md5",
        "hash MD5 D41D8CD98F00B204E9800998ECF8427E",
        "ok",
    ),
    ("hash-other", "hash netclean AbC+/=", "ok"),
    ("hash-later", "hash TMK+Later AbC", "ok"),
    ("hash-own", "hash X-Mine 1:2:3", "ok"),
    ("kind-none", "", "Kind"),
    ("kind-unknown", "passport X1234567", "Kind"),
    ("kind-upper", "Email a@b.example", "Kind"),
    ("words-none", "email", "Words"),
    ("words-many", "email a@b.example c@d.example", "Words"),
    ("words-account", "account chat.example", "Words"),
    ("words-ip", "ip 192.0.2.7", "Words"),
    ("words-hash", "hash md5", "Words"),
    ("unseen-zero-width", "email a\u{200b}@b.example", "Unseen"),
    ("unseen-tab", "email\ta@b.example", "Unseen"),
    ("unseen-line", "email a@b.example\n", "Unseen"),
    ("unseen-space", "phone +999\u{a0}55012345", "Unseen"),
    (
        "unseen-reversed",
        "username chat.example a\u{202e}b",
        "Unseen",
    ),
    ("unseen-mark", "username chat.example a\u{61c}b", "Unseen"),
    ("unseen-hyphen", "username chat.example a\u{ad}b", "Unseen"),
    ("email-no-at", "email b.example", "Email"),
    ("email-two-ats", "email a@b@c.example", "Email"),
    ("email-no-name", "email @b.example", "Email"),
    ("email-quoted", "email \"a\"@b.example", "Email"),
    ("domain-none", "email a@", "Domain"),
    ("domain-one-label", "email a@localhost", "Domain"),
    ("domain-number", "email a@192.0.2.7", "Domain"),
    ("domain-hyphen", "email a@-b.example", "Domain"),
    ("domain-empty-label", "email a@b..example", "Domain"),
    ("domain-letter", "account chat_example!.example 1", "Domain"),
    ("phone-national", "phone 055012345", "Phone"),
    ("phone-short", "phone +999550", "Phone"),
    ("phone-long", "phone +9995501234567890", "Phone"),
    ("phone-letters", "phone +999-CALL-NOW", "Phone"),
    ("phone-extension", "phone +99955012345x12", "Phone"),
    ("phone-zero", "phone +0995501234", "Phone"),
    ("account-only-at", "username chat.example @", "Account"),
    (
        "address-zeros",
        "ip 192.0.2.007 2026-11-26T22:00:00Z",
        "Address",
    ),
    (
        "address-zone",
        "ip fe80::1%eth0 2026-11-26T22:00:00Z",
        "Address",
    ),
    (
        "address-name",
        "ip host.example 2026-11-26T22:00:00Z",
        "Address",
    ),
    ("port-zero", "ip 192.0.2.7 0 2026-11-26T22:00:00Z", "Port"),
    (
        "port-large",
        "ip 192.0.2.7 65536 2026-11-26T22:00:00Z",
        "Port",
    ),
    (
        "port-sign",
        "ip 192.0.2.7 +443 2026-11-26T22:00:00Z",
        "Port",
    ),
    (
        "time-no-offset",
        "ip 192.0.2.7 443 2026-11-26T22:00:00",
        "Time",
    ),
    (
        "time-no-day",
        "ip 192.0.2.7 443 2026-02-30T22:00:00Z",
        "Time",
    ),
    ("time-date", "ip 192.0.2.7 443 2026-11-26", "Time"),
    ("url-scheme", "url ftp://example.org/a", "Url"),
    ("url-relative", "url example.org/a", "Url"),
    ("url-user", "url https://a:b@example.org/", "Url"),
    ("url-backslash", "url https://example.org\\a", "Url"),
    ("url-escape-cut", "url https://example.org/%4", "Url"),
    ("url-port", "url https://example.org:65536/", "Url"),
    (
        "onion-mistyped",
        "onion qg6mmjiyjmcrsslvykfwnntlaru7p5svn6y2ymmju6nubxndf4pscryd.onion",
        "Onion",
    ),
    ("onion-two", "onion expyuzz4wqqyqhjn.onion", "Onion"),
];
const HASHES: [(&str, &str, &str); 6] = [
    (
        "hash-by-another-name",
        "hash SHA-1 DA39A3EE5E6B4B0D3255BFEF95601890AFD80709",
        "ok",
    ),
    ("algorithm", "hash x- 00", "Algorithm"),
    ("algorithm-own", "hash x-mine/2 00", "Algorithm"),
    ("value-short", "hash sha1 da39a3ee", "Value"),
    (
        "value-letters",
        "hash md5 g41d8cd98f00b204e9800998ecf8427e",
        "Value",
    ),
    ("value-photodna", "hash photodna AbC+/=", "Value"),
];

pub fn make() -> Vec<Vector> {
    let mut made: Vec<Vector> = CASES
        .iter()
        .chain(&HASHES)
        .map(|(name, text, expect)| {
            let what = match *expect {
                "ok" => "an identifier as it is compared",
                _ => "what cannot be written in one way only is refused",
            };
            let spec = if name.starts_with("url") {
                "DCF-2"
            } else {
                "DCF-1"
            };
            Vector::new(
                &format!("identifier-{name}"),
                spec,
                what,
                "normalise_identifier",
            )
            .set("text", *text)
            .expect(expect)
        })
        .collect();
    let long = [
        (
            "too-long",
            format!("url https://example.org/{}", "a".repeat(4100)),
            "TooLong",
        ),
        (
            "grows-too-long",
            format!("url https://example.org/{}", "é".repeat(1500)),
            "TooLong",
        ),
        (
            "account-long",
            format!("account chat.example {}", "a".repeat(257)),
            "Account",
        ),
        (
            "value-photodna-144",
            format!("hash PDNA {}", "AAAA".repeat(48)),
            "ok",
        ),
        (
            "label-long",
            format!("email a@{}.example", "b".repeat(64)),
            "Domain",
        ),
        (
            "onion-below-url",
            format!("url http://{}.onion/", ONION.replace('p', "q")),
            "Onion",
        ),
    ];
    for (name, text, expect) in long {
        let name = format!("identifier-{name}");
        let what = "what is too long or mistyped is refused";
        let spec = if expect == "TooLong" {
            "LIM-136"
        } else {
            "DCF-1"
        };
        let vector = Vector::new(&name, spec, what, "normalise_identifier");
        made.push(vector.set("text", text).expect(expect));
    }
    made
}
