"""Messages, books, epochs and claims of deconfliction. Chapter DCF."""

import hashlib
import hmac

import dsse
import identifier
import protobuf
import ristretto
from refused import Refused, require

TYPE_EPOCH = "application/vnd.frex.deconflict-epoch.v1+protobuf"
EPOCH_MS_MAX = 31 * 24 * 3600 * 1000
ROWS = [256 * 4**power for power in range(8)]
DESKS = [1, 4, 16, 64]

QUERY = {1: ("suite", "uint32"), 2: ("blinded", ["bytes"]), 3: ("books", ["bytes"])}
ANSWER = {
    1: ("query", "bytes"), 2: ("epoch", "bytes"), 3: ("evaluated", ["bytes"]), 4: ("proof", "bytes"),
    5: ("book", "bytes"), 6: ("refusal", "string"), 7: ("again_ms", "uint64"),
}
EPOCH = {
    1: ("federation", "string"), 2: ("member", "string"), 3: ("suite", "uint32"),
    4: ("begins_ms", "uint64"), 5: ("ends_ms", "uint64"), 6: ("public_key", "bytes"),
    7: ("book_sha256", "bytes"), 8: ("book_bytes", "uint64"),
}
DESK = {
    1: ("name", "string"), 2: ("email", "string"), 3: ("phone", "string"),
    4: ("languages", "string"), 5: ("hours", "string"), 6: ("note", "string"),
}
CONTACT = {
    1: ("query", "bytes"), 2: ("answer", "bytes"), 3: ("item", "uint32"),
    4: ("identifier", "string"), 5: ("blind", "bytes"), 6: ("desk", DESK),
    7: ("reference", "string"), 8: ("note", "string"),
}
MESSAGE = {1: ("query", QUERY), 2: ("answer", ANSWER), 3: ("contact", CONTACT), 15: ("padding", "bytes")}


def read_message(data):
    """DCF-4 to DCF-7."""
    message = protobuf.decode(MESSAGE, data)
    said = [name for name in ("query", "answer", "contact") if getattr(message, name) is not None]
    book = message.answer.book if said == ["answer"] else b""
    require(8191 <= len(data) - len(book) <= (8200 if book else 8192), "Length")
    require(said, "Malformed")
    judge = {"query": judge_query, "answer": judge_answer, "contact": judge_contact}[said[0]]
    return f"{said[0]} {judge(getattr(message, said[0]))}"


def judge_query(query):
    require(query.suite == 1, "Suite")
    require(1 <= len(query.blinded) <= 64, "Count")
    require(len(query.books) <= 4, "Field")
    require(all(len(one) == 32 for one in query.blinded + query.books), "Field")
    return len(query.blinded)


def judge_answer(answer):
    require(len(answer.query) == 32, "Field")
    if answer.refusal:
        require(not (answer.evaluated or answer.proof or answer.epoch or answer.book), "Field")
        code = answer.refusal
        letters = set("abcdefghijklmnopqrstuvwxyz0123456789-")
        require(len(code) <= 64 and set(code) <= letters, "Field")
        return code
    require(1 <= len(answer.evaluated) <= 64, "Count")
    require(all(len(one) == 32 for one in answer.evaluated), "Field")
    require(len(answer.proof) == 64 and answer.epoch, "Field")
    return len(answer.evaluated)


def judge_contact(contact):
    require(len(contact.query) == len(contact.answer) == len(contact.blind) == 32, "Field")
    require(contact.item < 64, "Field")
    return contact.item


def read_epoch(data, keys, federation, member):
    """DCF-15, DCF-16."""
    payload, _ = dsse.verify(dsse.decode(data), TYPE_EPOCH, keys, 1)
    epoch = protobuf.decode(EPOCH, payload)
    require(epoch.suite == 1, "Suite")
    require(0 < epoch.ends_ms - epoch.begins_ms <= EPOCH_MS_MAX, "Life")
    require(len(epoch.public_key) == len(epoch.book_sha256) == 32, "Malformed")
    require((epoch.member, epoch.federation) == (member, federation), "WrongMember")
    return epoch


class Book:
    """DCF-12 to DCF-14."""

    def __init__(self, data, sha256):
        require(hashlib.sha256(data).digest() == sha256, "Hash")
        require(len(data) >= 32 and data[:16] == b"frex-dcf-book-v1", "Shape")
        rows, desks = int.from_bytes(data[16:24], "big"), int.from_bytes(data[24:32], "big")
        require(rows in ROWS and desks in DESKS, "Class")
        require(len(data) == 32 + 512 * desks + 24 * rows, "Shape")
        start = 32 + 512 * desks
        self.lines = [data[at:at + 512] for at in range(32, start, 512)]
        self.rows = [data[at:at + 24] for at in range(start, len(data), 24)]
        require(self.rows == sorted(self.rows), "Order")

    def find(self, output):
        found = hashlib.sha256(b"frex/v1/deconflict-row\0" + output).digest()
        for row in self.rows:
            if row[:8] == found[:8]:
                key = bytes(a ^ b for a, b in zip(row[8:], found[8:24]))
                for line in self.lines:
                    desk = open_line(line, key)
                    if desk is not None:
                        return desk
        return None


def open_line(line, key):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    key = hmac.digest(key, b"frex/v1/deconflict-desk\0", "sha256")
    try:
        plain = AESGCM(key).decrypt(bytes(12), line, None)
    except InvalidTag:
        return None
    length = int.from_bytes(plain[:2], "big")
    if any(plain[2 + length:]):
        return None
    try:
        return protobuf.decode(DESK, plain[2:2 + length])
    except Refused:
        return None


def input_of(text):
    return b"frex/v1/deconflict-input\0" + text.encode()


def verify_claim(contact, query, answer, public_key):
    """DCF-21."""
    require(answer.query == contact.query, "OtherQuestion")
    require(not answer.refusal, "Refused")
    require(contact.item < len(query.blinded), "OtherQuestion")
    require(identifier.is_normal(contact.identifier), "NotNormal")
    number = ristretto.scalar(contact.blind)
    message = input_of(contact.identifier)
    require(ristretto.blind(message, number) == query.blinded[contact.item], "NotAsked")
    require(len(answer.evaluated) == len(query.blinded), "Count")
    ristretto.check_proof(public_key, query.blinded, answer.evaluated, answer.proof)
    return ristretto.output(message, number, answer.evaluated[contact.item])
