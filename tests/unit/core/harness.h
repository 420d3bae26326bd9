/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The router as a black box: a real worker on loopback sockets, and around it
 * scripted ends of connections ("taps") that play the remote servers, the
 * authoritative servers and the backends. One router per test process; a failed
 * expectation ends the test. Nothing sleeps: every wait is a poll with a deadline.
 *
 * Hosted: L1 and L3 behind the backend `shop`, L2 behind `bank`, GONE was once.
 * Authoritative: `near` for *.peer.test and *.bulk.test, `far` for R3 and EVIL,
 * nobody for CLOSED (the port refuses).
 */
#ifndef TESTS_UNIT_CORE_HARNESS_H
#define TESTS_UNIT_CORE_HARNESS_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/crew.h"
#include "core/worker.h"
#include "dialback/key.h"

#define PATIENCE_MS 10000 /* generous: the machine may be busy; nothing takes that long */

#define ROUTER "edge.router.test"
#define L1 "shop.hosted.test"
#define L2 "bank.hosted.test"
#define L3                                                                                         \
	"b\xc3\xbc"                                                                                \
	"cher.hosted.test"
#define GONE "gone.hosted.test"
#define NOPE "nope.hosted.test"
#define R1 "rx.peer.test"
#define R2 "muc.rx.peer.test"
#define R3 "other.peer.test"
#define EVIL "evil.test"
#define CLOSED "closed.test"

#define SECRET "router-cluster-secret-A"
#define SHOP_SECRET "backend-secret-shop"
#define BANK_SECRET "backend-secret-bank"
#define KEY "1e701f120f66824b57303384e83b51feba858024fd2221d39f7acc52dcf767a9"

#define DECLARATION "<?xml version='1.0'?>"
#define STREAM_NS " xmlns:stream='http://etherx.jabber.org/streams'"
#define DIALBACK_NS " xmlns:db='jabber:server:dialback'"
#define HEADER_NS "xmlns='jabber:server'" STREAM_NS DIALBACK_NS
#define FEATURES                                                                                   \
	"<stream:features><dialback xmlns='urn:xmpp:features:dialback'><errors/></dialback>"       \
	"</stream:features>"
#define NS_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define STREAM_ERROR(condition)                                                                    \
	"<stream:error><" condition                                                                \
	" xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"                            \
	"</stream:stream>"
#define SHUTDOWN STREAM_ERROR("system-shutdown")
#define TOO_BIG                                                                                    \
	"<stream:error><policy-violation xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"            \
	"<stanza-too-big xmlns='urn:xmpp:errors'/></stream:error></stream:stream>"

/* -- taps -- */

/* One end of a TCP connection. Lives until rig_stop. */
struct tap {
	int fd; /* -1: closed */
	char *in; /* received and not consumed; NUL-terminated */
	size_t n, cap;
	bool ended; /* the router has closed */
	char id[64]; /* of the router's stream header */
	char element[8192]; /* the last of tap_element */
};

