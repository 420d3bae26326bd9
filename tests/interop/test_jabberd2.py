# SPDX-License-Identifier: GPL-2.0-or-later
"""jabberd2 as the remote server: it sends all its pairs on one stream."""

import asyncio

from slixmpp.stanza import Message

from traffic import TARGETS, deliver, deliver_iq, deliver_presence
from xmpp import is_error


async def test_messages_arrive_once_in_order_and_unchanged(lab, jabberd2, router):
    component = await lab.component()
    alice = await lab.client(jabberd2, "jabberd2.test")
    await deliver(alice, component, TARGETS[0], 50)


async def test_presence_and_iq_arrive(lab, jabberd2, router):
    component = await lab.component()
    alice = await lab.client(jabberd2, "jabberd2.test")
    await deliver_presence(alice, component, TARGETS[0])
    await deliver_iq(alice, component, TARGETS[0])


async def test_pairs_share_a_stream(lab, jabberd2, router):
    component = await lab.component()
    domains = ("jabberd2.test", "jabberd2-second.test")
    users = [await lab.client(jabberd2, domain) for domain in domains]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])


async def test_both_servers_at_once(lab, jabberd2, prosody, router):
    component = await lab.component()
    users = [await lab.client(jabberd2, "jabberd2.test"),
             await lab.client(prosody, "prosody.test")]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])


async def test_a_domain_that_nobody_hosts_fails_alone(lab, jabberd2, router):
    """On a shared stream: what was proven before goes on."""
    component = await lab.component()
    alice = await lab.client(jabberd2, "jabberd2.test")
    await deliver(alice, component, TARGETS[0], 5, "before")
    lost = alice.send_text("bob@nope.hosted.test", "nobody is there")
    await alice.inbox.collect(
        1, lambda s: isinstance(s, Message) and is_error(s) and s["id"] == lost)
    other = await lab.client(jabberd2, "jabberd2.test", "phone")
    await deliver(other, component, TARGETS[0], 5, "after")
