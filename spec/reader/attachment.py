"""Attachments: what is listed, what is said of it, and chunks on their way. Chapter ATT."""

import hashlib
import re
import unicodedata

import tlog
from refused import require

CHUNK = 1024 * 1024
SEALED = CHUNK + 16
PADDED_MIN = 4096
COUNT_MAX = 16
BYTES_MAX = 8 * 1024**3
TOGETHER_MAX = 34_360_262_656
NAME_BYTES_MAX = 128
MEDIA_TYPE = re.compile(r"[ -~]{1,128}")
SPECIAL = set('/\\:*?"<>|')
UNSEEN = {*range(0x200B, 0x2010), *range(0x2028, 0x202F), *range(0x2060, 0x2070), 0xFEFF}


def padded(length):
    """ATT-3."""
    length = max(length, PADDED_MIN)
    exponent = length.bit_length() - 1
    mask = (1 << max(0, exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


def sealed(padded_length):
    return padded_length + 16 * -(-padded_length // CHUNK)


def chunk_count(listed_bytes):
    return -(-listed_bytes // SEALED)


def judge_listed(attachments):
    """ATT-1, ATT-3, LIM-70 to LIM-72."""
    require(len(attachments) <= COUNT_MAX, "TooLarge")
    roots, together = set(), 0
    for one in attachments:
        require(len(one.root) == 32, "Malformed")
        require(one.bytes <= sealed(BYTES_MAX), "TooLarge")
        plain = one.bytes - 16 * chunk_count(one.bytes)
        fits = plain >= PADDED_MIN and padded(plain) == plain and sealed(plain) == one.bytes
        require(fits, "AttachmentSize")
        require(one.root not in roots, "AttachmentTwice")
        roots.add(one.root)
        together += one.bytes
    require(together <= TOGETHER_MAX, "TooLarge")


def judge_described(listed, files):
    """ATT-7."""
    require(len(listed) == len(files), "Content")
    for one, file in zip(listed, files):
        require(1 <= file.bytes <= BYTES_MAX, "Content")
        require(sealed(padded(file.bytes)) == one.bytes, "Content")
        require(len(file.sha256) == 32 and len(file.key) == 32, "Content")
        require(MEDIA_TYPE.fullmatch(file.media_type), "Content")
        require(is_file_name(file.name), "Content")


def is_file_name(name):
    return (
        1 <= len(name.encode()) <= NAME_BYTES_MAX
        and name[0] not in ".- "
        and name[-1] not in ". "
        and not any(
            unicodedata.category(c) == "Cc" or c in SPECIAL or ord(c) in UNSEEN for c in name
        )
    )


def nonce(number, count):
    """ATT-5."""
    return bytes([number + 1 == count]) + bytes(7) + number.to_bytes(4, "big")


def seal(key, plain):
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    slices = [plain[at : at + CHUNK] for at in range(0, len(plain), CHUNK)]
    return [
        AESGCM(key).encrypt(nonce(number, len(slices)), piece, b"")
        for number, piece in enumerate(slices)
    ]


def open_chunks(key, length, sha256, chunks):
    """ATT-8."""
    from envelope import aes_gcm_open

    total = sealed(padded(length))
    count = chunk_count(total)
    require(len(chunks) == count, "OpenError")
    plain = b""
    for number, chunk in enumerate(chunks):
        require(len(chunk) == min(SEALED, total - number * SEALED), "OpenError")
        piece = aes_gcm_open(key, nonce(number, count), chunk)
        require(piece is not None, "OpenError")
        plain += piece
    require(not any(plain[length:]), "OpenError")
    require(hashlib.sha256(plain[:length]).digest() == sha256, "OpenError")
    return total


def open_filled(key, length, fill, change, sha256):
    plain = bytearray([fill]) * length
    if change == "refill":
        plain[0] ^= 1
    plain += bytes(padded(length) - length)
    if change == "dirty":
        plain[-1] = 1
    chunks = seal(key, bytes(plain))
    if change == "flip":
        chunks[0] = chunks[0][:100] + bytes([chunks[0][100] ^ 1]) + chunks[0][101:]
    elif change == "exchange":
        chunks[0], chunks[1] = chunks[1], chunks[0]
    elif change == "repeat":
        chunks[1] = chunks[0]
    elif change == "drop":
        chunks.pop()
    elif change == "shorten":
        chunks[-1] = chunks[-1][:-1]
    elif change == "append":
        chunks.append(chunks[0])
    elif change == "rekey":
        key = bytes([key[0] ^ 1]) + key[1:]
    return open_chunks(key, length, sha256, chunks)


def root_of(hashes):
    """RFC 6962, by its recursive definition."""
    if len(hashes) == 1:
        return hashes[0]
    split = tlog.subtree_split(len(hashes))
    return tlog.node_hash(root_of(hashes[:split]), root_of(hashes[split:]))


def check_hashes(root, listed_bytes, data):
    """ATT-9."""
    require(len(data) == 32 * chunk_count(listed_bytes), "HashCount")
    hashes = [data[at : at + 32] for at in range(0, len(data), 32)]
    require(root_of(hashes) == root, "Root")
    return hashes


def check_chunk(listed_bytes, hashes, frame):
    """ATT-10."""
    require(len(frame) >= 4, "Number")
    number = int.from_bytes(frame[:4], "big")
    require(number < len(hashes), "Number")
    chunk = frame[4:]
    require(len(chunk) == min(SEALED, listed_bytes - number * SEALED), "Chunk")
    require(tlog.leaf_hash(chunk) == hashes[number], "Chunk")
    return number, chunk


def missing(listed_bytes, held):
    """ATT-11."""
    count = chunk_count(listed_bytes)
    bits = int.from_bytes(held, "little")
    require(not held or len(held) == -(-count // 8), "Held")
    require(bits >> count == 0, "Held")
    return [chunk for chunk in range(count) if not bits >> chunk & 1]
