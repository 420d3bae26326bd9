# SPDX-License-Identifier: GPL-2.0-or-later
"""What remote users send, and what the component must have got of it."""

from slixmpp.stanza import Iq, Presence

from lab import RIVALS, stolen_by
from xmpp import is_error, is_message

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


def comes_from(client, to):
    """Stanzas of one pair; the full address, for the router must not touch it."""
    return lambda s: str(s["from"]) == client.boundjid.full and str(s["to"]) == to


async def expect_messages(component, client, to, ids, texts):
    """Every message once, in order and unchanged: nothing else came for this pair."""
    pair = comes_from(client, to)
    await component.inbox.collect(len(texts), lambda s: is_message(s) and pair(s))
    end = client.send_text(to, "the end")
    await component.inbox.collect(1, lambda s: pair(s) and s["id"] == end)
    got = component.inbox.matching(lambda s: is_message(s) and pair(s))
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
    texts = bodies(count, name)
    ids = send_all(client, to, texts)
    await expect_messages(component, client, to, ids, texts)


async def deliver_presence(client, component, to):
    client.send_presence(pto=to, pstatus="Füße <hoch>")
    found = await component.inbox.collect(
        1, lambda s: isinstance(s, Presence) and comes_from(client, to)(s)
        and s["type"] != "unavailable")
    assert [(s["type"], s["status"]) for s in found] == [("available", "Füße <hoch>")]


async def deliver_iq(client, component, to):
    """The answer cannot come back in this build: only the question is looked at."""
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
