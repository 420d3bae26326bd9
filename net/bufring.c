/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/bufring.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "core/base/mem.h"

#define COUNT_MAX 32768
#define SIZE_MAX_BYTES (1u << 24)

/* The kernel's struct io_uring_buf. In the first one `tail` is the producer's index of the ring
 * (io_uring_register_buf_ring(3)); the kernel never writes here. */
struct slot {
	uint64_t addr;
	uint32_t len;
	uint16_t bid;
	_Atomic uint16_t tail;
};

_Static_assert(sizeof(struct slot) == 16 && offsetof(struct slot, tail) == 14, "kernel ABI");

struct bufring {
	struct uring *uring;
	struct slot *slots;
	char *mem; /* count buffers, `stride` apart */
	size_t mapped;
	unsigned count, size, stride;
	uint16_t group, tail;
	/* Which buffers a handler holds. Giving one back twice would let two streams receive into
	 * the same memory: that must not go unnoticed. */
	bool taken[];
};

static void slot_fill(struct bufring *b, unsigned bid)
{
	struct slot *s = &b->slots[b->tail & (b->count - 1)];

	s->addr = (uint64_t)(uintptr_t)(b->mem + (size_t)bid * b->stride);
	s->len = b->size;
	s->bid = (uint16_t)bid;
	b->tail++;
}

static void slots_publish(struct bufring *b)
{
	atomic_store_explicit(&b->slots[0].tail, b->tail, memory_order_release);
}

/* Slots first, page-aligned as the kernel wants them, then the buffers. */
static bool memory_map(struct bufring *b)
{
	size_t slots = ((size_t)b->count * sizeof(struct slot) + 4095) & ~(size_t)4095;
	void *p;

	b->mapped = slots + (size_t)b->count * b->stride;
	p = mmap(NULL, b->mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return false;
	(void)madvise(p, b->mapped, MADV_HUGEPAGE);
	b->slots = p;
	b->mem = (char *)p + slots;
	return true;
}

struct bufring *bufring_new(struct uring *u, uint16_t group, unsigned count, unsigned size,
	int *err)
{
	struct bufring *b;

	BUG_ON(count == 0 || count > COUNT_MAX || (count & (count - 1)) != 0);
	BUG_ON(size == 0 || size > SIZE_MAX_BYTES);
	b = mem_zalloc(sizeof(*b) + count * sizeof(b->taken[0]));
	b->uring = u;
	b->group = group;
	b->count = count;
	b->size = size;
	b->stride = (size + BUFRING_PAD + 63) & ~63u;
	if (!memory_map(b)) {
		*err = -errno;
		mem_free(b);
		return NULL;
	}
	*err = uring_register_buffers(u, b->slots, count, group);
	if (*err < 0) {
		munmap(b->slots, b->mapped);
		mem_free(b);
		return NULL;
	}
	for (unsigned i = 0; i < count; i++)
		slot_fill(b, i);
	slots_publish(b);
	return b;
}

void bufring_free(struct bufring *b)
{
	if (!b)
		return;
	uring_unregister_buffers(b->uring, b->group);
	munmap(b->slots, b->mapped);
	mem_free(b);
}

unsigned bufring_size(const struct bufring *b)
{
	return b->size;
}

uint16_t bufring_group(const struct bufring *b)
{
	return b->group;
}

struct span bufring_take(struct bufring *b, int res, uint32_t flags)
{
	unsigned bid = flags >> URING_F_BUFFER_SHIFT;

	/* Only the flag tells: some kernels set it with a failed receive, too. */
	if (!(flags & URING_F_BUFFER))
		return SPAN_NONE;
	BUG_ON(bid >= b->count || b->taken[bid]);
	BUG_ON(res > 0 && (unsigned)res > b->size);
	b->taken[bid] = true;
	return span_of(b->mem + (size_t)bid * b->stride, res > 0 ? (size_t)res : 0);
}

void bufring_put(struct bufring *b, struct span buffer)
{
	size_t at = (size_t)(buffer.p - b->mem);
	size_t bid = at / b->stride;

	BUG_ON(at % b->stride != 0 || bid >= b->count || !b->taken[bid]);
	b->taken[bid] = false;
	slot_fill(b, (unsigned)bid);
	slots_publish(b);
}
