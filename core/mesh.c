/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/mesh.h"

#include <stdalign.h>

#include "core/base/doorbell.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/mem.h"
#include "core/base/spsc.h"
#include "net/uring.h"
#include "xml/scan.h"

#define POOL_MAX 32 /* empty parcels that a port keeps */
#define ALIGNED(n) (((n) + 7u) & ~(size_t)7)

struct record {
	uint32_t kind, n; /* n bytes follow, and some to the next multiple of 8 */
};

struct parcel {
	struct list link; /* its sender's, while it is with it */
	size_t used, cap;
	struct record *last;
	alignas(8) char bytes[];
};

/* From one worker to another. */
struct lane {
	struct spsc *full; /* struct parcel *, to be read */
	struct spsc *empty; /* and back */
	struct doorbell starving; /* the sender sleeps, and waits for empty ones */
};

struct station { /* what others need to know of a worker */
	struct doorbell bell;
	_Atomic(struct uring *) ring; /* NULL: has not started yet, and will look by itself */
};

struct mesh {
	unsigned workers;
	mesh_lost_fn *lost;
	struct lane *lanes; /* [from * workers + to] */
	struct station *stations;
};

struct way_out {
	struct parcel *open; /* being filled */
	struct list waiting; /* filled */
	unsigned under_way; /* published and not come back */
	bool announced; /* at the lane's starving */
};

struct mesh_port {
	struct mesh *mesh;
	unsigned number;
	struct uring *ring;
	mesh_fn *fn;
	void *ctx;
	struct list pool; /* empty parcels */
	unsigned pooled;
	struct list own; /* to itself: to be read in the next turn */
	unsigned next; /* whose lane is read first in the next turn */
	bool starved;
	struct way_out out[];
};

static struct lane *lane_of(const struct mesh *m, unsigned from, unsigned to)
{
	return &m->lanes[from * m->workers + to];
}

struct mesh *mesh_new(unsigned workers, mesh_lost_fn *lost)
{
	struct mesh *m = mem_zalloc(sizeof(*m));

	BUG_ON(workers == 0 || workers > LIMIT_WORKERS);
	m->workers = workers;
	m->lost = lost;
	m->lanes = mem_lines((size_t)workers * workers, sizeof(*m->lanes));
	m->stations = mem_lines(workers, sizeof(*m->stations));
	for (unsigned i = 0; i < workers; i++)
		doorbell_init(&m->stations[i].bell);
	for (unsigned i = 0; i < workers * workers; i++) {
		doorbell_init(&m->lanes[i].starving);
		m->lanes[i].full = spsc_new(MESH_WINDOW, sizeof(struct parcel *));
		m->lanes[i].empty = spsc_new(MESH_WINDOW, sizeof(struct parcel *));
	}
	return m;
}

/* Calls fn for each record. */
static void parcel_each(const struct parcel *q,
	void (*fn)(void *ctx, unsigned kind, const char *p, size_t n), void *ctx)
{
	size_t at = 0;

	while (at < q->used) {
		const struct record *r = (const struct record *)(const void *)(q->bytes + at);

		fn(ctx, r->kind, (const char *)(r + 1), r->n);
		at += sizeof(*r) + ALIGNED(r->n);
	}
}

static void record_lost(void *ctx, unsigned kind, const char *p, size_t n)
{
	const struct mesh *m = ctx;

	m->lost(kind, p, n);
}

static void parcel_lost(struct mesh *m, struct parcel *q)
{
	parcel_each(q, record_lost, m);
	mem_free(q);
}

/* What is on the way back was read. */
static void lane_free(struct mesh *m, struct lane *l)
{
	struct parcel *const *q;

	for (; (q = spsc_peek(l->full)); spsc_release(l->full))
		parcel_lost(m, *q);
	for (; (q = spsc_peek(l->empty)); spsc_release(l->empty))
		mem_free(*q);
	spsc_free(l->full);
	spsc_free(l->empty);
}

void mesh_free(struct mesh *m)
{
	if (!m)
		return;
	for (unsigned i = 0; i < m->workers * m->workers; i++)
		lane_free(m, &m->lanes[i]);
	mem_free(m->lanes);
	mem_free(m->stations);
	mem_free(m);
}

struct mesh_port *mesh_open(struct mesh *m, unsigned number, struct uring *ring, mesh_fn *fn,
	void *ctx)
{
	struct mesh_port *p = mem_zalloc(sizeof(*p) + m->workers * sizeof(p->out[0]));

	p->mesh = m;
	p->number = number;
	p->ring = ring;
	p->fn = fn;
	p->ctx = ctx;
	list_init(&p->pool);
	list_init(&p->own);
	for (unsigned i = 0; i < m->workers; i++)
		list_init(&p->out[i].waiting);
	atomic_store_explicit(&m->stations[number].ring, ring, memory_order_release);
	return p;
}

