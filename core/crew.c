/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/crew.h"

#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/base/mem.h"
#include "core/component.h"
#include "core/pins.h"
#include "core/post.h"
#include "core/verdicts.h"
#include "core/worker.h"
#include "net/tls_ticket.h"

_Static_assert(LIMIT_WORKERS <= 52, "a letter of a stream id stands for each worker");

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

unsigned crew_home(const struct crew *c, struct span name)
{
	return c->n == 1 ? 0 : (unsigned)(hash_sip(&c->key, name) % c->n);
}

unsigned crew_home_of(const struct crew *c, const struct addr *endpoint)
{
	char name[sizeof(endpoint->ip) + sizeof(endpoint->port)];

	memcpy(name, endpoint->ip, sizeof(endpoint->ip));
	memcpy(name + sizeof(endpoint->ip), &endpoint->port, sizeof(endpoint->port));
	return crew_home(c, span_of(name, sizeof(name)));
}

void crew_stream_id(unsigned worker, char id[STREAM_ID_LEN + 1])
{
	rand_stream_id(id);
	id[0] = letters[worker];
}

bool crew_maker(const struct crew *c, struct span id, unsigned *worker)
{
	const char *at = id.n == STREAM_ID_LEN ? strchr(letters, id.p[0]) : NULL;

	if (!at || at >= letters + c->n)
		return false;
	*worker = (unsigned)(at - letters);
	return true;
}

/* -- life -- */

/* All others are memory, and freed with their parcel. */
static void record_lost(unsigned kind, const char *p, size_t n)
{
	(void)n;
	if (kind == POST_COMPONENT)
		component_lost(p);
}

static void crew_free(struct crew *c)
{
	for (unsigned i = 0; i < c->n; i++)
		worker_free(&c->workers[i]);
	mesh_free(c->mesh);
	pins_free(c->pins);
	verdicts_free(c->verdicts);
	tls_tickets_free(c->tickets);
	mem_free(c->workers);
	c->workers = NULL;
}

/* Those that were started end at once: nobody has heard of them yet. */
static void crew_undo(struct crew *c, unsigned started)
{
	const struct control abort = { .what = CONTROL_ABORT };

	for (unsigned i = 0; i < started; i++)
		(void)worker_tell(&c->workers[i], &abort);
	for (unsigned i = 0; i < started; i++)
		worker_join(&c->workers[i]);
	crew_free(c);
}

bool crew_start(struct crew *c, const struct config *config, const struct resolve_rules *rules,
	const struct secrets *secrets, struct hosting *hosting, int *exit_code)
{
	c->config = config;
	c->rules = rules;
	c->secrets = secrets;
	c->n = (unsigned)config->workers;
	c->reloads_failed = 0;
	c->pins = pins_new(clock_ms());
	c->verdicts = verdicts_new(config->cache_entries, config->verdict_ttl * 1000, clock_ms());
	c->tickets = tls_tickets_new();
	c->mesh = mesh_new(c->n, record_lost);
	hash_key_random(&c->key);
	c->workers = mem_lines(c->n, sizeof(*c->workers));
	for (unsigned i = 0; i < c->n; i++)
		worker_init(&c->workers[i], c, i, hosting);
	for (unsigned i = 0; i < c->n; i++) {
		if (worker_start(&c->workers[i], exit_code))
			continue;
		crew_undo(c, i);
		return false;
	}
	return true;
}

void crew_tell(struct crew *c, const struct control *what)
{
	/* Full only if many messages wait: a worker that long behind is told again soon. */
	for (unsigned i = 0; i < c->n; i++)
		while (!worker_tell(&c->workers[i], what))
			(void)usleep(1000);
}

bool crew_ended(const struct crew *c)
{
	for (unsigned i = 0; i < c->n; i++)
		if (!worker_ended(&c->workers[i]))
			return false;
	return true;
}

void crew_join(struct crew *c, struct stats *sum)
{
	for (unsigned i = 0; i < c->n; i++)
		worker_join(&c->workers[i]);
	if (sum)
		crew_stats(c, sum);
	crew_free(c);
}

void crew_stats(const struct crew *c, struct stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned i = 0; i < c->n; i++)
		stats_add(sum, &c->workers[i].stats);
	sum->reloads_failed += c->reloads_failed;
}
