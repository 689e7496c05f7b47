//! A disk in memory that knows what was synced, and can do what disks do.

use std::{
    collections::BTreeMap,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use crate::disk::{Disk, DiskFile};

const SECTOR: usize = 512;

/// A small generator: the seed is the whole state, so a printed seed repeats a run.
#[derive(Debug, Clone)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    pub(super) fn chance(&mut self) -> bool {
        self.next() & 1 == 1
    }

    pub(super) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// What becomes of writes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// All are lost.
    All,
    /// Each is kept or lost.
    Some,
    /// Each sector of each is kept or lost.
    Torn,
}

/// What goes wrong, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Fault {
    #[default]
    None,
    /// Power goes at the n-th operation: it and all later ones fail, unsynced writes stay open.
    PowerAt(u64),
    /// The n-th sync fails once, and what it should have written never will be.
    SyncFails(u64),
    /// The n-th write fails once, half of it done.
    WriteFails(u64),
    /// From the n-th write on no file grows.
    FullFrom(u64),
    /// The n-th write finds no space, wherever it is.
    FullOnce(u64),
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
}

#[derive(Default, Clone)]
struct Node {
    seen: Vec<u8>,
    durable: Vec<u8>,
    open: Vec<Change>,
}

#[derive(Clone)]
enum Naming {
    Link(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Unlink(PathBuf),
}

#[derive(Default)]
struct World {
    nodes: Vec<Node>,
    names: BTreeMap<PathBuf, usize>,
    durable_names: BTreeMap<PathBuf, usize>,
    open_names: Vec<Naming>,
    fault: Fault,
    operations: u64,
    writes: u64,
    syncs: u64,
}

#[derive(Default)]
pub(super) struct MemoryDisk(Arc<Mutex<World>>);

struct MemoryFile(Arc<Mutex<World>>, usize);

impl MemoryDisk {
    pub(super) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Sets the fault; its n counts from here.
    pub(super) fn set(&self, fault: Fault) {
        let mut world = self.world();
        world.fault = fault;
        (world.operations, world.writes, world.syncs) = (0, 0, 0);
    }

    /// The power comes back: only what survived is there.
    pub(super) fn cut(&self, cut: Cut, random: &mut Random) {
        self.set(Fault::None);
        let mut world = self.world();
        let kept = match cut {
            Cut::All => 0,
            _ => usize::try_from(random.below(world.open_names.len() as u64 + 1)).unwrap(),
        };
        let survived: Vec<_> = world.open_names.drain(..).take(kept).collect();
        survived
            .iter()
            .for_each(|naming| naming.apply(&mut world.durable_names));
        world.names = world.durable_names.clone();
        for node in &mut world.nodes {
            for change in std::mem::take(&mut node.open) {
                for piece in change.pieces(cut) {
                    if cut != Cut::All && random.chance() {
                        piece.apply(&mut node.durable);
                    }
                }
            }
            node.seen = node.durable.clone();
        }
    }

    /// A disk with the same durable files.
    pub(super) fn copy(&self) -> Arc<Self> {
        let world = self.world();
        let copy = World {
            nodes: world.nodes.clone(),
            names: world.names.clone(),
            durable_names: world.durable_names.clone(),
            ..World::default()
        };
        Arc::new(Self(Arc::new(Mutex::new(copy))))
    }

    pub(super) fn paths(&self) -> Vec<PathBuf> {
        self.world().names.keys().cloned().collect()
    }

    /// Changes a file behind everyone's back.
    pub(super) fn meddle<T>(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let mut world = self.world();
        let node = world.names[path];
        let node = &mut world.nodes[node];
        let done = change(&mut node.seen);
        node.durable = node.seen.clone();
        done
    }

    pub(super) fn forget(&self, path: &Path) {
        let mut world = self.world();
        world.names.remove(path);
        world.durable_names.remove(path);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }
}

impl World {
    fn operate(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.fault {
            Fault::PowerAt(n) if self.operations >= n => Err(io::Error::other("power is gone")),
            _ => Ok(()),
        }
    }

    /// Says what becomes of a write: nothing wrong, refused whole, or half done.
    fn write(&mut self, grows: bool) -> Result<(), (io::Error, bool)> {
        let power = self.operate();
        self.writes += 1;
        power.map_err(|error| (error, true))?;
        match self.fault {
            Fault::WriteFails(n) if self.writes == n => Err((io::Error::other("EIO"), true)),
            Fault::FullFrom(n) if self.writes >= n && grows => {
                Err((ErrorKind::StorageFull.into(), true))
            }
            Fault::FullOnce(n) if self.writes == n => Err((ErrorKind::StorageFull.into(), true)),
            _ => Ok(()),
        }
    }