static void out_close(struct way_out *o)
{
	if (o->open)
		list_add_tail(&o->waiting, &o->open->link);
	o->open = NULL;
}

static void parcels_lost(struct mesh *m, struct list *parcels)
{
	while (!list_empty(parcels)) {
		struct parcel *q = list_first(parcels, struct parcel, link);

		list_del(&q->link);
		parcel_lost(m, q);
	}
}

static void pool_free(struct list *pool)
{
	while (!list_empty(pool)) {
		struct parcel *q = list_first(pool, struct parcel, link);

		list_del(&q->link);
		mem_free(q);
	}
}

void mesh_close(struct mesh_port *p)
{
	if (!p)
		return;
	parcels_lost(p->mesh, &p->own);
	for (unsigned i = 0; i < p->mesh->workers; i++) {
		out_close(&p->out[i]);
		parcels_lost(p->mesh, &p->out[i].waiting);
	}
	pool_free(&p->pool);
	mem_free(p);
}

/* -- writing -- */

static struct parcel *parcel_init(struct parcel *q, size_t cap)
{
	list_init(&q->link);
	q->cap = cap;
	q->used = 0;
	q->last = NULL;
	return q;
}

static struct parcel *parcel_new(struct mesh_port *p, size_t need)
{
	size_t cap = need > MESH_PARCEL ? need : MESH_PARCEL;
	struct parcel *q;

	if (cap == MESH_PARCEL && !list_empty(&p->pool)) {
		q = list_first(&p->pool, struct parcel, link);
		list_del(&q->link);
		p->pooled--;
	} else {
		q = mem_try_alloc(sizeof(*q) + cap + SCAN_PAD);
	}
	return q ? parcel_init(q, cap) : NULL;
}

/* It has come back, or was read by its own sender. */
static void parcel_done(struct mesh_port *p, struct parcel *q)
{
	if (q->cap != MESH_PARCEL || p->pooled == POOL_MAX) {
		mem_free(q);
		return;
	}
	list_add(&p->pool, &q->link);
	p->pooled++;
}

static size_t record_size(size_t n)
{
	return sizeof(struct record) + ALIGNED(n);
}

/* Is there a parcel with room for `need` bytes? */
static bool out_open(struct mesh_port *p, struct way_out *o, size_t need)
{
	if (o->open && o->open->cap - o->open->used < need)
		out_close(o);
	if (!o->open)
		o->open = parcel_new(p, need);
	return o->open != NULL;
}

static void *record_add(struct parcel *q, unsigned kind, size_t n)
{
	struct record *r = (struct record *)(void *)(q->bytes + q->used);

	r->kind = kind;
	r->n = (uint32_t)n;
	q->last = r;
	q->used += record_size(n);
	return r + 1;
}

void *mesh_write(struct mesh_port *p, unsigned to, unsigned kind, size_t n)
{
	struct way_out *o = &p->out[to];

	return out_open(p, o, record_size(n)) ? record_add(o->open, kind, n) : NULL;
}

void *mesh_must_write(struct mesh_port *p, unsigned to, unsigned kind, size_t n)
{
	struct way_out *o = &p->out[to];
	size_t need = record_size(n);

	if (!out_open(p, o, need))
		o->open = parcel_init(mem_alloc(sizeof(*o->open) + need + SCAN_PAD), need);
	return record_add(o->open, kind, n);
}

void *mesh_last(struct mesh_port *p, unsigned to, unsigned kind)
{
	const struct parcel *q = p->out[to].open;

	return q && q->last->kind == kind ? q->last + 1 : NULL;
}

void *mesh_extend(struct mesh_port *p, unsigned to, size_t n)
{
	struct parcel *q = p->out[to].open;
	struct record *r = q->last;
	char *at = (char *)(r + 1) + r->n;
	size_t used = (size_t)((char *)(r + 1) - q->bytes) + ALIGNED(r->n + n);

	if (used > q->cap)
		return NULL;
	r->n += (uint32_t)n;
	q->used = used;
	return at;
}

/* -- publishing -- */

static void knock(struct mesh_port *p, unsigned to)
{
	struct uring *other = atomic_load_explicit(&p->mesh->stations[to].ring,
		memory_order_acquire);

	if (other)
		uring_knock(p->ring, other);
}

static void empties_take(struct mesh_port *p, unsigned to)
{
	struct spsc *empty = lane_of(p->mesh, p->number, to)->empty;
	struct parcel *const *q;

	while ((q = spsc_peek(empty))) {
		parcel_done(p, *q);
		p->out[to].under_way--;
		spsc_release(empty);
	}
}

static void parcel_send(struct way_out *o, struct spsc *full)
{
	struct parcel *q = list_first(&o->waiting, struct parcel, link);
	struct parcel **slot = spsc_reserve(full);

	BUG_ON(!slot); /* it has room for the whole window */
	list_del(&q->link);
	*slot = q;
	o->under_way++;
}

