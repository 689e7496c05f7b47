//! What this member sent before, as far as it is needed to notice that something is sent again.
//!
//! Of each message the folder `before` keeps keyed hashes of its tokens: who gets hold of one of its files
//! reads nothing, and without the key cannot even guess. A message's file goes when it is erased.
//! Spec: RTE-6 to RTE-9.

use std::{
    collections::BTreeSet,
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use frex_proto::{error::WireCode, id::MessageId, label};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{ALIKE_PERCENT, ALIKE_TOKENS, MESSAGES_MAX, TOKENS_MAX};
use crate::keys::{KeyFileError, file};

/// Below the member's folder.
pub const FOLDER: &str = "before";
const KEY: &str = "key";
const KEY_BYTES: usize = 32;
const EXTENSION: &str = "tags";
const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a tag: among so few no two are equal by chance.
const TAG_BYTES: usize = 8;

type Tag = [u8; TAG_BYTES];

/// The folder, open.
pub struct SeenStore {
    folder: PathBuf,
    key: Zeroizing<Vec<u8>>,
}

/// A message that looks like the one at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alike {
    /// Which.
    pub message: MessageId,
    /// When it was made.
    pub created_ms: u64,
    /// To whom it went.
    pub to: Vec<String>,
    /// How much.
    pub likeness: Likeness,
}

/// How much two reports are alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// So much of all tokens is in both, in percent.
    Near(usize),
    /// They have the same.
    Exact,
}

/// What is kept of one message.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    v: u32,
    created_ms: u64,
    to: Vec<String>,
    /// How many tokens it has, also where fewer are kept.
    total: usize,
    /// Hexadecimal, ascending.
    tags: Vec<String>,
}

/// Tags of a report: of many the lowest, so that two reports keep the same ones.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Sketch {
    total: usize,
    tags: BTreeSet<Tag>,
}

impl SeenStore {
    /// Opens the folder below a member's, and makes its key if there is none.
    ///
    /// # Errors
    /// [`SeenError`].
    pub fn open(member: &Path, rng: &mut impl CryptoRng) -> Result<Self, SeenError> {
        let folder = member.join(FOLDER);
        file::create_private_dir(&folder)?;
        let path = folder.join(KEY);
        if !path.exists() {
            // Another command of this member may be making it: then its key is the one.
            let _held = file::hold(&path).map_err(|source| io(&path, source))?;
            if !path.exists() {
                let mut key = Zeroizing::new([0; KEY_BYTES]);
                rng.fill_bytes(&mut key[..]);
                // As a whole or not at all: half a key would be in the way for good.
                file::replace(&path, &key[..])?;
            }
        }
        let key = file::read_capped(&path, KEY_BYTES as u64, "a key of tokens")?;
        match key.len() {
            KEY_BYTES => Ok(Self { folder, key }),
            _ => Err(SeenError::Damaged { path }),
        }
    }

    /// Messages that look like a report with these tokens, the likest first; of two the later.
    ///
    /// # Errors
    /// [`SeenError`].
    pub fn alike(&self, tokens: &BTreeSet<String>) -> Result<Vec<Alike>, SeenError> {
        let mut found = Vec::new();
        if tokens.is_empty() {
            return Ok(found);
        }
        let own = self.sketch(tokens);
        for (message, path) in self.files()? {
            let Some(kept) = read(&path)? else { continue };
            let other = Sketch::of(&kept).ok_or_else(|| damaged(&path))?;
            if let Some(likeness) = own.likeness(&other) {
                found.push(Alike {
                    message,
                    created_ms: kept.created_ms,
                    to: kept.to,
                    likeness,
                });
            }
        }
        found.sort_by_key(|one| std::cmp::Reverse((one.likeness, one.created_ms, one.message.0)));
        Ok(found)
    }

    /// Remembers a message that was sent, and forgets the oldest where there are too many. Durable when
    /// this returns.
    ///
    /// # Errors
    /// [`SeenError`].
    pub fn remember(
        &self,
        message: MessageId,
        created_ms: u64,
        to: &[String],
        tokens: &BTreeSet<String>,
    ) -> Result<(), SeenError> {
        if tokens.is_empty() {
            return Ok(());
        }
        let sketch = self.sketch(tokens);
        let kept = Kept {
            v: 1,
            created_ms,
            to: to.to_vec(),
            total: sketch.total,
            tags: sketch.tags.iter().map(hex::encode).collect(),
        };
        let path = self.path_of(message);
        let text = serde_json::to_vec(&kept).unwrap_or_default();
        file::replace(&path, &text)?;
        self.prune(MESSAGES_MAX)
    }

    /// Whether a message is remembered.
    #[must_use]
    pub fn holds(&self, message: MessageId) -> bool {
        self.path_of(message).exists()
    }

