# SPDX-License-Identifier: GPL-2.0-or-later
"""An Initiating Server of a hosted domain, with the router's secret.

This opens a stream as another node with the same secret would, with right keys or wrong ones, and
so makes a real server ask the router about them.
"""

import asyncio
import hashlib
import hmac
from xml.etree.ElementTree import XMLPullParser

from servers import HOST, PATIENCE

HEADER = ("<stream:stream xmlns='jabber:server' xmlns:db='jabber:server:dialback'"
          " xmlns:stream='http://etherx.jabber.org/streams' version='1.0'"
          " from='%s' to='%s'>")
RESULT = "{jabber:server:dialback}result"


def dialback_key(secret, receiving, originating, id):
    """XEP-0185."""
    text = "%s %s %s" % (receiving, originating, id)
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    return hmac.new(hashed.encode(), text.encode(), hashlib.sha256).hexdigest()


class Initiator:
    def __init__(self):
        self._parser = XMLPullParser(("start", "end"))
        self._depth = 0
        self._writer = None
        self.id = None

    async def open(self, port, source, target):
        self._reader, self._writer = await asyncio.open_connection(HOST, port)
        self.send(HEADER % (source, target))
        _, header = await asyncio.wait_for(self._event(), PATIENCE)
        self.id = header.get("id")

    async def _event(self):
        """The start of the stream, or the end of one of its children."""
        while True:
            for kind, element in self._parser.read_events():
                self._depth += 1 if kind == "start" else -1
                if self._depth == 1:
                    return kind, element
            data = await self._reader.read(65536)
            assert data, "the other server has closed the connection"
            self._parser.feed(data)

    async def _answer(self, source, target):
        while True:
            _, element = await self._event()
            if (element.tag, element.get("from"), element.get("to")) == (RESULT, target, source):
                return element.get("type")

    def send(self, text):
        self._writer.write(text.encode())

    async def claim(self, source, target, secret):
        """What the other server says to a key of this secret, after it has asked the router."""
        key = dialback_key(secret, target, source, self.id)
        self.send("<db:result from='%s' to='%s'>%s</db:result>" % (source, target, key))
        return await asyncio.wait_for(self._answer(source, target), PATIENCE)

    async def leave(self):
        if self._writer is not None:
            self._writer.close()
