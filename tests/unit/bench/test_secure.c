/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bench's TLS: what goes over a secured wire arrives, and the wrong name is found out. */
#include "bench/address.h"
#include "bench/pki.h"
#include "bench/secure.h"
#include "bench/wire.h"

#include <criterion/criterion.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#define BULK 300000 /* more than a socket and a record take */

struct peer {
	struct wire wire; /* first: its source is what the loop hands us */
	size_t got;
	bool failed;
};

static struct loop loop;
static struct secure *client, *server, *direct_client, *direct_server;
static struct peer opens, accepts;
static char dir[] = "/tmp/sluice-test-secure.XXXXXX";

static void peer_ready(struct source *source, uint32_t events)
{
	struct peer *p = (struct peer *)source;
	char buf[WIRE_READ];
	ssize_t n;

	(void)events;
	n = wire_read(&p->wire, buf, sizeof(buf));
	for (ssize_t i = 0; i < n; i++)
		cr_assert_eq(buf[i], (char)((p->got + (size_t)i) % 251));
	p->got += n > 0 ? (size_t)n : 0;
	p->failed |= n == 0 || (n < 0 && n != -EAGAIN) || !wire_flush(&p->wire);
	if (p->failed)
		wire_close(&p->wire);
}

static void file_path(char *path, const char *name)
{
	snprintf(path, 64, "%s/%s", dir, name);
}

static void set_up(void)
{
	char root[64], leaf[64];
	struct pki *pki = pki_new();
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	cr_assert(mkdtemp(dir));
	file_path(root, "root.pem");
	file_path(leaf, "leaf.pem");
	cr_assert(pki && pki_write_root(pki, root) && pki_issue(pki, "one.test", true, leaf));
	client = secure_client(root, leaf, false);
	server = secure_server(leaf, false);
	direct_client = secure_client(root, NULL, true);
	direct_server = secure_server(leaf, true);
	cr_assert(client && server && direct_client && direct_server);
	pki_free(pki);
	unlink(root);
	unlink(leaf);
	rmdir(dir);
	cr_assert(loop_init(&loop));
	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	cr_assert(wire_open(&opens.wire, &loop, fds[0], peer_ready));
	cr_assert(wire_open(&accepts.wire, &loop, fds[1], peer_ready));
	cr_assert(wire_secure(&accepts.wire, secure_connection(server, NULL, NULL)));
}

static void tear_down(void)
{
	wire_close(&opens.wire);
	wire_close(&accepts.wire);
	loop_close(&loop);
	secure_free(client);
	secure_free(server);
	secure_free(direct_client);
	secure_free(direct_server);
}

TestSuite(secure, .init = set_up, .fini = tear_down, .timeout = 60);

static void bulk_append(struct wire *w)
{
	char *p = wire_reserve(w, BULK);

	for (size_t i = 0; i < BULK; i++)
		p[i] = (char)(i % 251);
	wire_commit(w, BULK);
}

Test(secure, what_is_written_before_and_after_the_handshake_arrives)
{
	cr_assert(wire_secure(&opens.wire, secure_connection(client, "a.one.test", NULL)));
	bulk_append(&opens.wire);
	bulk_append(&accepts.wire);
	cr_assert(wire_flush(&opens.wire));
	while (!opens.failed && !accepts.failed && (opens.got < BULK || accepts.got < BULK))
		loop_turn(&loop, 100);
	cr_assert_eq(opens.got, BULK);
	cr_assert_eq(accepts.got, BULK);
	cr_assert_str_eq(SSL_get_version(opens.wire.tls), "TLSv1.3");
}

Test(secure, from_the_first_byte_the_protocol_is_agreed_on)
{
	const unsigned char *protocol;
	unsigned len;

	SSL_free(accepts.wire.tls);
	cr_assert(wire_secure(&accepts.wire, secure_connection(direct_server, NULL, NULL)));
	cr_assert(wire_secure(&opens.wire, secure_connection(direct_client, "one.test", NULL)));
	bulk_append(&opens.wire);
	cr_assert(wire_flush(&opens.wire));
	while (!opens.failed && !accepts.failed && accepts.got < BULK)
		loop_turn(&loop, 100);
	cr_assert_eq(accepts.got, BULK);
	SSL_get0_alpn_selected(opens.wire.tls, &protocol, &len);
	cr_assert_eq(len, strlen("xmpp-server"));
	cr_assert_eq(memcmp(protocol, "xmpp-server", len), 0);
}

Test(secure, a_certificate_for_another_name_is_refused)
{
	cr_assert(wire_secure(&opens.wire, secure_connection(client, "two.test", NULL)));
	bulk_append(&opens.wire);
	cr_assert(wire_flush(&opens.wire));
	while (!opens.failed || !accepts.failed)
		loop_turn(&loop, 100);
	cr_assert_eq(accepts.got, 0);
}
