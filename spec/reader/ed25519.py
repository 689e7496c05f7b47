"""Ed25519 as KEY-3, KEY-4, KEY-5 and KEY-7 say it. Only verification, so nothing here is secret."""

import hashlib

from refused import require

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)
IDENTITY = (0, 1, 1, 0)


def add(a, b):
    """Sum of two points in extended coordinates (X, Y, Z, T)."""
    A = (a[1] - a[0]) * (b[1] - b[0]) % P
    B = (a[1] + a[0]) * (b[1] + b[0]) % P
    C = 2 * a[3] * b[3] * D % P
    E = 2 * a[2] * b[2] % P
    e, f, g, h = B - A, E - C, E + C, B + A
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def multiply(scalar, point):
    total = IDENTITY
    while scalar:
        if scalar & 1:
            total = add(total, point)
        point = add(point, point)
        scalar >>= 1
    return total


def is_identity(point):
    return point[0] % P == 0 and (point[1] - point[2]) % P == 0


def encode(point):
    inverse = pow(point[2], P - 2, P)
    x, y = point[0] * inverse % P, point[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(data):
    """The point of an encoding, canonical or not, or None."""
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, (number & (2**255 - 1)) % P
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x + u) % P == 0:
        x = x * SQRT_M1 % P
    if (v * x * x - u) % P != 0:
        return None
    if x & 1 != sign:
        x = -x % P
    return (x, y, 1, x * y % P)


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def is_small_order(point):
    return is_identity(multiply(8, point))


def admit(data):
    """Judges a public key. KEY-1, KEY-3, KEY-4, KEY-5."""
    require(len(data) == 32, "Length")
    point = decode(data)
    require(point is not None, "NotAPoint")
    require(encode(point) == data, "NotCanonical")
    require(not is_small_order(point), "Weak")
    require(is_identity(multiply(L, point)), "Torsion")
    return point


def verify(key, message, signature):
    """Whether `signature` holds under the public key bytes `key`. KEY-7."""
    if len(signature) != 64:
        return False
    point, r = decode(key), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if point is None or r is None or s >= L or is_small_order(r) or is_small_order(point):
        return False
    digest = hashlib.sha512(signature[:32] + key + message).digest()
    k = int.from_bytes(digest, "little") % L
    expected = add(multiply(s, BASE), multiply(L - k, point))
    return encode(expected) == signature[:32]


def key_id(key):
    """KEY-2."""
    return hashlib.sha256(b"frex/v1/sig-key\0" + b"\x00\x01" + key).digest()[:16]
