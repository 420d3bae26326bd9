#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/operations.md explains every log event and every counter, and no other.

An event is the second argument of LOG() or the third of log_event() in the
sources; its section in the page is headed ### `event`, names each of its levels
and holds each text that stands in the call itself. A counter is a row of
STATS_TABLE in core/stats.h and a row | `counter` | of the page.

Prints each fault and exits 1, or prints what was compared.
"""
import pathlib
import re
import sys

PAGE = "docs/operations.md"
STATS = "core/stats.h"

CALL = re.compile(r"\b(LOG|log_event)\(")
LITERALS = re.compile(r'"((?:[^"\\]|\\.)*)"(?:\s*"(?:[^"\\]|\\.)*")*')
LITERAL = re.compile(r'"((?:[^"\\]|\\.)*)"')
COUNTER = re.compile(r"^\s*X\((\w+),", re.MULTILINE)
HEADING = re.compile(r"^### (.*)$", re.MULTILINE)
ROW = re.compile(r"^\| `(\w+)` \|", re.MULTILINE)


def blank_comments(text):
    """Comments become blanks, so that offsets stay; string literals are left alone."""
    pattern = re.compile(r'"(?:[^"\\]|\\.)*"|/\*.*?\*/', re.DOTALL)
    return pattern.sub(lambda m: m[0] if m[0][0] == '"' else re.sub(r"[^\n]", " ", m[0]), text)


def arguments(text, start):
    """The arguments of the call whose opening parenthesis ends at start."""
    found, depth, at, begin = [], 1, start, start
    while depth:
        string = LITERAL.match(text, at)
        if string:
            at = string.end()
            continue
        char = text[at]
        depth += (char in "([{") - (char in ")]}")
        if depth == 0 or (depth == 1 and char == ","):
            found.append(text[begin:at].strip())
            begin = at + 1
        at += 1
    return found


def literals(expression):
    """Its string literals, those that stand side by side as one."""
    return ["".join(LITERAL.findall(m[0])).replace('\\"', '"')
            for m in LITERALS.finditer(expression)]


def assigned(text, name):
    """The literals that a variable of this name can have, anywhere in the file."""
    found = []
    for match in re.finditer(r"\b%s\s*=\s*([^;]*);" % re.escape(name), text):
        found += literals(match[1])
    return found


def events(root):
    """Yields (place, names, levels, texts) for each call; no names: they cannot be read."""
    for folder in ("core", "net", "xml", "dialback"):
        for file in sorted((root / folder).rglob("*.[ch]")):
            text = blank_comments(file.read_text())
            for call in CALL.finditer(text):
                line_start = text.rfind("\n", 0, call.start()) + 1
                line = text[line_start:call.start()]
                if line.startswith("#define") or re.match(r"(static )?void\b", line):
                    continue
                if file.name.startswith("log."):
                    continue
                place = "%s:%d" % (file.relative_to(root), text.count("\n", 0, call.start()) + 1)
                args = arguments(text, call.end())
                level, name, words = args[call[1] == "log_event":][:3]
                levels = re.findall(r"\bLOG_(ERROR|WARN|INFO|DEBUG)\b", level)
                if not levels:
                    levels = re.findall(r"\b%s\s*=[^;]*;" % re.escape(level), text)
                    levels = re.findall(r"\bLOG_(ERROR|WARN|INFO|DEBUG)\b", " ".join(levels))
                yield (place, literals(name) or assigned(text, name),
                       [word.lower() for word in levels], literals(words))


def sections(page):
    """The text below each heading of the third level, by what stands in it as code."""
    found = {}
    for heading in HEADING.finditer(page):
        end = re.compile(r"^##", re.MULTILINE).search(page, heading.end())
        body = page[heading.end():end.start() if end else len(page)]
        for name in re.findall(r"`([^`]+)`", heading[1]):
            found[name] = body
    return found


def check_events(root, page):
    """Yields what is wrong. A call of several events has its levels spread over their sections."""
    explained = sections(page)
    known = set()
    for place, names, levels, texts in events(root):
        if not names:
            yield "%s: a log event whose name this script cannot read" % place
        for name in names:
            known.add(name)
            if name not in explained:
                yield "%s: %s has no section ### `%s`" % (place, name, name)
                continue
            said = [level for level in levels if re.search(r"\b%s\b" % level, explained[name])]
            if not said or (len(names) == 1 and said != levels):
                yield "%s: the section of %s does not say %s" % (place, name, ", ".join(levels))
            for text in texts:
                if text and text not in explained[name]:
                    yield "%s: the section of %s lacks the text '%s'" % (place, name, text)
    for name in sorted(set(explained) - known):
        yield "%s: no source writes the event %s" % (PAGE, name)


def check_counters(root, page):
    counters = COUNTER.findall(blank_comments((root / STATS).read_text()).replace("\\\n", "\n"))
    explained = ROW.findall(page)
    if not counters:
        yield "%s: no counter found" % STATS
    for name in counters:
        if explained.count(name) != 1:
            yield "%s: %s has %d rows | `%s` |" % (STATS, name, explained.count(name), name)
    for name in sorted(set(explained) - set(counters)):
        yield "%s: there is no counter %s" % (PAGE, name)


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".")
    page = (root / PAGE).read_text()
    calls = len(list(events(root)))
    found = list(check_events(root, page)) + list(check_counters(root, page))
    if calls == 0:
        found.append("no log event found")
    for what in found:
        print(what)
    print(f"{calls} calls of the log compared with {PAGE}, {len(found)} faults")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
