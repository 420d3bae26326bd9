# SPDX-License-Identifier: GPL-2.0-or-later
"""A component behind the router speaks first: to users of real servers, and they answer.

How many hosted domains share a stream is told by test_outward_many.py, what goes wrong by
test_outward_failures.py.
"""

import pytest
from slixmpp.stanza import Iq, Presence

from lab import CLEAR, SELF_SIGNED, TRUSTED
from lab import DIRECT as DIRECT_REMOTES
from traffic import TARGETS, between, deliver, deliver_to, expect_error
from xmpp import error_of

every_way = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])
both_ways = pytest.mark.parametrize("security", [CLEAR, TRUSTED])
over_tls = pytest.mark.parametrize("security", [SELF_SIGNED, TRUSTED])

DIRECT = "bob@direct.hosted.test"
BOB = TARGETS[0]


def how_it_came_about(counters):
    return {name: number for name, number in counters.items()
            if name.startswith(("streams_out", "sasl_out"))}


def expected(receiver, security):
    """One stream, over TLS where there is any. Prosody needs no key then; ejabberd does not take a
    certificate that is for servers only; jabberd2 has no SASL EXTERNAL."""
    found = {"streams_out": 1, "streams_out_up": 1}
    if security != CLEAR:
        found["streams_out_secure"] = 1
    if security == TRUSTED and receiver.kind == "prosody":
        found["streams_out_proven"] = 1
    if security == TRUSTED and receiver.kind == "ejabberd":
        found["sasl_out_refused"] = 1
    return found


# -- messages --


@every_way
async def test_messages_out_and_back(lab, receiver, router, security):
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver_to(alice, component, BOB, 50)
    await deliver(alice, component, BOB, 50)
    await deliver_to(alice, component, TARGETS[1], 10)
    counters = await router.counters()
    assert how_it_came_about(counters) == expected(receiver, security)
    assert counters["bounced"] == counters["stream_errors_received"] == 0
    assert counters["stanzas_remote"] == counters["stanzas_from_backends"] == 62


@both_ways
async def test_the_user_speaks_first(lab, receiver, router):
    """The answer takes a stream of ours, and not theirs."""
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver(alice, component, BOB, 5)
    assert (await router.counters())["streams_out"] == 0
    await deliver_to(alice, component, BOB, 5)
    assert (await router.counters())["streams_out"] == 1


@both_ways
async def test_addresses_keep_their_local_and_resource_part(lab, receiver, router):
    """In either direction, with all that needs escaping in an attribute."""
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0], "Büro <&>'\" 漢字/@ 1")
    await deliver_to(alice, component, "o\\27hara@shop.hosted.test/It's \"a <b> & c\"", 5)


@over_tls
@pytest.mark.parametrize("name", DIRECT_REMOTES)
async def test_tls_from_the_first_byte(lab, router, name):
    """DNS knows no other place for that domain, nor for the component's."""
    receiver = lab.start_remote(name)
    component = await lab.component()
    alice = await lab.client(receiver, DIRECT_REMOTES[name])
    await deliver_to(alice, component, DIRECT, 10)
    await deliver(alice, component, DIRECT, 10)
    assert router.log().count(" outbound-up: ") == router.log().count(" tls=direct ") == 1


@pytest.mark.parametrize("security", [TRUSTED])
@pytest.mark.parametrize("certified", [None, {"self_signed": True}, {"names": ["other.test"]}],
                         ids=["good", "self-signed", "another name"])
@pytest.mark.parametrize("name", ["prosody", "ejabberd"])
async def test_who_requires_certificates_sends_to_those_that_have_them(lab, name, certified):
    """The others are told nothing, not even a key."""
    router = lab.start_router(more=["--out-auth", "secure"])
    receiver = lab.start_remote(name, certified)
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    if certified is None:
        await deliver_to(alice, component, BOB, 5)
        assert 'certificate="proves the domain"' in router.log()
    else:
        id = component.send_text(alice.boundjid.full, "may I?", mfrom=BOB)
        await expect_error(component, id, "remote-server-timeout", "cancel")
        counters = await router.counters()
        assert counters["certs_out_refused"] == counters["streams_out"] == 1
        assert (counters["streams_out_up"], counters["verify_answered"]) == (0, 0)


# -- presence --


