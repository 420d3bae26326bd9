# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs under test, each in a folder and on ports of its own."""

import asyncio
import collections
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

HOST = "127.0.0.1"
ROUTER_NAME = "edge.router.test"
# How long anything may take that has to happen. It costs only who fails: Erlang starts, and openssl
# runs a thousand times, beside a build and the other tests.
PATIENCE = 300
# No router of these tests waits so long: one that ends has nothing left to do.
DRAIN_MS = 2 * PATIENCE * 1000
ROOT = pathlib.Path(__file__).resolve().parents[2]


def accepts(port):
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False


def wait_for(what, condition, seconds=PATIENCE, every=0.02):
    """Polls instead of sleeping: as fast as the machine, as patient as a loaded one."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < deadline, "%s: not within %d s" % (what, seconds)
        time.sleep(every)


class Server:
    """One process; what it prints goes to a file, for the report of a failure."""

    END = signal.SIGTERM

    def __init__(self, name, folder, command, ports=(), ready_text="", env=None):
        """Ready when all ports accept and the log holds ready_text."""
        self.name = name
        self.folder = folder
        self.command = command
        self.ports = ports
        self.ready_text = ready_text
        self.env = dict(os.environ, **(env or {}))
        self.process = None
        self.log_start = 0
        folder.mkdir(parents=True, exist_ok=True)
        self.log_file = folder / "output.log"

    def start(self):
        with open(self.log_file, "ab") as log:
            self.log_start = log.tell()
            # setpriv: no server outlives a test run that was killed.
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--"] + [str(c) for c in self.command],
                cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT)
        wait_for("%s: ready" % self.name, self._is_ready)

    def _is_ready(self):
        assert self.process.poll() is None, "%s ended with status %d:\n%s" % (
            self.name, self.process.returncode, self.output())
        # What an earlier start has written says nothing about this one.
        return all(accepts(port) for port in self.ports) and (
            self.ready_text.encode() in self.log_file.read_bytes()[self.log_start:])

    def signal(self, number):
        os.kill(self.process.pid, number)

    def wait(self, seconds=PATIENCE):
        return self.process.wait(timeout=seconds)

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.signal(self.END)
        try:
            self.wait()
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    async def logged(self, text):
        """Waits for a line of the log while other things go on."""
        return await self.until("'%s' in the log" % text, lambda: text in self.log())

    async def until(self, what, condition):
        return await asyncio.get_running_loop().run_in_executor(
            None, wait_for, "%s: %s" % (self.name, what), condition)

    def cpu_seconds(self):
        """Of the process so far, by the kernel's book of each thread's running time."""
        total = 0
        for thread in pathlib.Path("/proc/%d/task" % self.process.pid).iterdir():
            total += int((thread / "schedstat").read_text(encoding="ascii").split()[0])
        return total / 1e9

    def connections_to(self, port):
        """Those of the process that are established, by the kernel's own tables."""
        own = set()
        for link in pathlib.Path("/proc/%d/fd" % self.process.pid).iterdir():
            with contextlib.suppress(FileNotFoundError):
                own.add(os.readlink(link))
        table = pathlib.Path("/proc/%d/net/tcp" % self.process.pid).read_text(encoding="ascii")
        rows = [line.split() for line in table.splitlines()[1:]]
        return sum(1 for row in rows if int(row[2].split(":")[1], 16) == port
                   and row[3] == "01" and "socket:[%s]" % row[9] in own)

    async def restart(self, number):
        """Ends it with this signal and starts it again, while other things go on."""
        self.signal(number)
        await self.exited()
        await asyncio.get_running_loop().run_in_executor(None, self.start)

    async def exited(self):
        """The exit status; a process that stays is a failure."""
        return await asyncio.get_running_loop().run_in_executor(None, self.wait)

    def output(self):
        """All that it has written so far."""
        if not self.log_file.exists():
            return ""
        return self.log_file.read_text("utf-8", "replace")

    def log(self):
        """In whole lines: one that is being written tells half of what it says."""
        output = self.output()
        return output[:output.rfind("\n") + 1]


class Unbound(Server):
    """A resolver that knows the tests' names and asks nobody else."""

    CONFIG = """\
server:
    interface: {host}
    port: {port}
    do-ip6: no
    access-control: 127.0.0.0/8 allow
    chroot: ""
    username: ""
    directory: "{folder}"
    pidfile: ""
    use-syslog: no
    do-daemonize: no
    verbosity: 1
    module-config: "iterator"
    num-threads: 1
    so-rcvbuf: 0
    local-zone: "." static
    local-zone: "localhost." static
{records}
remote-control:
    control-enable: no
"""

    def __init__(self, folder, port, targets, targets_tls):
        """targets: domain -> S2S port of the server that has it; targets_tls: for direct TLS."""
        folder.mkdir(parents=True, exist_ok=True)
        self.port = port
        config = folder / "unbound.conf"
        config.write_text(self.CONFIG.format(
            host=HOST, port=port, folder=folder, records=self._records(targets, targets_tls)))
        super().__init__("unbound", folder, ["/usr/sbin/unbound", "-d", "-c", config], [port])

    @staticmethod
    def _records(targets, targets_tls):
        """One host for all: ejabberd has addresses looked up by the C library, which asks no
        server of ours, but knows this name."""
        lines = ["localhost. 60 IN A %s" % HOST]
        for service, found in (("xmpp", targets), ("xmpps", targets_tls)):
            lines += ["_%s-server._tcp.%s. 60 IN SRV 0 0 %d localhost." % (service, domain, port)
                      for domain, port in found.items()]
        return "\n".join("    local-data: '%s'" % line for line in lines)


