//! The book of an epoch: a row for each identifier that a member holds and may tell of, and for each
//! that it does not hold, up to a number that says nothing. Only who has the output of an identifier
//! finds its row, and only the output opens what stands there. Spec: DCF-12, DCF-13, DCF-14.

use bytes::Bytes;
use frex_proto::{
    label::{self, Hash},
    limits,
};
use prost::Message;
use rand_core::CryptoRng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use zeroize::Zeroizing;

use super::{BookError, DeconflictDesk, oprf::Output};

const MAGIC: &[u8; 16] = b"frex-dcf-book-v1";
const HEAD_BYTES: usize = 32;
const LINE_BYTES: usize = 512;
const LINE_PLAIN_BYTES: usize = LINE_BYTES - 16;
const TAG_BYTES: usize = 8;
const ROW_BYTES: usize = TAG_BYTES + DESK_KEY_BYTES;
const DESK_KEY_BYTES: usize = 16;

type Row = [u8; ROW_BYTES];
type DeskKey = [u8; DESK_KEY_BYTES];

/// Longest book.
pub(super) const BOOK_BYTES_MAX: usize =
    HEAD_BYTES + limits::BOOK_DESKS_MAX * LINE_BYTES + limits::BOOK_ROWS_MAX * ROW_BYTES;

/// Collects rows.
pub struct BookBuilder {
    desks: Vec<(Zeroizing<DeskKey>, [u8; LINE_BYTES])>,
    rows: Vec<Row>,
}

/// A book that was checked.
#[derive(Clone)]
pub struct Book {
    bytes: Bytes,
    desks: usize,
}

impl BookBuilder {
    /// A book with these desks, of which rows name one by its place.
    ///
    /// # Errors
    /// [`BookError::Full`].
    pub fn new(desks: &[DeconflictDesk], rng: &mut dyn CryptoRng) -> Result<Self, BookError> {
        if desks.len() > limits::BOOK_DESKS_MAX {
            return Err(BookError::Full);
        }
        let line = |desk: &DeconflictDesk| {
            let mut key = Zeroizing::new([0; DESK_KEY_BYTES]);
            rng.fill_bytes(key.as_mut());
            let line = seal(desk, &key)?;
            Ok::<_, BookError>((key, line))
        };
        let desks = desks.iter().map(line).collect::<Result<_, _>>()?;
        Ok(Self {
            desks,
            rows: Vec::new(),
        })
    }

    /// Adds the row of an identifier that this desk answers for.
    ///
    /// # Errors
    /// [`BookError::Full`], also of a desk that is not there.
    pub fn hold(&mut self, output: &Output, desk: usize) -> Result<(), BookError> {
        let Some((key, _)) = self.desks.get(desk) else {
            return Err(BookError::Full);
        };
        if self.rows.len() == limits::BOOK_ROWS_MAX {
            return Err(BookError::Full);
        }
        let hash = row_hash(output);
        let mut row = [0; ROW_BYTES];
        row.copy_from_slice(&hash[..ROW_BYTES]);
        for (byte, key) in row[TAG_BYTES..].iter_mut().zip(key.iter()) {
            *byte ^= key;
        }
        self.rows.push(row);
        Ok(())
    }

    /// The book: filled up to the next class with what nobody can tell from rows and lines, in the
    /// order of the bytes, which are random to everybody.
    #[must_use]
    pub fn finish(mut self, rng: &mut dyn CryptoRng) -> Vec<u8> {
        let (rows, desks) = (row_class(self.rows.len()), desk_class(self.desks.len()));
        self.rows.resize_with(rows, || random(rng));
        self.rows.sort_unstable();
        let mut book = Vec::with_capacity(HEAD_BYTES + desks * LINE_BYTES + rows * ROW_BYTES);
        book.extend_from_slice(MAGIC);
        book.extend_from_slice(&(rows as u64).to_be_bytes());
        book.extend_from_slice(&(desks as u64).to_be_bytes());
        for (_, line) in &self.desks {
            book.extend_from_slice(line);
        }
        for _ in self.desks.len()..desks {
            book.extend_from_slice(&random::<LINE_BYTES>(rng));
        }
        for row in &self.rows {
            book.extend_from_slice(row);
        }
        book
    }
}

