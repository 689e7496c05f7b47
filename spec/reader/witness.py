"""Witnesses of a log. Chapter WIT. Needs nothing but Python."""

import ed25519
import tlog
from refused import Refused, inside, require

BODY_BYTES_MAX = 16 * 1024
SEEN_BYTES_MAX = 4096


def parse_request(body):
    """Old size, hashes and checkpoint of what a log asks. WIT-3."""
    require(len(body) <= BODY_BYTES_MAX, "TooLarge")
    try:
        body.decode("utf-8")
    except UnicodeDecodeError as cause:
        raise Refused("Shape") from cause
    head, divider, checkpoint = body.partition(b"\n\n")
    require(divider, "Shape")
    first, *lines = head.decode("utf-8").split("\n")
    require(first.startswith("old "), "Shape")
    old = first[len("old ") :]
    require(tlog.DECIMAL.fullmatch(old) and int(old) <= tlog.SIZE_MAX, "Shape")
    hashes = []
    for line in lines:
        require(len(hashes) < tlog.PROOF_HASHES_MAX, "TooLong")
        try:
            hashes.append(tlog.from_base64(line))
        except ValueError as cause:
            raise Refused("Shape") from cause
        require(len(hashes[-1]) == 32, "Shape")
    return int(old), hashes, checkpoint


def judge_request(body, origin, key, held_size, held_root):
    """Size and root that a witness may cosign after those that it holds. WIT-4, WIT-6, WIT-10."""
    old, hashes, checkpoint = parse_request(body)
    with inside("Checkpoint"):
        size, root = tlog.verify_checkpoint(checkpoint, origin, [(key, 0)])
    require(size != held_size or root == held_root, "Forked")
    require(old == held_size, "Held")
    with inside("Proof"):
        tlog.verify_consistency(held_size, held_root, size, root, hashes)
    return size, root


def judge_fork(checkpoints, origin, keys, at_ms):
    """Size and roots of two checkpoints that contradict each other. WIT-17."""
    require(len(checkpoints) == 2, "Shape")
    require(all(len(one) <= SEEN_BYTES_MAX for one in checkpoints), "TooLarge")
    with inside("Checkpoint"):
        heads = [tlog.verify_checkpoint(one, origin, keys, at_ms) for one in checkpoints]
    (size, root), (other_size, other_root) = heads
    require(size == other_size, "Sizes")
    require(root != other_root, "SameRoot")
    return size, root, other_root


def cosignatures(checkpoint, witnesses):
    """Names and times of those of `witnesses` who have cosigned. LOG-10, WIT-1, WIT-23, WIT-24."""
    text, lines = tlog.parse_note(checkpoint)
    head = tlog.parse_checkpoint(text)
    found = []
    for name, keys in witnesses:
        for key, end_ms in keys:
            signature = tlog.line_of(lines, name, tlog.COSIGNATURE, key[:32])
            if signature is None:
                continue
            time_s, signature = tlog.split_time(signature)
            message = f"cosignature/v1\ntime {time_s}\n{text}".encode()
            require(ed25519.verify(key[:32], message, signature), "BadSignature")
            second = tlog.verify_companion(lines, name, key[32:], head) if key[32:] else time_s
            if second == time_s and (not end_ms or time_s * 1000 < end_ms):
                found.append((name, time_s))
            break
    return found


def judge(checkpoint, witnesses):
    """What a checkpoint is, and who cosigned it; `witnesses` as a roster gives them. WIT-2."""
    if witnesses is None:
        return "not witnessed here", []
    listed, quorum = witnesses
    found = cosignatures(checkpoint, listed)
    return "final" if len(found) >= quorum else "provisional", found
