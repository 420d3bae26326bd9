# SPDX-License-Identifier: GPL-2.0-or-later
"""`openssl s_client` as the peer, for what Python's own TLS cannot be made to do."""

import base64
import select
import subprocess
import time

from servers import HOST, PATIENCE

INTEGER, SEQUENCE, MAX_EARLY_DATA = 0x02, 0x30, 0xaf  # the last: [15] of OpenSSL's SSL_SESSION


class OpensslClient:
    """One connection; what the program says of it and what comes through are one text."""

    def __init__(self, port, *flags):
        self.data = b""
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "openssl", "s_client", "-nocommands",
             "-connect", "%s:%d" % (HOST, port), *map(str, flags)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def say(self, text):
        self._process.stdin.write(text.encode())
        self._process.stdin.flush()

    def hear(self, text):
        """Waits for it, and forgets it and what came before."""
        deadline = time.monotonic() + PATIENCE
        while text not in self.data:
            left = deadline - time.monotonic()
            ready = select.select([self._process.stdout], [], [], max(left, 0))[0]
            data = self._process.stdout.read1(65536) if ready else b""
            assert data, "%r instead of %r" % (self.data[-3000:], text)
            self.data += data
        heard, self.data = self.data.split(text, 1)
        return heard + text

    def hear_out(self):
        """All that it says until it ends by itself."""
        self.data += self._process.communicate(timeout=PATIENCE)[0]
        return self.data

    def close(self):
        self._process.kill()
        self._process.communicate()


def _length(n):
    if n < 128:
        return bytes([n])
    size = (n.bit_length() + 7) // 8
    return bytes([128 + size]) + n.to_bytes(size, "big")


def _split(der):
    """The head of the first value, what is in it, and what follows it."""
    n, head = der[1], 2
    if n >= 128:
        head += n - 128
        n = int.from_bytes(der[2:head], "big")
    return der[:head], der[head:head + n], der[head + n:]


def permit_early_data(session, limit):
    """Rewrites a file of -sess_out as if the ticket had permitted so many bytes of early data:
    the program sends none otherwise."""
    lines = session.read_text(encoding="ascii").split("\n")
    _, rest, _ = _split(base64.b64decode("".join(lines[1:-2])))
    number = limit.to_bytes(limit.bit_length() // 8 + 1, "big")
    number = bytes([INTEGER]) + _length(len(number)) + number
    wanted, done = b"", False
    while rest:
        head, value, rest = _split(rest)
        assert head[0] != MAX_EARLY_DATA, "the ticket itself permits early data"
        if head[0] > MAX_EARLY_DATA and not done:
            wanted += bytes([MAX_EARLY_DATA]) + _length(len(number)) + number
            done = True
        wanted += head + value
    if not done:
        wanted += bytes([MAX_EARLY_DATA]) + _length(len(number)) + number
    text = base64.encodebytes(bytes([SEQUENCE]) + _length(len(wanted)) + wanted).decode()
    session.write_text("\n".join([lines[0], text.rstrip(), *lines[-2:]]), encoding="ascii")
