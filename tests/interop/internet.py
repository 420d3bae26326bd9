# SPDX-License-Identifier: GPL-2.0-or-later
"""A name server and authoritative servers, honest and hostile, that count what the router asks.

They are a process of their own: the tests keep their own interpreter busy, and an answer that
waits for it would look like a slow router.
"""

import asyncio
import collections
import contextlib
import multiprocessing
import re
import socket
import struct

from servers import HOST, PATIENCE

# Each zone has all names below it; what is in no zone does not exist.
BENCH = "bench-origin.test"  # the honest peer's; its own server says which keys are right
HONEST = "honest.test"  # every key is right
MANY = "many.test"  # each name at an address of its own that accepts and then says nothing
MUTE = "mute.test"  # one server that opens a stream and never answers a question
PICKY = "picky.test"  # one server that ends each stream with host-unknown
NOISY = "noisy.test"  # one server that answers with a storm of what nobody asked for
DEAD = "dead.test"  # the name server never answers
WIDE = "wide.test"  # sixteen hosts for each name, of which the name server never says anything

A, SRV, AAAA = 1, 33, 28
NXDOMAIN = 3
TTL = 3600
WIDE_HOSTS = 16  # LIMIT_CANDIDATES: as many as the router looks at
NOISE = 150  # more than LIMIT_UNKNOWN_ELEMENTS

HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
          "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
          "id='%s' version='1.0'><stream:features/>")
UNKNOWN = ("<stream:error><host-unknown xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
           "</stream:error></stream:stream>")
VERIFY = re.compile(rb"<db:verify from='([^']*)' to='([^']*)' id='([^']*)'>")


def _address(name):
    """n0.many.test is at 127.77.0.1, and so on: a network of endpoints."""
    number = re.match(r"n(\d+)\.%s$" % re.escape(MANY), name)
    number = int(number.group(1)) if number else 0
    return "127.77.%d.%d" % (number // 250, number % 250 + 1)


def _labels(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".")) + b"\0"


def _record(kind, data):
    return b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, TTL, len(data)) + data


class _NameServer(asyncio.DatagramProtocol):
    def __init__(self, ports, counts):
        self.ports = ports
        self.counts = counts
        self.names = collections.defaultdict(set)
        self.questions = collections.defaultdict(set)

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, peer):
        at, labels = 12, []
        while data[at]:
            labels.append(data[at + 1:at + 1 + data[at]].decode().lower())
            at += data[at] + 1
        kind = struct.unpack(">H", data[at + 1:at + 3])[0]
        self._count_question(kind, labels)
        answers = self._answers(kind, labels)
        if answers is None:
            return
        code = NXDOMAIN if answers is NXDOMAIN else 0
        records = [] if code else answers
        self.transport.sendto(
            data[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records), 0, 0)
            + data[12:at + 5] + b"".join(records), peer)

    def _answers(self, kind, labels):
        """Records, NXDOMAIN, or None for silence."""
        zone = ".".join(labels[-2:])
        if kind == SRV:
            name = ".".join(labels[2:])
            self._count_name(zone, name)
            return self._services(zone, name, labels[0])
        if zone == WIDE:
            return None
        if zone not in self.ports:
            return NXDOMAIN
        address = _address(".".join(labels)) if zone == MANY else HOST
        return [_record(A, socket.inet_aton(address))] if kind == A else []

    def _count_question(self, kind, labels):
        zone = ".".join(labels[-2:])
        self.counts["dns " + zone] += 1
        self.questions[zone].add((kind, *labels))
        self.counts["questioned " + zone] = len(self.questions[zone])

    def _count_name(self, zone, name):
        self.names[zone].add(name)
        self.counts["names " + zone] = len(self.names[zone])

    def _services(self, zone, name, label):
        if zone == DEAD:
            return None
        if zone not in self.ports:
            return NXDOMAIN
        if label != "_xmpp-server":
            return []
        hosts = [name] if zone != WIDE else ["h%d.%s" % (i, name) for i in range(WIDE_HOSTS)]
        return [_record(SRV, struct.pack(">HHH", 0, 0, self.ports[zone]) + _labels(host))
                for host in hosts]


