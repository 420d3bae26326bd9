/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine against OpenSSL's own client and server, over a socket. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls_openssl, .timeout = 120);

struct world {
	struct tls_trust *trust;
	struct tls_cert *server, *client;
	struct tls_setup *accepting, *opening;
	char plain[65536];
	size_t n; /* plaintext received */
};

static void world_make(struct world *w)
{
	*w = (struct world){ 0 };
	zoo_make("ca", &(struct zoo_opts){ .extensions = ZOO_CA });
	zoo_make("server", &(struct zoo_opts){ .issuer = "ca" });
	zoo_make("client",
		&(struct zoo_opts){ .issuer = "ca", .key = "RSA -pkeyopt rsa_keygen_bits:2048" });
	w->trust = trust_of("ca");
	w->server = zoo_cert("server", SPAN_NONE);
	w->client = zoo_cert("client", SPAN_NONE);
	w->accepting = setup_accept(w->server, w->trust);
	w->opening = setup_open(w->client, w->trust);
}

static void world_free(struct world *w)
{
	tls_setup_unref(w->accepting);
	tls_setup_unref(w->opening);
	tls_cert_unref(w->server);
	tls_cert_unref(w->client);
	tls_trust_unref(w->trust);
}

static int listen_local(struct sockaddr_in *at)
{
	socklen_t n = sizeof(*at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*at = (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	cr_assert(fd >= 0 && bind(fd, (struct sockaddr *)at, n) == 0 && listen(fd, 8) == 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)at, &n), 0);
	return fd;
}

static void out_send(int fd, struct tls_io *io)
{
	if (io->out_n)
		(void)!send(fd, io->out, io->out_n, MSG_NOSIGNAL);
	io->out_n = 0;
}

/* What their client is to type: the next line when bytes of the one before have come, then the end
 * of its input. */
struct script {
	const char *const *next;
	int fd; /* -1: no more */
};

static void script_go_on(struct script *s)
{
	if (s->fd < 0)
		return;
	if (*s->next) {
		/* It may have gone already: then the test says so by what did not come. */
		(void)!write(s->fd, *s->next, strlen(*s->next));
		s->next++;
	} else {
		(void)close(s->fd);
		s->fd = -1;
	}
}

static enum tls_next shake_hands(struct tls *t, struct tls_io *io, struct script *script)
{
	enum tls_next next = tls_handshake(t, io);

	if (tls_state(t) != TLS_OPEN)
		return next;
	if (script)
		script_go_on(script);
	else
		cr_assert_eq(tls_write(t, io, &SPAN_LIT("hello\n"), 1), 6);
	return next;
}

/* Runs t on the socket until it is over. With a script it is their client's server, and answers each
 * text with itself; without, it says hello to their server, and closes when an answer has come. */
static void serve(struct world *w, struct tls *t, int fd, struct script *script)
{
	char in[4096], out[65536];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };
	enum tls_next next = script ? TLS_NEED_INPUT : tls_handshake(t, &io);

	for (;;) {
		struct span text;

		out_send(fd, &io);
		if (next == TLS_OVER)
			break;
		if (next == TLS_NEED_INPUT) {
			ssize_t n = recv(fd, in, sizeof(in), 0);

			if (n <= 0) {
				tls_eof(t);
				break;
			}
			io.in = span_of(in, (size_t)n);
			if (script && tls_state(t) == TLS_OPEN)
				script_go_on(script);
		}
		if (tls_state(t) == TLS_HANDSHAKE) {
			next = shake_hands(t, &io, script);
			continue;
		}
		text.p = w->plain + w->n;
		next = tls_read(t, &io, w->plain + w->n, sizeof(w->plain) - 1 - w->n, &text.n);
		w->n += text.n;
		w->plain[w->n] = '\0';
		if (text.n && script)
			cr_assert_eq(tls_write(t, &io, &text, 1), text.n);
		if (text.n && !script) {
			tls_close(t, &io);
			next = TLS_OVER;
		}
	}
	if (script && script->fd >= 0)
		(void)close(script->fd);
}

/* `openssl s_client` with these arguments. */
static struct tls *client_run(struct world *w, const char *const *lines, const char *args)
{
	struct tls *t = tls_accept(w->accepting);
	struct sockaddr_in at;
	int fd = listen_local(&at), conn, input[2];
	char command[1024];
	pid_t pid;

