/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/misread.h"

#include "xml/scan.h"

#define MISREAD_MAX 64

static char text[MISREAD_MAX], seen[MISREAD_MAX];
static size_t length; /* of both; 0: the scanner is sound */

bool sim_misread(struct span there, struct span instead)
{
	if (there.n != instead.n || there.n > MISREAD_MAX)
		return false;
	length = there.n;
	if (length) {
		memcpy(text, there.p, length);
		memcpy(seen, instead.p, length);
	}
	return true;
}

/* Input lies in memory of the router's own, which the scanner is merely not to write to. */
static void replace(const char *p, size_t n, const char *was, const char *is)
{
	char *at = (char *)(uintptr_t)p, *end = at + n;

	while ((at = memmem(at, (size_t)(end - at), was, length))) {
		memcpy(at, is, length);
		at += length;
	}
}

enum scan_result __real_scan(struct scan *s, const char *p, size_t n, struct frame *f);
enum scan_result __wrap_scan(struct scan *s, const char *p, size_t n, struct frame *f);

enum scan_result __wrap_scan(struct scan *s, const char *p, size_t n, struct frame *f)
{
	enum scan_result r;

	if (length == 0)
		return __real_scan(s, p, n, f);
	replace(p, n, text, seen);
	r = __real_scan(s, p, n, f);
	replace(p, n, seen, text);
	return r;
}
