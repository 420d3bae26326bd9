/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * c-ares does what is tedious about a stub resolver: sockets, tries, time-outs,
 * TCP after truncation. The rest is here, because strangers choose the names:
 * the cache, single flight, the window; and net/dns_message.c reads the answers.
 *
 * An entry is one question {type, name}. It is always in exactly one list:
 * waiting -> sent (-> slow) -> ready -> kept, and from kept back to ready (a hit)
 * or to waiting (expired). Only kept entries are ever freed while we run.
 *
 * The window keeps bursts from overrunning socket buffers. A question that has
 * been out for SLOW_MS is no part of a burst any more and leaves the window, so
 * that a hundred names whose servers are dead do not hold up everybody's.
 */
#include "net/dns.h"

#include <ares.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "core/base/hash.h"
#include "core/base/mem.h"
#include "net/dns_message.h"

#define SOCKETS 64
#define SOCKET_BUFFER (1 << 20)
#define SERVERS (SOCKETS / 2) /* each by UDP and by TCP */
#define SLOW_MS 250
#define GEN_MASK 0xffffffu

enum entry_state { WAITING, SENT, SLOW, READY, KEPT };

struct asker {
	struct asker *next;
	dns_fn *fn;
	void *ctx;
	uint64_t cookie;
};

struct entry {
	struct list link; /* the list of its state */
	struct entry *next; /* in its bucket */
	struct dns *dns;
	struct asker *askers, **last;
	uint8_t *data; /* packed records */
	uint32_t data_len;
	uint32_t hash;
	uint64_t when; /* SENT: since; READY and KEPT: expires */
	uint8_t type, status, state, n, name_len;
	bool edns; /* asked with an OPT record */
	char name[];
};

struct poll_slot {
	int fd; /* -1: free */
	uint32_t gen, want, armed; /* armed: the events that the open poll waits for, 0 none */
};

struct dns {
	struct uring *ring;
	struct timer_wheel *wheel;
	ares_channel channel;
	struct poll_slot slots[SOCKETS];
	struct timer retry; /* c-ares' next time-out, or earlier */
	struct timer pace; /* the oldest in the window becomes slow */
	uint64_t now;
	bool edns, closing;

	struct list waiting, sent, slow, ready, kept;
	unsigned n_waiting, n_sent, n_slow, n_kept, n_askers;

	struct hash_key key;
	struct entry **buckets;
	unsigned n_buckets, n_entries;
	size_t bytes;
	struct asker *spare;
	struct dns_stats stats;

	uint8_t packed[DNS_PACKED_MAX];
	union dns_records records;
};

/* -- cache -- */

static size_t entry_bytes(const struct entry *e)
{
	return sizeof(*e) + e->name_len + 1 + e->data_len;
}

static void data_drop(struct dns *d, struct entry *e)
{
	d->bytes -= e->data_len;
	mem_free(e->data);
	e->data = NULL;
	e->data_len = 0;
	e->n = 0;
}

static void entry_free(struct dns *d, struct entry *e)
{
	struct entry **at = &d->buckets[e->hash & (d->n_buckets - 1)];

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	list_del(&e->link);
	d->n_entries--;
	d->bytes -= entry_bytes(e);
	mem_free(e->data);
	mem_free(e);
}

static void cache_trim(struct dns *d)
{
	while (d->n_kept > 0 && (d->n_kept > LIMIT_DNS_CACHE || d->bytes > LIMIT_DNS_CACHE_BYTES)) {
		entry_free(d, list_first(&d->kept, struct entry, link));
		d->n_kept--;
		d->stats.evicted++;
	}
}

static void table_grow(struct dns *d)
{
	unsigned n = d->n_buckets * 2;
	struct entry **buckets = mem_try_zalloc(n * sizeof(struct entry *));

	if (!buckets) /* longer chains for now */
		return;
	for (unsigned i = 0; i < d->n_buckets; i++) {
		for (struct entry *e = d->buckets[i], *next; e; e = next) {
			next = e->next;
			e->next = buckets[e->hash & (n - 1)];
			buckets[e->hash & (n - 1)] = e;
		}
	}
	mem_free(d->buckets);
	d->buckets = buckets;
	d->n_buckets = n;
}

