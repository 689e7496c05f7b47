//! One way of writing each identifier: the form in which identifiers are compared.
//!
//! What cannot be written without a guess is refused, for a guess on one side alone is a hit that
//! nobody finds. Spec: DCF-1, DCF-2, DCF-3.

use std::net::IpAddr;

use data_encoding::BASE32;
use frex_proto::limits;
use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::{Timestamp, Unit};
use sha3::{Digest, Sha3_256};

use super::{Identifier, IdentifierError};

mod url;

/// Longest name of an account.
const ACCOUNT_BYTES_MAX: usize = 256;
/// Algorithms whose values are hexadecimal, and how many digits they have.
const HEXADECIMAL: [(&str, usize); 6] = [
    ("md5", 32),
    ("sha1", 40),
    ("sha256", 64),
    ("sha512", 128),
    ("blake3", 64),
    ("pdq", 64),
];

impl Identifier {
    /// Reads an identifier as people write it: a kind, a space, and what belongs to it.
    ///
    /// | kind | what follows |
    /// |---|---|
    /// | `email` | an address |
    /// | `phone` | a number with its country code |
    /// | `account` | the service's domain, and what the service calls the account |
    /// | `username` | the service's domain, and the name that the account shows |
    /// | `ip` | an address, its port if it is known, and when it was used |
    /// | `url` | an address of http or https |
    /// | `onion` | an onion address of version 3 |
    /// | `hash` | an algorithm, and the value |
    ///
    /// # Errors
    /// [`IdentifierError`] names the rule.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        if text.len() > limits::IDENTIFIER_BYTES_MAX {
            return Err(IdentifierError::TooLong);
        }
        if text.chars().any(is_unseen) {
            return Err(IdentifierError::Unseen);
        }
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let kind = words.next().unwrap_or_default();
        let words: Vec<&str> = words.collect();
        let rest = match (kind, &words[..]) {
            // People group the digits of a number as they like.
            ("phone", [_, ..]) => phone(&words.concat())?,
            ("email", [address]) => email(address)?,
            ("account", [service, id]) => format!("{} {}", domain(service)?, account(id)?),
            ("username", [service, name]) => format!("{} {}", domain(service)?, username(name)?),
            ("ip", [address, time]) => format!("{} - {}", ip(address)?, hour(time)?),
            ("ip", [address, number, time]) => {
                format!("{} {} {}", ip(address)?, port(number)?, hour(time)?)
            }
            ("url", [url]) => url::normal(url)?,
            ("onion", [address]) => onion(address)?,
            ("hash", [algorithm, value]) => hash(algorithm, value)?,
            ("phone" | "email" | "account" | "username" | "ip" | "url" | "onion" | "hash", _) => {
                return Err(IdentifierError::Words);
            }
            _ => return Err(IdentifierError::Kind),
        };
        let text = format!("{kind} {rest}");
        match text.len() <= limits::IDENTIFIER_BYTES_MAX {
            true => Ok(Self(text)),
            false => Err(IdentifierError::TooLong),
        }
    }

    /// Whether a text is an identifier as it is compared.
    ///
    /// # Errors
    /// [`IdentifierError`]; what could be written otherwise is refused as well.
    pub fn normal(text: &str) -> Result<Self, IdentifierError> {
        // A normal time names the hour alone, and a normal URL no scheme: nobody writes them so.
        let written = match text.split_once(' ') {
            Some(("ip", rest)) => vec![format!("ip {}:00:00Z", rest.replacen(" - ", " ", 1))],
            Some(("url", rest)) => ["http", "https"]
                .map(|scheme| format!("url {scheme}://{rest}"))
                .to_vec(),
            _ => vec![text.to_owned()],
        };
        let mut fault = IdentifierError::Words;
        for text_written in written {
            match Self::parse(&text_written) {
                Ok(read) if read.0 == text => return Ok(read),
                Ok(_) => {}
                Err(error) => fault = error,
            }
        }
        Err(fault)
    }

    /// What whoever holds this identifier holds with it: of an address with its port the address
    /// alone, which is all that some know. Spec: DCF-3.
    #[must_use]
    pub fn implied(&self) -> Option<Self> {
        let words: Vec<&str> = self.0.split(' ').collect();
        match words[..] {
            ["ip", address, port, hour] if port != "-" => {
                Some(Self(format!("ip {address} - {hour}")))
            }
            _ => None,
        }
    }
}

/// Controls, spaces other than the plain one, and what has no shape of its own.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || (c.is_whitespace() && c != ' ')
        || matches!(c, '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

fn nfc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfc()
        .normalize(text)
        .into_owned()
}

fn nfkc(text: &str) -> String {
    ComposingNormalizerBorrowed::new_nfkc()
        .normalize(text)
        .into_owned()
}

fn email(address: &str) -> Result<String, IdentifierError> {
    let (local, host) = address.split_once('@').ok_or(IdentifierError::Email)?;
    let quoted = local.contains(['"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']);
    if local.is_empty() || host.contains('@') || quoted {
        return Err(IdentifierError::Email);
    }
    Ok(format!(
        "{}@{}",
        nfc(&nfc(local).to_lowercase()),
        domain(host)?
    ))
}

/// A name of the domain name system as it travels there: in lower case, other scripts in ASCII.
fn domain(name: &str) -> Result<String, IdentifierError> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let ascii = idna::domain_to_ascii(name).map_err(|_| IdentifierError::Domain)?;
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte)
            })
    };
    let last = ascii.rsplit('.').next().unwrap_or_default();
    let is_name = ascii.len() <= 253
        && ascii.contains('.')
        && ascii.split('.').all(label)
        && last.bytes().any(|byte| byte.is_ascii_lowercase());
    match is_name {
        true => Ok(ascii),
        false => Err(IdentifierError::Domain),
    }
}