    /// Forgets a message of which nothing has left, if it is remembered. Spec: RTE-37.
    ///
    /// # Errors
    /// [`SeenError`].
    pub fn forget(&self, message: MessageId) -> Result<(), SeenError> {
        remove(&self.path_of(message))
    }

    fn path_of(&self, message: MessageId) -> PathBuf {
        self.folder.join(format!("{message}.{EXTENSION}"))
    }

    fn prune(&self, most: usize) -> Result<(), SeenError> {
        let files = self.files()?;
        let Some(excess) = files.len().checked_sub(most).filter(|excess| *excess > 0) else {
            return Ok(());
        };
        let mut dated = Vec::with_capacity(files.len());
        for (_, path) in files {
            if let Some(kept) = read(&path)? {
                dated.push((kept.created_ms, path));
            }
        }
        dated.sort();
        for (_, path) in dated.into_iter().take(excess) {
            remove(&path)?;
        }
        Ok(())
    }

    fn files(&self) -> Result<Vec<(MessageId, PathBuf)>, SeenError> {
        let failed = |source| io(&self.folder, source);
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            let ours = path.extension().is_some_and(|end| end == EXTENSION);
            let id = path.file_stem().and_then(|name| name.to_str());
            if let Some(id) = id
                .filter(|_| ours)
                .and_then(|id| MessageId::from_hex(id).ok())
            {
                files.push((id, path));
            }
        }
        Ok(files)
    }

    fn sketch(&self, tokens: &BTreeSet<String>) -> Sketch {
        let tag = |token: &String| {
            let hash = label::hmac_sha256(&self.key, &[label::TOKEN, token.as_bytes()]);
            let mut tag = Tag::default();
            tag.copy_from_slice(&hash[..TAG_BYTES]);
            tag
        };
        let all: BTreeSet<Tag> = tokens.iter().map(tag).collect();
        Sketch {
            total: all.len(),
            tags: all.into_iter().take(TOKENS_MAX).collect(),
        }
    }
}

impl std::fmt::Debug for SeenStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeenStore").finish_non_exhaustive()
    }
}

impl Sketch {
    fn of(kept: &Kept) -> Option<Self> {
        let tag = |text: &String| -> Option<Tag> { hex::decode(text).ok()?.try_into().ok() };
        let tags: BTreeSet<Tag> = kept.tags.iter().map(tag).collect::<Option<_>>()?;
        let whole = tags.len() == kept.tags.len() && kept.total >= tags.len() && kept.v == 1;
        whole.then_some(Self {
            total: kept.total,
            tags,
        })
    }

    /// Spec: RTE-8.
    fn likeness(&self, other: &Self) -> Option<Likeness> {
        if self == other {
            return Some(Likeness::Exact);
        }
        let cut = [self, other].iter().any(|one| one.total > one.tags.len());
        let most = if cut { TOKENS_MAX } else { usize::MAX };
        let union: Vec<&Tag> = self.tags.union(&other.tags).take(most).collect();
        let both = |tag: &&&Tag| self.tags.contains(**tag) && other.tags.contains(**tag);
        near(union.iter().filter(both).count(), union.len()).map(Likeness::Near)
    }
}

/// So much of `all` is in common, in percent, if that is enough to be alike. Spec: RTE-8.
fn near(common: usize, all: usize) -> Option<usize> {
    let percent = (common * 100).checked_div(all)?;
    (common >= ALIKE_TOKENS && percent >= ALIKE_PERCENT).then_some(percent)
}

impl Likeness {
    /// By the tokens themselves, as two reports at hand are compared. Spec: RTE-8.
    #[must_use]
    pub fn between(one: &BTreeSet<String>, other: &BTreeSet<String>) -> Option<Self> {
        if one.is_empty() || other.is_empty() {
            return None;
        }
        if one == other {
            return Some(Self::Exact);
        }
        let common = one.intersection(other).count();
        near(common, one.union(other).count()).map(Self::Near)
    }
}

/// Nothing, if it was erased meanwhile.
fn read(path: &Path) -> Result<Option<Kept>, SeenError> {
    let bytes = match file::read_capped(path, FILE_BYTES_MAX, "what is remembered of a message") {
        Err(KeyFileError::Missing { .. }) => return Ok(None),
        bytes => bytes?,
    };
    let kept = serde_json::from_slice(&bytes);
    kept.map(Some).map_err(|_| damaged(path))
}

fn remove(path: &Path) -> Result<(), SeenError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(io(path, source)),
        // Gone is gone, also if another command of this member was faster.
        _ => Ok(()),
    }
}

fn damaged(path: &Path) -> SeenError {
    SeenError::Damaged {
        path: path.to_owned(),
    }
}

fn io(path: &Path, source: std::io::Error) -> SeenError {
    SeenError::Io {
        path: path.to_owned(),
        source,
    }
}

