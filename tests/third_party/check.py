#!/usr/bin/env python3
"""Has `aics-tlog`, a package of others, judge checkpoints, cosignatures, proofs and tiles of FREX.

Everything is handed to it as FREX wrote it, and then once more with one bit flipped, which it must
refuse. What no package reads is the frame of a proof file (c2sp.org/tlog-proof) and of a request to a
witness (c2sp.org/tlog-witness): these lines are taken apart here, and what they hold is judged by it.
"""

import base64
import json
import sys
from pathlib import Path

import aics_tlog as third_party
from aics_tlog.checkpoint import parse_checkpoint
from aics_tlog.verified import audit_tiles

COUNTED = {}


def judge(what, accepts, *inputs):
    """That it accepts the inputs, and none of them with a bit flipped."""
    if not accepts(*inputs):
        sys.exit(f"refused: {what}")
    for place, good in enumerate(inputs):
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
        try:
            taken = accepts(*inputs[:place], bytes(bad), *inputs[place + 1 :])
        except (ValueError, OSError):
            taken = False
        if taken:
            sys.exit(f"accepted with a bit flipped: {what}, input {place}")
    kind = what.split(":")[0]
    COUNTED[kind] = COUNTED.get(kind, 0) + 1


def checkpoint(what, data, vkey, witnesses=(), quorum=0):
    """A checkpoint under its verifier key, with so many cosignatures; gives size and root."""
    key = third_party.parse_vkey(vkey.strip())

    def accepts(note):
        note = third_party.parse_note(note)
        return third_party.verify_checkpoint(
            note, key, list(witnesses), quorum, expected_origin=key.name
        ).ok

    judge(what, accepts, data)
    if quorum:
        # One character of each witness's own line, too.
        text, lines = data.decode().split("\n\n")
        for line in lines.splitlines():
            if any(line.split()[1] == witness.name for witness in witnesses):
                other = line[:-10] + ("A" if line[-10] != "A" else "B") + line[-9:]
                changed = f"{text}\n\n{lines.replace(line, other)}"
                if accepts(changed.encode()):
                    sys.exit(f"accepted with a changed cosignature: {what}")
    found = parse_checkpoint(third_party.parse_note(data).text)
    return found.size, found.root


class Reader(third_party.FileSystemTileReader):
    """Reads a log's folder, remembers what was read, and flips one bit of one file."""

    def __init__(self, folder, damaged=None):
        super().__init__(folder)
        self.read, self.damaged = [], damaged

    def _read(self, path):
        content = super()._read(path)
        if content is not None:
            self.read.append(path)
        if path == self.damaged:
            content = content[:5] + bytes([content[5] ^ 1]) + content[6:]
        return content


def tiles(folder, size, root):
    """Every tile and bundle of a published log; then one of each kind with a bit flipped."""
    reader = Reader(folder)
    report = audit_tiles(reader, size, root)
    COUNTED["tiles"] = COUNTED.get("tiles", 0) + report.tiles
    COUNTED["entry bundles"] = COUNTED.get("entry bundles", 0) + report.bundles
    # The first of each level, full and partial.
    kinds = {(path.split("/")[1], ".p/" in path): path for path in reversed(reader.read)}
    for path in kinds.values():
        try:
            audit_tiles(Reader(folder, path), size, root)
        except (ValueError, OSError):
            COUNTED["damaged tiles refused"] = COUNTED.get("damaged tiles refused", 0) + 1
        else:
            sys.exit(f"accepted with a bit flipped: {folder / path}")


def proof_file(path, vkey, witnesses=(), quorum=0):
    """A proof file, with its leaf beside it."""
    head, _, note = path.read_bytes().partition(b"\n\n")
    lines = head.decode().split("\n")
    if lines.pop(0) != "c2sp.org/tlog-proof@v1":
        sys.exit(f"no proof file: {path}")
    if lines[0].startswith("extra "):
        lines.pop(0)
    index = int(lines.pop(0).removeprefix("index "))
    hashes = [base64.b64decode(line, validate=True) for line in lines]
    size, root = checkpoint(f"checkpoint: {path}", note, vkey, witnesses, quorum)

    def accepts(leaf, joined):
        parts = [joined[at : at + 32] for at in range(0, len(joined), 32)]
        return third_party.verify_leaf_inclusion(leaf, index, size, parts, root)

    inputs = [path.with_suffix(".leaf").read_bytes()]
    if hashes:
        judge(f"inclusion proof: {path}", accepts, inputs[0], b"".join(hashes))
    elif not accepts(inputs[0], b""):
        sys.exit(f"refused: {path}")


