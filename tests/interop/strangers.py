# SPDX-License-Identifier: GPL-2.0-or-later
"""Hostile peers on raw sockets, the honest one beside them, and what the router takes for all."""

import contextlib
import hashlib
import json
import os
import re
import select
import socket
import subprocess
import tempfile

from internet import Internet
from lab import DIALBACK_SECRET, Lab
from servers import HOST, PATIENCE, ROOT, Router, wait_for

KIB = 1024
BUILD = ROOT / os.environ.get("SLUICE_BUILD", "build/release")
SHOP_SECRET, SINK_SECRET = "secret of shop", "secret of sink"
REGISTRY = """\
backend shop component secret-file=shop.secret
backend sink component secret-file=sink.secret
shop.hosted.test shop
sink.hosted.test sink
"""
SHOP, SINK = "shop.hosted.test", "sink.hosted.test"
PAIRS, STANZAS = 10000, 20000
# How long the honest peer may see nothing happen: not until the others' storms are over.
GAP_SECONDS = 60

OPEN = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
        "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
        "from='stranger.test' to='shop.hosted.test' version='1.0'>")
FEATURES = b"</stream:features>"
END = b"</stream:stream>"


def result(sender, target=SHOP, key="0123456789abcdef"):
    return "<db:result from='%s' to='%s'>%s</db:result>" % (sender, target, key)


def condition_of(data):
    """The stream error in what the router sent; None without one."""
    found = re.search(rb"<stream:error><([a-z-]+)", data)
    return found.group(1).decode() if found else None


class Stranger:
    """One connection to the router from an address of our choice."""

    def __init__(self, port, source=HOST, window=None):
        """window: bytes of the receive and the send buffer, for one that does not read."""
        self.socket = socket.socket()
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF) if window else ():
            self.socket.setsockopt(socket.SOL_SOCKET, option, window)
        # The port is chosen with the connection: the same one serves many sources.
        self.socket.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
        self.socket.settimeout(PATIENCE)
        self.socket.bind((source, 0))
        self.data = b""
        self.over = False  # the router has closed
        try:
            self.socket.connect((HOST, port))
        except ConnectionResetError:
            self.over = True  # as fast as that

    def say(self, text):
        """Everything, unless the router has closed: then what it said before is of interest."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(text if isinstance(text, bytes) else text.encode())

    def push(self, data):
        """As much as the socket takes at once: how many bytes."""
        with self._at_once(), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            return self.socket.send(data)
        return 0

    @contextlib.contextmanager
    def _at_once(self):
        """MSG_DONTWAIT would not do: Python waits before it calls."""
        self.socket.settimeout(0)
        try:
            with contextlib.suppress(BlockingIOError):
                yield
        finally:
            self.socket.settimeout(PATIENCE)

    def hear_some(self):
        """What comes next; False: the router has closed, or says nothing at all."""
        try:
            data = self.socket.recv(65536)
        except TimeoutError:
            return False
        except (ConnectionResetError, BrokenPipeError):
            data = b""
        self.over = self.over or not data
        self.data += data
        return bool(data)

    def hear(self, text):
        """Waits for it; all that came so far."""
        while text not in self.data:
            assert self.hear_some(), "%r instead of %r" % (self.data[-500:], text)
        return self.data

    def hear_out(self):
        """Everything up to the end of the stream or of the connection, which has to come."""
        while END not in self.data and self.hear_some():
            pass
        return self.data

    def look(self):
        """What has come meanwhile, without waiting."""
        with self._at_once():
            while not self.over and self.hear_some():
                pass
        return self.data

    def open(self):
        self.say(OPEN)
        self.hear(FEATURES)
        return self

    def prove(self, sender):
        self.say(result(sender))
        self.hear(b"to='%s' type='valid'/>" % sender.encode())

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def close(self):
        self.socket.close()


class Backend(Stranger):
    """The component of SHOP."""

    def __init__(self, port):
        super().__init__(port)
        self.say("<stream:stream xmlns='jabber:component:accept' "
                 "xmlns:stream='http://etherx.jabber.org/streams' to='%s'>" % SHOP)
        id = re.search(rb" id='([^']*)'", self.hear(b"'>")).group(1).decode()
        digest = hashlib.sha1((id + SHOP_SECRET).encode()).hexdigest()
        self.say("<handshake>%s</handshake>" % digest)
        self.hear(b"<handshake/>")


class Honest:
    """The load program: it looks PAIRS domains up, proves them and checks each stanza."""

    def __init__(self, lab, rate=0):
        """rate: stanzas a second, to make it last."""
        self._output = tempfile.TemporaryFile("w+")
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", BUILD / "sluice-bench",
             "--s2s", "%s:%d" % (HOST, lab.port["edge"]),
             "--component", "%s:%d" % (HOST, lab.port["components"]),
             "--component-name", SINK, "--component-secret", SINK_SECRET,
             "--dns-listen", "%s:0" % HOST,  # it has one, but nobody asks it
             "--authority-listen", "%s:%d" % (HOST, lab.port["bench"]),
             "--pairs", str(PAIRS), "--stanzas", str(STANZAS), "--rate", str(rate),
             "--timeout", str(GAP_SECONDS), "--json"],
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.DEVNULL)

    def is_at_work(self):
        return self._process.poll() is None

    def check(self):
        """It came through, as if nobody else were there."""
        self._process.wait(3 * PATIENCE)
        self._output.seek(0)
        said = json.load(self._output)
        assert said["ok"], said["failures"]
        figures = {name: f and f["median"] for name, f in said["figures"].items()}
        assert figures["pairs_valid"] == PAIRS and figures["stanzas_arrived"] == STANZAS

    def stop(self):
        self._process.kill()
        self._process.wait()
        self._output.close()


class Usage:
    """What the router's process holds, and at most held."""

    def __init__(self, pid):
        self._proc = "/proc/%d/" % pid

    def _status(self, field):
        with open(self._proc + "status", encoding="ascii") as status:
            return int(re.search(r"^%s:\s*(\d+) kB" % field, status.read(), re.M).group(1)) * KIB

    def resident(self):
        return self._status("VmRSS")

    def peak(self):
        return self._status("VmHWM")

    def descriptors(self):
        return len(os.listdir(self._proc + "fd"))



