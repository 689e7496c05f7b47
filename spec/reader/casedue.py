"""The deadlines of a folded case, and what re-opens: CSE-17, CSE-20 to CSE-28."""

from case import PROFILES, instant, rule_of

DAY = 86_400_000
LATE = {"open", "overdue", "not received"}


def row(fold, place, what, who, profile, start, end, met=None):
    return {"what": what, "who": who, "thread": place, "profile": profile, "from": start, "due": end, "met": met,
            "state": None, "warning": None}


def stand(one, now_ms, moot=False):
    """CSE-27."""
    def late(at):
        return one["due"] is not None and at > one["due"]

    if one["met"] is not None:
        one["state"] = "answered late" if late(one["met"]) else "answered"
    elif moot:
        one["state"] = "moot"
    elif one["from"] is None:
        one["state"] = "not received"
    else:
        one["state"] = "overdue" if late(now_ms) else "open"
    return one


def deadlines(fold):
    found = []
    for place, thread in enumerate(fold.threads):
        find = {"route": route, "takedown": takedown, "preserve": preserve, "produce": produce}.get(thread.matter)
        if find:
            found += find(fold, place, thread)
    found += keepers(fold)
    for one in found:
        if fold.exonerated and one["state"] in LATE:
            one["state"] = "moot"
    order = ["acknowledge", "route", "assess", "answer", "objection", "enforcement", "validation", "keep", "extend",
             "feedback", "takedown"]
    return sorted(found, key=lambda one: (
        one["due"] if one["due"] is not None else 1 << 64, -1 if one["thread"] is None else one["thread"],
        order.index(one["what"]), one["who"]))


def first(thread, words, fits=False):
    return next((one for one, word, fit in thread.steps if word in words and (fit or not fits)), None)


def by_rule(fold, place, profile, rule, who, zone, start):
    end = None if start is None else fold.due(rule, start, zone, who)
    return row(fold, place, rule["what"], who, profile, start, end)


def of_member(fold, member):
    return [one for one in fold.counted if one.sender == member and not one.report]


def route(fold, place, thread):
    offered = [one for one, word, _ in thread.steps if word == "offered"]
    if not offered:
        return []
    # Of several the first that was not taken back.
    report = next((one for one in offered if (one.key, thread.member) not in fold.taken_back), offered[0])
    profile = "report-urgent" if report.lane == "urgent" else "report"
    said = of_member(fold, thread.member)
    decided = first(thread, {"accepted", "declined", "rerouted", "rejected", "duplicate"})
    assessed = next((one for one in said if one.name == "assessment"), None)
    acts = {"acknowledge": said[0] if said else None, "route": decided, "assess": assessed}
    away = thread.state in ("declined", "rerouted", "rejected", "duplicate")
    back = thread.state == "withdrawn"
    found = []
    for rule in PROFILES[profile]["clocks"]:
        one = by_rule(fold, place, profile, rule, thread.member, "", report.received.get(thread.member))
        act = acts[rule["what"]]
        one["met"] = act and act.told(report.sender)
        found.append(stand(one, fold.now_ms, back or (rule["what"] == "assess" and away)))
    return found + feedback(fold, place, thread, report.sender)


def feedback(fold, place, thread, reporter):
    if thread.state != "accepted":
        return []
    outcome = next((one for one in fold.threads if one.matter == "outcome" and one.member == thread.member), None)
    told = [one.told(reporter) for one, _, _ in outcome.steps] if outcome else []
    ended = outcome is not None and outcome.state in (
        "convicted", "no_crime", "no_jurisdiction", "insufficient", "shelved", "exonerated")
    since = thread.since_ms
    for rule in PROFILES["feedback"]["clocks"]:
        one = by_rule(fold, place, "feedback", rule, thread.member, "", thread.since_ms)
        if any(since <= at <= one["due"] for at in told):
            since = one["due"]
            continue
        one["met"] = min((at for at in told if at > one["due"]), default=None)
        return [stand(one, fold.now_ms, ended)]
    return []


def takedown(fold, place, thread):
    notice = first(thread, {"notice_sent"})
    if notice is None:
        return []
    one = by_rule(fold, place, "takedown", rule_of("takedown", "takedown"), notice.sender, "", notice.at_ms)
    away = first(thread, {"removed", "gone", "moved"})
    if away and thread.state in ("removed", "gone", "moved"):
        one["met"] = away.told(notice.sender)
    stand(one, fold.now_ms)
    if thread.state == "stay_up":
        one["state"] = "paused"
    return [one]


def preserve(fold, place, thread):
    request, found = thread.request, []
    over = thread.state in ("released", "converted")
    one = awaited(fold, place, thread, request, request.received.get(thread.member))
    if one["due"] is not None or one["from"] is None:
        answer = first(thread, {"in_force", "not_possible", "extended"}, True)
        one["met"] = answer and answer.told(request.sender)
        found.append(stand(one, fold.now_ms, over))
    ask = next((one for one, word, fits in reversed(thread.steps) if word == "extension" and fits), None)
    one = ask and awaited(fold, place, thread, ask, ask.received.get(thread.member))
    if one and (one["due"] is not None or one["from"] is None):
        one["what"] = "extend"
        after = next((one for one, word, fits in thread.steps
                      if fits and one.at_ms >= ask.at_ms and word in ("extended", "not_possible", "expired")), None)
        one["met"] = after and after.told(request.sender)
        found.append(stand(one, fold.now_ms, over))
    if thread.until_ms is not None:
        start = request.received.get(thread.member)
        one = row(fold, place, "keep", request.sender, request.one.profile,
                  thread.since_ms if start is None else start, thread.until_ms)
        stand(one, fold.now_ms, over or thread.state == "expired")
        if one["state"] == "open":
            left = thread.until_ms - fold.now_ms
            one["warning"] = next((days for days in (2, 7, 14) if left <= days * DAY), None)
        found.append(one)
    return found


