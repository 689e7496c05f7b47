#!/usr/bin/env python3
"""Files of evidence. Chapter EVD. Needs nothing but Python.

  evidence.py FILE --root FILE [--json]

Lists every check, then the timeline. Exit code: 0 verified, 20 not verified, 2 called wrongly.
"""

import argparse
import hmac
import json
import sys
from pathlib import Path

import dsse
import envelope
import protobuf
import receipt
import roster
import tlog
import witness
from attachment import judge_described
from refused import Refused, inside, require

FIRST_LINE = b"frex-evidence/v1\n"
BYTES_MAX = 64 << 20
EXHIBITS_MAX, RECEIPTS_MAX, SILENCES_MAX = 64, 1024, 64
SILENCE_BYTES_MAX = tlog.CHECKPOINT_BYTES_MAX + 16 * 1024
KINDS = ("unspecified", "report", "feedback", "request", "response", "notice", "statistics", "ping", "recall")
FEEDBACK, REQUEST = 2, 3
STAGES = {1: "delivered", 2: "opened", 3: "acted"}
SILENCE_TYPE = dsse.TYPES["silence"]
PROVISIONAL = "VERIFIED, provisional"


def encode(schema, message):
    """The one form of a message: fields in order, none that is empty or unknown."""
    out = b""
    for number, (name, kind) in sorted(schema.items()):
        value = getattr(message, name)
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        for one in value if repeated else [value]:
            if isinstance(kind, dict):
                data = None if one is None else encode(kind, one)
            elif kind in ("bytes", "string"):
                data = one.encode() if kind == "string" else one
                data = data if data or repeated else None
            else:
                out += varint(number << 3) + varint(one) if one else b""
                continue
            if data is not None:
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def varint(value):
    out = b""
    while value >= 0x80:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def key(message):
    """What receipts are ordered by: a leaf too short for a time stands before all others. EVD-3."""
    return message.leaf[8:16] if len(message.leaf) >= 16 else b"", message.leaf


def parse(data):
    """EVD-1 to EVD-3."""
    require(len(data) <= BYTES_MAX, "TooLarge")
    require(data.startswith(FIRST_LINE), "FirstLine")
    bundle = protobuf.decode(protobuf.EVIDENCE, data[len(FIRST_LINE) :])
    require(len(bundle.exhibits) <= EXHIBITS_MAX, "TooLarge")
    require(len(bundle.receipts) <= RECEIPTS_MAX, "TooLarge")
    require(len(bundle.silences) <= SILENCES_MAX, "TooLarge")
    require(bundle.exhibits or bundle.receipts, "Empty")
    keys = [key(one) for one in bundle.receipts]
    require(all(one < two for one, two in zip(keys, keys[1:])), "Order")
    held = protobuf.decode(protobuf.ROSTER_BUNDLE, bundle.roster)
    require(not held.member_docs and not held.freshness, "NotCanonical")
    require(encode(protobuf.ROSTER_BUNDLE, held) == bundle.roster, "NotCanonical")
    require(FIRST_LINE + encode(protobuf.EVIDENCE, bundle) == data, "NotCanonical")
    return bundle


def judge_roster(bundle, federation, root_sha256):
    """As of its issue. EVD-4."""
    held = protobuf.decode(protobuf.ROSTER_BUNDLE, bundle.roster)
    listed = protobuf.decode(protobuf.ROSTER, dsse.decode(held.roster).payload)
    return roster.Roster(bundle.roster, federation, root_sha256, listed.issued_ms)


class Exhibit:
    """What was signed, of the right shape."""

    def __init__(self, message):
        require(len(message.signed) <= envelope.SIGNED_BYTES_MAX, "TooLarge")
        signed = dsse.decode(message.signed)
        wire = protobuf.decode(protobuf.ENVELOPE, b"")
        self.forward = None
        if signed.payload_type == dsse.TYPES["forward"]:
            wire.forward = message.signed
            self.forward = envelope.Forward(wire)
            self.original, manifest = self.forward.original, self.forward.manifest
            self.id = envelope.sha256(b"frex/v1/manifest\0", self.forward.signed.payload)
        else:
            wire.signed = message.signed
            self.original = envelope.Parsed(wire)
            self.id, manifest = self.original.id, self.original.core
        self.core = self.original.core
        self.sender, self.message_id = manifest.sender, manifest.message_id
        self.recipients = [one.member for one in manifest.recipients]
        self.created_ms, self.expires_ms = manifest.created_ms, manifest.expires_ms
        self.logged_ms, self.content = None, None

    def verify(self, judged):
        require(self.sender in judged.members and self.core.sender in judged.members, "UnknownSender")
        at_ms = self.created_ms if self.logged_ms is None else self.logged_ms
        sender = roster.good_at(judged.members[self.sender].identity_keys, at_ms)
        author = roster.good_at(judged.members[self.core.sender].identity_keys, self.core.created_ms)
        with inside("Exhibit"):
            if self.forward:
                self.forward.verify(sender, author)
            else:
                envelope.verify(self.original, sender)

    def reveal(self, message):
        """ENV-11, EVD-11."""
        require(len(message.salt) == 32, "Content")
        found = hmac.digest(message.salt, b"frex/v1/content\0" + message.content, "sha256")
        require(hmac.compare_digest(found, self.core.content_commitment), "Content")
        require(len(message.content) <= envelope.CONTENT_BYTES_MAX, "Content")
        content = protobuf.decode(protobuf.CONTENT, message.content, "Content")
        require(envelope.CONTENT_TYPE.fullmatch(content.content_type), "Content")
        judge_described(self.original.manifest.attachments, content.attachments)
        self.content = content


