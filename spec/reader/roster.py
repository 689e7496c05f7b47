"""Judging a roster file from a pinned root. Chapter ROS. Needs nothing but Python."""

import hashlib
import ipaddress
import re
import unicodedata

import dsse
import mldsa
import protobuf
import tlog
from envelope import CLOCK_SKEW_MS, NAME
from refused import Refused, inside, require

ED25519, SEALING = 1, 3
SEALING_KEY_LABEL = b"frex/v1/hpke-key\0" + b"\x64\x7a"
LIVE, REVOKED = 1, 3
BUNDLE_BYTES_MAX, ROSTER_BYTES_MAX, SIGNED_BYTES_MAX = 16 << 20, 4 << 20, 64 << 10
ROOT_BYTES_MAX = 512 << 10
MEMBERS_MAX, KEYS_MAX, GOVERNANCE_KEYS_MAX, SIGNATURES_MAX = 4096, 16, 64, 128
EARLIER_ROOTS_MAX, REPORT_FIELDS_MAX, JURISDICTIONS_MAX = 64, 32, 256
WITNESSES_MAX, ENDED_LOGS_MAX = 32, 64
FRESHNESS_LIFE_MS_MAX = 604_800_000
ADDRESSES_MAX, ADDRESS_BYTES_MAX, NAME_BYTES_MAX = 16, 262, 256
COUNTRIES = set(
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR "
    "BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ "
    "EC EE EG EH ER ES ET EU FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU "
    "GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW "
    "KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU "
    "MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW "
    "PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF "
    "TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM UN US UY UZ VA VC VE VG VI VN VU WF WS XK YE "
    "YT ZA ZM ZW".split()
)
SMALL_ORDER_X25519 = {
    0, 1, 2**255 - 20,
    int.from_bytes(bytes.fromhex(
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"), "little"),
    int.from_bytes(bytes.fromhex(
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"), "little"),
}


def sha256(data):
    return hashlib.sha256(data).digest()


def admit_sealing(key):
    """KEY-1, KEY-6."""
    require(len(key) == 1216, "Length")
    u = int.from_bytes(key[1184:], "little")
    require(u < 2**255 - 19, "NotCanonical")
    require(u not in SMALL_ORDER_X25519, "Weak")
    packed = int.from_bytes(key[:1152], "little")
    reduced = all((packed >> (12 * at)) & 0xFFF < 3329 for at in range(768))
    require(reduced, "NotCanonical")


class Ledger:
    """Keys seen so far: each is admitted, and used once. ROS-5 to ROS-8."""

    def __init__(self):
        self.seen = set()

    def key(self, listed, algorithm, paired=False, heads=False):
        """`paired`: it signs objects, so it may have a companion; `heads`: likewise, heads. ROS-50, ROS-62."""
        require(listed.algorithm == algorithm, "KeyAlgorithm")
        require(paired or not listed.ml_dsa_65, "CompanionMisplaced")
        require(heads or not listed.ml_dsa_44, "CompanionMisplaced")
        require(listed.not_after_ms == 0 or listed.not_after_ms > listed.not_before_ms, "BadTimes")
        with inside("Key"):
            if algorithm == SEALING:
                admit_sealing(listed.key)
            elif listed.ml_dsa_44:
                dsse.admit(listed.key)
                mldsa.admit(listed.ml_dsa_44, mldsa.HEADS)
            else:
                dsse.admit(pair(listed))
        self.note(listed.key)
        if companion(listed):
            self.note(companion(listed))

    def keys(self, listed, algorithm, paired=False, heads=False):
        require(len(listed) <= KEYS_MAX, "TooLarge")
        for one in listed:
            self.key(one, algorithm, paired, heads)

    def note(self, key):
        require(key not in self.seen, "KeyReused")
        self.seen.add(key)


def pair(listed):
    """The key, followed by its companion if it has one."""
    require(len(listed.key) == 32, "Length")
    return listed.key + companion(listed)


def companion(listed):
    """The one companion that a key can have in its place, or nothing."""
    return listed.ml_dsa_65 or listed.ml_dsa_44


def pairs(listed):
    return [pair(one) for one in listed]


def good_at(listed, now_ms):
    return [
        pair(one) for one in listed
        if one.not_before_ms <= now_ms and (one.not_after_ms == 0 or now_ms < one.not_after_ms)
    ]


def read_signed(data, kind):
    bounds = {"roster": ROSTER_BYTES_MAX, "root": ROOT_BYTES_MAX}
    require(len(data) <= bounds.get(kind, SIGNED_BYTES_MAX), "TooLarge")
    signed = dsse.decode(data)
    require(len(signed.signatures) <= SIGNATURES_MAX, "TooLarge")
    require(signed.batch is None, "Malformed")
    require(signed.payload_type == dsse.TYPES[kind], "WrongType")
    return signed


def verify(signed, kind, keys, threshold):
    try:
        return dsse.verify(signed, dsse.TYPES[kind], keys, threshold)[1]
    except Refused as cause:
        named = cause.name in ("BadSignature", "HalfSigned")
        raise Refused(cause.name if named else "TooFewSignatures") from cause


def check_times(issued_ms, expires_ms, now_ms, expiry=True):
    require(expires_ms > issued_ms, "BadTimes")
    require(issued_ms <= now_ms + CLOCK_SKEW_MS, "FutureDated")
    require(not expiry or expires_ms > now_ms, "Expired")


def check_name(name):
    """ROS-11."""
    require(1 <= len(name.encode()) <= NAME_BYTES_MAX and name == name.strip(), "BadName")
    require(not any(is_deceptive(one) for one in name), "BadName")


def read_root(data):
    """ROS-2, ROS-25. The root, the keys it lists, and the signed object."""
    signed = read_signed(data, "root")
    root = protobuf.decode(protobuf.ROOT, signed.payload)
    require(NAME.fullmatch(root.federation), "BadId")
    require(root.version >= 1, "BadVersion")
    ledger = Ledger()
    for keys, threshold in (
        (root.root_keys, root.root_threshold), (root.roster_keys, root.roster_threshold)
    ):
        require(len(keys) <= GOVERNANCE_KEYS_MAX, "TooLarge")
        for one in keys:
            ledger.key(one, ED25519, paired=True)
        require(1 <= threshold <= len(keys), "BadThreshold")
    names = root.holders
    if names:
        require(len(names) == len(root.root_keys) == len(root.roster_keys), "BadHolders")
        require(len(set(names)) == len(names), "BadHolders")
    for name in names:
        check_name(name)
    verify(signed, "root", pairs(root.root_keys), root.root_threshold)
    return root, ledger, signed


def check_next_root(before, root, signed, now_ms):
    """ROS-22: `before` is the older root with its hash."""
    old, old_sha256 = before
    require(root.federation == old.federation, "WrongFederation")
    forked = root.version == old.version and sha256(signed.payload) != old_sha256
    require(not forked, "Forked")
    require(root.version >= old.version, "RolledBack")
    require(root.version == old.version + 1, "BadVersion")
    check_companions([*old.root_keys, *old.roster_keys], [*root.root_keys, *root.roster_keys])
    verify(signed, "root", good_at(old.root_keys, now_ms), old.root_threshold)


def root_in_force(bundle, federation, root_sha256, now_ms):
    """ROS-1, ROS-24: from the pinned root to the one in force; gives the chain of hashes too."""
    before, chain, found = None, [], None
    for data in [*bundle.earlier_roots, bundle.root]:
        root, ledger, signed = read_root(data)
        if before is not None:
            check_next_root(before, root, signed, now_ms)
        require(root.federation == federation, "WrongFederation")
        if before is not None or sha256(signed.payload) == root_sha256:
            before = root, sha256(signed.payload)
            chain.append(before[1])
            found = root, ledger
    require(found is not None, "WrongRoot")
    require(found[0].expires_ms > now_ms, "Expired")
    return found[0], found[1], chain


def check_header(roster, root, now_ms):
    """ROS-4, ROS-9, ROS-23."""
    require(roster.federation == root.federation, "WrongFederation")
    require(roster.version >= 1 and roster.root_version == root.version, "BadVersion")
    check_times(roster.issued_ms, roster.expires_ms, now_ms)
    require(not roster.critical, "UnknownCritical")
    require(len(roster.prev_sha256) == (0 if roster.version == 1 else 32), "BadChain")


def check_member(member, ledger):
    """ROS-11 to ROS-14, ROS-16, ROS-28."""
    require(NAME.fullmatch(member.id) and NAME.fullmatch(member.home_node), "BadId")
    check_name(member.name)
    require(member.country in COUNTRIES, "BadCountry")
    require(member.role in range(1, 7), "BadRole")
    require(member.identity_keys, "KeyMissing")
    require(member.status in range(1, 4), "BadStatus")
    ledger.keys(member.identity_keys, ED25519, paired=True)
    pairs = set()
    for one in member.accepts:
        require(one.kind in range(1, 9) and one.lanes, "BadAccepts")
        for lane in one.lanes:
            require(lane in range(1, 5) and (one.kind, lane) not in pairs, "BadAccepts")
            pairs.add((one.kind, lane))
    fields = member.report_fields
    require(len(fields) <= REPORT_FIELDS_MAX, "TooLarge")
    require(len(set(fields)) == len(fields), "BadProfile")
    step = "[a-z_]{1,32}"
    fits = (len(one) <= 128 and re.fullmatch(rf"{step}(\.{step})*", one) for one in fields)
    require(all(fits), "BadProfile")
    countries = member.jurisdictions
    require(len(countries) <= JURISDICTIONS_MAX, "TooLarge")
    require(len(set(countries)) == len(countries), "BadCountry")
    require(all(one in COUNTRIES for one in countries), "BadCountry")


def is_deceptive(one):
    ranges = ((0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0xFEFF, 0xFEFF))
    hides = any(low <= ord(one) <= high for low, high in ranges)
    return hides or unicodedata.category(one) == "Cc"


def check_ended_logs(node):
    """ROS-15, ROS-60."""
    ends = [one.not_after_ms for one in node.ended_logs]
    require(len(ends) <= ENDED_LOGS_MAX, "TooLarge")
    require(node.log_epoch == len(ends) + 1, "BadEpoch")
    require(all(before < end for before, end in zip([0, *ends], ends)), "BadTimes")


def check_node(node, ledger):
    """ROS-11, ROS-15, ROS-40, ROS-60, ROS-63."""
    require(NAME.fullmatch(node.id) and NAME.fullmatch(node.operator), "BadId")
    check_ended_logs(node)
    require(node.log_key is not None, "KeyMissing")
    earlier = [*node.earlier_log_keys, *node.earlier_witness_keys]
    require(all(one.not_after_ms for one in earlier), "EndMissing")
    if node.witness_key is not None:
        ledger.key(node.witness_key, ED25519, heads=True)
    require(node.status in range(1, 4), "BadStatus")
    ledger.key(node.log_key, ED25519, heads=True)
    ledger.keys(node.earlier_log_keys, ED25519, heads=True)
    ledger.keys(node.earlier_witness_keys, ED25519, heads=True)


def check_doc(data, federation, members, nodes, ledger, seen, now_ms):
    """ROS-17, ROS-18, ROS-36."""
    signed = read_signed(data, "memberdoc")
    doc = protobuf.decode(protobuf.MEMBER_DOC, signed.payload)
    require(doc.member in members, "UnknownMember")
    verify(signed, "memberdoc", pairs(members[doc.member].identity_keys), 1)
    require(doc.federation == federation, "WrongFederation")
    require(1 <= doc.version <= doc.issued_ms, "BadVersion")
    check_times(doc.issued_ms, doc.expires_ms, now_ms, expiry=False)
    require(doc.member not in seen, "Duplicate")
    seen[doc.member] = doc
    ledger.keys(doc.client_tls_keys, ED25519)
    ledger.keys(doc.sealing_keys, SEALING)
    check_retired(doc.retired_sealing_keys, doc.sealing_keys)
    require(len(doc.nodes) <= MEMBERS_MAX, "TooLarge")
    stated = set()
    for endpoint in doc.nodes:
        node = nodes.get(endpoint.node)
        require(node is not None and node.operator == doc.member, "NotOperator")
        require(endpoint.node not in stated, "Duplicate")
        stated.add(endpoint.node)
        require(len(endpoint.addresses) <= ADDRESSES_MAX, "TooLarge")
        require(all(is_host_port(one) for one in endpoint.addresses), "BadAddress")
        ledger.keys(endpoint.tls_keys, ED25519)


def check_retired(retired, listed):
    """ROS-34."""
    require(len(retired) <= KEYS_MAX, "TooLarge")
    ends = {sha256(SEALING_KEY_LABEL + one.key)[:16]: one.not_after_ms for one in listed}
    seen = set()
    for one in retired:
        require(len(one.key_id) == 16, "BadId")
        require(one.key_id not in seen, "Duplicate")
        seen.add(one.key_id)
        end = ends.get(one.key_id, one.from_ms)
        require(one.from_ms > 0 and 0 < end <= one.from_ms, "BadTimes")


def is_host_port(address):
    host, colon, port = address.rpartition(":")
    if not colon or len(address.encode()) > ADDRESS_BYTES_MAX:
        return False
    if not re.fullmatch("[0-9]+", port) or not 0 < int(port) < 65536:
        return False
    if host.startswith("["):
        try:
            return host.endswith("]") and bool(ipaddress.IPv6Address(host[1:-1]))
        except ValueError:
            return False
    label = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
    return all(label.fullmatch(one) for one in host.split("."))


def check_freshness(data, roster, roster_sha256, root, now_ms):
    """ROS-10."""
    signed = read_signed(data, "freshness")
    verify(signed, "freshness", good_at(root.roster_keys, now_ms), 1)
    stated = protobuf.decode(protobuf.FRESHNESS, signed.payload)
    require(stated.federation == root.federation, "WrongFederation")
    check_times(stated.issued_ms, stated.expires_ms, now_ms, expiry=False)
    require(stated.expires_ms - stated.issued_ms <= FRESHNESS_LIFE_MS_MAX, "BadTimes")
    require(stated.roster_version >= roster.version, "Stale")
    require(stated.roster_version == roster.version, "Superseded")
    require(stated.roster_sha256 == roster_sha256, "Forked")


def check_witnessing(witnessing, nodes):
    """ROS-52."""
    names = witnessing.nodes
    require(len(names) <= WITNESSES_MAX and len(set(names)) == len(names), "BadWitnessing")
    require(all(one in nodes and nodes[one].witness_key for one in names), "BadWitnessing")
    require(1 <= witnessing.quorum < len(names), "BadWitnessing")


class Roster:
    """A judged roster."""

    def __init__(self, data, federation, root_sha256, now_ms):
        require(len(data) <= BUNDLE_BYTES_MAX, "TooLarge")
        bundle = protobuf.decode(protobuf.ROSTER_BUNDLE, data)
        require(len(bundle.member_docs) <= MEMBERS_MAX, "TooLarge")
        require(len(bundle.earlier_roots) <= EARLIER_ROOTS_MAX, "TooLarge")
        root, ledger, self.chain = root_in_force(bundle, federation, root_sha256, now_ms)
        self.root = root
        signed = read_signed(bundle.roster, "roster")
        verify(signed, "roster", good_at(root.roster_keys, now_ms), root.roster_threshold)
        self.sha256 = sha256(signed.payload)
        self.listed = protobuf.decode(protobuf.ROSTER, signed.payload)
        require(len(self.listed.members) <= MEMBERS_MAX, "TooLarge")
        require(len(self.listed.nodes) <= MEMBERS_MAX, "TooLarge")
        check_header(self.listed, root, now_ms)
        self.members, self.nodes = {}, {}
        for member in self.listed.members:
            check_member(member, ledger)
            require(member.id not in self.members, "Duplicate")
            self.members[member.id] = member
        for node in self.listed.nodes:
            check_node(node, ledger)
            require(node.id not in self.nodes, "Duplicate")
            self.nodes[node.id] = node
        for member in self.listed.members:
            require(member.home_node in self.nodes, "UnknownHomeNode")
        for node in self.listed.nodes:
            require(node.operator in self.members, "UnknownOperator")
        if self.listed.witnessing is not None:
            check_witnessing(self.listed.witnessing, self.nodes)
        self.docs = {}
        for doc in bundle.member_docs:
            check_doc(doc, federation, self.members, self.nodes, ledger, self.docs, now_ms)
        if bundle.freshness:
            check_freshness(bundle.freshness, self.listed, sha256(signed.payload), root, now_ms)

    def succeeds(self, held):
        """ROS-21, ROS-24, ROS-27, ROS-41, ROS-42, ROS-61: whether this one replaces `held`, which may be the same."""
        ours, theirs = self.listed, held.listed
        require(self.root.version >= held.root.version, "RolledBack")
        require(held.chain[-1] in self.chain, "Forked")
        require(ours.version >= theirs.version, "RolledBack")
        if ours.version == theirs.version:
            require(self.sha256 == held.sha256, "Forked")
            return False
        at_once = ours.version == theirs.version + 1
        require(not at_once or ours.prev_sha256 == held.sha256, "BrokenChain")
        check_companions(signing_keys(theirs), signing_keys(ours))
        for old in theirs.members:
            new = self.members.get(old.id)
            require(new is not None, "EntryMissing")
            check_tombstone(old, new, lambda one: keys_of(one.identity_keys))
        for old in theirs.nodes:
            new = self.nodes.get(old.id)
            require(new is not None, "EntryMissing")
            check_tombstone(old, new, lambda one: (
                keys_of([one.log_key]), one.witness_key and keys_of([one.witness_key]),
                keys_of(one.earlier_log_keys), keys_of(one.earlier_witness_keys), one.operator, one.log_epoch,
                ended_of(one)))
        known = {node.id: node for node in theirs.nodes}
        for new in ours.nodes:
            check_log_keys(known.get(new.id), new, ours.version - theirs.version - 1)
        return True

    def log(self, node, epoch=None):
        """Origin and keys of a node's log, each with its end or 0. LOG-22, LOG-30.

        Of the log in force, or of the one of an epoch that the node has had.
        """
        entry = self.nodes[node]
        ended = {at: one.not_after_ms for at, one in enumerate(entry.ended_logs, 1)}
        epoch = epoch if epoch in ended else entry.log_epoch
        origin = f"frex/{self.listed.federation}/{entry.id}/log/{epoch}"
        listed = [entry.log_key, *entry.earlier_log_keys]
        ends = [[end for end in (one.not_after_ms, ended.get(epoch)) if end] for one in listed]
        return origin, [(pair(one), min(end, default=0)) for one, end in zip(listed, ends)]

    def log_for(self, node, checkpoint):
        """As `log`, of the log that a checkpoint names, if it is one of this node's. LOG-30."""
        origin = checkpoint.partition(b"\n")[0].decode(errors="replace")
        parts = tlog.parse_origin(origin)
        ours = parts and parts[:2] == (self.listed.federation, node)
        return self.log(node, parts[2] if ours else None)

    def witnesses(self, node):
        """Who cosigns the log of a node, by name and keys, and how many must; or None. WIT-1, WIT-24."""
        witnessing = self.listed.witnessing
        if witnessing is None:
            return None
        named = [one for one in witnessing.nodes if one != node]
        federation = self.listed.federation
        return [(f"frex/{federation}/{one}/witness/1", witness_keys(self.nodes[one])) for one in named], witnessing.quorum


def witness_keys(node):
    """The key in force and the earlier ones, each with its end or 0."""
    earlier = [(pair(one), one.not_after_ms) for one in node.earlier_witness_keys]
    return [(pair(node.witness_key), 0), *earlier]


def keys_of(listed):
    return [(one.algorithm, pair(one), one.not_before_ms, one.not_after_ms) for one in listed]


def ended_of(node):
    return [(one.not_after_ms, one.kept) for one in node.ended_logs]


def check_companions(held, listed):
    """ROS-51: a key keeps the companion it has, or none."""
    known = {one.key: companion(one) for one in held}
    for one in listed:
        require(known.get(one.key, companion(one)) == companion(one), "CompanionChanged")


def signing_keys(roster):
    """Every key of a roster that may have a companion."""
    keys = [one for member in roster.members for one in member.identity_keys]
    for node in roster.nodes:
        keys += [node.log_key, *([node.witness_key] if node.witness_key else [])]
        keys += [*node.earlier_log_keys, *node.earlier_witness_keys]
    return keys


def check_log_keys(old, new, unseen):
    """ROS-41, ROS-42, ROS-61: `unseen` rosters stand between the two."""
    listed = keys_of(new.earlier_log_keys)
    known = 0
    if old is not None:
        kept = ended_of(new)[:len(old.ended_logs)] == ended_of(old)
        require(kept and new.log_epoch >= old.log_epoch, "LogDropped")
        before = keys_of(old.earlier_log_keys)
        require(all(one in listed for one in before), "LogKeyDropped")
        changed = old.log_key.key != new.log_key.key
        require(not changed or old.log_key.key in [one[1] for one in listed], "LogKeyDropped")
        known = len(before) + changed
        unseen = unseen if changed else 0
    require(len(listed) - known <= unseen, "ForeignLogKey")


def check_tombstone(old, new, stays):
    """ROS-27."""
    if old.status == REVOKED:
        require(new.status == REVOKED, "Revived")
        require(stays(old) == stays(new), "TombstoneChanged")


def pin_of_root(data):
    """Federation and hash of a signed root that the caller trusts."""
    signed = read_signed(data, "root")
    return protobuf.decode(protobuf.ROOT, signed.payload).federation, sha256(signed.payload)
