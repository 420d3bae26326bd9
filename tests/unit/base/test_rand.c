/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/rand.h"

Test(rand, fills_all_and_only_what_was_asked_for)
{
	static const size_t sizes[] = { 0, 1, 7, 24, 1023, 1024, 1025, 4096, 5000, 100000 };
	unsigned char *p = malloc(100002);

	for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
		size_t n = sizes[s];

		memset(p, 0, n + 2);
		p[0] = p[n + 1] = 0xa5;
		/* Every byte becomes non-zero within a few draws, or is not written. */
		for (size_t i = 1; i <= n; i++) {
			for (int tries = 0; p[i] == 0 && tries < 20; tries++)
				rand_bytes(p + 1, n);
			cr_assert_neq(p[i], 0, "byte %zu of %zu", i, n);
		}
		cr_assert(p[0] == 0xa5 && p[n + 1] == 0xa5);
	}
	free(p);
}

Test(rand, below_is_below_and_uniform)
{
	static const uint32_t bounds[] = { 1, 2, 3, 52, 100, 1000 };
	enum { PER_VALUE = 2000 };

	for (size_t b = 0; b < ARRAY_LEN(bounds); b++) {
		unsigned *count = calloc(bounds[b], sizeof(*count));

		for (uint32_t i = 0; i < bounds[b] * PER_VALUE; i++) {
			uint32_t v = rand_below(bounds[b]);

			cr_assert_lt(v, bounds[b]);
			count[v]++;
		}
		for (uint32_t v = 0; v < bounds[b]; v++)
			cr_expect(count[v] > PER_VALUE - 320 && count[v] < PER_VALUE + 320,
				"%u of %u: %u", v, bounds[b], count[v]);
		free(count);
	}
}

/* Where a plain modulo shows: with 3 * 2^30 the lowest quarter would come up twice as often. */
Test(rand, below_has_no_modulo_bias)
{
	const uint32_t bound = 3u << 30;
	unsigned low = 0;

	for (int i = 0; i < 30000; i++)
		low += rand_below(bound) < 1u << 30;
	cr_assert(low > 10000 - 600 && low < 10000 + 600, "%u", low);
}

Test(rand, below_zero_is_a_bug, .signal = SIGABRT)
{
	close(2);
	rand_below(0);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, STREAM_ID_LEN + 1);
}

/* Protocol 9.7: unique over 10^6 here, with threads and forks below. */
Test(rand, stream_ids_are_unique, .timeout = 60)
{
	enum { IDS = 1000000 };
	char(*id)[STREAM_ID_LEN + 1] = malloc(IDS * sizeof(*id));

	for (unsigned i = 0; i < IDS; i++)
		rand_stream_id(id[i]);
	qsort(id, IDS, sizeof(*id), compare);
	for (unsigned i = 1; i < IDS; i++)
		cr_assert_str_neq(id[i], id[i - 1]);
	free(id);
}

Test(rand, stream_id_symbols)
{
	enum { IDS = 256000 };
	static const char symbols[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	unsigned count[STREAM_ID_LEN][256] = { 0 };
	char id[STREAM_ID_LEN + 2];

	for (unsigned i = 0; i < IDS; i++) {
		id[STREAM_ID_LEN + 1] = '#';
		rand_stream_id(id);
		cr_assert_eq(id[STREAM_ID_LEN + 1], '#');
		cr_assert_eq(strlen(id), STREAM_ID_LEN);
		cr_assert_eq(strspn(id, symbols), STREAM_ID_LEN, "%s", id);
		for (unsigned at = 0; at < STREAM_ID_LEN; at++)
			count[at][(unsigned char)id[at]]++;
	}
	for (unsigned at = 0; at < STREAM_ID_LEN; at++) {
		unsigned kinds = at == 0 ? 52 : 64, expected = IDS / kinds;

		for (unsigned s = 0; s < kinds; s++)
			cr_expect(count[at][(unsigned char)symbols[s]] > expected * 9 / 10 &&
					count[at][(unsigned char)symbols[s]] < expected * 11 / 10,
				"%c at %u: %u", symbols[s], at,
				count[at][(unsigned char)symbols[s]]);
	}
	for (unsigned s = 52; s < 64; s++)
		cr_expect_eq(count[0][(unsigned char)symbols[s]], 0);
}

/* The parent has half a block left when it forks; neither child may hand that out again. */
Test(rand, children_draw_afresh)
{
	char id[3][STREAM_ID_LEN + 1];
	int fd[2];

	rand_stream_id(id[0]);
	cr_assert_eq(pipe(fd), 0);
	for (int i = 0; i < 2; i++) {
		pid_t child = fork();

		if (child == 0) {
			rand_stream_id(id[1]);
			_exit(write(fd[1], id[1], sizeof(id[1])) != sizeof(id[1]));
		}
		waitpid(child, NULL, 0);
	}
	rand_stream_id(id[0]);
	cr_assert_eq(read(fd[0], id[1], sizeof(id[1])), sizeof(id[1]));
	cr_assert_eq(read(fd[0], id[2], sizeof(id[2])), sizeof(id[2]));
	cr_assert_str_neq(id[0], id[1]);
	cr_assert_str_neq(id[0], id[2]);
	cr_assert_str_neq(id[1], id[2]);
}

static void *draw_id(void *out)
{
	rand_stream_id(out);
	return NULL;
}

Test(rand, threads_draw_apart)
{
	char id[8][STREAM_ID_LEN + 1];
	pthread_t t[8];

	for (int i = 0; i < 8; i++)
		cr_assert_eq(pthread_create(&t[i], NULL, draw_id, id[i]), 0);
	for (int i = 0; i < 8; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 8; i++) {
		for (int j = 0; j < i; j++)
			cr_assert_str_neq(id[i], id[j]);
	}
}
