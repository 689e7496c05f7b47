//! One flush as a file of its own, durable before the engine hears of it. Spec: IDX-3.
//!
//! The engine applies changes one by one, so that readers are not held up; a crash in between
//! leaves some applied. Then this file says what was to be applied, and it is applied again.
//!
//! Bytes: "FREXDELT", number u64, the state record (length u32, bytes), changes until the end
//! (key length u8, value length u16 + 1 or 0 for a deletion, key, value), CRC u32 of it all.

use std::{
    fs::{File, OpenOptions},
    io::{self, ErrorKind},
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::Path,
};

use bytes::{Buf, Bytes};

use super::key::FullKey;

const MAGIC: &[u8; 8] = b"FREXDELT";
const CRC_BYTES: usize = 4;
const NAME: &str = "flush";

/// A change as the engine will see it.
pub(super) type Step = (FullKey, Option<Bytes>);

/// One flush.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flushed {
    pub(super) number: u64,
    pub(super) state: Bytes,
    pub(super) steps: Vec<Step>,
}

/// The file. It is overwritten by each flush: the one before is durable in the engine by then.
pub(super) struct DeltaFile(File);

impl DeltaFile {
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(dir.join(NAME))?;
        Ok(Self(file))
    }

    /// Durable when this returns.
    pub(super) fn write(&self, flushed: &Flushed) -> io::Result<()> {
        let bytes = encode(flushed);
        self.0.set_len(bytes.len() as u64)?;
        self.0.write_all_at(&bytes, 0)?;
        self.0.sync_data()
    }

    /// The last flush, if it reads whole.
    pub(super) fn read(&self) -> io::Result<Option<Flushed>> {
        let length = self.0.metadata()?.len();
        let length = usize::try_from(length).map_err(|_| ErrorKind::OutOfMemory)?;
        let mut bytes = vec![0; length];
        self.0.read_exact_at(&mut bytes, 0)?;
        Ok(decode(bytes))
    }
}

fn encode(flushed: &Flushed) -> Vec<u8> {
    let sizes = flushed.steps.iter().map(|(key, value)| {
        let value = value.as_ref().map_or(0, Bytes::len);
        3 + key.bytes().len() + value
    });
    let size: usize = sizes.sum();
    let mut bytes = Vec::with_capacity(24 + flushed.state.len() + size);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&flushed.number.to_le_bytes());
    let state_length = u32::try_from(flushed.state.len()).expect("states are a few KiB");
    bytes.extend_from_slice(&state_length.to_le_bytes());
    bytes.extend_from_slice(&flushed.state);
    for (key, value) in &flushed.steps {
        bytes.push(u8::try_from(key.bytes().len()).expect("keys are at most 128 bytes"));
        let mark = value.as_ref().map_or(0, |value| value.len() + 1);
        let mark = u16::try_from(mark).expect("values are at most 4 KiB");
        bytes.extend_from_slice(&mark.to_le_bytes());
        bytes.extend_from_slice(key.bytes());
        bytes.extend_from_slice(value.as_deref().unwrap_or_default());
    }
    let crc = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    bytes
}

fn decode(mut bytes: Vec<u8>) -> Option<Flushed> {
    let body = bytes.len().checked_sub(CRC_BYTES)?;
    if crc32c::crc32c(&bytes[..body]).to_le_bytes() != bytes[body..] {
        return None;
    }
    bytes.truncate(body);
    let mut bytes = Bytes::from(bytes);
    if take(&mut bytes, MAGIC.len())? != MAGIC.as_slice() {
        return None;
    }
    let number = bytes.try_get_u64_le().ok()?;
    let state_length = bytes.try_get_u32_le().ok()?;
    let state = take(&mut bytes, usize::try_from(state_length).ok()?)?;
    let mut steps = Vec::new();
    while !bytes.is_empty() {
        let key_length = bytes.try_get_u8().ok()?;
        let mark = usize::from(bytes.try_get_u16_le().ok()?);
        let key = FullKey::from_bytes(&take(&mut bytes, usize::from(key_length))?)?;
        let value = match mark.checked_sub(1) {
            Some(length) => Some(take(&mut bytes, length)?),
            None => None,
        };
        steps.push((key, value));
    }
    Some(Flushed {
        number,
        state,
        steps,
    })
}

fn take(bytes: &mut Bytes, length: usize) -> Option<Bytes> {
    (bytes.len() >= length).then(|| bytes.split_to(length))
}
