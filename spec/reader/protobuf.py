"""Decoding of the messages of proto/schema/frex/v1, by WIR-6 and WIR-7."""

from refused import Refused

VARINT, FIXED64, BYTES, START, END, FIXED32 = range(6)
DEPTH_MAX = 100

# Field number -> (name, type). A type in a list repeats; a dict is a message; a type with `?` may be absent.
RECIPIENT = {1: ("member", "string"), 2: ("sealing_key_id", "bytes")}
CORE = {
    1: ("suite", "uint32"), 2: ("federation", "string"), 3: ("sender", "string"),
    4: ("recipients", [RECIPIENT]), 5: ("message_id", "bytes"), 6: ("conversation_id", "bytes"),
    7: ("sequence", "uint64"), 8: ("in_reply_to", "bytes"), 9: ("kind", "uint32"),
    10: ("lane", "uint32"), 11: ("created_ms", "uint64"), 12: ("expires_ms", "uint64"),
    13: ("reply_by_ms", "uint64"), 14: ("size_class", "uint32"),
    15: ("content_commitment", "bytes"), 16: ("critical", ["uint32"]),
}
ATTACHMENT = {1: ("root", "bytes"), 2: ("bytes", "uint64")}
MANIFEST = {
    1: ("core", "bytes"), 2: ("wrap_sha256", ["bytes"]), 3: ("body_sha256", "bytes"),
    4: ("body_len", "uint64"), 5: ("attachments", [ATTACHMENT]),
}
SIGNATURE = {1: ("key_id", "bytes"), 2: ("signature", "bytes")}
BATCH_PATH = {1: ("index", "uint32"), 2: ("size", "uint32"), 3: ("hashes", ["bytes"])}
SIGNED = {
    1: ("payload", "bytes"), 2: ("payload_type", "string"), 3: ("signatures", [SIGNATURE]),
    4: ("batch", BATCH_PATH),
}
WRAP = {1: ("recipient", "uint32"), 2: ("wrap", "bytes")}
ENVELOPE = {
    1: ("signed", "bytes"), 2: ("wraps", [WRAP]), 3: ("body", "bytes"), 4: ("forward", "bytes"),
}
FORWARD = {
    1: ("original", "bytes"), 2: ("federation", "string"), 3: ("sender", "string"),
    4: ("recipients", [RECIPIENT]), 5: ("wrap_sha256", ["bytes"]), 6: ("message_id", "bytes"),
    7: ("created_ms", "uint64"), 8: ("expires_ms", "uint64"),
}
ATTACHED_FILE = {
    1: ("name", "string"), 2: ("media_type", "string"), 3: ("bytes", "uint64"),
    4: ("sha256", "bytes"), 5: ("key", "bytes"),
}
CONTENT = {
    1: ("content_type", "string"), 2: ("data", "bytes"), 3: ("attachments", [ATTACHED_FILE]),
}
RECALL_NOTICE = {1: ("reason", "string"), 2: ("cause", "bytes")}
STATEMENT = {
    1: ("event", "uint32"), 2: ("envelope_id", "bytes"), 3: ("message_id", "bytes"),
    4: ("sender", "string"), 5: ("recipients", ["string"]), 6: ("node", "string"),
    7: ("code", "uint32"), 8: ("other_envelope_id", "bytes"), 9: ("member_statement", "bytes"),
    10: ("roster_version", "uint64"), 11: ("roster_sha256", "bytes"),
    12: ("checkpoints", ["bytes"]), 13: ("ground", "string"), 14: ("authority", "string"),
    15: ("erased", ["uint64"]), 16: ("ordered_by", "string"),
    19: ("ended_log", "bytes"), 20: ("seen_log", "bytes"),
}
STAGE_STATEMENT = {
    1: ("envelope_id", "bytes"), 2: ("federation", "string"), 3: ("member", "string"),
    4: ("stage", "uint32"), 5: ("time_ms", "uint64"), 6: ("outcome", "string"),
}
RECEIPT = {
    1: ("statement", "bytes"), 2: ("salt", "bytes"), 3: ("leaf", "bytes"), 4: ("index", "uint64"),
    5: ("hashes", ["bytes"]), 6: ("checkpoint", "bytes"),
}
PUBLIC_KEY = {
    1: ("algorithm", "uint32"), 2: ("key", "bytes"), 3: ("not_before_ms", "uint64"),
    4: ("not_after_ms", "uint64"), 5: ("ml_dsa_65", "bytes"),
    6: ("ml_dsa_44", "bytes"),
}
ROOT = {
    1: ("federation", "string"), 2: ("version", "uint64"), 3: ("expires_ms", "uint64"),
    4: ("root_keys", [PUBLIC_KEY]), 5: ("root_threshold", "uint32"),
    6: ("roster_keys", [PUBLIC_KEY]), 7: ("roster_threshold", "uint32"), 8: ("holders", ["string"]),
}
ACCEPTS = {1: ("kind", "uint32"), 2: ("lanes", ["uint32"])}
QUOTA = {1: ("envelopes_per_minute", "uint32"), 2: ("urgent_per_minute", "uint32")}
MEMBER = {
    1: ("id", "string"), 2: ("name", "string"), 3: ("role", "uint32"), 4: ("country", "string"),
    5: ("status", "uint32"), 6: ("home_node", "string"), 7: ("identity_keys", [PUBLIC_KEY]),
    8: ("accepts", [ACCEPTS]), 9: ("quota", QUOTA), 10: ("attachments", "bool"),
    11: ("report_fields", ["string"]), 12: ("jurisdictions", ["string"]),
}
ENDED_LOG = {1: ("not_after_ms", "uint64"), 2: ("kept", "uint64")}
NODE = {
    1: ("id", "string"), 2: ("operator", "string"), 3: ("status", "uint32"),
    4: ("log_key", PUBLIC_KEY), 5: ("log_epoch", "uint32"), 6: ("witness_key", PUBLIC_KEY),
    7: ("earlier_log_keys", [PUBLIC_KEY]), 8: ("ended_logs", [ENDED_LOG]),
    9: ("earlier_witness_keys", [PUBLIC_KEY]),
}
WITNESSING = {1: ("nodes", ["string"]), 2: ("quorum", "uint32")}
TRANSPORT = {1: ("allow_classical_key_exchange", "bool")}
ROSTER = {
    1: ("federation", "string"), 2: ("version", "uint64"), 3: ("prev_sha256", "bytes"),
    4: ("root_version", "uint64"), 5: ("issued_ms", "uint64"), 6: ("expires_ms", "uint64"),
    7: ("members", [MEMBER]), 8: ("nodes", [NODE]), 9: ("transport", TRANSPORT),
    10: ("critical", ["uint32"]), 11: ("witnessing", WITNESSING),
}
RETIRED_KEY = {1: ("key_id", "bytes"), 2: ("from_ms", "uint64")}
NODE_ENDPOINT = {
    1: ("node", "string"), 2: ("addresses", ["string"]), 3: ("tls_keys", [PUBLIC_KEY]),
}
MEMBER_DOC = {
    1: ("federation", "string"), 2: ("member", "string"), 3: ("version", "uint64"),
    4: ("issued_ms", "uint64"), 5: ("expires_ms", "uint64"),
    6: ("client_tls_keys", [PUBLIC_KEY]), 7: ("sealing_keys", [PUBLIC_KEY]),
    8: ("nodes", [NODE_ENDPOINT]), 9: ("retired_sealing_keys", [RETIRED_KEY]),
}
FRESHNESS = {
    1: ("federation", "string"), 2: ("roster_version", "uint64"), 3: ("roster_sha256", "bytes"),
    4: ("issued_ms", "uint64"), 5: ("expires_ms", "uint64"),
}
ROSTER_BUNDLE = {
    1: ("root", "bytes"), 2: ("roster", "bytes"), 3: ("member_docs", ["bytes"]),
    4: ("freshness", "bytes"), 5: ("earlier_roots", ["bytes"]),
}
EXHIBIT = {1: ("signed", "bytes"), 2: ("content", "bytes"), 3: ("salt", "bytes")}
EVIDENCE = {
    1: ("roster", "bytes"), 2: ("exhibits", [EXHIBIT]), 3: ("receipts", [RECEIPT]),
    4: ("silences", ["bytes"]),
}
SILENCE = {
    1: ("federation", "string"), 2: ("member", "string"), 3: ("envelope_id", "bytes"),
    4: ("silent", ["string"]), 5: ("checkpoint", "bytes"), 6: ("time_ms", "uint64"),
}
INVITATION = {
    1: ("federation", "string"), 2: ("root_sha256", "bytes"), 3: ("member", "string"),
    4: ("address", "string"), 5: ("listener_key", "bytes"), 6: ("secret", "bytes"),
    7: ("expires_ms", "uint64"),
}

