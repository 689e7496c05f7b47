//! An append-only file without recovery: blocks with a checksum, round and round over zeros.

use std::{fs::File, fs::OpenOptions, os::unix::fs::FileExt, path::Path};

/// Blocks of this size or more are written from where they are, without a copy.
const DIRECT_BYTES: usize = 64 * 1024;

pub struct Store {
    file: File,
    bytes_max: u64,
    offset: u64,
    buffer: Vec<u8>,
}

impl Store {
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let file = OpenOptions::new().write(true).open(path)?;
        Ok(Self {
            bytes_max: file.metadata()?.len(),
            file,
            offset: 0,
            buffer: Vec::new(),
        })
    }

    pub fn append(&mut self, block: &[u8]) -> anyhow::Result<()> {
        let length = u32::try_from(block.len())?;
        self.buffer.extend(length.to_be_bytes());
        self.buffer.extend(crc32c::crc32c(block).to_be_bytes());
        if block.len() < DIRECT_BYTES {
            self.buffer.extend(block);
            return Ok(());
        }
        self.write_buffer()?;
        self.write(block)
    }

    /// Makes everything appended durable.
    pub fn sync(&mut self) -> anyhow::Result<()> {
        self.write_buffer()?;
        Ok(self.file.sync_data()?)
    }

    fn write_buffer(&mut self) -> anyhow::Result<()> {
        let buffer = std::mem::take(&mut self.buffer);
        self.write(&buffer)?;
        self.buffer = buffer;
        self.buffer.clear();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        if self.offset + bytes.len() as u64 > self.bytes_max {
            self.offset = 0;
        }
        self.file.write_all_at(bytes, self.offset)?;
        self.offset += bytes.len() as u64;
        Ok(())
    }
}