class Checks:
    """Checks by name, each with None or the name of the refusal."""

    def __init__(self):
        self.results = []

    def run(self, name, check):
        """What `check` gives, or None if it refuses; whether it held too."""
        try:
            value = check()
        except Refused as refusal:
            self.results.append((name, refusal.name))
            return None, False
        self.results.append((name, None))
        return value, True

    def failure(self):
        return next((refusal for _, refusal in self.results if refusal), None)


class Proven:
    """A receipt, the word inside it, and who cosigned its head."""

    def __init__(self, message, judged, checks, number):
        self.holds, self.witnessed = False, None
        run = lambda what, check: checks.run(f"receipt {number}: {what}", check)
        log, known = run("log is one of the roster", lambda: log_of(message, judged))
        if not known:
            return
        found, results = receipt.checks(message, *log, None)
        for name, refusal in results:
            checks.results.append((f"receipt {number}: {name}", refusal and f"Receipt({refusal})"))
        if any(refusal for _, refusal in results):
            return
        self.statement, self.time_ms = found.statement, found.time_ms
        self.origin, self.index = log[0], message.index
        holds = run("node speaks of members that it serves", lambda: may_state(self.statement, judged))[1]
        self.stage = None
        if self.statement.event == receipt.STAGE:
            self.stage, said = run("stage is signed by its member", lambda: member_word(found, judged))
            holds &= said
        node = self.statement.node
        self.witnessed, said = run("head is cosigned", lambda: cosigned(message.checkpoint, node, judged))
        self.holds = holds and said

    def names(self, event, member):
        return self.statement.event == event and member in self.statement.recipients


def log_of(message, judged):
    try:
        origin = tlog.parse_checkpoint(tlog.parse_note(message.checkpoint)[0])[0]
    except Refused as cause:
        raise Refused("UnknownLog") from cause
    parts = tlog.parse_origin(origin)
    require(parts and parts[1] in judged.nodes, "UnknownLog")
    log = judged.log_for(parts[1], message.checkpoint)
    require(log[0] == origin, "UnknownLog")
    return log


def may_state(statement, judged):
    served = {receipt.SUBMITTED: [statement.sender], receipt.FORWARDED: [statement.sender],
              receipt.ACCEPTED: statement.recipients, receipt.STAGE: statement.recipients}
    for member in served.get(statement.event, []):
        entry = judged.members.get(member)
        require(entry is not None and entry.home_node == statement.node, "NotItsMember")


def member_word(found, judged):
    """RCP-14, RCP-15."""
    statement = found.statement
    try:
        require(len(statement.recipients) == 1, "Word")
        member = judged.members.get(statement.recipients[0])
        require(member is not None, "Word")
        signed = dsse.decode(statement.member_statement)
        dsse.verify(signed, dsse.TYPES["stage"], roster.good_at(member.identity_keys, found.time_ms), 1)
        word = protobuf.decode(protobuf.STAGE_STATEMENT, signed.payload)
        require(word.member == member.id and word.federation == judged.listed.federation, "Word")
        require(word.envelope_id == statement.envelope_id, "Word")
        require(word.stage in STAGES and (word.stage == 3 or not word.outcome), "Word")
    except Refused as cause:
        raise Refused("MemberStatement") from cause
    return word


def cosigned(checkpoint, node, judged):
    """Final, provisional or not witnessed here, and how many of how many have cosigned. RCP-17."""
    listed = judged.witnesses(node)
    with inside("Cosignature"):
        verdict, found = witness.judge(checkpoint, listed)
    return verdict, f"{len(found)} of {listed[1]}" if listed else "the roster names no witnesses"


