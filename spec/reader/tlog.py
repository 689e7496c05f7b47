"""The log's mathematics and its C2SP formats. Chapter LOG."""

import base64
import binascii
import hashlib
import hmac
import re

import ed25519
from refused import Refused, require

SIZE_MAX = 2**63 - 1
PROOF_HASHES_MAX = 63
CHECKPOINT_BYTES_MAX = 8192
NOTE_SIGNATURES_MAX = 64
NAME = r"[a-z0-9.-]{1,64}"
ORIGIN = re.compile(rf"frex/({NAME})/({NAME})/log/([1-9][0-9]{{0,9}})")
DECIMAL = re.compile(r"0|[1-9][0-9]{0,19}")


def leaf_hash(data):
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def climb(node, index, size, hashes):
    """The root that an inclusion proof leads to, or None if it has not the right length."""
    last = size - 1
    for sibling in hashes:
        if last == 0:
            return None
        if index & 1 or index == last:
            node = node_hash(sibling, node)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        index, last = index >> 1, last >> 1
    return node if last == 0 else None


def check_sizes(size, hashes):
    require(size <= SIZE_MAX, "Size")
    require(len(hashes) <= PROOF_HASHES_MAX, "TooLong")


def verify_inclusion(leaf, index, size, hashes, root):
    """LOG-4."""
    check_sizes(size, hashes)
    require(index < size, "IndexOutside")
    found = climb(leaf, index, size, hashes)
    require(found is not None, "WrongLength")
    require(found == root, "RootMismatch")


def subtree_split(size):
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def verify_consistency(old_size, old_root, new_size, new_root, hashes):
    """LOG-5, by the recursion of RFC 6962 read backwards."""
    check_sizes(new_size, hashes)
    require(old_size <= new_size, "Shrunk")
    if old_size in (0, new_size):
        require(not hashes, "WrongLength")
        require(old_size or old_root == hashlib.sha256(b"").digest(), "OldRootMismatch")
        require(old_size != new_size or old_root == new_root, "NewRootMismatch")
        return
    rest = list(hashes)

    def roots(old, new, whole):
        """Old and new root of a subtree; `whole`: all left of it is the old tree's own."""
        if old == new:
            if whole:
                return old_root, old_root
            require(rest, "WrongLength")
            one = rest.pop(0)
            return one, one
        split = subtree_split(new)
        if old <= split:
            inner_old, inner_new = roots(old, split, whole)
            require(rest, "WrongLength")
            return inner_old, node_hash(inner_new, rest.pop(0))
        inner_old, inner_new = roots(old - split, new - split, False)
        require(rest, "WrongLength")
        left = rest.pop(0)
        return node_hash(left, inner_old), node_hash(left, inner_new)

    found_old, found_new = roots(old_size, new_size, True)
    require(not rest, "WrongLength")
    require(found_old == old_root, "OldRootMismatch")
    require(found_new == new_root, "NewRootMismatch")


def from_base64(text):
    """Standard base64, padded, unused bits zero; anything else is a ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as cause:
        raise ValueError from cause
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical")
    return data


def note_key_id(name, kind, key):
    """LOG-10."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def parse_vkey(text):
    """Name and admitted Ed25519 key of a verifier key. LOG-12."""
    try:
        name, key_id, data = text.strip().split("+", 2)
        data = from_base64(data)
    except ValueError as cause:
        raise Refused("Malformed") from cause
    require(name and len(data) == 33 and data[0] == 1, "Malformed")
    require(key_id == note_key_id(name, 1, data[1:]).hex(), "Malformed")
    ed25519.admit(data[1:])
    return name, data[1:]


def parse_note(data):
    """Text and signature lines of a signed note. LOG-8, LOG-9."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Refused("Malformed") from cause
    require(len(data) <= CHECKPOINT_BYTES_MAX, "TooLong")
    require(not any(one < " " and one != "\n" for one in text), "Malformed")
    at = text.rfind("\n\n")
    require(at >= 0 and text.endswith("\n"), "Malformed")
    body, lines = text[: at + 1], text[at + 2 :].split("\n")[:-1]
    require(lines, "Malformed")
    require(len(lines) <= NOTE_SIGNATURES_MAX, "TooManySignatures")
    return body, [_signature_line(line) for line in lines]


def _signature_line(line):
    parts = line.split(" ")
    require(len(parts) == 3 and parts[0] == "—" and parts[1], "Malformed")
    require("+" not in parts[1] and not any(one.isspace() for one in parts[1]), "Malformed")
    try:
        data = from_base64(parts[2])
    except ValueError as cause:
        raise Refused("Malformed") from cause
    require(len(data) >= 5, "Malformed")
    return parts[1], data[:4], data[4:]


def verify_note(data, name, key):
    """The text of a note that `key` signed under `name`. LOG-11."""
    text, lines = parse_note(data)
    known = note_key_id(name, 1, key)
    found = False
    for line_name, key_id, signature in lines:
        if (line_name, key_id) == (name, known):
            require(ed25519.verify(key, text.encode(), signature), "BadSignature")
            found = True
    require(found, "UnknownKey")
    return text


def parse_checkpoint(text):
    """Origin, size and root. LOG-14."""
    lines = text.split("\n")
    require(len(lines) == 4 and lines[3] == "" and lines[0], "Malformed")
    require(DECIMAL.fullmatch(lines[1]) and int(lines[1]) <= SIZE_MAX, "Malformed")
    try:
        root = from_base64(lines[2])
    except ValueError as cause:
        raise Refused("Malformed") from cause
    require(len(root) == 32, "Malformed")
    return lines[0], int(lines[1]), root


def verify_checkpoint(data, origin, key):
    """Size and root of a checkpoint of the log `origin` with the key `key`."""
    found, size, root = parse_checkpoint(parse_note(data)[0])
    require(found == origin, "Origin")
    verify_note(data, origin, key)
    return size, root


def parse_origin(origin):
    """Federation, node and epoch of a log's name. LOG-13."""
    match = ORIGIN.fullmatch(origin)
    require(match and int(match[3]) < 2**32, "Origin")
    return match[1], match[2], int(match[3])


def check_leaf(leaf, salt, statement):
    """Event and time of a leaf, whose commitment is to `statement`. LOG-1, LOG-2."""
    require(len(leaf) == 48 and leaf[:5] == b"FREX\x01" and leaf[6:8] == b"\0\0", "Leaf")
    require(1 <= leaf[5] <= 10, "Leaf")
    require(len(salt) == 32, "Commitment")
    commitment = hmac.digest(salt, b"frex/v1/leaf\0" + leaf[:16] + statement, "sha256")
    require(hmac.compare_digest(commitment, leaf[16:]), "Commitment")
    return leaf[5], int.from_bytes(leaf[8:16], "big")
