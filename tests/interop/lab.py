# SPDX-License-Identifier: GPL-2.0-or-later
"""A small internet: a resolver, remote servers, the router and components behind it."""

from certificates import Authority
from ejabberd import Ejabberd
from initiator import Initiator
from jabberd2 import Jabberd2
from ports import Ports
from servers import HOST, ROUTER_NAME, Prosody, Router, Unbound
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
direct.hosted.test gw
stray.hosted.test gw
*.many.hosted.test gw
"""

# nope is never hosted, later only after a reload; DNS sends all of them to the router.
TO_ROUTER = ["%s.hosted.test" % name for name in
             ("shop", "bank", "desk", "empty", "nope", "later")]
# DNS knows these as places for TLS from the first byte only.
TO_ROUTER_TLS = ["direct.hosted.test"]
# Hosted as well, by one line of the registry: senders in numbers.
SENDERS = ["s%d.many.hosted.test" % i for i in range(200)]
# Hosted, while DNS leads to a twin, which hosts it too.
STRAY = "stray.hosted.test"
# DNS knows it, and nobody listens there.
CLOSED = "closed.test"

# How servers speak with each other. Clear: no certificate anywhere. Otherwise the router requires
# TLS, and the remote servers prove themselves by dialback, or by certificates that it trusts.
CLEAR, SELF_SIGNED, TRUSTED = "clear", "self-signed", "trusted"

# A twin has another secret: it is there to disown the keys of its like.
REMOTES = {"prosody": Prosody, "ejabberd": Ejabberd, "jabberd2": Jabberd2, "twin": Prosody}
DOMAINS = {
    "prosody": ["prosody.test", "second.test"],
    "ejabberd": ["ejabberd.test", "ejabberd-second.test"],
    "jabberd2": ["jabberd2.test", "jabberd2-second.test"],
    "twin": [],
}
# DNS knows these as places for TLS from the first byte only.
DIRECT = {"prosody": "prosody-direct.test", "ejabberd": "ejabberd-direct.test"}
# Who says that he has a domain, and whom DNS believes to have it. Both host it.
RIVALS = {"prosody": "twin", "ejabberd": "jabberd2", "jabberd2": "ejabberd"}


def stolen_by(name):
    return "stolen-by-%s.test" % name


def unhosted_by(name):
    """DNS leads to a remote server, and it knows nothing of it."""
    return "unhosted-by-%s.test" % name


def hosted_by(name):
    """The domains of a remote server, its own first."""
    direct = [DIRECT[name]] if name in DIRECT else []
    stray = [STRAY] if name == "twin" else []
    return DOMAINS[name] + direct + stray + [stolen_by(thief) for thief, owner in RIVALS.items()
                                             if name in (thief, owner)]


class Lab:
    """Starts servers on ports that are fixed from the start, for DNS has to tell them."""

    def __init__(self, folder, security=CLEAR):
        self.folder = folder
        self.security = security
        self.servers = []
        self.users = []
        self.authority = None if security == CLEAR else Authority(folder / "certificates")
        self._ports = Ports()
        names = ["dns", "edge", "edge-tls", "components", "closed"] + list(REMOTES)
        names += ["%s-tls" % name for name in DIRECT]
        self.port = {name: self._ports.take() for name in names}

    def _start(self, server):
        self.servers.append(server)
        server.start()
        return server

    def start_unbound(self):
        targets = dict.fromkeys(TO_ROUTER + SENDERS, self.port["edge"])
        targets.update({STRAY: self.port["twin"], CLOSED: self.port["closed"]})
        for name, domains in DOMAINS.items():
            targets.update(dict.fromkeys(domains + [unhosted_by(name)], self.port[name]))
        targets.update({stolen_by(thief): self.port[owner] for thief, owner in RIVALS.items()})
        targets_tls = dict.fromkeys(TO_ROUTER_TLS, self.port["edge-tls"])
        targets_tls.update({domain: self.port["%s-tls" % name] for name, domain in DIRECT.items()})
        return self._start(
            Unbound(self.folder / "unbound", self.port["dns"], targets, targets_tls))

    def certificate(self, owner, names, **how):
        """A file with the certificate and its key."""
        return self.authority.certificate(self.authority.folder / (owner + ".pem"), names, **how)

    def _credential(self, name, certified):
        if self.security == CLEAR or certified is False:
            return None
        how = {"self_signed": self.security == SELF_SIGNED, **(certified or {})}
        return self.certificate(name, how.pop("names", DOMAINS[name] or hosted_by(name)), **how)

    def _direct(self, name, credential):
        return {"s2s_tls": self.port["%s-tls" % name]} if credential and name in DIRECT else {}

    def start_remote(self, name, certified=None, **how):
        """certified: what its certificate has of its own, names, days or self_signed, instead of
        all its domains but the stolen ones; False: it does not speak TLS."""
        accounts = {domain: {"alice": PASSWORD} for domain in hosted_by(name)}
        credential = self._credential(name, certified)
        remote = REMOTES[name](self.folder / name, self.port["dns"], self._ports,
                               self.port[name], accounts, credential,
                               self.authority and self.authority.file,
                               **self._direct(name, credential), **how)
        for part in remote.parts:
            self._start(part)
        return remote

    def certify(self, file, names, **how):
        """Puts a certificate where the router looks for its own, in the place of one that may be
        there; without any, the router gets one for all names."""
        folder = self.folder / "router-certificates"
        folder.mkdir(exist_ok=True)
        return self.authority.certificate(folder / (file + ".pem"), names, **how)

    def _cert_dir(self):
        folder = self.folder / "router-certificates"
        if not folder.exists():
            self.certify("hosted", ["*.hosted.test", "*.many.hosted.test", ROUTER_NAME])
        return folder

    def start_router(self, tls=None, more=()):
        """tls: required if there are certificates; more: further flags."""
        if self.security == CLEAR:
            flags = ["--tls", "off"]
        else:
            flags = ["--tls", tls or "required", "--cert-dir", self._cert_dir(),
                     "--ca-file", self.authority.file,
                     "--listen-tls", "%s:%d" % (HOST, self.port["edge-tls"])]
        return self._start(Router(
            self.folder / "sluice", self.port["dns"], self.port["edge"], self.port["components"],
            REGISTRY, {"gw.secret": GW_SECRET, "desk.secret": DESK_SECRET}, DIALBACK_SECRET,
            [*flags, *more]))

    async def client(self, server, domain, resource="tablet"):
        overtakes = isinstance(server, Prosody) and self.security == TRUSTED
        client = Client("alice@%s/%s" % (domain, resource), PASSWORD, overtakes)
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

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        for server in reversed(self.servers):
            server.stop()
        self._ports.release()
