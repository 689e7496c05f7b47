"""Signatures over opaque bytes, alone or in a batch. Chapter SIG."""

import hashlib

import ed25519
import protobuf
import tlog
from refused import require

SIGNATURES_MAX = 64
BATCH_MAX = 64
TYPE_BATCH = "application/vnd.frex.batch.v1"
TYPES = {
    name: f"application/vnd.frex.{name}.v1+protobuf"
    for name in ("manifest", "forward", "root", "roster", "memberdoc", "freshness", "stage")
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


def verify(signed, expected_type, candidates, threshold):
    """The payload and the key ids that signed it. `candidates` are admitted public keys."""
    require(signed.payload_type == expected_type, "PayloadType")
    require(len(signed.signatures) <= SIGNATURES_MAX, "TooMany")
    if signed.batch is not None:
        message = batch_message(expected_type, signed.payload, signed.batch)
    else:
        message = pae(expected_type, signed.payload)
    known = {ed25519.key_id(key): key for key in candidates}
    counted = []
    for signature in signed.signatures:
        key = known.get(signature.key_id)
        if key is None or signature.key_id in counted:
            continue
        require(ed25519.verify(key, message, signature.signature), "BadSignature")
        counted.append(signature.key_id)
    require(counted, "UnknownKey")
    require(len(counted) >= threshold, "TooFew")
    return signed.payload, counted


def decode(data):
    return protobuf.decode(protobuf.SIGNED, data)
