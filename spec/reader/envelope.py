"""The envelope: judging it without a secret, and opening it. Chapter ENV."""

import hashlib
import hmac
import re

import attachment
import dsse
import protobuf
from refused import Refused, inside, require

NAME = re.compile(r"[a-z0-9.-]{1,64}")
CONTENT_TYPE = re.compile(r"[ -~]{1,128}")
RECIPIENTS_MAX = 64
SIGNED_BYTES_MAX = 64 * 1024
BODY_BYTES_MAX = 1_200_000
BODY_BYTES_MIN = 24 + 32 + 40 + 16
CONTENT_BYTES_MAX = 1024 * 1024 + 4096
CLOCK_SKEW_MS = 10 * 60 * 1000
LIFE_MS_MAX = 31 * 24 * 60 * 60 * 1000
SINGLE_BYTES = 1168
SHARED_BYTES = 1169
CHUNK = 16 * 1024
PING, RECALL = 7, 8  # kinds
RECALL_TYPE = "application/vnd.frex.recall.v1+protobuf"
REASON = re.compile(r"[a-z0-9._-]{1,64}")
CONTROL = 4  # lane


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def prefixed(data):
    return len(data).to_bytes(2, "big") + data


def padded(length):
    """Padmé. ENV-14."""
    exponent = length.bit_length() - 1
    mask = (1 << max(0, exponent - exponent.bit_length())) - 1
    return (length + mask) & ~mask


class Parsed:
    """An envelope of the right shape."""

    def __init__(self, envelope):
        """ENV-1 to ENV-10, ENV-26."""
        require(len(envelope.body) <= BODY_BYTES_MAX, "TooLarge")
        self.read_signed(envelope.signed)
        require(not envelope.forward, "Malformed")
        self.wraps = judge_wraps(envelope.wraps, len(self.core.recipients))

    def read_signed(self, data):
        self.signed = decode_signed(data, dsse.TYPES["manifest"])
        self.manifest = protobuf.decode(protobuf.MANIFEST, self.signed.payload)
        self.core = protobuf.decode(protobuf.CORE, self.manifest.core)
        judge_core(self.core)
        judge_manifest(self.manifest, self.core)
        attachment.judge_listed(self.manifest.attachments)
        self.id = sha256(b"frex/v1/manifest\0", self.signed.payload)
        self.core_hash = sha256(b"frex/v1/core\0", self.manifest.core)


def decode_signed(data, payload_type):
    require(len(data) <= SIGNED_BYTES_MAX, "TooLarge")
    signed = dsse.decode(data)
    require(signed.payload_type == payload_type, "PayloadType")
    return signed


def judge_core(core):
    require(core.suite == 1, "Suite")
    require(not core.critical, "Critical")
    require(NAME.fullmatch(core.federation) and NAME.fullmatch(core.sender), "Name")
    require(core.expires_ms > core.created_ms, "TimeOrder")
    require(core.reply_by_ms == 0 or core.reply_by_ms > core.created_ms, "TimeOrder")
    require(core.kind in range(1, 9) and core.lane in range(1, 5), "KindOrLane")
    require(core.kind not in (PING, RECALL) or core.lane == CONTROL, "KindOrLane")
    judge_recipients(core.recipients)
    require(len(core.message_id) == 16, "Malformed")
    require(len(core.conversation_id) in (0, 16), "Malformed")
    require(core.conversation_id or core.sequence == 0, "Malformed")
    require(len(core.in_reply_to) in (0, 32), "Malformed")
    require(len(core.content_commitment) == 32, "Malformed")
    named = core.in_reply_to and core.conversation_id and core.sequence == 0
    require(core.kind != RECALL or named, "Recall")


def judge_recipients(recipients):
    require(1 <= len(recipients) <= RECIPIENTS_MAX, "RecipientCount")
    for one in recipients:
        require(NAME.fullmatch(one.member), "Name")
        require(len(one.sealing_key_id) == 16, "Malformed")
    require(len({one.member for one in recipients}) == len(recipients), "RecipientTwice")


def judge_manifest(manifest, core):
    judge_wrap_hashes(manifest.wrap_sha256, len(core.recipients))
    require(len(manifest.body_sha256) == 32, "Malformed")
    require(manifest.body_len <= BODY_BYTES_MAX, "TooLarge")
    require(manifest.body_len >= BODY_BYTES_MIN, "SizeClass")
    require(core.size_class == (manifest.body_len - 1).bit_length(), "SizeClass")


