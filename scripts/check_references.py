#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever the documentation says about a place in the source is there: in `file.c: function, other`
each name stands in that file.

    scripts/check_references.py [DOCUMENT...]       # docs/*.md and docs/decisions/*.md unless said otherwise
"""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parent.parent
REFERENCE = re.compile(r"`([\w./-]+\.[ch]): ([\w, ]+)`")


def faults_of(document):
    """Counts the names; yields a line for each that is not there."""
    for place, names in REFERENCE.findall(document.read_text()):
        file = TOP / place
        source = file.read_text() if file.is_file() else ""
        for name in names.split(", "):
            if re.search(r"\b%s\b" % re.escape(name), source):
                yield None
            else:
                yield f"{document.name}: `{place}: {name}`: there is no such thing"


def main():
    documents = [pathlib.Path(name) for name in sys.argv[1:]] or sorted(
        [*TOP.glob("docs/*.md"), *TOP.glob("docs/decisions/*.md")])
    found = [fault for document in documents for fault in faults_of(document)]
    faults = [fault for fault in found if fault]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"{len(found)} references, {len(faults)} faults")
    return 1 if faults or not found else 0


if __name__ == "__main__":
    sys.exit(main())
