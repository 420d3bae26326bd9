/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/stats.h"

#include "core/base/log.h"

#define STATS_COUNT(name, text) +1
#define STATS_FIELDS (0 STATS_TABLE(STATS_COUNT))

/* Leaves a counter out of the event while it is zero. */
static void field_add(struct log_field *fields, size_t *n, const char *name, uint64_t value)
{
	if (value)
		fields[(*n)++] = LF_INT(name, value);
}

void stats_add(struct stats *sum, const struct stats *s)
{
#define STATS_FIELD(name, text)                                                                    \
	stats_bump(&sum->name, atomic_load_explicit(&s->name, memory_order_relaxed));
	STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
}

void stats_log(const struct stats *s)
{
	static struct log_site site;
	struct log_field fields[STATS_FIELDS];
	size_t n = 0;

#define STATS_FIELD(name, text)                                                                    \
	field_add(fields, &n, #name, atomic_load_explicit(&s->name, memory_order_relaxed));
	STATS_TABLE(STATS_FIELD)
#undef STATS_FIELD
	log_event(&site, LOG_INFO, "stats", "counters since the start", fields, n);
}
