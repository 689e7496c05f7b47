//! From which networks nothing but failed handshakes comes.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use frex_proto::{delivery::Spent, limits::FAILED_HANDSHAKES_MAX};
use tokio::time::Instant;

/// Networks that are remembered. A further one is as good as those that are not, once each of
/// these has failed within the last minute.
const PREFIXES_MAX: usize = 4096;
/// What a failure a minute ago counts no longer.
const MINUTE_MS: u64 = 60_000;

/// Failed handshakes by network: 24 bits of an IPv4 address, 48 of an IPv6 one. Only addresses
/// that proved themselves get here, so nobody can blacken another's. Spec: ADM-14.
#[derive(Debug)]
pub(super) struct Prefixes {
    began: Instant,
    failed: Mutex<BTreeMap<u64, Spent>>,
}

impl Prefixes {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            failed: Mutex::default(),
        }
    }

    /// Takes note of a handshake that failed.
    pub(super) fn failed(&self, address: SocketAddr) {
        let now_ms = self.now_ms();
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let prefix = prefix(address);
        if failed.len() >= PREFIXES_MAX && !failed.contains_key(&prefix) {
            failed.retain(|_, spent| now_ms.saturating_sub(spent.asked_ms()) < MINUTE_MS);
            if failed.len() >= PREFIXES_MAX {
                return;
            }
        }
        let spent = failed.entry(prefix).or_default();
        // More than is allowed cannot fail: no more than that is looked at.
        let _ = spent.take(FAILED_HANDSHAKES_MAX, 0, now_ms);
    }

    /// Whether too many have failed lately.
    pub(super) fn is_ignored(&self, address: SocketAddr) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let mut spent = failed.get(&prefix(address)).copied().unwrap_or_default();
        spent.take(FAILED_HANDSHAKES_MAX, 0, self.now_ms()).is_err()
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn prefix(address: SocketAddr) -> u64 {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => u64::from(ip.to_bits() >> 8),
        // Never below 2^24, where IPv4 ends, but for addresses that no network has.
        IpAddr::V6(ip) => u64::try_from(ip.to_bits() >> 80).unwrap_or(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(text: &str) -> SocketAddr {
        SocketAddr::new(text.parse().expect("an address"), 1)
    }

    // ADM-14, LIM-68: a network of failures is ignored, for a while and alone.
    #[tokio::test(start_paused = true)]
    async fn a_network_of_failures_is_ignored_until_time_has_passed() {
        let prefixes = Prefixes::new();
        for last in 0..FAILED_HANDSHAKES_MAX.burst {
            assert!(!prefixes.is_ignored(address("192.0.2.7")));
            prefixes.failed(address(&format!("192.0.2.{}", last % 256)));
        }
        assert!(prefixes.is_ignored(address("192.0.2.7")));
        assert!(prefixes.is_ignored(address("::ffff:192.0.2.7")));
        assert!(!prefixes.is_ignored(address("198.51.100.7")));
        assert!(!prefixes.is_ignored(address("2001:db8::7")));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!prefixes.is_ignored(address("192.0.2.7")));
        prefixes.failed(address("192.0.2.7"));
        assert!(prefixes.is_ignored(address("192.0.2.7")));
    }

    // ADM-14: the table is bounded.
    #[tokio::test(start_paused = true)]
    async fn no_more_networks_are_remembered_than_there_is_room_for() {
        let prefixes = Prefixes::new();
        let count = || prefixes.failed.lock().expect("nobody panicked").len();
        for number in 0..2 * u32::try_from(PREFIXES_MAX).expect("a small number") {
            prefixes.failed(SocketAddr::new(IpAddr::V4((number << 8).into()), 1));
        }
        assert_eq!(count(), PREFIXES_MAX);
        tokio::time::advance(Duration::from_secs(61)).await;
        prefixes.failed(address("192.0.2.7"));
        assert_eq!(count(), 1);
    }
}
