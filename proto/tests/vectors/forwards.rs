//! Forwards: the same content key for further members, the original signature inside.

use bytes::Bytes;
use frex_proto::{
    envelope::{self, ForwardDraft},
    id::MessageId,
    keys::SigningKey,
    label, sign, v1,
};
use prost::Message;

use crate::{
    Vector,
    fixtures::{
        DAY_MS, FEDERATION, NOW_MS, POLICE, Parts, identity, police_seed, rng, sealing, stranger,
    },
};

const PROSECUTOR: &str = "prosecutor.example-b";

fn prosecutor_seed() -> [u8; 32] {
    [23; 32]
}

fn police_identity() -> SigningKey {
    SigningKey::from_seed(&[2; 32])
}

/// A forward taken apart.
#[derive(Clone)]
struct Forwarded {
    manifest: v1::ForwardManifest,
    wraps: Vec<v1::Wrap>,
    body: Bytes,
}

impl Forwarded {
    fn small() -> Self {
        let original = Parts::small();
        let parsed = envelope::parse(&original.envelope()).expect("a good envelope");
        let secret = sealing(&police_seed());
        let opened = envelope::open(&parsed, &original.body, POLICE, &[&secret]).expect("opens");
        let draft = ForwardDraft {
            federation: FEDERATION.to_owned(),
            sender: POLICE.to_owned(),
            recipients: vec![(
                PROSECUTOR.to_owned(),
                sealing(&prosecutor_seed()).public().clone(),
            )],
            message_id: MessageId([8; 16]),
            created_ms: NOW_MS,
            expires_ms: NOW_MS + DAY_MS,
        };
        let forward = envelope::forward(
            &parsed,
            original.body.clone(),
            &opened.content_key,
            &draft,
            &mut rng(5),
            &police_identity(),
        )
        .expect("a good draft")
        .to_wire(None);
        let signed = v1::Signed::decode(forward.forward).expect("own output");
        Self {
            manifest: v1::ForwardManifest::decode(signed.payload).expect("own output"),
            wraps: forward.wraps,
            body: forward.body,
        }
    }

