//! Which country an address of the internet is in, by a table that the member supplies.
//!
//! Lines of `network,country`, as in `192.0.2.0/24,NO`; the longest network that holds an address counts.
//! FREX comes with no such table. Spec: RTE-13, RTE-14.

use std::{
    collections::{BTreeSet, HashMap},
    net::{IpAddr, Ipv6Addr},
};

use frex_proto::error::WireCode;

use super::{RANGES_BYTES_MAX, RANGES_MAX, country::Named, tables};

const HEADS: [&str; 2] = ["network", "cidr"];

/// A table, read.
#[derive(Debug, Default)]
pub struct Ranges {
    networks: HashMap<Network, Option<&'static str>>,
    /// Lengths of the networks that there are, of each family.
    lengths: BTreeSet<(bool, u8)>,
}

/// A network: of IPv6 or not, how many bits, and these.
type Network = (bool, u8, u128);

/// Why a table cannot be used. The line counts from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RangesError {
    /// Not UTF-8, or more than 64 MiB.
    #[error("it is no text of at most 64 MiB")]
    Text,
    /// More lines than a table may have.
    #[error("it has more than 1,000,000 networks")]
    TooMany,
    /// A line is not `network,country`.
    #[error("line {0} is not  network,country  as in  192.0.2.0/24,NO")]
    Fields(usize),
    /// The network is none, or has bits beyond its length.
    #[error("line {0} names no network, or one with bits beyond its length")]
    Network(usize),
    /// The country is no code.
    #[error("line {0} names no country's code")]
    Country(usize),
    /// The network stands twice.
    #[error("line {0} names a network that stands in the table before")]
    Twice(usize),
}

impl From<&RangesError> for WireCode {
    fn from(_: &RangesError) -> Self {
        Self::BadConfig
    }
}

impl From<RangesError> for WireCode {
    fn from(error: RangesError) -> Self {
        Self::from(&error)
    }
}

impl Ranges {
    /// Reads a table.
    ///
    /// # Errors
    /// [`RangesError`] names the line.
    pub fn parse(bytes: &[u8]) -> Result<Self, RangesError> {
        if bytes.len() > RANGES_BYTES_MAX {
            return Err(RangesError::Text);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| RangesError::Text)?;
        let mut ranges = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let begins = |head: &&str| line.to_ascii_lowercase().starts_with(*head);
            if line.is_empty() || line.starts_with('#') || (number == 0 && HEADS.iter().any(begins))
            {
                continue;
            }
            ranges.add(line, number + 1)?;
        }
        Ok(ranges)
    }

    fn add(&mut self, line: &str, number: usize) -> Result<(), RangesError> {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [network, country] = fields[..] else {
            return Err(RangesError::Fields(number));
        };
        let network = parse_network(network).ok_or(RangesError::Network(number))?;
        let country = match tables().routes.country(country) {
            Named::Country(country) => Some(country),
            Named::NoCountry => None,
            Named::NotKnown => return Err(RangesError::Country(number)),
        };
        if self.networks.len() == RANGES_MAX {
            return Err(RangesError::TooMany);
        }
        self.lengths.insert((network.0, network.1));
        match self.networks.insert(network, country) {
            None => Ok(()),
            Some(_) => Err(RangesError::Twice(number)),
        }
    }

    /// The country of an address, by the longest network that holds it. One that is for no country hides
    /// those around it.
    #[must_use]
    pub fn country(&self, address: &str) -> Option<&'static str> {
        let (six, bits) = bits(parse_address(address)?);
        let of_family = self.lengths.range((six, 0)..=(six, 128));
        let mut found = of_family.rev().filter_map(|(_, length)| {
            self.networks
                .get(&(six, *length, bits & mask(six, *length)))
        });
        *found.next()?
    }

    /// Whether it has no network.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.networks.is_empty()
    }
}

fn parse_network(text: &str) -> Option<Network> {
    let (address, length) = text.split_once('/')?;
    let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
    let whole = digits && (length == "0" || !length.starts_with('0'));
    let length: u8 = length.parse().ok().filter(|_| whole)?;
    let address: IpAddr = address.parse().ok()?;
    let (six, bits) = bits(address);
    // IPv4 inside IPv6 is written as IPv4: two forms of one network would be two networks.
    let fits = length <= if six { 128 } else { 32 } && address.is_ipv6() == six;
    (fits && bits & mask(six, length) == bits).then_some((six, length, bits))
}

fn parse_address(text: &str) -> Option<IpAddr> {
    text.trim().parse().ok()
}

/// Whether an address is of IPv6, and its bits. One of IPv4 inside IPv6 is that of IPv4.
fn bits(address: IpAddr) -> (bool, u128) {
    match address.to_canonical() {
        IpAddr::V4(four) => (false, u128::from(u32::from(four))),
        IpAddr::V6(six) => (true, Ipv6Addr::to_bits(six)),
    }
}

fn mask(six: bool, length: u8) -> u128 {
    let width = if six { 128 } else { 32 };
    let host = u32::from(width - length);
    let all = if six { u128::MAX } else { u128::from(u32::MAX) };
    all.checked_shr(host).map_or(0, |kept| kept << host)
}

#[cfg(test)]
mod tests {
    use super::*;

    // RTE-13: the longest network counts, also where it is for no country.
    #[test]
    fn the_longest_network_counts() {
        let table = b"network,country\n# made up\n192.0.2.0/24,NO\n192.0.2.128/25,SE\n0.0.0.0/0,FR\n192.0.2.200/32,A1\n2001:db8::/32,DE\n\n";
        let ranges = Ranges::parse(table).unwrap();
        for (address, country) in [
            ("192.0.2.1", Some("NO")),
            ("192.0.2.129", Some("SE")),
            ("::ffff:192.0.2.1", Some("NO")),
            ("198.51.100.1", Some("FR")),
            ("192.0.2.200", None),
            ("2001:db8::17", Some("DE")),
            ("2001:db9::1", None),
            ("no address", None),
        ] {
            assert_eq!(ranges.country(address), country, "{address}");
        }
    }

    // RTE-14, LIM-122: a line that is none is named.
    #[test]
    fn a_table_with_a_fault_names_the_line() {
        use RangesError as E;
        for (table, error) in [
            ("192.0.2.0/24", E::Fields(1)),
            ("192.0.2.0/24,NO,x", E::Fields(1)),
            ("192.0.2.0/24,NO\n192.0.2.1/24,NO", E::Network(2)),
            ("192.0.2.0/33,NO", E::Network(1)),
            ("192.0.2.0/024,NO", E::Network(1)),
            ("192.0.2.0,NO", E::Network(1)),
            ("::ffff:192.0.2.0/120,NO", E::Network(1)),
            ("192.0.2.0/24,Norway", E::Country(1)),
            ("192.0.2.0/24,NO\n192.0.2.0/24,NO", E::Twice(2)),
        ] {
            assert_eq!(
                Ranges::parse(table.as_bytes()).unwrap_err(),
                error,
                "{table}"
            );
        }
        assert_eq!(Ranges::parse(b"\xff").unwrap_err(), E::Text);
        let long = vec![b'\n'; RANGES_BYTES_MAX + 1];
        assert_eq!(Ranges::parse(&long).unwrap_err(), E::Text);
    }
}
