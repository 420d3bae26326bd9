# SPDX-License-Identifier: GPL-2.0-or-later
"""How remote servers prove themselves over TLS, and what becomes of those that cannot.

That stanzas and keys pass over TLS as they do in the clear is told by the other modules, whose
tests run over TLS as well.
"""

import asyncio

import pytest

from certificates import EXPIRED
from lab import DIRECT as DIRECT_REMOTES
from lab import SELF_SIGNED, TRUSTED
from traffic import TARGETS, deliver, deliver_iq, deliver_presence, until_counted
from xmpp import error_of, is_error

trusted = pytest.mark.parametrize("security", [TRUSTED])
self_signed = pytest.mark.parametrize("security", [SELF_SIGNED])
# jabberd2 has no SASL EXTERNAL: its certificate is looked at when it sends its key.
with_sasl = pytest.mark.parametrize("name", ["prosody", "ejabberd"])
everybody = pytest.mark.parametrize("name", ["prosody", "ejabberd", "jabberd2"])

DIRECT = "bob@direct.hosted.test"


async def exchange(lab, remote, to=TARGETS[0]):
    component = await lab.component()
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, to, 10)
    await deliver_presence(alice, component, to)
    await deliver_iq(alice, component, to)


async def refused(alice):
    """Nothing gets through; the sender hears of it."""
    id = alice.send_text(TARGETS[0], "may I?")
    errors = await alice.inbox.collect(1, lambda s: is_error(s) and s["id"] == id)
    return error_of(errors[0])


# -- by certificate --

@trusted
@with_sasl
async def test_t_e2_a_certificate_proves_its_domain(lab, router, name):
    """SASL EXTERNAL: nobody sends a key, and nobody is asked about one."""
    await exchange(lab, lab.start_remote(name))
    counters = await router.counters()
    assert (counters["sasl_accepted"], counters["sasl_refused"]) == (1, 0)
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (1, 1)
    assert (counters["claims"], counters["streams_in"]) == (0, 1)


@trusted
async def test_each_domain_of_a_certificate_has_its_own_stream(lab, router, ejabberd):
    component = await lab.component()
    users = [await lab.client(ejabberd, domain) for domain in ejabberd.domains[:2]]
    await asyncio.gather(*[deliver(user, component, to, 5) for user in users for to in TARGETS])
    counters = await router.counters()
    assert (counters["sasl_accepted"], counters["pairs_by_certificate"]) == (4, 4)


@trusted
async def test_further_domains_of_a_certificate_share_a_stream(lab, router, jabberd2):
    """A key comes with each pair, and none of them is asked about."""
    component = await lab.component()
    users = [await lab.client(jabberd2, domain) for domain in jabberd2.domains[:2]]
    await asyncio.gather(*[deliver(user, component, to, 5) for user in users for to in TARGETS])
    counters = await router.counters()
    assert (counters["streams_in"], counters["claims"]) == (1, 4)
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (4, 4)
    assert "authority-secured" not in router.log()


@trusted
@with_sasl
async def test_tls_from_the_first_byte(lab, router, name):
    """XEP-0368, by the record of the other service."""
    await exchange(lab, lab.start_remote(name), DIRECT)
    counters = await router.counters()
    assert (counters["tls_accepted"], counters["sasl_accepted"]) == (1, 1)
    assert "server-name=direct.hosted.test" in router.log()


# -- by dialback --

@self_signed
@everybody
async def test_a_key_over_tls(lab, router, name):
    """The question about it goes over TLS as well."""
    remote = lab.start_remote(name)
    await exchange(lab, remote)
    counters = await router.counters()
    assert (counters["tls_accepted"], counters["sasl_accepted"]) == (1, 0)
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (1, 0)
    assert router.log().count(" authority-secured: ") == 1


