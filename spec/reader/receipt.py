"""Receipts. Chapter RCP. Needs nothing but Python."""

import re

import protobuf
import tlog
from envelope import NAME
from refused import Refused, inside, require

STATEMENT_BYTES_MAX = 16 * 1024
SUBMITTED, ACCEPTED, REJECTED, STAGE, FORWARDED, ERASED, TRUST_CHANGE = range(1, 8)
EVENTS = {
    1: "SUBMITTED", 2: "ACCEPTED", 3: "REJECTED", 4: "STAGE", 5: "FORWARDED", 6: "ERASED",
    7: "TRUST_CHANGE", 8: "PEER_SEEN", 9: "OPERATOR", 10: "FORK_EVIDENCE",
}
ID_REUSE = 4004
OPERATOR = 9
# PEER_SEEN names one checkpoint, FORK_EVIDENCE two.
CHECKPOINTS = {8: 1, 10: 2}
SEEN_BYTES_MAX = 4096
GROUND = re.compile("[a-z0-9-]{1,32}")
AUTHORITY = re.compile("[A-Za-z0-9._:/-]{1,64}")
ERASED_ENTRIES_MAX = 512


def parse_statement(data):
    """RCP-2."""
    require(len(data) <= STATEMENT_BYTES_MAX, "TooLarge")
    statement = protobuf.decode(protobuf.STATEMENT, data)
    event = statement.event
    require(event in EVENTS or event == 0, "Event")
    for one in (statement.envelope_id, statement.other_envelope_id):
        require(len(one) in (0, 32), "Id")
    require(len(statement.message_id) in (0, 16), "Id")
    require((statement.roster_version, len(statement.roster_sha256)) == (0, 0)
            or statement.roster_version and len(statement.roster_sha256) == 32, "Field")
    require(event != 0, "Event")
    require(NAME.fullmatch(statement.node), "Id")
    require(not statement.sender or NAME.fullmatch(statement.sender), "Id")
    require(statement.envelope_id or event > ERASED, "Id")
    require(statement.message_id or event > REJECTED, "Id")
    require(statement.sender or event > ACCEPTED, "Id")
    recipients = statement.recipients
    require((1 if event <= ACCEPTED else 0) <= len(recipients) <= 64, "Recipients")
    require(all(NAME.fullmatch(one) for one in recipients), "Recipients")
    require(len(set(recipients)) == len(recipients), "Recipients")
    require((event == REJECTED) == (statement.code != 0), "Code")
    require((statement.code == ID_REUSE) == bool(statement.other_envelope_id), "Field")
    require((event == STAGE) == bool(statement.member_statement), "Field")
    require((event == TRUST_CHANGE) == bool(statement.roster_version), "Field")
    require(len(statement.checkpoints) == CHECKPOINTS.get(event, 0), "Field")
    require(all(1 <= len(one) <= SEEN_BYTES_MAX for one in statement.checkpoints), "Field")
    before = SEEN_BYTES_MAX if event == OPERATOR else 0
    require(max(len(statement.ended_log), len(statement.seen_log)) <= before, "Field")
    check_erasure(statement)
    return statement


def check_erasure(statement):
    """ERA-3."""
    entries = statement.erased
    said = statement.ground or statement.authority or entries or statement.ordered_by
    require(bool(said) or statement.event != ERASED, "Field")
    if not said:
        return
    require(not statement.ordered_by or NAME.fullmatch(statement.ordered_by), "Id")
    require(len(entries) <= ERASED_ENTRIES_MAX, "Field")
    require(all(one < two for one, two in zip(entries, entries[1:])), "Field")
    require(GROUND.fullmatch(statement.ground), "Field")
    require(AUTHORITY.fullmatch(statement.authority), "Field")
    require(statement.event == ERASED, "Field")


class Receipt:
    """A receipt of the right shape. RCP-1."""

    def __init__(self, message):
        require(len(message.hashes) <= tlog.PROOF_HASHES_MAX, "TooLarge")
        require(len(message.checkpoint) <= tlog.CHECKPOINT_BYTES_MAX, "TooLarge")
        with inside("Statement"):
            self.statement = parse_statement(message.statement)
        require(len(message.salt) == 32, "Salt")
        with inside("Leaf"):
            self.event, self.time_ms = tlog.parse_leaf(message.leaf)
        require(all(len(one) == 32 for one in message.hashes), "Hash")
        self.message = message

    def check_node(self, origin):
        parts = tlog.parse_origin(origin)
        require(parts and parts[1] == self.statement.node, "WrongNode")

    def check_leaf(self):
        with inside("Leaf"):
            tlog.check_leaf(self.message.leaf, self.message.salt, self.message.statement)
        require(self.event == self.statement.event, "EventMismatch")

    def check_inclusion(self, size, root):
        leaf = tlog.leaf_hash(self.message.leaf)
        with inside("Proof"):
            tlog.verify_inclusion(leaf, self.message.index, size, self.message.hashes, root)

    def check_envelope(self, expected):
        require(self.statement.envelope_id == expected, "WrongEnvelope")


def checks(message, origin, keys, expected):
    """Every check of RCP-9 in its order: name and what came of it.

    What came of it is None where it holds, and else the name of the refusal.
    """
    results = []

    def check(name, run):
        try:
            value = run()
        except Refused as refusal:
            results.append((name, refusal.name))
            return None
        results.append((name, None))
        return value

    receipt = check("receipt is well-formed", lambda: Receipt(message))

    def signed():
        # RCP-16: the key must be good at the leaf's time.
        time_ms = receipt.time_ms if receipt else 0
        with inside("Checkpoint"):
            return tlog.verify_checkpoint(message.checkpoint, origin, keys, time_ms)

    head = check(f"receipt signed by the log {origin}", signed)
    if receipt:
        check("statement is made by the log's node", lambda: receipt.check_node(origin))
        check("statement matches the leaf", receipt.check_leaf)
    if receipt and head:
        place = f"entry #{message.index} is in the log of size {head[0]}"
        check(place, lambda: receipt.check_inclusion(*head))
    if receipt and expected is not None:
        check("covers the envelope you name", lambda: receipt.check_envelope(expected))
    return receipt, results


def verify(message, origin, keys, expected=None):
    """The receipt, or the refusal of the first check that fails."""
    receipt, results = checks(message, origin, keys, expected)
    for _, refusal in results:
        require(refusal is None, refusal)
    return receipt


def read_file(text):
    """The receipt in a proof file. RCP-10."""
    extra, index, hashes, checkpoint = tlog.parse_proof_file(text)
    require(extra is not None, "Extra")
    message = protobuf.decode(protobuf.RECEIPT, extra, "Extra")
    require(message.index == 0 and not message.hashes and not message.checkpoint, "Extra")
    require(len(message.salt) == 32 and message.statement, "Extra")
    try:
        tlog.parse_leaf(message.leaf)
    except Refused as cause:
        raise Refused("Extra") from cause
    message.index, message.hashes, message.checkpoint = index, hashes, checkpoint
    return message
