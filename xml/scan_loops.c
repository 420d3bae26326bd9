/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "xml/scan_impl.h"

static bool always(void)
{
	return true;
}

#if defined(__x86_64__)
static bool has_avx2(void)
{
	return __builtin_cpu_supports("avx2");
}
#endif

/* The best first. */
static const struct {
	struct scan_loops loops;
	bool (*usable)(void);
} known[] = {
#if defined(__x86_64__)
	{ { "avx2", scan_avx2 }, has_avx2 },
	{ { "sse2", scan_sse2 }, always },
#endif
	{ { "scalar", scan_scalar }, always },
};

static const struct scan_loops *choose(const char *wanted)
{
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if ((!wanted || strcmp(wanted, known[i].loops.name) == 0) && known[i].usable())
			return &known[i].loops;
	return NULL;
}

/* Whoever comes first asks; who comes at the same time finds the same. */
const struct scan_loops *scan_loops_chosen(void)
{
	static const struct scan_loops *_Atomic chosen;

	if (!chosen)
		chosen = choose(getenv("SLUICE_SCAN_LOOPS"));
	return chosen;
}

const char *scan_loops(void)
{
	const struct scan_loops *loops = scan_loops_chosen();

	return loops ? loops->name : NULL;
}