/// Why it is not known what was sent before.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SeenError {
    /// A file of ours is not what it should be.
    #[error("{} is damaged; without it what it remembers is not noticed again", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
    },
    /// The disk refuses.
    #[error("cannot use {}", path.display())]
    Io {
        /// What it is about.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder is open to others, or the disk refuses.
    #[error(transparent)]
    Files(#[from] KeyFileError),
}

impl From<&SeenError> for WireCode {
    fn from(error: &SeenError) -> Self {
        match error {
            SeenError::Damaged { .. } | SeenError::Io { .. } => Self::Files,
            SeenError::Files(error) => error.into(),
        }
    }
}

impl From<SeenError> for WireCode {
    fn from(error: SeenError) -> Self {
        Self::from(&error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Random;

    fn set(tokens: &[&str]) -> BTreeSet<String> {
        tokens.iter().map(|one| (*one).to_owned()).collect()
    }

    // RTE-6, RTE-8, RTE-9: the same is noticed, the similar too, the other not; nothing of it is readable.
    #[test]
    fn what_was_sent_before_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let store = SeenStore::open(dir.path(), &mut Random::System.rng()).unwrap();
        let first = set(&["email a@b.example", "hash md5:aa", "url x.example"]);
        let to = ["police.es".to_owned()];
        store.remember(MessageId([1; 16]), 5, &to, &first).unwrap();
        let again = SeenStore::open(dir.path(), &mut Random::System.rng()).unwrap();
        let found = again.alike(&first).unwrap();
        assert_eq!(found[0].likeness, Likeness::Exact);
        assert_eq!(
            (found[0].message, found[0].to.as_slice()),
            (MessageId([1; 16]), &to[..])
        );
        let mut near = first.clone();
        near.insert("hash md5:bb".to_owned());
        assert_eq!(again.alike(&near).unwrap()[0].likeness, Likeness::Near(75));
        let two = set(&["email a@b.example", "hash md5:aa"]);
        assert!(again.alike(&two).unwrap().is_empty());
        assert!(again.alike(&set(&[])).unwrap().is_empty());
        // What a command that was stopped has left of a key is none.
        let draft = file::draft_of(&dir.path().join(FOLDER).join(KEY));
        fs::write(&draft, "half").unwrap();
        fs::remove_file(dir.path().join(FOLDER).join(KEY)).unwrap();
        let anew = SeenStore::open(dir.path(), &mut Random::System.rng()).unwrap();
        assert!(anew.alike(&first).unwrap().is_empty() && !draft.exists());
        let file = dir
            .path()
            .join(FOLDER)
            .join(format!("{}.tags", MessageId([1; 16])));
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("example") && !text.contains("md5"), "{text}");
        fs::write(&file, "{").unwrap();
        assert!(matches!(
            again.alike(&first),
            Err(SeenError::Damaged { .. })
        ));
        fs::remove_file(&file).unwrap();
        assert!(again.alike(&first).unwrap().is_empty());
    }

    // RTE-37: of what has not left nothing is noticed; forgotten twice is forgotten.
    #[test]
    fn what_has_not_left_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = SeenStore::open(dir.path(), &mut Random::System.rng()).unwrap();
        let (one, other) = (MessageId([1; 16]), MessageId([2; 16]));
        let tokens = set(&["email a@b.example"]);
        for message in [one, other] {
            store.remember(message, 5, &[], &tokens).unwrap();
        }
        assert!(store.holds(one) && store.holds(other));
        store.forget(one).unwrap();
        store.forget(one).unwrap();
        assert!(!store.holds(one));
        let left = store.alike(&tokens).unwrap();
        assert_eq!((left.len(), left[0].message), (1, other));
    }

    // LIM-120, LIM-121: of many tokens the lowest tags stay, of many messages the latest.
    #[test]
    fn what_is_remembered_has_a_bound() {
        let dir = tempfile::tempdir().unwrap();
        let store = SeenStore::open(dir.path(), &mut Random::System.rng()).unwrap();
        let many: BTreeSet<String> = (0..1000).map(|one| format!("hash md5:{one}")).collect();
        store.remember(MessageId([0; 16]), 1, &[], &many).unwrap();
        let mut most = many.clone();
        most.pop_first();
        let found = store.alike(&most).unwrap();
        assert!(
            matches!(found[0].likeness, Likeness::Near(95..)),
            "{found:?}"
        );
        assert_eq!(store.alike(&many).unwrap()[0].likeness, Likeness::Exact);
        for number in 1..4 {
            let tokens = set(&[&format!("url {number}")]);
            let at = u64::from(number) * 10;
            store
                .remember(MessageId([number; 16]), at, &[], &tokens)
                .unwrap();
        }
        store.prune(2).unwrap();
        let left = store.files().unwrap();
        assert_eq!(left.len(), 2);
        assert!(left.iter().all(|(id, _)| id.0[0] >= 2));
    }
}
