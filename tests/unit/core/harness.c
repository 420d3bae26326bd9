/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "harness.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "dialback/key.h"
#include "scratch.h"

#define TAPS 256
#define SHOWN 600 /* bytes of a surprise that a failure shows */

struct rig rig;
const char *rig_secrets = SECRET;

static struct tap *taps[TAPS];
static unsigned n_taps;
static int refusing = -1; /* bound, not listening */
static int log_fd = -1;

uint64_t rig_now(void)
{
	return clock_ms();
}

/* -- taps -- */

static struct tap *tap_new(int fd)
{
	struct tap *t = calloc(1, sizeof(*t));
	int one = 1;

	cr_assert(t && fd >= 0, "no connection: %s", strerror(errno));
	cr_assert_lt(n_taps, TAPS);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	cr_assert_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	t->fd = fd;
	taps[n_taps++] = t;
	return t;
}

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
		.sin_port = htons(port) };
}

struct tap *tap_dial_small(uint16_t port, int rcvbuf)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = loopback(port);

	if (rcvbuf)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	cr_assert_eq(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0, "connect to %u: %s", port,
		strerror(errno));
	return tap_new(fd);
}

bool tap_can_dial(uint16_t port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in sa = loopback(port);
	bool can = connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0;

	close(fd);
	return can;
}

struct tap *tap_dial(uint16_t port)
{
	return tap_dial_small(port, 0);
}

void tap_close(struct tap *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

void tap_reset(struct tap *t)
{
	struct linger reset = { .l_onoff = 1 };

	(void)setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	tap_close(t);
}

/* Takes what is there. False: nothing was. */
static bool tap_read(struct tap *t)
{
	ssize_t n;

	if (t->ended || t->fd < 0)
		return false;
	if (t->n + 65536 > t->cap) {
		t->cap = 2 * t->cap + 131072;
		t->in = realloc(t->in, t->cap);
		cr_assert(t->in);
	}
	n = recv(t->fd, t->in + t->n, 65535, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0)
		t->ended = true;
	else
		t->n += (size_t)n;
	t->in[t->n] = '\0';
	return true;
}

/* Until something is there to be read, or it is so late. */
static void tap_wait(struct tap *t, uint64_t until)
{
	struct pollfd p = { .fd = t->fd, .events = POLLIN };
	uint64_t now = rig_now();

	if (now < until)
		(void)poll(&p, 1, (int)(until - now));
}

/* Until n bytes are there or the end is. */
static void tap_fill(struct tap *t, size_t n)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (t->n < n && !t->ended && rig_now() < until)
		if (!tap_read(t))
			tap_wait(t, until);
}

bool tap_quiet(struct tap *t)
{
	while (tap_read(t))
		;
	return t->n == 0 && !t->ended;
}

static void tap_consume(struct tap *t, size_t n)
{
	memmove(t->in, t->in + n, t->n - n + 1);
	t->n -= n;
}

void tap_peek(struct tap *t, size_t n)
{
	tap_fill(t, n);
	cr_assert_geq(t->n, n, "only %zu of %zu bytes came", t->n, n);
}

void tap_skip(struct tap *t, size_t n)
{
	tap_peek(t, n);
	tap_consume(t, n);
}

size_t tap_try_send(struct tap *t, const char *p, size_t n)
{
	ssize_t sent = send(t->fd, p, n, MSG_NOSIGNAL);

	if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
		return n; /* what the router said before tells the test */
	cr_assert(sent > 0 || errno == EAGAIN, "send: %s", strerror(errno));
	return sent > 0 ? (size_t)sent : 0;
}

void tap_send(struct tap *t, const char *p, size_t n)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (n > 0) {
		size_t sent = tap_try_send(t, p, n);
		struct pollfd writable = { .fd = t->fd, .events = POLLOUT };

		p += sent;
		n -= sent;
		if (sent > 0)
			continue;
		cr_assert_lt(rig_now(), until, "the router does not read");
		(void)poll(&writable, 1, 1000);
	}
}

void tap_say(struct tap *t, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	cr_assert_geq(n, 0);
	tap_send(t, text, (size_t)n);
	free(text);
}

static void expect_bytes(const char *file, int line, struct tap *t, const char *want, size_t n)
{
	size_t same = 0;

	tap_fill(t, n);
	while (same < n && same < t->n && t->in[same] == want[same])
		same++;
	if (same < n)
		cr_assert_fail(
			"%s:%d: at byte %zu of %zu (%zu came%s)\nexpected: %.*s\nreceived: %.*s",
			file, line, same, n, t->n, t->ended ? ", then the end" : "", SHOWN,
			want + (same > SHOWN / 2 ? same - SHOWN / 2 : 0), SHOWN,
			t->n ? t->in + (same > SHOWN / 2 ? same - SHOWN / 2 : 0) : "");
	tap_consume(t, n);
}