@self_signed
@pytest.mark.parametrize("name", DIRECT_REMOTES)
@pytest.mark.parametrize("more", [[], ["--verify-tls", "require"]], ids=["prefer", "require"])
async def test_t_b19_a_key_is_asked_about_over_tls_from_the_first_byte(lab, name, more):
    """DNS knows no other place for that domain."""
    router = lab.start_router(more=more)
    remote = lab.start_remote(name)
    component = await lab.component()
    direct = await lab.client(remote, DIRECT_REMOTES[name])
    await deliver(direct, component, TARGETS[0], 10)
    assert router.log().count(" authority-secured: ") == 1
    assert " how=direct " in router.log()
    # The other domain of the same server, at the other port.
    alice = await lab.client(remote, remote.domains[0])
    await deliver(alice, component, TARGETS[0], 10)
    # The first one's next pair, by a question over the stream that is there.
    await deliver(direct, component, TARGETS[1], 10)
    assert router.log().count(" how=direct ") == router.log().count(" how=starttls ") == 1
    counters = await router.counters()
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (3, 0)
    assert counters["pairs_error"] == 0


@trusted
@pytest.mark.parametrize("certified, word", [
    ({"names": ["other.test"]}, None),
    ({"days": EXPIRED}, "expired"),
    ({"self_signed": True}, "self-signed"),
], ids=["another name", "expired", "self-signed"])
@everybody
async def test_t_c14_a_certificate_that_proves_nothing_leaves_dialback(
        lab, router, name, certified, word):
    remote = lab.start_remote(name, certified)
    await exchange(lab, remote)
    counters = await router.counters()
    assert (counters["sasl_accepted"], counters["sasl_refused"]) == (0, 0)
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (1, 0)
    assert word is None or ("certificate=%s" % word) in router.log()


@pytest.mark.parametrize("security, valid", [(SELF_SIGNED, 0), (TRUSTED, 1)])
@everybody
async def test_who_requires_strong_proof_takes_certificates_only(lab, name, security, valid):
    router = lab.start_router(more=["--require-strong"])
    remote = lab.start_remote(name)
    if valid:
        await exchange(lab, remote)
    else:
        await refused(await lab.client(remote, remote.domains[0]))
    counters = await router.counters()
    assert (counters["pairs_valid"], counters["pairs_by_certificate"]) == (valid, valid)
    assert (counters["pairs_error"] > 0) == (not valid)
    assert ("condition=not-authorized" in router.log()) == (not valid)


# -- servers without TLS --

@trusted
@pytest.mark.parametrize("name", ["prosody", "jabberd2"])
async def test_t_s10_a_server_without_tls_is_refused(lab, router, name):
    remote = lab.start_remote(name, certified=False)
    alice = await lab.client(remote, remote.domains[0])
    alice.send_text(TARGETS[0], "may I?")
    await router.logged("the stream is in clear text, and TLS is required")
    counters = await router.counters()
    assert counters["pairs_error"] > 0
    assert (counters["pairs_valid"], counters["stanzas_in"], counters["tls_accepted"]) == (0, 0, 0)


@trusted
@everybody
async def test_a_server_without_tls_is_taken_where_that_is_optional(lab, name):
    router = lab.start_router(tls="optional")
    await exchange(lab, lab.start_remote(name, certified=False))
    counters = await router.counters()
    assert (counters["pairs_valid"], counters["tls_accepted"]) == (1, 0)


@trusted
@everybody
async def test_t_s19_an_authority_without_tls_is_not_asked_in_the_clear(lab, name):
    router = lab.start_router(tls="optional", more=["--verify-tls", "require"])
    remote = lab.start_remote(name, certified=False)
    alice = await lab.client(remote, remote.domains[0])
    alice.send_text(TARGETS[0], "may I?")
    await router.logged(" pair-refused: ")
    counters = await until_counted(router, "no refusal", lambda n: n["pairs_error"] > 0)
    assert (counters["pairs_valid"], counters["stanzas_in"]) == (0, 0)
    assert counters["claims"] > 0


@trusted
@with_sasl
async def test_tls_that_is_optional_is_used_where_it_can_be(lab, name):
    router = lab.start_router(tls="optional")
    await exchange(lab, lab.start_remote(name))
    counters = await router.counters()
    assert (counters["tls_accepted"], counters["sasl_accepted"]) == (1, 1)
