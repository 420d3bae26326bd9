/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows that need many threads: a router with eight workers, and eight peers, the
 * authorities and a backend, each a thread of its own on blocking sockets. Nothing
 * is timed: what comes is judged, in whatever order the threads ran.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "harness.h"

#define PEERS 8
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define SCALE 20 /* as many rounds less */
#else
#define SCALE 1
#endif
#define PAIRS 100 /* of one stream, one after the other */
#define OWN 125 /* pairs of each peer, all at once */

/* Criterion calls the last hook, so that a failed test leaves no thread behind. */
static void races_end(void);
TestSuite(races, .fini = races_end, .timeout = 200);

/* -- one end of a connection -- */

struct line {
	int fd;
	size_t at, n; /* what was received and not taken: in[at .. n) */
	char in[32768];
	char said[8192]; /* the last of hear() */
};

static bool say(struct line *l, const char *text)
{
	size_t n = strlen(text);

	while (n > 0) {
		ssize_t done = send(l->fd, text, n, MSG_NOSIGNAL);

		if (done <= 0)
			return false;
		text += done;
		n -= (size_t)done;
	}
	return true;
}

static bool holds(const struct line *l, const char *text)
{
	return memmem(l->in + l->at, l->n - l->at, text, strlen(text)) != NULL;
}

static bool more(struct line *l)
{
	ssize_t got;

	memmove(l->in, l->in + l->at, l->n - l->at);
	l->n -= l->at;
	l->at = 0;
	if (l->n == sizeof(l->in))
		return false;
	got = recv(l->fd, l->in + l->n, sizeof(l->in) - l->n, 0);
	if (got <= 0)
		return false;
	l->n += (size_t)got;
	return true;
}

/* Takes all up to and with the first `end`. False: the connection has ended, or nothing came. */
static bool hear(struct line *l, const char *end)
{
	const char *at;
	size_t n;

	while (!(at = memmem(l->in + l->at, l->n - l->at, end, strlen(end))))
		if (!more(l))
			return false;
	n = (size_t)(at - (l->in + l->at)) + strlen(end);
	if (n >= sizeof(l->said))
		return false;
	memcpy(l->said, l->in + l->at, n);
	l->said[n] = '\0';
	l->at += n;
	return true;
}

static void line_open(struct line *l, int fd)
{
	const struct timeval patience = { .tv_sec = 30 };
	const int one = 1;

	l->fd = fd;
	l->at = l->n = 0;
	(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) & ~O_NONBLOCK);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
}

/* With a reset: the next one can have its port at once. */
static void line_close(struct line *l)
{
	const struct linger reset = { .l_onoff = 1 };

	(void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(l->fd);
}

static bool line_dial(struct line *l, uint16_t port)
{
	struct sockaddr_storage to;
	struct addr at;
	socklen_t len;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	BUG_ON(fd < 0 || !addr_parse(SPAN_LIT("127.0.0.1"), port, &at));
	len = addr_to_sockaddr(&at, &to);
	line_open(l, fd);
	return connect(fd, (struct sockaddr *)&to, len) == 0;
}

/* -- the authorities and the backend -- */

struct authority {
	pthread_t thread;
	struct sham *sham;
	const char *verdict;
	_Atomic unsigned connections; /* one after the other: on a second one nobody would answer */
};

static struct authority authorities[2];
static unsigned n_authorities;
static struct backend_end {
	pthread_t thread;
	struct tap *tap;
	_Atomic uint64_t stanzas, errors;
} backends[2];
static unsigned n_backends;
static bool numbered; /* by the pair, from 0: else their ids are not looked at */
static uint32_t next_of[PEERS][OWN]; /* each pair's is its backend's */
static int stop[2] = { -1, -1 }; /* a pipe; closed: all end */

/* Until something can be read there; false: it is time to end. */
static bool comes(int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLIN },
		{ .fd = stop[0], .events = POLLIN } };

	while (poll(p, 2, -1) < 0)
		BUG_ON(errno != EINTR);
	return p[1].revents == 0;
}

static bool attribute(const char *text, const char *name, char out[256])
{
	const char *at = strstr(text, name);
	size_t n = at ? strcspn(at + strlen(name), "'") : 0;

	if (!at || n > 255)
		return false;
	memcpy(out, at + strlen(name), n);
	out[n] = '\0';
	return true;
}

static void authority_answers(const struct authority *a, struct line *l)
{
	char answer[1200], from[256], to[256], id[256];

	while (holds(l, "</db:verify>")) {
		if (!hear(l, "</db:verify>") || !attribute(l->said, " from='", from) ||
			!attribute(l->said, " to='", to) || !attribute(l->said, " id='", id))
			return;
		(void)snprintf(answer, sizeof(answer),
			"<db:verify from='%s' to='%s' id='%s' type='%s'/>", to, from, id,
			a->verdict);
		(void)say(l, answer);
	}
}

