"""Identifiers as they are compared. DCF-1 to DCF-3.

Names of other scripts are mapped here by NFKC and lower case alone, which is what UTS 46 does to all
letters but a few; the vectors hold none of those."""

import ipaddress
import re
import unicodedata
from datetime import datetime, timezone

import casework
from refused import Refused, require

BYTES_MAX = 4096
QUOTED = set('"()<>,;:\\[]')
TIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:[0-5]\d:[0-5]\d)(?:\.\d{1,9})?(Z|[+-]\d\d:[0-5]\d)", re.ASCII)
PLAIN = set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
KEPT = set(b"!$&'()*+,;=:@/?")


def unseen(c):
    return casework.HIDDEN.fullmatch(c) or c != " " and (c.isspace() or unicodedata.category(c) in ("Zs", "Zl", "Zp"))


def nfc(text):
    return unicodedata.normalize("NFC", text)


def nfkc(text):
    return unicodedata.normalize("NFKC", text)


def domain(name):
    name = name.removesuffix(".")
    labels = nfkc(nfkc(name).lower()).split(".")
    ascii_ = [one if one.isascii() else "xn--" + one.encode("punycode").decode() for one in labels]
    whole = all(re.fullmatch(r"(?!-)[a-z0-9_-]{1,63}(?<!-)", one) for one in ascii_)
    name = ".".join(ascii_)
    require(whole and len(ascii_) > 1 and len(name) <= 253 and re.search("[a-z]", ascii_[-1]), "Domain")
    return name


def email(address):
    local, at, host = address.partition("@")
    require(at and local and "@" not in host and not QUOTED & set(local), "Email")
    return nfc(nfc(local).lower()) + "@" + domain(host)


def phone(number):
    number = number.removeprefix("tel:").replace("(0)", "")
    number = "".join(c for c in number if c not in "-.()/")
    digits = number[1:] if number[:1] == "+" else number[2:] if number[:2] == "00" else ""
    require(re.fullmatch(r"[1-9][0-9]{6,14}", digits), "Phone")
    return "+" + digits


def named(name):
    whole = " " not in name and not any(map(unseen, name))
    require(whole and 1 <= len(name.encode()) <= 256, "Account")
    return name


def username(name):
    return named(nfkc(nfkc(name).lower()).lstrip("@"))


def ip(address):
    require("%" not in address, "Address")
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        raise Refused("Address") from None
    mapped = getattr(found, "ipv4_mapped", None)
    return str(mapped or found)


def port(number):
    require(re.fullmatch("[0-9]{1,5}", number) and 0 < int(number) < 65536, "Port")
    return str(int(number))


def hour(time):
    found = TIME.fullmatch(time)
    require(found, "Time")
    try:
        at = datetime.fromisoformat(f"{found[1]}T{found[2]}{found[3].replace('Z', '+00:00')}")
        return at.astimezone(timezone.utc).strftime("%Y-%m-%dT%H")
    except (ValueError, OverflowError):
        raise Refused("Time") from None


def onion(host):
    """The address alone: what stands before it goes."""
    *_, name, ending = ["", *host.split(".")]
    try:
        return casework.onion(f"{name}.{ending}")
    except Refused:
        raise Refused("Onion") from None


def hash_(name, value):
    algorithm = casework.ascii_lower(casework.algorithm_of(name))
    require(casework.is_algorithm(algorithm), "Algorithm")
    value = casework.hash_compared(algorithm, value)
    require(casework.has_form(algorithm, value), "Value")
    return f"{algorithm} {value}"


def url(text):
    scheme, separator, rest = text.partition("://")
    usual = {"http": 80, "https": 443}.get(scheme.lower())
    require(separator and usual and "\\" not in text, "Url")
    rest = rest.partition("#")[0]
    end = min([rest.find(mark) for mark in "/?" if mark in rest], default=len(rest))
    authority, rest = rest[:end], rest[end:]
    path, _, query = rest.partition("?")
    require("@" not in authority, "Url")
    found = re.fullmatch(r"(\[.*\]|[^:]*)(?::([0-9]*))?", authority)
    require(found, "Url")
    where = host(found[1])
    if found[2]:
        require(0 < int(found[2]) < 65536, "Url")
        where += "" if int(found[2]) == usual else f":{int(found[2])}"
    query = "?" + escaped(query) if query else ""
    return where + without_detours(escaped(path)) + query


def host(text):
    if text.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(text[1:-1])}]"
        except ValueError:
            raise Refused("Url") from None
    try:
        return str(ipaddress.IPv4Address(text))
    except ValueError:
        name = domain(text)
    if name.endswith(".onion"):
        onion(name)
    return name


def escaped(text):
    data, out, at = nfc(text).encode(), [], 0
    while at < len(data):
        byte, was = data[at], False
        at += 1
        if byte == 0x25:
            require(re.fullmatch(rb"[0-9a-fA-F]{2}", data[at:at + 2]), "Url")
            byte, was = int(data[at:at + 2], 16), True
            at += 2
        out.append(chr(byte) if byte in PLAIN or byte in KEPT and not was else f"%{byte:02X}")
    return "".join(out)


def without_detours(path):
    kept, segments = [], path.split("/")[1:]
    for place, segment in enumerate(segments):
        if segment in (".", ".."):
            if segment == ".." and kept:
                kept.pop()
            if place == len(segments) - 1:
                kept.append("")
        else:
            kept.append(segment)
    return "/" + "/".join(kept)


KINDS = {
    "email": {1: email},
    "account": {2: lambda service, id_: f"{domain(service)} {named(nfc(id_))}"},
    "username": {2: lambda service, name: f"{domain(service)} {username(name)}"},
    "ip": {2: lambda address, time: f"{ip(address)} - {hour(time)}",
           3: lambda address, number, time: f"{ip(address)} {port(number)} {hour(time)}"},
    "url": {1: url},
    "onion": {1: onion},
    "hash": {2: hash_},
}


def parse(text):
    require(len(text.encode()) <= BYTES_MAX, "TooLong")
    require(not any(map(unseen, text)), "Unseen")
    kind, *words = [word for word in text.split(" ") if word] or [""]
    if kind == "phone":
        require(words, "Words")
        rest = phone("".join(words))
    else:
        require(kind in KINDS, "Kind")
        require(len(words) in KINDS[kind], "Words")
        rest = KINDS[kind][len(words)](*words)
    found = f"{kind} {rest}"
    require(len(found.encode()) <= BYTES_MAX, "TooLong")
    return found


def is_normal(text):
    kind, _, rest = text.partition(" ")
    written = {
        "ip": [f"ip {rest.replace(' - ', ' ', 1)}:00:00Z"],
        "url": [f"url {scheme}://{rest}" for scheme in ("http", "https")],
    }
    return any(map(lambda one: parses_to(one, text), written.get(kind, [text])))


def parses_to(written, text):
    try:
        return parse(written) == text
    except Refused:
        return False
