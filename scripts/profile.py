#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Instructions per routed stanza, by function: two runs of the same load under callgrind that
differ only in the number of stanzas, subtracted. Start-up, verification and everything else that
does not grow with the stanzas drops out, and the figure is the same each time for one binary.

    scripts/profile.py [--pairs N] [--tls off|starttls|direct] [--build DIR] [-- BENCH-OPTION...]

Outward, from many hosted domains to one server: scripts/profile.py -- --remotes 1 --targets 10000
"""
import argparse
import pathlib
import re
import stat
import subprocess
import tempfile

FEW, MANY = 200_000, 400_000
LINE = re.compile(r"\s*([\d,]+) \(\s*[\d.]+%\)\s+\S+?:([\w@.]+)")


def run(folder, build, stanzas, load):
    """One load; returns where callgrind wrote."""
    out = folder / f"callgrind.{stanzas}"
    wrapper = folder / "router"
    # The worker waits in the kernel with valgrind's lock held; without the fair one the control
    # thread would never get its turn.
    wrapper.write_text("#!/bin/sh\nexec valgrind --tool=callgrind --fair-sched=yes "
                       f"--callgrind-out-file={out} {build}/sluice \"$@\"\n")
    wrapper.chmod(wrapper.stat().st_mode | stat.S_IXUSR)
    subprocess.run([build / "sluice-bench", "--router", wrapper, "--stanzas", str(stanzas), *load],
                   check=True, stdout=subprocess.DEVNULL)
    return out


def instructions(out):
    """Function -> instructions, its specialised copies included."""
    text = subprocess.run(["callgrind_annotate", "--threshold=100", "--auto=no", out],
                          check=True, capture_output=True, text=True).stdout
    counts = {}
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            name = re.sub(r"\.(isra|part|constprop|cold).*", "", match[2])
            counts[name] = counts.get(name, 0) + int(match[1].replace(",", ""))
    return counts


def main():
    parser = argparse.ArgumentParser(description="instructions per routed stanza")
    parser.add_argument("--pairs", type=int, default=10000)
    parser.add_argument("--tls", choices=("off", "starttls", "direct"), default="off")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build/release"))
    parser.add_argument("bench", nargs="*", metavar="BENCH-OPTION", help="further ones of sluice-bench")
    args = parser.parse_args()
    load = ["--tls", args.tls, *(args.bench or ["--pairs", str(args.pairs)])]
    with tempfile.TemporaryDirectory() as name:
        few, many = (instructions(run(pathlib.Path(name), args.build.resolve(), n, load))
                     for n in (FEW, MANY))
    per = {f: (n - few.get(f, 0)) / (MANY - FEW) for f, n in many.items()}
    total = sum(per.values())
    print(f"{total:8.0f} 100.0 %  all")
    for function, n in sorted(per.items(), key=lambda item: -item[1]):
        if n >= total / 200:
            print(f"{n:8.0f} {100 * n / total:5.1f} %  {function}")


if __name__ == "__main__":
    main()
