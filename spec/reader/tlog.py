"""The log's mathematics and its C2SP formats. Chapter LOG."""

import base64
import binascii
import hashlib
import hmac
import re

import ed25519
import mldsa
from refused import Refused, inside, require

SIZE_MAX = 2**63 - 1
PROOF_HASHES_MAX = 63
CHECKPOINT_BYTES_MAX = 128 * 1024
NOTE_SIGNATURES_MAX = 128
EVENTS = 10
FIRST_LINE = "c2sp.org/tlog-proof@v1\n"
EXTRA_BYTES_MAX = 16 * 1024 + 256
PROOF_FILE_BYTES_MAX = (EXTRA_BYTES_MAX + 2) // 3 * 4 + 63 * 45 + CHECKPOINT_BYTES_MAX + 128
NAME = r"[a-z0-9.-]{1,64}"
ORIGIN = re.compile(rf"frex/({NAME})/({NAME})/log/([1-9][0-9]{{0,9}})")
ED25519, COSIGNATURE, SUBTREE = 1, 4, 6
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
    """LOG-11."""
    check_sizes(size, hashes)
    require(index < size, "IndexOutside")
    found = climb(leaf, index, size, hashes)
    require(found is not None, "WrongLength")
    require(found == root, "RootMismatch")


def subtree_split(size):
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def consistency_roots(old_size, old_root, new_size, hashes):
    """The roots of both trees to which the hashes lead, by the recursion of RFC 6962 read backwards. Of a
    power of two `old_root` is where they begin."""
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

    found = roots(old_size, new_size, True)
    require(not rest, "WrongLength")
    return found


def verify_consistency(old_size, old_root, new_size, new_root, hashes):
    """LOG-12."""
    check_sizes(new_size, hashes)
    require(old_size <= new_size, "Shrunk")
    if old_size in (0, new_size):
        require(not hashes, "WrongLength")
        require(old_size or old_root == hashlib.sha256(b"").digest(), "OldRootMismatch")
        require(old_size != new_size or old_root == new_root, "NewRootMismatch")
        return
    found_old, found_new = consistency_roots(old_size, old_root, new_size, hashes)
    require(found_old == old_root, "OldRootMismatch")
    require(found_new == new_root, "NewRootMismatch")


