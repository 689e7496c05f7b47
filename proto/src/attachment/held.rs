//! Which chunks are there, as one side tells the other. Spec: ATT-11.

use super::{Held, Listed, TransferError};

impl Held {
    /// Nothing of this attachment.
    #[must_use]
    pub fn none(listed: Listed) -> Self {
        let chunks = listed.chunks();
        Self {
            bits: vec![0; byte_count(chunks)],
            chunks,
        }
    }

    /// All of it.
    #[must_use]
    pub fn all(listed: Listed) -> Self {
        Self::first(listed, listed.chunks())
    }

    /// The first so many chunks of it.
    #[must_use]
    pub fn first(listed: Listed, count: u32) -> Self {
        let mut held = Self::none(listed);
        (0..count.min(held.chunks)).for_each(|chunk| held.set(chunk));
        held
    }

    /// Judges the bits that a peer sent; none at all means that nothing is held.
    ///
    /// # Errors
    /// [`TransferError::Held`]: not one bit for each chunk, or bits behind them.
    pub fn parse(listed: Listed, bytes: &[u8]) -> Result<Self, TransferError> {
        let mut held = Self::none(listed);
        if bytes.is_empty() {
            return Ok(held);
        }
        let bits_of_last = held.chunks % 8;
        let spare = match bytes.last() {
            Some(last) if bits_of_last > 0 => last >> bits_of_last,
            _ => 0,
        };
        if bytes.len() != held.bits.len() || spare != 0 {
            return Err(TransferError::Held);
        }
        held.bits.copy_from_slice(bytes);
        Ok(held)
    }

    /// The bits, lowest first.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bits
    }

    /// Whether a chunk is there.
    #[must_use]
    pub fn has(&self, chunk: u32) -> bool {
        let byte = usize::try_from(chunk / 8)
            .ok()
            .and_then(|at| self.bits.get(at));
        byte.is_some_and(|byte| byte >> (chunk % 8) & 1 == 1)
    }

    /// Notes that a chunk is there; one beyond the last is none.
    pub fn set(&mut self, chunk: u32) {
        if chunk < self.chunks
            && let Some(byte) = usize::try_from(chunk / 8)
                .ok()
                .and_then(|at| self.bits.get_mut(at))
        {
            *byte |= 1 << (chunk % 8);
        }
    }

    /// How many are there.
    #[must_use]
    pub fn count(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Whether all are there.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.count() == self.chunks
    }

    /// Those that are not there, in order.
    pub fn missing(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.chunks).filter(|chunk| !self.has(*chunk))
    }
}

fn byte_count(chunks: u32) -> usize {
    usize::try_from(chunks.div_ceil(8)).expect("8192 chunks at most")
}
