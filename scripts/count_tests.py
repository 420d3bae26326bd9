#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Adds up JUnit reports (ctest's and pytest's) and prints "N passed, N failed".

A report that is missing or broken counts as one failure: its runner died.
Exits non-zero when something failed or when no test ran.
"""

import sys
import xml.etree.ElementTree as ElementTree


def outcome(case):
    """What became of one testcase: passed, failed or skipped."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    # ctest says it in an attribute, pytest with an element.
    if case.find("skipped") is not None:
        return "skipped"
    if case.get("status") in ("notrun", "disabled"):
        return "skipped"
    if case.get("status") == "fail":
        return "failed"
    return "passed"


def main(paths):
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    for path in paths:
        try:
            cases = list(ElementTree.parse(path).iter("testcase"))
        except (OSError, ElementTree.ParseError) as error:
            print(f"{path}: {error}", file=sys.stderr)
            counts["failed"] += 1
            continue
        for case in cases:
            counts[outcome(case)] += 1
    line = f"{counts['passed']} passed, {counts['failed']} failed"
    if counts["skipped"]:
        line += f", {counts['skipped']} skipped"
    print(line)
    if counts["failed"]:
        return 1
    if not counts["passed"]:
        print("no test ran", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
