#!/usr/bin/env python3
"""Runs every vector of spec/vectors through the reader and compares the outcome."""

import json
import sys
from pathlib import Path

import attachment
import case
import casefold
import casework
import deconflict
import dsse
import ed25519
import envelope
import evidence
import figures
import identifier
import join
import mldsa
import protobuf
import quality
import receipt
import ristretto
import roster
import routing
import tlog
import witness
from refused import Refused, inside, require

FRAME_CAPS = {1: 12288, 2: 24576, 3: 262144, 4: 1_200_000, 5: 163840, 6: 262144, 7: 8192,
              8: 262144, 9: 1_048_596}


def sha(data):
    return envelope.sha256(data).hex()


class Inputs:
    """The inputs of one vector: bytes by `hex`, everything else as it stands."""

    def __init__(self, vector):
        self.vector = vector

    def __getitem__(self, name):
        return self.vector[name]

    def get(self, name):
        return self.vector.get(name)

    def hex(self, name):
        return bytes.fromhex(self.vector[name])

    def hexes(self, name):
        return [bytes.fromhex(one) for one in self.vector[name]]

    def keys(self, name):
        keys = self.hexes(name)
        for key in keys:
            dsse.admit(key)
        return keys

    def secrets(self):
        from hpke import SecretKey

        return [SecretKey(seed) for seed in self.hexes("secrets")]

    def envelope(self):
        message = protobuf.decode(protobuf.ENVELOPE, self.hex("envelope"))
        return message, message.body


def pae(inputs):
    return dsse.pae(inputs["payload_type"], inputs.hex("payload")).hex()


def parse_frame_header(inputs):
    header = inputs.hex("header")
    require(header[0] in FRAME_CAPS, "UnknownType")
    length = int.from_bytes(header[1:5], "big")
    require(length <= FRAME_CAPS[header[0]], "TooLong")
    return length


def read_content(inputs):
    content = protobuf.decode(protobuf.CONTENT, inputs.hex("content"))
    return f"{content.content_type} {content.data.hex()}"


def admit_key(inputs):
    key = inputs.hex("key")
    if inputs["algorithm"] == "ed25519":
        ed25519.admit(key)
        return ed25519.key_id(key).hex()
    if inputs["algorithm"] == "ml-dsa-65":
        mldsa.admit(key)
        return mldsa.key_id(key).hex()
    if inputs["algorithm"] == "ml-dsa-44":
        mldsa.admit(key, mldsa.HEADS)
        return mldsa.key_id(key, mldsa.HEADS).hex()
    roster.admit_sealing(key)
    return envelope.sha256(b"frex/v1/hpke-key\0" + b"\x64\x7a" + key)[:16].hex()


def sealing_key_of_seed(inputs):
    return sha(inputs.secrets()[0].public)


def verify_ed25519(inputs):
    key = inputs.hex("key")
    ed25519.admit(key)
    holds = ed25519.verify(key, inputs.hex("message"), inputs.hex("signature"))
    require(holds, "SignatureError")


def verify_signed(inputs):
    signed = dsse.decode(inputs.hex("signed"))
    verified = dsse.verify(signed, inputs["payload_type"], inputs.keys("keys"), inputs["threshold"])
    return sha(verified[0])


def judge(inputs):
    message, body = inputs.envelope()
    parsed = envelope.Parsed(message)
    envelope.verify(parsed, inputs.keys("sender_keys"))
    envelope.check_body(parsed, body)
    envelope.check_times(parsed.core.created_ms, parsed.core.expires_ms, inputs["now_ms"])
    return parsed, body


def verify_envelope(inputs):
    return judge(inputs)[0].id.hex()


def open_envelope(inputs):
    parsed, body = judge(inputs)
    opened = envelope.open_envelope(parsed, body, inputs["member"], inputs.secrets())
    return f"{opened[0]} {sha(opened[1])}"


def open_attachment(inputs):
    return attachment.open_filled(inputs.hex("key"), inputs["length"], inputs["fill"],
                                  inputs["change"], inputs.hex("sha256"))


def check_hashes(inputs):
    attachment.check_hashes(inputs.hex("root"), inputs["bytes"], inputs.hex("hashes"))


