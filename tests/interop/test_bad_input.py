# SPDX-License-Identifier: GPL-2.0-or-later
"""What an operator gets wrong: each mistake has its words, its exit status, its event and counter."""

import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest

from certificates import Authority
from lab import DESK_SECRET, DIALBACK_SECRET, GW_SECRET, REGISTRY
from servers import HOST, PATIENCE, Router
from traffic import TARGETS
from xmpp import is_message

USAGE, UNAVAILABLE, CONFIG = 64, 69, 78
ADDRESS = "an address such as 192.0.2.1:5269 or [2001:db8::1]:5269"
TOO_LONG = b"x" * 4097 + b"\n"
NO_RULE = "block, tls=required|optional|off, require-strong or pin-auth=off|warn|enforce"
NO_TLS = ("TLS needs certificates: name their directory with --cert-dir, or say --tls off, and "
          "streams are in clear text")
NO_PROOF = ("needs TLS, and without --cert-dir there is none: name the directory of the "
            "certificates, or leave this flag out")
DENIED = "Permission denied: the user that sluice runs as must be able to read it"

# What stands in the file, and what is said behind its path.
REGISTRIES = {
    "unknown link": (b"backend gw http secret-file=gw.secret\n",
                     ":1: 'http' is no link: component, s2s:ADDR:PORT or inject:ADDR:PORT"),
    "unknown word": (b"shop.hosted.test gone for good\n",
                     ":1: 'for good': nothing may follow the name of the backend"),
    "missing field": (b"# first\n\nshop.hosted.test\n",
                      ":3: behind shop.hosted.test the name of its backend is missing, or 'gone'"),
    "missing secret": (b"backend gw component\n", ":1: backend gw: secret-file= is missing"),
    "duplicate domain": (b"a.test gone\nA.test. gone\n", ":2: A.test. stands on line 1 already"),
    "duplicate backend": (b"backend a component secret-file=gw.secret\n" * 2,
                          ":2: backend a is defined on line 1 already"),
    "conflict": (b"backend b component secret-file=gw.secret\nb.test b\nb.test gone\n",
                 ":3: b.test stands on line 2 already"),
    "unknown backend": (b"c.test nobody\n", ":1: there is no backend 'nobody' in this file"),
    "bad domain": (b"user@d.test gone\n", ":1: 'user@d.test' is no domain"),
    "bad address": (b"backend e component from=10.0.0.0/33 secret-file=gw.secret\n",
                    ":1: from=: '10.0.0.0/33' is no address such as 10.0.0.2, 10.0.0.0/8 or "
                    "fd00::/8"),
    "overlong line": (TOO_LONG, ":1: the line is longer than 4096 bytes"),
    "NUL": (b"f.test gone\nf\0.test gone\n",
            ":2: the line holds a NUL byte: is this a text file?"),
    "Latin-1": ("bücher.test gone\n".encode("latin-1"),
                ":1: the line is not UTF-8: save the file as UTF-8"),
    "control character": (b"g.test\x1b gone\n", ":1: the line holds a control character (0x1b)"),
    "cut off": (b"h.test gone\ni.te", ":2: behind i.te the name of its backend is missing, or "
                                       "'gone'"),
    "directory": (pathlib.Path.mkdir, ": Is a directory"),
    "FIFO": (os.mkfifo, ": is no regular file"),
    "missing": (None, ": No such file or directory"),
    "absurd size": (lambda path: (path.touch(), os.truncate(path, 1 << 40)),
                    ": File too large: is it the right one?"),
}
POLICIES = {
    "unknown word": (b"pear a.test block\n",
                     ":1: 'pear': a line begins with peer, host or default"),
    "unknown rule": (b"peer a.test blocked\n", ":1: 'blocked' is no rule: " + NO_RULE),
    "missing field": (b"peer a.test\n", ":1: a rule is missing: " + NO_RULE),
    "bad domain": (b"\nhost a..b block\n", ":2: 'a..b' is no domain; host DOMAIN RULE..."),
    "duplicate": (b"peer a.test block\npeer A.test require-strong\n",
                  ":2: peer a.test stands on line 1 already"),
    "conflict": (b"peer a.test tls=off tls=off\n", ":1: tls= is given twice"),
    "TLS": (b"default tls=required\n", ":1: tls=required: " + NO_TLS),
    "default block": (b"default block\n",
                      ":1: default cannot block: it would shut out every domain, hosted ones too, "
                      "and no rule opens one again; name the domains to block"),
    "overlong line": (TOO_LONG, ":1: the line is longer than 4096 bytes"),
    "NUL": (b"\0", ":1: the line holds a NUL byte: is this a text file?"),
    "Latin-1": (b"peer b\xfccher.test block\n",
                ":1: the line is not UTF-8: save the file as UTF-8"),
    "directory": (pathlib.Path.mkdir, ": Is a directory"),
    "FIFO": (os.mkfifo, ": is no regular file"),
    "missing": (None, ": No such file or directory"),
}
SECRETS = {
    "missing": (None, ": No such file or directory"),
    "directory": (pathlib.Path.mkdir, ": is no regular file"),
    "FIFO": (os.mkfifo, ": is no regular file"),
    "byte order mark": (b"\xef\xbb\xbfsecret\n",
                        ": begins with a byte order mark: save it without one"),
    "absurd size": (b"x" * 65536, ": File too large: is it the right one?"),
    "dangling symlink": (lambda path: path.symlink_to("nowhere"), ": No such file or directory"),
    "symlink to an open file": (lambda path: path.symlink_to(_open_file(path)),
                                ": others than its owner have access (mode 0644): chmod 600 it"),
}
COMPONENT_SECRETS = dict(SECRETS, **{
    "empty": (b"", ": its first line must be the secret, 1 to 512 bytes"),
    "blank": (b" \nx\n", ": its first line must be the secret, 1 to 512 bytes"),
    "too long": (b"x" * 513, ": its first line must be the secret, 1 to 512 bytes"),
    "NUL": (b"a\0b\n", ": holds a NUL byte"),
})
DIALBACK_SECRETS = dict(SECRETS, **{
    "empty": (b"", ": no secret in it: openssl rand -hex 32 makes one"),
    "comments only": (b"# soon\n\n", ": no secret in it: openssl rand -hex 32 makes one"),
    "too long": (b"# x\n" + b"x" * 513, ": line 2: a secret is longer than 512 bytes"),
    "too many": (b"one\n" * 9, ": line 9: more than 8 secrets"),
    "NUL": (b"a\0b\n", ": line 1: a secret holds a NUL byte: is this a text file?"),
})


