/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/proc.h"

uint64_t proc_cpu(const struct proc *p)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < p->n; i++) {
		struct timespec ts;
		clockid_t clock;

		if (clock_getcpuclockid(p->pids[i], &clock) == 0 && clock_gettime(clock, &ts) == 0)
			sum += (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
	}
	return sum;
}

uint64_t proc_cpu_own(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static void memory_add(struct proc_memory *m, pid_t pid)
{
	char path[64], line[256];
	unsigned long long kib;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return;
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "VmRSS: %llu kB", &kib) == 1)
			m->resident += kib * 1024;
		else if (sscanf(line, "VmHWM: %llu kB", &kib) == 1)
			m->peak += kib * 1024;
	}
	fclose(f);
}

struct proc_memory proc_memory(const struct proc *p)
{
	struct proc_memory m = { 0 };

	for (unsigned i = 0; i < p->n; i++)
		memory_add(&m, p->pids[i]);
	return m;
}
