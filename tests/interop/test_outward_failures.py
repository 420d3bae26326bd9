# SPDX-License-Identifier: GPL-2.0-or-later
"""What a component hears when something cannot be delivered to a real server, and that nobody else
on the stream notices."""

import asyncio
import signal
import time

import pytest

from lab import CLEAR, CLOSED, SELF_SIGNED, STRAY, TRUSTED, unhosted_by
from servers import PATIENCE
from traffic import (TARGETS, assert_each_once_in_order, bodies, deliver, deliver_to,
                     expect_error)
from xmpp import is_error, is_message

both_ways = pytest.mark.parametrize("security", [CLEAR, TRUSTED])
by_dialback = pytest.mark.parametrize("security", [SELF_SIGNED])
BOB = TARGETS[0]

# How many streams are opened to a domain when one of its pairs has a wrong key. Prosody and
# ejabberd say so and go on; jabberd2 ends the stream, and all other pairs take another one.
STREAMS_AFTER_INVALID = {"prosody": 1, "ejabberd": 1, "jabberd2": 2}

NO_SERVER = ("remote-server-not-found", "cancel")


def unhosted(receiver):
    """Asked by a stream of its own: host-unknown. ejabberd can be asked over one that is there, and
    refuses the key by `not-allowed`; then it is asked by a stream of its own, too. jabberd2 takes
    any target for one of its own, and has nobody there to deliver to."""
    return ("item-not-found", "cancel") if receiver.kind == "jabberd2" else NO_SERVER


async def goes_on(lab, receiver, component, router, streams=1):
    """The pair that was there and one that is new, over the stream that was there."""
    other = await lab.client(receiver, receiver.domains[0], "phone")
    await deliver_to(other, component, BOB, 5, "after")
    await deliver_to(other, component, TARGETS[1], 5, "another pair")
    log = router.log()
    name = " to=%s " % receiver.domains[0]
    ups = [line for line in log.splitlines() if " outbound-up: " in line and name in line]
    downs = [line for line in log.splitlines() if " outbound-down: " in line and name in line]
    assert (len(ups), len(downs)) == (streams, streams - 1)


# -- errors --


@both_ways
async def test_an_unknown_user(lab, receiver, router):
    """The server's own error comes back, by its own stream."""
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver_to(alice, component, BOB, 5, "before")
    nobody = "nobody@" + receiver.domains[0]
    id = component.send_text(nobody, "hello?", mfrom=BOB)
    error = await expect_error(component, id, "service-unavailable", "cancel")
    assert (str(error["from"]), str(error["to"])) == (nobody, BOB)
    await goes_on(lab, receiver, component, router)
    assert (await router.counters())["bounced"] == 0


@both_ways
async def test_a_domain_that_the_server_does_not_host(lab, receiver, security):
    """DNS leads there all the same: it is asked over the stream that is there, or a new one."""
    router = lab.start_router(more=["--workers", "1"])
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver_to(alice, component, BOB, 5, "before")
    target = "alice@" + unhosted_by(receiver.kind)
    for _ in range(2):
        id = component.send_text(target, "hello?", mfrom=BOB)
        error = await expect_error(component, id, *unhosted(receiver))
        assert (str(error["from"]), str(error["to"])) == (target, BOB)
    await goes_on(lab, receiver, component, router)


@both_ways
@pytest.mark.parametrize("target, answer", [
    ("alice@nowhere.test", NO_SERVER),
    ("alice@" + CLOSED, ("remote-server-timeout", "wait")),
], ids=["no DNS", "closed port"])
async def test_a_server_that_is_not_there(lab, receiver, router, target, answer):
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver_to(alice, component, BOB, 5, "before")
    for stanza in (component.make_message(target), component.make_presence(pto=target),
                   component.make_iq_get(ito=target)):
        stanza["from"], stanza["id"] = BOB, component.new_id()
        stanza.send()
        error = await expect_error(component, stanza["id"], *answer)
        assert error.name == stanza.name
        assert (str(error["from"]), str(error["to"])) == (target, BOB)
    await goes_on(lab, receiver, component, router)


# -- wrong keys --


