/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the processes under test cost: CPU time and memory, summed over several.
 */
#ifndef SLUICE_BENCH_PROC_H
#define SLUICE_BENCH_PROC_H

#include "bench/bench.h"

#include <sys/types.h>

#define PROC_MAX 32

struct proc {
	pid_t pids[PROC_MAX];
	unsigned n;
};

struct proc_memory {
	uint64_t resident; /* VmRSS, bytes */
	uint64_t peak; /* VmHWM, bytes */
};

/*
 * User and system time of all threads since their start, in nanoseconds: the sum of
 * utime and stime of /proc/PID/stat, read from the process CPU clock because that
 * one is not rounded to ticks of 10 ms. A process that is gone counts 0.
 */
uint64_t proc_cpu(const struct proc *p);

/* Zero for a process that is gone. */
struct proc_memory proc_memory(const struct proc *p);

/* The same for this program itself. */
uint64_t proc_cpu_own(void);

#endif
