/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What workers tell each other, without the workers: all ports are one thread's. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/mesh.h"
#include "net/uring.h"
#include "xml/scan.h"

#define PORTS 6
#define PLENTY (64 * 1024 * 1024)
#define FULL (MESH_PARCEL - 64) /* a record that leaves no room for another of its kind */
#define KIND 7

struct seen {
	unsigned n; /* records */
	unsigned of[PORTS]; /* by sender */
	uint32_t next[PORTS]; /* the number that must come next */
	size_t bytes;
	void (*then)(struct seen *s, unsigned from);
	struct mesh_port *port;
};

static struct mesh *mesh;
static struct mesh_port *ports[PORTS];
static struct seen seen[PORTS];
static unsigned lost, ports_open;

/* Every record begins with its number; the rest is its last digit. */
static void on_record(void *ctx, unsigned from, unsigned kind, const char *p, size_t n)
{
	struct seen *s = ctx;
	uint32_t number;
	char pad = 0;

	cr_assert_eq(kind, KIND);
	cr_assert_eq((uintptr_t)p % 8, 0);
	memcpy(&number, p, sizeof(number));
	cr_assert_eq(number, s->next[from], "%u came, not %u", number, s->next[from]);
	for (size_t i = sizeof(number); i < n; i++)
		if (p[i] != (char)number)
			cr_assert_fail("byte %zu of record %u", i, number);
	for (size_t i = 0; i < SCAN_PAD; i++)
		pad |= p[n + i]; /* readable, which AddressSanitizer would deny */
	(void)pad;
	s->next[from]++;
	s->of[from]++;
	s->n++;
	s->bytes += n;
	if (s->then)
		s->then(s, from);
}

static void on_lost(unsigned kind, const char *p, size_t n)
{
	cr_assert_eq(kind, KIND);
	cr_assert(p && n >= sizeof(uint32_t));
	lost++;
}

static void open_ports(unsigned n)
{
	mesh = mesh_new(n, on_lost);
	for (unsigned i = 0; i < n; i++) {
		ports[i] = mesh_open(mesh, i, NULL, on_record, &seen[i]);
		seen[i].port = ports[i];
	}
	ports_open = n;
}

static void close_ports(void)
{
	for (unsigned i = 0; i < ports_open; i++)
		mesh_close(ports[i]);
	mesh_free(mesh);
	mesh = NULL;
	ports_open = 0;
}

TestSuite(mesh, .fini = close_ports, .timeout = 60);

static uint32_t numbers[PORTS][PORTS];

static void fill(char *p, uint32_t number, size_t n)
{
	memcpy(p, &number, sizeof(number));
	memset(p + sizeof(number), (int)(number & 0xff), n - sizeof(number));
}

static void say(unsigned from, unsigned to, size_t n)
{
	char *p = mesh_write(ports[from], to, KIND, n);

	cr_assert(p);
	fill(p, numbers[from][to]++, n);
}

static void turn(unsigned i)
{
	mesh_turn(ports[i], PLENTY);
	mesh_publish(ports[i]);
}

Test(mesh, records_arrive_in_their_order_whatever_their_size)
{
	uint64_t state = 1;

	open_ports(3);
	for (unsigned round = 0; round < 200; round++) {
		for (unsigned i = 0; i < 40; i++) {
			state = state * 6364136223846793005u + 1442695040888963407u;
			say(0, 1 + i % 2, 4 + (state >> 33) % 3000);
		}
		say(2, 1, 4);
		for (unsigned i = 0; i < 3; i++)
			turn(i);
	}
	turn(1);
	turn(2);
	cr_assert_eq(seen[1].of[0], 4000);
	cr_assert_eq(seen[1].of[2], 200);
	cr_assert_eq(seen[2].of[0], 4000);
}

Test(mesh, nothing_is_seen_before_it_is_published)
{
	open_ports(2);
	say(0, 1, 8);
	cr_assert(!mesh_busy(ports[1]));
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, 0);
	mesh_publish(ports[0]);
	cr_assert(mesh_busy(ports[1]));
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, 1);
	cr_assert(!mesh_busy(ports[1]));
}

/* Larger than a parcel, between small ones. */
Test(mesh, a_big_record_has_a_parcel_of_its_own)
{
	open_ports(2);
	for (unsigned to = 0; to < 2; to++) {
		say(0, to, 4);
		say(0, to, 10 * MESH_PARCEL + 3);
		say(0, to, 4);
		say(0, to, MESH_PARCEL);
		say(0, to, 4);
	}
	turn(0);
	turn(1);
	turn(0);
	cr_assert_eq(seen[1].n, 5);
	cr_assert_eq(seen[0].n, 5);
	cr_assert_eq(seen[1].bytes, 11 * MESH_PARCEL + 3 + 12);
}

/* -- to itself -- */

