# SPDX-License-Identifier: GPL-2.0-or-later
"""Servers that mind the certificates of those who write to them: one hosted domain has none that is
good for anything, and the others do not pay for that.
"""

import ssl

import pytest

from certificates import EXPIRED
from initiator import Initiator
from lab import CLOSED, TRUSTED
from old_server import OldServer
from traffic import TARGETS, deliver_to, expect_error

SHOP, BANK = TARGETS
trusted = pytest.mark.parametrize("security", [TRUSTED])
versions = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3],
                                   ids=["1.2", "1.3"])


@trusted
@pytest.mark.parametrize("certified", [{"days": EXPIRED}, {"self_signed": True}, None],
                         ids=["expired", "self-signed", "none"])
async def test_a_bad_certificate_is_its_own_domains_trouble(lab, certified):
    lab.certify("shop", ["shop.hosted.test"])
    if certified:
        lab.certify("bank", ["bank.hosted.test"], **certified)
    router = lab.start_router()
    receiver = lab.start_remote("prosody", strict=True)
    component = await lab.component()
    alice = await lab.client(receiver, receiver.domains[0])
    id = component.send_text(alice.boundjid.full, "may I?", mfrom=BANK)
    await deliver_to(alice, component, SHOP, 20)
    await expect_error(component, id, "remote-server-timeout", "wait")
    counters = await router.counters()
    assert (counters["streams_out"], counters["streams_out_proven"]) == (2, 1)
    assert (counters["bounced"], counters["stream_errors_received"]) == (1, 1)
    await deliver_to(alice, component, "eve@shop.hosted.test", 20)


def old_server(lab, version):
    server = OldServer(lab.port["closed"], lab.certificate("closed", [CLOSED]),
                       lab.authority.file, version)
    lab.users.append(server)
    return server


@trusted
@versions
async def test_who_refuses_a_servers_certificate_is_shown_none(lab, version):
    """As OpenSSL does with one that is not for clients, which public authorities make no more."""
    router = lab.start_router()
    server = old_server(lab, version)
    component = await lab.component()
    component.send_text("ann@" + CLOSED, "hello", mfrom=SHOP)
    component.send_text("ann@" + CLOSED, "hello, too", mfrom=BANK)
    await server.hear("<body>hello</body>")
    await server.hear("<body>hello, too</body>")
    counters = await router.counters()
    assert (server.connections, server.refused) == (2, 1)
    assert (counters["streams_out_up"], counters["bounced"]) == (1, 0)
    assert "loss=refused" in router.log() or "loss=at-sight" in router.log()


@trusted
@versions
async def test_nor_is_one_that_is_asked_about_a_key(lab, version):
    lab.start_router(tls="optional")
    server = old_server(lab, version)
    await lab.component()
    peer = Initiator()
    lab.users.append(peer)
    await peer.open(lab.port["edge"], CLOSED, "shop.hosted.test")
    assert await peer.claim(CLOSED, "shop.hosted.test", "any") == "valid"
    assert (server.connections, server.refused, server.asked) == (2, 1, 1)
