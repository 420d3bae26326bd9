# SPDX-License-Identifier: GPL-2.0-or-later
"""The remote servers without the router: when this fails, the router is not to blame."""

from traffic import bodies, send_all
from xmpp import is_message


async def exchange(sender, receiver):
    texts = bodies(20, "direct")
    send_all(sender, receiver.boundjid.full, texts)
    got = await receiver.inbox.collect(len(texts), is_message)
    assert [s["body"] for s in got] == texts


async def test_prosody_and_jabberd2_talk_to_each_other(lab, prosody, jabberd2):
    one = await lab.client(prosody, "prosody.test")
    other = await lab.client(jabberd2, "jabberd2.test")
    one.send_presence()
    other.send_presence()
    await exchange(one, other)
    await exchange(other, one)