static void authority_serve(const struct authority *a, struct line *l)
{
	if (comes(l->fd) && hear(l, "?>") && hear(l, ">") &&
		say(l, "<stream:stream " HEADER_NS " id='as' version='1.0'>" FEATURES))
		while (comes(l->fd) && more(l))
			authority_answers(a, l);
	line_close(l);
}

/* What all workers asked, from the first claims on, which came at the same time, went over one. */
static void asked_over_one(const struct authority *a)
{
	cr_assert_eq(atomic_load(&a->connections), 1);
	cr_assert(sham_idle(a->sham), "another connection to the authority waits");
}

static void *authority_main(void *arg)
{
	struct authority *a = arg;
	static _Thread_local struct line l;

	while (comes(a->sham->fd)) {
		int fd = accept4(a->sham->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd < 0)
			continue;
		atomic_fetch_add(&a->connections, 1);
		line_open(&l, fd);
		authority_serve(a, &l);
	}
	return NULL;
}

static bool is_next(const char *stanza)
{
	unsigned pair, peer, id;

	return sscanf(stanza, "<message from='a@d%u.p%u.bulk.test' to='b@%*[^']' id='%u'/>", &pair,
		       &peer, &id) == 3 &&
		peer < PEERS && pair < OWN && next_of[peer][pair]++ == id;
}

static void *backend_main(void *arg)
{
	struct backend_end *b = arg;
	static _Thread_local struct line l;

	line_open(&l, dup(b->tap->fd));
	while (comes(l.fd) && more(&l))
		while (holds(&l, "/>") && hear(&l, "/>")) {
			atomic_fetch_add(&b->stanzas, 1);
			if (strstr(l.said, "error") || (numbered && !is_next(l.said)))
				atomic_fetch_add(&b->errors, 1);
		}
	close(l.fd);
	return NULL;
}

static void authority_start(struct sham *s, const char *verdict)
{
	struct authority *a = &authorities[n_authorities];

	a->sham = s;
	a->verdict = verdict;
	cr_assert_eq(pthread_create(&a->thread, NULL, authority_main, a), 0);
	n_authorities++;
}

static void backend_start(struct tap *t)
{
	struct backend_end *b = &backends[n_backends];

	b->tap = t;
	cr_assert_eq(pthread_create(&b->thread, NULL, backend_main, b), 0);
	n_backends++;
}

static void races_end(void)
{
	close(stop[1]);
	for (unsigned i = 0; i < n_authorities; i++)
		pthread_join(authorities[i].thread, NULL);
	for (unsigned i = 0; i < n_backends; i++)
		pthread_join(backends[i].thread, NULL);
	close(stop[0]);
	rig_stop();
}

/* -- the peers -- */

struct peer {
	pthread_t thread;
	unsigned number;
	unsigned rounds;
	unsigned streams; /* that it had to open */
	unsigned refused; /* before anything was answered `valid` */
	const char *wrong;
	struct line line, other; /* of its streams; some have two */
};

static struct peer peers[PEERS];

static bool wrong(struct peer *p, const char *what)
{
	p->wrong = what;
	return false;
}

static bool peer_open(struct peer *p)
{
	if (!line_dial(&p->line, rig.port))
		return wrong(p, "no connection");
	p->streams++;
	return (say(&p->line,
			DECLARATION "<stream:stream " HEADER_NS " to='" L1 "' version='1.0'>") &&
		       hear(&p->line, "</stream:features>")) ||
		wrong(p, "no stream");
}

static unsigned peers_run(unsigned rounds, void *(*work)(void *peer))
{
	unsigned streams = 0;

	for (unsigned i = 0; i < PEERS; i++) {
		peers[i].number = i;
		peers[i].rounds = rounds / SCALE / PEERS;
		cr_assert_eq(pthread_create(&peers[i].thread, NULL, work, &peers[i]), 0);
	}
	for (unsigned i = 0; i < PEERS; i++)
		pthread_join(peers[i].thread, NULL);
	for (unsigned i = 0; i < PEERS; i++) {
		cr_assert_null(peers[i].wrong, "peer %u: %s; it was told: %s%.*s", i,
			peers[i].wrong, peers[i].line.said,
			(int)(peers[i].line.n - peers[i].line.at),
			peers[i].line.in + peers[i].line.at);
		streams += peers[i].streams;
	}
	return streams;
}