static void answer_itself(struct seen *s, unsigned from)
{
	if (s->n < 10)
		say(from, from, 4);
}

Test(mesh, what_is_written_to_itself_is_read_in_the_next_turn)
{
	open_ports(1);
	seen[0].then = answer_itself;
	say(0, 0, 4);
	mesh_turn(ports[0], PLENTY);
	cr_assert_eq(seen[0].n, 0);
	cr_assert(!mesh_busy(ports[0]));
	for (unsigned i = 0; i < 10; i++) {
		mesh_publish(ports[0]);
		cr_assert(mesh_busy(ports[0]), "it must not sleep");
		cr_assert(!mesh_sleep(ports[0]));
		mesh_awake(ports[0]);
		mesh_turn(ports[0], PLENTY);
		cr_assert_eq(seen[0].n, i + 1, "what was written meanwhile is for the next turn");
	}
	mesh_publish(ports[0]);
	cr_assert(!mesh_busy(ports[0]));
}

/* -- runs -- */

Test(mesh, the_last_record_grows_while_there_is_room)
{
	size_t n = 4;
	char *last, *more;

	open_ports(2);
	cr_assert_null(mesh_last(ports[0], 1, KIND), "nothing was written");
	say(0, 1, n);
	cr_assert_null(mesh_last(ports[0], 1, KIND + 1), "another kind");
	cr_assert_null(mesh_last(ports[0], 0, KIND), "another receiver");
	while ((last = mesh_last(ports[0], 1, KIND), more = mesh_extend(ports[0], 1, 1001))) {
		cr_assert_eq(more, last + n);
		memset(more, 0, 1001);
		n += 1001;
	}
	cr_assert_gt(n + 1001 + 16, MESH_PARCEL, "there was room for more");
	cr_assert_leq(n, MESH_PARCEL);
	say(0, 1, 4);
	turn(0);
	cr_assert_null(mesh_last(ports[0], 1, KIND), "it has gone");
	turn(1);
	cr_assert_eq(seen[1].n, 2);
	cr_assert_eq(seen[1].bytes, n + 4);
}

/* -- one that is far behind -- */

/* Few words in many turns are gathered: it takes a full parcel to stop a sender. */
Test(mesh, a_sender_is_starved_by_what_it_has_to_say_and_not_by_its_turns)
{
	open_ports(3);
	for (unsigned i = 0; i < 1000; i++) {
		say(0, 1, 4);
		mesh_publish(ports[0]);
		cr_assert(!mesh_starved(ports[0]), "after %u turns", i);
	}
	say(0, 1, FULL);
	mesh_publish(ports[0]);
	cr_assert(mesh_starved(ports[0]));
	/* Others are spoken to all the same. */
	say(0, 2, 4);
	mesh_publish(ports[0]);
	turn(2);
	cr_assert_eq(seen[2].n, 1);
	turn(1);
	mesh_publish(ports[0]);
	cr_assert(!mesh_starved(ports[0]));
	turn(1);
	cr_assert_eq(seen[1].n, 1001);
}

Test(mesh, no_more_than_the_window_is_under_way)
{
	open_ports(2);
	for (unsigned i = 0; i < MESH_WINDOW + 5; i++) {
		cr_assert_eq(mesh_starved(ports[0]), i > MESH_WINDOW + 1, "parcel %u", i);
		say(0, 1, FULL);
		mesh_publish(ports[0]);
	}
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, MESH_WINDOW);
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, MESH_WINDOW, "the others are with the sender");
	mesh_publish(ports[0]);
	cr_assert(!mesh_starved(ports[0]));
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, MESH_WINDOW + 5);
}

/* Each waits for the other, and reads meanwhile. */
Test(mesh, two_that_are_starved_by_each_other_come_free)
{
	open_ports(2);
	for (unsigned i = 0; i < 3 * MESH_WINDOW; i++)
		for (unsigned from = 0; from < 2; from++)
			say(from, !from, FULL);
	for (unsigned round = 0; round < 4; round++)
		for (unsigned i = 0; i < 2; i++)
			turn(i);
	cr_assert(!mesh_starved(ports[0]) && !mesh_starved(ports[1]));
	cr_assert_eq(seen[0].n, 3 * MESH_WINDOW);
	cr_assert_eq(seen[1].n, 3 * MESH_WINDOW);
}

/* The budget ends a turn; who stands behind it is first in the next. */
Test(mesh, no_sender_waits_because_others_always_have_something)
{
	open_ports(PORTS);
	for (unsigned round = 0; round < 3 * (PORTS - 1); round++) {
		for (unsigned from = 1; from < PORTS; from++) {
			say(from, 0, FULL);
			mesh_publish(ports[from]);
		}
		mesh_turn(ports[0], FULL);
	}
	for (unsigned from = 1; from < PORTS; from++)
		cr_assert_eq(seen[0].of[from], 3, "sender %u: %u", from, seen[0].of[from]);
}

