# SPDX-License-Identifier: GPL-2.0-or-later
"""Another server's side of TLS, by hand: each flight of a handshake is ours to cut or to twist."""

import base64
import socket
import ssl
import warnings

from servers import HOST, PATIENCE

HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' "
          "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback' "
          "from='%s' to='%s' version='1.0'>")
STARTTLS = b"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
PROCEED = b"<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
FAILURE = b"<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
FEATURES = b"</stream:features>"
EXTERNAL = b"<mechanism>EXTERNAL</mechanism>"
SUCCESS = b"<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"


def peer_context(ca=None, credential=None, version=None, ciphers=None):
    """credential: a file with certificate and key; version: the only one to be offered."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    if ca is None:
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(ca)
    if credential is not None:
        context.load_cert_chain(credential)
    if ciphers is not None:
        context.set_ciphers(ciphers)
    if version is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = version
    return context


class TlsPeer:
    """One connection to the router."""

    def __init__(self, port, source="peer.test", target="shop.hosted.test"):
        self.source, self.target = source, target
        self.data = b""
        self.over = False  # the router has closed
        self.tls = None
        self._socket = socket.create_connection((HOST, port), timeout=PATIENCE)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self):
        """Without a word, whatever is going on."""
        self._socket.close()

    # -- bytes --

    def send(self, data, step=None):
        """step: so many bytes in one segment."""
        for at in range(0, len(data), step or max(len(data), 1)):
            self._socket.sendall(data[at:at + step] if step else data)

    def _receive(self):
        try:
            data = self._socket.recv(65536)
        except ConnectionError:
            data = b""
        self.over = self.over or not data
        return data

    # -- TLS --

    def shake_hands(self, context, server_name=None, session=None, step=None):
        """Raises ssl.SSLError when the router refuses, or closes."""
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.data = b""
        self.tls = context.wrap_bio(self._in, self._out, server_hostname=server_name,
                                    session=session)
        while True:
            try:
                self.tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self.send(self._out.read(), step)
                self._feed()
            finally:
                self.send(self._out.read(), step)

    def _feed(self):
        data = self._receive()
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    def start_tls(self, context, **how):
        """A stream in the clear, and the handshake in the place of its rest."""
        self.open()
        self.say(STARTTLS)
        self.hear(PROCEED)
        self.shake_hands(context, **how)

    def end_tls(self):
        """close_notify."""
        try:
            self.tls.unwrap()
        except (ssl.SSLWantReadError, ssl.SSLError):
            pass
        self.send(self._out.read())

    def shown(self):
        """The names in the certificate that the router has shown, and its serial number."""
        shown = self.tls.getpeercert()
        return sorted(name for _, name in shown["subjectAltName"]), shown["serialNumber"]

    # -- streams --

    def say(self, text, step=None):
        data = text if isinstance(text, bytes) else text.encode()
        if self.tls is not None:
            self.tls.write(data)
            data = self._out.read()
        self.send(data, step)

    def hear_some(self):
        """False: the router has closed."""
        if self.tls is None:
            self.data += self._receive()
            return not self.over
        try:
            data = self.tls.read(65536)
        except ssl.SSLWantReadError:
            self._feed()
            return True
        except ssl.SSLError:
            data = b""  # closed without close_notify, or with an alert
        self.data += data
        self.over = self.over or not data
        return bool(data)

    def hear(self, text):
        """Waits for it, and forgets it and what came before."""
        while text not in self.data:
            assert self.hear_some(), "%r instead of %r" % (self.data[-500:], text)
        heard, self.data = self.data.split(text, 1)
        return heard + text

    def hear_out(self):
        """All that comes before the router closes."""
        while self.hear_some():
            pass
        return self.data

    def open(self):
        """The features."""
        self.say(HEADER % (self.source, self.target))
        return self.hear(FEATURES)

    def authenticate(self):
        """SASL EXTERNAL, and the new stream."""
        name = base64.b64encode(self.source.encode()).decode()
        self.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='EXTERNAL'>%s</auth>"
                 % name)
        self.hear(SUCCESS)
        return self.open()

    def message(self, id, to="bob"):
        self.say("<message from='ann@%s' to='%s@%s' id='%s'><body>hi</body></message>"
                 % (self.source, to, self.target, id))