/// E.164.
fn phone(number: &str) -> Result<String, IdentifierError> {
    let number = number.strip_prefix("tel:").unwrap_or(number);
    // The zero that is dialled at home only.
    let number = number.replace("(0)", "");
    let number: String = number
        .chars()
        .filter(|c| !matches!(c, '-' | '.' | '(' | ')' | '/'))
        .collect();
    let digits = number
        .strip_prefix('+')
        .or_else(|| number.strip_prefix("00"))
        .ok_or(IdentifierError::Phone)?;
    let is_number = (7..=15).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0');
    match is_number {
        true => Ok(format!("+{digits}")),
        false => Err(IdentifierError::Phone),
    }
}

/// What a service calls an account: it may tell upper from lower case, so nothing is changed.
fn account(id: &str) -> Result<String, IdentifierError> {
    named(nfc(id))
}

/// What an account shows: nobody tells upper from lower case there.
fn username(name: &str) -> Result<String, IdentifierError> {
    let name = nfkc(&nfkc(name).to_lowercase());
    named(name.trim_start_matches('@').to_owned())
}

fn named(name: String) -> Result<String, IdentifierError> {
    // What another form takes apart may have had a space inside.
    let whole = !name.contains(' ') && !name.chars().any(is_unseen);
    match whole && (1..=ACCOUNT_BYTES_MAX).contains(&name.len()) {
        true => Ok(name),
        false => Err(IdentifierError::Account),
    }
}

/// One text for each address; one of IPv4 inside IPv6 is the former.
fn ip(address: &str) -> Result<IpAddr, IdentifierError> {
    let address: IpAddr = address.parse().map_err(|_| IdentifierError::Address)?;
    Ok(address.to_canonical())
}

fn port(number: &str) -> Result<u16, IdentifierError> {
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    match number.parse() {
        Ok(port) if port > 0 && is_number => Ok(port),
        _ => Err(IdentifierError::Port),
    }
}

/// The hour in which it was, in UTC.
fn hour(time: &str) -> Result<String, IdentifierError> {
    if !is_rfc3339(time.as_bytes()) {
        return Err(IdentifierError::Time);
    }
    let time: Timestamp = time.parse().map_err(|_| IdentifierError::Time)?;
    let rounding = jiff::TimestampRound::new()
        .smallest(Unit::Hour)
        .mode(jiff::RoundMode::Floor);
    let hour = time.round(rounding).map_err(|_| IdentifierError::Time)?;
    let hour = hour.strftime("%Y-%m-%dT%H").to_string();
    // Years of more or other than four digits are no times of this world.
    match hour.len() {
        13 => Ok(hour),
        _ => Err(IdentifierError::Time),
    }
}

/// The library reads other forms of time too, which not everybody does: only the one form is taken, and
/// no second 60.
fn is_rfc3339(time: &[u8]) -> bool {
    let fits = |time: &[u8], form: &[u8]| {
        time.len() == form.len()
            && time.iter().zip(form).all(|(byte, form)| match form {
                b'0' => byte.is_ascii_digit(),
                b'5' => (b'0'..=b'5').contains(byte),
                form => byte == form,
            })
    };
    let Some((seconds, rest)) = time.split_at_checked(19) else {
        return false;
    };
    let fraction = match rest.strip_prefix(b".") {
        Some(rest) => rest.iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    };
    let offset = match (rest.first(), fraction) {
        (Some(b'.'), 1..=9) => &rest[1 + fraction..],
        (Some(b'.'), _) => return false,
        _ => rest,
    };
    let zone = fits(offset, b"Z") || fits(offset, b"+00:50") || fits(offset, b"-00:50");
    fits(seconds, b"0000-00-00T00:50:50") && zone
}

/// An onion address of version 3 without what stands before it.
fn onion(host: &str) -> Result<String, IdentifierError> {
    let host = host.to_ascii_lowercase();
    let name = host.strip_suffix(".onion").ok_or(IdentifierError::Onion)?;
    let name = name.rsplit('.').next().unwrap_or_default();
    let bytes = BASE32
        .decode(name.to_ascii_uppercase().as_bytes())
        .map_err(|_| IdentifierError::Onion)?;
    let [key @ .., first, second, version] = &bytes[..] else {
        return Err(IdentifierError::Onion);
    };
    let mut hasher = Sha3_256::new();
    hasher.update(b".onion checksum");
    hasher.update(key);
    hasher.update([*version]);
    let checksum = hasher.finalize();
    let fits = key.len() == 32 && *version == 3 && checksum[..2] == [*first, *second];
    match fits {
        true => Ok(format!("{name}.onion")),
        false => Err(IdentifierError::Onion),
    }
}

fn hash(algorithm: &str, value: &str) -> Result<String, IdentifierError> {
    let algorithm = algorithm.to_ascii_lowercase();
    let is_name = (1..=32).contains(&algorithm.len())
        && algorithm.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte)
        });
    if !is_name {
        return Err(IdentifierError::Algorithm);
    }
    let known = HEXADECIMAL.iter().find(|(name, _)| *name == algorithm);
    let (value, fits) = match known {
        Some((_, digits)) => {
            let hexadecimal = value.bytes().all(|byte| byte.is_ascii_hexdigit());
            let fits = value.len() == *digits && hexadecimal;
            (value.to_ascii_lowercase(), fits)
        }
        None => {
            let printable = value.bytes().all(|byte| byte.is_ascii_graphic());
            (value.to_owned(), printable)
        }
    };
    match fits {
        true => Ok(format!("{algorithm} {value}")),
        false => Err(IdentifierError::Value),
    }
}