def relate(proven, shown, first):
    """EVD-5: a receipt is about an exhibit, or where none is shown about the message of the first one."""
    statement = proven.statement
    require(statement.envelope_id, "Unrelated")
    if not shown:
        same = (first.statement.message_id, first.statement.sender) == (statement.message_id, statement.sender)
        return require(same, "Unrelated")
    own = next((one for one in shown if one.id == statement.envelope_id), None)
    if own is None:
        same = any((one.message_id, one.sender) == (statement.message_id, statement.sender) for one in shown)
        return require(same, "Unrelated")
    require(statement.message_id in (b"", own.message_id), "Disagrees")
    require(statement.sender in ("", own.sender), "Disagrees")
    require(all(one in own.recipients for one in statement.recipients), "Disagrees")


def read_silence(data, federation):
    """EVD-9."""
    try:
        require(len(data) <= SILENCE_BYTES_MAX, "Silence")
        signed = dsse.decode(data)
        require(signed.payload_type == SILENCE_TYPE and signed.batch is None, "Silence")
        said = protobuf.decode(protobuf.SILENCE, signed.payload)
    except Refused as cause:
        raise Refused("Silence") from cause
    names = [said.member, *said.silent]
    require(all(envelope.NAME.fullmatch(one) for one in names), "Silence")
    require(1 <= len(said.silent) <= envelope.RECIPIENTS_MAX, "Silence")
    require(len(set(said.silent)) == len(said.silent), "Silence")
    require(len(said.checkpoint) <= tlog.CHECKPOINT_BYTES_MAX, "Silence")
    require(len(said.envelope_id) == 32, "Silence")
    require(said.federation == federation, "WrongFederation")
    return signed, said


