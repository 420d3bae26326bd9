# SPDX-License-Identifier: GPL-2.0-or-later
"""ejabberd as the remote server: a connection for each pair, and one for each key it asks about."""

import asyncio

import pytest

from lab import CLEAR, DIALBACK_SECRET, SELF_SIGNED, TO_ROUTER, TRUSTED
from traffic import TARGETS, deliver

pytestmark = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])

HOSTED = [domain for domain in TO_ROUTER if not domain.startswith(("nope", "later"))]


async def test_each_pair_has_a_stream(lab, ejabberd, router):
    component = await lab.component()
    users = [await lab.client(ejabberd, domain) for domain in ejabberd.domains[:2]]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])
    counters = await router.counters()
    assert (counters["pairs_valid"], counters["streams_in"]) == (4, 4)


async def test_t_a1_many_keys_at_once_each_over_a_connection_of_its_own(lab, ejabberd, router):
    pairs = [(source, target) for source in HOSTED for target in ejabberd.domains[:2]]
    streams = [await lab.initiator(ejabberd, *pair) for pair in pairs]
    answers = await asyncio.gather(*[
        stream.claim(*pair, DIALBACK_SECRET) for stream, pair in zip(streams, pairs)])
    assert answers == ["valid"] * 8
    counters = await router.counters()
    assert (counters["verify_answered"], counters["streams_in"]) == (8, 8)


async def test_a_key_of_a_domain_that_is_not_hosted(lab, ejabberd, router):
    """Its connection is addressed to that domain and refused; the next one is not."""
    domain = ejabberd.domains[0]
    stream = await lab.initiator(ejabberd, "shop.hosted.test", domain)
    assert await stream.claim("shop.hosted.test", domain, DIALBACK_SECRET) == "valid"
    assert await stream.claim("nope.hosted.test", domain, DIALBACK_SECRET) == "error"
    assert await stream.claim("bank.hosted.test", domain, DIALBACK_SECRET) == "valid"
    counters = await router.counters()
    assert (counters["verify_answered"], counters["stream_errors_sent"]) == (2, 1)