class Prosody(Server):
    """Debian's Prosody as a remote server."""

    CONFIG = """\
run_as_root = true
daemonize = false
pidfile = "{folder}/prosody.pid"
data_path = "{folder}/data"
certificates = "{folder}"
plugin_paths = {{}}
log = {{ {{ levels = {{ min = "debug" }}, to = "console" }} }}
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco", "ping", "version" }}
{tls}
authentication = "internal_plain"
allow_unencrypted_plain_auth = true
c2s_require_encryption = false
s2s_require_encryption = false
s2s_secure_auth = {strict}
interfaces = {{ "{host}" }}
local_interfaces = {{ "{host}" }}
c2s_ports = {{ {c2s} }}
s2s_ports = {{ {s2s} }}
c2s_direct_tls_ports = {{}}
s2s_direct_tls_ports = {{ {s2s_tls} }}
component_ports = {{}}
http_ports = {{}}
https_ports = {{}}
use_ipv6 = false
unbound = {{
    resolvconf = false,
    forward = "{host}@{dns}",
    -- libunbound would not ask on loopback, and answers for test. itself
    options = {{ ["do-not-query-localhost:"] = "no", ["local-zone:"] = "test. transparent" }}
}}
{hosts}
"""
    NO_TLS = 'modules_disabled = { "tls", "s2s_auth_certs" }'
    TLS = 'ssl = {{ certificate = "{file}", key = "{file}", cafile = "{ca}" }}'

    def __init__(self, folder, dns, ports, s2s, users, credential=None, ca=None, s2s_tls=None,
                 strict=False):
        """users: domain -> {name: password}; credential: a file with certificate and key, without
        which it does not speak TLS; ca: a file with the authority it trusts; s2s_tls: a port for
        TLS from the first byte; strict: nobody is taken without a valid certificate."""
        folder.mkdir(parents=True, exist_ok=True)
        c2s = ports.take()
        config = folder / "prosody.cfg.lua"
        config.write_text(self.CONFIG.format(
            folder=folder, host=HOST, dns=dns, c2s=c2s, s2s=s2s, s2s_tls=s2s_tls or "",
            strict="true" if strict else "false",
            tls=self.TLS.format(file=credential, ca=ca) if credential else self.NO_TLS,
            hosts="\n".join('VirtualHost "%s"' % domain for domain in users)))
        for domain, accounts in users.items():
            self._add_accounts(folder / "data", domain, accounts)
        super().__init__(folder.name, folder,
                         ["/usr/bin/prosody", "--config", config, "-F"],
                         [port for port in (c2s, s2s, s2s_tls) if port])
        self.c2s, self.s2s, self.domains = c2s, s2s, list(users)
        self.kind, self.parts, self.outside = folder.name, [self], self

    @staticmethod
    def _add_accounts(data, domain, accounts):
        """Writes the files that `prosodyctl register` would, at once for all."""
        folder = data / domain.replace(".", "%2e").replace("-", "%2d") / "accounts"
        folder.mkdir(parents=True)
        for name, password in accounts.items():
            (folder / (name + ".dat")).write_text('return { ["password"] = "%s"; };\n' % password)


class Router(Server):
    """sluice itself."""

    def __init__(self, folder, dns, listen, components, registry, secrets, outer,
                 flags=("--tls", "off")):
        """secrets: file name -> component secret, beside the registry; outer: of dialback; flags:
        further ones."""
        folder.mkdir(parents=True, exist_ok=True)
        self.registry = folder / "routes"
        self.registry.write_text(registry)
        for name, secret in dict(secrets, outer=outer).items():
            self._write_secret(folder / name, secret)
        super().__init__("sluice", folder, [
            self._binary(), "--name", ROUTER_NAME,
            "--listen", "%s:%d" % (HOST, listen),
            "--component-listen", "%s:%d" % (HOST, components),
            "--dns", "%s@%d" % (HOST, dns), "--allow-peer-net", "127.0.0.0/8",
            "--routes", self.registry, "--secret-file", folder / "outer",
            "--workers", "2", "--log-level", "debug", "--drain-ms", str(DRAIN_MS), *flags],
            # Not by connecting: the router would count that.
            ready_text=" started: ")
        self.listen, self.components = listen, components

    @staticmethod
    def _binary():
        path = ROOT / os.environ.get("SLUICE_BUILD", "build/release") / "sluice"
        assert path.exists(), "%s is missing: build it first" % path
        return path

    @staticmethod
    def _write_secret(path, secret):
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:
            file.write(secret + "\n")

    def _reports(self):
        return re.findall(r" stats: (.*)\n", self.log())

    def last_counters(self):
        """As it reported them last, and it does at its end. One that is missing is zero."""
        found = re.findall(r"(\w+)=(\d+)", self._reports()[-1])
        return collections.Counter({name: int(value) for name, value in found})

    async def counters(self):
        before = len(self._reports())
        self.signal(signal.SIGUSR1)
        await self.until("a report of its counters", lambda: len(self._reports()) > before)
        return self.last_counters()
