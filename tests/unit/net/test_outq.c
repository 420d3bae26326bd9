/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <sys/uio.h>

#include "net/outq.h"
#include "noise.h"

#define OPS 100000
#define BUDGET (1u << 20)

static void check(const char *p, size_t n, uint64_t pos)
{
	cr_assert(bytes_good(p, n, pos), "of %zu bytes at %llu", n, (unsigned long long)pos);
}

/* What outq_unsent gave, in one piece. */
struct kept {
	char *p;
	size_t n;
};

static void keep(void *ctx, struct span s)
{
	struct kept *k = ctx;

	k->p = realloc(k->p, k->n + s.n);
	memcpy(k->p + k->n, s.p, s.n);
	k->n += s.n;
}

struct model {
	uint64_t appended, completed, in_flight;
	uint64_t marks[OPS];
	unsigned n_marks;
};

static void unsent_check(const struct outq *q, const struct model *m)
{
	uint64_t taken = m->completed + m->in_flight, start;
	struct kept k = { NULL, 0 };
	size_t handed;
	unsigned first = m->n_marks;
	bool any = outq_unsent(q, &handed, keep, &k);

	while (first > 0 && m->marks[first - 1] >= taken && m->marks[first - 1] >= m->completed)
		first--;
	cr_assert(any || first == m->n_marks || m->appended == m->completed,
		"a stanza that was not sent is not reported");
	if (any) {
		bool is_mark = false;

		cr_assert_gt(k.n, 0);
		start = m->appended - k.n;
		check(k.p, k.n, start);
		for (unsigned i = 0; i < m->n_marks; i++)
			is_mark = is_mark || m->marks[i] == start;
		cr_assert(is_mark, "does not begin with a stanza");
		cr_assert_eq(handed, taken > start ? taken - start : 0);
		cr_assert(first == m->n_marks || start <= m->marks[first]);
	}
	free(k.p);
}

static void model_append(struct outq *q, struct model *m)
{
	static char buffer[200000];
	struct span pieces[3];
	size_t total = 0, used = outq_pool_used(q->pool), bytes = q->bytes;
	bool mark = rng() % 2, done;

	for (unsigned i = 0; i < ARRAY_LEN(pieces); i++) {
		size_t n = rng() % (rng() % 50 == 0 ? 66000 : 700);

		bytes_fill(buffer + total, n, m->appended + total);
		pieces[i] = span_of(buffer + total, n);
		total += n;
	}
	if (mark)
		outq_mark(q);
	done = outq_append_all(q, pieces, ARRAY_LEN(pieces));
	if (!done) {
		cr_assert_eq(outq_pool_used(q->pool), used);
		cr_assert_eq(q->bytes, bytes);
		cr_assert_gt(used + total + 2 * OUTQ_SEGMENT, BUDGET);
		return;
	}
	if (mark && total > 0)
		m->marks[m->n_marks++] = m->appended;
	m->appended += total;
}

static void model_start(struct outq *q, struct model *m)
{
	struct iovec iov[OUTQ_IOV];
	unsigned n = outq_start(q, iov);
	uint64_t pos = m->completed;

	cr_assert_leq(n, OUTQ_IOV);
	for (unsigned i = 0; i < n; i++) {
		check(iov[i].iov_base, iov[i].iov_len, pos);
		pos += iov[i].iov_len;
	}
	m->in_flight = pos - m->completed;
	cr_assert_eq(q->in_flight, m->in_flight);
	cr_assert(n == OUTQ_IOV || pos == m->appended, "left something behind");
}

Test(outq, behaves_like_a_string, .timeout = 60)
{
	static struct model m;
	struct outq_pool *pool = outq_pool_new(BUDGET);
	struct outq q;

	outq_init(&q, pool);
	for (unsigned op = 0; op < OPS; op++) {
		unsigned what = (unsigned)(rng() % 5);

		if (what < 2) {
			model_append(&q, &m);
		} else if (what < 4 && m.in_flight == 0) {
			model_start(&q, &m);
		} else if (m.in_flight > 0) {
			uint64_t n = rng() % 3 ? m.in_flight : rng() % (m.in_flight + 1);

			outq_complete(&q, n);
			m.completed += n;
			m.in_flight = 0;
		}
		cr_assert_eq(q.bytes, m.appended - m.completed);
		cr_assert_leq(outq_pool_used(pool), BUDGET);
		cr_assert(q.bytes > 0 || outq_pool_used(pool) == 0, "an empty queue holds memory");
		if (op % 64 == 0)
			unsent_check(&q, &m);
		/* Marks that are long gone only make the search slow. */
		if (m.n_marks > 4096) {
			memmove(m.marks, m.marks + 2048,
				2048 * sizeof(m.marks[0]) + sizeof(m.marks[0]));
			m.n_marks -= 2048;
		}
	}
	outq_clear(&q);
	cr_assert_eq(outq_pool_used(pool), 0);
	outq_pool_free(pool);
}