class Evidence:
    """What a file proves. EVD-5 to EVD-10."""

    def __init__(self, bundle, judged):
        self.judged, self.checks = judged, Checks()
        # What was found where the check of a head held, by its name: see `cosigned`.
        self.heads = {}
        shapes = [self.shape(one) for one in bundle.exhibits]
        later = Checks()
        proven = [Proven(one, judged, later, at + 1) for at, one in enumerate(bundle.receipts)]
        self.exhibits = self.judge_exhibits(bundle.exhibits, shapes, proven)
        self.receipts = self.judge_receipts(proven, [one for one in shapes if isinstance(one, Exhibit)], later)
        self.silences = [self.judge_silence(at + 1, one) for at, one in enumerate(bundle.silences)]

    @staticmethod
    def shape(message):
        try:
            return Exhibit(message)
        except Refused as refusal:
            return refusal

    def judge_exhibits(self, messages, shapes, proven):
        held, seen = [], set()
        for at, (message, shape) in enumerate(zip(messages, shapes)):
            name = f"exhibit {at + 1}"

            def fits():
                require(isinstance(shape, Exhibit), f"Exhibit({getattr(shape, 'name', '')})")
                require(shape.core.federation == self.judged.listed.federation, "WrongFederation")
                require(shape.id not in seen, "Repeated")

            holds = self.checks.run(f"{name}: is an envelope, once", fits)[1]
            if holds:
                times = [one.time_ms for one in proven if one.holds and one.statement.envelope_id == shape.id]
                shape.logged_ms = min(times, default=None)
                holds = self.checks.run(f"{name}: is signed by {shape.sender}", lambda: shape.verify(self.judged))[1]
                if message.content or message.salt:
                    said = f"{name}: content is what {shape.core.sender} committed to"
                    holds &= self.checks.run(said, lambda: shape.reveal(message))[1]
            if isinstance(shape, Exhibit):
                seen.add(shape.id)
            held.append(shape if holds else None)
        return held

    def judge_receipts(self, proven, shown, later):
        """The relation of each stands behind its other checks."""
        first = next((one for one in proven if one.holds), None)
        held = []
        for at, one in enumerate(proven):
            name = f"receipt {at + 1}"
            self.checks.results += [row for row in later.results if row[0].startswith(name + ":")]
            if one.witnessed:
                self.heads[f"{name}: head is cosigned"] = one.witnessed
            holds = one.holds and self.checks.run(
                f"{name}: is about what this file shows", lambda: relate(one, shown, first))[1]
            held.append(one if holds else None)
        return held

    def judge_silence(self, number, data):
        run = lambda what, check: self.checks.run(f"silence {number}: {what}", check)
        read, held = run("is a statement of this federation",
                         lambda: read_silence(data, self.judged.listed.federation))
        if not held:
            return None
        signed, said = read
        holds = run(f"is signed by {said.member}", lambda: self.check_silence_signature(signed, said))[1]
        head, signed_head = run("head is signed by the log of the member's node", lambda: self.silence_head(said))
        if not signed_head:
            return None
        said.origin, said.size = head
        node = self.judged.members[said.member].home_node
        witnessed, held = run("head is cosigned", lambda: cosigned(said.checkpoint, node, self.judged))
        if not held:
            return None
        self.heads[f"silence {number}: head is cosigned"] = witnessed
        holds &= run("is about what this file shows", lambda: self.relate_silence(said))[1]
        holds &= run("no answer in this file contradicts it", lambda: self.check_silence(said))[1]
        return said if holds else None

    def check_silence_signature(self, signed, said):
        member = self.judged.members.get(said.member)
        require(member is not None, "UnknownSender")
        with inside("SilenceSignature"):
            dsse.verify(signed, SILENCE_TYPE, roster.good_at(member.identity_keys, said.time_ms), 1)

    def silence_head(self, said):
        member = self.judged.members.get(said.member)
        require(member is not None, "UnknownLog")
        origin, keys = self.judged.log_for(member.home_node, said.checkpoint)
        at_ms = max(said.time_ms - envelope.CLOCK_SKEW_MS, 0)
        with inside("SilenceHead"):
            return origin, tlog.verify_checkpoint(said.checkpoint, origin, keys, at_ms)[0]

    def relate_silence(self, said):
        asked = self.asked(said)
        require(asked is not None and asked.sender == said.member, "Unrelated")
        require(all(one in asked.recipients for one in said.silent), "Unrelated")

    def check_silence(self, said):
        """EVD-10."""
        asked = self.asked(said)
        if asked is None:
            return
        for member in said.silent:
            for answer in self.answers(asked, member):
                for _, one in self.about(answer.id):
                    came = one.names(receipt.ACCEPTED, said.member) and self.had_come(one, said)
                    require(not came, "Contradicted")

    def had_come(self, one, said):
        """Before the head, or in what is kept of an earlier log of the same node."""
        if one.origin == said.origin:
            return one.index < said.size
        (_, node, epoch), (_, other, until) = map(tlog.parse_origin, (one.origin, said.origin))
        return node == other and epoch < until and one.index < self.judged.nodes[node].ended_logs[epoch - 1].kept

    def asked(self, said):
        """What a silence is about: to a forward nobody answers."""
        return next((one for one in self.own() if one.id == said.envelope_id), None)

    def shown(self):
        return [one for one in self.exhibits if one]

    def own(self):
        return [one for one in self.shown() if not one.forward]

    def about(self, envelope_id):
        placed = enumerate(self.receipts)
        return [(at, one) for at, one in placed if one and one.statement.envelope_id == envelope_id]

    def thread(self, asked):
        """Envelopes of the message, and of what its sender sent about it later, with their messages. EVD-8."""
        name = asked.sender, asked.message_id
        same = [one.id for one in self.own() if (one.sender, one.message_id) == name]
        further = {
            one.id: one.message_id for one in self.own()
            if one.sender == asked.sender and (one.sender, one.message_id) != name
            and one.core.in_reply_to in same and one.core.kind < envelope.PING
        }
        return same, further

    def answers(self, asked, member):
        same, further = self.thread(asked)
        return [
            one for one in self.own()
            if one.sender == member and (one.core.in_reply_to in same or one.core.in_reply_to in further)
            and one.core.kind < envelope.PING and asked.sender in one.recipients
            and not (asked.core.kind == REQUEST and one.core.kind == FEEDBACK)
        ]

    def rows(self):
        """EVD-7."""
        rows = []
        for at, one in enumerate(self.exhibits):
            if one:
                kind = "forward" if one.forward else KINDS[one.core.kind]
                rows.append((one.created_ms, 0, at, "written", [one.sender], "-", kind))
                if not one.forward and one.core.reply_by_ms:
                    rows.append((one.core.reply_by_ms, 0, at, "due", one.recipients, "-", "-"))
                rows.append((one.expires_ms, 0, at, "expires", one.recipients, "-", "-"))
        for at, one in enumerate(self.receipts):
            if one and one.statement.event <= receipt.ERASED:
                what, members, detail = stated(one)
                rows.append((one.time_ms, 1, at, what, members, one.statement.node, detail or "-"))
        for at, said in enumerate(self.silences):
            if said:
                detail = f"{said.member}, head {said.size}"
                rows.append((said.time_ms, 2, at, "silent", said.silent, "-", detail))
        part = ("exhibit", "receipt", "silence")
        rows.sort(key=lambda row: row[:3])
        return [f"{row[0]} {row[3]} {','.join(row[4])} {row[5]} {row[6]} {part[row[1]]} {row[2] + 1}" for row in rows]

    def clocks(self):
        """EVD-8."""
        lines, seen = [], set()
        for asked in self.own():
            name = asked.sender, asked.message_id
            if not asks(asked) or name in seen or self.is_further(asked):
                continue
            seen.add(name)
            lines += [self.clock(asked, member) for member in asked.recipients]
        return lines

    def is_further(self, asked):
        """Every second one of a chain of the asker's own is further to the one before."""
        further = False
        while asked := self.before(asked):
            further = not further
        return further

    def before(self, asked):
        return next((
            one for one in self.own()
            if one.id == asked.core.in_reply_to and one.sender == asked.sender
            and one.message_id != asked.message_id and asks(one)
        ), None)

    def clock(self, asked, member):
        same, further = self.thread(asked)

        def had(envelopes):
            return [one.time_ms for id_ in envelopes for _, one in self.about(id_)
                    if one.names(receipt.ACCEPTED, member)]

        received, due = min(had(same), default=None), asked.core.reply_by_ms
        answered = min(filter(None, (self.answered(asked, one) for one in self.answers(asked, member))), default=None)
        silent = max((one.time_ms for one in self.silences if one and one.member == asked.sender
                      and (one.envelope_id in same or one.envelope_id in further) and member in one.silent), default=None)
        end = answered if answered is not None else silent
        late = bool(due) and end is not None and end > due
        if answered is not None:
            state = "answered late" if late else "answered"
        elif received is None:
            state = "not received"
        elif silent is not None:
            state = "overdue" if late else "waiting"
        else:
            state = "open"
        elapsed = "-" if end is None or received is None else max(end - received, 0)
        overdue = "-" if end is None or not due else max(end - due, 0)
        came = {message for id_, message in further.items() if had([id_])}
        return (f"{asked.sender} asked {member}: {state}, elapsed {elapsed}, overdue {overdue}, "
                f"further {len(came)}")

    def answered(self, asked, answer):
        about = [one for _, one in self.about(answer.id)]
        came = [one.time_ms for one in about if one.names(receipt.ACCEPTED, asked.sender)]
        left = [one.time_ms for one in about if one.statement.event == receipt.SUBMITTED]
        return min(came or left, default=None)


