/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/srv.h"

/* Priority first, direct TLS before the rest, then weight 0 before others as RFC 2782 asks. */
static bool comes_before(const struct srv_record *a, const struct srv_record *b)
{
	if (a->priority != b->priority)
		return a->priority < b->priority;
	if (a->direct != b->direct)
		return a->direct;
	return a->weight == 0 && b->weight != 0;
}

static bool same_group(const struct srv_record *a, const struct srv_record *b)
{
	return a->priority == b->priority && a->direct == b->direct;
}

/* Moves r[at] to r[0] and keeps the others in their order. */
static void bring_forward(struct srv_record *r, unsigned at)
{
	struct srv_record taken;

	if (at == 0)
		return;
	taken = r[at];
	memmove(r + 1, r, at * sizeof(*r));
	r[0] = taken;
}

static void records_sort(struct srv_record *r, unsigned n)
{
	for (unsigned i = 1; i < n; i++) {
		unsigned to = i;

		while (to > 0 && comes_before(&r[i], &r[to - 1]))
			to--;
		bring_forward(r + to, i - to);
	}
}

/* The draw is inclusive at both ends: that is what gives a weight of 0 its small chance. */
static unsigned record_draw(const struct srv_record *r, unsigned n, uint32_t (*below)(uint32_t))
{
	uint32_t total = 0, running = 0, draw;

	for (unsigned i = 0; i < n; i++)
		total += r[i].weight;
	draw = below(total + 1);
	for (unsigned i = 0; i < n; i++) {
		running += r[i].weight;
		if (running >= draw)
			return i;
	}
	return n - 1;
}

static void group_shuffle(struct srv_record *r, unsigned n, uint32_t (*below)(uint32_t))
{
	for (; n > 1; r++, n--)
		bring_forward(r, record_draw(r, n, below));
}

void srv_order(struct srv_record *r, unsigned n, uint32_t (*below)(uint32_t bound))
{
	unsigned end;

	/* The sum of the weights must fit. */
	BUG_ON(n > 2 * LIMIT_DNS_RECORDS);
	records_sort(r, n);
	for (unsigned at = 0; at < n; at = end) {
		for (end = at + 1; end < n && same_group(&r[at], &r[end]); end++)
			;
		group_shuffle(r + at, end - at, below);
	}
}
