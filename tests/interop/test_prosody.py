# SPDX-License-Identifier: GPL-2.0-or-later
"""Prosody as the remote server."""

import asyncio

import pytest

from lab import CLEAR, SELF_SIGNED, TRUSTED
from traffic import TARGETS, deliver
from xmpp import is_message

pytestmark = pytest.mark.parametrize("security", [CLEAR, SELF_SIGNED, TRUSTED])


async def test_two_senders_and_two_targets_are_four_pairs(lab, prosody, router):
    component = await lab.component()
    users = [await lab.client(prosody, domain) for domain in ("prosody.test", "second.test")]
    await asyncio.gather(*[deliver(user, component, to, 20) for user in users for to in TARGETS])


async def test_addresses_keep_their_local_and_resource_part(lab, prosody, router):
    """The address as Prosody writes it, with all that needs escaping in an attribute."""
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test", "Büro <&>'\" 漢字/@ 1")
    assert alice.boundjid.resource == "Büro <&>'\" 漢字/@ 1"
    await deliver(alice, component, "o\\27hara@shop.hosted.test/It's \"a <b> & c\"", 5)


async def test_domains_are_compared_without_case(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    alice.send_raw("<message to='bob@SHOP.Hosted.Test' type='chat' id='upper'>"
                   "<body>loud</body></message>")
    got = await component.inbox.collect(1, is_message)
    assert (got[0]["id"], str(got[0]["to"])) == ("upper", TARGETS[0])


async def test_messages_wait_for_a_component_that_comes_later(lab, prosody, router):
    """Stanzas are parked while a backend is away for a moment."""
    alice = await lab.client(prosody, "prosody.test")
    early = alice.send_text(TARGETS[0], "early")
    await router.logged(" pair-valid: ")
    component = await lab.component()
    got = await component.inbox.collect(1, is_message)
    assert [s["id"] for s in got] == [early]