    fn with(mut self, change: &dyn Fn(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn signed_by(&self, key: &SigningKey) -> v1::Envelope {
        let payload = self.manifest.encode_to_vec().into();
        v1::Envelope {
            signed: Bytes::new(),
            forward: sign::sign(label::TYPE_FORWARD, payload, &[key])
                .expect("a key in memory signs")
                .encode_to_vec()
                .into(),
            wraps: self.wraps.clone(),
            body: self.body.clone(),
        }
    }

    fn rehash(&mut self) {
        let hash = label::sha256(&[label::WRAP_HASH, &self.wraps[0].wrap]);
        self.manifest.wrap_sha256[0] = Bytes::copy_from_slice(&hash);
    }
}

fn vector(name: &str, spec: &str, what: &str, forward: &v1::Envelope, expect: &str) -> Vector {
    Vector::new("forward", name, spec, what, "open_forward")
        .hexes(
            "forwarder_keys",
            [police_identity().verifying_key().as_bytes()],
        )
        .hexes("author_keys", [identity().verifying_key().as_bytes()])
        .set("now_ms", NOW_MS)
        .set("member", PROSECUTOR)
        .hexes("secrets", [prosecutor_seed()])
        .hex("envelope", forward.encode_to_vec())
        .expect(expect)
}

pub(crate) fn make() -> Vec<Vector> {
    let mut vectors = rows();
    vectors.extend(companions());
    vectors
}

/// The vector for a forwarder and an author whose keys have companions.
fn by_pairs(mut vector: Vector, forwarder: &SigningKey, author: &SigningKey) -> Vector {
    let listed = |key: &SigningKey| vec![hex::encode(key.verifying_key().encoded())].into();
    for (name, value) in &mut vector.fields {
        match *name {
            "forwarder_keys" => *value = listed(forwarder),
            "author_keys" => *value = listed(author),
            _ => (),
        }
    }
    vector
}

/// The signed object without what a companion signed.
fn stripped(signed: &Bytes) -> Bytes {
    let mut signed = v1::Signed::decode(signed.clone()).expect("own output");
    signed.signatures.retain(|one| one.signature.len() == 64);
    signed.encode_to_vec().into()
}

#[rustfmt::skip] // A table: one row a vector.
fn companions() -> Vec<Vector> {
    let author = identity().with_companion(&[101; 32]);
    let forwarder = police_identity().with_companion(&[102; 32]);
    let original = Bytes::from(Parts::small().signed_by(&author).encode_to_vec());
    let forward = |original: &Bytes| {
        let change = |f: &mut Forwarded| f.manifest.original = original.clone();
        Forwarded::small().with(&change).signed_by(&forwarder)
    };
    let good = forward(&original);
    let half = v1::Envelope { forward: stripped(&good.forward), ..good.clone() };
    let row = |name: &str, spec: &str, what: &str, forward: &v1::Envelope, expect: &str| {
        by_pairs(vector(name, spec, what, forward, expect), &forwarder, &author)
    };
    vec![
        row("companions", "SIG-20", "author and forwarder have companions, and all have signed", &good, "ok"),
        row("companion-stripped", "SIG-21", "what the forwarder's companion signed was taken away", &half, "Signature(HalfSigned)"),
        row("companion-stripped-from-the-original", "SIG-21", "the forwarder left out what the author's companion signed", &forward(&stripped(&original)), "Signature(HalfSigned)"),
    ]
}

#[rustfmt::skip] // A table: one row a vector.
fn rows() -> Vec<Vector> {
    let good = Forwarded::small();
    let row = |name: &str, spec: &str, what: &str, change: &dyn Fn(&mut Forwarded), expect: &str| {
        vector(name, spec, what, &good.clone().with(change).signed_by(&police_identity()), expect)
    };
    let plain = Parts::small();
    let by_stranger = Bytes::from(plain.signed_by(&stranger()).encode_to_vec());
    let of_other = Bytes::from(Parts::large().signed_by(&identity()).encode_to_vec());
    let ping = plain.clone().with_core(|core| {
        core.kind = v1::Kind::Ping.into();
        core.lane = v1::Lane::Control.into();
    });
    let of_ping = Bytes::from(ping.signed_by(&identity()).encode_to_vec());
    let flip = |wrap: &mut Bytes| { let mut copy = wrap.to_vec(); copy[1140] ^= 1; *wrap = copy.into(); };
    vec![
        row("forward", "ENV-25", "a forward opens for its new recipient", &|_| (), "ok"),
        vector("forward-by-a-stranger", "ENV-24", "signed by a key that is not the forwarder's", &good.signed_by(&stranger()), "Signature(UnknownKey)"),
        vector("forward-is-an-envelope", "SIG-10", "a plain envelope where a forward is due", &plain.envelope(), "PayloadType"),
        vector("forward-beside-an-envelope", "RCL-14", "a forward and an envelope at once", &v1::Envelope { signed: plain.envelope().signed, ..good.signed_by(&police_identity()) }, "Malformed"),
        row("forward-of-a-ping", "RCL-15", "a ping that was passed on", &|f| f.manifest.original = of_ping.clone(), "KindOrLane"),
        row("original-by-a-stranger", "ENV-24", "the original is signed by a key that is not its author's", &|f| f.manifest.original = by_stranger.clone(), "Signature(UnknownKey)"),
        row("original-of-another", "ENV-24", "the original of another body", &|f| f.manifest.original = of_other.clone(), "BodyLength"),
        row("original-missing", "ENV-23", "no original", &|f| f.manifest.original.clear(), "PayloadType"),
        row("federation-other", "ENV-23", "a forward into another federation", &|f| "elsewhere".clone_into(&mut f.manifest.federation), "WrongFederation"),
        row("forwarder-name", "ENV-23", "a forwarder with a capital", &|f| "Police".clone_into(&mut f.manifest.sender), "Name"),
        row("recipients-none", "ENV-23", "a forward to nobody", &|f| f.manifest.recipients.clear(), "RecipientCount"),
        row("recipient-twice", "ENV-23", "one member twice", &|f| f.manifest.recipients.push(f.manifest.recipients[0].clone()), "RecipientTwice"),
        row("wrap-hash-missing", "ENV-23", "no wrap hash", &|f| f.manifest.wrap_sha256.clear(), "WrapCount"),
        row("message-id-17-bytes", "ENV-23", "a message id too long", &|f| f.manifest.message_id = Bytes::from_static(&[1; 17]), "Malformed"),
        row("expires-at-its-creation", "ENV-23", "an expiry that is not after the creation", &|f| f.manifest.expires_ms = f.manifest.created_ms, "TimeOrder"),
        row("expired", "ENV-24", "the forward's own expiry counts", &|f| { f.manifest.created_ms -= 2; f.manifest.expires_ms = NOW_MS - 1; }, "Expired"),
        row("wrap-changed", "ENV-24", "one bit of the wrap changed", &|f| flip(&mut f.wraps[0].wrap), "WrapMismatch"),
        row("wrap-shared", "ENV-25", "a wrap of the shared form", &|f| { f.wraps[0].wrap = Bytes::from_static(&[2; 1169]); f.rehash(); }, "WrapShape"),
        row("wrap-changed-and-signed", "ENV-25", "one bit of the sealed key changed by the forwarder", &|f| { flip(&mut f.wraps[0].wrap); f.rehash(); }, "Wrap"),
        row("wrap-under-another-message", "ENV-25", "the wrap is bound to the message id", &|f| f.manifest.message_id = Bytes::from_static(&[1; 16]), "Wrap"),
        row("wrap-under-another-forwarder", "ENV-25", "the wrap is bound to the forwarder", &|f| "police.example-x".clone_into(&mut f.manifest.sender), "Wrap"),
    ]
}