void tap_expect_at(const char *file, int line, struct tap *t, const char *fmt, ...)
{
	va_list ap;
	char *text;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&text, fmt, ap);
	va_end(ap);
	cr_assert_geq(n, 0);
	expect_bytes(file, line, t, text, (size_t)n);
	free(text);
}

void tap_expect_end_at(const char *file, int line, struct tap *t)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (!t->ended && rig_now() < until)
		if (!tap_read(t))
			tap_wait(t, until);
	cr_assert(t->ended, "%s:%d: the router has not closed", file, line);
	cr_assert_eq(t->n, 0, "%s:%d: before the end: %.*s", file, line, SHOWN, t->in);
	tap_close(t);
}

void tap_expect_last_at(const char *file, int line, struct tap *t, const char *bytes)
{
	expect_bytes(file, line, t, bytes, strlen(bytes));
	(void)shutdown(t->fd, SHUT_WR);
	tap_expect_end_at(file, line, t);
}

/* Length of the tag at p, 0: incomplete. */
static size_t tag_length(const char *p, size_t n)
{
	char quote = 0;

	for (size_t i = 1; i < n; i++) {
		if (quote)
			quote = p[i] == quote ? 0 : quote;
		else if (p[i] == '\'' || p[i] == '"')
			quote = p[i];
		else if (p[i] == '>')
			return i + 1;
	}
	return 0;
}

/* Length of the element or lone tag at the front, 0: incomplete. */
static size_t element_length(const char *p, size_t n)
{
	size_t at = 0;
	int depth = 0;

	while (at < n) {
		const char *lt = memchr(p + at, '<', n - at);
		size_t tag = lt ? tag_length(lt, n - (size_t)(lt - p)) : 0;

		if (!tag)
			return 0;
		at = (size_t)(lt - p) + tag;
		if (lt[1] == '/')
			depth--;
		else if (lt[tag - 2] != '/')
			depth++;
		if (depth <= 0)
			return at;
	}
	return 0;
}

const char *tap_element(struct tap *t)
{
	size_t n;

	while ((n = element_length(t->in, t->n)) == 0) {
		size_t before = t->n;

		tap_fill(t, t->n + 1);
		cr_assert_gt(t->n, before, "no whole element: %.*s", SHOWN, t->in ? t->in : "");
	}
	cr_assert_lt(n, sizeof(t->element));
	memcpy(t->element, t->in, n);
	t->element[n] = '\0';
	tap_consume(t, n);
	return t->element;
}

void tap_expect_with_at(const char *file, int line, struct tap *t, ...)
{
	const char *element = tap_element(t), *part;
	va_list ap;

	va_start(ap, t);
	while ((part = va_arg(ap, const char *)))
		cr_assert(strstr(element, part), "%s:%d: no %s in %s", file, line, part, element);
	va_end(ap);
}

void tap_id(struct tap *t)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789_-";
	size_t n;

	tap_fill(t, STREAM_ID_LEN);
	n = t->n ? strspn(t->in, letters) : 0;
	cr_assert(n >= 22 && n < sizeof(t->id), "a stream id of %zu characters: %.*s", n, SHOWN,
		t->in ? t->in : "");
	memcpy(t->id, t->in, n);
	t->id[n] = '\0';
	tap_consume(t, n);
}

/* -- authoritative servers -- */

static int bound(uint16_t *port)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in sa = loopback(0);
	socklen_t len = sizeof(sa);

	cr_assert_eq(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	*port = ntohs(sa.sin_port);
	return fd;
}

void sham_open(struct sham *s)
{
	s->fd = bound(&s->port);
	s->tap = NULL;
	cr_assert_eq(listen(s->fd, 128), 0);
}

bool sham_idle(const struct sham *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	return poll(&p, 1, 0) == 0;
}

struct tap *sham_accept(struct sham *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };

	cr_assert_eq(poll(&p, 1, PATIENCE_MS), 1, "the router does not dial");
	return tap_new(accept(s->fd, NULL, NULL));
}