def check_chunk(inputs):
    hashes = attachment.check_hashes(inputs.hex("root"), inputs["bytes"], inputs.hex("hashes"))
    number, sealed = attachment.check_chunk(inputs["bytes"], hashes, inputs.hex("frame"))
    return f"{number} {sha(sealed)}"


def read_held(inputs):
    missing = attachment.missing(inputs["bytes"], inputs.hex("held"))
    return " ".join(str(chunk) for chunk in missing)


def open_forward(inputs):
    message, body = inputs.envelope()
    forward = envelope.Forward(message)
    forward.verify(inputs.keys("forwarder_keys"), inputs.keys("author_keys"))
    envelope.check_body(forward.original, body)
    manifest = forward.manifest
    envelope.check_times(manifest.created_ms, manifest.expires_ms, inputs["now_ms"])
    opened = forward.open(body, inputs["member"], inputs.secrets())
    return f"{opened[0]} {sha(opened[1])}"


def open_recall(inputs):
    parsed, body = judge(inputs)
    opened = envelope.open_envelope(parsed, body, inputs["member"], inputs.secrets())
    reason, cause = envelope.read_recall(opened[0], opened[1])
    said = f"{parsed.core.conversation_id.hex()} {parsed.core.in_reply_to.hex()} {reason}"
    if cause is None:
        return said
    envelope.verify(cause, inputs.keys("author_keys"))
    return f"{said} {cause.id.hex()}"


def verify_inclusion(inputs):
    tlog.verify_inclusion(inputs.hex("leaf_hash"), inputs["index"], inputs["size"],
                          inputs.hexes("hashes"), inputs.hex("root"))


def verify_consistency(inputs):
    tlog.verify_consistency(inputs["old_size"], inputs.hex("old_root"), inputs["new_size"],
                            inputs.hex("new_root"), inputs.hexes("hashes"))


def follow_head(inputs):
    with inside("Checkpoint"):
        heads = [tlog.parse_checkpoint(inputs[name]) for name in ("before", "head")]
    tlog.follow(*heads, inputs.hexes("hashes"))


def verify_checkpoint(inputs):
    name, key = tlog.parse_vkey(inputs["vkey"])
    size, root = tlog.verify_checkpoint(inputs["checkpoint"].encode(), name, [(key, 0)])
    return f"{size} {root.hex()}"


def parse_vkey(inputs):
    return tlog.parse_vkey(inputs["vkey"])[1].hex()


def verify_receipt(inputs):
    message = protobuf.decode(protobuf.RECEIPT, inputs.hex("receipt"))
    return judge_receipt(message, inputs)


def read_receipt_file(inputs):
    return judge_receipt(receipt.read_file(inputs["file"]), inputs)


def verify_listed_receipt(inputs):
    listed = roster_in(inputs, "bundle")
    message = protobuf.decode(protobuf.RECEIPT, inputs.hex("receipt"))
    node = receipt.parse_statement(message.statement).node
    return judge_under(message, *listed.log_for(node, message.checkpoint), inputs)


def judge_receipt(message, inputs):
    name, key = tlog.parse_vkey(inputs["vkey"])
    return judge_under(message, name, [(key, 0)], inputs)


def judge_under(message, origin, keys, inputs):
    expected = inputs.hex("envelope_id") if inputs.get("envelope_id") else None
    verified = receipt.verify(message, origin, keys, expected)
    return f"{receipt.EVENTS[verified.event]} {verified.time_ms}"


def roster_in(inputs, field):
    return roster.Roster(inputs.hex(field), inputs["federation"],
                         inputs.hex("root_sha256"), inputs["now_ms"])


def judge_roster(inputs):
    return roster_in(inputs, "bundle").listed.version


def succeed_roster(inputs):
    held = roster_in(inputs, "held")
    return "newer" if roster_in(inputs, "bundle").succeeds(held) else "same"


def read_invitation(inputs):
    read = join.read_invitation(inputs["invitation"])
    keys = read.root_sha256.hex(), read.listener_key.hex(), read.secret.hex()
    return " ".join((read.federation, read.member, read.address, *keys, str(read.expires_ms)))


