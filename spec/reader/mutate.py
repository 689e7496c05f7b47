#!/usr/bin/env python3
"""Writes damaged copies of the vectors with what the reader makes of them.

  mutate.py DIRECTORY [COUNT] [SEED]
  FREX_VECTORS=DIRECTORY cargo test -p frex-proto --test vectors

The second command fails wherever the two implementations disagree.
"""

import json
import random
import sys
from pathlib import Path

import check

SAME = {"spec", "what", "op", "expect", "result", "algorithm", "length", "fill", "change", "bytes", "node"}
SECRET = {"secrets", "keys", "sender_keys", "forwarder_keys", "author_keys"}
LENGTHS = {"sha256", "leaf_hash", "root", "old_root", "new_root", "envelope_id", "root_sha256", "header",
           "held_root"}


def damage_bytes(rng, data, keep_length):
    data = bytearray(data)
    kind = rng.randrange(2 if keep_length else 6)
    at = rng.randrange(len(data)) if data else 0
    if not data:
        return bytes([rng.randrange(256)]) if not keep_length else b""
    if kind == 0:
        data[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        data[at] = rng.choice([0, 1, 0x7F, 0x80, 0xFF])
    elif kind == 2:
        del data[at]
    elif kind == 3:
        data.insert(at, rng.randrange(256))
    elif kind == 4:
        del data[at:]
    else:
        end = at + rng.randrange(1, 40)
        data[at:at] = data[at:end]
    return bytes(data)


def damage(rng, vector):
    names = [name for name in vector if name not in SAME and name not in SECRET]
    if vector["op"] == "open_attachment":
        names = ["sha256"]
    if not names:
        return vector
    name = rng.choice(names)
    value = vector[name]
    if isinstance(value, int):
        vector[name] = rng.choice([0, 1, min(value + 1, 2**64 - 1), max(0, value - 1), 2**63 - 1, 2**63, 2**64 - 1])
    elif isinstance(value, list):
        if value and rng.random() < 0.5:
            at = rng.randrange(len(value))
            value[at] = damage_bytes(rng, bytes.fromhex(value[at]), True).hex()
        elif value:
            value.pop(rng.randrange(len(value)))
    elif name in ("file", "vkey", "checkpoint", "before", "head", "invitation", "payload_type", "member", "federation"):
        text = damage_bytes(rng, value.encode(), False)
        vector[name] = text.decode("utf-8", "ignore")
    else:
        vector[name] = damage_bytes(rng, bytes.fromhex(value), name in LENGTHS).hex()
    return vector


def main(arguments):
    folder = Path(arguments[0])
    count = int(arguments[1]) if len(arguments) > 1 else 1000
    seed = int(arguments[2]) if len(arguments) > 2 else random.randrange(2**32)
    print(f"seed {seed}", flush=True)
    rng = random.Random(seed)
    source = sorted((Path(__file__).resolve().parents[1] / "vectors").glob("*/*.json"))
    for number in range(count):
        vector = json.loads(rng.choice(source).read_text("utf-8"))
        for _ in range(rng.choice([1, 1, 1, 2, 3])):
            vector = damage(rng, vector)
        vector["expect"], result = check.outcome(vector)
        vector.pop("result", None)
        if result is not None:
            vector["result"] = result
        path = folder / "damaged" / f"{number:06}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(vector, indent=2), "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
