//! What the member holds: one line for each identifier and source, in the order of their bytes, so that
//! a million of them is merged and read without being held in memory.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, BufWriter, Lines, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
};

use super::{Holding, Identifier, Store, StoreError, damaged, io};
use crate::keys::file;

const NAME: &str = "holdings";
const TELL: &str = "tell";
const SILENT: &str = "silent";

/// What a merge did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Merged {
    /// Identifiers that were not held before from that source.
    pub added: u64,
    /// Those that are held otherwise now.
    pub changed: u64,
    /// Those that are not held any more.
    pub removed: u64,
    /// All that are held, each from each of its sources.
    pub total: u64,
}

/// Goes through what is held, in order.
pub(super) struct Reading {
    path: PathBuf,
    ahead: Option<Holding>,
    lines: Option<Lines<BufReader<File>>>,
}

impl Store {
    /// Adds what is held, with what each implies; one that was held before from the same source is held
    /// as it is said last.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`]; what was held before stays.
    pub fn hold(&self, mut added: Vec<Holding>) -> Result<Merged, StoreError> {
        let implied: Vec<Holding> = added.iter().filter_map(implied).collect();
        added.extend(implied);
        // A stable order: of two that say different things the last one counts.
        added.sort_by(|a, b| key(a).cmp(&key(b)));
        let mut last: Vec<Holding> = Vec::with_capacity(added.len());
        for holding in added {
            match last.last_mut() {
                Some(before) if key(before) == key(&holding) => *before = holding,
                _ => last.push(holding),
            }
        }
        let mut coming = last.into_iter().peekable();
        self.rewrite(|held, out| {
            let mut merged = Merged::default();
            while let Some(old) = held.next()? {
                while let Some(new) = coming.next_if(|new| key(new) < key(&old)) {
                    merged.added += 1;
                    out(&new)?;
                }
                match coming.next_if(|new| key(new) == key(&old)) {
                    Some(new) => {
                        merged.changed += u64::from(new != old);
                        out(&new)?;
                    }
                    None => out(&old)?,
                }
            }
            for new in coming.by_ref() {
                merged.added += 1;
                out(&new)?;
            }
            Ok(merged)
        })
    }

    /// Lets go of what `is_gone` says.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`]; what was held before stays.
    pub fn let_go(&self, is_gone: impl Fn(&Holding) -> bool) -> Result<Merged, StoreError> {
        self.rewrite(|held, out| {
            let mut merged = Merged::default();
            while let Some(old) = held.next()? {
                match is_gone(&old) {
                    true => merged.removed += 1,
                    false => out(&old)?,
                }
            }
            Ok(merged)
        })
    }

    /// Shows every identifier that is held, once: with the desk that was said last, all its sources, and
    /// silent if it is so from any of them. Spec: DCF-22.
    ///
    /// # Errors
    /// [`StoreError::Io`], [`StoreError::Damaged`], or what `show` fails with.
    pub fn each_held(
        &self,
        mut show: impl FnMut(Holding) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut reading = self.reading()?;
        while let Some(held) = reading.next_held()? {
            show(held)?;
        }
        Ok(())
    }

    pub(super) fn reading(&self) -> Result<Reading, StoreError> {
        let path = self.dir().join(NAME);
        let lines = match path.exists() {
            true => {
                Some(BufReader::new(File::open(&path).map_err(|error| io(&path, error))?).lines())
            }
            false => None,
        };
        Ok(Reading {
            path,
            ahead: None,
            lines,
        })
    }

    fn rewrite(
        &self,
        merge: impl FnOnce(
            &mut Reading,
            &mut dyn FnMut(&Holding) -> Result<(), StoreError>,
        ) -> Result<Merged, StoreError>,
    ) -> Result<Merged, StoreError> {
        file::create_private_dir(self.dir())?;
        let path = self.dir().join(NAME);
        let _held = file::hold(&path).map_err(|error| io(&path, error))?;
        let draft = file::draft_of(&path);
        file::remove_draft(&path)?;
        let failed = |error| io(&draft, error);
        let made = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)
            .map_err(failed)?;
        let mut draft_file = BufWriter::new(made);
        let mut total = 0;
        let mut merged = merge(&mut self.reading()?, &mut |holding| {
            total += 1;
            draft_file
                .write_all(line(holding).as_bytes())
                .map_err(failed)
        })?;
        merged.total = total;
        let whole = draft_file.into_inner();
        let whole = whole.map_err(|error| failed(error.into_error()))?;
        whole.sync_all().map_err(failed)?;
        fs::rename(&draft, &path).map_err(failed)?;
        file::sync_parent(&path)?;
        Ok(merged)
    }
}

impl Reading {
    /// The next identifier, from all its sources; none at the end.
    pub(super) fn next_held(&mut self) -> Result<Option<Holding>, StoreError> {
        let first = match self.ahead.take() {
            Some(ahead) => Some(ahead),
            None => self.next()?,
        };
        let Some(mut held) = first else {
            return Ok(None);
        };
        while let Some(next) = self.next()? {
            if next.identifier != held.identifier {
                self.ahead = Some(next);
                break;
            }
            held.silent |= next.silent;
            held.desk = next.desk;
            held.source = format!("{} {}", held.source, next.source);
        }
        Ok(Some(held))
    }

    /// The next line; none at the end.
    fn next(&mut self) -> Result<Option<Holding>, StoreError> {
        let Some(line) = self.lines.as_mut().and_then(Iterator::next) else {
            return Ok(None);
        };
        let line = line.map_err(|error| io(&self.path, error))?;
        let holding = parse(&line).ok_or_else(|| damaged(&self.path))?;
        Ok(Some(holding))
    }
}

fn key(holding: &Holding) -> (&Identifier, &str) {
    (&holding.identifier, &holding.source)
}

fn implied(holding: &Holding) -> Option<Holding> {
    let identifier = holding.identifier.implied()?;
    Some(Holding {
        identifier,
        ..holding.clone()
    })
}

fn line(holding: &Holding) -> String {
    let tell = if holding.silent { SILENT } else { TELL };
    let (desk, source) = (&holding.desk, &holding.source);
    format!(
        "{}\t{desk}\t{tell}\t{source}\n",
        holding.identifier.as_str()
    )
}

fn parse(line: &str) -> Option<Holding> {
    let mut words = line.split('\t');
    let identifier = Identifier(words.next()?.to_owned());
    let desk = words.next()?.to_owned();
    let silent = match words.next()? {
        TELL => false,
        SILENT => true,
        _ => return None,
    };
    let source = words.next()?.to_owned();
    words.next().is_none().then_some(Holding {
        identifier,
        desk,
        silent,
        source,
    })
}
