/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/flows.h"

void flows_init(struct flows *f, const struct names *names, const struct pace *pace)
{
	memset(f, 0, sizeof(*f));
	f->names = names;
	f->pace = pace;
	f->receiver = f->pair = FLOWS_NONE;
	f->from = f->to = UINT64_MAX;
}
