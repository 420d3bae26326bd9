#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that the scanner's checks are tested: builds the scanner without each of those
that xml/check.h names, one at a time. tests/unit/xml/test_scan_check.c has rows of the
same names, and the rows with that name must then fail, in each of the ways to feed.

    scripts/break_scanner.py [--build DIR] [--junit REPORT.xml] [CHECK...]

Only what makes the check is compiled again. All else, the tests included, is taken from
DIR (build/release), which must be built. What is made goes to build/broken-scanner.
"""
import argparse
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

OUT = pathlib.Path("build/broken-scanner")
TEST = "scan_check"
WAYS = ("whole", "byte by byte")  # as in that test
LIBRARIES = ("libsluice_base.a",)
PACKAGES = ("criterion", "libxml-2.0", "libidn2")
SECONDS = 60  # a scanner that no longer ends is noticed, too


def run(*command, **options):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", **options)


def names_of_checks():
    names = re.findall(r"^\tCHECK_(\w+),", pathlib.Path("xml/check.h").read_text(), re.M)
    return [name for name in names if name != "NOTHING"]


@functools.lru_cache(None)
def text_with_headers(path):
    """A source of xml/ with the headers of xml/ that it includes, but check.h."""
    text = path.read_text()
    for header in re.findall(r'^#include "(xml/(?!check)\w+\.h)"', text, re.M):
        text += text_with_headers(pathlib.Path(header))
    return text


def sources_of(check):
    return [path for path in sorted(pathlib.Path("xml").glob("*.c"))
            if f"CHECKED({check})" in text_with_headers(path)]


class Builder:
    def __init__(self, build):
        self.build = build
        try:
            entries = json.loads((build / "compile_commands.json").read_text())
        except OSError as error:
            sys.exit(f"{error}: build {build} first")
        self.commands = {pathlib.Path(e["file"]): e for e in entries if "xml.dir" in e["command"]}
        test = build / f"tests/CMakeFiles/unit_xml_{TEST}.dir/unit/xml/test_{TEST}.c.o"
        libraries = [build / name for name in LIBRARIES]
        packages = run("pkg-config", "--libs", *PACKAGES, check=True).stdout.split()
        self.others = [test, *libraries, *packages]
        for path in [test, *libraries]:
            if not path.exists():
                sys.exit(f"{path} is not there: build {build} first")

    def object(self, source, folder, *flags):
        """Compiled as in the build, but quickly: -O0 comes last."""
        entry = self.commands[source.resolve()]
        target = folder.resolve() / f"{source.stem}.o"
        words = shlex.split(entry["command"])
        words[words.index("-o") + 1] = str(target)
        made = run(*words, "-O0", "-U_FORTIFY_SOURCE", "-w", *flags, cwd=entry["directory"])
        if made.returncode:
            raise RuntimeError(made.stdout[-3000:])
        return target

    def compile(self, check, sources):
        folder = OUT / check
        folder.mkdir(parents=True, exist_ok=True)
        return {s: self.object(s, folder, f"-DSCAN_WITHOUT={check}") for s in sources}

    def program(self, check, objects):
        program = OUT / check / "tests"
        made = run("cc", "-o", program, *objects.values(), *self.others)
        if made.returncode:
            raise RuntimeError(made.stdout[-3000:])
        return program


def play(program):
    """Whether the tests pass, and what they say."""
    tests = subprocess.Popen([program, "--jobs=1", "--color=never"], stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, text=True, errors="replace",
                             start_new_session=True)
    try:
        output = tests.communicate(timeout=SECONDS)[0]
    except subprocess.TimeoutExpired:
        os.killpg(tests.pid, signal.SIGKILL)
        tests.communicate()
        return False, "does not end"
    return tests.returncode == 0, output


def complaints_of(check, output):
    """The first complaint of the rows of that check for each way to feed; a crash has no row."""
    crash = re.search(r"^\[----\] .*(?:CRASH|Unexpected signal).*|does not end", output, re.M)
    for way in WAYS:
        told = re.search(rf"^\[----\] +({check}, {way}: .*)", output, re.M)
        if told or crash:
            yield told[1] if told else crash[0]


def judge(builder, whole, check):
    """What noticed that the check is gone, and what is wrong: one of the two."""
    sources = sources_of(check)
    if not sources:
        return None, "is named in xml/check.h and made nowhere"
    try:
        program = builder.program(check, {**whole, **builder.compile(check, sources)})
    except RuntimeError as error:
        return None, str(error)
    passed, output = play(program)
    complaints = list(complaints_of(check, output))
    if passed or len(complaints) < len(WAYS):
        return None, f"no row of that name fails without it (of two ways {len(complaints)})"
    return complaints[0], None


def main():
    parser = argparse.ArgumentParser(description="no check of the scanner without a test")
    parser.add_argument("--build", type=pathlib.Path, default="build/release")
    parser.add_argument("--junit", type=pathlib.Path)
    parser.add_argument("checks", nargs="*")
    args = parser.parse_args()
    os.chdir(pathlib.Path(__file__).resolve().parent.parent)
    builder = Builder(args.build)
    whole = builder.compile("NOTHING", sorted(pathlib.Path("xml").glob("*.c")))
    passed, output = play(builder.program("NOTHING", whole))
    if not passed:
        sys.exit(f"with all checks in place the tests fail:\n{output[-3000:]}")
    checks = args.checks or names_of_checks()
    suite = ElementTree.Element("testsuite", name="checks of the scanner left out")
    bad = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        judged = pool.map(lambda check: judge(builder, whole, check), checks)
        for check, (noticed, wrong) in zip(checks, judged):
            case = ElementTree.SubElement(suite, "testcase", name=check)
            print(f"{check}: {wrong}" if wrong else noticed, flush=True)
            if wrong:
                ElementTree.SubElement(case, "failure").text = wrong
                bad += 1
    if args.junit:
        ElementTree.ElementTree(suite).write(args.junit)
    print(f"{len(checks)} checks left out, {bad} not noticed")
    return 1 if bad or not checks else 0


if __name__ == "__main__":
    sys.exit(main())
