#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Shows that a program's cost is linear in its input: counts the instructions for an
input and for one four times as long, under callgrind. No clock is looked at.

    scripts/check_cost.py PROGRAM

PROGRAM (tests/cost/cost_*.c) lets callgrind dump its counters with a line "NAME PIECE
TIMES BYTES". For each NAME and PIECE (bytes that arrive at a time) TIMES is 1 and 4. Of
the NAME "control" the cost must not be linear: a bound that nothing breaks shows nothing.
"""
import collections
import pathlib
import re
import subprocess
import sys
import tempfile

# How much more each byte may cost in an input four times as long. Linear is 1; what an input begins
# with may be cheaper than what is repeated behind it. Quadratic is 4.
BOUND = 1.15


def dumps_of(program):
    """The line and the instructions of each dump."""
    with tempfile.TemporaryDirectory() as folder:
        ran = subprocess.run(
            ["valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/out",
             "--error-exitcode=99", program],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if ran.returncode:
            sys.exit(f"{program} under valgrind: {ran.returncode}\n{ran.stdout[-3000:]}")
        for dump in pathlib.Path(folder).glob("out.*"):
            text = dump.read_text(errors="replace")
            trigger = re.search(r"^desc: Trigger: Client Request: (.*)", text, re.M)
            if trigger:
                yield trigger[1].split(), int(re.search(r"^(?:totals|summary): (\d+)", text,
                                                        re.M)[1])


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cost = collections.defaultdict(dict)
    for (name, piece, times, size), instructions in dumps_of(sys.argv[1]):
        cost[name, int(piece)][int(times)] = (int(size), instructions)
    bad = 0
    for (name, piece), runs in sorted(cost.items()):
        (size, once), (size4, four) = runs[1], runs[4]
        ratio = (four / size4) / (once / size)
        wrong = (ratio <= BOUND) if name == "control" else (ratio > BOUND)
        print(f"{name}, {min(piece, size4)} bytes at a time: {once} instructions for {size} bytes, "
              f"{four} for {size4}: {four / size4:.1f} a byte, {ratio:.2f} times as much"
              f"{': WRONG' if wrong else ''}")
        bad += wrong
    print(f"{len(cost)} ways to feed compared, {bad} wrong")
    return 1 if bad or not any(name == "control" for name, _ in cost) or len(cost) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
