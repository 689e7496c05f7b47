"""Reading an invitation. Chapter JOI. Needs nothing but Python."""

import base64
import binascii
import hashlib

import ed25519
import protobuf
from envelope import NAME
from refused import Refused, require
from roster import is_host_port

INVITATION_BYTES_MAX = 1024
PREFIX = "FREX-JOIN:"
VERSION = 1
CHECK_BYTES = 4


def capitals(text):
    """ASCII letters as capitals, without the spaces and line ends that a mail puts in. JOI-2."""
    kept = (char for char in text if char not in " \t\r\n")
    return "".join(chr(ord(char) - 32) if "a" <= char <= "z" else char for char in kept)


def unpack(letters):
    """Base32 without padding, of which there is one way to write the same bytes."""
    try:
        data = base64.b32decode(letters + "=" * (-len(letters) % 8))
    except (binascii.Error, ValueError) as error:
        raise Refused("Damaged") from error
    again = base64.b32encode(data).decode("ascii").rstrip("=")
    require(again == letters, "Damaged")
    return data


def read_invitation(text):
    """The parts of an invitation. JOI-2."""
    require(len(text.encode()) <= INVITATION_BYTES_MAX, "TooLong")
    letters = capitals(text)
    require(letters.startswith(PREFIX), "NotOne")
    data = unpack(letters[len(PREFIX):])
    require(len(data) >= CHECK_BYTES, "Damaged")
    body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
    require(hashlib.sha256(body).digest()[:CHECK_BYTES] == check, "Damaged")
    require(body[:1] == bytes([VERSION]), "Version")
    message = protobuf.decode(protobuf.INVITATION, body[1:])
    require(NAME.fullmatch(message.federation), "Malformed")
    require(NAME.fullmatch(message.member), "Malformed")
    try:
        ed25519.admit(message.listener_key)
    except Refused as error:
        raise Refused("Malformed") from error
    require(is_host_port(message.address), "Malformed")
    require(len(message.root_sha256) == 32 and len(message.secret) == 16, "Malformed")
    return message
