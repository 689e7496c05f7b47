//! One way of writing each identifier: the form in which identifiers are compared.
//!
//! What cannot be written without a guess is refused, for a guess on one side alone is a hit that
//! nobody finds. Spec: DCF-1, DCF-2, DCF-3.

use std::net::IpAddr;

use frex_proto::limits;
use icu_normalizer::ComposingNormalizerBorrowed;
use jiff::{Timestamp, Unit};

use super::{Identifier, IdentifierError};
use crate::{
    casework::{
        hashes,
        text::{self, LocationError, composed},
    },
    report::format::is_rfc3339,
};

/// Longest name of an account.
const ACCOUNT_BYTES_MAX: usize = 256;

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
            ("url", [url]) => location(url)?,
            ("onion", [address]) => {
                text::onion_below(address).map_err(|_| IdentifierError::Onion)?
            }
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

/// What nobody sees, and spaces other than the plain one.
fn is_unseen(c: char) -> bool {
    text::is_hidden(c) || (c.is_whitespace() && c != ' ')
}

fn compatible(text: &str) -> String {
    let form = ComposingNormalizerBorrowed::new_nfkc();
    form.normalize(text).into_owned()
}

fn email(address: &str) -> Result<String, IdentifierError> {
    let (local, host) = address.split_once('@').ok_or(IdentifierError::Email)?;
    let quoted = local.contains(['"', '(', ')', '<', '>', ',', ';', ':', '\\', '[', ']']);
    if local.is_empty() || host.contains('@') || quoted {
        return Err(IdentifierError::Email);
    }
    Ok(format!(
        "{}@{}",
        composed(&composed(local).to_lowercase()),
        domain(host)?
    ))
}

fn domain(name: &str) -> Result<String, IdentifierError> {
    text::domain(name).ok_or(IdentifierError::Domain)
}

fn location(url: &str) -> Result<String, IdentifierError> {
    text::location(url).map_err(|error| match error {
        LocationError::Form => IdentifierError::Url,
        LocationError::Domain => IdentifierError::Domain,
        LocationError::Onion(_) => IdentifierError::Onion,
    })
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
    named(composed(id))
}

/// What an account shows: nobody tells upper from lower case there.
fn username(name: &str) -> Result<String, IdentifierError> {
    let name = compatible(&compatible(name).to_lowercase());
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
    // Small letters and a second 60 are of RFC 3339 too, but not everybody reads them.
    let everywhere = !time.contains(['t', 'z']) && time.get(17..19) != Some("60");
    if !everywhere || !is_rfc3339(time) {
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

/// By the registry of the report model: whatever name an algorithm has there. Spec: MOD-10, MOD-11.
fn hash(algorithm: &str, value: &str) -> Result<String, IdentifierError> {
    let id = hashes::id_of(algorithm).to_ascii_lowercase();
    if !hashes::is_name(&id) {
        return Err(IdentifierError::Algorithm);
    }
    let value = hashes::normal(&id, value);
    match hashes::fault(&id, &value) {
        None => Ok(format!("{id} {value}")),
        Some(_) => Err(IdentifierError::Value),
    }
}
