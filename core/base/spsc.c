/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/spsc.h"

#include "core/base/mem.h"
#include "core/base/perturb.h"

#define CACHE_LINE 64

/* Indices count messages since the start and wrap at 2^32; `& mask` makes them slots. */
struct spsc {
	/* Read by both, written by nobody after spsc_new. */
	alignas(CACHE_LINE) void *memory; /* what to free: this struct is aligned within it */
	uint32_t mask;
	uint32_t size;

	/* The producer writes this line. */
	alignas(CACHE_LINE) _Atomic uint32_t head; /* published up to here */
	uint32_t reserved; /* filled up to here, private */
	uint32_t tail_seen; /* a copy of tail, perhaps old: the ring is no fuller than it says */

	/* The consumer writes this line. */
	alignas(CACHE_LINE) _Atomic uint32_t tail; /* released up to here */
	uint32_t head_seen; /* a copy of head, perhaps old */

	alignas(CACHE_LINE) char slots[];
};

_Static_assert(offsetof(struct spsc, slots) == 3 * CACHE_LINE, "one line a side");

struct spsc *spsc_new(uint32_t capacity, uint32_t size)
{
	struct spsc *r;
	char *memory;

	BUG_ON(capacity == 0 || (capacity & (capacity - 1)) != 0 || size == 0);
	memory = mem_zalloc(sizeof(*r) + (size_t)capacity * size + CACHE_LINE - 1);
	r = (struct spsc *)(memory + (-(uintptr_t)memory & (CACHE_LINE - 1)));
	r->memory = memory;
	r->mask = capacity - 1;
	r->size = size;
	return r;
}

void spsc_free(struct spsc *r)
{
	if (r)
		mem_free(r->memory);
}

static void *slot_at(struct spsc *r, uint32_t index)
{
	return r->slots + (size_t)(index & r->mask) * r->size;
}

/* -- producer -- */

void *spsc_reserve(struct spsc *r)
{
	if (r->reserved - r->tail_seen > r->mask) {
		/* Acquire: pairs with spsc_release; the slot is filled anew only after its
		 * reader is done. */
		r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
		if (r->reserved - r->tail_seen > r->mask)
			return NULL;
	}
	return slot_at(r, r->reserved++);
}

bool spsc_publish(struct spsc *r)
{
	/* Relaxed: our own last store. */
	if (atomic_load_explicit(&r->head, memory_order_relaxed) == r->reserved)
		return false;
	PERTURB();
	/* Release would be enough for the messages; stronger for core/base/doorbell.h. */
	atomic_store_explicit(&r->head, r->reserved, memory_order_seq_cst);
	return true;
}

/* -- consumer -- */

const void *spsc_peek(struct spsc *r)
{
	/* Relaxed: our own last store. */
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	if (tail == r->head_seen) {
		/* Acquire: pairs with spsc_publish; what the producer wrote is seen. */
		r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
		if (tail == r->head_seen)
			return NULL;
	}
	PERTURB();
	return slot_at(r, tail);
}

void spsc_release(struct spsc *r)
{
	/* Relaxed: our own last store. */
	uint32_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);

	BUG_ON(tail == r->head_seen);
	PERTURB();
	/* Release: we have read the slot before the producer may fill it again. */
	atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
}

bool spsc_nonempty(struct spsc *r)
{
	/* Sequentially consistent: see core/base/doorbell.h. */
	return atomic_load_explicit(&r->head, memory_order_seq_cst) !=
		atomic_load_explicit(&r->tail, memory_order_relaxed);
}
