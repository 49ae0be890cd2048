#!/usr/bin/env python3
"""Checks that each row of docs/compatibility.md names a test, and that the tests it names are there."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def tests():
    """GoogleTest's as Suite.Name, pytest's functions, and files by their paths in the repository and below src/."""
    found = set()
    for folder in ("src", "tests"):
        for path in (ROOT / folder).rglob("*"):
            relative = path.relative_to(ROOT)
            if path.name.endswith("_test.cc"):
                for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", path.read_text(), re.MULTILINE):
                    found.add(f"{suite}.{name}")
            elif re.fullmatch(r"test_\w+\.py", path.name):
                found.update(re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE))
            else:
                continue
            found.update({str(relative), str(relative).removeprefix("src/")})
    return found


def main():
    known, problems = tests(), []
    for number, line in enumerate((ROOT / "docs/compatibility.md").read_text().splitlines(), 1):
        named = re.findall(r"`([A-Z]\w+\.[A-Z]\w+|test_\w+|[\w/]+/(?:\w+_test\.cc|test_\w+\.py))`", line)
        problems += [f"{number}: there is no test {name}" for name in named if name not in known]
        is_row = line.startswith("| ") and not line.startswith("| ---") and not line.split(" | ")[0][2:] in HEADINGS
        if is_row and not named and "the same" not in line:
            problems.append(f"{number}: the row names no test")
    for problem in problems:
        print(f"docs/compatibility.md:{problem}", file=sys.stderr)
    return 1 if problems else 0


# The first cells of rows that are headings.
HEADINGS = ("file", "here", "what Slipway writes")

sys.exit(main())
