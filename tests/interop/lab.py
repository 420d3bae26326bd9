# SPDX-License-Identifier: GPL-2.0-or-later
"""A small internet: a resolver, remote servers, the router and components behind it."""

from jabberd2 import Jabberd2
from ports import Ports
from servers import Prosody, Router, Unbound
from xmpp import Client, Component

PASSWORD = "correct horse"
GW_SECRET = "secret of gw <&>'\""
DESK_SECRET = "secret of desk"

REGISTRY = """\
backend gw component secret-file=gw.secret
backend desk component secret-file=desk.secret
backend empty component secret-file=desk.secret
shop.hosted.test gw
bank.hosted.test gw
desk.hosted.test desk
empty.hosted.test empty
"""

# nope is never hosted, later only after a reload; DNS sends all of them to the router.
TO_ROUTER = ["%s.hosted.test" % name for name in
             ("shop", "bank", "desk", "empty", "nope", "later")]
PROSODY_DOMAINS = ["prosody.test", "second.test"]
JABBERD2_DOMAINS = ["jabberd2.test", "jabberd2-second.test"]


class Lab:
    """Starts servers on ports that are fixed from the start, for DNS has to tell them."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = []
        self.users = []
        self._ports = Ports()
        names = ("dns", "edge", "components", "prosody", "jabberd2")
        self.port = {name: self._ports.take() for name in names}

    def _start(self, server):
        self.servers.append(server)
        server.start()
        return server

    def start_unbound(self):
        targets = dict.fromkeys(TO_ROUTER, self.port["edge"])
        targets.update(dict.fromkeys(PROSODY_DOMAINS, self.port["prosody"]))
        targets.update(dict.fromkeys(JABBERD2_DOMAINS, self.port["jabberd2"]))
        return self._start(Unbound(self.folder / "unbound", self.port["dns"], targets))

    def start_prosody(self):
        accounts = {domain: {"alice": PASSWORD} for domain in PROSODY_DOMAINS}
        return self._start(Prosody(self.folder / "prosody", self.port["dns"],
                                   self._ports.take(), self.port["prosody"], accounts))

    def start_jabberd2(self):
        accounts = {domain: {"alice": PASSWORD} for domain in JABBERD2_DOMAINS}
        jabberd2 = Jabberd2(self.folder / "jabberd2", self.port["dns"], self._ports.take(),
                            self._ports.take(), self.port["jabberd2"], accounts)
        for part in jabberd2.parts:
            self._start(part)
        return jabberd2

    def start_router(self):
        return self._start(Router(
            self.folder / "sluice", self.port["dns"], self.port["edge"], self.port["components"],
            REGISTRY, {"gw.secret": GW_SECRET, "desk.secret": DESK_SECRET}))

    async def client(self, server, domain, resource="tablet"):
        client = Client("alice@%s/%s" % (domain, resource), PASSWORD)
        self.users.append(client)
        await client.login(server.c2s)
        return client

    def new_component(self, domain="shop.hosted.test", secret=GW_SECRET):
        component = Component(domain, secret, self.port["components"])
        self.users.append(component)
        return component

    async def component(self, domain="shop.hosted.test", secret=GW_SECRET):
        component = self.new_component(domain, secret)
        await component.login()
        return component

    async def leave(self):
        for user in self.users:
            await user.leave()

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self._ports.release()