def _open_file(path):
    other = path.with_name("open")
    other.write_text("secret\n")
    other.chmod(0o644)
    return other


def put(path, content, mode=0o600):
    """Bytes, nothing at all, or whatever a function makes of the path."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    if isinstance(content, bytes):
        path.write_bytes(content)
        path.chmod(mode)
    elif content is not None:
        content(path)


def run(*arguments, wrapper=()):
    """The program, to its end."""
    command = [*wrapper, Router._binary(), *arguments]
    return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=PATIENCE, check=False)


def said(result):
    """Its last words, without events of the log."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("sluice: ")]
    return lines[-1] if lines else result.stderr


@pytest.fixture
def folder(tmp_path):
    """All that a start needs; the flags go with it."""
    put(tmp_path / "gw.secret", b"a component's secret\n")
    put(tmp_path / "outer", b"a secret of dialback\n")
    put(tmp_path / "routes", b"backend gw component secret-file=gw.secret\nshop.hosted.test gw\n")
    put(tmp_path / "policy", b"peer evil.test block\n")
    return tmp_path


def flags(folder, listen="127.0.0.1:0"):
    return ["--routes", folder / "routes", "--policy", folder / "policy", "--secret-file",
            folder / "outer", "--tls", "off", "--listen", listen]


# -- flags --

