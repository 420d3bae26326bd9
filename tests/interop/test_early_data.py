# SPDX-License-Identifier: GPL-2.0-or-later
"""T-S17: what comes with the ClientHello of a resumed session is not read.

It could be sent again by whoever has recorded it (RFC 8446 section 8). Our tickets permit none, so
an honest client does not even try; what a dishonest one sends must not be taken for anything.
"""

import pytest

from certificates import Authority
from internet import HONEST
from openssl_client import OpensslClient, permit_early_data
from servers import HOST
from strangers import FEATURES, OPEN, SHOP, Siege, result

EARLY, LATE = "early." + HONEST, "late." + HONEST
TEXT = OPEN + result(EARLY)
FLOOD = 1 << 20


@pytest.fixture
def lab(tmp_path):
    with Siege(tmp_path) as lab:
        yield lab


@pytest.fixture
def router(lab):
    folder = lab.folder / "router-certificates"
    Authority(folder / "authority").certificate(folder / "shop.pem", [SHOP])
    return lab.start_router("--tls", "optional", "--cert-dir", folder,
                            "--listen-tls", "%s:%d" % (HOST, lab.port["edge-tls"]))


@pytest.fixture
def client(lab):
    made = []

    def connect(*flags):
        made.append(OpensslClient(lab.port["edge-tls"], "-tls1_3", "-servername", SHOP, *flags))
        return made[-1]
    yield connect
    for one in made:
        one.close()


@pytest.fixture
def session(lab, router, client):
    """Left behind by a stream that was in order."""
    file = lab.folder / "session.pem"
    first = client("-sess_out", file)
    first.say(OPEN)
    first.hear(FEATURES)
    first.say("</stream:stream>")
    first.hear_out()
    assert file.read_text().startswith("-----BEGIN SSL SESSION")
    return file


def early(lab, text=TEXT):
    file = lab.folder / "early"
    file.write_text(text)
    return file


def proves(peer, sender):
    peer.say(result(sender))
    peer.hear(("<db:result from='%s' to='%s' type='valid'/>" % (SHOP, sender)).encode())


async def nothing_was_read(lab, router):
    """No claim of the early one, and nobody was asked about it."""
    assert lab.internet.count("names", HONEST) == lab.internet.count("questions", HONEST) == 1
    counters = await router.counters()
    assert (counters["claims"], counters["pairs_valid"]) == (1, 1)
    assert EARLY not in router.log()


async def test_t_s17_early_data_is_not_invited(lab, router, client, session):
    """The session is resumed, in one round trip, and the stream is as any other."""
    backend = lab.backend()
    peer = client("-sess_in", session, "-early_data", early(lab))
    assert b"Reused, TLSv1.3" in peer.hear(b"Early data was not sent")
    peer.say(OPEN)
    peer.hear(FEATURES)
    proves(peer, LATE)
    peer.say("<message from='a@%s' to='b@%s' id='late'/>" % (LATE, SHOP))
    backend.hear(b"id='late'")
    await nothing_was_read(lab, router)


@pytest.mark.parametrize("text", [TEXT, TEXT + " " * FLOOD], ids=["a claim", "a flood"])
async def test_t_s17_early_data_that_comes_all_the_same(lab, router, client, session, text):
    """Its first record is none of the handshake: the connection ends there, whatever follows, and
    only that one."""
    beside = client()
    beside.say(OPEN)
    beside.hear(FEATURES)
    permit_early_data(session, len(text))
    said = client("-sess_in", session, "-early_data", early(lab, text)).hear_out()
    # Who is still writing when the router closes does not get to see its answer.
    assert b"Early data was rejected" in said or len(text) > FLOOD
    assert b"Early data was not sent" not in said and b"Early data was accepted" not in said
    await router.until("the end", lambda: router.log().count(" inbound-closed: ") == 2)
    proves(beside, LATE)
    await nothing_was_read(lab, router)
    counters = await router.counters()
    assert (counters["tls_accepted"], counters["tls_failed"]) == (2, 1)
