/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/counters.h"

#include <poll.h>
#include <signal.h>

#define ANSWER_NS (10 * NS_PER_S)

static uint64_t counter_of(const char *line, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = line; (p = strstr(p, name)); p += len) {
		if (p > line && p[-1] == ' ' && p[len] == '=')
			return strtoull(p + len + 1, NULL, 10);
	}
	return 0;
}

bool counters_read(const char *line, struct counters *out)
{
	if (!strstr(line, " info stats: "))
		return false;
	*out = (struct counters){
		.accepted = counter_of(line, "stanzas_in") +
			counter_of(line, "stanzas_from_backends"),
		.parked = counter_of(line, "stanzas_parked") + counter_of(line, "stanzas_requeued"),
		.returned = counter_of(line, "bounced") + counter_of(line, "bounce_undeliverable") +
			counter_of(line, "bounce_suppressed"),
		.undeliverable = counter_of(line, "bounce_undeliverable"),
		.in_doubt = counter_of(line, "in_doubt"),
		.unread = counter_of(line, "stanzas_lost"),
	};
	return true;
}

/* Reads the lines that are complete; *at is where the next one begins. */
static bool log_look(FILE *f, long *at, struct counters *out)
{
	char line[4096];
	bool found = false;

	fseek(f, *at, SEEK_SET);
	while (!found && fgets(line, sizeof(line), f) && strchr(line, '\n')) {
		*at = ftell(f);
		found = counters_read(line, out);
	}
	clearerr(f);
	return found;
}

bool counters_ask(struct child *c, struct counters *out)
{
	uint64_t end = bench_now() + ANSWER_NS;
	char path[256];
	FILE *f = fopen(child_path(c, "log", path), "re");
	bool found = false;
	long at;

	if (!f || !c->pid)
		return false;
	fseek(f, 0, SEEK_END);
	at = ftell(f);
	kill(c->pid, SIGUSR1);
	while (!found && bench_now() < end && child_is_running(c)) {
		poll(NULL, 0, 1);
		found = log_look(f, &at, out);
	}
	fclose(f);
	return found;
}
