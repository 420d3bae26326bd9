# SPDX-License-Identifier: GPL-2.0-or-later
"""TLS with the router at the level of handshakes: OpenSSL is the peer, as Python and alone."""

import asyncio
import signal
import ssl

import pytest

from certificates import ENDING
from lab import TRUSTED
from servers import HOST, ROUTER_NAME
from tls_peer import EXTERNAL, FAILURE, STARTTLS, TlsPeer, peer_context
from traffic import until_counted
from xmpp import is_message

pytestmark = pytest.mark.parametrize("security", [TRUSTED])

ANY_CIPHER = "ALL:@SECLEVEL=0"  # OpenSSL itself would not offer the old versions


@pytest.fixture
def peers(lab):
    """Makes peers, and closes what is left of them."""
    made = []

    def connect(port=None, **names):
        made.append(TlsPeer(port or lab.port["edge"], **names))
        return made[-1]
    yield connect
    for peer in made:
        peer.close()


@pytest.fixture
def several(lab):
    """The certificates of a router: one for a domain, one for all, one for itself."""
    lab.certify("shop", ["shop.hosted.test"])
    lab.certify("wildcard", ["*.hosted.test"])
    lab.certify("edge", [ROUTER_NAME])


@pytest.fixture
def ours(lab):
    """The authority is trusted, and peer.test proven."""
    return peer_context(lab.authority.file, lab.certificate("peer", ["peer.test"]))


@pytest.fixture
def anonymous(lab):
    return peer_context(lab.authority.file)


async def arrives(component, peer, id):
    peer.message(id)
    await component.inbox.collect(1, lambda s: is_message(s) and s["id"] == id)


async def closed(router, peer):
    """Both sides have."""
    peer.hear_out()
    peer.close()
    await router.logged(" inbound-closed: ")


# -- handshakes --

