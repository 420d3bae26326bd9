/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/base.h"

#include <stdio.h>
#include <stdlib.h>

void bug(const char *file, int line, const char *condition)
{
	/* Unbuffered, and without the log: that may be what is broken. */
	dprintf(2, "sluice: BUG at %s:%d: %s\n", file, line, condition);
	abort();
}
