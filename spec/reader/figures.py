"""Figures: counted, hidden, noised, read and added up anew. Chapter STA."""

import hashlib
import hmac
import re
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import protobuf
from refused import Refused, require

AXES = ["month", "category", "country", "role", "outcome", "overdue", "lane"]
BASE, NOISE_MAX, VALUES_MAX, MONTHS_MAX = 5, 2, 128, 24
BYTES_MAX = 1_048_576
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
VALUE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,199}")
NAME = re.compile(r"[a-z0-9.-]{1,64}")
TYPE_TABLE = "application/vnd.frex.statistics-table.v1+protobuf"


# Months. STA-5, STA-6.

def next_month(month):
    year, number = int(month[:4]), int(month[5:])
    return f"{year + number // 12:04}-{number % 12 + 1:02}"


def months_of(first, last):
    require(MONTH.fullmatch(first) and MONTH.fullmatch(last) and "1970" <= first[:4] and first <= last, "Period")
    months = [first]
    while months[-1] < last:
        require(len(months) < MONTHS_MAX, "Period")
        months.append(next_month(months[-1]))
    return months


def month_of(ms, zone):
    try:
        place = ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as cause:
        raise Refused("UnknownZone") from cause
    return datetime.fromtimestamp(ms / 1000, timezone.utc).astimezone(place).strftime("%Y-%m")


# Noise and rounding. STA-17 to STA-20.

def record_key(secret, record):
    return int.from_bytes(mac(secret, b"frex/v1/statistics-record\0" + record)[:8], "big")


def mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def noise(secret, measure, records):
    cell = sum(record_key(secret, record) for record in records) % 2**64
    drawn = mac(secret, b"frex/v1/statistics-noise\0" + bytes([measure]) + cell.to_bytes(8, "big"))
    first, second = int.from_bytes(drawn[:4], "big"), int.from_bytes(drawn[4:8], "big")
    return first % (NOISE_MAX + 1) + second % (NOISE_MAX + 1) - NOISE_MAX


