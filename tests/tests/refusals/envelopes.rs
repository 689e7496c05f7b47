//! Envelopes that are not what their sender signed, or that nobody may take.

use bytes::Bytes;
use frex_proto::{envelope, error::WireCode::*, keys::SigningKey, label, sign, v1};
use prost::Message;

use super::{
    Row, decoded,
    requests::client,
    scene::{HOME, PLATFORM, POLICE, Scene, now_ms, submit},
};

pub const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// A good envelope with something changed after it was signed.
fn changed(scene: &Scene, change: fn(&mut v1::Envelope)) -> Vec<u8> {
    let mut envelope = scene.good(PLATFORM, &[HOME, POLICE]);
    change(&mut envelope);
    submit(&[envelope])
}

pub fn flipped(bytes: &Bytes, position: usize) -> Bytes {
    let mut bytes = bytes.to_vec();
    bytes[position] ^= 1;
    bytes.into()
}

/// Parts that are not the signed ones.
pub fn parts() -> Vec<Row> {
    vec![
        client("a bit of the body", BadEnvelope, |scene| {
            changed(scene, |envelope| envelope.body = flipped(&envelope.body, 9))
        }),
        client("the last byte of the body", BadEnvelope, |scene| {
            changed(scene, |envelope| {
                envelope.body.truncate(envelope.body.len() - 1);
            })
        }),
        client("no body", BadEnvelope, |scene| {
            changed(scene, |envelope| envelope.body.clear())
        }),
        client("the body of another envelope", BadEnvelope, |scene| {
            let mut envelope = scene.good(PLATFORM, &[HOME]);
            envelope.body = scene.good(PLATFORM, &[HOME]).body;
            submit(&[envelope])
        }),
        client("a bit of a wrap", BadEnvelope, |scene| {
            changed(scene, |envelope| {
                envelope.wraps[1].wrap = flipped(&envelope.wraps[1].wrap, 1100);
            })
        }),
        client("a wrap that is cut", BadEnvelope, |scene| {
            changed(scene, |envelope| envelope.wraps[0].wrap.truncate(1167))
        }),
        client("a wrap that is missing", BadEnvelope, |scene| {
            changed(scene, |envelope| drop(envelope.wraps.pop()))
        }),
        client("a wrap that comes twice", BadEnvelope, |scene| {
            changed(scene, |envelope| {
                envelope.wraps.push(envelope.wraps[0].clone());
            })
        }),
        client("a wrap for nobody", BadEnvelope, |scene| {
            changed(scene, |envelope| envelope.wraps[1].recipient = 2)
        }),
        client("wraps that changed places", BadEnvelope, |scene| {
            changed(scene, |envelope| {
                let [one, other] = &mut envelope.wraps[..] else {
                    panic!("two recipients")
                };
                std::mem::swap(&mut one.wrap, &mut other.wrap);
            })
        }),
        client("the wrap of another envelope", BadEnvelope, |scene| {
            let mut envelope = scene.good(PLATFORM, &[HOME]);
            envelope.wraps = scene.good(PLATFORM, &[HOME]).wraps;
            submit(&[envelope])
        }),
        client(
            "the signed manifest of another envelope",
            BadEnvelope,
            |scene| {
                let mut envelope = scene.good(PLATFORM, &[HOME]);
                envelope.signed = scene.good(PLATFORM, &[HOME]).signed;
                submit(&[envelope])
            },
        ),
    ]
}

/// A good envelope with a changed signature object.
fn signed(scene: &Scene, change: fn(&mut v1::Signed)) -> Vec<u8> {
    let mut envelope = scene.good(PLATFORM, &[HOME]);
    let mut signed = decoded(&envelope.signed);
    change(&mut signed);
    envelope.signed = signed.encode_to_vec().into();
    submit(&[envelope])
}

/// A good envelope whose header was changed under the signature that it had.
fn forged(scene: &Scene, change: fn(&mut v1::Core)) -> Vec<u8> {
    let mut envelope = scene.good(PLATFORM, &[HOME]);
    let mut signed: v1::Signed = decoded(&envelope.signed);
    signed.payload = with_core(&signed.payload, change);
    envelope.signed = signed.encode_to_vec().into();
    submit(&[envelope])
}

fn with_core(payload: &Bytes, change: fn(&mut v1::Core)) -> Bytes {
    let mut manifest: v1::Manifest = decoded(payload);
    let mut core = decoded(&manifest.core);
    change(&mut core);
    manifest.core = core.encode_to_vec().into();
    manifest.encode_to_vec().into()
}

/// Signatures that do not hold, and headers changed under them.
pub fn signatures() -> Vec<Row> {
    vec![
        client("a bit of the signature", BadSignature, |scene| {
            signed(scene, |signed| {
                signed.signatures[0].signature = flipped(&signed.signatures[0].signature, 40);
            })
        }),
        client("a signature of another length", BadSignature, |scene| {
            signed(scene, |signed| signed.signatures[0].signature.truncate(63))
        }),
        client("no signature", NotTrusted, |scene| {
            signed(scene, |signed| signed.signatures.clear())
        }),
        client("a signature by an unknown key", NotTrusted, |scene| {
            signed(scene, |signed| {
                let key = SigningKey::from_seed(&[3; 32]);
                *signed =
                    sign::sign(label::TYPE_MANIFEST, signed.payload.clone(), &[&key]).unwrap();
            })
        }),
        client("129 signatures", TooLarge, |scene| {
            signed(scene, |signed| {
                signed.signatures = vec![signed.signatures[0].clone(); 129];
            })
        }),
        client(
            "a signature that claims to be of a batch",
            BadSignature,
            |scene| {
                signed(scene, |signed| {
                    signed.batch = Some(v1::BatchPath {
                        index: 0,
                        size: 1,
                        hashes: Vec::new(),
                    });
                })
            },
        ),
        client("another type of signed object", Malformed, |scene| {
            signed(scene, |signed| {
                signed.payload_type = label::TYPE_STAGE.to_owned();
            })
        }),
        client("a header cut short", Malformed, |scene| {
            signed(scene, |signed| signed.payload.truncate(60))
        }),
        client("re-addressed", BadSignature, |scene| {
            forged(scene, |core| core.recipients[0].member = POLICE.to_owned())
        }),
        client("re-attributed to another member", NotTrusted, |scene| {
            forged(scene, |core| core.sender = POLICE.to_owned())
        }),
        client("a longer life than was signed", BadSignature, |scene| {
            forged(scene, |core| core.expires_ms += 1)
        }),
        client(
            "another message id than was signed",
            BadSignature,
            |scene| forged(scene, |core| core.message_id = vec![1; 16].into()),
        ),
        client(
            "another's envelope in one's own name",
            WrongSender,
            |scene| submit(&[scene.good(POLICE, &[HOME])]),
        ),
    ]
}