def awaited(fold, place, thread, said, start):
    """By when what the asker says is to be answered: CSE-24."""
    request, member = thread.request, thread.member
    rule = rule_of(request.one.profile, "answer")
    if rule:
        one = by_rule(fold, place, request.one.profile, rule, member, request.one.time_zone, start)
    else:
        one = row(fold, place, "answer", member, "reply-by", said.received.get(member), said.reply_by_ms)
    if one["from"] is not None and said.reply_by_ms:
        one["due"] = max(one["due"] or 0, said.reply_by_ms)
    return one


def produce(fold, place, thread):
    request, member = thread.request, thread.member
    profile, asker, authority = request.one.profile, request.sender, fold.authority(request)
    found, over = answer(fold, place, thread), thread.state == "withdrawn"

    def done(words):
        step = first(thread, words)
        return step and step.told(asker)

    rule = rule_of(profile, "objection")
    if rule and authority:
        one = by_rule(fold, place, profile, rule, authority, "", request.received.get(authority))
        one["met"] = done({"objection", "no_objection"})
        stand(one, fold.now_ms, over)
        if one["state"] == "overdue":
            one["state"] = "moot"
        found.append(one)
    rule, enforced = rule_of(profile, "enforcement"), first(thread, {"enforcement"}, True)
    if rule and enforced:
        one = by_rule(fold, place, profile, rule, authority, "", enforced.told(authority))
        answered = first(thread, {"recognised", "objection"}, True)
        one["met"] = answered and answered.told(asker)
        found.append(stand(one, fold.now_ms, over))
    rule = rule_of(profile, "validation")
    if rule and request.one.validation_follows:
        one = by_rule(fold, place, profile, rule, asker, "", request.created_ms)
        one["met"] = done({"validated"})
        found.append(stand(one, fold.now_ms, over))
    return found


def answer(fold, place, thread):
    """CSE-24."""
    request, member = thread.request, thread.member
    clear = [one for one, word, fits in thread.steps if word == "clarification" and fits]
    start = clear[-1].told(member) if clear else request.received.get(member)
    one = awaited(fold, place, thread, request, start)
    given = [instant(step.one.deadline) for step, word, _ in thread.steps if word == "new_deadline"]
    if given:
        one["due"] = given[-1]
    if one["due"] is None and one["from"] is not None:
        return []
    done = first(thread, {"delivered", "non_execution", "refused"}, True)
    if done and thread.state != "delivery_error":
        one["met"] = done.told(request.sender)
    stand(one, fold.now_ms, thread.state in ("withdrawn", "objected"))
    if thread.state == "clarify":
        one["state"] = "paused"
    return [one]


def keepers(fold):
    found, rule = [], rule_of("us-report-act", "keep")
    for one in fold.said:
        party = fold.members.get(one.sender, {})
        if one.report and not one.otherwise and party.get("platform") and party.get("country") == "US":
            entry = row(fold, None, "keep", one.sender, "us-report-act", one.created_ms,
                        fold.due(rule, one.created_ms, "", one.sender))
            entry["state"] = "moot" if entry["due"] < fold.now_ms else "open"
            # CSE-20: what is filed on one day is kept by one clock.
            if all((one["who"], one["due"]) != (entry["who"], entry["due"]) for one in found):
                found.append(entry)
    return found


def reopenings(fold):
    """CSE-17."""
    found = []
    for thread in fold.threads:
        if thread.matter != "outcome" or thread.state != "shelved":
            continue
        causes = []

        def after(matter):
            return [(one, word) for other in fold.threads if other.matter == matter for one, word, fits in other.steps
                    if fits and one.told(thread.member) > thread.since_ms]

        for one, word in after("produce"):
            if thread.reason in ("no_cooperation", "data_expired", "insufficient_data") and word in (
                    "partial", "delivered"):
                causes.append((one.told(thread.member), one.key, "data_delivered"))
            if thread.reason == "mla_pending" and word in ("partial", "delivered", "non_execution", "refused"):
                causes.append((one.told(thread.member), one.key, "mla_answered"))
        if thread.reason == "not_illegal":
            causes += [(one.told(thread.member), one.key, "assessed_anew") for one, word in after("assessment")
                       if word.startswith(("baseline", "nationally_illegal"))]
        causes += [(one.told(thread.member), one.key, "new_match") for one in fold.said
                   if one.report and not one.otherwise and one.told(thread.member) > thread.since_ms]
        causes += [(one.told(thread.member), one.key, "new_match") for one, word in after("route")
                   if one.name == "duplicate_of" and one.sender != thread.member]
        if causes:
            _, key, because = min(causes, key=lambda cause: cause[:2])
            found.append((thread.member, because, key))
    return found


def state_of(fold, due_rows, again):
    """CSE-28."""
    if fold.exonerated:
        return "exonerated"
    is_nobodys = fold.nobodys()
    if is_nobodys and fold.knows_all():
        return "nobody"
    if again:
        return "reopens"
    if any(one["state"] == "overdue" for one in due_rows):
        return "overdue"
    if is_nobodys:
        return "declined"
    routes = [one.state for one in fold.threads if one.matter == "route"]
    if routes and all(state == "withdrawn" for state in routes):
        return "withdrawn"
    states = [one.state for one in fold.threads if one.matter == "outcome"]
    if not states:
        return "open"
    if all(state == "shelved" for state in states):
        return "shelved"
    ended = {"convicted", "no_crime", "no_jurisdiction", "insufficient", "shelved", "exonerated"}
    return "closed" if all(state in ended for state in states) else "open"