def asks(exhibit):
    return exhibit.core.kind == REQUEST or exhibit.core.reply_by_ms != 0


def stated(one):
    statement = one.statement
    if statement.event == receipt.STAGE:
        return STAGES[one.stage.stage], statement.recipients, one.stage.outcome
    what = receipt.EVENTS[statement.event].lower()
    if statement.event in (receipt.SUBMITTED, receipt.FORWARDED):
        return what, [statement.sender], ""
    return what, statement.recipients, str(statement.code) if statement.code else ""


def judge(data, federation, root_sha256):
    bundle = parse(data)
    return Evidence(bundle, judge_roster(bundle, federation, root_sha256))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file")
    parser.add_argument("--root", required=True)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        pin = roster.pin_of_root(Path(arguments.root).read_bytes())
        found = judge(Path(arguments.file).read_bytes(), *pin)
    except (Refused, OSError) as cause:
        print(f"NOT VERIFIED: {cause}")
        return 20
    holds = found.checks.failure() is None
    told = found.rows() + found.clocks() if holds else []
    heads, said = found.heads, verdict(found)
    if arguments.json:
        checks = [{"name": name, "refused": refusal, "head": heads.get(name, (None,))[0]}
                  for name, refusal in found.checks.results]
        print(json.dumps({"v": 1, "verified": holds, "provisional": said == PROVISIONAL, "checks": checks,
                          "timeline": told}))
        return 0 if holds else 20
    for name, refusal in found.checks.results:
        print(row(name, refusal, *heads.get(name, ("final", ""))))
    print("\n".join(told))
    print(said)
    return 0 if holds else 20


def verdict(found):
    """RCP-18: what rests on a head that too few have cosigned is not called verified without that word."""
    if found.checks.failure() is not None:
        return "NOT VERIFIED"
    return PROVISIONAL if any(state == "provisional" for state, _ in found.heads.values()) else "VERIFIED"


def row(name, refusal, state, of):
    """A check with its outcome. That of a head is not ok where too few, or nobody at all, has cosigned it."""
    if refusal is not None:
        return f"FAILED       {name}: {refusal}"
    outcome = {"final": "ok", "provisional": "provisional"}.get(state, "not checked")
    return f"{outcome:<12} {name}{f': {of}' if of else ''}"


if __name__ == "__main__":
    sys.exit(main())
