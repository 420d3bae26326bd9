/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What TLS costs: both ends in this process, memory to memory, each end's CPU time
 * taken apart from the other's.
 *
 *   micro-tls              everything
 *   micro-tls N            with N handshakes of each kind (default 2000)
 *
 * The certificates are made by the openssl program: a root, an intermediate and a
 * certificate for each end, all P-256, as on today's network.
 */
#include "bench/bench.h"

#include <sys/wait.h>
#include <unistd.h>

#include "net/tls.h"

#define WIRE 262144
#define IDLE 2000 /* connections, for the memory of one */

struct world {
	struct tls_trust *trust;
	struct tls_cert *server, *client;
	struct tls_tickets *tickets;
	struct tls_setup *asks, *asks_not, *named, *shows, *bare;
};

struct end {
	struct tls *tls;
	char in[WIRE];
	size_t in_n;
	uint64_t cpu; /* ns spent in its calls */
};

static struct end accepting, opening;

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "micro-tls: %s\n", what);
	exit(1);
}

static uint64_t cpu_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

/* -- certificates -- */

static char dir[] = "/tmp/micro-tls-XXXXXX";

static const char script[] =
	"cd %s && exec >log 2>&1; set -e; "
	"req() { name=$1; shift; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	"-days 9 -subj /CN=$name -keyout $name.key -out $name.pem \"$@\"; }; "
	"ca='-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign'; "
	"leaf='-addext basicConstraints=critical,CA:FALSE -CA middle.pem -CAkey middle.key'; "
	"req root $ca; req middle $ca -CA root.pem -CAkey root.key; "
	"req server $leaf -addext subjectAltName=DNS:server.test; "
	"req client $leaf -addext subjectAltName=DNS:client.test; "
	"cat middle.pem >>server.pem; cat middle.pem >>client.pem";

static struct span file(const char *name)
{
	char path[64], *p = bench_alloc(1, 65536);
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		die("openssl made no certificates");
	n = fread(p, 1, 65536, f);
	(void)fclose(f);
	return span_of(p, n);
}

static void certificates_make(void)
{
	char command[sizeof(script) + sizeof(dir)];

	if (!mkdtemp(dir))
		die("no folder for the certificates");
	(void)snprintf(command, sizeof(command), script, dir);
	if (system(command) != 0)
		die("openssl cannot be run");
}

static void certificates_remove(void)
{
	char command[64];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		die("the certificates cannot be removed");
}

static struct tls_cert *by_name(void *ctx, struct span name)
{
	(void)name;
	return ctx;
}

static struct tls_setup *setup(struct world *w, enum tls_role role, struct tls_cert *cert,
	struct tls_trust *trust, struct tls_cert *named)
{
	struct tls_setup_opts o = { .role = role,
		.cert = cert,
		.trust = trust,
		.tickets = role == TLS_ACCEPTING ? w->tickets : NULL,
		.sessions = role == TLS_OPENING ? 16 : 0,
		.by_name = named ? by_name : NULL,
		.ctx = named };
	const char *why;
	struct tls_setup *s = tls_setup_new(&o, &why);

	if (!s)
		die(why);
	return s;
}

static void world_make(struct world *w)
{
	const char *why;
	unsigned skipped;

	certificates_make();
	w->trust = tls_trust_new(file("root.pem"), SPAN_NONE, &skipped, &why);
	w->server = tls_cert_new(file("server.pem"), file("server.key"), &why);
	w->client = tls_cert_new(file("client.pem"), file("client.key"), &why);
	if (!w->trust || !w->server || !w->client)
		die(why);
	certificates_remove();
	w->tickets = tls_tickets_new();
	w->asks = setup(w, TLS_ACCEPTING, w->server, w->trust, NULL);
	w->asks_not = setup(w, TLS_ACCEPTING, w->server, NULL, NULL);
	w->named = setup(w, TLS_ACCEPTING, w->client, NULL, w->server);
	w->shows = setup(w, TLS_OPENING, w->client, w->trust, NULL);
	w->bare = setup(w, TLS_OPENING, NULL, w->trust, NULL);
}

/* -- handshakes -- */

static enum tls_next step(struct end *from, struct end *to)
{
	static char plain[TLS_RECORD];
	struct tls_io io = { span_of(from->in, from->in_n), to->in, to->in_n, WIRE };
	uint64_t start = cpu_now();
	enum tls_next next;
	size_t n;

	if (tls_state(from->tls) == TLS_HANDSHAKE)
		next = tls_handshake(from->tls, &io);
	else
		next = tls_read(from->tls, &io, plain, sizeof(plain), &n);
	from->cpu += cpu_now() - start;
	from->in_n = 0;
	to->in_n = io.out_n;
	return next;
}

static void connect_ends(struct tls_setup *a, struct tls_setup *o, struct span identity)
{
	uint64_t start = cpu_now();

	accepting.tls = tls_accept(a);
	accepting.cpu += cpu_now() - start;
	start = cpu_now();
	opening.tls = tls_open(o, SPAN_LIT("server.test"), true, identity);
	opening.cpu += cpu_now() - start;
	if (!accepting.tls || !opening.tls)
		die("no memory");
	accepting.in_n = opening.in_n = 0;
	do {
		(void)step(&opening, &accepting);
		(void)step(&accepting, &opening);
	} while (tls_state(accepting.tls) == TLS_HANDSHAKE || opening.in_n);
	if (tls_state(accepting.tls) != TLS_OPEN || tls_state(opening.tls) != TLS_OPEN)
		die(tls_why(accepting.tls));
}