void sham_hello(struct tap *t, const char *from, const char *to, const char *features)
{
	tap_expect(t,
		DECLARATION "<stream:stream " HEADER_NS
			    " from='%s' to='%s' version='1.0' xml:lang='en'>",
		from, to);
	tap_say(t,
		DECLARATION "<stream:stream " HEADER_NS
			    " from='%s' to='%s' id='sham' version='1.0'>%s",
		to, from, features);
}

void sham_greet(struct sham *s, const char *from, const char *to)
{
	s->tap = sham_accept(s);
	sham_hello(s->tap, from, to, FEATURES);
}

/* Copies the text between two marks. */
static const char *between(const char *p, const char *before, char end, char *out, size_t room)
{
	const char *at = strstr(p, before), *stop;

	cr_assert(at, "no %s in %s", before, p);
	at += strlen(before);
	stop = strchr(at, end);
	cr_assert(stop && (size_t)(stop - at) < room);
	memcpy(out, at, (size_t)(stop - at));
	out[stop - at] = '\0';
	return stop;
}

void sham_question(struct sham *s, struct question *q)
{
	const char *e = tap_element(s->tap), *at = e;
	char again[2048];

	at = between(at, "<db:verify from='", '\'', q->from, sizeof(q->from));
	at = between(at, " to='", '\'', q->to, sizeof(q->to));
	at = between(at, " id='", '\'', q->id, sizeof(q->id));
	(void)between(at, ">", '<', q->key, sizeof(q->key));
	(void)snprintf(again, sizeof(again), "<db:verify from='%s' to='%s' id='%s'>%s</db:verify>",
		q->from, q->to, q->id, q->key);
	cr_assert_str_eq(e, again, "template B5");
}

void sham_answer(struct sham *s, const struct question *q, const char *type)
{
	tap_say(s->tap, "<db:verify from='%s' to='%s' id='%s' type='%s'/>", q->to, q->from, q->id,
		type);
}

/* -- the router -- */

#define FLAGS_MAX 40

static void prepare_files(void)
{
	scratch_open();
	(void)scratch_file("shop.secret", SHOP_SECRET "\n", 0600);
	(void)scratch_file("bank.secret", BANK_SECRET "\n", 0600);
	(void)scratch_file("routes", REGISTRY, 0600);
	(void)scratch_file("policy", "# nothing\n", 0600);
	(void)scratch_file("secrets", rig_secrets, 0600);
	(void)snprintf(rig.log_path, sizeof(rig.log_path), "%s", scratch_path("log"));
	log_fd = open(rig.log_path, O_CREAT | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
	cr_assert_geq(log_fd, 0);
	log_redirect(log_fd);
}

static const struct {
	const char *domain;
	enum { NEAR, FAR, NOBODY } at;
} peers[] = {
	{ "*.peer.test", NEAR },
	{ "*.bulk.test", NEAR },
	{ R3, FAR },
	{ EVIL, FAR },
	{ CLOSED, NOBODY },
};

#define PEERS ARRAY_LEN(peers)

void rig_prepare(const char *const *flags)
{
	char peer[PEERS][96];
	uint16_t closed, ports[NOBODY + 1];
	const char *workers = getenv("RIG_WORKERS"); /* most tests hold for any number */
	const char *argv[FLAGS_MAX] = { "sluice", "--name", ROUTER, "--tls", "off", "--listen",
		"127.0.0.1:0", "--component-listen", "127.0.0.1:0", "--log-level", "debug",
		"--workers", workers ? workers : "1", "--cache-entries", "2K" };
	int argc = 15;

	prepare_files();
	sham_open(&rig.near);
	sham_open(&rig.far);
	refusing = bound(&closed);
	ports[NEAR] = rig.near.port;
	ports[FAR] = rig.far.port;
	ports[NOBODY] = closed;
	for (unsigned i = 0; i < PEERS; i++) {
		(void)snprintf(peer[i], sizeof(peer[i]), "%s=127.0.0.1:%u", peers[i].domain,
			ports[peers[i].at]);
		argv[argc++] = "--peer";
		argv[argc++] = peer[i];
	}
	argv[argc++] = "--routes";
	argv[argc++] = scratch_path("routes");
	argv[argc++] = "--policy";
	argv[argc++] = scratch_path("policy");
	argv[argc++] = "--secret-file";
	argv[argc++] = scratch_path("secrets");
	while (flags && *flags) {
		cr_assert_lt(argc, FLAGS_MAX - 1);
		argv[argc++] = *flags++;
	}
	cr_assert_eq(config_parse(&rig.config, argc, (char **)(uintptr_t)argv, stdout, stderr),
		CONFIG_RUN);
	log_setup(rig.config.log_level, rig.config.log_format);
}

char *rig_log(void)
{
	return scratch_read(rig.log_path);
}

bool rig_log_has(const char *text)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	for (;;) {
		char *log = rig_log();
		bool found = strstr(log, text) != NULL;

		free(log);
		if (found || rig_now() >= until)
			return found;
		(void)poll(NULL, 0, 2);
	}
}

