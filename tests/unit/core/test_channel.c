/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way to a route of another worker, with two workers that have no threads, no
 * ring and no connections: what comes to the home is parked there, since no backend
 * ever logs in. The whole is in tests/sim/workers.sim.
 */
#include "core/channel.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/crew.h"
#include "core/mesh.h"
#include "core/outward.h"
#include "core/route.h"
#include "core/worker.h"
#include "scratch.h"

#define PLENTY (64 * 1024 * 1024)

/* Backends whose home is worker 1. */
#define OLD                                                                                        \
	"backend far component secret-file=s\n"                                                    \
	"far.test far\n"
#define FRESH OLD "backend new component secret-file=s\nnew.test new\n"
#define NONE "backend else component secret-file=s\nelse.test else\n"

static struct config config;
static struct crew crew;
static struct worker *w; /* two of them */
static struct mesh_port *sender, *home;

static void on_record(void *ctx, unsigned from, unsigned kind, const char *p, size_t n)
{
	struct worker *me = ctx;

	if (kind == POST_OUTWARD)
		outward_record(me, p);
	else
		channels_record(me->channels, from, (enum post)kind, p, n);
}

static void on_lost(unsigned kind, const char *p, size_t n)
{
	(void)kind;
	(void)p;
	(void)n;
}

static struct hosting *hosting_of(const char *registry)
{
	struct hosting *h = calloc(1, sizeof(*h));
	char why[512];

	(void)scratch_file("s", "secret", 0600);
	h->registry = registry_load(scratch_file("routes", registry, 0600), why);
	cr_assert(h->registry, "%s", why);
	return h;
}

static void hosting_drop(struct hosting *h)
{
	registry_free(h->registry);
	free(h);
}

/* Both backends at worker 1, whatever the key: it is tried until it fits. */
static void homes_find(void)
{
	do {
		hash_key_random(&crew.key);
	} while (crew_home(&crew, SPAN_LIT("far")) != 1 || crew_home(&crew, SPAN_LIT("new")) != 1 ||
		crew_home(&crew, SPAN_LIT("else")) != 1);
}

static void start(const char *registry)
{
	log_setup(LOG_ERROR, LOG_TEXT); /* each stanza that is returned has its line */
	scratch_open();
	config.name = "edge.test";
	config.queue_bytes = 4 << 20;
	config.max_stanza = 262144;
	config.workers = 2;
	crew.n = 2;
	crew.config = &config;
	homes_find();
	crew.mesh = mesh_new(2, on_lost);
	crew.workers = w = mem_lines(2, sizeof(*w));
	for (unsigned i = 0; i < 2; i++) {
		worker_init(&w[i], &crew, i, hosting_of(registry));
		w[i].now = 1000;
		w[i].wheel = timer_wheel_new(w[i].now);
		w[i].port = mesh_open(crew.mesh, i, NULL, on_record, &w[i]);
		w[i].channels = channels_new(&w[i]);
		w[i].routes = routes_new(&w[i]);
		outward_open(&w[i]);
	}
	sender = w[0].port;
	home = w[1].port;
}

static void stop(void)
{
	for (unsigned i = 0; i < 2; i++) {
		routes_free(w[i].routes);
		outward_close(&w[i]);
		channels_free(w[i].channels);
		mesh_close(w[i].port);
		timer_wheel_free(w[i].wheel);
		hosting_drop(w[i].hosting);
		spsc_free(w[i].inbox);
	}
	mesh_free(crew.mesh);
	mem_free(w);
	scratch_close();
}

TestSuite(channel, .fini = stop, .timeout = 60);

/* Turns of both until neither has anything to say any more, of what had to stay either. */
static void settle(void)
{
	for (unsigned quiet = 0; quiet < 3; quiet++) {
		mesh_publish(sender);
		mesh_publish(home);
		if (mesh_busy(sender) || mesh_busy(home))
			quiet = 0;
		mesh_turn(home, PLENTY);
		mesh_turn(sender, PLENTY);
		routes_turn(w[0].routes);
		routes_turn(w[1].routes);
	}
}

/* Whose sender, on another server, has its home anywhere. */
static uint64_t undeliverable(void)
{
	settle();
	return atomic_load(&w[0].stats.bounce_undeliverable) +
		atomic_load(&w[1].stats.bounce_undeliverable);
}

static void reload(unsigned i, const char *registry)
{
	struct hosting *old = w[i].hosting;

	w[i].hosting = hosting_of(registry);
	routes_reload(w[i].routes, old->registry);
	hosting_drop(old);
}

static struct route *route_at(unsigned i, const char *backend)
{
	const struct backend *b = registry_backend_named(w[i].hosting->registry, backend);
	struct route *r = b ? route_of(w[i].routes, b) : NULL;

	cr_assert(r);
	return r;
}

/* A stanza of about that many bytes; is the route full? */
static enum route_result send_to(struct route *r, size_t size, bool overshoot, bool *full)
{
	size_t body = size > 100 ? size - 100 : 1;
	char *xml = malloc(size + 200);
	int n = sprintf(xml, "<message from='a@peer.test' to='b@%s.test'><body>", route_name(r));
	struct span pieces[2];
	enum route_result result = ROUTE_SENT;
	bool pause;

	memset(xml + n, 'x', body);
	strcpy(xml + n + body, "</body></message>");
	pieces[0] = span_of(xml, 10);
	pieces[1] = span_of(xml + 10, strlen(xml + 10));
	*full = !route_stanza(r, pieces, 2);
	if (*full)
		result = route_press(r, pieces, 2, 1, overshoot, &pause);
	free(xml);
	return result;
}