static struct entry *entry_find(struct dns *d, enum dns_type type, struct span name, uint32_t hash)
{
	struct entry *e = d->buckets[hash & (d->n_buckets - 1)];

	while (e &&
		(e->hash != hash || e->type != type ||
			!span_eq(span_of(e->name, e->name_len), name)))
		e = e->next;
	return e;
}

static struct entry *entry_new(struct dns *d, enum dns_type type, struct span name, uint32_t hash)
{
	struct entry *e;

	if (d->n_entries >= d->n_buckets)
		table_grow(d);
	e = mem_try_zalloc(sizeof(*e) + name.n + 1);
	if (!e)
		return NULL;
	e->dns = d;
	e->last = &e->askers;
	e->hash = hash;
	e->type = (uint8_t)type;
	e->name_len = (uint8_t)name.n;
	memcpy(e->name, name.p, name.n);
	list_init(&e->link);
	e->next = d->buckets[hash & (d->n_buckets - 1)];
	d->buckets[hash & (d->n_buckets - 1)] = e;
	d->n_entries++;
	d->bytes += entry_bytes(e);
	return e;
}

/* -- questions -- */

static void entry_wait(struct dns *d, struct entry *e)
{
	e->state = WAITING;
	list_add_tail(&d->waiting, &e->link);
	d->n_waiting++;
}

static void entry_answer(struct dns *d, struct entry *e, const struct dns_parsed *a)
{
	e->status = (uint8_t)a->status;
	if (a->used > 0) {
		e->data = mem_try_alloc(a->used);
		if (e->data) {
			memcpy(e->data, d->packed, a->used);
			e->data_len = a->used;
			e->n = (uint8_t)a->n;
			d->bytes += a->used;
		} else {
			e->status = DNS_FAILED;
		}
	}
	if (e->status == DNS_FAILED)
		d->stats.failed++;
	e->when = d->now + (uint64_t)a->ttl * 1000;
	e->state = READY;
	list_add_tail(&d->ready, &e->link);
}

/* From c-ares, possibly from inside ares_send: only notes what came. */
static void question_done(void *arg, int status, int timeouts, unsigned char *p, int n)
{
	struct entry *e = arg;
	struct dns *d = e->dns;
	struct dns_parsed a = { DNS_FAILED, 0, 0, LIMIT_DNS_FAILURE_S };

	(void)timeouts;
	if (d->closing)
		return;
	list_del(&e->link);
	if (e->state == SENT)
		d->n_sent--;
	else
		d->n_slow--;
	/* c-ares asks the first such question again by itself and hands us the others. */
	if (status == ARES_SUCCESS && e->edns && dns_message_refuses_edns(p, (size_t)n)) {
		d->edns = false;
		entry_wait(d, e);
		return;
	}
	if (status == ARES_SUCCESS)
		a = dns_message_parse(e->type, p, (size_t)n, d->packed);
	entry_answer(d, e, &a);
}

static void question_send(struct dns *d, struct entry *e)
{
	static const struct dns_parsed impossible = { DNS_NO_NAME, 0, 0, LIMIT_DNS_NEGATIVE_MAX_S };
	uint8_t query[DNS_QUESTION_MAX];
	unsigned n = dns_question_write(e->type, span_of(e->name, e->name_len), d->edns, query);

	list_del(&e->link);
	d->n_waiting--;
	if (n == 0) {
		entry_answer(d, e, &impossible);
		return;
	}
	e->state = SENT;
	e->when = d->now;
	e->edns = d->edns;
	list_add_tail(&d->sent, &e->link);
	d->n_sent++;
	d->stats.asked++;
	ares_send(d->channel, query, (int)n, question_done, e);
}

/* ares_timeout() walks all questions, so it is asked only when the timer is not set: until then
 * no question can be due earlier than the oldest. */
static void retry_arm(struct dns *d)
{
	struct timeval tv;

	if (timer_armed(&d->retry) || !ares_timeout(d->channel, NULL, &tv))
		return;
	timer_set(d->wheel, &d->retry,
		d->now + (uint64_t)tv.tv_sec * 1000 + (uint64_t)tv.tv_usec / 1000 + 1);
}

