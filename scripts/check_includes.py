#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The one include rule (docs/architecture.md): core/ may use everything below it,
dialback/, net/ and xml/ use core/base only and never each other, core/base uses
itself; a foreign library is included where it is quarantined and nowhere else.

Prints each offending line and exits 1, or prints how many files were read.
"""
import pathlib
import re
import sys

MAY_USE = {
    "core/base": {"core/base"},
    "net": {"net", "core/base"},
    "xml": {"xml", "core/base"},
    "dialback": {"dialback", "core/base"},
    "core": {"core", "core/base", "net", "xml", "dialback"},
}

QUARANTINE = {
    "liburing.h": r"net/uring(_compat)?\.[ch]|net/bufring\.c",
    "wolfssl/": r"net/(tls|certs)[a-z_]*\.[ch]|dialback/key\.c",
    "libxml/": r"xml/element\.c",
    "ares": r"net/dns[a-z_]*\.c",
    "idn2.h": r"core/base/domain\.c",
}

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def layer_of(path):
    parts = pathlib.PurePosixPath(path).parts
    return "core/base" if parts[:2] == ("core", "base") else parts[0]


def faults(root, path):
    """Yields (line number, what is wrong) for each include that breaks the rule."""
    for number, line in enumerate((root / path).read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        kind, name = match.groups()
        if kind == '"':
            if not (root / name).is_file():
                yield number, f'"{name}" is not named from the top of the tree'
            elif layer_of(name) not in MAY_USE[layer_of(path)]:
                yield number, f"{layer_of(path)} must not use {layer_of(name)} ({name})"
            continue
        for header, allowed in QUARANTINE.items():
            if name.startswith(header) and not re.fullmatch(allowed, path):
                yield number, f"<{name}> is quarantined to {allowed}"


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    read = bad = 0
    for folder in ("core", "net", "xml", "dialback"):
        for file in sorted((root / folder).rglob("*.[ch]")):
            path = file.relative_to(root).as_posix()
            read += 1
            for number, what in faults(root, path):
                print(f"{path}:{number}: {what}")
                bad += 1
    print(f"{read} files read, {bad} broken rules")
    return 1 if bad or read == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
