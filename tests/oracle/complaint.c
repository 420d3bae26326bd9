/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/complaint.h"

#include <stdarg.h>
#include <stdio.h>

bool complain(struct complaint *c, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(c->text, sizeof(c->text), fmt, args);
	va_end(args);
	return false;
}