static void slow_mark(struct dns *d)
{
	while (!list_empty(&d->sent) && d->n_slow < LIMIT_DNS_SLOW) {
		struct entry *e = list_first(&d->sent, struct entry, link);

		if (d->now < e->when + SLOW_MS)
			return;
		list_del(&e->link);
		list_add_tail(&d->slow, &e->link);
		e->state = SLOW;
		d->n_sent--;
		d->n_slow++;
	}
}

static bool may_send(const struct dns *d)
{
	return d->n_waiting > 0 && d->n_sent < LIMIT_DNS_WINDOW;
}

static void questions_send(struct dns *d)
{
	slow_mark(d);
	/* Counted as well, since where every send fails at once the window never fills. */
	for (unsigned i = 0; i < LIMIT_DNS_WINDOW && may_send(d); i++)
		question_send(d, list_first(&d->waiting, struct entry, link));
	if (d->n_waiting > 0 && !may_send(d) && d->n_slow < LIMIT_DNS_SLOW &&
		!timer_armed(&d->pace))
		timer_set(d->wheel, &d->pace,
			list_first(&d->sent, struct entry, link)->when + SLOW_MS);
	retry_arm(d);
}

static void now_set(struct dns *d, uint64_t now)
{
	if (now > d->now)
		d->now = now;
}