@pytest.mark.parametrize("arguments, message", [
    (["--rotes", "x"], "'--rotes' is no flag; did you mean --routes?"),
    (["--backend-listen", "::"], "'--backend-listen' is no flag; sluice --help lists them all"),
    (["routes"], "'routes' is no flag; did you mean --routes?"),
    (["--policy"], "--policy: needs a value: a path"),
    (["--policy", "--check"], "--policy: needs a value: a path"),
    (["--check=yes"], "--check 'yes': takes no value"),
    (["--max-conns", "many"], "--max-conns 'many': allowed: 1 to 1M connections"),
    (["--max-conns", "0"], "--max-conns '0': allowed: 1 to 1M connections"),
    (["--max-stanza", "1MB"], "--max-stanza '1MB': allowed: 10000 to 64M bytes"),
    (["--drain-ms", "10s"], "--drain-ms '10s': allowed: 0 to 600000 milliseconds"),
    (["--drain-ms=-1"], "--drain-ms '-1': allowed: 0 to 600000 milliseconds"),
    (["--workers", "33"], "--workers '33': allowed: 0 to 32 threads"),
    (["--log-level", "all"], "--log-level 'all': allowed: error, warn, info or debug"),
    (["--listen", "localhost:5269"], "--listen 'localhost:5269': allowed: " + ADDRESS),
    (["--listen", "127.0.0.1:65536"], "--listen '127.0.0.1:65536': allowed: " + ADDRESS),
    (["--max-stanza", "2M"], "--max-stanza '2M': more than --queue-bytes, which is 1M by default: "
                             "a stanza of that size could never leave; raise both"),
    (["--max-stanza", "2M", "--queue-bytes", "1M"],
     "--queue-bytes '1M': less than --max-stanza: a stanza of that size could never leave"),
    (["--queue-bytes", "512M", "--mem-budget", "1M"],
     "--mem-budget '1M': five eighths of a worker's part of it (--workers) are less than "
     "--queue-bytes, one of the queues that they bound"),
    (["--listen", "127.0.0.1:7", "--listen", "127.0.0.1:7"],
     "two listeners are to have the address 127.0.0.1:7 (--listen, --listen-tls, "
     "--component-listen)"),
    (["--component-listen", "0.0.0.0:5347"],
     "--component-listen '0.0.0.0:5347': strangers could reach it and component logins are not "
     "encrypted: use a loopback or private address, or say --backend-public"),
    (["--tls", "required"], "--tls 'required': " + NO_TLS),
    (["--tls", "optional"], "--tls 'optional': " + NO_TLS),
    (["--listen-tls", "127.0.0.1:0"],
     "--listen-tls '127.0.0.1:0': needs --cert-dir, the directory of the certificates"),
    (["--require-strong"], "--require-strong: " + NO_PROOF),
    (["--out-auth", "secure"], "--out-auth 'secure': " + NO_PROOF),
    (["--config", "/nonexistent"], "--config /nonexistent: No such file or directory"),
    (["--config", "/"], "--config /: Is a directory"),
])
def test_bad_flag(folder, arguments, message):
    result = run(*flags(folder), *arguments)
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert result.stderr == "sluice: %s\n" % message


@pytest.mark.parametrize("text, message", [
    (b"tls off\nlissen ::1\n", ":2: 'lissen' is no flag; did you mean listen?"),
    (b"drain-ms 1\ndrain-ms 2\n", ":2: drain-ms '2': set on line 1 already"),
    (b"max-conns lots\n", ":1: max-conns 'lots': allowed: 1 to 1M connections"),
    (b"routes # none\n", ":1: routes: needs a value: a path"),
    (b"check\n", ":1: check: may stand on the command line only"),
    (b"name b\xfccher.test\n", ":1: the line is not UTF-8: save the file as UTF-8"),
    (b"tls off\n\0\n", ":2: the line holds a NUL byte: is this a text file?"),
    (TOO_LONG, ":1: the line is longer than 4096 bytes"),
])
def test_bad_file_of_flags(folder, text, message):
    put(folder / "conf", text)
    result = run(*flags(folder), "--config", folder / "conf")
    assert (result.returncode, result.stdout) == (USAGE, "")
    assert result.stderr == "sluice: %s%s\n" % (folder / "conf", message)