class Siege(Lab):
    """The router alone in a hostile internet; what a test connects is closed after it."""

    def __init__(self, folder):
        super().__init__(folder)
        self.port["bench"] = self._ports.take()
        self.internet = Internet(self.port["dns"], self.port["bench"],
                                 [self._ports.take() for _ in range(6)])
        self._closing = contextlib.ExitStack()

    def start_router(self, *flags):
        router = Router(
            self.folder / "sluice", self.port["dns"], self.port["edge"], self.port["components"],
            REGISTRY, {"shop.secret": SHOP_SECRET, "sink.secret": SINK_SECRET},
            DIALBACK_SECRET)
        # Debugging would tell of each pair, which is not what is measured here; what is are the bounds
        # of one worker. The honest peer is a backend as well, and may have to wait for a processor.
        router.command += ["--log-level", "info", "--workers", "1",
                           "--stall-ms", "60000", *map(str, flags)]
        self._start(router)
        self.usage = Usage(router.process.pid)
        # The connections of the test for readiness have to be gone: what follows counts from here.
        self.descriptors = self._quiet_descriptors()
        self.resident = self.usage.resident()
        return router

    def _quiet_descriptors(self):
        """No connection is left in the kernel's table that ends at one of the router's ports."""
        ports = {"%04X" % self.port[name] for name in ("edge", "components")}

        def quiet():
            with open("/proc/net/tcp", encoding="ascii") as table:
                rows = [line.split() for line in table][1:]
            return not any(row[3] in ("01", "08") and row[1].split(":")[1] in ports
                           for row in rows)
        wait_for("the router is alone", quiet)
        return self.usage.descriptors()

    def stranger(self, source=HOST, window=None):
        stranger = Stranger(self.port["edge"], source, window)
        self._closing.callback(stranger.close)
        return stranger

    def admitted(self, source):
        """A stranger with a stream, or None for one who was closed without a word: that is the
        documented answer at a limit of connections."""
        stranger = self.stranger(source)
        stranger.say(OPEN)
        while FEATURES not in stranger.data and stranger.hear_some():
            pass
        assert FEATURES in stranger.data or (stranger.over and not stranger.data)
        if stranger.data:
            return stranger
        stranger.close()
        return None

    def backend(self):
        backend = Backend(self.port["components"])
        self._closing.callback(backend.close)
        return backend

    def honest(self, rate=0):
        honest = Honest(self, rate)
        self._closing.callback(honest.stop)
        return honest

    def everybody_leaves(self):
        """And the router has no descriptor more than before they came, but those of its own
        streams to authoritative servers, which it keeps for a while."""
        self._closing.close()
        wait_for("the router has let go of all connections", lambda: self.usage.descriptors()
                 == self.descriptors + self.internet.connections())

    def stop(self):
        self._closing.close()
        self.internet.stop()  # first, or the router waits for servers that do not answer
        statuses = []
        for server in self.servers:
            server.stop()
            statuses.append((server.name, server.process.returncode))
        super().stop()
        # A router that leaks or crashed says so by its exit status.
        assert all(status == 0 for _, status in statuses), statuses


def push_all(strangers, data, most):
    """Sends data again and again to all, until nobody takes more for a second or each has had
    `most` bytes: how many each has taken."""
    taken = dict.fromkeys(strangers, 0)
    sockets = {s.socket.fileno(): s for s in strangers}
    poll = select.poll()
    for fd in sockets:
        poll.register(fd, select.POLLOUT)
    while sockets:
        ready = poll.poll(1000)
        if not ready:
            break
        for fd, events in ready:
            stranger = sockets[fd]
            taken[stranger] += stranger.push(data[taken[stranger] % len(data):])
            if taken[stranger] >= most or events & (select.POLLHUP | select.POLLERR):
                poll.unregister(fd)
                del sockets[fd]
    return taken