struct tap *tap_dial(uint16_t port);
struct tap *tap_dial_small(uint16_t port, int rcvbuf); /* with a small receive buffer */
bool tap_can_dial(uint16_t port);
void tap_send(struct tap *t, const char *p, size_t n);
size_t tap_try_send(struct tap *t, const char *p, size_t n); /* what fits now */
void tap_say(struct tap *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void tap_close(struct tap *t);
void tap_reset(struct tap *t); /* closes with a RST */

/* The next bytes are exactly these. */
#define tap_expect(t, ...) tap_expect_at(__FILE__, __LINE__, t, __VA_ARGS__)
void tap_expect_at(const char *file, int line, struct tap *t, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
void tap_peek(struct tap *t, size_t n); /* until n bytes are there */
/* Consumes the next n bytes, which are not looked at. */
void tap_skip(struct tap *t, size_t n);
void tap_id(struct tap *t); /* a stream id, into t->id */
/* The next whole element (or end tag), consumed; lives in t->element. */
const char *tap_element(struct tap *t);
/* The next element holds all of these, a NULL behind them. */
#define tap_expect_with(t, ...) tap_expect_with_at(__FILE__, __LINE__, t, __VA_ARGS__, NULL)
void tap_expect_with_at(const char *file, int line, struct tap *t, ...);
/* The router closes, and says nothing more. */
#define tap_expect_end(t) tap_expect_end_at(__FILE__, __LINE__, t)
void tap_expect_end_at(const char *file, int line, struct tap *t);
/* A stream error came: exactly these bytes, then no more. Ends our side. */
#define tap_expect_error(t, condition) tap_expect_last(t, STREAM_ERROR(condition))
#define tap_expect_last(t, bytes) tap_expect_last_at(__FILE__, __LINE__, t, bytes)
void tap_expect_last_at(const char *file, int line, struct tap *t, const char *bytes);
/* Has anything come by now? Does not wait. */
bool tap_quiet(struct tap *t);

/* -- authoritative servers -- */

struct sham {
	int fd; /* listens */
	uint16_t port;
	struct tap *tap; /* the router's stream to it, once greeted */
};

struct question {
	char from[256], to[256], id[128], key[1100];
};

void sham_open(struct sham *s);
struct tap *sham_accept(struct sham *s); /* the connection only */
bool sham_idle(const struct sham *s); /* nobody is waiting to be accepted */
/* Accepts and answers the header, which must be B1 with these addresses. */
void sham_greet(struct sham *s, const char *from, const char *to);
void sham_hello(struct tap *t, const char *from, const char *to, const char *features);
/* The next question, in the form of template B5. */
void sham_question(struct sham *s, struct question *q);
void sham_answer(struct sham *s, const struct question *q, const char *type);

/* -- the router -- */

struct rig {
	struct config config;
	struct resolve_rules rules;
	struct secrets *secrets;
	struct crew crew;
	bool running;
	uint16_t port, component_port;
	struct sham near, far;
	char log_path[128];
	unsigned serial; /* of probes */
};

extern struct rig rig;
extern const char *rig_secrets; /* what the secret file holds; to be changed before the start */

#define REGISTRY                                                                                   \
	"backend shop component secret-file=shop.secret\n"                                         \
	"backend bank component secret-file=bank.secret\n" L1 " shop\n" L3 " shop\n" L2            \
	" bank\n" GONE " gone\n"

/* flags: further ones for the command line, NULL at the end. Criterion calls rig_stop as .fini. */
void rig_start(const char *flag, ...);
#define rig_start_plain() rig_start(NULL)
void rig_prepare(const char *const *flags); /* files and config; the worker is not started */
void rig_find_ports(void); /* from the log */
void rig_stop(void);
/* RIG_WORKERS=N: most tests hold for any number. This one does not, for the reason that is given. */
#define rig_one_worker(why)                                                                        \
	do {                                                                                       \
		const char *workers_ = getenv("RIG_WORKERS");                                      \
		if (workers_ && strcmp(workers_, "1") != 0)                                        \
			cr_skip_test(why);                                                         \
	} while (0)
void rig_join(void); /* after a drain: the worker has ended by itself */
void rig_tell(int what);
/* Writes both files anew (policy NULL: that one not), loads them as SIGHUP does, and waits until the
 * worker has them. */
void rig_reload(const char *registry, const char *policy);
char *rig_log(void); /* all of it so far; the caller frees it */
bool rig_log_has(const char *text); /* waits for it */

/* Of all workers together; after their end, as they were then. */
uint64_t rig_stat(size_t at);
#define STAT(name) rig_stat(offsetof(struct stats, name))
#define STAT_BECOMES(name, value)                                                                  \
	rig_stat_becomes(__FILE__, __LINE__, offsetof(struct stats, name), #name, value)
void rig_stat_becomes(const char *file, int line, size_t at, const char *name, uint64_t value);

uint64_t rig_now(void); /* ms */

/* -- remote servers -- */

/* The router's header: template B2, or one without a version. */
static inline void remote_header_seen(struct tap *t, const char *from, const char *to,
	bool versioned)
{
	tap_expect(t, DECLARATION "<stream:stream " HEADER_NS " from='%s'", from);
	if (to)
		tap_expect(t, " to='%s'", to);
	tap_expect(t, " id='");
	tap_id(t);
	tap_expect(t, versioned ? "' version='1.0' xml:lang='en'>" : "'>");
}

static inline void features_seen(struct tap *t)
{
	tap_expect(t,
		"<stream:features><dialback xmlns='urn:xmpp:features:dialback'><errors/>"
		"</dialback><limits xmlns='urn:xmpp:stream-limits:0'><max-bytes>%u</max-bytes>"
		"<idle-seconds>1200</idle-seconds></limits></stream:features>",
		(unsigned)rig.config.max_stanza);
}

/* Header, response header (B2) and features. */
static inline struct tap *remote_open(const char *from, const char *to)
{
	struct tap *t = tap_dial(rig.port);

	tap_say(t, DECLARATION "<stream:stream " HEADER_NS " from='%s' to='%s' version='1.0'>",
		from, to);
	remote_header_seen(t, to, from, true);
	features_seen(t);
	return t;
}

static inline void remote_claim(struct tap *t, const char *from, const char *to)
{
	tap_say(t, "<db:result from='%s' to='%s'>" KEY "</db:result>", from, to);
}

/* Claims, and lets `near` say valid. */
static inline void remote_prove(struct tap *t, const char *from, const char *to)
{
	struct question q;

	remote_claim(t, from, to);
	if (!rig.near.tap)
		sham_greet(&rig.near, to, from);
	sham_question(&rig.near, &q);
	cr_assert_str_eq(q.from, to);
	cr_assert_str_eq(q.to, from);
	cr_assert_str_eq(q.id, t->id);
	cr_assert_str_eq(q.key, KEY);
	sham_answer(&rig.near, &q, "valid");
	tap_expect(t, "<db:result from='%s' to='%s' type='valid'/>", to, from);
}

/* Header and one VALID pair. */
static inline struct tap *remote_proven(const char *from, const char *to)
{
	struct tap *t = remote_open(from, to);

	remote_prove(t, from, to);
	return t;
}

/* A claim of EVIL to L1 that `far` answers with `type`; the reply is not read. */
static inline void remote_evil(struct tap *t, const char *type)
{
	struct question q;

	remote_claim(t, EVIL, L1);
	if (!rig.far.tap)
		sham_greet(&rig.far, L1, EVIL);
	sham_question(&rig.far, &q);
	cr_assert_str_eq(q.to, EVIL);
	sham_answer(&rig.far, &q, type);
}

/* The probe of a row that says "kept": one more stanza of a VALID pair arrives. */
static inline void remote_kept(struct tap *t, const char *from, const char *to, struct tap *backend)
{
	unsigned n = ++rig.serial;
	char stanza[512];

	(void)snprintf(stanza, sizeof(stanza),
		"<message from='probe@%s' to='probe@%s'><body>probe %u</body></message>", from, to,
		n);
	tap_send(t, stanza, strlen(stanza));
	tap_expect(backend, "%s", stanza);
}

/* Everything sent so far was handled: the answer to a db:verify comes next. */
static inline void remote_sync(struct tap *t)
{
	unsigned n = ++rig.serial;

	tap_say(t, "<db:verify from='" R1 "' to='" L1 "' id='sync%u'>none</db:verify>", n);
	tap_expect(t, "<db:verify from='" L1 "' to='" R1 "' id='sync%u' type='invalid'/>", n);
}

/* The router refuses the stream: its own header (O-23), to `to` as far as that could be read, and
 * with a version if the peer's had one; then this error. */
#define remote_refused_as(t, to, versioned, condition)                                             \
	do {                                                                                       \
		remote_header_seen(t, ROUTER, to, versioned);                                      \
		tap_expect_error(t, condition);                                                    \
	} while (0)
#define remote_refused(t, condition) remote_refused_as(t, NULL, true, condition)

/* -- backends -- */

static inline void backend_header(struct tap *t, const char *to)
{
	tap_say(t, "<stream:stream xmlns='jabber:component:accept'" STREAM_NS " to='%s'>", to);
	tap_expect(t,
		DECLARATION "<stream:stream xmlns='jabber:component:accept'" STREAM_NS
			    " from='%s' id='",
		to);
	tap_id(t);
	tap_expect(t, "'>");
}

static inline void backend_handshake(struct tap *t, const char *secret)
{
	char digest[HANDSHAKE_HEX + 1];

	key_handshake(span_str(t->id), span_str(secret), digest);
	tap_say(t, "<handshake>%s</handshake>", digest);
}

/* Header and handshake. */
static inline struct tap *backend_knock(const char *domain, const char *secret, int rcvbuf)
{
	struct tap *t = tap_dial_small(rig.component_port, rcvbuf);

	backend_header(t, domain);
	backend_handshake(t, secret);
	return t;
}

/* Receives little at a time. */
static inline struct tap *backend_login_small(const char *domain, const char *secret)
{
	struct tap *t = backend_knock(domain, secret, 4096);

	tap_expect(t, "<handshake/>");
	return t;
}

static inline struct tap *backend_login(const char *domain, const char *secret)
{
	struct tap *t = backend_knock(domain, secret, 0);

	tap_expect(t, "<handshake/>");
	return t;
}

/* Logs in as soon as the router has let go of the connection before. */
static inline struct tap *backend_again(const char *domain, const char *secret)
{
	uint64_t until = rig_now() + PATIENCE_MS;

	for (;;) {
		struct tap *t = backend_knock(domain, secret, 0);

		tap_peek(t, strlen("<handshake/>"));
		if (strncmp(t->in, "<handshake/>", 12) == 0) {
			tap_skip(t, 12);
			return t;
		}
		tap_expect_error(t, "conflict");
		cr_assert_lt(rig_now(), until, "the router holds on to a dead link");
	}
}

#define backend_shop() backend_login(L1, SHOP_SECRET)
#define backend_bank() backend_login(L2, BANK_SECRET)

#endif