def judge_wrap_hashes(hashes, recipients):
    require(len(hashes) == recipients, "WrapCount")
    require(all(len(one) == 32 for one in hashes), "Malformed")


def judge_wraps(wraps, recipients):
    judged = {}
    for one in wraps:
        require(one.recipient < recipients and one.recipient not in judged, "WrapShape")
        require(len(one.wrap) in (SINGLE_BYTES, SHARED_BYTES), "WrapShape")
        judged[one.recipient] = one.wrap
    return judged


def verify(parsed, sender_keys):
    """ENV-19."""
    check_wraps(parsed.wraps, parsed.manifest.wrap_sha256)
    check_signature(parsed.signed, "manifest", sender_keys)


def check_wraps(wraps, hashes):
    for index, wrap in wraps.items():
        require(hashes[index] == sha256(b"frex/v1/wrap-hash\0", wrap), "WrapMismatch")


def check_signature(signed, kind, keys):
    with inside("Signature"):
        dsse.verify(signed, dsse.TYPES[kind], keys, 1)


def check_body(parsed, body):
    """ENV-20."""
    require(len(body) == parsed.manifest.body_len, "BodyLength")
    require(sha256(body) == parsed.manifest.body_sha256, "BodyMismatch")


def check_times(created_ms, expires_ms, now_ms):
    """ENV-21."""
    require(expires_ms - created_ms <= LIFE_MS_MAX, "LifeTooLong")
    require(created_ms <= now_ms + CLOCK_SKEW_MS, "FutureDated")
    require(expires_ms > now_ms, "Expired")


class Forward:
    """A forward of the right shape, with its original. ENV-23 to ENV-25."""

    def __init__(self, envelope):
        require(len(envelope.body) <= BODY_BYTES_MAX, "TooLarge")
        self.signed = decode_signed(envelope.forward, dsse.TYPES["forward"])
        require(not envelope.signed, "Malformed")
        self.manifest = protobuf.decode(protobuf.FORWARD, self.signed.payload)
        self.original = Parsed.__new__(Parsed)
        self.original.read_signed(self.manifest.original)
        self.original.wraps = {}
        core = self.original.core
        require(core.kind not in (PING, RECALL), "KindOrLane")
        require(NAME.fullmatch(self.manifest.sender), "Name")
        require(self.manifest.federation == core.federation, "WrongFederation")
        require(self.manifest.expires_ms > self.manifest.created_ms, "TimeOrder")
        recipients = self.manifest.recipients
        judge_recipients(recipients)
        judge_wrap_hashes(self.manifest.wrap_sha256, len(recipients))
        self.wraps = judge_wraps(envelope.wraps, len(recipients))
        require(all(len(one) == SINGLE_BYTES for one in self.wraps.values()), "WrapShape")
        require(len(self.manifest.message_id) == 16, "Malformed")

    def verify(self, forwarder_keys, author_keys):
        check_wraps(self.wraps, self.manifest.wrap_sha256)
        check_signature(self.signed, "forward", forwarder_keys)
        verify(self.original, author_keys)

    def open(self, body, member, keys):
        index, entry, key, wrap = find(self.manifest.recipients, self.wraps, member, keys)
        info = b"frex/v1/wrap-forward\0" + self.original.core_hash + index.to_bytes(4, "big")
        for part in (self.manifest.federation, self.manifest.sender, member):
            info += prefixed(part.encode())
        info += prefixed(entry.sealing_key_id) + self.manifest.message_id
        return open_body(self.original, body, open_single(key, info, wrap))


def read_recall(content_type, data):
    """The reason, and the author's recall that it follows, whose signature is yet to be judged.
    RCL-6, RCL-18."""
    require(content_type == RECALL_TYPE, "Malformed")
    notice = protobuf.decode(protobuf.RECALL_NOTICE, data)
    require(REASON.fullmatch(notice.reason), "Reason")
    if not notice.cause:
        return notice.reason, None
    cause = Parsed.__new__(Parsed)
    try:
        cause.read_signed(notice.cause)
    except Refused:
        raise Refused("Cause") from None
    require(cause.core.kind == RECALL, "Cause")
    cause.wraps = {}
    return notice.reason, cause


