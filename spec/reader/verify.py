#!/usr/bin/env python3
"""Verifies files that a node or client wrote. Needs nothing but Python.

  verify.py receipt FILE (--vkey TEXT | --vkey-file FILE | --roster FILE --root FILE) [--envelope HEX]
  verify.py checkpoint FILE (the same)
  verify.py roster FILE --root FILE
  verify.py tiles DIRECTORY (--vkey TEXT | --vkey-file FILE)
  verify.py kept DIRECTORY        all of the above, on what `frex demo --keep DIRECTORY` left

Exit code: 0 verified, 20 not verified, 2 called wrongly.
"""

import argparse
import sys
import time
from pathlib import Path

import dsse
import evidence
import protobuf
import receipt
import roster
import tlog
import witness
from envelope import CLOCK_SKEW_MS
from refused import Refused, require


STAGES = {1: "DELIVERED", 2: "OPENED", 3: "ACTED"}


def log_keys(arguments, checkpoint):
    """Origin and keys of the log, from a verifier key or from a roster."""
    if arguments.vkey or arguments.vkey_file:
        text = arguments.vkey or Path(arguments.vkey_file).read_text("utf-8")
        origin, key = tlog.parse_vkey(text.strip())
        return origin, [(key, 0)]
    if not arguments.roster or not arguments.root:
        sys.exit("say --vkey, --vkey-file, or --roster with --root")
    judged = judged_roster(arguments.roster, arguments)
    origin = tlog.parse_note(checkpoint)[0].split("\n")[0]
    parts = tlog.parse_origin(origin)
    require(parts and parts[1] in judged.nodes, "Origin")
    return judged.log_for(parts[1], checkpoint)


def judged_roster(path, arguments):
    federation, pin = roster.pin_of_root(Path(arguments.root).read_bytes())
    now_ms = arguments.now_ms or int(time.time() * 1000)
    return roster.Roster(Path(path).read_bytes(), federation, pin, now_ms)


def verify_receipt(arguments):
    message = receipt.read_file(Path(arguments.file).read_bytes().decode("utf-8"))
    origin, keys = log_keys(arguments, message.checkpoint)
    expected = bytes.fromhex(arguments.envelope) if arguments.envelope else None
    found, results = receipt.checks(message, origin, keys, expected)
    for name, refusal in results:
        print(f"{'ok    ' if refusal is None else 'FAILED'}  {name}{f': {refusal}' if refusal else ''}")
    require(all(refusal is None for _, refusal in results), "receipt")
    statement = found.statement
    if statement.event == receipt.STAGE and arguments.roster:
        print(f"ok      {check_stage(statement, found.time_ms, judged_roster(arguments.roster, arguments))}")
    print(f"{receipt.EVENTS[found.event]} at {found.time_ms} ms by {statement.node}")
    print(f"envelope {statement.envelope_id.hex()}")
    verdict, said = witnessed(message.checkpoint, statement.node, arguments)
    print(said)
    return verdict == "provisional"


def witnessed(checkpoint, node, arguments):
    """Whether enough others have signed that they saw this history, as a word and in words. RCP-17, RCP-18."""
    listed = arguments.roster and judged_roster(arguments.roster, arguments).witnesses(node)
    verdict, found = witness.judge(checkpoint, listed or None)
    if not listed:
        return verdict, verdict
    names = ", ".join(name.split("/")[2] for name, _ in found) or "nobody"
    return verdict, f"{verdict}: cosigned by {names}; {listed[1]} needed"


def check_stage(statement, time_ms, judged):
    """The member's own word in a STAGE receipt. RCP-14, RCP-15."""
    signed = dsse.decode(statement.member_statement)
    word = protobuf.decode(protobuf.STAGE_STATEMENT, signed.payload)
    member = judged.members.get(word.member)
    require(member is not None and member.home_node == statement.node, "WrongNode")
    keys = roster.good_at(member.identity_keys, time_ms)
    dsse.verify(signed, dsse.TYPES["stage"], keys, 1)
    require(word.federation == judged.listed.federation, "WrongFederation")
    require(word.envelope_id == statement.envelope_id, "WrongEnvelope")
    require(word.stage in STAGES and (word.stage == 3 or not word.outcome), "Stage")
    return f"{word.member} states {STAGES[word.stage]} under its own key"


def verify_checkpoint(arguments):
    data = Path(arguments.file).read_bytes()
    # A lone checkpoint says nothing of its time: it is judged as what it is taken for, the newest.
    now_ms = arguments.now_ms or int(time.time() * 1000)
    at_ms = max(now_ms - CLOCK_SKEW_MS, 0)
    size, root = tlog.verify_checkpoint(data, *log_keys(arguments, data), at_ms)
    print(f"size {size}, root {root.hex()}")


def verify_roster(arguments):
    judged = judged_roster(arguments.file, arguments)
    print(f"version {judged.listed.version}: {len(judged.members)} members, {len(judged.nodes)} nodes")