@pytest.mark.parametrize("missing, message", [
    ("--routes", "--routes is missing: name the file with the backends and domains"),
    ("--tls", "--tls is required by default: " + NO_TLS),
])
def test_flag_that_must_be_given(folder, missing, message):
    given = flags(folder)
    at = given.index(missing)
    result = run(*given[:at], *given[at + 2:])
    assert (result.returncode, result.stderr) == (USAGE, "sluice: %s\n" % message)


# -- certificates, at start --

NO_CA = "there is no usable CA certificate in PEM form"
NO_CRL = "there is no CRL in PEM form"


@pytest.mark.parametrize("names, message", [
    (["--cert-dir", "missing"], "{0}/missing: cannot be read: No such file or directory"),
    (["--cert-dir", "outer"], "{0}/outer: cannot be read: Not a directory"),
    (["--cert-dir", "empty"], "cannot set up TLS: no file of --cert-dir ends in .pem"),
    (["--cert-dir", "broken"], "cannot set up TLS: no certificate of --cert-dir can be used"),
    (["--cert-dir", "empty", "--ca-file", "missing"], "{0}/missing: No such file or directory"),
    (["--cert-dir", "empty", "--ca-file", "outer"], "{0}/outer: " + NO_CA),
    (["--cert-dir", "empty", "--ca-file", "ca.pem", "--crl-file", "outer"],
     "{0}/ca.pem with {0}/outer: " + NO_CRL),
])
def test_bad_credentials(folder, names, message):
    (folder / "empty").mkdir()
    (folder / "broken").mkdir()
    put(folder / "broken" / "a.pem", b"nothing\n")
    Authority(folder)  # ca.pem
    given = [word if word.startswith("--") else folder / word for word in names]
    result = run(*flags(folder), *given)
    assert (result.returncode, said(result)) == (CONFIG, "sluice: " + message.format(folder))
    assert " started: " not in result.stderr
    result = run("--check", *flags(folder), *given)
    assert result.returncode == CONFIG, result.stdout
    cause = message.format(folder).removeprefix("cannot set up TLS: ")
    assert re.search("^WRONG  certificates .*" + re.escape(cause) + "\n +-> .", result.stdout, re.M)


def test_check_tells_of_each_certificate(folder):
    """More than the log may write at once; one that can be used is enough to run."""
    authority = Authority(folder)
    certs = folder / "certs"
    certs.mkdir()
    for i in range(30):
        put(certs / ("broken%02d.pem" % i), b"nothing\n")
    authority.certificate(certs / "old.pem", ["old.hosted.test"], days=(-60, -5))
    authority.certificate(certs / "soon.pem", ["soon.hosted.test"], days=(-60, 5.5))
    result = run("--check", *flags(folder), "--cert-dir", certs)
    assert result.returncode == 0, result.stdout
    for i in range(30):
        assert re.search("^note   certificate    broken%02d.pem: there is no private key in it, "
                         ".*\n +-> append the key" % i, result.stdout, re.M)
    assert re.search("^note   certificate    soon.pem: that of soon.hosted.test ends in 5 days\n"
                     " +-> renew it$", result.stdout, re.M)
    assert re.search("^note   certificate    old.pem: it is over: peers refuse it\n +-> renew it$",
                     result.stdout, re.M)
    assert "ok     certificates   %s: names covered: 2; trust anchors: " % certs in result.stdout


# -- files, at start --

def refused_file(folder, name, content, message):
    """Both ways of asking say the same."""
    put(folder / name, content)
    where = str(folder / name) + message
    if name == "gw.secret":
        where = "%s:1: %s" % (folder / "routes", where)
    result = run(*flags(folder))
    assert (result.returncode, said(result)) == (CONFIG, "sluice: " + where)
    assert " started: " not in result.stderr
    result = run("--check", *flags(folder))
    assert result.returncode == CONFIG
    assert re.search("^WRONG +[a-z ]+" + re.escape(where) + "\n +-> .", result.stdout, re.M)