def made(folder):
    """What the example `made_log` publishes."""
    vkey = (folder / "log.vkey").read_text()
    witnesses = [third_party.parse_vkey(line) for line in (folder / "witnesses.vkey").read_text().split()]
    log = folder / third_party.parse_vkey(vkey.strip()).name
    size, root = checkpoint("checkpoint: made", (log / "checkpoint").read_bytes(), vkey)
    witnessed = (log / "witnessed").read_bytes()
    checkpoint("cosigned checkpoint: made", witnessed, vkey, witnesses, len(witnesses))
    tiles(log, size, root)
    for path in sorted((folder / "proofs").glob("*.tlog-proof")):
        proof_file(path, vkey, witnesses, len(witnesses))

    earlier = (folder / "earlier.checkpoint").read_bytes()
    old_size, old_root = checkpoint("checkpoint: earlier", earlier, vkey)
    head, _, note = (folder / "extended.add-checkpoint").read_bytes().partition(b"\n\n")
    first, *lines = head.decode().split("\n")
    hashes = [base64.b64decode(line, validate=True) for line in lines]
    if first != f"old {old_size}" or note != witnessed:
        sys.exit("the request to the witness is of other heads")

    def accepts(joined, old_root, root):
        parts = [joined[at : at + 32] for at in range(0, len(joined), 32)]
        return third_party.verify_consistency(old_size, size, old_root, root, parts)

    judge("consistency proof: made", accepts, b"".join(hashes), old_root, root)
    # And it makes the same proof of the tiles that a node publishes.
    reader = third_party.FileSystemTileReader(log)
    if third_party.consistency_proof_from_tiles(reader, old_size, size) != hashes:
        sys.exit("its own proof of these tiles is another one")


def kept(folder, roster):
    """What `frex demo --keep` left: logs and receipts of nodes that ran."""
    shown = json.loads(Path(roster).read_text())
    witnesses = []
    for node in shown["nodes"]:
        if node["id"] in shown["witnessing"]["nodes"]:
            name = f"frex/{shown['federation']}/{node['id']}/witness/1"
            witnesses.append(third_party.cosignature_vkey(name, bytes.fromhex(node["witness_key"])))
    quorum = shown["witnessing"]["quorum"]
    logs = sorted((folder / "log").glob("*.vkey"))
    for path in logs:
        vkey = path.read_text()
        log = folder / "log" / third_party.parse_vkey(vkey.strip()).name
        size, root = checkpoint(f"checkpoint: {log}", (log / "checkpoint").read_bytes(), vkey)
        tiles(log, size, root)
        witnessed = (log / "witnessed").read_bytes()
        checkpoint(f"cosigned checkpoint: {log}", witnessed, vkey, witnesses, quorum)
    receipts = sorted((folder / "receipts").glob("*.tlog-proof"))
    if not logs or not receipts:
        sys.exit(f"nothing is kept in {folder}")
    for path in receipts:
        proof_file(path, path.with_suffix(".vkey").read_text(), witnesses, quorum)


def vectors(folder):
    """The vectors of chapter LOG on proofs, accepted and refused alike."""
    for path in sorted(folder.glob("*.json")):
        case = json.loads(path.read_text())
        named = lambda name: bytes.fromhex(case[name])
        if case["op"] == "verify_consistency":
            hashes = [bytes.fromhex(one) for one in case["hashes"]]
            verdict = third_party.verify_consistency(
                case["old_size"], case["new_size"], named("old_root"), named("new_root"), hashes
            )
        elif case["op"] == "verify_inclusion":
            hashes = [bytes.fromhex(one) for one in case["hashes"]]
            verdict = third_party.verify_inclusion(
                named("leaf_hash"), case["index"], case["size"], hashes, named("root")
            )
        else:
            continue
        if verdict != (case["expect"] == "ok"):
            sys.exit(f"judges otherwise: {path}")
        COUNTED["vectors"] = COUNTED.get("vectors", 0) + 1


def pairs(folder):
    """Heads with an ML-DSA-44 line, which it does not know: its Ed25519 line stands by itself."""
    for path in sorted(folder.glob("head-pair*.json")):
        case = json.loads(path.read_text())
        if case["expect"] != "ok":
            continue
        key = third_party.parse_vkey(case["vkey"].split("\n")[0])
        note = third_party.parse_note(case["checkpoint"].encode())
        if not third_party.verify_checkpoint(note, key, [], 0, expected_origin=key.name).ok:
            sys.exit(f"refused: {path}")
        COUNTED["heads of pairs by Ed25519"] = COUNTED.get("heads of pairs by Ed25519", 0) + 1


def main():
    made(Path(sys.argv[1]))
    kept(Path(sys.argv[2]), sys.argv[3])
    vectors(Path(__file__).parent / "../../spec/vectors/log")
    pairs(Path(__file__).parent / "../../spec/vectors/log")
    print(f"judged by aics-tlog {third_party.__version__}:")
    for kind, count in COUNTED.items():
        print(f"  {count:>5}  {kind}")


if __name__ == "__main__":
    main()