def presence(status, type, source, target):
    """To a user by her bare address or a full one: some servers put that in its place."""
    return lambda s: (isinstance(s, Presence)
                      and (str(s["from"]), s["to"].bare) == (source, target)
                      and (s["type"], s["status"]) == (type, status))


@every_way
async def test_two_subscribe_to_each_other(lab, receiver, router):
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    alice.auto_authorize = None
    alice.auto_subscribe = False
    await alice.get_roster()
    alice.send_presence(pstatus="Füße <hoch>")
    me, full = alice.boundjid.bare, alice.boundjid.full

    # bob asks alice, who agrees: he sees her.
    component.send_presence(pto=me, pfrom=BOB, ptype="subscribe")
    await alice.inbox.collect(1, presence("", "subscribe", BOB, me))
    alice.send_presence(pto=BOB, ptype="subscribed")
    await component.inbox.collect(1, presence("", "subscribed", me, BOB))
    await component.inbox.collect(1, presence("Füße <hoch>", "available", full, BOB))

    # And the other way round.
    alice.send_presence(pto=BOB, ptype="subscribe")
    await component.inbox.collect(1, presence("", "subscribe", me, BOB))
    component.send_presence(pto=me, pfrom=BOB, ptype="subscribed")
    component.send_presence(pto=me, pfrom=BOB, pstatus="<da>")
    await alice.inbox.collect(1, presence("<da>", "available", BOB, me))
    assert alice.client_roster[BOB]["subscription"] == "both"

    # The server answers a probe in her place, and says when she leaves.
    component.send_presence(pto=me, pfrom=BOB, ptype="probe")
    await component.inbox.collect(2, presence("Füße <hoch>", "available", full, BOB))
    alice.send_presence(ptype="unavailable", pstatus="weg")
    await component.inbox.collect(1, presence("weg", "unavailable", full, BOB))
    counters = await router.counters()
    assert (counters["bounced"], counters["streams_out"]) == (0, 1)


# -- questions and answers --


async def ask(component, to, child):
    """What came for it: exactly one answer."""
    query = component.make_iq_get(ito=to, ifrom=BOB)
    query.xml.append(component.make_iq(ito=to).xml.makeelement(child, {}))
    query.send()
    answers = await component.inbox.collect(
        1, lambda s: isinstance(s, Iq) and s["id"] == query["id"] and between(to, BOB)(s))
    assert len(answers) == 1
    return answers[0]


@every_way
async def test_the_component_asks(lab, receiver, router):
    """A user's client, and the server itself."""
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    alice.register_plugin("xep_0199")
    me, server = alice.boundjid.full, receiver.domains[0]

    pong = await ask(component, me, "{urn:xmpp:ping}ping")
    assert (pong["type"], len(pong.xml)) == ("result", 0)
    pong = await ask(component, server, "{urn:xmpp:ping}ping")
    assert pong["type"] == "result"
    disco = await ask(component, server, "{http://jabber.org/protocol/disco#info}query")
    assert disco["type"] == "result"
    assert "server" in [e.get("category") for e in disco.xml[0]]
    version = await ask(component, server, "{jabber:iq:version}query")
    names = [e.text for e in version.xml[0] if e.tag == "{jabber:iq:version}name"]
    assert names and receiver.kind in names[0].lower()
    nothing = await ask(component, server, "{urn:example:unheard-of}query")
    assert error_of(nothing)[0] in ("service-unavailable", "feature-not-implemented")
    assert (await router.counters())["streams_out"] == 1


@every_way
async def test_the_user_asks(lab, receiver, router):
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    me = alice.boundjid.full
    for to in (BOB, "shop.hosted.test"):
        query = alice.make_iq_get(queryxmlns="jabber:iq:version", ito=to)
        alice.send(query)
        got = await component.inbox.collect(1, lambda s: s["id"] == query["id"])
        answer = component.make_iq_result(id=got[0]["id"], ito=got[0]["from"], ifrom=got[0]["to"])
        answer.xml.append(answer.xml.makeelement("{jabber:iq:version}query", {}))
        answer.send()
        result = await alice.inbox.collect(
            1, lambda s: isinstance(s, Iq) and s["id"] == query["id"] and between(to, me)(s))
        assert [(s["type"], s.xml[0].tag) for s in result] == [
            ("result", "{jabber:iq:version}query")]
    assert (await router.counters())["streams_out"] == 1
