# SPDX-License-Identifier: GPL-2.0-or-later
"""Ports that nobody else takes, not even another copy of these tests."""

import random
import socket

# Below Linux's range for outgoing connections, so that none of those takes one.
LOWEST, HIGHEST = 20000, 32000


def _claim(port):
    """An abstract socket is a lock that ends with this process, however it ends."""
    lock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        lock.bind("\0sluice-interop-port-%d" % port)
    except OSError:
        lock.close()
        return None
    return lock


def _is_free(port):
    """Another program may have it: a resolver needs UDP as well."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


class Ports:
    """Hands out free ports and keeps them until release()."""

    def __init__(self):
        self._locks = []

    def take(self):
        for _ in range(1000):
            port = random.randint(LOWEST, HIGHEST)
            lock = _claim(port)
            if lock is None:
                continue
            self._locks.append(lock)
            if _is_free(port):
                return port
        raise RuntimeError("no free port between %d and %d" % (LOWEST, HIGHEST))

    def release(self):
        for lock in self._locks:
            lock.close()
        self._locks.clear()