def rounded(figure):
    return (figure + BASE // 2) // BASE * BASE


def smallest(threshold):
    return -(-threshold // BASE) * BASE


def shown(figure, drawn, threshold):
    return max(rounded(max(figure + drawn, 0)), smallest(threshold))


# Facts. STA-7.

def only(said):
    said = sorted(set(one if VALUE.fullmatch(one) else "other" for one in said))
    return said[0] if len(said) == 1 else "several" if said else "none"


def value(fact, axis, zone):
    if axis == "month":
        return month_of(fact["logged_ms"], zone)
    if axis == "overdue":
        return "yes" if fact["overdue"] else "no"
    if axis == "outcome":
        return "shelved" if fact["shelved"] else only([fact["outcome"]] if fact["outcome"] else [])
    if axis == "lane":
        return only([fact["lane"]] if fact["lane"] else [])
    return only(fact[axis])


# Folding. STA-11, STA-12.

def fold_values(values, threshold, before):
    counts = {}
    for one in values:
        counts[one] = counts.get(one, 0) + 1
    kept = {one: count for one, count in counts.items()
            if one != "other" and count >= threshold and (before is None or one in before)}
    other, folded = sum(counts.values()) - sum(kept.values()), len(kept) < len(counts)
    for one in sorted(kept, key=lambda one: (kept[one], one.encode())):
        if not ((folded and other < threshold) or len(kept) >= VALUES_MAX):
            break
        other, folded = other + kept.pop(one), True
    labels = sorted(kept, key=str.encode) + (["other"] if folded else [])
    return labels, {one: one if one in kept else "other" for one in counts}


def fold_months(values, months, threshold, before):
    joined = []
    for label in before or months:
        first, last = label.split("/")[0], label.split("/")[-1]
        count = sum(first <= one <= last for one in values)
        if joined and joined[-1][2] < threshold:
            joined[-1] = (joined[-1][0], last, joined[-1][2] + count)
        else:
            joined.append((first, last, count))
    if len(joined) > 1 and joined[-1][2] < threshold:
        _, last, count = joined.pop()
        joined[-1] = (joined[-1][0], last, joined[-1][2] + count)
    labels = [first if first == last else f"{first}/{last}" for first, last, _ in joined]
    return labels, {month: label for month in months for label, (first, last, _) in zip(labels, joined)
                    if first <= month <= last}


# Hiding. STA-13, STA-14.

def protect(sizes, places, crossings, month, threshold, forced):
    found = [hide(sizes, places, crossings, number, set(range(len(crossings))), threshold, forced)
             for number in range(len(crossings))]
    if all(one is not None for one in found):
        return found
    stars = {number for number, crossing in enumerate(crossings) if month in crossing}
    return [hide(sizes, places, crossings, number, stars, threshold, forced) if number in stars else None
            for number in range(len(crossings))]


def hide(sizes, places, crossings, number, shown_ones, threshold, forced):
    """The cells of one crossing that are shown; none if it is withdrawn."""
    first, second = crossings[number]
    rows, columns = sizes[first], sizes[second]
    others = [crossings[other] for other in shown_ones if other != number]
    cells = {(a, b): [] for a in range(rows) for b in range(columns)}
    for place in places:
        cells[place[first], place[second]].append(place)
    if rows < 2 or columns < 2:
        return set(cells)

    def classes(axis):
        fixed = sorted({one for pair in others if axis in pair for one in pair if one != axis})
        found = {}
        for cell, held in cells.items():
            kinds = {}
            for place in held:
                kind = tuple(place[one] for one in fixed)
                kinds[kind] = kinds.get(kind, 0) + 1
            found[cell] = kinds
        return found

    alike = [classes(first), classes(second)]

    def pairs(kinds, one, other):
        return sum(min(count, kinds[other].get(kind, 0)) for kind, count in kinds[one].items())

    def width(a, b, c, d):
        return max(pairs(kinds, (a, b), (c, d)) + pairs(kinds, (c, b), (a, d)) for kinds in alike)

    hidden = {cell for cell, held in cells.items() if len(held) < threshold or forced(number, *cell)}
    safe = set()
    for a, b in sorted(hidden):
        if (a, b) in safe:
            continue
        best = None
        for c, d in sorted(cells):
            if c == a or d == b:
                continue
            corners = [(a, b), (c, d), (c, b), (a, d)]
            opened = [cell for cell in corners if cell not in hidden]
            cost = (sum(len(cells[cell]) for cell in opened), len(opened), c, d)
            if (best is None or cost < best[0]) and width(a, b, c, d) >= threshold:
                best = (cost, corners)
        if best is None:
            return None
        hidden.update(best[1])
        safe.update(best[1])
    return set(cells) - hidden


def line(figures, threshold):
    """STA-15: which figures of a line are shown."""
    opened = [figure >= threshold for figure in figures]
    hidden = [figure for figure in figures if figure < threshold]
    for at in sorted((at for at, one in enumerate(opened) if one), key=lambda at: (figures[at], at)):
        if not hidden or (len(hidden) >= 2 and sum(hidden) >= threshold):
            break
        opened[at] = False
        hidden.append(figures[at])
    return opened


# A table. STA-4 to STA-24.

def median(lasted, threshold):
    if not lasted or len(lasted) < threshold:
        return None
    lasted = sorted(lasted)
    low, high = lasted[(len(lasted) - 1) // 2], lasted[len(lasted) // 2]
    return (low + (high - low) // 2 + 180_000) // 360_000


def measure(facts, threshold):
    counted = [fact for fact in facts if not fact["duplicate"]]
    alone = sum(fact["incident"] is None for fact in counted)
    lasted = [[max(fact[name] - fact["filed_ms"], 0) for fact in facts if fact[name] is not None]
              for name in ("accepted_ms", "opened_ms", "acted_ms")]
    return {
        "reports": len(facts),
        "incidents": alone + len({fact["incident"] for fact in counted} - {None}),
        "accounts": sum(fact["accounts"] for fact in facts), "items": sum(fact["items"] for fact in facts),
        "medians": [median(one, threshold) for one in lasted],
    }


def share(part, whole):
    return None if part is None or not whole else min((part * 200 + whole) // (whole * 2), 100)


def table_lines(facts, secret, months, zone, threshold, crossings, exact_from, before=None):
    """Every row of a table as text; and axes and rows, by which a revision goes on."""
    unique = {}
    for fact in sorted(facts, key=lambda fact: (fact["record"], fact["entry"])):
        unique.setdefault(fact["record"], fact)
    facts = [fact for fact in unique.values() if value(fact, "month", zone) in months]
    names = [axis for axis in AXES if axis == "month" or any(axis in pair for pair in crossings)]
    if len(facts) < threshold:
        return ["total x x x x x x x x x"], {}, {}
    axes, at = {}, [{} for _ in facts]
    for axis in names:
        said = [value(fact, axis, zone) for fact in facts]
        known = before[0].get(axis) if before and before[0] else None
        if axis == "month":
            labels, folded = fold_months(said, months, threshold, known)
        else:
            labels, folded = fold_values(said, threshold, known)
        axes[axis] = labels
        for place, one in zip(at, said):
            place[axis] = folded[one]
    rows = {}

    def cell(where):
        return [fact for fact, place in zip(facts, at) if all(place[axis] == one for axis, one in where)]

    def figure(number, held, of):
        return shown(of, noise(secret, number, [bytes.fromhex(fact["record"]) for fact in held]), threshold)

    def row(where, opened):
        held = cell(where)
        of = measure(held, threshold)
        rows[where] = [figure(1, held, of["reports"])] + [
            figure(number, held, of[name]) if one else None
            for number, name, one in zip((2, 3, 4), ("incidents", "accounts", "items"), opened)] + of["medians"]

    of = measure(facts, threshold)
    row((), [of[name] >= threshold for name in ("incidents", "accounts", "items")])
    if exact_from and of["reports"] >= exact_from:
        rows[()][0] = of["reports"]
    for axis, labels in axes.items():
        held = [measure(cell(((axis, one),)), threshold) for one in labels]
        opened = [line([one[name] for one in held], threshold) if rows[()][place] is not None else [False] * len(held)
                  for place, name in ((1, "incidents"), (2, "accounts"), (3, "items"))]
        for place, one in enumerate(labels):
            row(((axis, one),), [column[place] for column in opened])
    places = [[axes[axis].index(place[axis]) for axis in names] for place in at]
    pairs = [(names.index(first), names.index(second)) for first, second in crossings]

    def forced(number, a, b):
        if not before or not before[0]:
            return False
        (first, second), known = crossings[number], before[0]
        one, other = axes[first][a], axes[second][b]
        told = one in known.get(first, []) and other in known.get(second, [])
        return told and ((first, one), (second, other)) not in before[1]

    opened = protect([len(axes[axis]) for axis in names], places, pairs, names.index("month"), threshold, forced)
    for (first, second), cells in zip(crossings, opened):
        for a, b in sorted(cells or []):
            where = ((first, axes[first][a]), (second, axes[second][b]))
            held = cell(where)
            rows[where] = [figure(1, held, len(held))]
    text = []
    for where, figures in rows.items():
        name = " ".join(f"{axis}={one}" for axis, one in where) or "total"
        if len(where) < 2:
            figures = figures + [share_of(rows, where, "overdue", "yes"), share_of(rows, where, "outcome", "shelved")]
        text.append(" ".join([name, *("x" if one is None else str(one) for one in figures)]))
    for (first, second), cells in zip(crossings, opened):
        if cells is None:
            text.append(f"withdrawn {first} {second}")
    return text, axes, set(rows)


def share_of(rows, where, axis, one):
    if any(axis == name for name, _ in where):
        return None
    wanted = {*where, (axis, one)}
    part = next((figures[0] for place, figures in rows.items() if set(place) == wanted), None)
    return share(part, rows[where][0])


# What figures say of each other. STA-26 to STA-28.

def read_table(data):
    require(len(data) <= BYTES_MAX, "TooLarge")
    message = protobuf.decode(protobuf.STATISTICS_MESSAGE, data)
    require(message.table is not None, "Malformed")
    signed = protobuf.decode(protobuf.SIGNED, message.table)
    require(signed.payload_type == TYPE_TABLE and signed.batch is None, "Malformed")
    table = protobuf.decode(protobuf.STATISTICS_TABLE, signed.payload)
    check_form(table)
    return table, hashlib.sha256(signed.payload).hexdigest()


def check_form(table):
    require(table.range is not None and table.control is not None, "Malformed")
    control = table.control
    require(control.threshold >= 5, "Threshold")
    require(control.base == BASE and control.noise_max == NOISE_MAX and control.threshold <= 1000, "Malformed")
    names = NAME.fullmatch(table.federation) and NAME.fullmatch(table.member)
    require(names and re.fullmatch(r"[a-z0-9._-]{1,64}", table.definition_id), "Malformed")
    require(re.fullmatch(r"[A-Za-z0-9_+/-]{1,64}", table.zone), "Malformed")
    require(table.definition_version > 0 and table.revision > 0, "Malformed")
    require(len(table.definition_sha256) == 32 and len(table.records_sha256) == 32, "Malformed")
    require(len(table.supersedes) == (0 if table.revision == 1 else 32), "Malformed")
    require(table.range.first <= table.range.end and len(table.range.checkpoint) <= 8192, "Malformed")
    require(len(control.noise_key_id) == 8, "Malformed")
    months = months_of(table.first_month, table.last_month)
    last = -1
    for one in table.axes:
        require(one.axis in AXES, "Malformed")
        require(0 < len(one.values) <= VALUES_MAX, "TooLarge")
        require(AXES.index(one.axis) > last and len(set(one.values)) == len(one.values), "Malformed")
        require(all(VALUE.fullmatch(label) for label in one.values), "Malformed")
        if one.axis == "month":
            check_months(one.values, months)
        last = AXES.index(one.axis)
    check_crossings(table)
    check_rows(table)


def check_months(labels, months):
    rest = list(months)
    for label in labels:
        first, _, last = label.partition("/")
        last = last or first
        for month in (first, last):
            require(MONTH.fullmatch(month), "Period")
        require(rest and first == rest[0] and last in rest, "Malformed")
        del rest[: rest.index(last) + 1]
    require(not rest, "Malformed")


def check_crossings(table):
    told, seen = {one.axis for one in table.axes}, set()
    for one in table.crossings:
        pair = frozenset((one.first, one.second))
        require(len(pair) == 2 and pair <= set(AXES) and pair not in seen, "Malformed")
        require(one.withdrawn or pair <= told, "Malformed")
        seen.add(pair)


MORE = ("incidents", "accounts", "items", "accepted_tenths", "opened_tenths", "acted_tenths",
        "overdue_percent", "shelved_percent")


def check_rows(table):
    values = {one.axis: list(one.values) for one in table.axes}
    order = list(values)
    last, lines = None, 0
    for row in table.rows:
        require(all(place.value in values.get(place.axis, []) for place in row.at) and len(row.at) < 3, "Malformed")
        at = [values[place.axis].index(place.value) for place in row.at]
        if len(row.at) < 2:
            where = (len(row.at), *(order.index(place.axis) for place in row.at), *at)
            lines += 1
        else:
            pairs = [(one.first, one.second) for one in table.crossings if not one.withdrawn]
            pair = (row.at[0].axis, row.at[1].axis)
            all_pairs = [(one.first, one.second) for one in table.crossings]
            require(pair in pairs, "Malformed")
            where = (2, all_pairs.index(pair), *at)
            require(all(getattr(row, name) is None for name in MORE), "Malformed")
        require(not row.at or row.reports is not None, "Malformed")
        require(last is None or last < where, "Malformed")
        last = where
    require(lines == 1 + sum(map(len, values.values())), "Malformed")


def judge_figures(table):
    threshold, least = table.control.threshold, smallest(table.control.threshold)
    for row in table.rows:
        exact = not row.at and table.control.exact_from and (row.reports or 0) >= table.control.exact_from
        figures = [row.incidents, row.accounts, row.items] + ([] if exact else [row.reports])
        for figure in figures:
            require(figure is None or figure >= least, "Small")
            require(figure is None or figure % BASE == 0, "NotRounded")
        medians = (row.accepted_tenths, row.opened_tenths, row.acted_tenths)
        require(row.reports is not None or all(one is None for one in medians), "Small")
    error = NOISE_MAX + BASE // 2 + least - threshold
    lines = list(lines_of(table))
    for figures, total, overlap in lines:
        if total is None:
            require(all(one is None for one in figures), "NotAdditive")
            continue
        summed, slack = sum(one or 0 for one in figures), error * (len(figures) + 1)
        require(overlap or summed <= total + slack, "NotAdditive")
        require(None in figures or summed + slack >= total, "NotAdditive")
    require(not any(total is not None and figures.count(None) == 1 for figures, total, _ in lines), "Alone")
    rows = {tuple((place.axis, place.value) for place in row.at): row for row in table.rows}
    reports = {where: [row.reports] for where, row in rows.items()}
    for where, row in rows.items():
        for name, axis, one in (("overdue_percent", "overdue", "yes"), ("shelved_percent", "outcome", "shelved")):
            wanted = share_of(reports, where, axis, one) if len(where) < 2 else None
            require(getattr(row, name) == wanted, "Share")


def lines_of(table):
    values = {one.axis: list(one.values) for one in table.axes}
    rows = {tuple((place.axis, place.value) for place in row.at): row for row in table.rows}
    if () not in rows:
        return
    for axis, labels in values.items():
        for name in ("reports", "incidents", "accounts", "items"):
            yield ([getattr(rows[(axis, one),], name) for one in labels], getattr(rows[()], name),
                   name == "incidents")
    for crossing in table.crossings:
        if crossing.withdrawn:
            continue
        first, second = crossing.first, crossing.second

        def cell(one, other):
            row = rows.get(((first, one), (second, other)))
            return row.reports if row else None

        for one in values[first]:
            yield [cell(one, other) for other in values[second]], rows[(first, one),].reports, False
        for other in values[second]:
            yield [cell(one, other) for one in values[first]], rows[(second, other),].reports, False


# Sums. STA-31, STA-35.

def commitment(label, salt, round_id, member, to, values):
    def named(name):
        return len(name).to_bytes(2, "big") + name.encode()

    return mac(salt, label + round_id + named(member) + named(to) + values)


def totals(parts, axes, threshold, exact_from):
    sums = [sum(column) % 2**64 for column in zip(*parts)]
    opened = sums[0] >= threshold

    exact = exact_from and sums[0] >= exact_from
    text = ["total " + (str(sums[0] if exact else shown(sums[0], 0, threshold)) if opened else "x")]
    at = 1
    for axis, labels in axes:
        figures = sums[at : at + len(labels)]
        at += len(labels)
        shown_ones = line(figures, threshold) if opened else [False] * len(labels)
        text += [f"{axis}={label} " + (str(shown(figure, 0, threshold)) if show else "x")
                 for label, figure, show in zip(labels, figures, shown_ones)]
    return text


def change(before, after):
    require(before >= 50, "Base")
    size = (abs(after - before) * 200 + before) // (before * 2)
    sign = "+" if after > before else "-"
    return f"{sign}{size} %" if size else "0 %"
