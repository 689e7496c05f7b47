"""Messages of a case: read, folded into threads and deadlines. Spec: chapter CSE."""

import calendar
import json
import re
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

import protobuf
from refused import Refused, require

SCHEMA = Path(__file__).resolve().parents[2] / "client/schema"
EXTERNAL = {1: ("system", "string"), 2: ("id", "string")}
CLASS = {n: (name, "string") for n, name in enumerate(("scheme", "version", "section", "code", "value"), 1)}
INSTRUMENT = {
    n: (name, "string")
    for n, name in enumerate(("law", "article", "jurisdiction", "file_number", "authority"), 1)
}
U, S = "uint32", "string"
WHAT = {
    "triage": {1: ("state", U), 2: ("reason", U)},
    "route": {1: ("decision", U), 2: ("reason", U), 3: ("rerouted_to", S)},
    "assessment": {1: ("item", S), 2: ("verdict", U), 3: ("jurisdiction", S), 4: ("second", "bool"),
                   5: ("classifications", [CLASS])},
    "takedown": {1: ("url", S), 2: ("state", U), 3: ("moved_to", S), 4: ("country", S), 5: ("host", S),
                 6: ("asked_by", S)},
    "outcome": {1: ("state", U), 2: ("reason", U), 3: ("because", U)},
    "preserve_request": {1: ("profile", S), 2: ("addressed_to", [S]), 3: ("instrument", INSTRUMENT),
                         4: ("targets", [S]), 5: ("facts", S), 6: ("necessity", S),
                         7: ("assistance_follows", "bool"), 8: ("time_zone", S)},
    "preserve_answer": {1: ("state", U), 2: ("until", S), 3: ("reason", U), 4: ("handle", S)},
    "produce_request": {1: ("profile", S), 2: ("addressed_to", [S]), 3: ("instrument", INSTRUMENT),
                        4: ("targets", [S]), 5: ("categories", [U]), 6: ("enforcing_authority", S),
                        7: ("validation_follows", "bool"), 8: ("time_zone", S)},
    "produce_answer": {1: ("state", U), 2: ("reason", U), 3: ("scope", U), 4: ("deadline", S),
                       5: ("handle", S), 6: ("addressee", S)},
    "extension": {1: ("until", S), 2: ("instrument", INSTRUMENT)},
    "reminder": {1: ("number", U), 2: ("deadline", S)},
    "duplicate_of": {1: ("case_id", "bytes"), 2: ("reference", S)},
}
MESSAGE = {1: ("reference", S), 2: ("at", S), 3: ("note", S), 4: ("external_ids", [EXTERNAL])}
MESSAGE |= {number: (name, WHAT[name]) for number, name in enumerate(WHAT, 10)}

STATES = {
    "triage": "acknowledged triaged rejected",
    "route": "accepted declined rerouted",
    "assessment": "baseline nationally_illegal not_illegal unable",
    "takedown": "notice_sent removed moved stay_up refused unreachable still_up gone",
    "outcome": "registered in_investigation suspect_identified victim_identified safeguarded arrest charged "
               "convicted no_crime no_jurisdiction insufficient shelved reopened exonerated",
    "preserve_answer": "acked in_force extended expired not_possible converted released",
    "produce_answer": "acked preserved clarify clarification new_deadline partial delivered delivery_ok "
                      "delivery_error non_execution refused withdrawn enforcement objection no_objection "
                      "validated recognised",
}
ROUTE_REASONS = "not_competent duplicate insufficient no_legal_basis capacity other"
SHELVED = "no_cooperation data_expired mla_pending not_illegal capacity insufficient_data other"
BECAUSE = "data_delivered mla_answered new_match assessed_anew capacity other"
NON_EXECUTION = ("incomplete manifest_errors not_enough_information impossible not_competent offence_not_covered "
                 "service_not_covered immunity conflicting_law data_not_held data_deleted fundamental_rights "
                 "ne_bis_in_idem no_dual_criminality other")
HOUR = r"(?:[01]\d|2[0-3]):[0-5]\d"
INSTANT = re.compile(rf"\d{{4}}-\d\d-\d\dT{HOUR}:[0-5]\d(\.\d{{1,9}})?(Z|[+-]{HOUR})", re.A)
URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/\x00-\x20\x7f][^\x00-\x20\x7f]*", re.A)
COUNTRY = re.compile(r"[A-Z]{2}", re.A)


