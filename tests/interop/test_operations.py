# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator does to a running router."""

import asyncio
import signal
import socket
import time

import pytest

from lab import DESK_SECRET, REGISTRY
from servers import HOST, PATIENCE
from traffic import TARGETS, bodies, deliver
from xmpp import error_of, is_error, is_message

LATER = "bob@later.hosted.test"


async def reaches(client, component, to):
    """Did a message arrive? No, when its sender gets an error for it."""
    id = client.send_text(to, "are you there?")
    arrived = asyncio.ensure_future(component.inbox.collect(1, lambda s: s["id"] == id))
    failed = asyncio.ensure_future(
        client.inbox.collect(1, lambda s: is_error(s) and s["id"] == id))
    await asyncio.wait([arrived, failed], return_when=asyncio.FIRST_COMPLETED)
    yes = arrived.done() and arrived.exception() is None
    for task in (arrived, failed):
        task.cancel()
    await asyncio.gather(arrived, failed, return_exceptions=True)
    return yes


async def until_reachable(client, component, to):
    """A reload takes a moment, and the remote server may remember a failure for another."""
    deadline = time.monotonic() + PATIENCE
    while not await reaches(client, component, to):
        assert time.monotonic() < deadline, "%s stays out of reach" % to
        await asyncio.sleep(0.1)