impl Book {
    /// Checks that bytes are the book of this hash, and one that can be searched.
    ///
    /// # Errors
    /// [`BookError`].
    pub fn check(bytes: Bytes, sha256: &Hash) -> Result<Self, BookError> {
        if label::sha256(&[&bytes]) != *sha256 {
            return Err(BookError::Hash);
        }
        let head = bytes.get(..HEAD_BYTES).ok_or(BookError::Shape)?;
        let number = |at: usize| {
            let number = u64::from_be_bytes(head[at..at + 8].try_into().unwrap_or_default());
            usize::try_from(number).unwrap_or(usize::MAX)
        };
        let (rows, desks) = (number(16), number(24));
        if head[..16] != MAGIC[..] {
            return Err(BookError::Shape);
        }
        if rows > limits::BOOK_ROWS_MAX
            || desks > limits::BOOK_DESKS_MAX
            || rows != row_class(rows)
            || desks != desk_class(desks)
        {
            return Err(BookError::Class);
        }
        if bytes.len() != HEAD_BYTES + desks * LINE_BYTES + rows * ROW_BYTES {
            return Err(BookError::Shape);
        }
        let book = Self { bytes, desks };
        match book.rows().is_sorted() {
            true => Ok(book),
            false => Err(BookError::Order),
        }
    }

    /// The contact that stands for an output: whom to call. None: the member holds no such
    /// identifier, or does not tell.
    #[must_use]
    pub fn find(&self, output: &Output) -> Option<DeconflictDesk> {
        let hash = row_hash(output);
        let rows = self.rows();
        let first = rows.partition_point(|row| row[..TAG_BYTES] < hash[..TAG_BYTES]);
        let same = rows[first..].iter();
        let mut same = same.take_while(|row| row[..TAG_BYTES] == hash[..TAG_BYTES]);
        same.find_map(|row| {
            let mut key = [0; DESK_KEY_BYTES];
            let pairs = row[TAG_BYTES..].iter().zip(&hash[TAG_BYTES..ROW_BYTES]);
            for (byte, (sealed, pad)) in key.iter_mut().zip(pairs) {
                *byte = sealed ^ pad;
            }
            self.lines().find_map(|line| open(line, &key))
        })
    }

    /// How many rows there are: more than there are identifiers.
    #[must_use]
    pub fn row_count(&self) -> usize {
        self.rows().len()
    }

    fn rows(&self) -> &[Row] {
        let rows = &self.bytes[HEAD_BYTES + self.desks * LINE_BYTES..];
        rows.as_chunks().0
    }

    fn lines(&self) -> impl Iterator<Item = &[u8; LINE_BYTES]> {
        let lines = &self.bytes[HEAD_BYTES..HEAD_BYTES + self.desks * LINE_BYTES];
        lines.as_chunks().0.iter()
    }
}

/// The smallest class that holds so many rows: 256, and four times as many again and again.
fn row_class(count: usize) -> usize {
    let mut class = limits::BOOK_ROWS_MIN;
    while class < count {
        class *= 4;
    }
    class
}

fn desk_class(count: usize) -> usize {
    let mut class = 1;
    while class < count {
        class *= 4;
    }
    class
}

fn row_hash(output: &Output) -> Hash {
    label::sha256(&[label::DECONFLICT_ROW, output])
}

fn line_key(key: &DeskKey) -> LessSafeKey {
    let key = Zeroizing::new(label::hmac_sha256(key, &[label::DECONFLICT_DESK]));
    LessSafeKey::new(
        UnboundKey::new(&AES_256_GCM, key.as_ref()).expect("an AES-256 key is 32 bytes"),
    )
}

fn seal(desk: &DeconflictDesk, key: &DeskKey) -> Result<[u8; LINE_BYTES], BookError> {
    let encoded = desk.encode_to_vec();
    let length = u16::try_from(encoded.len()).unwrap_or(u16::MAX);
    if encoded.len() > limits::DESK_BYTES_MAX {
        return Err(BookError::Full);
    }
    let mut line = [0; LINE_BYTES];
    line[..2].copy_from_slice(&length.to_be_bytes());
    line[2..2 + encoded.len()].copy_from_slice(&encoded);
    let (plain, tag) = line.split_at_mut(LINE_PLAIN_BYTES);
    // The key seals this line and no other.
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let sealed = line_key(key).seal_in_place_separate_tag(nonce, Aad::empty(), plain);
    let sealed = sealed.map_err(|_| BookError::Full)?;
    tag.copy_from_slice(sealed.as_ref());
    Ok(line)
}

fn open(line: &[u8; LINE_BYTES], key: &DeskKey) -> Option<DeconflictDesk> {
    let mut line = *line;
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let plain = line_key(key).open_in_place(nonce, Aad::empty(), &mut line);
    let plain: &[u8] = plain.ok()?;
    let (length, rest) = plain.split_first_chunk::<2>()?;
    let (desk, zeros) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    let clean = zeros.iter().all(|byte| *byte == 0);
    clean.then(|| DeconflictDesk::decode(desk).ok()).flatten()
}

fn random<const N: usize>(rng: &mut dyn CryptoRng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill_bytes(&mut bytes);
    bytes
}