	cr_assert_eq(pipe2(input, O_CLOEXEC), 0);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)snprintf(command, sizeof(command),
		"cd %s && exec timeout 60 openssl s_client -connect 127.0.0.1:%u -CAfile ca.pem %s "
		">client.log 2>&1",
		zoo_dir(), ntohs(at.sin_port), args);
	pid = fork();
	if (pid == 0) {
		(void)dup2(input[0], STDIN_FILENO);
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	(void)close(input[0]);
	conn = accept(fd, NULL, NULL);
	cr_assert(conn >= 0);
	serve(w, t, conn, &(struct script){ lines, input[1] });
	(void)close(conn);
	(void)close(fd);
	(void)waitpid(pid, NULL, 0);
	return t;
}

/* What the client wrote to its terminal. */
static bool client_said(const char *what)
{
	struct span s = zoo_file("client", "log");

	return memmem(s.p, s.n, what, strlen(what)) != NULL;
}

#define LINES(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define SAY LINES("hello\n")

Test(tls_openssl, client_of_each_version)
{
	static const char *const args[][3] = {
		{ "-tls1_3 -servername server.test -alpn xmpp-server", "TLSv1.3", "yes" },
		{ "-tls1_2 -alpn h2,xmpp-server", "TLSv1.2", "yes" },
		{ "-tls1_2", "TLSv1.2", "" },
		{ "-tls1_3 -groups P-384", "TLSv1.3", "" },
		{ "-tls1_3 -ciphersuites TLS_CHACHA20_POLY1305_SHA256", "TLSv1.3", "" },
		{ "-tls1_2 -cipher ECDHE-ECDSA-CHACHA20-POLY1305", "TLSv1.2", "" },
	};
	struct world w;

	world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(args); i++) {
		struct tls *t = client_run(&w, SAY, args[i][0]);

		cr_assert_str_eq(w.plain, "hello\n", "%s: %s", args[i][0], tls_why(t));
		cr_assert_eq(tls_state(t), TLS_CLOSED, "%s: %s", args[i][0], tls_why(t));
		cr_assert_str_eq(tls_version(t), args[i][1]);
		cr_assert_eq(tls_alpn(t), args[i][2][0] != '\0');
		cr_assert_eq(tls_peer_verdict(t), TLS_CERT_NONE);
		cr_assert(client_said("Verify return code: 0 (ok)"));
		tls_free(t);
		w.n = 0;
	}
	world_free(&w);
}

Test(tls_openssl, client_with_a_certificate)
{
	static const char *const versions[] = { "-tls1_2", "-tls1_3" };
	struct world w;

	world_make(&w);
	for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
		char args[128];
		struct tls *t;

		(void)snprintf(args, sizeof(args), "%s -cert client.pem -key client.key",
			versions[i]);
		t = client_run(&w, SAY, args);
		cr_assert_str_eq(w.plain, "hello\n", "%s", tls_why(t));
		cr_assert_eq(tls_peer_verdict(t), TLS_CERT_TRUSTED);
		tls_free(t);
		w.n = 0;
	}
	world_free(&w);
}

static void refused(struct world *w, const char *args, const char *alert)
{
	struct tls *t = client_run(w, SAY, args);

	cr_assert_eq(tls_state(t), TLS_FAILED, "%s", args);
	cr_assert_eq(w->n, 0);
	cr_assert_gt(strlen(tls_why(t)), 0);
	cr_assert(client_said(alert), "%s", args);
	tls_free(t);
}

Test(tls_openssl, T_S16_old_versions_and_bad_suites_are_refused)
{
	struct world w;

	world_make(&w);
	refused(&w, "-tls1_1 -cipher DEFAULT@SECLEVEL=0", "alert protocol version");
	refused(&w, "-tls1 -cipher DEFAULT@SECLEVEL=0", "alert protocol version");
	refused(&w, "-tls1_2 -cipher AES128-SHA:AES256-GCM-SHA384", "alert handshake failure");
	refused(&w, "-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA256", "alert handshake failure");
	refused(&w, "-tls1_2 -cipher NULL:aNULL:@SECLEVEL=0", "alert handshake failure");
	refused(&w, "-alpn h2,http/1.1", "no application protocol");
	/* The library asks for another share of the same group, which no client gives. */
	refused(&w, "-tls1_3 -groups P-521", "no change following hrr");
	world_free(&w);
}