static void on_retry(struct timer *t, uint64_t now)
{
	struct dns *d = container_of(t, struct dns, retry);

	now_set(d, now);
	ares_process_fd(d->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	retry_arm(d);
}

static void on_pace(struct timer *t, uint64_t now)
{
	struct dns *d = container_of(t, struct dns, pace);

	now_set(d, now);
	questions_send(d);
}

/* -- sockets -- */

static struct uring_tag slot_tag(const struct dns *d, const struct poll_slot *s)
{
	return (struct uring_tag){ (uint32_t)(s - d->slots), s->gen };
}

static void slot_disarm(struct dns *d, struct poll_slot *s)
{
	if (!s->armed)
		return;
	uring_cancel(d->ring, URING_POLL, slot_tag(d, s));
	s->gen = (s->gen + 1) & GEN_MASK;
	s->armed = 0;
}

static void slot_arm(struct dns *d, struct poll_slot *s)
{
	if (s->fd < 0 || s->armed == s->want)
		return;
	slot_disarm(d, s);
	s->armed = s->want;
	uring_poll(d->ring, slot_tag(d, s), s->fd, s->want);
}

static struct poll_slot *slot_find(struct dns *d, int fd)
{
	for (unsigned i = 0; i < SOCKETS; i++)
		if (d->slots[i].fd == fd)
			return &d->slots[i];
	return NULL;
}

/* From c-ares: a socket was opened, wants other events, or is about to be closed. */
static void on_socket(void *data, ares_socket_t fd, int readable, int writable)
{
	struct dns *d = data;
	struct poll_slot *s = slot_find(d, fd);

	if (!readable && !writable) {
		if (!s)
			return;
		slot_disarm(d, s);
		s->fd = -1;
		return;
	}
	if (!s)
		s = slot_find(d, -1);
	BUG_ON(!s); /* dns_new bounds the servers */
	s->fd = fd;
	s->want = (readable ? POLLIN : 0u) | (writable ? POLLOUT : 0u);
	slot_arm(d, s);
}

static void on_poll(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	struct dns *d = ctx;
	struct poll_slot *s;
	uint32_t events = res < 0 ? POLLERR : (uint32_t)res;
	bool in, out;

	(void)flags;
	if (tag.index >= SOCKETS)
		return;
	s = &d->slots[tag.index];
	if (tag.gen != s->gen || !s->armed)
		return;
	s->gen = (s->gen + 1) & GEN_MASK;
	s->armed = 0;
	in = events & (POLLIN | POLLERR | POLLHUP);
	out = (s->want & POLLOUT) && (events & (POLLOUT | POLLERR | POLLHUP));
	ares_process_fd(d->channel, in ? s->fd : ARES_SOCKET_BAD, out ? s->fd : ARES_SOCKET_BAD);
	slot_arm(d, s);
}

/* Takes the completions of polls that outlive their dns. */
static void on_poll_late(void *ctx, struct uring_tag tag, int res, uint32_t flags)
{
	(void)ctx;
	(void)tag;
	(void)res;
	(void)flags;
}

/* -- the module -- */

static void library_init(void)
{
	ares_library_init(ARES_LIB_INIT_ALL);
}

static const char too_many[] = "--dns or /etc/resolv.conf names more than 32 servers";

static const char *servers_set(struct dns *d, const struct dns_opts *opts)
{
	char csv[SERVERS * (ADDR_TEXT + 1)] = "";
	size_t used = 0;
	int r = ARES_SUCCESS;

	if (opts->n_servers > SERVERS)
		return too_many;
	for (unsigned i = 0; i < opts->n_servers; i++) {
		struct addr a = opts->servers[i];
		char text[ADDR_TEXT];

		if (a.port == 0)
			a.port = 53;
		addr_format(&a, text);
		used += (size_t)snprintf(csv + used, sizeof(csv) - used, "%s%s", i ? "," : "",
			text);
	}
	if (used > 0)
		r = ares_set_servers_ports_csv(d->channel, csv);
	return r == ARES_SUCCESS ? NULL : ares_strerror(r);
}

/* A resolv.conf may name any number of servers; our poll slots are for so many. */
static const char *servers_fit(struct dns *d)
{
	struct ares_addr_port_node *list = NULL;
	unsigned n = 0;
	int r = ares_get_servers_ports(d->channel, &list);

	if (r != ARES_SUCCESS)
		return ares_strerror(r);
	for (const struct ares_addr_port_node *s = list; s; s = s->next)
		n++;
	ares_free_data(list);
	return n <= SERVERS ? NULL : too_many;
}

/* NULL, or why not. */
static const char *channel_open(struct dns *d, const struct dns_opts *opts)
{
	struct ares_options o = {
		.flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
		.timeout = (int)(opts->timeout_ms ? opts->timeout_ms : TIMEOUT_DNS_MS),
		.tries = (int)(opts->tries ? opts->tries : 2),
		.ednspsz = DNS_UDP_SIZE,
		.socket_send_buffer_size = SOCKET_BUFFER,
		.socket_receive_buffer_size = SOCKET_BUFFER,
		.sock_state_cb = on_socket,
		.sock_state_cb_data = d,
	};
	char lookups[] = "b"; /* never /etc/hosts */
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	const char *why;
	int r;

	pthread_once(&once, library_init);
	o.lookups = lookups;
	r = ares_init_options(&d->channel, &o,
		ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
			ARES_OPT_SOCK_SNDBUF | ARES_OPT_SOCK_RCVBUF | ARES_OPT_SOCK_STATE_CB |
			ARES_OPT_LOOKUPS);
	if (r != ARES_SUCCESS)
		return ares_strerror(r);
	why = servers_set(d, opts);
	if (!why)
		why = servers_fit(d);
	if (why)
		ares_destroy(d->channel);
	return why;
}

struct dns *dns_new(struct uring *u, struct timer_wheel *wheel, const struct dns_opts *opts,
	const char **why)
{
	struct dns *d = mem_zalloc(sizeof(*d));

	d->ring = u;
	d->wheel = wheel;
	d->edns = true;
	for (unsigned i = 0; i < SOCKETS; i++)
		d->slots[i].fd = -1;
	*why = channel_open(d, opts);
	if (*why) {
		mem_free(d);
		return NULL;
	}
	timer_init(&d->retry, on_retry);
	timer_init(&d->pace, on_pace);
	list_init(&d->waiting);
	list_init(&d->sent);
	list_init(&d->slow);
	list_init(&d->ready);
	list_init(&d->kept);
	hash_key_random(&d->key);
	d->n_buckets = 1024;
	d->buckets = mem_array(d->n_buckets, sizeof(struct entry *));
	uring_handle(u, URING_POLL, on_poll, d);
	return d;
}

static void askers_free(struct asker *a)
{
	while (a) {
		struct asker *next = a->next;

		mem_free(a);
		a = next;
	}
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	d->closing = true;
	ares_destroy(d->channel); /* closes the sockets, which cancels their polls */
	uring_handle(d->ring, URING_POLL, on_poll_late, NULL);
	timer_stop(&d->retry);
	timer_stop(&d->pace);
	for (unsigned i = 0; i < d->n_buckets; i++) {
		while (d->buckets[i]) {
			askers_free(d->buckets[i]->askers);
			entry_free(d, d->buckets[i]);
		}
	}
	askers_free(d->spare);
	mem_free(d->buckets);
	mem_free(d);
}

const struct dns_stats *dns_stats(const struct dns *d)
{
	return &d->stats;
}

/* The entry that answers this question, in the list where its state belongs; NULL: no room. */
static struct entry *entry_for(struct dns *d, enum dns_type type, struct span name)
{
	uint32_t hash = (uint32_t)hash_sip(&d->key, name) ^ (uint32_t)type;
	struct entry *e = entry_find(d, type, name, hash);

	if (e && e->state != KEPT) {
		d->stats.joined++;
		return e;
	}
	if (e && d->now < e->when) {
		d->stats.hits++;
		list_del(&e->link);
		d->n_kept--;
		e->state = READY;
		list_add_tail(&d->ready, &e->link);
		return e;
	}
	if (d->n_waiting >= LIMIT_DNS_WAITING)
		return NULL;
	if (e) {
		list_del(&e->link);
		d->n_kept--;
		data_drop(d, e);
	} else {
		e = entry_new(d, type, name, hash);
	}
	if (e)
		entry_wait(d, e);
	return e;
}

bool dns_ask(struct dns *d, enum dns_type type, const char *name, dns_fn *fn, void *ctx,
	uint64_t cookie, uint64_t now)
{
	char lower[LIMIT_DNS_NAME + 1];
	size_t n = strlen(name);
	struct asker *a = d->spare;
	struct entry *e;

	now_set(d, now);
	if (n > LIMIT_DNS_NAME) /* no message can hold it: the same as the empty name */
		n = 0;
	for (size_t i = 0; i < n; i++)
		lower[i] = name[i] >= 'A' && name[i] <= 'Z' ? (char)(name[i] | 0x20) : name[i];
	if (d->n_askers >= LIMIT_DNS_ASKERS)
		return false;
	if (!a && !(a = mem_try_zalloc(sizeof(*a))))
		return false;
	d->spare = a->next;
	e = entry_for(d, type, span_of(lower, n));
	if (!e) {
		a->next = d->spare;
		d->spare = a;
		return false;
	}
	*a = (struct asker){ NULL, fn, ctx, cookie };
	*e->last = a;
	e->last = &a->next;
	d->n_askers++;
	return true;
}

/* The answer is unpacked and the entry let go of first: a callback may ask anything. */
static void entry_deliver(struct dns *d, struct entry *e)
{
	struct asker *a = e->askers;
	struct dns_answer answer = { .status = e->status, .n = e->n };

	dns_records_unpack(e->type, e->data, e->n, &d->records);
	if (e->type == DNS_SRV)
		answer.srv = d->records.srv;
	else
		answer.addrs = d->records.addrs;
	e->askers = NULL;
	e->last = &e->askers;
	e->state = KEPT;
	list_del(&e->link);
	list_add_tail(&d->kept, &e->link);
	d->n_kept++;
	while (a) {
		struct asker done = *a;

		a->next = d->spare;
		d->spare = a;
		d->n_askers--;
		a = done.next;
		done.fn(done.ctx, done.cookie, &answer);
	}
}

void dns_turn(struct dns *d, uint64_t now)
{
	struct list batch;

	now_set(d, now);
	list_init(&batch);
	list_splice_tail(&batch, &d->ready);
	while (!list_empty(&batch))
		entry_deliver(d, list_first(&batch, struct entry, link));
	cache_trim(d);
	questions_send(d);
}

bool dns_busy(const struct dns *d)
{
	return !list_empty(&d->ready) || may_send(d);
}
