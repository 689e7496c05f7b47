//! One PEM block of a key file, and the lines before it.

use frex_proto::label::sha256;
use pkcs8::der::pem::decode_vec;
use zeroize::Zeroizing;

use super::KeyTextError;

pub(super) const PUBLIC_LINE: &str = "FREX-Public-Key: ";
pub(super) const CHECKSUM_LINE: &str = "FREX-Checksum: ";
const START: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A PEM block and the text before it.
pub(super) struct Block<'a> {
    preamble: &'a str,
    pub(super) label: &'a str,
    pub(super) document: Zeroizing<Vec<u8>>,
}

impl<'a> Block<'a> {
    /// The first block of a text, and the text behind it.
    pub(super) fn read(text: &'a str) -> Result<(Self, &'a str), KeyTextError> {
        let malformed = KeyTextError::Malformed;
        let (preamble, rest) = text.split_at(text.find(START).ok_or(malformed)?);
        let label_at = rest.find(END).ok_or(malformed)? + END.len();
        let label_bytes = rest[label_at..].find(DASHES).ok_or(malformed)?;
        let (pem, rest) = rest.split_at(label_at + label_bytes + DASHES.len());
        let (label, document) = decode_vec(pem.as_bytes()).map_err(|_| malformed)?;
        let block = Self {
            preamble,
            label,
            document: Zeroizing::new(document),
        };
        Ok((block, rest))
    }

    /// What stands before the block under this name.
    pub(super) fn line(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.preamble.lines();
        lines.find_map(|line| line.strip_prefix(name))
    }

    /// The public key that stands before an encrypted one. Files of other tools state none.
    pub(super) fn stated_public(&self) -> Result<Option<Vec<u8>>, KeyTextError> {
        let (public, sum) = match (self.line(PUBLIC_LINE), self.line(CHECKSUM_LINE)) {
            (None, None) => return Ok(None),
            (Some(public), Some(sum)) => (public, sum),
            _ => return Err(KeyTextError::Damaged),
        };
        let public = hex::decode(public).map_err(|_| KeyTextError::Damaged)?;
        if hex::encode(checksum(&public, &self.document)) != sum {
            return Err(KeyTextError::Damaged);
        }
        Ok(Some(public))
    }
}

pub(super) fn checksum(public: &[u8], document: &[u8]) -> [u8; 32] {
    sha256(&[public, document])
}