PLACE = {1: ("axis", "string"), 2: ("value", "string")}
LOG_RANGE = {
    1: ("origin", "string"), 2: ("first", "uint64"), 3: ("end", "uint64"), 4: ("checkpoint", "bytes"),
}
CONTROL = {
    1: ("threshold", "uint32"), 2: ("base", "uint32"), 3: ("noise_max", "uint32"),
    4: ("exact_from", "uint64"), 5: ("noise_key_id", "bytes"),
}
STATISTICS_ROW = {
    1: ("at", [PLACE]), 2: ("reports", "uint64?"), 3: ("incidents", "uint64?"),
    4: ("accounts", "uint64?"), 5: ("items", "uint64?"), 6: ("accepted_tenths", "uint32?"),
    7: ("opened_tenths", "uint32?"), 8: ("acted_tenths", "uint32?"),
    9: ("overdue_percent", "uint32?"), 10: ("shelved_percent", "uint32?"),
}
STATISTICS_TABLE = {
    1: ("federation", "string"), 2: ("member", "string"), 3: ("definition_id", "string"),
    4: ("definition_version", "uint32"), 5: ("definition_sha256", "bytes"),
    6: ("first_month", "string"), 7: ("last_month", "string"), 8: ("zone", "string"),
    9: ("as_of_ms", "uint64"), 10: ("revision", "uint32"), 11: ("supersedes", "bytes"),
    12: ("range", LOG_RANGE), 13: ("records_sha256", "bytes"), 14: ("control", CONTROL),
    15: ("axes", [{1: ("axis", "string"), 2: ("values", ["string"])}]),
    16: ("crossings", [{1: ("first", "string"), 2: ("second", "string"), 3: ("withdrawn", "bool")}]),
    17: ("rows", [STATISTICS_ROW]),
}
STATISTICS_MESSAGE = {1: ("table", "bytes?")}

