"""Routes, copies without contents and records of decisions. RTE-10 to RTE-29.

The tables are data that everybody reads: client/schema/routing."""

import hashlib
import ipaddress
import json
import re
import tomllib

from quality import canonical, each, each_entry, is_said, lower, number, says, table, text
from refused import Refused, require

ROUTES = table("routing/routes.v1.json")
LAW = table("routing/legal-bases.v1.json")
COPY = table("routing/metadata-copy.v1.json")
COUNTRIES = set(ROUTES["countries"])
ROLES = {"hotline", "platform", "police", "prosecutor", "clearing-house", "oversight", "unknown"}


# Countries: RTE-12 to RTE-14.

def country(code):
    """The country, None for a code that names none, or an empty text for one that nobody knows."""
    code = code.strip()
    code = code.upper() if code.isascii() else code
    if not code or code in ROUTES["no_country"]:
        return None
    code = ROUTES["aliases"].get(code, code)
    return code if code in COUNTRIES else ""


def country_of_domain(domain):
    name, dot, last = lower(domain.strip().rstrip(".")).rpartition(".")
    if not dot or len(last) != 2 or last in ROUTES["domains_apart"]:
        return None
    return country(last) or None


def country_of_language(tag):
    language, *subtags = tag.split("-")
    for one in subtags:
        if len(one) == 1:
            break
        if len(one) == 2:
            return country(one) or None
    return ROUTES["languages"].get(lower(language))


def host(url):
    scheme, found, rest = url.strip().partition("://")
    if not found:
        return None
    name = re.match("[^/?#]*", rest)[0].rpartition("@")[2]
    return None if name.startswith("[") else name.split(":")[0] or None


def address(written):
    try:
        found = ipaddress.ip_address(written.strip())
    except ValueError:
        return None
    if found.version == 6 and found.scope_id:
        return None
    return getattr(found, "ipv4_mapped", None) or found


class Ranges:
    def __init__(self, written):
        require(len(written.encode()) <= 64 * 1024 * 1024, "Text")
        self.networks = {}
        for at, line in enumerate(written.split("\n"), 1):
            line = line.strip()
            if not line or line.startswith("#") or (at == 1 and lower(line).startswith(("network", "cidr"))):
                continue
            fields = [one.strip() for one in line.split(",")]
            require(len(fields) == 2, f"Fields({at})")
            name, slash, length = fields[0].partition("/")
            require(slash and re.fullmatch("0|[1-9][0-9]*", length), f"Network({at})")
            try:
                network = ipaddress.ip_network(fields[0])
            except ValueError:
                raise Refused(f"Network({at})") from None
            mapped = network.version == 6 and network.network_address.ipv4_mapped
            require(not mapped and "%" not in name, f"Network({at})")
            found = country(fields[1])
            require(found != "", f"Country({at})")
            require(len(self.networks) < 1_000_000, "TooMany")
            require(network not in self.networks, f"Twice({at})")
            self.networks[network] = found

    def country(self, written):
        found = address(written)
        if found is None:
            return None
        for length in range(found.max_prefixlen, -1, -1):
            network = ipaddress.ip_network((found, length), strict=False)
            if network in self.networks:
                return self.networks[network]
        return None


def find_range(inputs):
    found = Ranges(inputs["ranges"]).country(inputs["address"])
    require(found, "NoCountry")
    return found


# Candidates: RTE-11.