static void races_start(void)
{
	cr_assert_eq(pipe(stop), 0);
	rig_start("--workers", "8", "--log-level", "info", NULL);
	backend_start(backend_shop());
}

static uint64_t arrived(void)
{
	return atomic_load(&backends[0].stanzas) + atomic_load(&backends[1].stanzas);
}

/* Every stanza has come to its backend, none came back. */
static void all_arrived(uint64_t stanzas)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	while (arrived() < stanzas && rig_now() < until)
		(void)poll(NULL, 0, 1);
	cr_assert_eq(arrived(), stanzas, "%lu of %lu came; %lu in, %lu out, %lu undeliverable",
		(unsigned long)arrived(), (unsigned long)stanzas, (unsigned long)STAT(stanzas_in),
		(unsigned long)STAT(stanzas_out), (unsigned long)STAT(bounce_undeliverable));
	cr_assert_eq(atomic_load(&backends[0].errors), 0);
	cr_assert_eq(atomic_load(&backends[1].errors), 0);
	cr_assert_eq(STAT(stanzas_in), stanzas);
	cr_assert_eq(STAT(stanzas_out), stanzas);
	cr_assert_eq(STAT(bounced) + STAT(bounce_undeliverable), 0);
}

/* A stanza in the very packet that follows `valid`, with the next claim behind it. */
static bool speak_at_once(struct peer *p, unsigned round, bool last)
{
	char want[512], text[1024];
	int n;

	(void)snprintf(want, sizeof(want),
		"<db:result from='" L1 "' to='d%u.p%u.bulk.test' type='valid'/>", round, p->number);
	if (!hear(&p->line, ">") || strcmp(p->line.said, want) != 0)
		return wrong(p, "another answer than valid");
	n = snprintf(text, sizeof(text),
		"<message from='a@d%u.p%u.bulk.test' to='b@" L1 "' id='%u'/>", round, p->number,
		round);
	if (!last)
		(void)snprintf(text + n, sizeof(text) - (size_t)n,
			"<db:result from='d%u.p%u.bulk.test' to='" L1 "'>" KEY "</db:result>",
			round + 1, p->number);
	return say(&p->line, text) || wrong(p, "the stream has ended");
}

/* It said all that it has to say; an error of the stream would come before the end. */
static bool peer_close(struct peer *p)
{
	if (!say(&p->line, "</stream:stream>") || !hear(&p->line, ">") ||
		strcmp(p->line.said, "</stream:stream>") != 0)
		return wrong(p, "something else than the end of the stream");
	line_close(&p->line);
	return true;
}

static void *speaks_at_once(void *arg)
{
	struct peer *p = arg;
	char claim[512];

	for (unsigned round = 0; round < p->rounds; round++) {
		bool last = (round + 1) % PAIRS == 0 || round + 1 == p->rounds;

		if (round % PAIRS == 0) {
			(void)snprintf(claim, sizeof(claim),
				"<db:result from='d%u.p%u.bulk.test' to='" L1 "'>" KEY
				"</db:result>",
				round, p->number);
			if (!peer_open(p) || !say(&p->line, claim))
				break;
		}
		if (!speak_at_once(p, round, last) || (last && !peer_close(p)))
			break;
	}
	return NULL;
}

Test(races, T_R3_a_stanza_in_the_packet_that_follows_valid)
{
	const unsigned rounds = 100000;
	unsigned streams;

	races_start();
	authority_start(&rig.near, "valid");
	streams = peers_run(rounds, speaks_at_once);
	cr_assert_geq(streams, rounds / SCALE / PAIRS);
	all_arrived(rounds / SCALE);
	cr_assert_eq(STAT(stream_errors_sent), 0);
	asked_over_one(&authorities[0]);
}

/* -- valid and invalid at the same moment -- */

/* Both claims in one packet, in either order. */
static bool both_claim(struct peer *p, unsigned round)
{
	char good[512], both[1024];
	const char *evil = "<db:result from='" EVIL "' to='" L1 "'>" KEY "</db:result>";

	(void)snprintf(good, sizeof(good),
		"<db:result from='d%u.p%u.bulk.test' to='" L1 "'>" KEY "</db:result>", round,
		p->number);
	(void)snprintf(both, sizeof(both), "%s%s", round % 2 ? good : evil,
		round % 2 ? evil : good);
	return say(&p->line, both) || wrong(p, "the stream has ended");
}

