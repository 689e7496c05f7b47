"""The fold of a case: CSE-10 to CSE-28, for vectors."""

from datetime import date

from case import due, instant, read, reason, rule_of, says, zone_of
from casedue import deadlines, reopenings, state_of
from refused import Refused

PRODUCED = {"clarify", "partial", "delivered", "non_execution", "refused", "withdrawn", "enforcement", "objected"}
CLARIFIED = PRODUCED | {"preserved"}
NEXT = {
    "preserve": {
        "sent": {"acked", "in_force", "not_possible", "converted", "released"},
        "acked": {"in_force", "not_possible", "converted", "released"},
        "in_force": {"in_force", "extended", "converted", "released", "expired"},
        "extended": {"extended", "converted", "released", "expired"},
        "converted": {"released"}, "not_possible": {"in_force", "released"},
    },
    "produce": {
        "sent": CLARIFIED | {"acked"}, "acked": CLARIFIED, "preserved": PRODUCED,
        "clarify": PRODUCED - {"clarify"} | {"clarified"}, "clarified": CLARIFIED,
        "partial": PRODUCED | {"delivery_error"},
        "delivered": {"delivered", "delivery_ok", "delivery_error", "objected"},
        "delivery_error": PRODUCED,
        "non_execution": {"clarified", "partial", "delivered", "withdrawn", "enforcement"},
        "refused": {"partial", "delivered", "withdrawn", "enforcement"},
        "enforcement": PRODUCED - {"clarify", "enforcement"} | {"recognised"},
        "recognised": {"partial", "delivered", "non_execution", "refused", "withdrawn"},
        "objected": {"withdrawn", "partial", "delivered"}, "delivery_ok": {"objected"},
    },
}
BESIDE = {"acked", "preserved", "extension", "new_deadline", "validated", "no_objection"}
BY_ASKER = {"converted", "released", "clarification", "new_deadline", "delivery_ok", "delivery_error", "withdrawn",
            "enforcement", "validated"}
BY_AUTHORITY = {"objection", "no_objection", "recognised"}
ENDED = {"convicted", "no_crime", "no_jurisdiction", "insufficient", "shelved", "exonerated"}
AWAY = {"rejected", "declined", "rerouted", "withdrawn"}
OVER = {"not_possible", "converted", "expired", "released"}
ABSENT = object()


class Said:
    def __init__(self, one):
        self.key = one["from"], bytes.fromhex(one["message"])
        self.envelopes, self.to = set(one["envelopes"]), set(one["to"])
        self.about, self.lane = one.get("in_reply_to"), one.get("lane", "normal")
        self.created_ms, self.reply_by_ms = one["created_ms"], one.get("reply_by_ms")
        self.received, self.otherwise = dict(one["received"]), False
        self.data, self.recall = one.get("content"), one.get("recall")
        self.report = bool(one.get("report"))
        self.name, self.message, self.one, self.unreadable = None, None, None, False
        if self.data is not None:
            try:
                self.name, self.message = read(bytes.fromhex(self.data))
                self.one = getattr(self.message, self.name)
            except Refused:
                self.unreadable = True

    def join(self, other):
        """CSE-11."""
        what = [(one.data, one.recall, one.report) for one in (self, other) if not one.unreadable]
        self.otherwise |= other.otherwise or len(set(map(str, what))) > 1 or self.about != other.about
        # What could be read of it in one place counts; a chain of replies follows the greater id.
        if self.unreadable and not other.unreadable:
            for name in ("data", "recall", "report", "name", "message", "one", "unreadable"):
                setattr(self, name, getattr(other, name))
        self.about = max(filter(None, (self.about, other.about)), default=None)
        self.envelopes |= other.envelopes
        self.to |= other.to
        self.created_ms = min(self.created_ms, other.created_ms)
        self.reply_by_ms = max(filter(None, (self.reply_by_ms, other.reply_by_ms)), default=None)
        for member, at in other.received.items():
            self.received[member] = min(at, self.received.get(member, at))

    @property
    def sender(self):
        return self.key[0]

    @property
    def at_ms(self):
        at = instant(self.message.at) if self.one is not None and self.message.at else None
        return at if at is not None and at <= self.created_ms else self.created_ms

    @property
    def word(self):
        return self.recall["reason"] if self.recall else says(self.name, self.one) if self.one is not None else ""

    def told(self, member):
        return self.received.get(member, self.created_ms)


