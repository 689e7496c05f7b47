"""What a report says, whether that is enough, and whether it was said before. RTE-1 to RTE-8.

The table is data that everybody reads: client/schema/quality.v1.json."""

import json
import re
from pathlib import Path

from refused import require

SCHEMA = Path(__file__).resolve().parents[2] / "client" / "schema"


def table(name):
    return json.loads((SCHEMA / name).read_text())


QUALITY = table("quality.v1.json")
FIRST_NAMES = {"categories": ["classifications"], "urls": ["hosting", "channels"], "hashes": ["items"],
               "subjects": ["reported", "recipients", "victims"]}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


# Paths: RTE-1.

def each(view, path):
    if isinstance(view, list):
        for entry in view:
            yield from each(entry, path)
        return
    name, dot, rest = path.partition(".")
    if not isinstance(view, dict) or name not in view:
        return
    if dot:
        yield from each(view[name], rest)
    else:
        yield view[name]


def each_entry(view, path):
    for value in each(view, path):
        yield from value if isinstance(value, list) else [value]


def says(value):
    if value is None:
        return False
    if isinstance(value, str):
        return bool(value.strip())
    return bool(value) if isinstance(value, (list, dict)) else True


def is_said(view, path):
    return any(says(value) for value in each(view, path))


def text(one, name):
    value = one.get(name) if isinstance(one, dict) else None
    return (value.strip() or None) if isinstance(value, str) else None


# Scores: RTE-2 to RTE-5.

def declared(view):
    states = {}
    for one in each_entry(view, "field_states"):
        path = ".".join(step.split("[")[0] for step in one["path"].split("."))
        states.setdefault(path, one["state"])
    return states


def is_there(view, path, entry):
    if not entry.get("with"):
        return is_said(view, path)
    return any(all(is_said(one, name) for name in entry["with"]) for one in each_entry(view, path))


def count(view, profile, entries, states):
    said = whole = 0
    reasons = []
    for entry in entries:
        at = next((path for path in entry["paths"] if is_there(view, path, entry)), None)
        named = [states[path] for path in entry["paths"] if states.get(path) in QUALITY["declared"]]
        reason = {"code": entry["code"], "field": at or entry["paths"][0], "weight": entry["weight"],
                  "state": "missing" if at is None else "said", "text": entry["text"]}
        if named and at is None:
            reason["declared"] = named[0]
        else:
            whole += entry["weight"]
        said += entry["weight"] if at is not None else 0
        reasons.append(reason)
    return {"score": said * 100 // whole if whole else 0, "profile": profile, "reasons": reasons}


def score_report(inputs):
    view = inputs["report"]
    kind = next(iter(each(view, "incident.type")), None)
    profile = QUALITY["types"].get(kind, "any")
    return canonical({
        "table": f"{QUALITY['id']} {QUALITY['version']}",
        "completeness": count(view, profile, QUALITY["completeness"][profile], declared(view)),
        "actionability": count(view, "actionability", QUALITY["actionability"], {}),
    })


def missing_fields(inputs):
    names = FIRST_NAMES if inputs["version"] == 2 else {}
    lacks = [one for one in inputs["needed"]
             if not any(is_said(inputs["report"], name) for name in names.get(one, [one]))]
    require(not lacks, f"Lacks({' '.join(lacks)})")
    return ""


# Likeness: RTE-7, RTE-8.

def number(value, code):
    plain, code = (re.sub("[^0-9]", "", one) for one in (value, code))
    if value.startswith("+"):
        return plain
    return plain[2:] if plain.startswith("00") else code + plain


def email_tokens(entries):
    return {f"email {lower(text(one, 'value'))}" for one in entries if text(one, "value")}


def phone_tokens(entries):
    found = set()
    for one in entries:
        if text(one, "value"):
            digits = number(text(one, "value"), text(one, "country_calling_code") or "")
            found |= {f"phone {digits}"} if len(digits) >= 5 else set()
    return found


def ip_tokens(entries):
    return {f"ip {lower(text(one, 'ip_address'))}|{one.get('port', 0)}|{(text(one, 'at') or '')[:13]}"
            for one in entries if text(one, "ip_address")}


def payment_tokens(entries):
    return {f"payment {lower(text(one, 'provider') or '')}|{text(one, 'account')}"
            for one in entries if text(one, "account")}


def url_tokens(values):
    found = set()
    for url in values:
        url = url.strip()
        rest = url.split("://", 1)[1] if "://" in url else url
        rest = rest.split("#")[0]
        host = re.match("[^/?]*", rest)[0]
        whole = (lower(host) + rest[len(host):]).removesuffix("/")
        found |= {f"url {whole}"} if whole else set()
    return found


def account_tokens(account):
    service = lower(text(account, "esp_service") or "")
    found = set()
    if text(account, "esp_identifier"):
        found.add(f"account {service}|{text(account, 'esp_identifier')}")
    if text(account, "screen_name"):
        found.add(f"name {service}|{lower(text(account, 'screen_name'))}")
    for device in each_entry(account, "devices"):
        if text(device, "id_type") and text(device, "id_value"):
            found.add(f"device {lower(text(device, 'id_type'))}|{text(device, 'id_value')}")
    found |= email_tokens(each_entry(account, "emails")) | phone_tokens(each_entry(account, "phones"))
    return found | url_tokens(each_entry(account, "profile_urls")) | ip_tokens(each_entry(account, "ip_events"))


def tokens(view):
    found = set()
    for role in ("reported", "recipients", "victims"):
        for party in each_entry(view, role):
            found |= account_tokens(party)
            for account in each_entry(party, "associated_accounts"):
                found |= account_tokens(account)
            found |= email_tokens(each_entry(party, "person.emails"))
            found |= phone_tokens(each_entry(party, "person.phones"))
            found |= payment_tokens(each_entry(party, "payment_accounts"))
    for path in ("web_page.urls", "social.urls", "stream.urls"):
        found |= url_tokens(each_entry(view, f"channels.{path}"))
    for path in ("email.addresses", "newsgroup.addresses"):
        found |= email_tokens(each_entry(view, f"channels.{path}"))
    found |= phone_tokens(each(view, "channels.phone.number"))
    found |= ip_tokens(each_entry(view, "channels.peer_to_peer.ip_events"))
    found |= {f"onion {lower(one.strip())}" for one in each(view, "channels.onion.address")}
    for path in ("payer", "payee"):
        found |= payment_tokens(each(view, f"channels.payment.{path}"))
    found |= url_tokens(each(view, "hosting.url")) | url_tokens(each(view, "items.location"))
    for one in each_entry(view, "items.hashes"):
        if text(one, "algorithm") and text(one, "value"):
            found.add(f"hash {lower(text(one, 'algorithm'))}:{lower(text(one, 'value'))}")
    return found | ip_tokens(each_entry(view, "items.ip_event"))


def compare_reports(inputs):
    one, other = tokens(inputs["report"]), tokens(inputs["other"])
    require(one and other, "Unlike")
    if one == other:
        return "exact"
    common = len(one & other)
    percent = common * 100 // len(one | other)
    require(common >= 3 and percent >= 75, "Unlike")
    return f"near {percent}"