@pytest.mark.parametrize("kind", REGISTRIES)
def test_bad_registry(folder, kind):
    refused_file(folder, "routes", *REGISTRIES[kind])


@pytest.mark.parametrize("kind", POLICIES)
def test_bad_policy(folder, kind):
    refused_file(folder, "policy", *POLICIES[kind])


@pytest.mark.parametrize("kind", DIALBACK_SECRETS)
def test_bad_dialback_secret(folder, kind):
    refused_file(folder, "outer", *DIALBACK_SECRETS[kind])


@pytest.mark.parametrize("kind", COMPONENT_SECRETS)
def test_bad_component_secret(folder, kind):
    refused_file(folder, "gw.secret", *COMPONENT_SECRETS[kind])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
@pytest.mark.parametrize("name", ["outer", "gw.secret"])
def test_secret_that_others_can_reach(folder, name, mode):
    content = (folder / name).read_bytes()
    refused_file(folder, name, lambda path: put(path, content, mode),
                 ": others than its owner have access (mode %04o): chmod 600 it" % mode)


def without(*capabilities):
    """As a service that is not root, if these tests are."""
    if os.geteuid() != 0:
        return []
    gone = ",".join("-" + name for name in capabilities)
    return ["setpriv", "--bounding-set=" + gone, "--inh-caps=" + gone, "--"]


@pytest.mark.parametrize("name", ["routes", "policy", "outer", "gw.secret"])
def test_file_that_we_must_not_read(folder, name):
    (folder / name).chmod(0)
    where = str(folder / name)
    if name == "gw.secret":
        where = "%s:1: %s" % (folder / "routes", where)
    result = run(*flags(folder), wrapper=without("dac_override", "dac_read_search"))
    assert (result.returncode, said(result)) == (CONFIG, "sluice: %s: %s" % (where, DENIED))


def test_check_finds_weak_secrets_and_an_empty_registry(folder):
    put(folder / "outer", b"hunter2\n")
    put(folder / "gw.secret", b"swordfish\n")
    result = run("--check", *flags(folder))
    assert result.returncode == 0, result.stdout
    assert "%s: one of 7 bytes can be guessed" % (folder / "outer") in result.stdout
    assert "%s: backend gw: one of 9 bytes can be guessed" % (folder / "routes") in result.stdout
    put(folder / "routes", b"")
    result = run("--check", *flags(folder))
    assert result.returncode == 0, result.stdout
    assert "none: every stream and every component will be refused" in result.stdout


# -- addresses and descriptors, at start --

IN_USE = "Address already in use: does the router run already? ss -ltnp tells who listens there"


def test_address_that_is_not_ours(folder):
    result = run(*flags(folder, "192.0.2.1:5269"))
    assert (result.returncode, said(result)) == (
        UNAVAILABLE, "sluice: cannot listen on 192.0.2.1:5269 (--listen): Cannot assign requested "
                     "address: this machine does not have that address: ip addr lists those it "
                     "has")


def test_port_of_another_program(folder):
    with socket.create_server((HOST, 0)) as taken:
        address = "%s:%d" % (HOST, taken.getsockname()[1])
        result = run(*flags(folder), "--component-listen", address)
    assert (result.returncode, said(result)) == (
        UNAVAILABLE, "sluice: cannot listen on %s (--component-listen): %s" % (address, IN_USE))


async def test_port_of_a_router_that_runs(lab, router, folder):
    """The kernel would let a second one in, and give it half of the connections."""
    address = "%s:%d" % (HOST, lab.port["edge"])
    result = run(*flags(folder, address))
    assert (result.returncode, said(result)) == (
        UNAVAILABLE, "sluice: cannot listen on %s (--listen): %s" % (address, IN_USE))
    address = "[::]:%d" % lab.port["edge"]
    result = run(*flags(folder, address))
    assert (result.returncode, said(result)) == (
        UNAVAILABLE, "sluice: cannot listen on %s (--listen): %s" % (address, IN_USE))
    await lab.component()