static void send_one(struct route *r)
{
	bool full;

	cr_assert_eq(send_to(r, 0, false, &full), ROUTE_SENT);
	cr_assert(!full);
}

#define AT_HOME(name) atomic_load(&w[1].stats.name)

Test(channel, stanzas_come_to_the_home)
{
	struct route *r;

	start(OLD);
	r = route_at(0, "far");
	cr_assert(route_is_far(r));
	cr_assert(!route_is_far(route_at(1, "far")));
	for (unsigned i = 0; i < 100; i++)
		send_one(r);
	settle();
	cr_assert_eq(AT_HOME(stanzas_parked), 100);
}

/* Until the home has made room. Whose source cannot be paused goes on: the home may have room. */
Test(channel, it_is_full_when_the_credit_is_used_up)
{
	struct route *r;
	unsigned sent = 0;
	bool full = false;

	start(OLD);
	r = route_at(0, "far");
	for (; !full; sent++)
		cr_assert_eq(send_to(r, 1000, sent % 2, &full), ROUTE_SENT);
	cr_assert_geq(sent * 1100, CHANNEL_CREDIT);
	cr_assert_leq(sent * 900, CHANNEL_CREDIT + 2000);
	for (unsigned i = 0; i < 1000; i++, sent++) {
		cr_assert_eq(send_to(r, 1000, false, &full), ROUTE_SENT);
		cr_assert(full);
	}
	settle();
	cr_assert_eq(AT_HOME(stanzas_parked), sent);
	cr_assert_eq(send_to(r, 1000, false, &full), ROUTE_SENT);
	cr_assert(!full);
}

static unsigned woken;

static void on_room(struct route_waiter *waiter)
{
	(void)waiter;
	woken++;
}

Test(channel, who_waits_is_told_when_there_is_room)
{
	struct route_waiter waiter = { .fn = on_room };
	struct route *r;
	bool full = false;

	start(OLD);
	r = route_at(0, "far");
	while (!full)
		cr_assert_eq(send_to(r, 100000, true, &full), ROUTE_SENT);
	list_init(&waiter.link);
	route_wait(r, &waiter);
	routes_turn(w[0].routes);
	cr_assert_eq(woken, 0);
	settle();
	cr_assert_eq(woken, 1);
}

/* Far more than the credit, and stanzas larger than it, in any number of turns: none is lost of it. */
Test(channel, credit_is_not_used_up_by_use)
{
	struct route *r;
	bool full;

	start(OLD);
	config.queue_bytes = 1u << 30;
	r = route_at(0, "far");
	for (unsigned i = 0; i < 500; i++) {
		cr_assert_eq(send_to(r, i % 50 ? 9000 : 200000, true, &full), ROUTE_SENT);
		cr_assert(!full, "stanza %u", i);
		settle();
	}
	cr_assert_eq(AT_HOME(stanzas_parked), 500);
}

/* -- reloads, of which one worker hears after the other -- */

/* What the sender knows already and the home not yet: nothing is returned. */
Test(channel, T_G6_a_backend_that_the_home_has_not_heard_of_yet)
{
	start(OLD);
	send_one(route_at(0, "far"));
	reload(0, FRESH);
	for (unsigned i = 0; i < 3; i++) {
		send_one(route_at(0, "new"));
		settle();
	}
	cr_assert_eq(undeliverable(), 0);
	reload(1, FRESH);
	cr_assert_eq(undeliverable(), 0);
	send_one(route_at(0, "new"));
	send_one(route_at(0, "far"));
	settle();
	cr_assert_eq(AT_HOME(stanzas_parked), 6);
	cr_assert_eq(undeliverable(), 0);
}

/* The home has heard that it is gone, the sender not yet: returned, and its credit comes back. */
Test(channel, T_G6_a_backend_that_the_sender_still_has)
{
	struct route *r;
	bool full;

	start(OLD);
	r = route_at(0, "far");
	send_one(r);
	settle();
	reload(1, NONE);
	cr_assert_eq(undeliverable(), 1, "what was parked");
	for (unsigned i = 0; i < 40; i++) {
		cr_assert_eq(send_to(r, 9000, true, &full), ROUTE_SENT);
		cr_assert(!full);
		settle();
	}
	cr_assert_eq(undeliverable(), 41);
	/* It lets go of the route, and finds it anew when it comes back. */
	reload(0, NONE);
	settle();
	reload(0, OLD);
	reload(1, OLD);
	send_one(route_at(0, "far"));
	settle();
	cr_assert_eq(AT_HOME(stanzas_parked), 2);
	cr_assert_eq(undeliverable(), 41);
}

/* It was no more than a stranger's name after all: what waited goes back, and so does the rest. */
Test(channel, a_backend_that_the_home_never_hears_of)
{
	start(OLD);
	reload(0, FRESH);
	send_one(route_at(0, "new"));
	settle();
	reload(1, NONE);
	cr_assert_eq(undeliverable(), 1);
	send_one(route_at(0, "new"));
	settle();
	cr_assert_eq(undeliverable(), 2);
}

/* Runs that are under way when the sender lets go of its route are the home's. */
Test(channel, one_that_is_closed_leaves_nothing_behind)
{
	start(FRESH);
	for (unsigned i = 0; i < 6; i++) {
		send_one(route_at(0, "new"));
		reload(0, OLD);
		if (i % 2)
			settle();
		reload(0, FRESH);
	}
	settle();
	cr_assert_eq(AT_HOME(stanzas_parked), 6);
}