def follow(before, head, hashes):
    """Whether a head may follow the one before; both are origin, size and root. AUD-3."""
    (origin, old, old_root), (now, new, new_root) = before, head
    require(origin == now, "OtherLog")
    require(new >= old, "Shrunk")
    if old == new:
        require(old_root == new_root, "Forked")
    if old in (0, new):
        return
    require(hashes, "Hashes")
    # Where the old tree is one subtree, its root stands first; a proof leaves it out.
    whole = old & (old - 1) == 0
    start, rest = (hashes[0], hashes[1:]) if whole else (None, hashes)
    try:
        found_old, found_new = consistency_roots(old, start, new, rest)
    except Refused as cause:
        raise Refused("Hashes") from cause
    require(found_new == new_root, "Hashes")
    require(found_old == old_root, "Rewritten")


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
    """LOG-8."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([kind]) + key).digest()[:4]


def check_text(text):
    require(not any(one < " " and one != "\n" for one in text), "NotText")


def check_key_name(name):
    require(name and "+" not in name and not any(one.isspace() for one in name), "KeyName")


def parse_vkey(text):
    """Name and admitted key of a log's verifier key, followed by its companion if that stands on a second
    line. LOG-8, LOG-31."""
    lines = [_vkey_line(line) for line in text.split("\n")]
    require([kind for _, kind, _ in lines] in ([ED25519], [ED25519, SUBTREE]), "VerifierKey")
    require(len({name for name, _, _ in lines}) == 1, "VerifierKey")
    return lines[0][0], b"".join(key for _, _, key in lines)


def _vkey_line(text):
    parts = text.split("+", 2)
    require(len(parts) == 3, "VerifierKey")
    name, key_id, data = parts
    check_text(name)
    check_key_name(name)
    try:
        data = from_base64(data)
        require(data and data[0] in (ED25519, COSIGNATURE, SUBTREE), "VerifierKey")
        mldsa.admit(data[1:], mldsa.HEADS) if data[0] == SUBTREE else ed25519.admit(data[1:])
    except (ValueError, Refused) as cause:
        raise Refused("VerifierKey") from cause
    require(key_id == note_key_id(name, data[0], data[1:]).hex(), "VerifierKey")
    return name, data[0], data[1:]


def parse_note(data):
    """Text and signature lines of a signed note. LOG-7."""
    require(len(data) <= CHECKPOINT_BYTES_MAX, "TooLarge")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Refused("NotText") from cause
    check_text(text)
    at = text.rfind("\n\n")
    require(at >= 0 and text.endswith("\n") and at + 2 < len(text), "Shape")
    body, lines = text[: at + 1], text[at + 2 : -1].split("\n")
    require(len(lines) <= NOTE_SIGNATURES_MAX, "TooManySignatures")
    return body, [_signature_line(line) for line in lines]


def _signature_line(line):
    require(line.startswith("\u2014 "), "SignatureLine")
    name, space, blob = line[2:].partition(" ")
    require(space, "SignatureLine")
    check_key_name(name)
    try:
        data = from_base64(blob)
    except ValueError as cause:
        raise Refused("SignatureLine") from cause
    require(len(data) >= 5, "SignatureLine")
    return name, data[:4], data[4:]


def verify_note(data, name, key):
    """The text of a note that `key` signed under `name`. LOG-9."""
    text, lines = parse_note(data)
    signature = line_of(lines, name, ED25519, key)
    require(signature is not None, "Unsigned")
    require(ed25519.verify(key, text.encode(), signature), "BadSignature")
    return text


def line_of(lines, name, kind, key):
    """The only signature that a key has on a note, or None. LOG-9."""
    known = name, note_key_id(name, kind, key)
    ours = [signature for line, key_id, signature in lines if (line, key_id) == known]
    require(len(ours) <= 1, "Repeated")
    return ours[0] if ours else None


def split_time(signature):
    """The time before a cosignature, and what follows. LOG-10, LOG-31."""
    time_s = int.from_bytes(signature[:8], "big")
    require(len(signature) >= 8 and time_s < 2**63, "BadSignature")
    return time_s, signature[8:]


def verify_companion(lines, name, key, head):
    """The time that the line of an ML-DSA-44 key states over a head, or None without one. LOG-31."""
    signature = line_of(lines, name, SUBTREE, key)
    if signature is None:
        return None
    time_s, signature = split_time(signature)
    (origin, size, root), names = head, [name.encode(), head[0].encode()]
    require(all(1 <= len(one) <= 255 for one in names), "BadSignature")
    who, log = (bytes([len(one)]) + one for one in names)
    sizes = b"".join(number.to_bytes(8, "big") for number in (0, size))
    message = b"subtree/v1\n\0" + who + time_s.to_bytes(8, "big") + log + sizes + root
    require(mldsa.verify(key, message, signature, mldsa.HEADS), "BadSignature")
    return time_s


def parse_checkpoint(text):
    """Origin, size and root. LOG-5, LOG-6."""
    require(text.endswith("\n"), "Lines")
    lines = text[:-1].split("\n")
    require(len(lines) >= 3, "Lines")
    require(len(lines) == 3, "Extension")
    with inside("Note"):
        check_key_name(lines[0])
    require(DECIMAL.fullmatch(lines[1]) and int(lines[1]) <= SIZE_MAX, "Size")
    try:
        root = from_base64(lines[2])
    except ValueError as cause:
        raise Refused("Root") from cause
    require(len(root) == 32, "Root")
    require(lines[1] != "0" or root == hashlib.sha256(b"").digest(), "Root")
    return lines[0], int(lines[1]), root


def verify_checkpoint(data, origin, keys, at_ms=0):
    """Size and root of a checkpoint of the log `origin` that covers what happened at `at_ms`.

    `keys` are the one in force and the earlier ones, each with its companion behind it if it has one, and
    with its end or 0. LOG-22, LOG-23, LOG-32.
    """
    with inside("Note"):
        text, lines = parse_note(data)
    found, size, root = parse_checkpoint(text)
    require(found == origin, "Origin")
    present = {(name, key_id) for name, key_id, _ in lines}
    signers = [one for one in keys if (origin, note_key_id(origin, 1, one[0][:32])) in present]
    with inside("Note"):
        require(signers, "Unsigned")
        key = signers[0][0]
        verify_note(data, origin, key[:32])
        if key[32:]:
            time_s = verify_companion(lines, origin, key[32:], (found, size, root))
            require(time_s is not None, "HalfSigned")
    end_ms = signers[0][1]
    require(not end_ms or at_ms < end_ms, "KeyEnded")
    return size, root


def parse_origin(origin):
    """Federation, node and epoch of a log's name, or None. LOG-4."""
    match = ORIGIN.fullmatch(origin)
    return (match[1], match[2], int(match[3])) if match and int(match[3]) < 2**32 else None


def parse_leaf(leaf):
    """Event and time of a leaf. LOG-2."""
    require(len(leaf) == 48, "Length")
    require(leaf[:5] == b"FREX\x01" and leaf[6:8] == b"\0\0", "Format")
    require(1 <= leaf[5] <= EVENTS, "Event")
    return leaf[5], int.from_bytes(leaf[8:16], "big")


def check_leaf(leaf, salt, statement):
    """That the leaf commits to the statement. LOG-3."""
    commitment = hmac.digest(salt, b"frex/v1/leaf\0" + leaf[:16] + statement, "sha256")
    require(hmac.compare_digest(commitment, leaf[16:]), "Mismatch")


def parse_proof_file(text):
    """Extra data, index, hashes and checkpoint of a proof file. LOG-13."""
    require(len(text.encode()) <= PROOF_FILE_BYTES_MAX, "TooLarge")
    require(text.startswith(FIRST_LINE), "FirstLine")
    head, blank, checkpoint = text[len(FIRST_LINE) :].partition("\n\n")
    require(blank, "Divider")
    lines = head.split("\n")
    extra = None
    if lines[0].startswith("extra "):
        try:
            extra = from_base64(lines.pop(0)[6:])
        except ValueError as cause:
            raise Refused("Extra") from cause
        require(1 <= len(extra) <= EXTRA_BYTES_MAX, "Extra")
    require(lines and lines[0].startswith("index "), "Index")
    index = lines.pop(0)[6:]
    require(DECIMAL.fullmatch(index) and int(index) <= SIZE_MAX, "Index")
    require(len(lines) <= PROOF_HASHES_MAX, "TooManyHashes")
    try:
        hashes = [from_base64(line) for line in lines]
    except ValueError as cause:
        raise Refused("Hash") from cause
    require(all(len(one) == 32 for one in hashes), "Hash")
    with inside("Checkpoint"):
        with inside("Note"):
            note = parse_note(checkpoint.encode())[0]
        parse_checkpoint(note)
    return extra, int(index), hashes, checkpoint.encode()