@by_dialback
async def test_a_wrong_key_alone(lab, receiver, router):
    """DNS leads to a server that disowns it. Nothing else is on the stream."""
    lab.start_remote("twin")
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    id = component.send_text(alice.boundjid.full, "mine", mfrom="bob@" + STRAY)
    await expect_error(component, id, "internal-server-error", "cancel")
    await deliver_to(alice, component, BOB, 5)


@both_ways
async def test_a_wrong_key_beside_others(lab, receiver, router):
    lab.start_remote("twin")
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await deliver_to(alice, component, BOB, 5, "before")
    id = component.send_text(alice.boundjid.full, "mine", mfrom="bob@" + STRAY)
    await expect_error(component, id, "internal-server-error", "cancel")
    await goes_on(lab, receiver, component, router, STREAMS_AFTER_INVALID[receiver.kind])
    assert not alice.inbox.matching(lambda s: s["from"].domain == STRAY)


# -- restarts of the remote server --


async def send_until(component, to, done):
    sent = []
    while not done.is_set():
        sent.append(component.send_text(to, "flow %d" % len(sent), mfrom=BOB))
        await asyncio.sleep(0.01)
    return sent


async def until_delivered(component, alice):
    """Delivery resumes: an error is no answer to this question."""
    deadline = time.monotonic() + PATIENCE
    asked = set()
    while not alice.inbox.matching(lambda s: s["id"] in asked):
        assert time.monotonic() < deadline, "nothing is delivered after %d s" % PATIENCE
        asked.add(component.send_text(alice.boundjid.full, "are you there?", mfrom=BOB))
        await asyncio.sleep(0.5)


@both_ways
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_in_the_middle(lab, receiver, number):
    """Nothing comes twice or out of order, and of all that the component has sent it is known what
    became of it, but for what had left for the old connection."""
    # jabberd2 is to be asked about its keys again: see the fixture.
    router = lab.start_router(more=["--verdict-ttl", "0"])
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    me = alice.boundjid.full
    done = asyncio.Event()
    flow = asyncio.ensure_future(send_until(component, me, done))
    await alice.inbox.collect(50, is_message)
    await receiver.outside.restart(number)
    # Of jabberd2 only the part that speaks with other servers has gone.
    stays = receiver.kind == "jabberd2"
    again = alice if stays else await lab.client(receiver, receiver.domains[0])
    await until_delivered(component, again)
    done.set()
    sent = await flow
    other = await lab.client(receiver, receiver.domains[0], "phone")
    await deliver_to(other, component, BOB, 10)
    await deliver(again, component, BOB, 5)

    users = [alice] if stays else [alice, again]
    of_flow = set(sent)
    delivered = [s["id"] for user in users for s in user.inbox.matching(is_message)
                 if s["id"] in of_flow]
    returned = [s["id"] for s in component.inbox.matching(is_error) if s["id"] in of_flow]
    assert_each_once_in_order(sent, delivered)
    assert len(returned) == len(set(returned)) and not set(returned) & set(delivered)
    lost = [id for id in sent if id not in set(delivered) | set(returned)]
    assert_one_gap([id for id in sent if id not in set(returned)], lost)
    counters = await ended(router)
    assert counters["streams_out"] > 1


def assert_one_gap(order, lost):
    """All that is missing went missing with the same connection: it is one stretch."""
    if lost:
        first = order.index(lost[0])
        assert order[first:first + len(lost)] == lost


async def ended(router):
    """What was handed to the kernel, each once, and what was given back, is what was accepted."""
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0
    counters = router.last_counters()
    assert counters["stanzas_from_backends"] == (
        counters["stanzas_remote"] - counters["stanzas_requeued"]
        + counters["bounced"] + counters["bounce_suppressed"])
    assert counters["bounce_undeliverable"] == 0
    return counters


@pytest.mark.parametrize("security", [TRUSTED])
async def test_a_server_that_breaks_off(lab, jabberd2, router):
    """jabberd2, whose certificate is good, ends the stream over whatever does not come whole (see
    the fixture `receiver`): what is sent bit by bit arrives all the same."""
    component = await lab.component()
    alice = await lab.client(jabberd2, jabberd2.domains[0])
    sent = [component.send_text(alice.boundjid.full, text, mfrom=BOB) for text in bodies(50, "big")]
    await until_delivered(component, alice)
    delivered = [s["id"] for s in alice.inbox.matching(is_message) if s["id"] in set(sent)]
    assert_each_once_in_order(sent, delivered)
    await ended(router)
