//! Making envelopes: wrap, body, hash, signature.

use anyhow::anyhow;
use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use frex_proto::label::{Hash, sha256};
use hpke::{
    Kem as _, OpModeS, Serializable, aead::AeadCtxS, aead::ChaCha20Poly1305, kdf::HkdfSha256,
    kem::XWing, setup_sender_with_rng,
};
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use ring::aead;

use super::{
    AROUND_BODY_BYTES_MAX, SIGNATURE_BYTES, WRAP_BYTES, sender_key,
    tree::{Tree, leaf_hash},
};
use crate::case::{Case, Mode};

type PublicKey = <XWing as hpke::Kem>::PublicKey;
type Context = AeadCtxS<ChaCha20Poly1305, HkdfSha256, XWing>;

/// What one sealing thread holds.
pub struct Sealer {
    mode: Mode,
    recipient: PublicKey,
    key: SigningKey,
    rng: ChaCha20Rng,
    report: Vec<u8>,
}

/// One envelope ready to travel, and what the log will commit to.
pub struct Sealed {
    pub sequence: u64,
    pub digest: Hash,
    pub frame: Bytes,
}

/// Wrap, body and digest are there, signature and place in the batch are not.
struct Unsigned {
    sequence: u64,
    frame: Vec<u8>,
    digest: Hash,
}

impl Sealer {
    pub fn new(case: &Case) -> anyhow::Result<Self> {
        let mut seed = [0; 32];
        ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut seed)
            .map_err(|_| anyhow!("no randomness"))?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let (_, recipient) = XWing::derive_keypair(&[9; 32]);
        let mut report = vec![0; case.size];
        rng.fill_bytes(&mut report);
        Ok(Self {
            mode: case.mode,
            recipient,
            key: sender_key(),
            rng,
            report,
        })
    }

    /// Seals `count` envelopes under one signature, or each under its own.
    pub fn seal(&mut self, first: u64, count: usize) -> anyhow::Result<Vec<Sealed>> {
        let shared = match self.mode {
            Mode::Shared => Some(self.context()?),
            Mode::Single | Mode::Batch => None,
        };
        let unsigned = (first..first + count as u64)
            .map(|sequence| self.one(sequence, shared.as_ref()))
            .collect::<anyhow::Result<Vec<_>>>()?;
        // A batch of one is a single signature: there is nothing to share it with.
        if self.mode == Mode::Single || count == 1 {
            return Ok(unsigned.into_iter().map(|one| self.sign_one(one)).collect());
        }
        Ok(self.sign_batch(unsigned))
    }

    fn context(&mut self) -> anyhow::Result<(Vec<u8>, Context)> {
        let info = b"floor";
        let (encapsulated, context) = setup_sender_with_rng::<ChaCha20Poly1305, HkdfSha256, XWing>(
            &OpModeS::Base,
            &self.recipient,
            info,
            &mut self.rng,
        )
        .map_err(|_| anyhow!("a fixed public key takes an encapsulation"))?;
        Ok((encapsulated.to_bytes().to_vec(), context))
    }

    fn one(
        &mut self,
        sequence: u64,
        shared: Option<&(Vec<u8>, Context)>,
    ) -> anyhow::Result<Unsigned> {
        let mut content_key = [0; 32];
        self.rng.fill_bytes(&mut content_key);
        let mut frame = Vec::with_capacity(AROUND_BODY_BYTES_MAX + self.report.len() + 16);
        frame.extend([0; 4]);
        frame.extend(sequence.to_be_bytes());
        let aad = sequence.to_be_bytes();
        match shared {
            Some((encapsulated, context)) => {
                let mut wrap_key = [0; 32];
                context
                    .export(&aad, &mut wrap_key)
                    .map_err(|_| anyhow!("32 bytes can be exported"))?;
                frame.extend(encapsulated);
                encrypt(&wrap_key, &content_key, &mut frame)?;
            }
            None => {
                let (encapsulated, mut context) = self.context()?;
                let sealed = context.seal(&content_key, &aad);
                frame.extend(encapsulated);
                frame.extend(sealed.map_err(|_| anyhow!("a fresh context seals"))?);
            }
        }
        encrypt(&content_key, &self.report, &mut frame)?;
        let (wrap, body) = frame[12..].split_at(WRAP_BYTES);
        let digest = digest(wrap, body);
        Ok(Unsigned {
            sequence,
            frame,
            digest,
        })
    }

    fn sign_one(&self, unsigned: Unsigned) -> Sealed {
        let signature = self.key.sign(&unsigned.digest).to_bytes();
        unsigned.finish(&signature, 0, 1, &[])
    }

    fn sign_batch(&self, unsigned: Vec<Unsigned>) -> Vec<Sealed> {
        let mut tree = Tree::default();
        for one in &unsigned {
            tree.push(leaf_hash(&one.digest));
        }
        let edge = tree.edge();
        let signature = self.key.sign(&tree.root(&edge)).to_bytes();
        let size = u8::try_from(unsigned.len()).expect("at most 64 in a batch");
        let mut path = Vec::new();
        (0..size)
            .zip(unsigned)
            .map(|(index, one)| {
                path.clear();
                tree.path(index.into(), &edge, &mut path);
                one.finish(&signature, index, size, &path)
            })
            .collect()
    }
}

impl Unsigned {
    fn finish(
        mut self,
        signature: &[u8; SIGNATURE_BYTES],
        at: u8,
        of: u8,
        path: &[Hash],
    ) -> Sealed {
        let hashes = u8::try_from(path.len()).expect("six levels for 64");
        self.frame.extend(path.as_flattened());
        self.frame.extend(signature);
        self.frame.extend([at, of, hashes]);
        let length = u32::try_from(self.frame.len() - 4).expect("a body of one MiB");
        self.frame[..4].copy_from_slice(&length.to_be_bytes());
        Sealed {
            sequence: self.sequence,
            digest: self.digest,
            frame: self.frame.into(),
        }
    }
}

/// What is signed, and what the log commits to.
pub fn digest(wrap: &[u8], body: &[u8]) -> Hash {
    debug_assert_eq!(wrap.len(), WRAP_BYTES);
    sha256(&[wrap, &sha256(&[body])])
}

/// Appends the AES-256-GCM ciphertext and tag under a key that is used once.
fn encrypt(key: &[u8; 32], plaintext: &[u8], out: &mut Vec<u8>) -> anyhow::Result<()> {
    let key = aead::UnboundKey::new(&aead::AES_256_GCM, key)
        .map_err(|_| anyhow!("the key is 32 bytes"))?;
    let start = out.len();
    out.extend(plaintext);
    let nonce = aead::Nonce::assume_unique_for_key([0; 12]);
    let tag = aead::LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, aead::Aad::empty(), &mut out[start..])
        .map_err(|_| anyhow!("a body is far below the cipher's limit"))?;
    out.extend(tag.as_ref());
    Ok(())
}