def word(words, number):
    """CSE-7."""
    words = words.split()
    return "unspecified" if number == 0 else words[number - 1] if number <= len(words) else f"#{number}"


def instant(text):
    """CSE-3."""
    if len(text) > 64 or not INSTANT.fullmatch(text):
        return None
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        return None
    ms = (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) // timedelta(milliseconds=1)
    return ms if ms >= 0 else None


def profiles():
    table = json.loads((SCHEMA / "clocks.v1.json").read_text("utf-8"))
    return {profile["id"]: profile for profile in table["profiles"]}


PROFILES = profiles()
ZONES = json.loads((SCHEMA / "zones.v1.json").read_text("utf-8"))["zones"]


def rule_of(profile, what):
    rules = PROFILES.get(profile, {"clocks": []})["clocks"]
    return next((rule for rule in rules if rule["what"] == what), None)


def zone_of(named, country):
    """CSE-23."""
    for name in (named, ZONES.get(country)):
        if name:
            try:
                return ZoneInfo(name)
            except (KeyError, ValueError):
                pass
    return ZoneInfo("UTC")


def due(rule, from_ms, zone, holidays=()):
    """CSE-21, CSE-22."""
    if rule["unit"] == "hours":
        return from_ms + rule["count"] * 3_600_000
    day = datetime.fromtimestamp(from_ms / 1000, zone).date()

    def is_free(day):
        return day.weekday() >= 5 or day in holidays

    def working(day, count):
        while count:
            day += timedelta(days=1)
            count -= not is_free(day)
        return day

    if rule["unit"] == "working_days":
        day = working(day, rule["count"])
    elif rule["unit"] == "years":
        year = day.year + rule["count"]
        day = date(year, day.month, min(day.day, calendar.monthrange(year, day.month)[1]))
    else:
        day += timedelta(days=rule["count"])
    if rule.get("rolls") and is_free(day):
        day = working(day, 1)
    return start_of(day + timedelta(days=1), zone) - 1


def start_of(day, zone):
    """The first millisecond of a day: where clocks change at midnight it is not midnight."""
    start = datetime.combine(day, time(), zone)
    ms = int(start.timestamp() * 1000)
    # Midnight in a gap: both readings name an instant beside it; the day begins with the gap's end.
    back = datetime.fromtimestamp(ms / 1000, zone)
    if back.replace(tzinfo=None) != start.replace(tzinfo=None):
        low, high = ms - 86_400_000, ms + 86_400_000
        while low + 1 < high:
            middle = (low + high) // 2
            before = datetime.fromtimestamp(middle / 1000, zone).date() < day
            low, high = (middle, high) if before else (low, middle)
        return high
    return ms


def read(data):
    """CSE-2 to CSE-6; gives the name of what is said, and the message."""
    require(len(data) <= 65_536, "TooLarge")
    message = protobuf.decode(MESSAGE, data)
    for text, most in ((message.reference, 128), (message.note, 4000)):
        require(len(text.encode()) <= most, "TooLong")
    check_time(message.at)
    require(len(message.external_ids) <= 32, "TooLong")
    for one in message.external_ids:
        texts([one.system], 64)
        texts([one.id], 128)
    said = [name for name in WHAT if getattr(message, name) is not None]
    require(said, "Nothing")
    name = last_said(data, said)
    CHECKS[name](getattr(message, name))
    return name, message


def last_said(data, said):
    """Of several in a oneof the last one counts."""
    at, last = 0, None
    while at < len(data):
        key, at = protobuf._varint(data, at)
        if key >> 3 in range(10, 22) and key & 7 == protobuf.BYTES:
            last = MESSAGE[key >> 3][0]
        at = protobuf._skip(data, at, key >> 3, key & 7, 0)
    return last or said[0]


def texts(list_, most, count=None):
    require(count is None or len(list_) <= count, "TooLong")
    require(all(len(text.encode()) <= most for text in list_), "TooLong")


def check_time(text):
    require(not text or instant(text) is not None, "Time")


def check_country(text):
    require(not text or COUNTRY.fullmatch(text), "Country")


def some(value):
    require(value, "Missing")


def check_url(text):
    require(not text or URL.fullmatch(text), "Url")


def check_triage(one):
    require(one.state != 3 or one.reason, "Missing")
    some(one.state)


