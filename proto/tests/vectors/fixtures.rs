//! Members, keys and envelopes that the makers change one thing of.

use bytes::Bytes;
use frex_proto::{
    envelope::{self, Draft, Sealed, SharedContexts},
    id::MessageId,
    keys::{SealingSecretKey, SigningKey},
    label, sign, v1,
};
use prost::Message;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use ring::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf,
};

use crate::Vector;

pub(crate) const FEDERATION: &str = "example";
pub(crate) const SENDER: &str = "hotline.example-a";
pub(crate) const POLICE: &str = "police.example-b";
pub(crate) const CLEARING: &str = "clearing.example-c";
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;
pub(crate) const DAY_MS: u64 = 86_400_000;

pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// The sender's identity key.
pub(crate) fn identity() -> SigningKey {
    SigningKey::from_seed(&[1; 32])
}

/// A key that nobody in these vectors should trust.
pub(crate) fn stranger() -> SigningKey {
    SigningKey::from_seed(&[99; 32])
}

pub(crate) fn police_seed() -> [u8; 32] {
    [21; 32]
}

pub(crate) fn clearing_seed() -> [u8; 32] {
    [22; 32]
}

pub(crate) fn sealing(seed: &[u8; 32]) -> SealingSecretKey {
    SealingSecretKey::from_seed(seed)
}

pub(crate) fn draft(data: &[u8]) -> Draft {
    Draft {
        federation: FEDERATION.to_owned(),
        sender: SENDER.to_owned(),
        recipients: vec![
            (POLICE.to_owned(), sealing(&police_seed()).public().clone()),
            (
                CLEARING.to_owned(),
                sealing(&clearing_seed()).public().clone(),
            ),
        ],
        kind: v1::Kind::Report,
        lane: v1::Lane::Normal,
        created_ms: NOW_MS,
        expires_ms: NOW_MS + 7 * DAY_MS,
        reply_by_ms: Some(NOW_MS + DAY_MS),
        message_id: MessageId([3; 16]),
        conversation: None,
        in_reply_to: None,
        content_type: "text/plain".to_owned(),
        data: Bytes::copy_from_slice(data),
        attachments: Vec::new(),
    }
}

/// An envelope taken apart, so that a maker can change what it likes and sign it again.
#[derive(Clone)]
pub(crate) struct Parts {
    pub(crate) core: v1::Core,
    /// The bytes of the header where `core` is not to be encoded again.
    pub(crate) core_bytes: Option<Bytes>,
    pub(crate) manifest: v1::Manifest,
    pub(crate) wraps: Vec<v1::Wrap>,
    pub(crate) body: Bytes,
    pub(crate) payload_type: &'static str,
}

impl Parts {
    pub(crate) fn of(sealed: Sealed) -> Self {
        let manifest = v1::Manifest::decode(sealed.manifest).expect("own output");
        Self {
            core: v1::Core::decode(manifest.core.clone()).expect("own output"),
            core_bytes: Some(manifest.core.clone()),
            wraps: (0..)
                .zip(sealed.wraps)
                .map(|(recipient, wrap)| v1::Wrap { recipient, wrap })
                .collect(),
            body: sealed.body,
            payload_type: label::TYPE_MANIFEST,
            manifest,
        }
    }

    /// A small report in the single form.
    pub(crate) fn small() -> Self {
        Self::of(envelope::seal(&draft(b"a report"), &mut rng(1)).expect("a good draft"))
    }

    /// The same with shared wraps.
    pub(crate) fn shared() -> Self {
        let mut contexts = SharedContexts::new();
        let sealed = envelope::seal_shared(&draft(b"a report"), &mut contexts, &mut rng(2));
        Self::of(sealed.expect("a good draft"))
    }

    /// A report of two chunks.
    pub(crate) fn large() -> Self {
        Self::of(envelope::seal(&draft(&[b'x'; 20_000]), &mut rng(3)).expect("a good draft"))
    }

