/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/guard.h"

#include <sys/mman.h>
#include <unistd.h>

#include "xml/scan.h"

static const struct span patterns[] = {
	SPAN_LIT("\0"),
	SPAN_LIT("/></message></stream:stream>"),
	SPAN_LIT(">"),
	SPAN_LIT("\xa9\xc3"),
	SPAN_LIT("]>"),
	SPAN_LIT("amp;lt;x41;"),
	SPAN_LIT("='\"' to='x' "),
	SPAN_LIT("<"),
	SPAN_LIT(" "),
	SPAN_LIT(":a"),
	SPAN_LIT("\xbf\xbf\xbf\xef"),
	SPAN_LIT("CDATA[]]>"),
	SPAN_LIT("\xff"),
};

void guard_pad(char *pad, unsigned turn)
{
	static char pads[ARRAY_LEN(patterns)][SCAN_PAD];
	static bool made;

	for (size_t i = 0; !made && i < sizeof(pads); i++) {
		struct span pattern = patterns[i / SCAN_PAD];

		pads[i / SCAN_PAD][i % SCAN_PAD] = pattern.p[i % SCAN_PAD % pattern.n];
	}
	made = true;
	memcpy(pad, pads[turn % ARRAY_LEN(patterns)], SCAN_PAD);
}

void guard_open(struct guard *g, size_t most)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	void *map;

	g->size = (most + SCAN_PAD + page - 1) / page * page;
	g->turn = 0;
	map = mmap(NULL, g->size + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		0);
	BUG_ON(map == MAP_FAILED);
	g->map = map;
	BUG_ON(mprotect(g->map + g->size, page, PROT_NONE) != 0);
}

void guard_close(struct guard *g)
{
	munmap(g->map, g->size + (size_t)sysconf(_SC_PAGESIZE));
}

char *guard_place(struct guard *g, struct span s)
{
	char *p = g->map + g->size - SCAN_PAD - s.n;

	BUG_ON(s.n > g->size - SCAN_PAD);
	if (s.n)
		memcpy(p, s.p, s.n);
	guard_pad(p + s.n, g->turn++);
	return p;
}
