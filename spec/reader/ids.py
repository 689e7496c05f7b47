#!/usr/bin/env python3
"""Checks that every requirement has one ID and that nothing cites an ID that does not exist."""

import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "spec"
ID = r"(?:LIM|LBL|WIR|ERR|KEY|SIG|ENV|LOG|RCP|ROS|TLS|TRN|SES|DEL|NOD|CLI|JRN|FIL|REP|MBR|JOI|DIS|ADM|ATT|RCL|WIT|AUD|EVD|BAK|ERA|MOD|RTE|CSE|DCF|STA)-[0-9]+"
DEFINED = re.compile(rf"\*\*({ID})\*\*")
CITED = re.compile(rf"\b({ID})\b")
MUST = re.compile(r"\b(MUST|SHALL)\b")


def paragraphs(text):
    """Paragraphs and table rows of a chapter, code blocks left out."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for block in re.split(r"\n\s*\n", text):
        if block.lstrip().startswith("|"):
            yield from block.splitlines()
        else:
            yield from re.split(r"\n(?=[0-9]+\. )", block)


def defined(problems):
    found = {}
    for chapter in sorted(SPEC.glob("[0-9]*.md")):
        for block in paragraphs(chapter.read_text("utf-8")):
            ids = DEFINED.findall(block)
            if MUST.search(block) and not ids:
                problems.append(f"{chapter.name}: no ID: {' '.join(block.split())[:80]}")
            for name in ids:
                if name in found:
                    problems.append(f"{name} stands in {found[name]} and in {chapter.name}")
                found[name] = chapter.name
    return found


def cited(problems, known):
    """IDs that tests and code cite."""
    found = set()
    places = [*ROOT.glob("*/src/**/*.rs"), *ROOT.glob("*/tests/**/*.rs"), *SPEC.glob("**/*.md")]
    places += [*ROOT.glob("*.md"), *ROOT.glob("*/schema/**/*.proto")]
    for place in places:
        for name in CITED.findall(place.read_text("utf-8")):
            if name not in known:
                problems.append(f"{place.relative_to(ROOT)} cites {name}, which does not exist")
            elif place.suffix == ".rs":
                found.add(name)
    for place in SPEC.glob("vectors/*/*.json"):
        name = json.loads(place.read_text("utf-8"))["spec"]
        if name not in known:
            problems.append(f"{place.relative_to(ROOT)} tests {name}, which does not exist")
        found.add(name)
    return found


def main():
    problems = []
    known = defined(problems)
    used = cited(problems, known)
    for problem in problems:
        print(problem)
    rest = [name for name in known if name not in used]
    print(f"{len(known)} requirements, {len(known) - len(rest)} cited by code, tests or vectors")
    if "--rest" in sys.argv:
        print("not cited:", " ".join(rest))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