    /// Changes the header, which is encoded anew.
    pub(crate) fn with_core(mut self, change: impl FnOnce(&mut v1::Core)) -> Self {
        change(&mut self.core);
        self.core_bytes = None;
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// Names the wraps and the body as they are now in the manifest.
    pub(crate) fn rehash(mut self) -> Self {
        for wrap in &self.wraps {
            let hash = label::sha256(&[label::WRAP_HASH, &wrap.wrap]);
            let index = usize::try_from(wrap.recipient).expect("small");
            self.manifest.wrap_sha256[index] = Bytes::copy_from_slice(&hash);
        }
        self.manifest.body_sha256 = Bytes::copy_from_slice(&label::sha256(&[&self.body]));
        self.manifest.body_len = self.body.len() as u64;
        self
    }

    pub(crate) fn payload(&self) -> Bytes {
        let core = self.core_bytes.clone();
        let core = core.unwrap_or_else(|| self.core.encode_to_vec().into());
        let manifest = v1::Manifest {
            core,
            ..self.manifest.clone()
        };
        manifest.encode_to_vec().into()
    }

    /// Signs what is there now with `key`.
    pub(crate) fn signed_by(&self, key: &SigningKey) -> v1::Signed {
        sign::sign(self.payload_type, self.payload(), &[key]).expect("a key in memory signs")
    }

    pub(crate) fn around(&self, signed: &v1::Signed) -> v1::Envelope {
        v1::Envelope {
            signed: signed.encode_to_vec().into(),
            wraps: self.wraps.clone(),
            body: self.body.clone(),
            forward: Bytes::new(),
        }
    }

    /// The envelope, signed by its sender.
    pub(crate) fn envelope(&self) -> v1::Envelope {
        self.around(&self.signed_by(&identity()))
    }
}

/// A vector that opens `envelope` as the police would.
pub(crate) fn open_vector(
    name: &str,
    spec: &str,
    what: &str,
    envelope: &v1::Envelope,
    expect: &str,
) -> Vector {
    Vector::new("envelope", name, spec, what, "open_envelope")
        .hexes("sender_keys", [identity().verifying_key().as_bytes()])
        .set("now_ms", NOW_MS)
        .set("member", POLICE)
        .hexes("secrets", [police_seed()])
        .hex("envelope", envelope.encode_to_vec())
        .expect(expect)
}

/// A single wrap for the police, made by hand.
pub(crate) fn wrap_for_police(core: &[u8], content_key: &[u8; 32]) -> Bytes {
    use hpke::{Deserializable as _, Serializable as _, aead, kdf, kem};

    let secret = sealing(&police_seed());
    let prefixed = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).expect("short");
        [&length.to_be_bytes()[..], bytes].concat()
    };
    let info = [
        label::WRAP,
        &label::sha256(&[label::CORE, core]),
        &[0; 4],
        &prefixed(POLICE.as_bytes()),
        &prefixed(secret.public().key_id().as_ref()),
    ]
    .concat();
    let public = <kem::XWing as hpke::Kem>::PublicKey::from_bytes(secret.public().as_bytes())
        .expect("a good key");
    let (encapped, sealed) =
        hpke::single_shot_seal_with_rng::<aead::ChaCha20Poly1305, kdf::HkdfSha256, kem::XWing>(
            &hpke::OpModeS::Base,
            &public,
            &info,
            content_key,
            b"",
            &mut rng(4),
        )
        .expect("it seals");
    [&encapped.to_bytes()[..], &sealed].concat().into()
}

/// A body of `inner` as it is, padded or not: what no honest sender would seal.
pub(crate) fn seal_inner(
    content_key: &[u8; 32],
    core: &[u8],
    stream_salt: &[u8],
    inner: &[u8],
) -> Vec<u8> {
    const CHUNK: usize = 16 * 1024;
    let info: [&[u8]; 4] = [
        b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0",
        stream_salt,
        label::BODY,
        &label::sha256(&[label::CORE, core]),
    ];
    let secret = hkdf::Prk::new_less_safe(hkdf::HKDF_SHA512, content_key);
    let mut keys = [0; 76];
    let material = secret.expand(&info, Length).expect("a short output");
    material.fill(&mut keys).expect("the length asked for");
    let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &keys[..32]).expect("32 bytes"));
    let mut body = [stream_salt, &keys[44..]].concat();
    for index in 0..=inner.len() / CHUNK {
        let mut nonce: [u8; 12] = keys[32..44].try_into().expect("12 bytes");
        nonce[11] ^= u8::try_from(index).expect("few chunks");
        let end = inner.len().min((index + 1) * CHUNK);
        let mut chunk = inner[index * CHUNK..end].to_vec();
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::empty(),
            &mut chunk,
        )
        .expect("a short chunk");
        body.extend_from_slice(&chunk);
    }
    body
}

struct Length;

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        76
    }
}
