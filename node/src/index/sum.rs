//! Count and checksum of all entries, whatever their order, kept up to date change by change.
//!
//! An engine that silently lost entries has another count; one that mixes old and new values has
//! another checksum.

/// What an index should hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    count: u64,
    total: u64,
}

impl Sum {
    pub(super) const BYTES: usize = 16;

    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.total = self.total.wrapping_add(entry(key, value));
    }

    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.total = self.total.wrapping_sub(entry(key, value));
    }

    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..].copy_from_slice(&self.total.to_le_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let both = u128::from_le_bytes(bytes);
        let [count, total] = [both & u128::from(u64::MAX), both >> 64];
        Self {
            count: u64::try_from(count).expect("masked to 64 bits"),
            total: u64::try_from(total).expect("shifted to 64 bits"),
        }
    }
}

/// The CRC tells entries apart; multiplying spreads it, so that sums of many do not cancel out.
fn entry(key: &[u8], value: &[u8]) -> u64 {
    let crc = crc32c::crc32c_append(crc32c::crc32c(key), value);
    let lengths = (key.len() as u64) << 48 ^ (value.len() as u64) << 32;
    let mut mixed = (u64::from(crc) ^ lengths).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^= mixed >> 29;
    mixed.wrapping_mul(0xbf58_476d_1ce4_e5b9)
}
