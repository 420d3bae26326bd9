# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's ejabberd as a remote server."""

import pathlib
import signal

from servers import HOST, Server

CONFIG = """\
loglevel: info
hosts: [{domains}]
listen:
  - {{port: {c2s}, ip: "{host}", module: ejabberd_c2s}}
  - {{port: {s2s}, ip: "{host}", module: ejabberd_s2s_in}}
{listen_tls}
{tls}
s2s_max_retry_delay: 1 second
outgoing_s2s_families: [ipv4]
auth_password_format: plain
modules:
  mod_disco: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
  mod_s2s_dialback: {{}}
  mod_version: {{}}
"""

NO_TLS = "s2s_use_starttls: false"
LISTEN_TLS = '  - {{port: {port}, ip: "{host}", module: ejabberd_s2s_in, tls: true}}'
TLS = """\
s2s_use_starttls: optional
certfiles: ["{file}"]
ca_file: "{ca}\""""

# Erlang's own resolver with one server to ask: the machine's files stay out of it.
RESOLVER = """\
{{lookup, [dns]}}.
{{resolv_conf, "/dev/null"}}.
{{hosts_file, "/dev/null"}}.
{{nameserver, {{{host}}}, {dns}}}.
"""

# Those that an earlier start has made are on the disk.
ADD_ACCOUNT = """\
case ejabberd_auth:try_register(<<"{name}">>, <<"{domain}">>, <<"{password}">>) of
    ok -> ok;
    {{error, exists}} -> ok
end"""


class Ejabberd(Server):
    """Started as ejabberdctl does, but as a node without a name: so there is no epmd, no cookie
    and no port besides its two, and it runs as whoever runs the tests."""

    END = signal.SIGKILL  # its orderly end takes a second, and leaves nothing that we need

    def __init__(self, folder, dns, ports, s2s, users, credential=None, ca=None, s2s_tls=None):
        """users: domain -> {name: password}; credential: a file with certificate and key, without
        which it does not speak TLS; ca: a file with the authority it trusts; s2s_tls: a port for
        TLS from the first byte."""
        folder.mkdir(parents=True, exist_ok=True)
        c2s = ports.take()
        config, inetrc = folder / "ejabberd.yml", folder / "inetrc"
        config.write_text(CONFIG.format(
            host=HOST, c2s=c2s, s2s=s2s, domains=", ".join(users),
            listen_tls=LISTEN_TLS.format(port=s2s_tls, host=HOST) if s2s_tls else "",
            tls=TLS.format(file=credential, ca=ca) if credential else NO_TLS))
        inetrc.write_text(RESOLVER.format(host=HOST.replace(".", ","), dns=dns))
        super().__init__(folder.name, folder, [
            "/usr/bin/erl", "-noinput", "-mnesia", "dir", '"%s"' % (folder / "spool"),
            "-s", "ejabberd", "-eval", self._add_accounts(users)],
            [port for port in (c2s, s2s, s2s_tls) if port], "ready for tests",
            env={"ERL_LIBS": self._libraries(), "ERL_INETRC": str(inetrc), "HOME": str(folder),
                 "ERL_CRASH_DUMP_BYTES": "0", "EJABBERD_CONFIG_PATH": str(config),
                 "EJABBERD_LOG_PATH": str(folder / "ejabberd.log")})
        self.c2s, self.s2s, self.domains = c2s, s2s, list(users)
        self.kind, self.parts, self.outside = folder.name, [self], self

    @staticmethod
    def _libraries():
        """Debian has it below the folder of the architecture, where Erlang does not look."""
        found = sorted(pathlib.Path("/usr/lib").glob("*/ejabberd-*"))
        assert found, "ejabberd is not installed: scripts/setup.sh does it"
        return str(found[0].parent)

    @staticmethod
    def _add_accounts(users):
        steps = [ADD_ACCOUNT.format(name=name, domain=domain, password=password)
                 for domain, accounts in users.items() for name, password in accounts.items()]
        return ", ".join(steps + ['io:format("ready for tests~n")']) + "."