static uint16_t logged_port(const char *flag)
{
	char *log = rig_log(), mark[64];
	const char *end, *colon;
	unsigned long port = 0;

	(void)snprintf(mark, sizeof(mark), " flag=%s\n", flag);
	end = strstr(log, mark);
	cr_assert(end, "no %s in the log: %s", mark, log);
	for (colon = end; colon > log && *colon != ':'; colon--)
		;
	port = strtoul(colon + 1, NULL, 10);
	free(log);
	cr_assert(port > 0 && port < 65536);
	return (uint16_t)port;
}

void rig_find_ports(void)
{
	cr_assert(rig_log_has(" flag=--listen\n"), "the router does not listen");
	rig.port = logged_port("--listen");
	rig.component_port = logged_port("--component-listen");
}

static void rig_run(void)
{
	const char *fault = NULL;
	struct hosting *h;
	char why[512] = "";
	int code = 0;

	rig.rules = (struct resolve_rules){ .fixed = rig.config.peer,
		.n_fixed = rig.config.n_peer };
	rig.secrets = secrets_parse(span_str(rig_secrets), &fault);
	cr_assert(rig.secrets);
	h = hosting_load(&rig.config, (unsigned)rig.config.workers, why);
	cr_assert(h, "%s", why);
	cr_assert(crew_start(&rig.crew, &rig.config, &rig.rules, rig.secrets, h, &code),
		"the workers refuse to start: %d", code);
	rig.running = true;
	rig_find_ports();
}

void rig_start(const char *flag, ...)
{
	const char *flags[FLAGS_MAX] = { flag };
	va_list ap;

	va_start(ap, flag);
	for (unsigned i = 1; i < FLAGS_MAX && flags[i - 1]; i++)
		flags[i] = va_arg(ap, const char *);
	va_end(ap);
	rig_prepare(flags);
	rig_run();
}

void rig_tell(int what)
{
	struct control c = { 0 };

	c.what = what;
	crew_tell(&rig.crew, &c);
}

static struct stats last; /* when the workers ended */

void rig_join(void)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (!crew_ended(&rig.crew) && rig_now() < until)
		(void)poll(NULL, 0, 1);
	cr_assert(crew_ended(&rig.crew), "the workers have not ended");
	crew_join(&rig.crew, &last);
	rig.running = false;
}

void rig_stop(void)
{
	if (rig.running) {
		rig_tell(CONTROL_ABORT);
		rig_join();
	}
	while (n_taps) {
		struct tap *t = taps[--n_taps];

		tap_close(t);
		free(t->in);
		free(t);
	}
	close(rig.near.fd);
	close(rig.far.fd);
	close(refusing);
	if (rig.secrets)
		secrets_free(rig.secrets);
	config_free(&rig.config);
	log_redirect(STDERR_FILENO);
	close(log_fd);
	scratch_close();
}

void rig_reload(const char *registry, const char *policy)
{
	uint64_t before = STAT(reloads);
	struct control c = { .what = CONTROL_HOSTING };
	char why[512] = "";

	(void)scratch_file("routes", registry, 0600);
	if (policy)
		(void)scratch_file("policy", policy, 0600);
	c.hosting = hosting_load(&rig.config, (unsigned)rig.config.workers, why);
	cr_assert(c.hosting, "%s", why);
	crew_tell(&rig.crew, &c);
	STAT_BECOMES(reloads, before + 1);
}

uint64_t rig_stat(size_t at)
{
	struct stats now;

	if (rig.running)
		crew_stats(&rig.crew, &now);
	else
		memcpy(&now, &last, sizeof(now));
	return atomic_load((_Atomic uint64_t *)(void *)((char *)&now + at));
}

void rig_stat_becomes(const char *file, int line, size_t at, const char *name, uint64_t value)
{
	uint64_t until = rig_now() + PATIENCE_MS, is;

	while ((is = rig_stat(at)) < value && rig_now() < until)
		(void)poll(NULL, 0, 1);
	cr_assert_eq(is, value, "%s:%d: %s is %lu, not %lu", file, line, name, (unsigned long)is,
		(unsigned long)value);
}
