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

#include "core/worker.h"

#define ROUTER "edge.router.test"
#define L1 "shop.hosted.test"
#define L2 "bank.hosted.test"
#define L3 "b\xc3\xbc"                                                                             \
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
	"<stream:error><" condition " xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>" \
	"</stream:stream>"
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
void tap_send(struct tap *t, const char *p, size_t n);
void tap_say(struct tap *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void tap_close(struct tap *t);
void tap_reset(struct tap *t); /* closes with a RST */

/* The next bytes are exactly these. */
#define tap_expect(t, ...) tap_expect_at(__FILE__, __LINE__, t, __VA_ARGS__)
void tap_expect_at(const char *file, int line, struct tap *t, const char *fmt, ...)
	PRINTF_LIKE(4, 5);
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
bool tap_wait(struct tap *t, int ms); /* until something is there to be read */

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
	struct worker worker;
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
void rig_join(void); /* after a drain: the worker has ended by itself */
void rig_tell(int what);
/* Writes both files anew (policy NULL: that one not), loads them as SIGHUP does, and waits until the
 * worker has them. */
void rig_reload(const char *registry, const char *policy);
char *rig_log(void); /* all of it so far; the caller frees it */
bool rig_log_has(const char *text); /* waits for it */

#define STAT(name) atomic_load_explicit(&rig.worker.stats.name, memory_order_relaxed)
#define STAT_BECOMES(name, value)                                                                  \
	rig_stat_becomes(__FILE__, __LINE__, &rig.worker.stats.name, #name, value)
void rig_stat_becomes(const char *file, int line, _Atomic uint64_t *stat, const char *name,
	uint64_t value);

uint64_t rig_now(void); /* ms */

/* -- remote servers -- */

/* Header, response header (B2) and features. */
struct tap *remote_open(const char *from, const char *to);
void remote_header_seen(struct tap *t, const char *from, const char *to, bool versioned);
/* The router refuses the stream: its own header (O-23), then this error. */
#define remote_refused(t, condition)                                                               \
	do {                                                                                       \
		remote_header_seen(t, ROUTER, NULL, true);                                         \
		tap_expect_error(t, condition);                                                    \
	} while (0)
void remote_claim(struct tap *t, const char *from, const char *to); /* db:result with KEY */
/* Claims, and lets `near` say valid. */
void remote_prove(struct tap *t, const char *from, const char *to);
/* Header and one VALID pair. */
struct tap *remote_proven(const char *from, const char *to);
/* A claim of EVIL to L1 that `far` answers with `type`; the reply is not read. */
void remote_evil(struct tap *t, const char *type);
/* The probe of a row that says "kept": one more stanza of a VALID pair arrives. */
void remote_kept(struct tap *t, const char *from, const char *to, struct tap *backend);
/* Everything sent so far was handled: a question to the authoritative server is answered next. */
void remote_sync(struct tap *t);

/* -- backends -- */

void backend_header(struct tap *t, const char *to);
void backend_handshake(struct tap *t, const char *secret);
struct tap *backend_login(const char *domain, const char *secret);
#define backend_shop() backend_login(L1, SHOP_SECRET)
#define backend_bank() backend_login(L2, BANK_SECRET)

#endif
