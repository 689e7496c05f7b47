"""ristretto255 (RFC 9496) and the function of RFC 9497 over it, in the verifiable mode. DCF-10, DCF-11."""

import hashlib

import ed25519
from ed25519 import D, IDENTITY, L, P, SQRT_M1
from refused import require

MODE = b"OPRFV1-\x01-ristretto255-SHA512"
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P


def sqrt_ratio(u, v):
    """Whether u/v is a square, and the root of it or of its product with sqrt(-1)."""
    r = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    check = v * r * r % P
    flipped, flipped_i = check == -u % P, check == -u * SQRT_M1 % P
    if flipped or flipped_i:
        r = r * SQRT_M1 % P
    return check == u % P or flipped, -r % P if r & 1 else r


SQRT_AD_MINUS_ONE = P - sqrt_ratio((-D - 1) % P, 1)[1]
if SQRT_AD_MINUS_ONE & 1 == 0:
    SQRT_AD_MINUS_ONE = P - SQRT_AD_MINUS_ONE
INVSQRT_A_MINUS_D = sqrt_ratio(1, (-1 - D) % P)[1]


def absolute(number):
    return -number % P if number & 1 else number


def decode(data):
    """The element of an encoding that is canonical and not the identity."""
    require(len(data) == 32, "NotInGroup")
    s = int.from_bytes(data, "little")
    require(s < P and s & 1 == 0, "NotInGroup")
    ss = s * s % P
    u1, u2 = (1 - ss) % P, (1 + ss) % P
    v = (-(D * u1 * u1) - u2 * u2) % P
    square, inverse = sqrt_ratio(1, v * u2 * u2 % P)
    den_x = inverse * u2 % P
    x = absolute(2 * s * den_x % P)
    y = u1 * (inverse * den_x * v % P) % P
    t = x * y % P
    require(square and t & 1 == 0 and y != 0, "NotInGroup")
    point = (x, y, 1, t)
    require(encode(point) != bytes(32), "NotInGroup")
    return point


def encode(point):
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    _, inverse = sqrt_ratio(1, u1 * u2 * u2 % P)
    den1, den2 = inverse * u1 % P, inverse * u2 % P
    z_inv = den1 * den2 * t0 % P
    rotate = t0 * z_inv % P & 1
    if rotate:
        x, y, den = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P, den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den = x0, y0, den2
    if x * z_inv % P & 1:
        y = -y % P
    return absolute(den * (z0 - y) % P).to_bytes(32, "little")


def elligator(data):
    t = int.from_bytes(data, "little") % 2**255 % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    c = -1
    if not square:
        s, c = -absolute(s * t % P) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0, w1 = 2 * s * v % P, n * SQRT_AD_MINUS_ONE % P
    w2, w3 = (1 - s * s) % P, (1 + s * s) % P
    return (w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


def expand(message, dst, length=64):
    """expand_message_xmd of RFC 9380 with SHA-512, for at most one block of output."""
    dst += bytes([len(dst)])
    first = hashlib.sha512(bytes(128) + message + length.to_bytes(2, "big") + b"\0" + dst).digest()
    return hashlib.sha512(first + b"\1" + dst).digest()[:length]


def hash_to_group(message):
    uniform = expand(message, b"HashToGroup-" + MODE)
    return ed25519.add(elligator(uniform[:32]), elligator(uniform[32:]))


def hash_to_scalar(message):
    return int.from_bytes(expand(message, b"HashToScalar-" + MODE), "little") % L


def scalar(data):
    require(len(data) == 32, "NotInGroup")
    number = int.from_bytes(data, "little")
    require(0 < number < L, "NotInGroup")
    return number


def lp(data):
    return len(data).to_bytes(2, "big") + data


def blind(message, number):
    return encode(ed25519.multiply(number, hash_to_group(message)))


def composites(public_key, blinded, evaluated):
    """2.2.1 of RFC 9497, for who does not have the key."""
    seed = hashlib.sha512(lp(public_key) + lp(b"Seed-" + MODE)).digest()
    total_m, total_z = IDENTITY, IDENTITY
    for index, (one, done) in enumerate(zip(blinded, evaluated)):
        transcript = lp(seed) + index.to_bytes(2, "big") + lp(one) + lp(done) + b"Composite"
        weight = hash_to_scalar(transcript)
        total_m = ed25519.add(total_m, ed25519.multiply(weight, decode(one)))
        total_z = ed25519.add(total_z, ed25519.multiply(weight, decode(done)))
    return total_m, total_z


def check_proof(public_key, blinded, evaluated, proof):
    """2.2.2 of RFC 9497."""
    require(len(proof) == 64, "NotInGroup")
    challenge, response = scalar(proof[:32]), scalar(proof[32:])
    key = decode(public_key)
    total_m, total_z = composites(public_key, blinded, evaluated)
    t2 = ed25519.add(ed25519.multiply(response, ed25519.BASE), ed25519.multiply(challenge, key))
    t3 = ed25519.add(ed25519.multiply(response, total_m), ed25519.multiply(challenge, total_z))
    parts = [public_key] + [encode(point) for point in (total_m, total_z, t2, t3)]
    found = hash_to_scalar(b"".join(map(lp, parts)) + b"Challenge")
    require(found == challenge, "Proof")


def output(message, number, evaluated):
    """Unblinds, and hashes: 3.3.1 of RFC 9497."""
    unblinded = encode(ed25519.multiply(pow(number, L - 2, L), decode(evaluated)))
    return hashlib.sha512(lp(message) + lp(unblinded) + b"Finalize").digest()
