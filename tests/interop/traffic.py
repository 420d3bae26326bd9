# SPDX-License-Identifier: GPL-2.0-or-later
"""What remote users and components send each other, and what must have come of it."""

import asyncio
import time

from slixmpp.stanza import Iq, Presence

from lab import RIVALS, stolen_by
from servers import PATIENCE
from xmpp import error_of, is_error, is_message

TARGETS = ("bob@shop.hosted.test", "bob@bank.hosted.test")

AWKWARD = [
    "",
    "Grüße aus Köln, ÄÖÜäöüß",
    "漢字かな交じり文 한국어 العربية",
    "\U0001f600\U0001f468‍\U0001f469‍\U0001f467 \U00010348",
    "<&>'\" &amp; &#65; ]]> <!-- --> <body>not a tag</body>",
    "first line\nsecond line\n\n\tfourth, after a tab\n",
    "  blanks at both ends  ",
    "x" * 20480,
    "ü<" * 5000,
]


def bodies(count, name):
    """Numbered, so that order and loss show; awkward, so that a wrong byte shows."""
    return ["%s %d: %s" % (name, i, AWKWARD[i % len(AWKWARD)]) for i in range(count)]


def send_all(client, to, texts):
    return [client.send_text(to, text) for text in texts]


def between(source, target):
    """Stanzas of two addresses, which the router must not touch."""
    return lambda s: (str(s["from"]), str(s["to"])) == (source, target)


def comes_from(client, to):
    return between(client.boundjid.full, to)


async def send_and_expect(send, inbox, pair, texts):
    """Every message once, in order and unchanged: nothing else came for this pair."""
    ids = [send(text) for text in texts]
    await inbox.collect(len(texts), lambda s: is_message(s) and pair(s))
    end = send("the end")
    await inbox.collect(1, lambda s: pair(s) and s["id"] == end)
    got = inbox.matching(lambda s: is_message(s) and pair(s))
    assert [s["id"] for s in got] == ids + [end]
    assert [s["body"] for s in got] == texts + ["the end"]


async def greet(client, component, to):
    """Prosody after SASL lets what it gets to send overtake what has waited for the stream: what is
    to arrive in order needs one that is open."""
    if client.overtakes:
        client.send_presence(pto=to, ptype="unavailable")
        await component.inbox.collect(1, lambda s: comes_from(client, to)(s))


async def deliver(client, component, to, count, name="number"):
    await greet(client, component, to)
    await send_and_expect(lambda text: client.send_text(to, text), component.inbox,
                          comes_from(client, to), bodies(count, name))


async def deliver_to(client, component, source, count, name="number"):
    """The other way: from an address behind the router."""
    me = client.boundjid.full
    await send_and_expect(lambda text: component.send_text(me, text, mfrom=source), client.inbox,
                          between(source, me), bodies(count, name))


async def deliver_presence(client, component, to):
    client.send_presence(pto=to, pstatus="Füße <hoch>")
    found = await component.inbox.collect(
        1, lambda s: isinstance(s, Presence) and comes_from(client, to)(s)
        and s["type"] != "unavailable")
    assert [(s["type"], s["status"]) for s in found] == [("available", "Füße <hoch>")]


async def deliver_iq(client, component, to):
    """The question alone: the answer takes another stream."""
    query = client.make_iq_get(queryxmlns="jabber:iq:version", ito=to)
    client.send(query)
    found = await component.inbox.collect(
        1, lambda s: isinstance(s, Iq) and comes_from(client, to)(s))
    assert [(s["type"], s["id"]) for s in found] == [("get", query["id"])]
    assert [child.tag for child in found[0].xml] == ["{jabber:iq:version}query"]


async def steal(lab, thief):
    """A stanza from a domain that the thief hosts, while DNS leads to another server that hosts it
    as well: that one disowns the key, and the sender hears of it."""
    lab.start_remote(RIVALS[thief.kind])
    alice = await lab.client(thief, stolen_by(thief.kind))
    id = alice.send_text(TARGETS[0], "mine")
    await alice.inbox.collect(1, lambda s: is_error(s) and s["id"] == id)


async def expect_error(component, id, condition, type):
    """Exactly one, addressed as an answer."""
    errors = await component.inbox.collect(1, lambda s: is_error(s) and s["id"] == id)
    assert len(errors) == 1
    assert error_of(errors[0]) == (condition, type), str(errors[0])
    return errors[0]


async def until_counted(router, what, holds):
    deadline = time.monotonic() + PATIENCE
    while True:
        counters = await router.counters()
        if holds(counters):
            return counters
        assert time.monotonic() < deadline, "%s: %s" % (what, dict(counters))
        await asyncio.sleep(0.25)  # the log tells of them no more than five times a second


def assert_each_once_in_order(sent, got):
    assert got == [id for id in sent if id in set(got)]
