# SPDX-License-Identifier: GPL-2.0-or-later
"""jabberd2 as the remote server: it sends all its pairs on one stream."""

import asyncio

import pytest

from lab import CLEAR, DIALBACK_SECRET, SELF_SIGNED, TRUSTED
from traffic import TARGETS, deliver, steal, until_counted

pytestmark = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])


async def test_pairs_share_a_stream(lab, jabberd2, router):
    component = await lab.component()
    users = [await lab.client(jabberd2, domain) for domain in jabberd2.domains[:2]]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])
    counters = await router.counters()
    assert (counters["pairs_valid"], counters["streams_in"]) == (4, 1)


async def test_both_servers_at_once(lab, jabberd2, prosody, router):
    component = await lab.component()
    users = [await lab.client(jabberd2, "jabberd2.test"),
             await lab.client(prosody, "prosody.test")]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])


async def test_t_i6_a_wrong_key_beside_others_ends_no_stream(lab, jabberd2, router):
    """The router does not end it. jabberd2 does, over any answer but `valid`, and opens another:
    nothing of that may stay behind here."""
    component = await lab.component()
    alice = await lab.client(jabberd2, "jabberd2.test")
    await deliver(alice, component, TARGETS[0], 5, "before")
    await steal(lab, jabberd2)
    await router.logged("stream-error-received: the peer ended its stream with an error")
    other = await lab.client(jabberd2, "jabberd2.test", "phone")
    await deliver(other, component, TARGETS[0], 5, "after")
    # The end of the first stream may be seen after that.
    counters = await until_counted(router, "no end", lambda n: n["streams_ended"] > 0)
    assert (counters["pairs_valid"], counters["pairs_invalid"]) == (2, 1)
    assert (counters["stream_errors_sent"], counters["stream_errors_received"]) == (0, 1)
    assert (counters["streams_in"], counters["streams_ended"]) == (2, 1)
    assert "a key was invalid and no other pair is alive" not in router.log()


async def test_t_a3_a_key_of_a_domain_that_is_not_hosted(lab, jabberd2, router):
    """jabberd2 asks about all keys over one stream, which goes on."""
    domain = jabberd2.domains[0]
    stream = await lab.initiator(jabberd2, "shop.hosted.test", domain)
    assert await stream.claim("shop.hosted.test", domain, DIALBACK_SECRET) == "valid"
    assert await stream.claim("nope.hosted.test", domain, DIALBACK_SECRET) == "invalid"
    other = await lab.initiator(jabberd2, "bank.hosted.test", domain)
    assert await other.claim("bank.hosted.test", domain, DIALBACK_SECRET) == "valid"
    counters = await router.counters()
    assert (counters["verify_answered"], counters["streams_in"]) == (3, 1)
