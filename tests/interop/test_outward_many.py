# SPDX-License-Identifier: GPL-2.0-or-later
"""Many hosted domains behind one component, each a sender of its own, to one real server."""

import asyncio

import pytest

from lab import CLEAR, SELF_SIGNED, SENDERS, TRUSTED
from servers import PATIENCE
from traffic import TARGETS, between, deliver_to
from xmpp import is_message

every_way = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])
both_ways = pytest.mark.parametrize("security", [CLEAR, TRUSTED])

BOBS = ["bob@" + domain for domain in SENDERS]


def send_rounds(component, to, rounds):
    """Each sender in turn, and all of them again: ids by sender."""
    sent = {bob: [] for bob in BOBS}
    for number in range(rounds):
        for bob in BOBS:
            sent[bob].append(component.send_text(to, "%d of %s" % (number, bob), mfrom=bob))
    return sent


async def expect_rounds(alice, sent):
    """All, each once, in the order of their pair."""
    count = sum(len(ids) for ids in sent.values())
    got = await alice.inbox.collect(count, is_message, PATIENCE)
    assert len(got) == count
    for bob, ids in sent.items():
        pair = between(bob, alice.boundjid.full)
        found = [s for s in got if pair(s)]
        assert [s["id"] for s in found] == ids
        assert [s["body"] for s in found] == ["%d of %s" % (n, bob) for n in range(len(ids))]


async def expect_answers(alice, component):
    me = alice.boundjid.full
    answers = {alice.send_text(bob, "for " + bob): bob for bob in BOBS}
    got = await component.inbox.collect(len(answers), is_message, PATIENCE)
    assert {s["id"]: (str(s["from"]), str(s["to"]), s["body"]) for s in got} == {
        id: (me, bob, "for " + bob) for id, bob in answers.items()}
    assert len(got) == len(answers)


@every_way
async def test_t_m1_all_on_one_stream_and_answers_come_back(lab, receiver, router):
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    await expect_rounds(alice, send_rounds(component, alice.boundjid.full, 3))
    counters = await router.counters()
    assert (counters["streams_out"], counters["streams_out_up"]) == (1, 1)
    assert (counters["bounced"], counters["stanzas_remote"]) == (0, 3 * len(BOBS))
    # One more may ask about keys.
    assert router.connections_to(receiver.s2s) <= 2
    await expect_answers(alice, component)
    # And those who are known by now, once more.
    await deliver_to(alice, component, BOBS[0] + "/again", 10)
    counters = await router.counters()
    assert (counters["streams_out"], counters["stream_errors_received"]) == (1, 0)
    log = router.log()
    assert log.count(" outbound-up: ") == 1 and " outbound-down: " not in log


@both_ways
async def test_two_targets_of_a_server(lab, receiver):
    """Over one stream, if it has said that it can tell of errors; over two otherwise."""
    router = lab.start_router(more=["--workers", "1"])
    component = await lab.component()
    users = [await lab.client(receiver, domain) for domain in receiver.domains[:2]]
    await asyncio.gather(*[deliver_to(user, component, bob, 5)
                           for user in users for bob in [*TARGETS, *BOBS[:10]]])
    counters = await router.counters()
    streams = 1 if receiver.kind == "ejabberd" else 2
    assert (counters["streams_out"], counters["streams_out_up"]) == (streams, streams)
    assert counters["stream_errors_received"] == 0
