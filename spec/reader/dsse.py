"""Signatures over opaque bytes, alone or in a batch. Chapter SIG."""

import hashlib

import ed25519
import mldsa
import protobuf
import tlog
from refused import require

SIGNATURES_MAX = 128
BATCH_MAX = 64
TYPE_BATCH = "application/vnd.frex.batch.v1"
TYPES = {
    name: f"application/vnd.frex.{name}.v1+protobuf"
    for name in ("manifest", "forward", "root", "roster", "memberdoc", "freshness", "stage", "silence")
}


def pae(payload_type, payload):
    """SIG-1."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def batch_message(payload_type, payload, batch):
    """SIG-4 to SIG-6: what the batch's signature covers."""
    require(batch.size <= BATCH_MAX and batch.index < batch.size, "BatchPath")
    require(all(len(one) == 32 for one in batch.hashes), "BatchPath")
    leaf = tlog.leaf_hash(hashlib.sha256(b"frex/v1/manifest\0" + payload).digest())
    root = tlog.climb(leaf, batch.index, batch.size, batch.hashes)
    require(root is not None, "BatchPath")
    return pae(TYPE_BATCH, batch.size.to_bytes(4, "big") + root + payload_type.encode())


def admit(key):
    """Judges an Ed25519 key, followed by its companion if it has one. KEY-30."""
    if len(key) > 32:
        mldsa.admit(key[32:])
    ed25519.admit(key[:32])


def ids_of(key):
    """The ids that the signatures of a key name: its own, and its companion's if it has one."""
    own = [ed25519.key_id(key[:32])]
    return own + [mldsa.key_id(key[32:])] if len(key) > 32 else own


def holds(key, half, message, signature):
    """Whether the key, or its companion, signed."""
    if half == 0:
        return ed25519.verify(key[:32], message, signature)
    return mldsa.verify(key[32:], message, signature)


def verify(signed, expected_type, candidates, threshold):
    """The payload and the key ids that signed it. `candidates` are admitted public keys, each
    followed by its companion if it has one."""
    require(signed.payload_type == expected_type, "PayloadType")
    require(len(signed.signatures) <= SIGNATURES_MAX, "TooMany")
    if signed.batch is not None:
        message = batch_message(expected_type, signed.payload, signed.batch)
    else:
        message = pae(expected_type, signed.payload)
    known = {id_: (key, half) for key in candidates for half, id_ in enumerate(ids_of(key))}
    claims = {}
    for signature in signed.signatures:
        if signature.key_id in known:
            key, half = known[signature.key_id]
            claims.setdefault(key, {}).setdefault(half, signature.signature)
    for key, halves in claims.items():
        require(len(halves) == len(ids_of(key)), "HalfSigned")
        for half in sorted(halves):
            require(holds(key, half, message, halves[half]), "BadSignature")
    counted = [ids_of(key)[0] for key in claims]
    require(counted, "UnknownKey")
    require(len(counted) >= threshold, "TooFew")
    return signed.payload, counted


def decode(data):
    return protobuf.decode(protobuf.SIGNED, data)