def find(recipients, wraps, member, keys):
    """Position, entry, secret key and wrap of a recipient."""
    found = [(at, one) for at, one in enumerate(recipients) if one.member == member]
    require(found, "NotARecipient")
    index, entry = found[0]
    matching = [key for key in keys if key.key_id() == entry.sealing_key_id]
    require(matching, "NoKey")
    require(index in wraps, "NoWrap")
    return index, entry, matching[0], wraps[index]


def open_envelope(parsed, body, member, keys):
    """Content type, data, salt and content key of a verified envelope."""
    core = parsed.core
    index, entry, key, wrap = find(core.recipients, parsed.wraps, member, keys)
    position = index.to_bytes(4, "big")
    if len(wrap) == SHARED_BYTES:
        info = b"frex/v1/wrap-shared\0"
        for part in (core.federation, core.sender, member):
            info += prefixed(part.encode())
        content_key = open_shared(key, info + prefixed(entry.sealing_key_id),
                                  b"frex/v1/wrap-key\0" + parsed.core_hash + position, wrap)
    else:
        info = b"frex/v1/wrap\0" + parsed.core_hash + position
        info += prefixed(member.encode()) + prefixed(entry.sealing_key_id)
        content_key = open_single(key, info, wrap)
    return open_body(parsed, body, content_key)


def open_single(key, info, wrap):
    """ENV-17."""
    from hpke import ENCAPPED_BYTES, Context

    content_key = Context(key, wrap[:ENCAPPED_BYTES], info).open_first(wrap[ENCAPPED_BYTES:])
    require(content_key is not None, "Wrap")
    return content_key


def open_shared(key, info, exporter_context, wrap):
    """ENV-18."""
    from hpke import ENCAPPED_BYTES, Context

    require(wrap[0] == 2, "Wrap")
    context = Context(key, wrap[1 : 1 + ENCAPPED_BYTES], info)
    wrap_key = context.export(exporter_context, 32)
    content_key = aes_gcm_open(wrap_key, bytes(12), wrap[1 + ENCAPPED_BYTES :])
    require(content_key is not None, "Wrap")
    return content_key


def aes_gcm_open(key, nonce, sealed):
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    try:
        return AESGCM(key).decrypt(nonce, sealed, b"")
    except InvalidTag:
        return None


def body_keys(content_key, core_hash, stream_salt):
    """Key, base nonce and commitment. ENV-13."""
    from hpke import hkdf_expand

    info = b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM\0" + stream_salt
    output = hkdf_expand("sha512", content_key, info + b"frex/v1/body\0" + core_hash, 76)
    return output[:32], output[32:44], output[44:]


def open_body(parsed, body, content_key):
    require(len(body) == parsed.manifest.body_len, "BodyLength")
    key, base_nonce, commitment = body_keys(content_key, parsed.core_hash, body[:24])
    require(hmac.compare_digest(commitment, body[24:56]), "Commitment")
    chunks = body[56:]
    require(len(chunks) % (CHUNK + 16) >= 16, "BodyLength")
    inner = b""
    for index in range(len(chunks) // (CHUNK + 16) + 1):
        nonce = (int.from_bytes(base_nonce, "big") ^ index).to_bytes(12, "big")
        piece = aes_gcm_open(key, nonce, chunks[index * (CHUNK + 16) :][: CHUNK + 16])
        require(piece is not None, "Chunk")
        inner += piece
    salt, content = unpad(inner)
    found = hmac.digest(salt, b"frex/v1/content\0" + content, "sha256")
    require(hmac.compare_digest(found, parsed.core.content_commitment), "ContentCommitment")
    require(len(content) <= CONTENT_BYTES_MAX, "Content")
    message = protobuf.decode(protobuf.CONTENT, content, "Content")
    require(CONTENT_TYPE.fullmatch(message.content_type), "Content")
    attachment.judge_described(parsed.manifest.attachments, message.attachments)
    return message.content_type, message.data, salt, content_key


def unpad(inner):
    """ENV-14."""
    require(len(inner) >= 40, "Padding")
    length = int.from_bytes(inner[32:40], "big")
    require(length <= len(inner) - 40 and padded(40 + length) == len(inner), "Padding")
    require(not any(inner[40 + length :]), "Padding")
    return inner[:32], inner[40 : 40 + length]