async def test_t_s1_t_s2_t_e1_t_e2_openssl_shakes_hands_and_authenticates(lab, router, peers, ours):
    component = await lab.component()
    peer = peers()
    assert peer.open().endswith(
        b"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
        b"</stream:features>")
    peer.say(STARTTLS)
    peer.hear(b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")
    peer.shake_hands(ours)
    assert peer.tls.version() == "TLSv1.3"
    features = peer.open()
    assert EXTERNAL in features and b"starttls" not in features
    features = peer.authenticate()
    assert b"mechanism" not in features and b"starttls" not in features
    await arrives(component, peer, "proven")


async def test_t_e20_without_a_certificate_there_is_no_mechanism(lab, router, peers, anonymous):
    peer = peers()
    peer.start_tls(anonymous)
    features = peer.open()
    assert b"mechanism" not in features and b"<dialback" in features


async def test_t_s7_every_byte_in_a_segment_of_its_own(lab, router, peers, ours):
    component = await lab.component()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = peer_context(
            lab.authority.file, lab.authority.folder / "peer.pem", version=version)
        peer = peers()
        peer.start_tls(context, step=1)
        peer.open()
        peer.authenticate()
        await arrives(component, peer, version.name)
    assert (await router.counters())["tls_failed"] == 0


async def test_t_s18_tls_from_the_first_byte(lab, router, peers, ours):
    """There is no starttls within it."""
    component = await lab.component()
    peer = peers(lab.port["edge-tls"])
    peer.shake_hands(ours, server_name="shop.hosted.test")
    features = peer.open()
    assert EXTERNAL in features and b"starttls" not in features
    peer.authenticate()
    await arrives(component, peer, "direct")
    other = peers(lab.port["edge-tls"])
    other.shake_hands(ours)
    other.open()
    other.say(STARTTLS)
    assert FAILURE in other.hear_out()


async def test_tls_12_is_enough(lab, router, peers, ours):
    component = await lab.component()
    peer = peers()
    peer.start_tls(peer_context(lab.authority.file, lab.authority.folder / "peer.pem",
                                version=ssl.TLSVersion.TLSv1_2))
    assert peer.tls.version() == "TLSv1.2"
    peer.open()
    peer.authenticate()
    await arrives(component, peer, "older")


@pytest.mark.parametrize("version, ciphers", [
    (ssl.TLSVersion.TLSv1, ANY_CIPHER),
    (ssl.TLSVersion.TLSv1_1, ANY_CIPHER),
    (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-AES128-SHA"),
    (ssl.TLSVersion.TLSv1_2, "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"),
], ids=["TLS 1.0", "TLS 1.1", "CBC", "NULL"])
async def test_t_s16_old_versions_and_ciphers_get_an_alert(lab, router, peers, version, ciphers):
    peer = peers()
    with pytest.raises(ssl.SSLError, match="alert|ALERT"):
        peer.start_tls(peer_context(version=version, ciphers=ciphers))
    await closed(router, peer)
    counters = await router.counters()
    assert (counters["tls_accepted"], counters["tls_failed"]) == (0, 1)


async def test_t_s14_garbage_instead_of_a_handshake(lab, router, peers):
    peer = peers()
    peer.open()
    peer.say(STARTTLS)
    peer.hear(b"/>")
    peer.send(b"<stream:stream xmlns='jabber:server'>")
    assert b"stream" not in peer.hear_out()
    await closed(router, peer)
    assert (await router.counters())["tls_failed"] == 1


async def renegotiates(lab):
    """The letter R asks for it, and with the refusal OpenSSL ends; so it would with its input."""
    client = await asyncio.create_subprocess_exec(
        "openssl", "s_client", "-connect", "%s:%d" % (HOST, lab.port["edge"]), "-tls1_2",
        "-starttls", "xmpp-server", "-xmpphost", "shop.hosted.test", "-CAfile",
        lab.authority.file,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT)
    client.stdin.write(b"R\n")
    said = await client.stdout.read()
    client.stdin.close()
    await client.wait()
    assert b"Verify return code: 0 (ok)" in said and b"RENEGOTIATING" in said
    assert b"Secure Renegotiation IS supported" in said


async def test_t_s15_renegotiation_is_refused(lab, router, peers, ours,
                                                  record_testsuite_property):
    """A thousand times: each costs the one who asks for it the connection, and the router no more
    at the end than at the beginning, as the report of the run tells."""
    component = await lab.component()
    beside = peers()
    beside.start_tls(ours)
    beside.open()
    beside.authenticate()
    rounds, at_once = 40, 25
    spent = [router.cpu_seconds()]
    for n in range(rounds):
        await asyncio.gather(*[renegotiates(lab) for _ in range(at_once)])
        spent.append(router.cpu_seconds())
    await arrives(component, beside, "beside")
    tries = rounds * at_once
    # Who was refused may be gone before the router has seen that.
    counters = await until_counted(
        router, "not %d ends" % tries, lambda n: n["streams_ended"] >= tries)
    assert (counters["tls_accepted"], counters["tls_failed"]) == (tries + 1, tries)
    assert counters["streams_ended"] == tries
    for what, begin, end in (("first", 0, rounds // 2), ("last", rounds // 2, rounds)):
        record_testsuite_property("T-S15: CPU of the router, us for each of the %s half" % what,
                                  round((spent[end] - spent[begin]) * 2e6 / tries))


@pytest.mark.parametrize("notified", [True, False])
async def test_the_end_of_a_connection_within_a_stream(lab, router, peers, ours, notified):
    """With and without close_notify: what came before counts, and the others go on."""
    component = await lab.component()
    peer, other = peers(), peers()
    for one in (peer, other):
        one.start_tls(ours)
        one.open()
        one.authenticate()
    peer.message("last")
    if notified:
        peer.end_tls()
    peer.close()
    await component.inbox.collect(1, lambda s: s["id"] == "last")
    await router.logged(" inbound-closed: ")
    await arrives(component, other, "other")
    counters = await router.counters()
    assert (counters["streams_in"], counters["streams_ended"]) == (2, 1)


async def test_the_end_of_a_connection_within_a_handshake(lab, router, peers, anonymous):
    for port, begun in (("edge", b"\x16\x03\x01\x02\x00\x01"), ("edge-tls", b"")):
        peer = peers(lab.port[port])
        if port == "edge":
            peer.open()
            peer.say(STARTTLS)
            peer.hear(b"/>")
        peer.send(begun)
        peer.close()
    await router.until("both ends", lambda: router.log().count(" inbound-closed: ") == 2)
    assert (await router.counters())["tls_accepted"] == 0
    peers().start_tls(anonymous)


async def test_t_c18_a_resumed_session_proves_nothing(lab, router, peers, ours, anonymous):
    """A ticket has no room for a certificate: who has shown one gets none."""
    peer = peers()
    peer.start_tls(ours)
    assert EXTERNAL in peer.open() and not peer.tls.session.has_ticket
    peer = peers()
    peer.start_tls(anonymous)
    peer.open()
    assert peer.tls.session.has_ticket
    again = peers()
    again.start_tls(anonymous, session=peer.tls.session)
    assert again.tls.session_reused
    assert b"mechanism" not in again.open()


async def test_sigterm_within_a_handshake(lab, router, peers):
    """There is nobody yet to whom something could be said."""
    peer = peers()
    peer.open()
    peer.say(STARTTLS)
    peer.hear(b"/>")
    peer.send(b"\x16\x03\x01\x02\x00\x01")
    router.signal(signal.SIGTERM)
    assert peer.hear_out() == b""
    peer.close()
    assert await router.exited() == 0


# -- which certificate is shown --

@pytest.mark.parametrize("target, server_name, shown", [
    ("shop.hosted.test", None, "shop.hosted.test"),
    ("desk.hosted.test", None, "*.hosted.test"),
    ("shop.hosted.test", "shop.hosted.test", "shop.hosted.test"),
    ("shop.hosted.test", "unknown.test", "shop.hosted.test"),
])
async def test_the_header_names_the_certificate(
        lab, several, router, peers, anonymous, target, server_name, shown):
    peer = peers(target=target)
    peer.start_tls(anonymous, server_name=server_name)
    assert peer.shown()[0] == [shown]


@pytest.mark.parametrize("server_name, shown", [
    ("shop.hosted.test", "shop.hosted.test"),
    ("SHOP.hosted.test", "shop.hosted.test"),
    ("desk.hosted.test", "*.hosted.test"),
    ("below.desk.hosted.test", ROUTER_NAME),
    ("unknown.test", ROUTER_NAME),
    (None, ROUTER_NAME),
])
async def test_sni_names_the_certificate(
        lab, several, router, peers, anonymous, server_name, shown):
    peer = peers(lab.port["edge-tls"])
    peer.shake_hands(anonymous, server_name=server_name)
    assert peer.shown()[0] == [shown]
    peer.open()


# -- files --

async def reload(router):
    before = router.log().count(" reloaded: ")
    router.signal(signal.SIGHUP)
    await router.until("a reload", lambda: router.log().count(" reloaded: ") > before)


async def test_a_renewed_certificate_after_sighup(lab, several, router, peers, ours):
    """The stream that is up lives on; who comes now sees the new one, on both ports."""
    component = await lab.component()
    old = peers()
    old.start_tls(ours)
    old.open()
    old.authenticate()
    await arrives(component, old, "before")
    lab.certify("shop", ["shop.hosted.test"])
    await reload(router)
    fresh, direct = peers(), peers(lab.port["edge-tls"])
    fresh.start_tls(ours)
    direct.shake_hands(ours, server_name="shop.hosted.test")
    assert fresh.shown()[1] == direct.shown()[1] != old.shown()[1]
    await arrives(component, old, "after")
    fresh.open()
    fresh.authenticate()
    await arrives(component, fresh, "new")
    # Its own, and the shop's when it was asked for, before and after the reload: by each worker.
    counters = await until_counted(router, "not read", lambda n: n["certs_read"] >= 4)
    assert counters["certs_read"] <= 8
    assert (counters["certs_unusable"], counters["certs_evicted"]) == (0, 0)


async def test_a_stream_that_was_open_before_the_reload_sees_the_new_one(
        lab, several, router, peers, anonymous):
    early = peers()
    early.open()
    renewed = lab.certify("shop", ["shop.hosted.test"])
    await reload(router)
    early.say(STARTTLS)
    early.hear(b"/>")
    early.shake_hands(anonymous)
    with open(renewed, encoding="ascii") as file:
        expected = ssl.PEM_cert_to_DER_cert(file.read().split("-----BEGIN PRIVATE")[0])
    assert early.tls.getpeercert(binary_form=True) == expected


@pytest.mark.parametrize("reloaded", [False, True])
async def test_a_broken_file_harms_only_its_domain(lab, peers, anonymous, reloaded):
    lab.certify("shop", ["shop.hosted.test"])
    broken = lab.certify("bank", ["bank.hosted.test"])
    text = broken.read_text().replace("M", "!", 3)
    router = lab.start_router() if reloaded else None
    broken.write_text(text)
    if reloaded:
        await reload(router)
    else:
        router = lab.start_router()
    assert "certificate-broken" in router.log() and "file=bank.pem" in router.log()
    peer = peers()
    peer.start_tls(anonymous)
    assert peer.shown()[0] == ["shop.hosted.test"]
    harmed = peers(target="bank.hosted.test")
    harmed.open()
    harmed.say(STARTTLS)
    assert FAILURE in harmed.hear_out()


async def test_a_certificate_that_ends_soon_is_warned_of(lab, peers, anonymous):
    lab.certify("shop", ["shop.hosted.test"], days=ENDING)
    lab.certify("bank", ["bank.hosted.test"])
    router = lab.start_router()
    found = [line for line in router.log().splitlines() if " certificate-ends: " in line]
    assert len(found) == 1
    assert "file=shop.pem" in found[0] and "days=6" in found[0]
    await reload(router)
    assert router.log().count(" certificate-ends: ") == 1
    peer = peers()
    peer.start_tls(anonymous)
