# SPDX-License-Identifier: GPL-2.0-or-later
"""A small internet: a resolver, remote servers, the router and components behind it."""

from ejabberd import Ejabberd
from initiator import Initiator
from jabberd2 import Jabberd2
from ports import Ports
from servers import Prosody, Router, Unbound
from xmpp import Client, Component

PASSWORD = "correct horse"
GW_SECRET = "secret of gw <&>'\""
DESK_SECRET = "secret of desk"
DIALBACK_SECRET = "a secret of the dialback tests"

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

# A twin has another secret: it is there to disown the keys of its like.
REMOTES = {"prosody": Prosody, "ejabberd": Ejabberd, "jabberd2": Jabberd2, "twin": Prosody}
DOMAINS = {
    "prosody": ["prosody.test", "second.test"],
    "ejabberd": ["ejabberd.test", "ejabberd-second.test"],
    "jabberd2": ["jabberd2.test", "jabberd2-second.test"],
    "twin": [],
}
# Who says that he has a domain, and whom DNS believes to have it. Both host it.
RIVALS = {"prosody": "twin", "ejabberd": "jabberd2", "jabberd2": "ejabberd"}


def stolen_by(name):
    return "stolen-by-%s.test" % name


def hosted_by(name):
    """The domains of a remote server, its own first."""
    return DOMAINS[name] + [stolen_by(thief) for thief, owner in RIVALS.items()
                            if name in (thief, owner)]


class Lab:
    """Starts servers on ports that are fixed from the start, for DNS has to tell them."""

    def __init__(self, folder):
        self.folder = folder
        self.servers = []
        self.users = []
        self._ports = Ports()
        names = ["dns", "edge", "components"] + list(REMOTES)
        self.port = {name: self._ports.take() for name in names}

    def _start(self, server):
        self.servers.append(server)
        server.start()
        return server

    def start_unbound(self):
        targets = dict.fromkeys(TO_ROUTER, self.port["edge"])
        for name, domains in DOMAINS.items():
            targets.update(dict.fromkeys(domains, self.port[name]))
        targets.update({stolen_by(thief): self.port[owner] for thief, owner in RIVALS.items()})
        return self._start(Unbound(self.folder / "unbound", self.port["dns"], targets))

    def start_remote(self, name):
        accounts = {domain: {"alice": PASSWORD} for domain in hosted_by(name)}
        remote = REMOTES[name](self.folder / name, self.port["dns"], self._ports,
                               self.port[name], accounts)
        for part in remote.parts:
            self._start(part)
        return remote

    def start_router(self):
        return self._start(Router(
            self.folder / "sluice", self.port["dns"], self.port["edge"], self.port["components"],
            REGISTRY, {"gw.secret": GW_SECRET, "desk.secret": DESK_SECRET}, DIALBACK_SECRET))

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

    async def initiator(self, server, source, target):
        initiator = Initiator()
        self.users.append(initiator)
        await initiator.open(server.s2s, source, target)
        return initiator

    async def leave(self):
        for user in self.users:
            await user.leave()

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self._ports.release()