def ask_witness(inputs):
    size, root = witness.judge_request(inputs.hex("body"), *tlog.parse_vkey(inputs["vkey"]),
                                       inputs["held_size"], inputs.hex("held_root"))
    return f"{size} {root.hex()}"


def judge_fork(inputs):
    origin, key = tlog.parse_vkey(inputs["vkey"])
    checkpoints = [bytes.fromhex(one) for one in inputs["checkpoints"]]
    keys = [(key, inputs["end_ms"])]
    size, *roots = witness.judge_fork(checkpoints, origin, keys, inputs["at_ms"])
    return " ".join([str(size), *(root.hex() for root in roots)])


def judge_witnessed(inputs):
    listed, checkpoint = roster_in(inputs, "bundle"), inputs["checkpoint"].encode()
    with inside("Checkpoint"):
        tlog.verify_checkpoint(checkpoint, *listed.log(inputs["node"]))
    verdict, found = witness.judge(checkpoint, listed.witnesses(inputs["node"]))
    return " ".join([verdict, *(f"{name} {time_s}" for name, time_s in found)])


def verify_evidence(inputs):
    found = evidence.judge(inputs.hex("evidence"), inputs["federation"], inputs.hex("root_sha256"))
    require(found.checks.failure() is None, found.checks.failure())
    return "\n".join(found.rows() + found.clocks())


def read_case(inputs):
    return case.read_case(inputs.hex("message"))


def count_clock(inputs):
    return case.count_clock(*(inputs[name] for name in ("profile", "duty", "from_ms", "zone", "country", "holidays")))


def fold_case(inputs):
    given = [inputs[name] for name in ("said", "members", "holidays", "now_ms")]
    return casefold.fold_case(*given, inputs.get("own") or "")


# What stands in a fact of a vector, in this order.
FACT = ("record", "entry", "logged_ms", "filed_ms", "accepted_ms", "opened_ms", "acted_ms", "category",
        "country", "role", "lane", "incident", "duplicate", "accounts", "items", "outcome", "shelved", "overdue")


def count_figures(inputs):
    months = figures.months_of(inputs["first_month"], inputs["last_month"])
    crossings = [tuple(pair) for pair in inputs["crossings"]]
    before, text = None, []
    for revision in inputs["revisions"]:
        facts = [dict(zip(FACT, one)) for one in revision]
        text, *before = figures.table_lines(facts, inputs.hex("noise_key"), months, inputs["zone"],
                                            inputs["threshold"], crossings, inputs["exact_from"], before)
    return "\n".join(text)


def read_figures(inputs):
    table, sha256 = figures.read_table(inputs.hex("message"))
    figures.judge_figures(table)
    return sha256


def sum_figures(inputs):
    parts = inputs["parts"]
    require(len(parts) == inputs["members"], "Missing")
    return "\n".join(figures.totals(parts, inputs["axes"], inputs["threshold"], inputs["exact_from"]))


def commit_figures(inputs):
    made = figures.commitment(inputs["label"].encode() + b"\0", inputs.hex("salt"), inputs.hex("round"),
                              inputs["member"], inputs["to"], inputs.hex("values"))
    require(made == inputs.hex("commitment"), "Commitment")


def change_of_figures(inputs):
    return figures.change(inputs["before"], inputs["after"])


def normalise_identifier(inputs):
    return identifier.parse(inputs["text"])


def oprf_blind(inputs):
    return ristretto.blind(inputs.hex("input"), ristretto.scalar(inputs.hex("blind"))).hex()


def oprf_evaluate(inputs):
    key = ristretto.scalar(inputs.hex("key"))
    points = [ristretto.decode(one) for one in inputs.hexes("blinded")]
    done = [ristretto.encode(ed25519.multiply(key, point)).hex() for point in points]
    return " ".join([ristretto.encode(ed25519.multiply(key, ed25519.BASE)).hex(), *done])


def oprf_finalize(inputs):
    messages, blinds = inputs.hexes("inputs"), inputs.hexes("blinds")
    evaluated, key = inputs.hexes("evaluated"), inputs.hex("public_key")
    numbers = [ristretto.scalar(one) for one in blinds]
    require(len(messages) == len(numbers) == len(evaluated), "Count")
    blinded = [ristretto.blind(message, one) for message, one in zip(messages, numbers)]
    ristretto.check_proof(key, blinded, evaluated, inputs.hex("proof"))
    found = map(ristretto.output, messages, numbers, evaluated)
    return " ".join(one.hex() for one in found)