async def test_sigterm_drains_and_exits_0(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    await deliver(alice, component, TARGETS[0], 5)
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0
    await component.until_closed()


async def test_sigterm_without_any_connection(lab, router):
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0


async def test_sigterm_ends_a_flow_without_a_gap(lab, router):
    """What arrives before the end is all up to some message."""
    gw = await lab.component()
    ids = [gw.send_text(TARGETS[1], text, mfrom=TARGETS[0]) for text in bodies(200, "last")]
    await gw.inbox.collect(1, is_message)
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0
    await gw.until_closed()
    got = [s["id"] for s in gw.inbox.matching(is_message)]
    assert got == ids[:len(got)]


async def test_sigterm_returns_what_is_parked(lab, router):
    """Nothing is dropped silently: a sender that is still there hears of it."""
    gw = await lab.component()
    parked = gw.send_text("nobody@empty.hosted.test", "for later", mfrom=TARGETS[0])
    # An answer to something sent later: the router has read the first one by now.
    gw.send_text(TARGETS[0], "and now", mfrom=TARGETS[0])
    await gw.inbox.collect(1, is_message)
    router.signal(signal.SIGTERM)
    assert await router.exited() == 0
    await gw.until_closed()
    assert [s["id"] for s in gw.inbox.matching(is_error)] == [parked]


async def test_sighup_adds_a_domain(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    await deliver(alice, component, TARGETS[0], 5, "before")
    assert not await reaches(alice, component, LATER)
    router.registry.write_text(REGISTRY + "later.hosted.test gw\n")
    router.signal(signal.SIGHUP)
    await until_reachable(alice, component, LATER)
    other = await lab.client(prosody, "prosody.test", "phone")
    await deliver(other, component, TARGETS[0], 5, "after")


async def test_sighup_with_a_bad_registry_changes_nothing(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    router.registry.write_text(REGISTRY + "later.hosted.test nobody\n")
    router.signal(signal.SIGHUP)
    await router.logged(" reload-refused: ")
    await deliver(alice, component, TARGETS[0], 5)
    assert not await reaches(alice, component, LATER)
    line = REGISTRY.count("\n") + 1
    assert "routes:%d" % line in router.log()


async def test_sighup_removes_a_domain(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    await deliver(alice, component, TARGETS[1], 5)
    router.registry.write_text(REGISTRY.replace("bank.hosted.test gw\n", ""))
    router.signal(signal.SIGHUP)
    await router.logged(" reloaded: ")
    lost = alice.send_text(TARGETS[1], "gone")
    # For its error no stream to Prosody is opened, and none is there: see the log.
    await router.logged("to=bank.hosted.test condition=remote-server-not-found")
    assert not component.inbox.matching(lambda s: s["id"] == lost)
    await deliver(alice, component, TARGETS[0], 5)


async def test_sighup_removes_a_backend(lab, router):
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    gw = await lab.component()
    lines = REGISTRY.splitlines(keepends=True)
    router.registry.write_text("".join(line for line in lines if "desk " not in line
                                       and "desk.hosted.test" not in line))
    router.signal(signal.SIGHUP)
    assert await desk.stream_error() == "host-gone"
    gw.send_text(TARGETS[1], "still here", mfrom=TARGETS[0])
    await gw.inbox.collect(1, is_message)


async def test_sighup_removes_a_backend_that_stanzas_wait_for(lab, router):
    """They go back to their sender, who learns why."""
    gw = await lab.component()
    id = gw.send_text("nobody@empty.hosted.test", "for later", mfrom=TARGETS[0])
    gw.send_text(TARGETS[0], "and now", mfrom=TARGETS[0])
    await gw.inbox.collect(1, is_message)
    router.registry.write_text("".join(
        line for line in REGISTRY.splitlines(keepends=True) if "empty" not in line))
    router.signal(signal.SIGHUP)
    errors = await gw.inbox.collect(1, is_error)
    assert [(s["id"], error_of(s)) for s in errors] == [(id, ("remote-server-timeout", "wait"))]
    await router.logged(" info stanza-returned: the server of this domain is down ")


async def test_sighup_changes_a_secret(lab, router):
    """The old one is worth nothing from then on."""
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    (router.folder / "gw.secret").write_text("another secret of gw\n")
    router.signal(signal.SIGHUP)
    assert await gw.stream_error() == "reset"
    await router.logged(" info reloaded: ")
    await router.logged(" warn component-down: its backend's secret has changed ")
    assert await lab.new_component().refused() == "not-authorized"
    await lab.component(secret="another secret of gw")
    desk.send_text("carol@desk.hosted.test", "not concerned", mfrom="carol@desk.hosted.test")
    await desk.inbox.collect(1, is_message)


async def test_sighup_shuts_an_address_out(lab, router):
    gw = await lab.component()
    router.registry.write_text(REGISTRY.replace("gw.secret", "gw.secret from=192.0.2.1"))
    router.signal(signal.SIGHUP)
    assert await gw.stream_error() == "policy-violation"
    await router.logged(" info reloaded: ")  # now it holds at the other worker as well
    assert await lab.new_component().refused() == "host-unknown"
    await router.logged(" warn component-refused: its address is not among from= of the domain's "
                        "backend peer=127.0.0.1:")


async def test_sighup_moves_a_domain_to_another_backend(lab, router):
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    router.registry.write_text(REGISTRY.replace("bank.hosted.test gw", "bank.hosted.test desk"))
    router.signal(signal.SIGHUP)
    await router.logged(" info reloaded: ")
    gw.send_text(TARGETS[1], "moved", mfrom=TARGETS[0])
    got = await desk.inbox.collect(1, is_message)
    assert [str(s["to"]) for s in got] == [TARGETS[1]]
    assert not gw.inbox.matching(is_message)


async def test_sighup_removes_a_domain_of_a_component_that_stays(lab, router):
    """It may no longer speak for it, and nothing comes for it any more."""
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    router.registry.write_text(REGISTRY.replace("bank.hosted.test gw\n", "*.bank.hosted.test gw\n"))
    router.signal(signal.SIGHUP)
    await router.logged(" info reloaded: ")
    spoken = gw.send_text("carol@desk.hosted.test", "in its name", mfrom=TARGETS[1])
    heard = desk.send_text(TARGETS[1], "to it", mfrom="carol@desk.hosted.test")
    errors = await gw.inbox.collect(1, is_error)
    assert [(s["id"], error_of(s)) for s in errors] == [(spoken, ("not-allowed", "cancel"))]
    errors = await desk.inbox.collect(1, is_error)
    assert [(s["id"], error_of(s)[0]) for s in errors] == [(heard, "remote-server-not-found")]
    await router.logged(" warn backend-overstepped: ")


async def test_sighup_while_it_stops_is_ignored(lab, router):
    """What it says is in the log; what it does is end, with 0."""
    quiet = socket.create_connection((HOST, lab.port["components"]))
    try:
        quiet.sendall(b"<stream:stream xmlns='jabber:component:accept' to='shop.hosted.test' "
                      b"xmlns:stream='http://etherx.jabber.org/streams'>")
        assert quiet.recv(1)
        router.signal(signal.SIGTERM)
        await router.logged(" info stopping: ")
        router.signal(signal.SIGHUP)
        await router.logged(" warn reload-ignored: the router is stopping: nothing is read")
    finally:
        quiet.close()
    assert await router.exited() == 0


async def test_sighup_does_not_disturb_a_flow(lab, prosody, router):
    component = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    flow = asyncio.ensure_future(deliver(alice, component, TARGETS[0], 200))
    while not flow.done():
        router.signal(signal.SIGHUP)
        await asyncio.sleep(0.01)
    await flow


async def test_component_that_comes_back_gets_the_rest(lab, prosody, router):
    """What the dead connection had is lost to view; before and after it nothing is."""
    first = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    ids = [alice.send_text(TARGETS[0], text) for text in bodies(100, "flow")]
    await first.inbox.collect(10, is_message)
    await first.leave()
    second = await lab.component()
    ids.append(alice.send_text(TARGETS[0], "the end"))
    await second.inbox.collect(1, lambda s: s["id"] == ids[-1])
    before = [s["id"] for s in first.inbox.matching(is_message)]
    after = [s["id"] for s in second.inbox.matching(is_message)]
    assert before == ids[:len(before)]
    assert after == ids[-len(after):]
    assert len(before) + len(after) <= len(ids)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
async def test_restart_in_the_middle(lab, prosody, router, number):
    first = await lab.component()
    alice = await lab.client(prosody, "prosody.test")
    await deliver(alice, first, TARGETS[0], 10, "before")
    router.signal(number)
    await router.exited()
    await first.until(first.closed, "end of the connection")
    router.start()
    second = await lab.component()
    await until_reachable(alice, second, TARGETS[1])
    other = await lab.client(prosody, "prosody.test", "phone")
    await deliver(other, second, TARGETS[0], 10, "after")