/// An envelope whose header was changed, signed anew by its sender; its wraps fit no longer.
fn resealed(scene: &Scene, change: fn(&mut v1::Core)) -> v1::Envelope {
    let mut envelope = scene.good(PLATFORM, &[HOME]);
    let payload = decoded::<v1::Signed>(&envelope.signed).payload;
    envelope.signed = resigned(scene, with_core(&payload, change));
    envelope
}

/// Another member's envelope with the platform's name and signature put in place.
pub fn stolen(scene: &Scene) -> v1::Envelope {
    let mut envelope = scene.good(POLICE, &[HOME]);
    let payload = decoded::<v1::Signed>(&envelope.signed).payload;
    let payload = with_core(&payload, |core| core.sender = PLATFORM.to_owned());
    envelope.signed = resigned(scene, payload);
    envelope
}

pub fn remade(scene: &Scene, change: fn(&mut v1::Manifest)) -> v1::Envelope {
    let mut envelope = scene.good(PLATFORM, &[HOME]);
    let mut manifest = decoded(&decoded::<v1::Signed>(&envelope.signed).payload);
    change(&mut manifest);
    envelope.signed = resigned(scene, manifest.encode_to_vec().into());
    envelope
}

fn resigned(scene: &Scene, payload: Bytes) -> Bytes {
    let key = &scene.federation.member(PLATFORM).identity;
    let signed = sign::sign(label::TYPE_MANIFEST, payload, &[key]).unwrap();
    signed.encode_to_vec().into()
}

/// Headers that their sender signed and nobody may take.
pub fn headers() -> Vec<Row> {
    vec![
        client("another federation", WrongFederation, |scene| {
            submit(&[resealed(scene, |core| core.federation = "other".to_owned())])
        }),
        client("a federation that is no name", Malformed, |scene| {
            submit(&[resealed(scene, |core| {
                core.federation = "Other Federation".to_owned();
            })])
        }),
        client("an unknown suite", Unsupported, |scene| {
            submit(&[resealed(scene, |core| core.suite = 2)])
        }),
        client("an unknown critical feature", Unsupported, |scene| {
            submit(&[resealed(scene, |core| core.critical = vec![7])])
        }),
        client("an unknown kind", Unsupported, |scene| {
            submit(&[resealed(scene, |core| core.kind = 99)])
        }),
        client("an unknown lane", Unsupported, |scene| {
            submit(&[resealed(scene, |core| core.lane = 99)])
        }),
        client("no recipient", TooLarge, |scene| {
            submit(&[resealed(scene, |core| core.recipients.clear())])
        }),
        client("a recipient twice", Malformed, |scene| {
            submit(&[resealed(scene, |core| {
                core.recipients.push(core.recipients[0].clone());
            })])
        }),
        client("a short message id", Malformed, |scene| {
            submit(&[resealed(scene, |core| core.message_id.truncate(15))])
        }),
        client("an end before the beginning", Malformed, |scene| {
            submit(&[resealed(scene, |core| core.expires_ms = core.created_ms)])
        }),
        client("another size class", BadEnvelope, |scene| {
            submit(&[resealed(scene, |core| core.size_class += 1)])
        }),
        client("expired", Expired, |scene| {
            submit(&[dated(scene, PLATFORM, -1000, 999)])
        }),
        client("future-dated", FutureDated, |scene| {
            submit(&[dated(scene, PLATFORM, 11 * 60 * 1000, 1000)])
        }),
        client("a life too long", LifeTooLong, |scene| {
            submit(&[dated(scene, PLATFORM, 0, 31 * DAY_MS + 1)])
        }),
    ]
}

/// A report by `sender` created `from_now` and expiring after `life_ms`.
pub fn dated(scene: &Scene, sender: &str, from_now: i64, life_ms: u64) -> v1::Envelope {
    // A draft with impossible dates is not sealed for anyone, so they are put into the header.
    let sealed = envelope::seal(&scene.draft(sender, &[HOME]), &mut scene.rng()).unwrap();
    let mut manifest: v1::Manifest = decoded(&sealed.manifest);
    let mut core: v1::Core = decoded(&manifest.core);
    core.created_ms = now_ms().saturating_add_signed(from_now);
    core.expires_ms = core.created_ms + life_ms;
    manifest.core = core.encode_to_vec().into();
    let sealed = envelope::Sealed {
        manifest: manifest.encode_to_vec().into(),
        ..sealed
    };
    let identity = &scene.federation.member(sender).identity;
    envelope::sign_one(sealed, identity).unwrap().to_wire(None)
}