    fn sync(&mut self) -> Result<(), (io::Error, bool)> {
        let power = self.operate();
        self.syncs += 1;
        power.map_err(|error| (error, false))?;
        match self.fault {
            Fault::SyncFails(n) if self.syncs == n => Err((io::Error::other("EIO"), true)),
            _ => Ok(()),
        }
    }

    fn change(&mut self, node: usize, change: Change) {
        let node = &mut self.nodes[node];
        change.clone().apply(&mut node.seen);
        node.open.push(change);
    }

    fn name(&mut self, naming: Naming) {
        naming.apply(&mut self.names);
        self.open_names.push(naming);
    }
}

impl Change {
    fn apply(self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(length, 0),
            Self::Write(offset, data) => {
                let end = offset + data.len();
                if bytes.len() < end {
                    bytes.resize(end, 0);
                }
                bytes[offset..end].copy_from_slice(&data);
            }
        }
    }

    fn pieces(self, cut: Cut) -> Vec<Self> {
        match self {
            Self::Write(mut offset, mut data) if cut == Cut::Torn => {
                let mut pieces = Vec::new();
                while !data.is_empty() {
                    let rest = data.split_off((SECTOR - offset % SECTOR).min(data.len()));
                    let length = data.len();
                    pieces.push(Self::Write(offset, data));
                    offset += length;
                    data = rest;
                }
                pieces
            }
            whole => vec![whole],
        }
    }
}

impl Naming {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            Self::Link(path, node) => names.insert(path.clone(), *node),
            Self::Rename(from, to) => names
                .remove(from)
                .and_then(|node| names.insert(to.clone(), node)),
            Self::Unlink(path) => names.remove(path),
        };
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let world = self.0.lock().unwrap();
        let start = usize::try_from(offset).unwrap();
        let bytes = world.nodes[self.1].seen.get(start..start + buffer.len());
        buffer.copy_from_slice(bytes.ok_or(ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        let offset = usize::try_from(offset).unwrap();
        let grows = offset + bytes.len() > world.nodes[self.1].seen.len();
        let result = world.write(grows);
        let bytes = match &result {
            Ok(()) => bytes,
            Err((_, true)) => &bytes[..bytes.len() / 2],
            Err((_, false)) => &[],
        };
        world.change(self.1, Change::Write(offset, bytes.to_vec()));
        result.map_err(|(error, _)| error)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        let result = world.sync();
        let node = &mut world.nodes[self.1];
        match &result {
            Ok(()) => {
                for change in std::mem::take(&mut node.open) {
                    change.apply(&mut node.durable);
                }
            }
            // The kernel takes the pages for written although they are not.
            Err((_, true)) => node.open.clear(),
            Err((_, false)) => {}
        }
        result.map_err(|(error, _)| error)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().nodes[self.1].seen.len() as u64)
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        let length = usize::try_from(length).unwrap();
        let grows = length > world.nodes[self.1].seen.len();
        world.write(grows).map_err(|(error, _)| error)?;
        world.change(self.1, Change::Length(length));
        Ok(())
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, create: bool) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        let node = match world.names.get(path) {
            Some(node) => *node,
            None if create => {
                world.write(true).map_err(|(error, _)| error)?;
                world.nodes.push(Node::default());
                let node = world.nodes.len() - 1;
                world.name(Naming::Link(path.to_path_buf(), node));
                node
            }
            None => return Err(ErrorKind::NotFound.into()),
        };
        Ok(Arc::new(MemoryFile(Arc::clone(&self.0), node)))
    }

    fn create_dir_all(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let world = self.world();
        let here = world
            .names
            .keys()
            .filter(|name| name.parent() == Some(path));
        let names = here.filter_map(|name| name.file_name()?.to_str().map(String::from));
        Ok(names.collect())
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        let mut world = self.world();
        let result = world.sync().map_err(|(error, _)| error);
        if result.is_ok() {
            let open = std::mem::take(&mut world.open_names);
            open.iter()
                .for_each(|naming| naming.apply(&mut world.durable_names));
        }
        result
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.write(false).map_err(|(error, _)| error)?;
        if !world.names.contains_key(from) {
            return Err(ErrorKind::NotFound.into());
        }
        world.name(Naming::Rename(from.to_path_buf(), to.to_path_buf()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.write(false).map_err(|(error, _)| error)?;
        world.name(Naming::Unlink(path.to_path_buf()));
        Ok(())
    }

    fn free_bytes(&self, _: &Path) -> io::Result<u64> {
        Ok(u64::MAX)
    }
}
