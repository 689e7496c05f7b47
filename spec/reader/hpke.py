"""HPKE Base with X-Wing, HKDF-SHA256 and ChaCha20Poly1305: opening and exporting only.

The key schedule is written out (RFC 9180, section 5.1), because libraries offer no exporter.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

SUITE_ID = b"HPKE" + bytes.fromhex("647a00010003")
XWING_LABEL = b"\\.//^\\"
ENCAPPED_BYTES = 1120


def hkdf_expand(name, key, info, length):
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(key, block + info + bytes([counter]), name)
        output += block
        counter += 1
    return output[:length]


def labeled_extract(salt, label, data):
    return hmac.digest(salt, b"HPKE-v1" + SUITE_ID + label + data, "sha256")


def labeled_expand(key, label, info, length):
    labeled = length.to_bytes(2, "big") + b"HPKE-v1" + SUITE_ID + label + info
    return hkdf_expand("sha256", key, labeled, length)


class SecretKey:
    """An X-Wing secret key of a 32-byte seed. KEY-11."""

    def __init__(self, seed):
        expanded = hashlib.shake_256(seed).digest(96)
        self.mlkem = MLKEM768PrivateKey.from_seed_bytes(expanded[:64])
        self.x25519 = X25519PrivateKey.from_private_bytes(expanded[64:])
        self.x25519_public = self.x25519.public_key().public_bytes_raw()
        self.public = self.mlkem.public_key().public_bytes_raw() + self.x25519_public

    def key_id(self):
        """KEY-2."""
        return hashlib.sha256(b"frex/v1/hpke-key\0" + b"\x64\x7a" + self.public).digest()[:16]

    def decapsulate(self, encapped):
        mlkem_secret = self.mlkem.decapsulate(encapped[:1088])
        try:
            x_secret = self.x25519.exchange(X25519PublicKey.from_public_bytes(encapped[1088:]))
        except ValueError:
            x_secret = bytes(32)  # X-Wing keeps an all-zero result; the library refuses it.
        combined = mlkem_secret + x_secret + encapped[1088:] + self.x25519_public + XWING_LABEL
        return hashlib.sha3_256(combined).digest()


class Context:
    """A receiver's context."""

    def __init__(self, secret_key, encapped, info):
        shared = secret_key.decapsulate(encapped)
        hashes = labeled_extract(b"", b"psk_id_hash", b"") + labeled_extract(b"", b"info_hash", info)
        schedule = b"\x00" + hashes
        secret = labeled_extract(shared, b"secret", b"")
        self.key = labeled_expand(secret, b"key", schedule, 32)
        self.nonce = labeled_expand(secret, b"base_nonce", schedule, 12)
        self.exporter = labeled_expand(secret, b"exp", schedule, 32)

    def open_first(self, sealed):
        """The first message, or None."""
        try:
            return ChaCha20Poly1305(self.key).decrypt(self.nonce, sealed, b"")
        except InvalidTag:
            return None

    def export(self, context, length):
        return labeled_expand(self.exporter, b"sec", context, length)
