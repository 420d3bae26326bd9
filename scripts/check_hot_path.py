#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads the machine code of what every stanza passes through, and fails if it takes a lock, touches
memory by an atomic instruction or a fence, or calls the kernel.

    scripts/check_hot_path.py build/release/sluice [FUNCTION...]

The functions are those below, further ones that are named, and, as far as the compiler left calls in them, whatever they call
directly, except for what is named as slow: that is taken for one stanza in many.
"""

import re
import subprocess
import sys

# From the completion of a receive to the bytes in the queue of the target's link or of the stream to
# another server, or in the parcel for the worker that has it, and what that worker does with it; and the
# completion of a send. Calls by pointer are not followed: what is behind one begins anew here.
HOT = ["on_recv", "stream_on_input", "inbound_frame", "component_frame", "channels_record", "on_send",
       "scan", "router_from_outside", "router_from_backend", "outward_stanza", "outward_record",
       "initiator_stanza", "outbound_write", "pairs_find", "forward_begin", "forward_fault",
       "forward_domains", "splice_pieces", "route_stanza", "component_write", "channel_write", "mesh_write",
       "mesh_last", "mesh_extend", "conn_write", "outq_append_all", "outq_mark"]

# Left on the way by: a record of TLS (the library's business, once for many stanzas), an element that is
# no stanza, a new stream, the canary; a new segment or parcel, a spelling that is not known, an error, a
# reload.
SLOW = {"conn_tls_input", "conn_tls_early", "conn_tls_eof", "claims_element", "inbound_foreign",
        "stream_element", "component_handshake", "scan_new", "canary_refuses", "backlog_takes_stanza",
        "outside_slowly", "outside_undecided", "router_bounce", "bounce_make", "log_event", "pair_review",
        "target_route", "stream_fail", "stream_fail_about", "route_park", "inbound_pause", "inbound_resume",
        "backend_undecided", "out_begin", "out_keep", "refuse", "router_return", "write_late", "write_pressed",
        "initiator_link_slow",
        "mem_try_alloc", "mem_free"}

FORBIDDEN = {
    r"^lock\b|\bxchg\s+[^,]*,.*\(|\bxchg\s+.*\(.*\),": "an atomic instruction on memory",
    r"^[ml]fence\b|^sfence\b": "a fence",
    r"^syscall\b": "a system call",
}
CALLS = re.compile(r"^(?:callq?|jmpq?)\s+[0-9a-f]+ <([^>+@]+)(@plt)?>")
LOCKS = {"pthread_mutex_lock", "pthread_rwlock_rdlock", "pthread_rwlock_wrlock", "pthread_spin_lock"}


def functions(program):
    """Name -> its instructions; what the compiler split off as cold is left out."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "-M", "att", program], check=True,
                          capture_output=True, text=True).stdout
    found, name = {}, None
    for line in text.splitlines():
        head = re.match(r"^[0-9a-f]+ <(.+)>:$", line)
        if head:
            name = re.sub(r"\.(constprop|isra|part)\.\d+", "", head.group(1))
            found.setdefault(name, [])
        elif name and "\t" in line:
            found[name].append(line.split("\t", 1)[1].strip())
    return found


def faults_of(name, body):
    for instruction in body:
        for pattern, what in FORBIDDEN.items():
            if re.search(pattern, instruction):
                yield f"{name}: {what}: {instruction}"
        call = CALLS.match(instruction)
        if call and call.group(1) in LOCKS:
            yield f"{name}: calls {call.group(1)}"


def callees(body):
    for instruction in body:
        call = CALLS.match(instruction)
        if call and not call.group(2):
            yield re.sub(r"\.(constprop|isra|part)\.\d+", "", call.group(1))


def main():
    found = functions(sys.argv[1])
    hot = HOT + sys.argv[2:]
    missing = [name for name in hot if name not in found]
    checked, faults = set(), [f"{name}: is not in the program" for name in missing]
    waiting = [name for name in hot if name in found]
    while waiting:
        name = waiting.pop()
        if name in checked or name in SLOW or name.endswith(".cold"):
            continue
        checked.add(name)
        faults += faults_of(name, found[name])
        waiting += [callee for callee in callees(found[name]) if callee in found]
    print("\n".join(faults + [f"{len(checked)} functions read, {len(faults)} faults"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