class _Authority(asyncio.Protocol):
    """One stream of the router to one of our servers."""

    def __init__(self, zone, counts, times):
        self.zone, self.counts, self.times = zone, counts, times
        self.input = b""
        self.opened = False

    def connection_made(self, transport):
        self.transport = transport
        self.counts["connections " + self.zone] += 1
        self.counts["open " + self.zone] += 1
        self.times[self.zone].append(asyncio.get_running_loop().time())

    def connection_lost(self, exc):
        self.counts["open " + self.zone] -= 1

    def data_received(self, data):
        if self.zone == MANY:
            return
        self.input += data
        if not self.opened and b"version='1.0'" in self.input:
            self.opened = True
            self._say(HEADER % "authority")
            if self.zone == PICKY:
                self._say(UNKNOWN)
        self._count_errors()
        end = 0
        for question in VERIFY.finditer(self.input):
            end = question.end()
            self._asked(*(part.decode() for part in question.groups()))
        self.input = self.input[end:]

    def _count_errors(self):
        for condition in re.findall(rb"<stream:error><([a-z-]+)", self.input):
            self.counts["error %s %s" % (self.zone, condition.decode())] += 1
        if b"</stream:stream>" in self.input:
            self.input = b""
            self.transport.close()

    def _asked(self, receiving, sender, id):
        self.counts["questions " + self.zone] += 1
        if self.zone == HONEST:
            self._say("<db:verify from='%s' to='%s' id='%s' type='valid'/>"
                      % (sender, receiving, id))
        elif self.zone == NOISY:
            self._say("<db:verify from='%s' to='%s' id='another' type='valid'/>"
                      % (sender, receiving) * NOISE)

    def _say(self, text):
        self.transport.write(text.encode())


def _listener(port):
    """All of 127.0.0.0/8 is one server, and nobody else."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
    listener.bind(("0.0.0.0", port))
    listener.listen(1024)
    return listener


async def _serve(pipe, dns, listeners, ports):
    loop = asyncio.get_running_loop()
    counts, times = collections.Counter(), collections.defaultdict(list)
    over = asyncio.Event()

    def told():
        try:
            pipe.recv()
            pipe.send((dict(counts), dict(times)))
        except (EOFError, OSError):
            loop.remove_reader(pipe.fileno())
            over.set()

    await loop.create_datagram_endpoint(lambda: _NameServer(ports, counts), sock=dns)
    for zone, listener in listeners.items():
        await loop.create_server(lambda zone=zone: _Authority(zone, counts, times), sock=listener)
    loop.add_reader(pipe.fileno(), told)
    await over.wait()


def _run(pipe, other, *arguments):
    other.close()  # or the end of the test would not be seen
    asyncio.run(_serve(pipe, *arguments))


class Internet:
    """Starts at once; stop() ends it, and so does the end of its parent."""

    def __init__(self, dns_port, bench_port, ports):
        """ports: one free port for each of the hostile and honest zones, in any order."""
        zones = [HONEST, MANY, MUTE, PICKY, NOISY, WIDE]
        ports = dict(zip(zones, ports), **{BENCH: bench_port})
        dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        # A question that finds no room is asked again after seconds only. Root may have as much
        # as it likes.
        with contextlib.suppress(PermissionError):
            dns.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
        dns.bind((HOST, dns_port))
        listeners = {zone: _listener(ports[zone]) for zone in zones}
        context = multiprocessing.get_context("fork")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(theirs, self._pipe, dns, listeners, ports), daemon=True)
        self._process.start()
        for one in (theirs, dns, *listeners.values()):
            one.close()

    def _ask(self):
        self._pipe.send(None)
        assert self._pipe.poll(PATIENCE), "the name server does not answer"
        return self._pipe.recv()

    def count(self, what, zone):
        """what: dns, questioned and names (different ones), connections, open (now), questions;
        or error, with zone and condition."""
        return self._ask()[0].get("%s %s" % (what, zone), 0)

    def connections(self):
        """To all servers together, now."""
        return sum(n for what, n in self._ask()[0].items() if what.startswith("open "))

    def connected_at(self, zone):
        """When each connection came, by the monotonic clock."""
        return self._ask()[1].get(zone, [])

    def stop(self):
        self._pipe.close()
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