DEFAULTS = {"uint32?": None, "uint64?": None, "bytes?": None, "uint32": 0, "uint64": 0, "bool": False, "string": "", "bytes": b""}


class Message:
    """The fields of one message as attributes."""


def decode(schema, data, fault="Malformed"):
    """The message that `data` holds, or a refusal under the name `fault`."""
    try:
        return _message(schema, data, 0, None)
    except (ValueError, IndexError) as cause:
        raise Refused(fault) from cause


def _message(schema, data, depth, message):
    if depth > DEPTH_MAX:
        raise ValueError("nested too deep")
    if message is None:
        message = Message()
        for name, kind in schema.values():
            empty = [] if isinstance(kind, list) else DEFAULTS[kind] if isinstance(kind, str) else None
            setattr(message, name, empty)
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, wire = key >> 3, key & 7
        if number == 0 or key > 0xFFFFFFFF:
            raise ValueError("no such field")
        if number not in schema:
            at = _skip(data, at, number, wire, depth)
            continue
        at = _field(message, *schema[number], data, at, wire, depth)
    return message


def _field(message, name, kind, data, at, wire, depth):
    repeated = isinstance(kind, list)
    kind = kind[0] if repeated else kind
    kind = kind.rstrip("?") if isinstance(kind, str) else kind
    values = []
    if kind in ("uint32", "uint64", "bool"):
        if repeated and wire == BYTES:
            packed, at = _bytes(data, at)
            inner = 0
            while inner < len(packed):
                value, inner = _varint(packed, inner)
                values.append(_number(kind, value))
        elif wire == VARINT:
            value, at = _varint(data, at)
            values.append(_number(kind, value))
        else:
            raise ValueError("wire type")
    elif wire != BYTES:
        raise ValueError("wire type")
    else:
        value, at = _bytes(data, at)
        if kind == "string":
            value = value.decode("utf-8")
        elif kind != "bytes":
            before = None if repeated else getattr(message, name)
            value = _message(kind, value, depth + 1, before)
        values.append(value)
    if repeated:
        getattr(message, name).extend(values)
    else:
        setattr(message, name, values[-1])
    return at


def _number(kind, value):
    return bool(value) if kind == "bool" else value & 0xFFFFFFFF if kind == "uint32" else value


def _varint(data, at):
    value = 0
    for place in range(10):
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            if value >= 1 << 64:
                raise ValueError("number too large")
            return value, at
    raise ValueError("number too long")


def _bytes(data, at):
    length, at = _varint(data, at)
    if length > len(data) - at:
        raise ValueError("cut off")
    return data[at : at + length], at + length


def _skip(data, at, number, wire, depth):
    if wire == VARINT:
        return _varint(data, at)[1]
    if wire == BYTES:
        return _bytes(data, at)[1]
    if wire in (FIXED32, FIXED64):
        at += 4 if wire == FIXED32 else 8
        if at > len(data):
            raise ValueError("cut off")
        return at
    if wire != START or depth >= DEPTH_MAX:
        raise ValueError("wire type")
    while True:
        key, at = _varint(data, at)
        if key & 7 == END:
            if key >> 3 != number:
                raise ValueError("group ends another")
            return at
        at = _skip(data, at, key >> 3, key & 7, depth + 1)