Test(tls_openssl, T_S15_renegotiation_is_refused)
{
	struct world w;
	struct tls *t;

	world_make(&w);
	t = client_run(&w, LINES("hello\n", "R\n", "after\n"), "-tls1_2 -legacy_renegotiation");
	cr_assert_eq(strncmp(w.plain, "hello\n", 6), 0);
	cr_assert_neq(tls_state(t), TLS_OPEN);
	cr_assert_null(strstr(w.plain, "after"), "%s", tls_why(t));
	cr_assert_not(client_said("Verification: OK\nRENEGOTIATED"));
	tls_free(t);
	world_free(&w);
}

Test(tls_openssl, keys_are_updated)
{
	struct world w;
	struct tls *t;

	world_make(&w);
	t = client_run(&w, LINES("one\n", "K\n", "two\n", "k\n", "three\n"), "-tls1_3");
	cr_assert_str_eq(w.plain, "one\ntwo\nthree\n", "%s", tls_why(t));
	cr_assert(client_said("two"), "what we sent under new keys");
	tls_free(t);
	world_free(&w);
}

/* -- their server -- */

static const char *server_log(char path[256])
{
	(void)snprintf(path, 256, "%s/server.log", zoo_dir());
	return path;
}

static void server_forget(void)
{
	char path[256];

	(void)unlink(server_log(path));
}

/* That the kernel gave to it, once it says so. */
static uint16_t server_port(void)
{
	char path[256], line[256];
	unsigned port = 0;

	for (unsigned i = 0; i < 4000 && port == 0; i++) {
		FILE *f = fopen(server_log(path), "re");

		/* A line that is not whole yet has no end. */
		while (f && fgets(line, sizeof(line), f))
			if (strchr(line, '\n'))
				(void)sscanf(line, "ACCEPT 127.0.0.1:%u", &port);
		if (f)
			(void)fclose(f);
		if (port == 0)
			(void)usleep(10000);
	}
	cr_assert(port > 0 && port < 65536, "their server does not listen");
	return (uint16_t)port;
}

static void server_try(struct world *w, const char *args, const char *version,
	enum tls_verdict verdict)
{
	struct tls *t = tls_open(w->opening, SPAN_LIT("server.test"), true, SPAN_NONE);
	struct sockaddr_in at = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int conn = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	char command[1024];
	pid_t pid;

	(void)snprintf(command, sizeof(command),
		"cd %s && printf 'x\\n' | exec timeout 50 openssl s_server -accept 127.0.0.1:0 -naccept 1 -rev "
		"-cert server.pem -key server.key -CAfile ca.pem %s >server.log 2>&1",
		zoo_dir(), args);
	server_forget();
	pid = fork();
	if (pid == 0) {
		(void)execl("/bin/sh", "sh", "-c", command, (char *)NULL);
		_exit(127);
	}
	at.sin_port = htons(server_port());
	cr_assert_eq(connect(conn, (struct sockaddr *)&at, sizeof(at)), 0);
	serve(w, t, conn, NULL);
	cr_assert_eq(tls_state(t), TLS_CLOSING, "%s: %s", args, tls_why(t));
	cr_assert_str_eq(tls_version(t), version);
	cr_assert_eq(tls_peer_verdict(t), verdict);
	cr_assert_str_eq(w->plain, "olleh\n");
	tls_free(t);
	(void)close(conn);
	(void)waitpid(pid, NULL, 0);
	w->n = 0;
}

Test(tls_openssl, server_of_each_version)
{
	struct world w;

	world_make(&w);
	server_try(&w, "-tls1_3 -alpn xmpp-server", "TLSv1.3", TLS_CERT_TRUSTED);
	server_try(&w, "-tls1_2", "TLSv1.2", TLS_CERT_TRUSTED);
	server_try(&w, "-tls1_3 -Verify 2", "TLSv1.3", TLS_CERT_TRUSTED);
	server_try(&w, "-tls1_2 -Verify 2", "TLSv1.2", TLS_CERT_TRUSTED);
	world_free(&w);
}
