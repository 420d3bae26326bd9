#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Has Spin try every execution of a model.

    tests/model/verify.py FOLDER MODEL.pml [DEFINE]

FOLDER is where what is made goes. With DEFINE something is left out of the model, and
Spin must find out: a failed assertion, or an end in which somebody still waits. Exits 0
when the model is right, or when what is broken was found.
"""
import pathlib
import re
import shutil
import subprocess
import sys


def run(folder, *command):
    done = subprocess.run(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stdout}")
    return done.stdout


def verify(folder, model, define):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(folder, "spin", "-a", *([f"-D{define}"] if define else []), str(model))
    # The order of the search, which finds what is broken sooner.
    run(folder, "gcc", "-w", "-O2", "-DSAFETY", "-DP_REVERSE", "-o", "pan", "pan.c")
    return run(folder, "./pan", "-m100000")


def main():
    folder, model = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]).resolve()
    define = sys.argv[3] if len(sys.argv) > 3 else None
    if define and not re.search(rf"^#ifn?def {define}$", model.read_text(), re.M):
        sys.exit(f"{model.name} knows no {define}")
    told = verify(folder, model, define)
    found = re.search(r"^pan:\d+: (assertion violated|invalid end state).*", told, re.M)
    states = re.search(r"(\d+) states, stored", told)
    errors = re.search(r"errors: (\d+)", told)
    whole = "Search not completed" not in told and "max search depth too small" not in told
    if not states or not errors:
        sys.exit(told)
    print(f"{model.name} {define or 'as it is'}: {states[1]} states, "
          f"{found[0] if found else 'no error'}")
    if define:
        return 0 if found else 1
    if errors[1] == "0" and whole:
        return 0
    print(told)
    return 1


if __name__ == "__main__":
    sys.exit(main())