Test(outq, little_output_takes_little_memory, .timeout = 60)
{
	struct outq_pool *pool = outq_pool_new(BUDGET);
	struct outq q;
	struct iovec iov[OUTQ_IOV];

	outq_init(&q, pool);
	cr_assert(outq_append(&q, SPAN_LIT("<presence/>")));
	cr_assert_leq(outq_pool_used(pool), 4096);
	cr_assert_eq(outq_start(&q, iov), 1);
	cr_assert_eq(iov[0].iov_len, 11);
	outq_complete(&q, 11);
	cr_assert_eq(outq_pool_used(pool), 0);
	outq_pool_free(pool);
}

Test(outq, budget_refuses_as_a_whole, .timeout = 60)
{
	struct outq_pool *pool = outq_pool_new(3 * OUTQ_SEGMENT);
	struct outq a, b;
	static char big[OUTQ_SEGMENT * 2];
	struct span pieces[2] = { span_of(big, sizeof(big)), span_of(big, sizeof(big)) };

	outq_init(&a, pool);
	outq_init(&b, pool);
	cr_assert_not(outq_append_all(&a, pieces, 2));
	cr_assert_eq(a.bytes, 0);
	cr_assert_eq(outq_pool_used(pool), 0);
	cr_assert_not(outq_append_all(&a,
			      (struct span[]){ span_of(big, sizeof(big)),
				      span_of(big, OUTQ_SEGMENT) },
			      2),
		"fits but for the segments' own bytes");
	cr_assert_eq(outq_pool_used(pool), 0);
	cr_assert(outq_append(&a, pieces[0]));
	cr_assert_not(outq_append(&b, SPAN_LIT("x")), "three large segments are in use");
	outq_clear(&a);
	cr_assert(outq_append(&b, SPAN_LIT("x")));
	outq_clear(&b);
	outq_pool_free(pool);
}

Test(outq, mark_of_a_refused_append_is_taken_back, .timeout = 60)
{
	struct outq_pool *pool = outq_pool_new(4096);
	struct outq q;
	static char big[OUTQ_SEGMENT];
	struct kept k = { NULL, 0 };
	size_t handed;

	outq_init(&q, pool);
	outq_mark(&q);
	cr_assert_not(outq_append(&q, span_of(big, sizeof(big))));
	cr_assert(outq_append(&q, SPAN_LIT("header")));
	cr_assert_not(outq_unsent(&q, &handed, keep, &k), "the header is no stanza");
	outq_mark(&q);
	cr_assert(outq_append(&q, SPAN_LIT("<a/>")));
	outq_mark(&q);
	cr_assert(outq_append(&q, SPAN_LIT("<b/>")));
	cr_assert(outq_unsent(&q, &handed, keep, &k));
	cr_assert_eq(k.n, 8);
	cr_assert_eq(memcmp(k.p, "<a/><b/>", 8), 0);
	cr_assert_eq(handed, 0);
	free(k.p);
	outq_clear(&q);
	outq_pool_free(pool);
}

Test(outq, handed_counts_sent_and_in_flight, .timeout = 60)
{
	struct outq_pool *pool = outq_pool_new(BUDGET);
	struct iovec iov[OUTQ_IOV];
	struct kept k = { NULL, 0 };
	struct outq q;
	size_t handed;

	outq_init(&q, pool);
	cr_assert(outq_append(&q, SPAN_LIT("head")));
	outq_mark(&q);
	cr_assert(outq_append(&q, SPAN_LIT("<one/>")));
	cr_assert_eq(outq_start(&q, iov), 1);
	outq_complete(&q, 7);
	cr_assert_eq(outq_start(&q, iov), 1);
	outq_mark(&q);
	cr_assert(outq_append(&q, SPAN_LIT("<two/>")));
	cr_assert(outq_unsent(&q, &handed, keep, &k));
	cr_assert_eq(handed, 6, "<one/> has been handed over as a whole");
	cr_assert_eq(k.n, 12);
	free(k.p);
	outq_clear(&q);
	outq_pool_free(pool);
}
