#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which rows of the protocol's test tables are covered, which are not and why, and
which fail: tests/rows.txt against the names of the tests.

    scripts/rows.py [--root DIR] [REPORT.xml...]

A test covers a row when its name says so: "test T-R5 ..." in tests/sim/*.sim,
T_R5_... or t_r5_... in the name of a Criterion or pytest test or behind the dot of a
test of tests/CMakeLists.txt, "T-R5 ..." at the start of a label in the table of a
Criterion test. With reports of a
run (JUnit, as scripts/test.sh writes them) rows are listed whose tests failed.

Exits 1 when a covered row has lost its test, when a test names a row that does not
exist, or when a row fails. A row that is not covered may have tests of what is there.
"""
import argparse
import collections
import pathlib
import re
import sys
import xml.etree.ElementTree as ElementTree

REASONS = {
    "workers": "needs several worker threads",
    "sm": "needs stream management",
    "bidi": "needs bidirectional streams",
    "dane": "needs DNSSEC",
    "posh": "needs HTTPS look-ups",
    "soak": "runs for a day",
}
IN_TEXT = re.compile(r"T-([A-Z]\d+)\b")
IN_NAME = re.compile(r"(?:^|_)[Tt]_([A-Za-z]\d+)(?=_|$)")
CRITERION = re.compile(r"^(?:Test|Theory|ParameterizedTest)\(([^)]*)", re.M)
PYTEST = re.compile(r"^ *(?:async )?def (test_\w+)", re.M)
LABEL = re.compile(r'"(T-[A-Z]\d+[ "].*)')
PROGRAM = re.compile(r"^\s*add_test\(NAME \w+\.(\w+)", re.M)
SCENARIO = re.compile(r"^\s*test (.*)", re.M)


def in_text(text):
    return {f"T-{row}" for row in IN_TEXT.findall(text)}


def in_name(name):
    return {f"T-{row.upper()}" for row in IN_NAME.findall(name)}


def scenario_rows(title):
    """The ids at the start of a scenario's title; what comes later only refers to them."""
    words = title.split()
    head = next((i for i, word in enumerate(words) if not IN_TEXT.match(word)), len(words))
    return in_text(" ".join(words[:head]))


def rows_read(path):
    rows = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        row, state, about = line.split("\t")
        if row in rows or (state != "covered" and state not in REASONS):
            sys.exit(f"{path}:{number}: {line}")
        rows[row] = state, about
    return rows


def tests_find(root):
    """row -> the tests that bear its id."""
    found = collections.defaultdict(list)
    for pattern, names, rows_of in (
        ("tests/sim/*.sim", SCENARIO, scenario_rows),
        ("tests/unit/*/test_*.c", CRITERION, in_name),
        ("tests/interop/test_*.py", PYTEST, in_name),
        ("tests/CMakeLists.txt", PROGRAM, in_name),
    ):
        for path in sorted(root.glob(pattern)):
            for name in names.findall(path.read_text()):
                name = name.split(",")[-1].strip() if names is CRITERION else name
                for row in rows_of(name):
                    found[row].append(f"{path.relative_to(root)}: {name}")
    for path in sorted(root.glob("tests/unit/*/test_*.c")):
        for label in LABEL.findall(path.read_text()):
            for row in scenario_rows(label.replace('"', " ")):
                found[row].append(f"{path.relative_to(root)}: {label}")
    return found


def failing_find(reports):
    """Rows whose tests failed, by the names in the reports and in the output they hold."""
    failing = set()
    for report in reports:
        for case in ElementTree.parse(report).iter("testcase"):
            if case.get("status") != "fail" and case.find("failure") is None:
                continue
            failing |= in_name(case.get("name", ""))
            output = case.findtext("system-out") or ""
            for line in re.findall(r"^FAILED (.*)", output, re.M):
                failing |= scenario_rows(line)
            for name in re.findall(r"\[FAIL\] (\w+::\w+)", output):
                failing |= in_name(name.split("::")[1])
    return failing


def family(row):
    return row[2]


def main():
    parser = argparse.ArgumentParser(description="coverage of the protocol's rows")
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path("."))
    parser.add_argument("--tests", action="store_true", help="also print each row's tests")
    parser.add_argument("reports", nargs="*")
    args = parser.parse_args()

    rows = rows_read(args.root / "tests/rows.txt")
    tests = tests_find(args.root)
    covered = [row for row in rows if rows[row][0] == "covered"]
    faults = [f"{row} is covered, says tests/rows.txt, but no test bears its id ({rows[row][1]})"
              for row in covered if row not in tests]
    faults += [f"{row} is no row of tests/rows.txt: {tests[row][0]}"
               for row in sorted(set(tests) - set(rows))]
    failing = failing_find(args.reports)
    faults += [f"{row} fails ({rows[row][1]})" for row in rows if row in failing]

    if args.tests:
        for row in rows:
            for test in tests.get(row, []):
                print(f"{row}\t{test}")
    for letter in dict.fromkeys(map(family, rows)):
        of_family = [row for row in rows if family(row) == letter]
        have = [row for row in of_family if rows[row][0] == "covered" and row in tests]
        print(f"T-{letter}: {len(have)} of {len(of_family)} rows covered")
    for reason, words in REASONS.items():
        left = [row for row in rows if rows[row][0] == reason]
        if left:
            print(f"not covered, {words}: {' '.join(left)}")
    part = [row for row in rows if rows[row][0] != "covered" and row in tests]
    if part:
        print(f"of them, in part: {' '.join(part)}")
    have = sum(row in tests for row in covered)
    print(f"{have} of {len(rows)} rows covered, {len(failing)} failing")
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