class Gathering:
    def __init__(self, ranges):
        self.ranges, self.found, self.notes = ranges, {}, set()
        self.points = {one["basis"]: one["points"] for one in ROUTES["bases"]}

    def add(self, named, basis, path, numerator=1, denominator=1):
        points = self.points[basis] * numerator // denominator
        place = self.found.setdefault(named, {})
        most, times = place.get((basis, path), (0, 0))
        place[basis, path] = (max(most, points), times + 1)

    def code(self, written, basis, path, *share):
        found = country(written)
        if found:
            self.add(found, basis, path, *share)
        else:
            why = "a code that is no country's" if found is None else "a code that is not known"
            self.notes.add((path, why))

    def ip(self, written, basis, path):
        if not self.ranges.networks:
            self.notes.add((path, "no table of address ranges is given"))
        elif found := self.ranges.country(written):
            self.add(found, basis, path)
        else:
            self.notes.add((path, "an address that the table of ranges has no country for"))

    def phone(self, value, basis, path):
        written, code = text(value, "value") or "", text(value, "country_calling_code") or ""
        countries = []
        if written.startswith(("+", "00")) or code:
            digits = number(written, code)
            codes = (ROUTES["calling_codes"].get(digits[:end]) for end in range(min(7, len(digits)), 0, -1))
            countries = next((one for one in codes if one), [])
        if not countries:
            self.notes.add((path, "a number without a known calling code"))
        for one in countries:
            self.add(one, basis, path, 1, len(countries))

    def domain(self, domain, basis, path):
        found = domain and country_of_domain(domain)
        if found:
            self.add(found, basis, path)

    def read(self, form, basis, path, value):
        if form == "jurisdiction":
            share = min(100, max(0, int((value.get("confidence", 1.0) * 100 + 0.5) // 1)))
            hosting = value.get("basis") in ROUTES["hosting_words"]
            self.code(value["country"], "declared-hosting" if hosting else basis, path, share, 100)
        elif form == "ip-event":
            self.ip(value["ip_address"], "ip-proxy" if value.get("possible_proxy") else basis, path)
        elif form == "ip":
            self.ip(value, basis, path)
        elif form == "phone":
            self.phone(value, basis, path)
        elif form == "country":
            self.code(value, basis, path)
        elif form == "domain":
            self.domain(value, basis, path)
        elif form == "email":
            self.domain(value.rpartition("@")[2] if "@" in value else None, basis, path)
        elif form == "url":
            self.domain(host(value), basis, path)
        elif found := country_of_language(value):
            self.add(found, basis, path)


def combined(points):
    total = 0
    for one in sorted(points, reverse=True):
        total += (100 - total) * one // 100
    return total


def candidates(view, ranges):
    gathering = Gathering(ranges)
    for read in ROUTES["reads"]:
        for value in each_entry(view, read["path"]):
            gathering.read(read["as"], read["basis"], read["path"], value)
    found = []
    for named, places in gathering.found.items():
        best = {}
        for (basis, _), (points, _) in places.items():
            best[basis] = max(best.get(basis, 0), points)
        sums = {cls: combined([best.get(one["basis"], 0) for one in ROUTES["bases"] if one["class"] == cls])
                for cls in ("origin", "hosting")}
        evidence = [{"basis": basis, "path": path, "points": points, "count": times}
                    for (basis, path), (points, times) in sorted(places.items())]
        found.append({"country": named, **sums, "counts": False, "evidence": evidence})
    found.sort(key=lambda one: (-max(one["origin"], one["hosting"]), one["country"]))
    return found, [{"path": path, "why": why} for path, why in sorted(gathering.notes)]


# Policies: RTE-21 to RTE-23.

FIELDS = {"version", "threshold", "urgent_threshold", "hub", "unknown_basis", "ranges", "also", "rule", "basis",
          "approval"}
RULE, BASIS, APPROVAL = ({"members", "countries", "roles", *more} for more in (
    {"do", "why"}, {"law", "article", "jurisdiction", "copy"}, {"by"}))
GROUPS = LAW["groups"]


def is_words(value):
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def is_text(value, may_be_empty):
    if value == "":
        return may_be_empty
    control = isinstance(value, str) and any(ord(c) < 32 or 127 <= ord(c) < 160 for c in value)
    return isinstance(value, str) and value.strip() and len(value.encode()) <= 256 and not control


def judge_who(one):
    for name in ("members", "countries", "roles"):
        require(is_words(one.get(name, [])) and len(one.get(name, [])) <= 1000, "Policy")
    require(all(code in COUNTRIES or code in GROUPS for code in one.get("countries", [])), "Policy")
    require(set(one.get("roles", [])) <= ROLES, "Policy")


def read_policy(written):
    if written == "":
        return {"sha256": ""}
    require(len(written.encode()) <= 65_536, "Policy")
    try:
        policy = tomllib.loads(written)
    except tomllib.TOMLDecodeError:
        raise Refused("Policy") from None
    require(policy.keys() <= FIELDS and type(policy.get("version")) is int and policy["version"] == 1, "Policy")
    for name in ("threshold", "urgent_threshold"):
        value = policy.get(name, 1)
        require(type(value) is int and 1 <= value <= 100, "Policy")
    require(policy.get("hub", "always") in ("always", "fallback"), "Policy")
    require(policy.get("unknown_basis", "full") in ("full", "metadata", "deny"), "Policy")
    ranges = policy.get("ranges", "-")
    require(isinstance(ranges, str) and ranges and "/" not in ranges and "\\" not in ranges, "Policy")
    require(is_words(policy.get("also", [])), "Policy")
    for name, fields in (("rule", RULE), ("basis", BASIS), ("approval", APPROVAL - {"members", "roles"})):
        entries = policy.get(name, [])
        require(isinstance(entries, list) and len(entries) <= 1000, "Policy")
        for one in entries:
            require(isinstance(one, dict) and one.keys() <= fields, "Policy")
            judge_who(one)
    for one in policy.get("rule", []):
        require(one.get("do") in ("allow", "deny", "full", "metadata") and is_text(one.get("why", ""), True), "Policy")
    for one in policy.get("basis", []):
        require(one.get("copy") in ("full", "metadata") and is_text(one.get("law"), False), "Policy")
        require(all(is_text(one.get(name, ""), True) for name in ("article", "jurisdiction")), "Policy")
    for one in policy.get("approval", []):
        require(one.get("countries") and is_text(one.get("by"), False) and len(one["by"].split()) == 1, "Policy")
        require(one["by"] == one["by"].strip(), "Policy")
    return {**policy, "sha256": hashlib.sha256(written.encode()).hexdigest()}


def is_in(where, named):
    return where == named or where in GROUPS.get(named, [])


def fits(seat, one):
    return ((not one.get("members") or seat["id"] in one["members"])
            and (not one.get("countries") or any(is_in(seat["country"], named) for named in one["countries"]))
            and (not one.get("roles") or seat["role"] in one["roles"]))


# Plans: RTE-15 to RTE-20.

def ground(sender, seat, policy):
    own = next((one for one in policy.get("basis", []) if fits(seat, one)), None)
    if own:
        return stated("policy", own), own["copy"]
    for row in LAW["rows"]:
        where = {"*": True, "same": seat["country"] == sender["country"],
                 "other": seat["country"] != sender["country"]}
        if (where.get(row["to"], is_in(seat["country"], row["to"]))
                and (row["from"] == "*" or is_in(sender["country"], row["from"]))
                and row["sender"] in ("*", sender["role"]) and row["role"] in ("*", seat["role"])):
            return stated(LAW["id"], row), row["copy"]
    return {"table": "none"}, None


def stated(name, row):
    parts = {part: row[part] for part in ("law", "article", "jurisdiction") if row.get(part)}
    return {"table": name, **parts}


class Planning:
    def __init__(self, inputs):
        self.view, self.sender = inputs["report"], inputs["sender"]
        self.policy, self.seats = read_policy(inputs["policy"]), inputs["roster"]["members"]
        level = next(iter(each(self.view, "urgency.level")), None)
        self.urgent = level in ROUTES["urgent_levels"] or is_said(self.view, "incident.escalation")

    def counts_in(self, one, cls):
        return one[cls] >= self.policy.get("threshold", ROUTES["threshold"])

    def pressing(self, one):
        return self.urgent and one["origin"] >= self.policy.get("urgent_threshold", ROUTES["urgent_threshold"])

    def competent(self, seat, where):
        return where in (seat.get("jurisdictions") or [seat["country"]])

    def choose(self, found):
        chosen = {}
        rows = [(one["country"], row["role"], row["reason"]) for one in found for row in ROUTES["routes"]
                if self.counts_in(one, row["class"])]
        rows += [(one["country"], "police", "police-where-urgent") for one in found if self.pressing(one)]
        for where, role, reason in rows:
            for seat in self.seats:
                if seat["role"] == role and self.competent(seat, where):
                    self.add(chosen, seat, reason, where)
        return chosen

    def hubs(self, chosen, uncovered):
        for seat in self.seats:
            if seat["role"] == "clearing-house":
                self.add(chosen, seat, "clearing-house", None)
                for where in uncovered:
                    self.add(chosen, seat, "nobody-of-its-own", where)

    def add(self, chosen, seat, reason, where):
        if seat["id"] != self.sender:
            chosen.setdefault(seat["id"], (seat, set()))[1].add((reason, where or ""))

    def judge(self, chosen):
        recipients, passed = {}, {}
        for name, (seat, reasons) in chosen.items():
            why = [{"reason": reason, **({"country": where} if where else {})} for reason, where in sorted(reasons)]
            verdict = self.judge_one(seat)
            if "why" in verdict:
                passed[name] = {"member": name, "reasons": why, **verdict}
            else:
                recipients[name] = {"member": name, "role": seat["role"], "country": seat["country"],
                                    "reasons": why, **verdict}
        return recipients, passed

    def judge_one(self, seat):
        if not seat["live"]:
            return {"why": "not-live"}
        wanted = ["urgent", "normal"] if self.urgent else ["normal"]
        lane = next((one for one in wanted if one in seat["lanes"]), None)
        if lane is None:
            return {"why": "takes-no-reports"}
        rules = enumerate(self.policy.get("rule", []), 1)
        at, rule = next(((at, one) for at, one in rules if fits(seat, one)), (None, {}))
        sender = next((one for one in self.seats if one["id"] == self.sender), {"role": "unknown", "country": ""})
        basis, copy = ground(sender, seat, self.policy)
        numbered = {"rule": at} if at else {}
        action = rule.get("do", "allow")
        if action == "deny":
            return {"why": "denied", **numbered}
        if action == "allow":
            copy = copy or self.policy.get("unknown_basis", "full")
            if copy == "deny":
                return {"why": "no-legal-basis", **numbered}
        else:
            copy = action
        return {"lane": lane, "copy": copy, "ground": basis, **numbered}

    def uncovered(self, found, recipients):
        covered = {why.get("country") for one in recipients.values() for why in one["reasons"]
                   if why["reason"] != "nobody-of-its-own"}
        return sorted({one["country"] for one in found if one["counts"]} - covered)

    def plan(self, ranges):
        found, notes = candidates(self.view, ranges)
        for one in found:
            one["counts"] = any(self.counts_in(one, cls) for cls in ("origin", "hosting")) or self.pressing(one)
        chosen = self.choose(found)
        always = self.policy.get("hub", "always") == "always"
        if always:
            self.hubs(chosen, [])
        known = {seat["id"]: seat for seat in self.seats}
        for member in self.policy.get("also", []):
            require(member in known, "UnknownMember")
            self.add(chosen, known[member], "policy", None)
        recipients, passed = self.judge(chosen)
        uncovered = self.uncovered(found, recipients)
        if not always:
            hubs = {}
            if uncovered or not any(one["counts"] for one in found):
                self.hubs(hubs, uncovered)
            more, over = self.judge(hubs)
            merge(recipients, more)
            passed = {**over, **passed}
        else:
            standing = {"reasons": [{"reason": "nobody-of-its-own", "country": one} for one in uncovered]}
            merge(recipients, {name: standing for name, one in recipients.items() if one["role"] == "clearing-house"})
        passed = [passed[name] for name in sorted(passed)]
        over = " ".join(f"{one['member']}:{one['why']}" for one in passed)
        require(recipients, f"Nobody({' '.join(uncovered)}|{over})")
        require(len(recipients) <= 64, f"TooMany({len(recipients)})")
        recipients = [recipients[name] for name in sorted(recipients)]
        needed = sorted({(one["by"], seat["country"]) for seat in recipients for one in self.policy.get("approval", [])
                         if any(is_in(seat["country"], named) for named in one["countries"])})
        return {"sender": self.sender, "urgent": self.urgent, "candidates": found, "recipients": recipients,
                "passed_over": passed, "uncovered": uncovered, "notes": notes,
                "approvals": [{"by": by, "country": where} for by, where in needed]}


def merge(recipients, more):
    for name, one in more.items():
        if name not in recipients:
            recipients[name] = one
            continue
        both = recipients[name]["reasons"] + one["reasons"]
        unique = {(why["reason"], why.get("country", "")): why for why in both}
        recipients[name]["reasons"] = [unique[key] for key in sorted(unique)]


def parts_of(recipients):
    found = {}
    for one in recipients:
        require(one.get("copy") in ("full", "metadata") and one.get("lane") in ("urgent", "normal"), "Parts")
        found.setdefault((one["copy"] == "metadata", one["lane"] == "normal"), []).append(one)
    return [{"copy": part[0]["copy"], "lane": part[0]["lane"], "members": [one["member"] for one in part]}
            for _, part in sorted(found.items())]


def route_report(inputs):
    planning = Planning(inputs)
    plan = planning.plan(Ranges(inputs["ranges"]))
    plan["by"] = {"routes": ROUTES["version"], "law": LAW["version"], "copy": COPY["version"],
                  "policy": planning.policy["sha256"], "ranges": "", "roster": inputs["roster"]["version"]}
    return canonical({"plan": plan, "parts": parts_of(plan["recipients"])})


# Copies without contents: RTE-24 to RTE-26.

def keep(message, value, path, left_out):
    kept, copy = COPY["keep"].get(message, {}), {}
    for name, one in value.items():
        at = f"{path}.{name}" if path else name
        if name not in kept:
            if says(one) and name not in COPY["unlisted"]:
                left_out.add(at)
        elif not kept[name]:
            copy[name] = one
        elif isinstance(one, list):
            copy[name] = [keep(kept[name], entry, f"{at}[{number}]", left_out) for number, entry in enumerate(one)]
        else:
            copy[name] = keep(kept[name], one, at, left_out)
    return copy


def copy_metadata(inputs):
    view, left_out = inputs["report"], set()
    copy = keep("Report", view, "", left_out)
    if is_said(view, "urgency.reason"):
        copy["urgency"]["reason"] = COPY["note"]
    lineage = copy.setdefault("lineage", {})
    for name, value in (("origin", inputs["sender"]), ("origin_reference", view.get("reference"))):
        if value is not None and not is_said(lineage, name):
            lineage[name] = value
    states = [{"path": one["path"], "state": one["state"]} for one in each_entry(view, "field_states")]
    named = {one["path"] for one in states}
    further = [one for one in sorted(left_out, key=str.encode)
               if one != "field_states" and "unknown_fields" not in one and one not in named]
    states += [{"path": one, "state": "withheld", "note": COPY["note"]} for one in further[:COPY["listed_max"]]]
    if states:
        copy["field_states"] = states
    copy.setdefault("incident", {})
    return canonical(copy)


# Records: RTE-27 to RTE-29.

def is_whole(value):
    """Whether all its numbers are whole: of others there is more than one form."""
    if isinstance(value, dict):
        return all(is_whole(one) for one in value.values())
    if isinstance(value, list):
        return all(is_whole(one) for one in value)
    return not isinstance(value, float) and (not isinstance(value, int) or -2**63 <= value < 2**64)


def no_number(word):
    raise ValueError(f"{word} is no JSON")


def read_record(inputs):
    written = inputs["record"]
    require(len(written.encode()) <= 1024 * 1024, "Json")
    try:
        record = json.loads(written, parse_constant=no_number)
    except (ValueError, RecursionError):
        raise Refused("Json") from None
    require(canonical(record) == written and is_whole(record), "Form")
    known = {"approved", "created_ms", "form", "parts", "plan", "salt"}
    whole = isinstance(record, dict) and record.keys() == known and record["form"] == "frex-route/v1"
    require(whole and isinstance(record["salt"], str) and re.fullmatch("[0-9a-f]{64}", record["salt"]), "Fields")
    require(type(record["created_ms"]) is int and 0 <= record["created_ms"] < 2**64, "Fields")
    require(is_words(record["approved"]) and isinstance(record["plan"], dict), "Fields")
    recipients = record["plan"].get("recipients")
    require(isinstance(recipients, list) and 1 <= len(recipients) <= 64, "Parts")
    require(record["parts"] == parts_of(recipients), "Parts")
    return " ".join(hashlib.sha256(b"frex/v1/route\0" + bytes([part]) + written.encode()).digest()[:16].hex()
                    for part in range(len(record["parts"])))
