# SPDX-License-Identifier: GPL-2.0-or-later
"""A server of the days when a certificate of a server was none of a client: OpenSSL by its defaults ends
the handshake with whoever shows one. Whoever shows none may speak, and prove himself by dialback.

In threads: asyncio forgets the alert with which OpenSSL says why.
"""

import asyncio
import re
import socket
import ssl
import threading

from servers import HOST

HEADER = ("<?xml version='1.0'?><stream:stream xmlns='jabber:server' id='%s' version='1.0' "
          "xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>")
OFFER = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
DIALBACK = "<dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"
FEATURES = "<stream:features>%s</stream:features>"
PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
RESULT = re.compile(r"<db:result from='([^']*)' to='([^']*)'>[^<]*</db:result>")
VERIFY = re.compile(r"<db:verify from='([^']*)' to='([^']*)' id='([^']*)'>[^<]*</db:verify>")


class OldServer:
    """Believes every key, and says that each of its own is right."""

    def __init__(self, port, credential, ca, version):
        """version: of TLS, the only one."""
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(credential)
        self._context.load_verify_locations(ca)
        self._context.verify_mode = ssl.CERT_OPTIONAL
        self._context.minimum_version = self._context.maximum_version = version
        self.connections = self.refused = self.asked = 0
        self._heard = ""
        self._news = threading.Condition()
        self._listener = socket.create_server((HOST, port))
        threading.Thread(target=self._accept, daemon=True).start()

    async def leave(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    async def hear(self, text, seconds=60):
        """Waits for it, on whatever stream it comes."""
        assert await asyncio.to_thread(self._wait, text, seconds), self._heard

    def _wait(self, text, seconds):
        with self._news:
            return self._news.wait_for(lambda: text in self._heard, seconds)

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=[connection], daemon=True).start()

    def _serve(self, connection):
        try:
            self._open(connection, "clear", OFFER)
            self._until(connection, "<starttls")
            self._say(connection, PROCEED)
            connection = self._context.wrap_socket(connection, server_side=True)
            self._open(connection, "secret", DIALBACK)
            self._talk(connection)
        except ssl.SSLError:
            self.refused += 1
        except (ConnectionError, EOFError):
            pass
        finally:
            connection.close()

    @staticmethod
    def _say(connection, text):
        connection.sendall(text.encode())

    @staticmethod
    def _some(connection):
        data = connection.recv(65536)
        if not data:
            raise EOFError
        return data.decode()

    def _until(self, connection, text):
        heard = ""
        while text not in heard or not heard.endswith(">"):
            heard += self._some(connection)

    def _open(self, connection, id, features):
        self._until(connection, "<stream:stream")
        self._say(connection, HEADER % id + FEATURES % features)

    def _talk(self, connection):
        """Answers as it comes: the router writes each element in one piece."""
        while True:
            text = self._some(connection)
            for source, target in RESULT.findall(text):
                self._say(connection,
                          "<db:result from='%s' to='%s' type='valid'/>" % (target, source))
            for source, target, id in VERIFY.findall(text):
                self.asked += 1
                self._say(connection, "<db:verify from='%s' to='%s' id='%s' type='valid'/>"
                          % (target, source, id))
            with self._news:
                self._heard += text
                self._news.notify_all()
