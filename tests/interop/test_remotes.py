# SPDX-License-Identifier: GPL-2.0-or-later
"""What has to hold with each kind of remote server."""

import asyncio
import itertools
import signal

import pytest
from slixmpp.stanza import Message

from lab import CLEAR, DIALBACK_SECRET, SELF_SIGNED, TRUSTED
from traffic import (AWKWARD, TARGETS, assert_each_once_in_order, bodies, comes_from, deliver,
                     deliver_iq, deliver_presence, greet, steal, until_counted)
from xmpp import is_error, is_message

PARKED = "nobody@empty.hosted.test"

# What concerns keys alone, and what a certificate changes; other modules test in the clear as well.
by_dialback = pytest.mark.parametrize("security", [SELF_SIGNED])
with_or_without_tls = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])
either_way = pytest.mark.parametrize("security", [SELF_SIGNED, TRUSTED])


# -- stanzas --


@with_or_without_tls
async def test_messages_arrive_once_in_order_and_unchanged(lab, remote, router):
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, TARGETS[0], 50)


@with_or_without_tls
async def test_presence_and_iq_arrive(lab, remote, router):
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await deliver_presence(alice, component, TARGETS[0])
    await deliver_iq(alice, component, TARGETS[0])


@with_or_without_tls
async def test_a_domain_that_nobody_hosts_fails_alone(lab, remote, router):
    """On a shared stream, too: what was proven before goes on."""
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, TARGETS[0], 5, "before")
    lost = alice.send_text("bob@nope.hosted.test", "nobody is there")
    errors = await alice.inbox.collect(
        1, lambda s: isinstance(s, Message) and is_error(s) and s["id"] == lost)
    assert str(errors[0]["from"]) == "bob@nope.hosted.test"
    # A second resource, for deliver() looks at all that one sender sent to a target.
    other = await lab.client(remote, remote.domains[0], "phone")
    await deliver(other, component, TARGETS[0], 5, "after")
    assert component.inbox.matching(is_message)[-1]["body"] == "the end"
    assert len(component.inbox.matching(is_message)) == 12


# -- the router as Authoritative Server: initiator.py asks in its place to be verified --


@by_dialback
async def test_t_a1_keys_of_the_router_are_confirmed(lab, remote, router):
    """Of every pair; the remote server then takes what comes over it to its user."""
    alice = await lab.client(remote, remote.domains[0])
    for source in ("shop.hosted.test", "bank.hosted.test"):
        stream = await lab.initiator(remote, source, remote.domains[0])
        assert await stream.claim(source, remote.domains[0], DIALBACK_SECRET) == "valid"
        stream.send("<message from='bob@%s' to='%s' type='chat' id='%s'><body>hi</body></message>"
                    % (source, alice.boundjid.full, source))
        got = await alice.inbox.collect(1, lambda s: s["id"] == source)
        assert (str(got[0]["from"]), got[0]["body"]) == ("bob@" + source, "hi")
    assert (await router.counters())["verify_answered"] == 2


@by_dialback
async def test_a_question_goes_out_and_its_answer_comes_back(lab, remote, router):
    """Out over the initiator's stream, back through the router: to the remote server it is one."""
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    alice.register_plugin("xep_0199")
    pair = ("shop.hosted.test", remote.domains[0])
    stream = await lab.initiator(remote, *pair)
    assert await stream.claim(*pair, DIALBACK_SECRET) == "valid"
    stream.send("<iq from='%s' to='%s' type='get' id='question'><ping xmlns='urn:xmpp:ping'/></iq>"
                % (TARGETS[0], alice.boundjid.full))
    got = await component.inbox.collect(1, comes_from(alice, TARGETS[0]))
    assert [(s.name, s["type"], s["id"]) for s in got] == [("iq", "result", "question")]


@by_dialback
async def test_t_a2_a_key_of_somebody_else_is_disowned(lab, remote, router):
    """And the next one, which is good, is not held up by it."""
    pair = ("shop.hosted.test", remote.domains[0])
    forger = await lab.initiator(remote, *pair)
    assert await forger.claim(*pair, "a guess") == "invalid"
    stream = await lab.initiator(remote, *pair)
    assert await stream.claim(*pair, DIALBACK_SECRET) == "valid"
    assert (await router.counters())["verify_answered"] == 2


# -- wrong keys --


@either_way
async def test_t_i5_a_wrong_key_alone(lab, router, remote):
    """The stream is closed; other pairs are then verified over another one."""
    component = await lab.component()
    await steal(lab, remote)
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, TARGETS[0], 5)
    assert {s["from"].domain for s in component.inbox.stanzas} == {remote.domains[0]}
    counters = await router.counters()
    assert (counters["pairs_invalid"], counters["pairs_valid"]) == (1, 1)
    assert counters["streams_in"] == 2
    assert "a key was invalid and no other pair is alive" in router.log()


@either_way
async def test_a_wrong_key_in_the_middle(lab, router, remote):
    """What was proven before goes on, and more is proven afterwards."""
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, TARGETS[0], 5, "before")
    await steal(lab, remote)
    other = await lab.client(remote, remote.domains[0], "phone")
    await deliver(other, component, TARGETS[0], 5, "same pair")
    await deliver(other, component, TARGETS[1], 5, "another pair")
    assert {s["from"].domain for s in component.inbox.stanzas} == {remote.domains[0]}
    counters = await router.counters()
    assert (counters["pairs_invalid"], counters["stream_errors_sent"]) == (1, 0)


# -- restarts of the remote server --


async def send_until(client, done):
    """Two flows at once: to a backend that is there, and to one that is not."""
    sent = []
    texts = itertools.cycle(bodies(len(AWKWARD), "flow"))
    while not done.is_set():
        sent.append(client.send_text(TARGETS[0], next(texts)))
        client.send_text(PARKED, "for nobody")
        await asyncio.sleep(0.001)
    return sent


def assert_balanced(counters, delivered):
    """Whatever was accepted went somewhere."""
    accepted = counters["stanzas_in"] + counters["stanzas_from_backends"]
    returned = (counters["bounced"] + counters["bounce_undeliverable"]
                + counters["bounce_suppressed"])
    assert accepted == delivered + returned + counters["in_doubt"]


@either_way
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_in_the_middle(lab, router, remote, number):
    """It comes back with nothing in its memory, Prosody and ejabberd with another secret too. What
    it sends then arrives, over the old pair and new ones, and nothing is left of the streams that
    it had."""
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await greet(alice, component, TARGETS[0])
    done = asyncio.Event()
    flow = asyncio.ensure_future(send_until(alice, done))
    await component.inbox.collect(20, is_message)
    await until_counted(router, "nothing parked", lambda n: n["stanzas_parked"] > 0)
    await remote.outside.restart(number)
    done.set()
    sent = await flow

    for domain in remote.domains[:2]:
        other = await lab.client(remote, domain, "phone")
        await deliver(other, component, TARGETS[0], 10, "after")
        await deliver(other, component, TARGETS[1], 10, "after")
    # The router has seen the end of all others.
    streams = 1 if remote.kind == "jabberd2" else 4
    await until_counted(router, "not %d streams" % streams,
                        lambda n: n["streams_in"] - n["streams_ended"] == streams)
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0
    await component.until_closed()

    flowed = [s["id"] for s in component.inbox.matching(is_message) if s["from"] == alice.boundjid]
    assert_each_once_in_order(sent, flowed)
    counters = router.last_counters()
    assert counters["stanzas_parked"] > 0 and counters["bounce_undeliverable"] > 0
    assert_balanced(counters, len(component.inbox.stanzas))