def test_privileged_port(folder):
    if int(pathlib.Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text()) < 1000:
        pytest.skip("here nobody needs a privilege")
    result = run(*flags(folder, "127.0.0.1:999"), wrapper=without("net_bind_service"))
    assert (result.returncode, said(result)) == (
        UNAVAILABLE, "sluice: cannot listen on 127.0.0.1:999 (--listen): Permission denied: ports "
                     "this low need CAP_NET_BIND_SERVICE (systemd: AmbientCapabilities=), or take "
                     "another port")


def descriptors(limit):
    return ["prlimit", "--nofile=%d:%d" % (limit, limit), "--"]


def test_too_few_descriptors_for_the_ring(folder):
    """Standard streams and one more."""
    result = run(*flags(folder), wrapper=descriptors(4))
    assert result.returncode == CONFIG
    assert "Too many open files" in result.stderr
    assert "raise the limit of open files (ulimit -n, systemd: LimitNOFILE=)" in result.stderr


def test_too_few_descriptors_for_the_listeners(folder):
    result = run(*flags(folder), wrapper=descriptors(5))
    assert result.returncode == UNAVAILABLE
    assert said(result) == (
        "sluice: cannot listen on 127.0.0.1:0 (--listen): Too many open files: raise the limit of "
        "open files (ulimit -Hn, systemd: LimitNOFILE=)")


# -- while it runs --

def start_router(lab, wrapper=(), more=(), secrets=None):
    """As lab.start_router(), with a policy and whatever else a test wants."""
    folder = lab.folder / "sluice"
    router = Router(folder, lab.port["dns"], lab.port["edge"], lab.port["components"], REGISTRY,
                    secrets or {"gw.secret": GW_SECRET, "desk.secret": DESK_SECRET}, DIALBACK_SECRET)
    put(folder / "policy", b"peer evil.test block\n")
    router.command = [*wrapper, *router.command, "--policy", folder / "policy", *more]
    lab.servers.append(router)
    router.start()
    return router


async def counters(router):
    """Those of now, by name; none of them is there while it is 0."""
    return dict(await router.counters())


async def works(component):
    """It still has its link, and both of its domains."""
    id = component.send_text(TARGETS[1], "still here", mfrom=TARGETS[0])
    await component.inbox.collect(1, lambda s: is_message(s) and s["id"] == id)


@pytest.mark.parametrize("name, table", [
    ("routes", REGISTRIES), ("policy", POLICIES), ("gw.secret", COMPONENT_SECRETS)])
async def test_reload_with_an_error_changes_nothing(lab, name, table):
    """Said with file and line; the next one, without an error, is taken."""
    assert len(table) < 20, "as many events as the log writes at once"
    router = start_router(lab)
    gw = await lab.component()
    path = router.folder / name
    good = path.read_bytes()
    for content, message in table.values():
        where = str(path) + message
        if name == "gw.secret":
            where = "%s:1: %s" % (router.registry, where)
        refused = router.log().count(" reload-refused: ")
        put(path, content)
        router.signal(signal.SIGHUP)
        await router.until(
            "a refusal", lambda: router.log().count(" reload-refused: ") > refused)
        line = [line for line in router.log().splitlines() if " reload-refused: " in line][-1]
        assert line.endswith(' error reload-refused: %s state="the old one stays"' % where)
    await works(gw)
    await lab.component("desk.hosted.test", DESK_SECRET)
    counted = await counters(router)
    assert counted["reloads_failed"] == len(table)
    assert "reloads" not in counted
    put(path, good)
    router.signal(signal.SIGHUP)
    domains = sum(not line.startswith("backend ") for line in REGISTRY.splitlines())
    await router.logged(
        " reloaded: registry and policy were read again domains=%d backends=3" % domains)
    await works(gw)
    assert (await counters(router))["reloads"] == 1