def tile_path(kind, index, width):
    """C2SP tlog-tiles. LOG-14."""
    groups = []
    while True:
        groups.insert(0, f"{index % 1000:03}")
        index //= 1000
        if not index:
            break
    number = "/".join([f"x{one}" for one in groups[:-1]] + groups[-1:])
    return f"tile/{kind}/{number}" + ("" if width == 256 else f".p/{width}")


def read_entries(folder, size):
    """Every entry of a log, from its entry bundles. LOG-15."""
    for index in range((size + 255) // 256):
        width = min(256, size - index * 256)
        bundle = (folder / tile_path("entries", index, width)).read_bytes()
        at = 0
        for _ in range(width):
            length = int.from_bytes(bundle[at : at + 2], "big")
            require(at + 2 + length <= len(bundle), "Width")
            yield bundle[at + 2 : at + 2 + length]
            at += 2 + length
        require(at == len(bundle), "Width")


def tree_root(hashes):
    if len(hashes) <= 1:
        return hashes[0] if hashes else tlog.hashlib.sha256(b"").digest()
    split = tlog.subtree_split(len(hashes))
    return tlog.node_hash(tree_root(hashes[:split]), tree_root(hashes[split:]))


def check_tiles(folder, hashes):
    """That the stored tiles of every level are those of the entries. LOG-14."""
    level = 0
    while hashes:
        for index in range((len(hashes) + 255) // 256):
            row = hashes[index * 256 : index * 256 + 256]
            stored = (folder / tile_path(level, index, len(row))).read_bytes()
            require(stored == b"".join(row), "Tile")
        whole = len(hashes) // 256
        hashes = [tree_root(hashes[at * 256 : at * 256 + 256]) for at in range(whole)]
        level += 1


def verify_tiles(arguments):
    folder = Path(arguments.file)
    data = (folder / "checkpoint").read_bytes()
    size, root = tlog.verify_checkpoint(data, *log_keys(arguments, data))
    before, hashes = 0, []
    for leaf in read_entries(folder, size):
        _, time_ms = tlog.parse_leaf(leaf)
        require(time_ms >= before, "Time")
        before = time_ms
        hashes.append(tlog.leaf_hash(leaf))
    require(tree_root(hashes) == root, "Root")
    tlog.verify_checkpoint(data, *log_keys(arguments, data), before)
    check_tiles(folder, hashes)
    print(f"{size} leaves lead to the signed root {root.hex()}")


def verify_kept(arguments):
    """Receipts under the roster and under their verifier keys, the roster, evidence, every log."""
    folder = Path(arguments.file)
    arguments.root = folder / "root.frex"
    arguments.file = folder / "roster.frex"
    verify_roster(arguments)
    receipts = sorted((folder / "receipts").glob("*.tlog-proof"))
    require(receipts, "no receipts")
    provisional = False
    for path in receipts:
        arguments.file = path
        arguments.roster, arguments.vkey_file = folder / "roster.frex", None
        provisional |= verify_receipt(arguments)
        arguments.roster, arguments.vkey_file = None, path.with_suffix(".vkey")
        verify_receipt(arguments)
        message = receipt.read_file(path.read_bytes().decode("utf-8"))
        require(path.with_suffix(".leaf").read_bytes() == message.leaf, "leaf file")
    logs = sorted((folder / "log").glob("*.vkey"))
    require(logs, "no logs")
    for path in logs:
        origin = tlog.parse_vkey(path.read_text("utf-8").strip())[0]
        arguments.file, arguments.vkey_file = folder / "log" / origin, path
        verify_tiles(arguments)
    files = sorted((folder / "evidence").glob("*.frexev"))
    require(files, "no evidence")
    for path in files:
        found = evidence.judge(path.read_bytes(), *roster.pin_of_root(arguments.root.read_bytes()))
        require(found.checks.failure() is None, found.checks.failure())
        provisional |= evidence.verdict(found) == evidence.PROVISIONAL
    print(f"{len(receipts)} receipts, {len(files)} files of evidence and {len(logs)} logs")
    return provisional


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = {"receipt": verify_receipt, "checkpoint": verify_checkpoint, "roster": verify_roster,
            "tiles": verify_tiles, "kept": verify_kept}
    parser.add_argument("what", choices=what)
    parser.add_argument("file")
    for name in ("--vkey", "--vkey-file", "--roster", "--root", "--envelope"):
        parser.add_argument(name)
    parser.add_argument("--now-ms", type=int, help="judge the roster at this time")
    arguments = parser.parse_args()
    try:
        provisional = what[arguments.what](arguments)
    except (Refused, OSError, UnicodeDecodeError) as cause:
        print(f"NOT VERIFIED: {cause}")
        return 20
    # RCP-18: what too few have cosigned is not called verified without that word.
    print(evidence.PROVISIONAL if provisional else "VERIFIED")
    return 0


if __name__ == "__main__":
    sys.exit(main())
