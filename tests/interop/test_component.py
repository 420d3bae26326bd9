# SPDX-License-Identifier: GPL-2.0-or-later
"""slixmpp components behind the router, without any remote server."""

import pytest

from lab import DESK_SECRET
from traffic import bodies, expect_error
from xmpp import is_message

SHOP, BANK, DESK = "bob@shop.hosted.test", "bob@bank.hosted.test", "carol@desk.hosted.test"


async def test_wrong_secret_is_refused(lab, router):
    assert await lab.new_component(secret="a guess").refused() == "not-authorized"
    await lab.component()


async def test_secret_of_another_backend_is_refused(lab, router):
    assert await lab.new_component(secret=DESK_SECRET).refused() == "not-authorized"


async def test_domain_that_is_not_hosted_is_refused(lab, router):
    assert await lab.new_component("nope.hosted.test").refused() == "host-unknown"


@pytest.mark.parametrize("domain", ["shop.hosted.test", "bank.hosted.test"])
async def test_second_login_is_a_conflict(lab, router, domain):
    """Of the same backend, by whichever of its names; the first one stays."""
    first = await lab.component()
    assert await lab.new_component(domain).refused() == "conflict"
    first.send_text(BANK, "still here", mfrom=SHOP)
    got = await first.inbox.collect(1, is_message)
    assert got[0]["body"] == "still here"


async def test_login_works_again_after_leaving(lab, router):
    for _ in range(3):
        component = await lab.component()
        await component.leave()


async def test_local_messages_are_switched(lab, router):
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    texts = bodies(50, "local")
    ids = [gw.send_text(DESK, text, mfrom=SHOP) for text in texts]
    got = await desk.inbox.collect(len(texts), is_message)
    assert [s["body"] for s in got] == texts
    assert [s["id"] for s in got] == ids
    assert {(str(s["from"]), str(s["to"])) for s in got} == {(SHOP, DESK)}


async def test_local_answers_come_back(lab, router):
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    gw.send_text(DESK, "ping", mfrom=BANK)
    await desk.inbox.collect(1, is_message)
    desk.send_text(BANK, "pong", mfrom=DESK)
    got = await gw.inbox.collect(1, is_message)
    assert (got[0]["body"], str(got[0]["from"]), str(got[0]["to"])) == ("pong", DESK, BANK)


async def test_remote_domain_that_is_down_is_answered_with_an_error(lab, router):
    gw = await lab.component()
    id = gw.send_text("alice@prosody.test", "hello?", mfrom=SHOP)
    error = await expect_error(gw, id, "remote-server-timeout", "wait")
    assert (str(error["from"]), str(error["to"])) == ("alice@prosody.test", SHOP)


async def test_error_for_odd_id_is_escaped(lab, router):
    gw = await lab.component()
    id = gw.send_text("alice@nowhere.test", "hello?", mfrom=SHOP, id="<&>'\" ü")
    await expect_error(gw, id, "remote-server-not-found", "cancel")


async def test_foreign_sender_is_answered_and_the_link_stays(lab, router):
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    id = gw.send_text(DESK, "forged", mfrom="root@desk.hosted.test")
    await expect_error(gw, id, "not-allowed", "cancel")
    gw.send_text(DESK, "honest", mfrom=SHOP)
    got = await desk.inbox.collect(1, is_message)
    assert [s["body"] for s in got] == ["honest"]


async def test_foreign_sender_of_a_single_domain_ends_the_link(lab, router):
    """A component of one domain has no excuse."""
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    desk.send_text(SHOP, "forged", mfrom="root@shop.hosted.test")
    assert await desk.stream_error() == "invalid-from"