async def test_reload_of_an_empty_registry_is_noticed(lab, router):
    gw = await lab.component()
    router.registry.write_text("")
    router.signal(signal.SIGHUP)
    assert await gw.stream_error() == "host-gone"
    await router.logged(" warn registry-empty: the registry has no domain: ")


async def test_weak_secrets_are_noticed(lab):
    router = start_router(lab, secrets={"gw.secret": "hunter2", "desk.secret": DESK_SECRET})
    await router.logged(" backend=gw bytes=7")
    assert " warn secret-weak: a secret this short can be guessed: " in router.log()
    assert "hunter2" not in router.log()
    await lab.component(secret="hunter2")


async def refusals(router, count):
    """The events, once there are so many."""
    await router.until(
        "%d refusals" % count, lambda: router.log().count(" component-refused: ") >= count)
    return [line.split(" component-refused: ")[1] for line in router.log().splitlines()
            if " component-refused: " in line]


async def test_each_refused_login_says_why(lab, router):
    await lab.component()
    assert await lab.new_component("desk.hosted.test", "a guess").refused() == "not-authorized"
    assert await lab.new_component("nope.hosted.test").refused() == "host-unknown"
    assert await lab.new_component("bank.hosted.test").refused() == "conflict"
    lines = await refusals(router, 3)
    for line, start, end in zip(lines, [
            "wrong handshake: the component's secret differs from secret-file peer=127.0.0.1:",
            "the registry does not have this domain peer=127.0.0.1:",
            "the backend has logged in already peer=127.0.0.1:",
    ], [
            " backend=desk condition=not-authorized",
            " domain=nope.hosted.test condition=host-unknown",
            " backend=gw condition=conflict",
    ]):
        assert line.startswith(start) and line.endswith(end)
    counted = await counters(router)
    assert (counted["components_in"], counted["components_refused"]) == (1, 3)


async def test_out_of_descriptors_while_accepting(lab):
    """Who is in stays; the others wait, and come in when there is room."""
    router = start_router(lab, wrapper=descriptors(24))
    assert " warn descriptors-few: --max-conns is more than the limit of open files allows: " \
        in router.log()
    gw = await lab.component()
    waiting = []
    try:
        for _ in range(24):
            waiting.append(socket.create_connection((HOST, lab.port["edge"])))
        await router.logged(" error accept-failed: out of file descriptors: accepting pauses; "
                            "raise the limit of open files ")
        await works(gw)
    finally:
        for one in waiting:
            one.close()
    await router.logged(" info accept-resumed: connections are accepted again ")
    await lab.component("desk.hosted.test", DESK_SECRET)
    await works(gw)
    assert (await counters(router))["accepts_failed"] > 0


async def test_component_vanishes_while_stanzas_flow(lab, router):
    """What comes after its end waits for it, in order and whole."""
    gw = await lab.component()
    desk = await lab.component("desk.hosted.test", DESK_SECRET)
    to = "carol@desk.hosted.test"
    ids = [gw.send_text(to, "before %d" % i, mfrom=TARGETS[0]) for i in range(200)]
    await desk.inbox.collect(10, is_message)
    await desk.leave()
    await router.logged(" warn component-down: ")
    ids += [gw.send_text(to, "after %d" % i, mfrom=TARGETS[0]) for i in range(50)]
    await works(gw)
    again = await lab.component("desk.hosted.test", DESK_SECRET)
    await again.inbox.collect(1, lambda s: s["id"] == ids[-1])
    before = [s["id"] for s in desk.inbox.matching(is_message)]
    after = [s["id"] for s in again.inbox.matching(is_message)]
    assert before == ids[:len(before)]
    assert after == ids[-len(after):] and len(after) >= 50
    down = [line for line in router.log().splitlines() if " warn component-down: " in line]
    assert len(down) == 1 and " backend=desk " in down[0] and " peer=127.0.0.1:" in down[0]
    counted = await counters(router)
    assert counted["stanzas_parked"] >= 50
    assert "bounced" not in counted and "stanzas_lost" not in counted
    assert counted["components_in"] == 3
