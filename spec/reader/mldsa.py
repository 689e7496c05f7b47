"""ML-DSA-65 as KEY-31 says it and ML-DSA-44 as KEY-36 does: FIPS 204, Algorithm 3. Only verification, so
nothing here is secret."""

import hashlib
from dataclasses import dataclass

from refused import require

Q, N, DROPPED_BITS = 8380417, 256, 13


@dataclass(frozen=True)
class Parameters:
    """One row of FIPS 204, Table 1, and what FREX adds: the number in a key id and the context."""

    k: int
    l: int
    tau: int
    omega: int
    eta: int
    gamma1_bits: int
    gamma2: int
    challenge_bytes: int
    number: int
    context: bytes

    @property
    def gamma1(self):
        return 1 << self.gamma1_bits

    @property
    def z_bytes(self):
        return N * (self.gamma1_bits + 1) // 8

    @property
    def key_bytes(self):
        return 32 + 320 * self.k

    @property
    def signature_bytes(self):
        return self.challenge_bytes + self.l * self.z_bytes + self.omega + self.k

    @property
    def highs(self):
        """How many values a high part has."""
        return (Q - 1) // (2 * self.gamma2)


OBJECTS = Parameters(6, 5, 49, 55, 4, 19, (Q - 1) // 32, 48, 2, b"frex/v1")
HEADS = Parameters(4, 4, 39, 80, 2, 17, (Q - 1) // 88, 32, 4, b"")
assert (OBJECTS.key_bytes, OBJECTS.signature_bytes) == (1952, 3309)
assert (HEADS.key_bytes, HEADS.signature_bytes) == (1312, 2420)
ZETAS = [pow(1753, int(f"{place:08b}"[::-1], 2), Q) for place in range(N)]


def admit(key, rules=OBJECTS):
    """KEY-30, KEY-35: every string of this length encodes a key."""
    require(len(key) == rules.key_bytes, "Length")


def key_id(key, rules=OBJECTS):
    """KEY-2."""
    return hashlib.sha256(b"frex/v1/sig-key\0" + rules.number.to_bytes(2, "big") + key).digest()[:16]


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


def sample_in_ball(seed, tau):
    """Algorithm 29."""
    stream = hashlib.shake_256(seed).digest(8 + 4096)
    signs, at, c = int.from_bytes(stream[:8], "little"), 8, [0] * N
    for i in range(N - tau, N):
        while stream[at] > i:
            at += 1
        j, at = stream[at], at + 1
        c[i], c[j] = c[j], (-1) ** ((signs >> (i + tau - N)) & 1)
    return c


def unpack_hint(data, omega):
    """Algorithm 21: the places of the hints of each polynomial, or None. There is one encoding."""
    hints, index = [], 0
    for end in data[omega:]:
        if not index <= end <= omega:
            return None
        places = data[index:end]
        if any(a >= b for a, b in zip(places, places[1:])):
            return None
        hints.append(set(places))
        index = end
    return None if any(data[index:omega]) else hints


def use_hint(hinted, r, rules):
    """Algorithms 36 and 40."""
    low = r % (2 * rules.gamma2)
    if low > rules.gamma2:
        low -= 2 * rules.gamma2
    high = (r - low) // (2 * rules.gamma2)
    if r - low == Q - 1:
        high, low = 0, low - 1
    if hinted:
        high += 1 if low > 0 else -1
    return high % rules.highs


def pack(values, most):
    """Algorithm 16: `most` is the largest value there can be."""
    bits = most.bit_length()
    number = sum(one << (bits * place) for place, one in enumerate(values))
    return number.to_bytes(N * bits // 8, "little")


def verify(key, message, signature, rules=OBJECTS):
    """Whether `signature` holds under `key` and the context that goes with these parameters."""
    if len(key) != rules.key_bytes or len(signature) != rules.signature_bytes:
        return False
    challenge, packed = signature[:rules.challenge_bytes], signature[rules.challenge_bytes:]
    z_bytes, bits = rules.z_bytes, rules.gamma1_bits + 1
    z = [[rules.gamma1 - one for one in unpack(packed[i * z_bytes:(i + 1) * z_bytes], bits)]
         for i in range(rules.l)]
    hints = unpack_hint(packed[rules.l * z_bytes:], rules.omega)
    bound = rules.gamma1 - rules.tau * rules.eta
    if hints is None or any(abs(one) >= bound for row in z for one in row):
        return False
    rho, t1 = key[:32], [unpack(key[32 + i * 320:352 + i * 320], 10) for i in range(rules.k)]
    framed = bytes([0, len(rules.context)]) + rules.context + message
    mu = hashlib.shake_256(hashlib.shake_256(key).digest(64) + framed).digest(64)
    z_hat, c_hat = [ntt(row) for row in z], ntt(sample_in_ball(challenge, rules.tau))
    encoded = b""
    for r in range(rules.k):
        t_hat = ntt([one << DROPPED_BITS for one in t1[r]])
        row = [-c * t for c, t in zip(c_hat, t_hat)]
        for s in range(rules.l):
            a = rejected_polynomial(rho + bytes([s, r]))
            row = [sum_ + x * y for sum_, x, y in zip(row, a, z_hat[s])]
        w = inverse_ntt([one % Q for one in row])
        high = [use_hint(place in hints[r], one, rules) for place, one in enumerate(w)]
        encoded += pack(high, rules.highs - 1)
    return hashlib.shake_256(mu + encoded).digest(rules.challenge_bytes) == challenge
