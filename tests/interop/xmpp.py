# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and components of slixmpp that keep a record of all that they get."""

import asyncio

from slixmpp import ClientXMPP, ComponentXMPP
from slixmpp.stanza import Iq, Message, Presence, StreamError

from servers import HOST, PATIENCE

STANZA_SECONDS = 80  # less than the router keeps one that waits (TIMEOUT_DELIVER_MS)


class Mailbox:
    """Stanzas in the order in which they came in."""

    def __init__(self):
        self.stanzas = []
        self._changed = asyncio.Event()

    def put(self, stanza):
        self.stanzas.append(stanza)
        self._changed.set()

    def matching(self, wanted):
        return [s for s in self.stanzas if wanted(s)]

    async def collect(self, count, wanted, seconds=STANZA_SECONDS):
        """The matching stanzas, as soon as there are `count` of them."""
        try:
            return await asyncio.wait_for(self._collect(count, wanted), seconds)
        except asyncio.TimeoutError:
            raise AssertionError("%d of %d stanzas within %d s; all that came: %s" % (
                len(self.matching(wanted)), count, seconds,
                [str(s)[:300] for s in self.stanzas[-10:]])) from None

    async def _collect(self, count, wanted):
        while len(self.matching(wanted)) < count:
            self._changed.clear()
            await self._changed.wait()
        return self.matching(wanted)


class Recorder:
    """What Client and Component share."""

    def _record(self):
        self.inbox = Mailbox()
        self.stream_errors = Mailbox()
        self.started = asyncio.Event()
        self.closed = asyncio.Event()
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.close_reason = None
        self.add_event_handler("disconnected", self._note_close)
        self.add_filter("in", self._keep)

    def _note_close(self, reason):
        self.close_reason = reason
        self.closed.set()

    def _keep(self, stanza):
        if isinstance(stanza, StreamError):
            self.stream_errors.put(stanza)
        elif isinstance(stanza, (Message, Presence, Iq)):
            return self._keep_stanza(stanza)
        return stanza

    async def get_dns_records(self, domain, port=None):
        """The address is given; slixmpp would ask the system's resolver all the same."""
        return []

    async def until(self, event, what, seconds=PATIENCE):
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except asyncio.TimeoutError:
            raise AssertionError("%s: no %s within %d s; stream errors: %s" % (
                self.boundjid, what, seconds,
                [str(s) for s in self.stream_errors.stanzas])) from None

    async def until_closed(self):
        """The other side ends the stream, not only the connection."""
        await self.until(self.closed, "end of the connection")
        assert self.close_reason == "End of stream"

    async def leave(self):
        self.cancel_connection_attempt()
        if self.transport is not None:
            self.abort()
            await self.until(self.closed, "end of the connection")

    def send_text(self, to, body, mfrom=None, id=None):
        message = self.make_message(mto=to, mbody=body, mfrom=mfrom, mtype="chat")
        message["id"] = id or self.new_id()
        message.send()
        return message["id"]


class Client(Recorder, ClientXMPP):
    """A user at a remote server."""

    def __init__(self, jid, password, overtakes=False):
        """overtakes: see traffic.greet()."""
        ClientXMPP.__init__(self, jid, password, plugin_config={
            "feature_mechanisms": {"unencrypted_plain": True, "unencrypted_digest": True}})
        self.overtakes = overtakes
        self._record()

    def _keep_stanza(self, stanza):
        self.inbox.put(stanza)
        return stanza

    async def login(self, port):
        self.connect((HOST, port), force_starttls=False, disable_starttls=True)
        await self.until(self.started, "login")


class Component(Recorder, ComponentXMPP):
    """A backend behind the router: a pure sink, which answers only what a test tells it to."""

    def __init__(self, domain, secret, port):
        ComponentXMPP.__init__(self, domain, secret, HOST, port)
        self._record()

    def _keep_stanza(self, stanza):
        self.inbox.put(stanza)
        return None

    async def login(self):
        self.connect()
        await self.until(self.started, "login")

    async def stream_error(self):
        """The condition with which the router ends the stream."""
        errors = await self.stream_errors.collect(1, lambda _: True)
        await self.until_closed()
        return errors[0]["condition"]

    async def refused(self):
        """Tries to log in and returns the condition of the stream error."""
        self.connect()
        condition = await self.stream_error()
        assert not self.started.is_set()
        return condition


def is_message(stanza):
    return isinstance(stanza, Message) and stanza["type"] != "error"


def is_error(stanza):
    return stanza["type"] == "error"


def error_of(stanza):
    """(condition, type): slixmpp finds no error in the namespace of components."""
    for child in stanza.xml:
        if child.tag.endswith("}error"):
            conditions = [e.tag.split("}")[1] for e in child]
            return conditions[0], child.get("type")
    return None
