"""ML-DSA-65 as KEY-31 says it: FIPS 204, Algorithm 3. Only verification, so nothing here is secret."""

import hashlib

from refused import require

Q, N, K, L = 8380417, 256, 6, 5
DROPPED_BITS, TAU, OMEGA = 13, 49, 55
GAMMA1, GAMMA2 = 1 << 19, (Q - 1) // 32
BETA = TAU * 4
KEY_BYTES, SIGNATURE_BYTES, CHALLENGE_BYTES, Z_BYTES = 1952, 3309, 48, 640
CONTEXT = b"frex/v1"
ZETAS = [pow(1753, int(f"{place:08b}"[::-1], 2), Q) for place in range(N)]


def admit(key):
    """KEY-30: every string of this length encodes a key."""
    require(len(key) == KEY_BYTES, "Length")


def key_id(key):
    """KEY-2."""
    return hashlib.sha256(b"frex/v1/sig-key\0" + b"\x00\x02" + key).digest()[:16]


def ntt(w):
    """Algorithm 41."""
    w, m, length = list(w), 0, 128
    while length:
        for start in range(0, N, 2 * length):
            m += 1
            for j in range(start, start + length):
                t = ZETAS[m] * w[j + length] % Q
                w[j], w[j + length] = (w[j] + t) % Q, (w[j] - t) % Q
        length //= 2
    return w


def inverse_ntt(w):
    """Algorithm 42."""
    w, m, length = list(w), N, 1
    while length < N:
        for start in range(0, N, 2 * length):
            m -= 1
            for j in range(start, start + length):
                a, b = w[j], w[j + length]
                w[j], w[j + length] = (a + b) % Q, ZETAS[m] * (b - a) % Q
        length *= 2
    return [8347681 * one % Q for one in w]


def unpack(data, bits):
    """Algorithm 18."""
    number = int.from_bytes(data, "little")
    return [(number >> (bits * place)) & ((1 << bits) - 1) for place in range(N)]


def rejected_polynomial(seed):
    """Algorithm 30. 1,680 bytes lack values with a chance of one in 2^250."""
    stream, found = hashlib.shake_128(seed).digest(1680), []
    for at in range(0, len(stream), 3):
        value = int.from_bytes(stream[at:at + 3], "little") & 0x7FFFFF
        if value < Q:
            found.append(value)
    return found[:N]


def sample_in_ball(seed):
    """Algorithm 29."""
    stream = hashlib.shake_256(seed).digest(8 + 4096)
    signs, at, c = int.from_bytes(stream[:8], "little"), 8, [0] * N
    for i in range(N - TAU, N):
        while stream[at] > i:
            at += 1
        j, at = stream[at], at + 1
        c[i], c[j] = c[j], (-1) ** ((signs >> (i + TAU - N)) & 1)
    return c


def unpack_hint(data):
    """Algorithm 21: the places of the hints of each polynomial, or None. There is one encoding."""
    hints, index = [], 0
    for end in data[OMEGA:]:
        if not index <= end <= OMEGA:
            return None
        places = data[index:end]
        if any(a >= b for a, b in zip(places, places[1:])):
            return None
        hints.append(set(places))
        index = end
    return None if any(data[index:OMEGA]) else hints


def use_hint(hinted, r):
    """Algorithms 36 and 40."""
    low = r % (2 * GAMMA2)
    if low > GAMMA2:
        low -= 2 * GAMMA2
    high = (r - low) // (2 * GAMMA2)
    if r - low == Q - 1:
        high, low = 0, low - 1
    if hinted:
        high += 1 if low > 0 else -1
    return high % 16


def verify(key, message, signature):
    """Whether `signature` holds under `key` and the context of this protocol."""
    if len(key) != KEY_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    challenge, packed = signature[:CHALLENGE_BYTES], signature[CHALLENGE_BYTES:]
    z = [[GAMMA1 - one for one in unpack(packed[i * Z_BYTES:(i + 1) * Z_BYTES], 20)]
         for i in range(L)]
    hints = unpack_hint(packed[L * Z_BYTES:])
    if hints is None or any(abs(one) >= GAMMA1 - BETA for row in z for one in row):
        return False
    rho, t1 = key[:32], [unpack(key[32 + i * 320:352 + i * 320], 10) for i in range(K)]
    framed = bytes([0, len(CONTEXT)]) + CONTEXT + message
    mu = hashlib.shake_256(hashlib.shake_256(key).digest(64) + framed).digest(64)
    z_hat, c_hat = [ntt(row) for row in z], ntt(sample_in_ball(challenge))
    encoded = b""
    for r in range(K):
        t_hat = ntt([one << DROPPED_BITS for one in t1[r]])
        row = [-c * t for c, t in zip(c_hat, t_hat)]
        for s in range(L):
            a = rejected_polynomial(rho + bytes([s, r]))
            row = [sum_ + x * y for sum_, x, y in zip(row, a, z_hat[s])]
        w = inverse_ntt([one % Q for one in row])
        high = [use_hint(place in hints[r], one) for place, one in enumerate(w)]
        encoded += bytes(a | b << 4 for a, b in zip(high[::2], high[1::2]))
    return hashlib.shake_256(mu + encoded).digest(CHALLENGE_BYTES) == challenge