/* One that is not full goes only if it can: otherwise more may be written to it. */
static void out_publish(struct mesh_port *p, unsigned to)
{
	struct spsc *full = lane_of(p->mesh, p->number, to)->full;
	struct way_out *o = &p->out[to];

	if (o->under_way > 0)
		empties_take(p, to);
	while (!list_empty(&o->waiting) && o->under_way < MESH_WINDOW)
		parcel_send(o, full);
	if (o->open && o->under_way < MESH_WINDOW) {
		out_close(o);
		parcel_send(o, full);
	}
	if (!list_empty(&o->waiting))
		p->starved = true;
	if (spsc_publish(full) && doorbell_ring(&p->mesh->stations[to].bell))
		knock(p, to);
}

void mesh_publish(struct mesh_port *p)
{
	p->starved = false;
	for (unsigned to = 0; to < p->mesh->workers; to++) {
		if (to != p->number) {
			out_publish(p, to);
			continue;
		}
		out_close(&p->out[to]);
		list_splice_tail(&p->own, &p->out[to].waiting);
	}
}

bool mesh_starved(const struct mesh_port *p)
{
	return p->starved;
}

/* -- reading -- */

struct reading {
	const struct mesh_port *p;
	unsigned from;
};

static void record_read(void *ctx, unsigned kind, const char *p, size_t n)
{
	const struct reading *r = ctx;

	r->p->fn(r->p->ctx, r->from, kind, p, n);
}

static size_t parcel_read(const struct mesh_port *p, unsigned from, const struct parcel *q)
{
	struct reading r = { p, from };

	parcel_each(q, record_read, &r);
	return q->used;
}

/* What is written meanwhile is for the next turn. */
static size_t own_read(struct mesh_port *p)
{
	struct list now;
	size_t done = 0;

	list_init(&now);
	list_splice_tail(&now, &p->own);
	while (!list_empty(&now)) {
		struct parcel *q = list_first(&now, struct parcel, link);

		done += parcel_read(p, p->number, q);
		list_del(&q->link);
		parcel_done(p, q);
	}
	return done;
}

/* One parcel, so that all senders have their turn. */
static size_t lane_read(struct mesh_port *p, unsigned from)
{
	struct lane *l = lane_of(p->mesh, from, p->number);
	struct parcel *const *slot = spsc_peek(l->full);
	struct parcel *q, **back;
	size_t done;

	if (!slot)
		return 0;
	q = *slot;
	spsc_release(l->full);
	done = parcel_read(p, from, q);
	back = spsc_reserve(l->empty);
	BUG_ON(!back); /* no more than the window exists */
	*back = q;
	if (spsc_publish(l->empty) && doorbell_ring(&l->starving))
		knock(p, from);
	return done;
}

/* One round after the other; the next turn goes on where the budget was used up. */
void mesh_turn(struct mesh_port *p, size_t budget)
{
	const unsigned n = p->mesh->workers;
	size_t done = own_read(p);

	for (unsigned idle = 0; idle < n && done < budget; p->next = (p->next + 1) % n) {
		size_t read = p->next == p->number ? 0 : lane_read(p, p->next);

		idle = read ? 0 : idle + 1;
		done += read;
	}
}

bool mesh_busy(const struct mesh_port *p)
{
	if (!list_empty(&p->own))
		return true;
	for (unsigned from = 0; from < p->mesh->workers; from++)
		if (from != p->number && spsc_nonempty(lane_of(p->mesh, from, p->number)->full))
			return true;
	return false;
}

/* -- sleeping -- */

/* Has one of those who are so far behind that something had to stay given anything back? */
static bool empties_came(struct mesh_port *p)
{
	bool came = false;

	for (unsigned to = 0; to < p->mesh->workers && !came; to++) {
		struct lane *l = lane_of(p->mesh, p->number, to);
		struct way_out *o = &p->out[to];

		if (to == p->number || (!o->open && list_empty(&o->waiting)))
			continue;
		doorbell_announce(&l->starving);
		o->announced = true;
		came = spsc_nonempty(l->empty);
	}
	return came;
}

bool mesh_sleep(struct mesh_port *p)
{
	doorbell_announce(&p->mesh->stations[p->number].bell);
	return !mesh_busy(p) && !empties_came(p);
}

bool mesh_awake(struct mesh_port *p)
{
	bool rung = !doorbell_awake(&p->mesh->stations[p->number].bell);

	for (unsigned to = 0; to < p->mesh->workers; to++) {
		if (!p->out[to].announced)
			continue;
		p->out[to].announced = false;
		rung |= !doorbell_awake(&lane_of(p->mesh, p->number, to)->starving);
	}
	return rung;
}