/* Both answers. False: the stream has ended, or something is wrong. */
static bool both_answered(struct peer *p)
{
	bool valid = false, forbidden = false;

	while (!valid || !forbidden) {
		if (!hear(&p->line, ">")) {
			return wrong(p, "no answer");
		} else if (strstr(p->line.said, "<stream:error")) {
			p->refused++;
			return valid ? wrong(p, "valid, and then the stream was closed") : false;
		} else if (strstr(p->line.said, "type='valid'/>")) {
			valid = true;
		} else if (strstr(p->line.said, " to='" EVIL "'")) {
			forbidden = true;
			if (!hear(&p->line, "</db:result>") || !strstr(p->line.said, "<forbidden "))
				return wrong(p, "another error than forbidden");
		} else {
			return wrong(p, "an answer to nothing");
		}
	}
	return true;
}

static void *claims_both(void *arg)
{
	struct peer *p = arg;
	char stanza[512];

	for (unsigned round = 0; round < p->rounds; round++) {
		if (!peer_open(p) || !both_claim(p, round))
			break;
		if (!both_answered(p)) {
			if (p->wrong)
				break;
			line_close(&p->line);
			continue;
		}
		(void)snprintf(stanza, sizeof(stanza),
			"<message from='a@d%u.p%u.bulk.test' to='b@" L1 "'/>", round, p->number);
		if (!say(&p->line, stanza) || !peer_close(p))
			break;
	}
	return NULL;
}

Test(races, T_I9_valid_and_invalid_at_the_same_moment)
{
	const unsigned rounds = 100000;
	unsigned refused = 0;

	races_start();
	authority_start(&rig.near, "valid");
	authority_start(&rig.far, "invalid");
	cr_assert_eq(peers_run(rounds, claims_both), rounds / SCALE);
	for (unsigned i = 0; i < PEERS; i++)
		refused += peers[i].refused;
	all_arrived(rounds / SCALE - refused);
	cr_assert_eq(STAT(stream_errors_sent), refused);
}

/* -- order -- */

static const char *target_of(unsigned pair)
{
	return pair / 2 % 2 ? L2 : L1; /* either stream feeds both backends */
}

/* All pairs of one stream in one burst. */
static bool pairs_proven(struct peer *p, struct line *l, unsigned first)
{
	char claim[512];

	for (unsigned pair = first; pair < OWN; pair += 2) {
		(void)snprintf(claim, sizeof(claim),
			"<db:result from='d%u.p%u.bulk.test' to='%s'>" KEY "</db:result>", pair,
			p->number, target_of(pair));
		if (!say(l, claim))
			return wrong(p, "the stream has ended");
	}
	for (unsigned pair = first; pair < OWN; pair += 2)
		if (!hear(l, ">") || !strstr(l->said, "type='valid'/>"))
			return wrong(p, "another answer than valid");
	return true;
}

static _Atomic uint64_t spoken;

/* A source that feeds two backends is not paused for one of them: what does not fit its queue
 * (--queue-bytes) would come back. */
static void wait_for_backends(void)
{
	while (atomic_load(&spoken) > arrived() + 4000)
		(void)sched_yield();
}

/* The next stanza of each pair of the stream. */
static bool pairs_speak(struct peer *p, struct line *l, unsigned first, unsigned id)
{
	char text[OWN * 80];
	int n = 0;

	for (unsigned pair = first; pair < OWN; pair += 2)
		n += snprintf(text + n, sizeof(text) - (size_t)n,
			"<message from='a@d%u.p%u.bulk.test' to='b@%s' id='%u'/>", pair, p->number,
			target_of(pair), id);
	wait_for_backends();
	atomic_fetch_add(&spoken, (OWN + 1 - first) / 2);
	return say(l, text) || wrong(p, "the stream has ended");
}

static void *speaks_in_order(void *arg)
{
	struct peer *p = arg;

	if (!peer_open(p) || !pairs_proven(p, &p->line, 0))
		return NULL;
	p->other = p->line;
	if (!peer_open(p) || !pairs_proven(p, &p->line, 1))
		return NULL;
	for (unsigned id = 0; id < p->rounds; id++)
		if (!pairs_speak(p, &p->other, 0, id) || !pairs_speak(p, &p->line, 1, id))
			return NULL;
	if (!peer_close(p))
		return NULL;
	p->line = p->other;
	(void)peer_close(p);
	return NULL;
}

/* 1000 pairs on 16 streams to two backends, 1000 stanzas of each. */
Test(races, T_G21_each_pair_arrives_in_its_order)
{
	races_start();
	backend_start(backend_bank());
	authority_start(&rig.near, "valid");
	numbered = true;
	cr_assert_eq(peers_run(1000 * PEERS, speaks_in_order), 2 * PEERS);
	all_arrived(1000 / SCALE * OWN * PEERS);
	cr_assert_eq(STAT(stream_errors_sent), 0);
	asked_over_one(&authorities[0]);
}
