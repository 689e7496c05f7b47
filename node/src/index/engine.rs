//! Where entries rest: sled on disk, or an ordered map for simulations. Spec: IDX-2, IDX-4.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::RwLock,
};

use bytes::Bytes;

use super::{Delta, IndexError, key::FullKey, key::Range, read, write};

mod sled_engine;

use sled_engine::SledEngine;

pub(super) enum Engine {
    Sled(Box<SledEngine>),
    Memory(RwLock<Memory>),
}

#[derive(Default)]
pub(super) struct Memory {
    entries: BTreeMap<FullKey, Bytes>,
    state: Option<Bytes>,
}

impl Engine {
    pub(super) fn memory() -> Self {
        Self::Memory(RwLock::default())
    }

    /// Opens what is in `dir`, or moves it aside and begins anew.
    pub(super) fn open(dir: &Path) -> Result<(Self, Option<PathBuf>), IndexError> {
        let (engine, moved_aside) = sled_engine::open(dir)?;
        Ok((Self::Sled(Box::new(engine)), moved_aside))
    }

    pub(super) fn state(&self) -> Option<Bytes> {
        match self {
            Self::Sled(engine) => engine.state(),
            Self::Memory(memory) => read(memory).state.clone(),
        }
    }

    pub(super) fn get(&self, key: &FullKey) -> Result<Option<Bytes>, IndexError> {
        match self {
            Self::Sled(engine) => engine.get(key),
            Self::Memory(memory) => Ok(read(memory).entries.get(key).cloned()),
        }
    }

    /// The first `limit` entries of a range.
    pub(super) fn page(
        &self,
        range: &Range,
        limit: usize,
    ) -> Result<Vec<(FullKey, Bytes)>, IndexError> {
        match self {
            Self::Sled(engine) => engine.page(range, limit),
            Self::Memory(memory) => {
                let memory = read(memory);
                let entries = memory.entries.range(range.bounds());
                let held = entries.take_while(|(key, _)| range.holds(key.bytes()));
                let page = held
                    .take(limit)
                    .map(|(key, value)| (key.clone(), value.clone()));
                Ok(page.collect())
            }
        }
    }

    pub(super) fn write(&self, delta: &Delta, state: &[u8]) -> Result<(), IndexError> {
        match self {
            Self::Sled(engine) => engine.write(delta, state),
            Self::Memory(memory) => {
                let mut memory = write(memory);
                for (key, value) in delta {
                    match value {
                        Some(value) => memory.entries.insert(key.clone(), value.clone()),
                        None => memory.entries.remove(key),
                    };
                }
                memory.state = Some(Bytes::copy_from_slice(state));
                Ok(())
            }
        }
    }

    pub(super) fn clear(&mut self) -> Result<(), IndexError> {
        match self {
            Self::Sled(engine) => engine.clear(),
            Self::Memory(memory) => {
                *write(memory) = Memory::default();
                Ok(())
            }
        }
    }
}