def check_route(one):
    texts([one.rerouted_to], 64)
    require(one.decision != 2 or one.reason, "Missing")
    require(one.decision != 3 or one.rerouted_to, "Missing")
    some(one.decision)


def check_assessment(one):
    texts([one.item], 2083)
    require(len(one.classifications) <= 32, "TooLong")
    for entry in one.classifications:
        texts([entry.scheme, entry.version, entry.section, entry.code, entry.value], 64)
    check_country(one.jurisdiction)
    require(one.verdict != 2 or one.jurisdiction, "Missing")
    some(one.verdict)


def check_takedown(one):
    texts([one.url, one.moved_to], 2083)
    texts([one.host], 256)
    texts([one.asked_by], 64)
    check_country(one.country)
    some(one.url)
    check_url(one.url)
    check_url(one.moved_to)
    require(one.state != 3 or one.moved_to, "Missing")
    some(one.state)


def check_outcome(one):
    require(one.state != 12 or one.reason, "Missing")
    require(one.state != 13 or one.because, "Missing")
    some(one.state)


def check_instrument(one):
    if one is not None:
        texts([one.law, one.article, one.file_number, one.authority], 256)
        check_country(one.jurisdiction)


def check_request(one, of):
    texts(one.targets, 256, 64)
    texts(one.addressed_to, 256, 64)
    if of == "preserve":
        texts([one.facts, one.necessity], 2000)
    else:
        require(len(one.categories) <= 16, "TooLong")
        texts([one.enforcing_authority], 64)
    texts([one.time_zone, one.profile], 64)
    check_instrument(one.instrument)
    require(PROFILES.get(one.profile, {"of": of})["of"] == of, "Profile")


def check_kept(one):
    check_time(one.until)
    texts([one.handle], 128)
    require(one.state != 5 or one.reason, "Missing")
    some(one.state)


def check_produced(one):
    check_time(one.deadline)
    texts([one.handle], 128)
    texts([one.addressee], 64)
    require(one.state != 5 or one.deadline, "Missing")
    require(one.state not in (10, 11, 14) or one.reason, "Missing")
    some(one.state)


def check_extension(one):
    check_time(one.until)
    check_instrument(one.instrument)


def check_duplicate(one):
    texts([one.reference], 128)
    require(len(one.case_id) == 16, "Missing")


CHECKS = {
    "triage": check_triage, "route": check_route, "assessment": check_assessment,
    "takedown": check_takedown, "outcome": check_outcome,
    "preserve_request": lambda one: check_request(one, "preserve"),
    "produce_request": lambda one: check_request(one, "produce"),
    "preserve_answer": check_kept, "produce_answer": check_produced, "extension": check_extension,
    "reminder": lambda one: check_time(one.deadline), "duplicate_of": check_duplicate,
}


def says(name, one):
    """The state in a message, in a word."""
    if name == "route":
        return word(STATES[name], one.decision)
    if name == "assessment":
        verdict = word(STATES[name], one.verdict)
        return f"{verdict} {one.jurisdiction}" if one.jurisdiction else verdict
    if name in STATES:
        return word(STATES[name], one.state)
    if name.endswith("_request"):
        return one.profile
    return {"duplicate_of": "duplicate"}.get(name, name)


def reason(name, one):
    def or_empty(words, number):
        return word(words, number) if number else ""

    if name == "route" and one.rerouted_to:
        return one.rerouted_to
    if name in ("triage", "route"):
        return or_empty(ROUTE_REASONS, one.reason)
    if name == "outcome":
        return word(SHELVED, one.reason) if one.reason else or_empty(BECAUSE, one.because)
    if name in ("preserve_answer", "produce_answer"):
        return or_empty(NON_EXECUTION, one.reason)
    if name == "duplicate_of":
        return one.case_id.hex()
    return one.moved_to if name == "takedown" else ""


def read_case(data):
    """What a vector says of a message."""
    name, message = read(data)
    return f"{name} {says(name, getattr(message, name))}"


def count_clock(profile, what, from_ms, zone, country, holidays):
    """What a vector says of a clock."""
    rule = rule_of(profile, what)
    if rule is None:
        raise Refused("NoClock")
    return due(rule, from_ms, zone_of(zone, country), {date.fromisoformat(day) for day in holidays})