def read_deconflict(inputs):
    return deconflict.read_message(inputs.hex("message"))


def read_epoch(inputs):
    epoch = deconflict.read_epoch(inputs.hex("epoch"), inputs.keys("keys"), inputs["federation"],
                                  inputs["member"])
    return f"{epoch.begins_ms} {epoch.ends_ms} {epoch.public_key.hex()} {epoch.book_sha256.hex()}"


def find_in_book(inputs):
    book = deconflict.Book(inputs.hex("book"), inputs.hex("sha256"))
    desk = book.find(inputs.hex("output"))
    return "nothing" if desk is None else desk.email


def read_policy(inputs):
    routing.read_policy(inputs["policy"])
    return ""


def verify_claim(inputs):
    messages = {
        name: protobuf.decode(schema, inputs.hex(name))
        for name, schema in (("contact", deconflict.CONTACT), ("query", deconflict.QUERY),
                             ("answer", deconflict.ANSWER))
    }
    return deconflict.verify_claim(**messages, public_key=inputs.hex("public_key")).hex()


OPERATIONS = {
    run.__name__: run
    for run in (
        pae, parse_frame_header, read_content, admit_key, sealing_key_of_seed,
        verify_ed25519, verify_signed, verify_envelope, open_envelope, open_forward,
        open_attachment, check_hashes, check_chunk, read_held,
        open_recall,
        verify_inclusion, verify_consistency, follow_head, verify_checkpoint, parse_vkey, verify_receipt, verify_listed_receipt,
        read_receipt_file, judge_roster, succeed_roster, read_invitation,
        ask_witness, judge_fork, judge_witnessed, verify_evidence,
        casework.read_document, casework.judge_hash, casework.read_onion, casework.compare_text,
        casework.read_view,
        read_case, count_clock, fold_case,
        count_figures, read_figures, sum_figures, commit_figures, change_of_figures,
        normalise_identifier, oprf_blind, oprf_evaluate, oprf_finalize, read_deconflict, read_epoch,
        find_in_book, verify_claim,
        quality.score_report, quality.missing_fields, quality.compare_reports,
        routing.route_report, routing.find_range, routing.copy_metadata, routing.read_record, read_policy,
    )
}


def outcome(vector):
    try:
        result = OPERATIONS[vector["op"]](Inputs(vector))
    except Refused as refusal:
        return refusal.name, None
    return "ok", None if result is None else str(result)


# What is said of a file at the end, of the vectors of these names. RCP-18.
VERDICTS = {"provisional": evidence.PROVISIONAL, "request": "VERIFIED", "silence-of-who-has-spoken": "NOT VERIFIED"}


def judge_verdicts(folder):
    """Where a file is called otherwise."""
    for name, wanted in VERDICTS.items():
        vector = json.loads((folder / "evidence" / f"{name}.json").read_text("utf-8"))
        data, root = bytes.fromhex(vector["evidence"]), bytes.fromhex(vector["root_sha256"])
        said = evidence.verdict(evidence.judge(data, vector["federation"], root))
        if said != wanted:
            yield f"evidence/{name}.json: called {said}, not {wanted}"


def main(arguments):
    here = Path(__file__).resolve().parent
    folder = Path(arguments[0]) if arguments else here.parent / "vectors"
    passed = failed = 0
    for path in sorted(folder.glob("*/*.json")):
        vector = json.loads(path.read_text("utf-8"))
        found = outcome(vector)
        wanted = vector["expect"], vector.get("result")
        if found == wanted:
            passed += 1
        else:
            failed += 1
            print(f"{path.relative_to(folder)}: wanted {wanted}, found {found}")
    if not arguments:
        held, faults = casework.judge_made_up(here.parents[1] / "tests" / "fixtures" / "reports")
        faults = [*faults, *judge_verdicts(folder)]
        print(*faults, f"{held} made-up reports follow the published JSON Schema", sep="\n")
        failed += len(faults)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