static void handshakes(const char *what, struct tls_setup *a, struct tls_setup *o,
	struct span identity, enum tls_verdict verdict, bool resumed, unsigned count)
{
	for (unsigned i = 0; i <= count; i++) {
		uint64_t start;

		if (i == 1) /* the first one made a session, and warmed up */
			accepting.cpu = opening.cpu = 0;
		connect_ends(a, o, identity);
		start = cpu_now();
		if (tls_peer_verdict(accepting.tls) != verdict)
			die("the verdict on the client's certificate is wrong");
		accepting.cpu += cpu_now() - start;
		start = cpu_now();
		if (tls_peer_verdict(opening.tls) != TLS_CERT_TRUSTED)
			die("the verdict on the server's certificate is wrong");
		opening.cpu += cpu_now() - start;
		if (i > 0 && tls_resumed(accepting.tls) != resumed)
			die("resumed, or not, against expectation");
		start = cpu_now();
		tls_free(accepting.tls);
		accepting.cpu += cpu_now() - start;
		tls_free(opening.tls);
	}
	printf("%-44s %8.1f us accepting (%.0f/s)  %8.1f us opening\n", what,
		(double)accepting.cpu / count / 1e3, 1e9 * count / (double)accepting.cpu,
		(double)opening.cpu / count / 1e3);
}

/* -- data -- */

static void bulk(size_t piece)
{
	enum { TOTAL = 1 << 28 };
	static char plain[TLS_RECORD + 1], text[TLS_RECORD];
	struct span s = span_of(text, piece);
	uint64_t out_ns = 0, in_ns = 0;
	size_t done = 0, got;

	for (; done < TOTAL; done += piece) {
		struct tls_io out = { .out = accepting.in, .out_room = WIRE }, in = { 0 };
		uint64_t start = cpu_now(), middle;

		if (tls_write(opening.tls, &out, &s, 1) != piece)
			die("a record was not written");
		middle = cpu_now();
		in.in = span_of(accepting.in, out.out_n);
		if (tls_read(accepting.tls, &in, plain, sizeof(plain), &got) != TLS_NEED_INPUT ||
			got != piece)
			die("a record was not read");
		out_ns += middle - start;
		in_ns += cpu_now() - middle;
	}
	printf("records of %5zu bytes, %s  %6.0f MB/s out  %6.0f MB/s in\n", piece,
		tls_cipher(opening.tls), (double)done * 1e3 / (double)out_ns,
		(double)done * 1e3 / (double)in_ns);
}

/* -- memory -- */

static size_t resident(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	size_t all = 0, pages = 0;

	if (!f || fscanf(f, "%zu %zu", &all, &pages) != 2)
		die("/proc/self/statm");
	(void)fclose(f);
	return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Pairs of connections stay open; half of the growth is an end's. In a process of its own, where
 * nothing was freed before. */
static void memory(const char *what, struct tls_setup *a, struct tls_setup *o, bool forget)
{
	size_t before;
	pid_t pid;

	(void)fflush(stdout);
	pid = fork();
	if (pid != 0) {
		if (pid < 0 || waitpid(pid, NULL, 0) != pid)
			die("no process to measure memory in");
		return;
	}
	connect_ends(a, o, SPAN_NONE);
	before = resident();
	for (unsigned i = 0; i < IDLE; i++) {
		connect_ends(a, o, SPAN_NONE);
		if (forget) {
			tls_peer_forget(accepting.tls);
			tls_peer_forget(opening.tls);
		}
	}
	printf("%-44s %6.1f KiB an idle connection\n", what,
		(double)(resident() - before) / 1024 / IDLE / 2);
	(void)fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 2000;
	struct world w;

	if (count == 0)
		die("usage: micro-tls [handshakes]");
	world_make(&w);
	printf("%s, AES by the processor: %s\n", tls_library(), tls_hardware_aes() ? "yes" : "no");
	memory("with the peer's chain kept", w.asks, w.shows, false);
	memory("without it", w.asks, w.shows, true);
	handshakes("TLS 1.3, no client certificate asked for", w.asks_not, w.bare, SPAN_NONE,
		TLS_CERT_NONE, false, count);
	handshakes("the same, our certificate chosen by name", w.named, w.bare, SPAN_NONE,
		TLS_CERT_NONE, false, count);
	handshakes("TLS 1.3, asked for, none shown", w.asks, w.bare, SPAN_NONE, TLS_CERT_NONE,
		false, count);
	handshakes("TLS 1.3, client certificate and its chain", w.asks, w.shows, SPAN_NONE,
		TLS_CERT_TRUSTED, false, count);
	handshakes("TLS 1.3, resumed", w.asks, w.bare, SPAN_LIT("us and them"), TLS_CERT_NONE, true,
		count);
	connect_ends(w.asks, w.bare, SPAN_NONE);
	bulk(TLS_RECORD);
	bulk(1400);
	bulk(355);
	tls_free(accepting.tls);
	tls_free(opening.tls);
	return 0;
}