class Thread:
    def __init__(self, matter, request, member, subject, state, said):
        self.matter, self.request, self.member, self.subject = matter, request, member, subject
        self.state, self.reason, self.since_ms, self.until_ms = state, "", said.at_ms, None
        self.steps, self.contradictions = [], []


class Fold:
    def __init__(self, said, members, holidays, now_ms, own=""):
        self.members, self.now_ms, self.own = members, now_ms, own
        self.holidays = {country: {date.fromisoformat(day) for day in days} for country, days in holidays.items()}
        messages = {}
        for one in map(Said, said):
            if one.key in messages:
                messages[one.key].join(one)
            else:
                messages[one.key] = one
        self.said = sorted(messages.values(), key=lambda one: (one.at_ms, one.created_ms, one.key))
        self.by_envelope = {id_: one for one in self.said for id_ in one.envelopes}
        self.requests = {one.key: one for one in self.said if (one.name or "").endswith("_request")}
        self.authors = {one.sender for one in self.said if one.report}
        self.holders = self.find_holders()
        self.parties = None if self.holders is None else self.holders | self.authors
        self.taken_back = {}
        self.threads, self.not_counting, self.exonerated = [], {}, False
        self.counted = []
        for one in self.said:
            try:
                self.take(one)
                self.counted.append(one)
            except Refused as why:
                self.not_counting[one.key] = why.name
        for thread in self.threads:
            self.withdraw(thread)
            if thread.state in ("in_force", "extended") and thread.until_ms and thread.until_ms < now_ms:
                thread.state, thread.since_ms = "lapsed", thread.until_ms

    def find_holders(self):
        """CSE-12."""
        if not self.authors:
            return None
        holders = set().union(*(one.to for one in self.said if one.report))
        while True:
            more = {one.one.rerouted_to for one in self.said if one.name == "route" and one.one.decision == 3
                    and one.sender in holders and not one.otherwise} - holders - {""}
            if not more:
                return holders
            holders |= more

    def withdraw(self, thread):
        """CSE-32."""
        offered = [one for one, word, _ in thread.steps if word == "offered"]
        back = [self.taken_back.get((one.key, thread.member)) for one in offered]
        if thread.matter == "route" and back and all(back):
            thread.state = "withdrawn"
            thread.since_ms, thread.reason = max(back)

    def nobodys(self):
        """CSE-33."""
        routes = [one for one in self.threads if one.matter == "route"]
        got = [one for one in routes if any(word == "offered" for _, word, _ in one.steps)]
        if all(one.state == "withdrawn" for one in got):
            return False
        passed = {one.reason for one in routes if one.state == "rerouted"} - self.authors
        listed = {one for one in passed if not self.members or one in self.members}
        spoken = {one.member for one in self.threads if one.matter in ("route", "outcome")}
        spoken &= (self.holders or set()) - self.authors

        def has_it(member):
            away = any(one.member == member and one.state in AWAY for one in routes)
            works = any(one.matter == "outcome" and one.member == member and one.state not in ENDED
                        for one in self.threads)
            return not self.members.get(member, {}).get("gone") and (not away or works)

        return not any(map(has_it, {one.member for one in got} | listed | spoken))

    def knows_all(self):
        """CSE-35."""
        return (not self.own or self.own in self.authors
                or all(self.members.get(one, {}).get("gone") for one in self.authors))

    def is_asked(self, request):
        """CSE-12: a party asks, or somebody asks a party."""
        return self.parties is None or not self.parties.isdisjoint({request.sender, *self.addressees(request)})

    def addressees(self, request):
        listed, authority = request.one.addressed_to, self.authority(request)
        return [one for one in sorted(request.to) if (one in listed if listed else one != authority)]

    @staticmethod
    def authority(request):
        return request.one.enforcing_authority if request.name == "produce_request" else ""

    def country(self, member):
        return self.members.get(member, {}).get("country", "")

    def take(self, one):
        if one.otherwise:
            raise Refused("Otherwise")
        if one.unreadable:
            raise Refused("Unreadable")
        if one.report:
            for member in sorted(one.to - {one.sender}):
                self.thread("route", None, member, "", "offered", one).steps.append((one, "offered", True))
        elif one.recall:
            named = [said for said in self.said if said.key[1].hex() == one.recall["message"]]
            own = next((said for said in named if said.sender == one.sender), None)
            if named and own is None:
                raise Refused("NoParty")
            # A vector's case has the id of sixteen zeros, which is that of the report that began it.
            begun = one.recall["message"] == bytes(16).hex()
            if not (own.report if own else self.holders is None or begun):
                return
            for member in one.to if own else ():
                self.taken_back.setdefault((own.key, member), (one.at_ms, one.recall["reason"]))
            if one.recall["reason"] == "exonerated":
                self.exonerated = True
                self.step(self.thread("outcome", None, one.sender, "", "", one), one)
        elif one.name in ("preserve_answer", "produce_answer", "extension", "reminder"):
            self.take_step(one)
        else:
            # A vector's case has the id of sixteen zeros.
            if one.name == "duplicate_of" and one.one.case_id == bytes(16):
                raise Refused("Itself")
            if one.key in self.requests:
                if not self.is_asked(one):
                    raise Refused("NoParty")
                for member in self.addressees(one):
                    self.thread(one.name[:-8], one, member, "", "sent", one)
                return
            if self.parties is not None and one.sender not in self.parties:
                raise Refused("NoParty")
            self.check_part(one)
            matter = {"triage": "route", "duplicate_of": "route"}.get(one.name, one.name)
            member = one.sender if matter in ("route", "outcome") else ""
            subject = {"assessment": "item", "takedown": "url"}.get(matter)
            subject = getattr(one.one, subject) if subject else ""
            self.step(self.thread(matter, None, member, subject, "", one), one)

    def check_part(self, one):
        """CSE-12: what only some parties may say."""
        if self.holders is None or one.sender in self.holders:
            return
        if one.name in ("triage", "route"):
            raise Refused("NotARecipient")
        if one.name == "outcome" and self.members.get(one.sender, {}).get("platform"):
            raise Refused("Reporter")

    def request_of(self, one):
        about = one.about
        for _ in range(64):
            before = self.by_envelope.get(about)
            if before is None:
                return None
            if before.key in self.requests:
                return before
            about = before.about
        return None

    def take_step(self, one):
        request = self.request_of(one)
        if request is None or request.otherwise or not self.is_asked(request):
            raise Refused("NoRequest")
        matter, addressees = request.name[:-8], self.addressees(request)
        if one.name == "extension" and matter != "preserve":
            raise Refused("NoRequest")
        if one.name.endswith("_answer") and one.name[:-7] != matter:
            raise Refused("NoRequest")
        if one.word.startswith("#"):
            raise Refused("Unknown")
        authority = self.authority(request)
        named = ""
        if one.name in ("extension", "reminder") or one.word in BY_ASKER:
            if one.sender != request.sender:
                raise Refused("NotTheAsker")
        elif one.word in BY_AUTHORITY or (one.word == "refused" and authority and one.sender == authority):
            if one.sender != authority:
                raise Refused("NotTheAuthority")
            named = one.one.addressee
        elif one.sender in addressees:
            addressees = named = [one.sender]
        else:
            raise Refused("NotAsked")
        if not isinstance(named, list):
            addressees = ([member for member in addressees if member == named]
                          or [member for member in addressees if member in one.to] or addressees)
        for member in addressees:
            self.step(self.thread(matter, request, member, "", "sent", one), one)

    def thread(self, matter, request, member, subject, state, said):
        key = request and request.key
        for thread in self.threads:
            if (thread.matter, thread.request and thread.request.key, thread.member, thread.subject) == (
                    matter, key, member, subject):
                return thread
        self.threads.append(Thread(matter, request, member, subject, state, request or said))
        return self.threads[-1]

    def step(self, thread, one):
        before, step = thread.state, one.word
        until, fault = self.kept_until(thread, one)
        state = self.moved(thread, step)
        fits = state is not ABSENT
        thread.steps.append((one, step, fits))
        if fits and state is not None:
            thread.state, thread.since_ms = state, one.at_ms
            thread.reason = reason(one.name, one.one) if one.one is not None else ""
            thread.until_ms = until if until is not None else thread.until_ms
        if not fits or (step == "still_up" and before in ("removed", "gone")):
            fault = f"{step} after {before or 'nothing that is known here'}"
        if thread.matter == "assessment":
            fault = self.assessed(thread, one)
        if fault:
            thread.contradictions.append(f"{fault}, by {one.sender}")

    def moved(self, thread, step):
        """The next state; none: it stays; ABSENT: it is a contradiction."""
        state, matter = thread.state, thread.matter
        if matter in NEXT:
            to = {"objection": "objected", "clarification": "clarified"}.get(step, step)
            if to in NEXT[matter].get(state, ()):
                return to
            if to == "extension" and state in OVER:
                return ABSENT
            if (state, to) == ("partial", "delivery_ok"):
                return None
            return None if to == state or to in BESIDE or step == "reminder" else ABSENT
        if matter == "assessment" or step.startswith("#"):
            return None
        if matter == "route":
            late = step in ("acknowledged", "triaged") and state not in ("", "offered", "acknowledged")
            return None if late or (state == step and step != "rerouted") else step
        if matter == "takedown":
            return None if state == step else step
        if state == step and step != "shelved":
            return None
        if state == "exonerated" or (
                state == "convicted" and step in ("no_crime", "no_jurisdiction", "insufficient")):
            return ABSENT
        return ABSENT if step == "reopened" and state not in ENDED else step

    def kept_until(self, thread, one):
        """CSE-25."""
        if thread.matter != "preserve" or one.word not in ("in_force", "extended"):
            return None, None
        profile = thread.request.one.profile
        rule = rule_of(profile, "keep" if one.word == "in_force" else "extend")
        start = thread.request.received.get(thread.member) if one.word == "in_force" else thread.until_ms
        until = instant(one.one.until) if one.one.until else None
        if until is None and rule and start is not None:
            until = self.due(rule, start, thread.request.one.time_zone, thread.member)
        before = sum(word == "extended" and fits for _, word, fits in thread.steps)
        times = rule.get("times", 0) if rule else 0
        over = one.word == "extended" and times and before >= times
        return until, f"extended more often than {profile} allows" if over else None

    def due(self, rule, start, zone, member):
        country = self.country(member)
        return due(rule, start, zone_of(zone, country), self.holidays.get(country, ()))

    @staticmethod
    def assessed(thread, last):
        """CSE-18."""
        newest = {(one.sender, one.one.second, one.one.jurisdiction): word for one, word, _ in thread.steps}
        verdicts = sorted(set(newest.values()))
        state = ", ".join(verdicts)
        if state != thread.state:
            thread.state, thread.since_ms = state, last.at_ms
        for one in verdicts:
            if not one.startswith(("baseline", "nationally_illegal")):
                continue
            for other in verdicts:
                here, there = one.split(" ")[1:], other.split(" ")[1:]
                if other.split(" ")[0] == "not_illegal" and (not here or not there or here == there):
                    return f"{one} against {other}"
        return None


def text(value):
    return "-" if value in (None, "") else str(value)


def fold_case(said, members, holidays, now_ms, own=""):
    """What a vector says of a case."""
    fold = Fold(said, members, holidays, now_ms, own)
    due_rows, again = deadlines(fold), reopenings(fold)
    lines = [f"state {state_of(fold, due_rows, again)}"]
    for one in fold.said:
        lines.append(f"said {one.key[1].hex()[:8]} {one.sender} {fold.not_counting.get(one.key, 'counts')}")
    for one in fold.threads:
        request = one.request.key[1].hex()[:8] if one.request else "-"
        lines.append(" ".join(map(text, (
            "thread", one.matter, request, one.member, one.subject, one.state.replace(" ", "_"), one.reason,
            one.since_ms, one.until_ms, "; ".join(one.contradictions)))))
    for one in due_rows:
        lines.append(" ".join(map(text, ("due", one["what"], one["who"], one["profile"], one["from"], one["due"],
                                         one["met"], one["state"].replace(" ", "_"), one["warning"]))))
    lines += [f"reopens {member} {because} {key[1].hex()[:8]}" for member, because, key in again]
    return "\n".join(lines)