/* -- sleep -- */

struct woken {
	struct uring *ring[2];
};

static void open_with_rings(struct woken *w)
{
	struct uring_failure why;

	mesh = mesh_new(2, on_lost);
	for (unsigned i = 0; i < 2; i++) {
		w->ring[i] = uring_open(NULL, &why);
		cr_assert(w->ring[i], "%s", why.cause);
		ports[i] = mesh_open(mesh, i, w->ring[i], on_record, &seen[i]);
	}
	ports_open = 2;
}

/* Has it been rung? */
/* Has worker i been knocked up? The knock goes out with the other's system call. */
static bool rung(const struct woken *w, unsigned i)
{
	(void)uring_turn(w->ring[!i], 0, 10, NULL, NULL);
	return uring_turn(w->ring[i], 0, 10, NULL, NULL) > 0;
}

Test(mesh, a_sleeper_is_woken_and_nobody_else)
{
	struct woken w;

	open_with_rings(&w);
	say(0, 1, 4);
	mesh_publish(ports[0]);
	cr_assert(!rung(&w, 1), "it is awake");
	cr_assert(!mesh_sleep(ports[1]), "there is something to be read");
	mesh_awake(ports[1]);
	mesh_turn(ports[1], PLENTY);
	cr_assert(mesh_sleep(ports[1]));
	mesh_publish(ports[0]);
	cr_assert(!rung(&w, 1), "there is nothing for it");
	say(0, 1, 4);
	mesh_publish(ports[0]);
	cr_assert(rung(&w, 1));
	say(0, 1, 4);
	mesh_publish(ports[0]);
	cr_assert(!rung(&w, 1), "once is enough");
	mesh_awake(ports[1]);
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, 3);
	uring_close(w.ring[0]);
	uring_close(w.ring[1]);
}

/* It has something left to say, starved or not: whoever takes what came before rings. */
Test(mesh, a_sender_that_is_held_up_is_woken_when_there_is_room)
{
	struct woken w;

	open_with_rings(&w);
	for (unsigned i = 0; i <= MESH_WINDOW; i++) {
		say(0, 1, 4);
		mesh_publish(ports[0]);
	}
	cr_assert(mesh_sleep(ports[0]));
	cr_assert(!rung(&w, 0));
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, MESH_WINDOW);
	cr_assert(rung(&w, 0));
	mesh_awake(ports[0]);
	mesh_publish(ports[0]);
	mesh_turn(ports[1], PLENTY);
	cr_assert_eq(seen[1].n, MESH_WINDOW + 1);
	/* It came free while it was not asleep: it must not sleep on it. */
	for (unsigned i = 0; i <= MESH_WINDOW; i++) {
		say(0, 1, 4);
		mesh_publish(ports[0]);
	}
	mesh_turn(ports[1], PLENTY);
	cr_assert(!rung(&w, 0));
	cr_assert(!mesh_sleep(ports[0]));
	mesh_awake(ports[0]);
	/* And with nothing left to say nobody rings for what comes back. */
	mesh_publish(ports[0]);
	cr_assert(mesh_sleep(ports[0]));
	mesh_turn(ports[1], PLENTY);
	cr_assert(!rung(&w, 0));
	mesh_awake(ports[0]);
	uring_close(w.ring[0]);
	uring_close(w.ring[1]);
}

/* -- the end -- */

Test(mesh, what_nobody_reads_is_told)
{
	open_ports(3);
	say(0, 0, 4); /* to itself, published */
	for (unsigned i = 0; i < MESH_WINDOW + 3; i++) /* under way, and waiting */
		say(0, 1, FULL);
	mesh_publish(ports[0]);
	say(0, 1, 8); /* not published */
	say(1, 2, 4);
	mesh_publish(ports[1]);
	mesh_turn(ports[2], PLENTY); /* read */
	close_ports();
	cr_assert_eq(lost, 1 + MESH_WINDOW + 3 + 1);
}

#ifdef SLUICE_FAULT_INJECTION
#include "core/base/mem.h"

/* A port that has no empty parcel left. */
Test(mesh, a_record_that_must_go_goes_without_memory_for_a_parcel)
{
	char *p;

	open_ports(2);
	say(0, 1, 4);
	mesh_publish(ports[0]);
	mem_fail_nth(1);
	cr_assert_null(mesh_write(ports[0], 1, KIND, 8));
	mem_fail_nth(1);
	p = mesh_must_write(ports[0], 1, KIND, 8);
	mem_fail_nth(0);
	fill(p, numbers[0][1]++, 8);
	say(0, 1, 4);
	mesh_publish(ports[0]);
	turn(1);
	cr_assert_eq(seen[1].n, 3);
}
#endif
