# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's jabberd2 as a remote server: four processes around an XML router of its own.

The files are Debian's templates without what the tests do not need.
"""

import contextlib
import pathlib
import sqlite3

from servers import HOST, Server

LINK = """\
<id>{name}</id>
<router><ip>{host}</ip><port>{port}</port><user>jabberd</user><pass>{secret}</pass>
<retry><init>10</init><lost>3</lost><sleep>1</sleep></retry></router>
<log type='stdout'/>
"""

ROUTER = """\
<router><id>router</id><log type='stdout'/>
<local><ip>{host}</ip><port>{port}</port><users>{folder}/users.xml</users></local>
<check><interval>60</interval><keepalive>0</keepalive></check>
<io><max_fds>1024</max_fds><limits><bytes>0</bytes><connects>0</connects></limits>
<access><order>allow,deny</order></access></io>
<aliases/>
<aci><acl type='all'><user>jabberd</user></acl><filter>{folder}/filter.xml</filter></aci>
</router>
"""

SM = """\
<sm>{link}
<local>{ids}</local>
<storage><path>{modules}</path><driver>db</driver><db><path>{folder}</path></db></storage>
<aci/>
<modules><path>{modules}</path>
<chain id='in-sess'><module>validate</module><module>privacy</module><module>roster</module>
<module>presence</module><module>deliver</module></chain>
<chain id='in-router'><module>session</module><module>validate</module>
<module>presence</module><module>privacy</module></chain>
<chain id='out-router'><module>privacy</module></chain>
<chain id='pkt-user'><module>roster</module><module>presence</module>
<module>deliver</module></chain>
<chain id='pkt-sm'><module>iq-ping</module><module>iq-version</module>
<module>disco</module><module>presence</module></chain>
<chain id='pkt-router'><module>session</module></chain>
<chain id='user-load'><module>active</module><module>roster</module>
<module>privacy</module></chain>
<chain id='user-create'><module>active</module></chain>
</modules>
<user><auto-create/></user>
</sm>
"""

C2S = """\
<c2s>{link}
<local>{ids}<ip>{host}</ip><port>{c2s}</port></local>
<io><max_fds>1024</max_fds><limits><bytes>0</bytes><stanzas>0</stanzas><connects>0</connects>
<stanzasize>65535</stanzasize></limits><access><order>allow,deny</order></access>
<check><interval>0</interval></check></io>
<authreg><path>{modules}</path><module>sqlite</module>
<mechanisms><sasl><plain/></sasl></mechanisms>
<sqlite><dbname>{folder}/users.db</dbname><busy-timeout>2000</busy-timeout>
<password_type><plaintext/></password_type></sqlite></authreg>
</c2s>
"""

S2S = """\
<s2s>{link}
<local><ip>{host}</ip><port>{s2s}</port><secret>{secret}</secret>{tls}</local>
<io><max_fds>1024</max_fds><limits><stanzasize>65535</stanzasize></limits></io>
<check><interval>60</interval><queue>60</queue><retry>300</retry><idle>86400</idle>
<keepalive>0</keepalive><dnscache>300</dnscache></check>
<lookup><srv>xmpp-server</srv><min-ttl>1</min-ttl><bad-host-timeout>1</bad-host-timeout></lookup>
<out-conn-reuse/>
<security/>
</s2s>
"""

TLS = "<pemfile>{file}</pemfile><cachain>{ca}</cachain>"

USERS = """\
<users><user><name>jabberd</name><secret>{secret}</secret></user></users>
"""


class Jabberd2:
    """Its parts are to be started in this order; each waits until it is linked to the router."""

    def __init__(self, folder, dns, ports, s2s, users, credential=None, ca=None):
        """users: domain -> {name: password}; credential: a file with certificate and key, without
        which it does not speak TLS; ca: a file with the authority it trusts."""
        folder.mkdir(parents=True, exist_ok=True)
        router, c2s = ports.take(), ports.take()
        self.folder, self.c2s, self.s2s = folder, c2s, s2s
        self.kind, self.domains = folder.name, list(users)
        values = {"folder": folder, "host": HOST, "port": router, "c2s": c2s, "s2s": s2s,
                  "modules": self._modules(), "secret": "a secret between the parts",
                  "ids": "".join("<id>%s</id>" % domain for domain in users)}
        values["tls"] = TLS.format(file=credential, ca=ca) if credential else ""
        self._write_configs(values)
        self._write_accounts(users)
        # Its resolver reads these: the machine's resolv.conf stays out of it.
        resolver = {"NAMESERVERS": HOST, "RES_OPTIONS": "port:%d" % dns}
        self.outside = self._part(
            "s2s", ports=[s2s], ready_text="ready for connections", env=resolver)
        self.parts = [
            self._part("router", ports=[router]),
            self._part("sm", ready_text="ready for sessions"),
            self.outside,
            self._part("c2s", ports=[c2s], ready_text="ready for connections"),
        ]

    @staticmethod
    def _modules():
        found = sorted(pathlib.Path("/usr/lib").glob("*/jabberd2"))
        assert found, "jabberd2 is not installed: scripts/setup.sh does it"
        return found[0]

    def _write_configs(self, values):
        for name, text in (("router", ROUTER), ("sm", SM), ("c2s", C2S), ("s2s", S2S)):
            link = LINK.format(name=name, **values)
            (self.folder / (name + ".xml")).write_text(text.format(link=link, **values))
        (self.folder / "users.xml").write_text(USERS.format(**values))
        (self.folder / "filter.xml").write_text("<filter/>\n")

    def _write_accounts(self, users):
        with contextlib.closing(sqlite3.connect(self.folder / "users.db")) as db, db:
            db.execute("CREATE TABLE authreg (username TEXT, realm TEXT, password TEXT)")
            db.executemany("INSERT INTO authreg VALUES (?, ?, ?)", [
                (name, domain, password) for domain, accounts in users.items()
                for name, password in accounts.items()])

    def _part(self, name, **ready):
        return Server("jabberd2-" + name, self.folder / name, [
            "/usr/sbin/jabberd2-" + name, "-c", self.folder / (name + ".xml")], **ready)
