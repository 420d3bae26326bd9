/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sysexits.h>
#include <unistd.h>

#define POOL_BYTES 4096

/* What is left in it has been given to nobody; what was given is zeroed at once. */
struct pool {
	unsigned char bytes[POOL_BYTES];
	size_t left; /* at the end of bytes */
	unsigned forks; /* value of fork_count when it was filled */
};

static _Thread_local struct pool pool;
static atomic_uint fork_count;

static void after_fork(void)
{
	atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

/* Not on the first draw: the handler would have to be there before the first fork. */
__attribute__((constructor)) static void watch_forks(void)
{
	BUG_ON(pthread_atfork(NULL, NULL, after_fork) != 0);
}

static void draw(unsigned char *p, size_t n)
{
	while (n > 0) {
		ssize_t got = getrandom(p, n, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			dprintf(2, "sluice: the kernel gives no random numbers: %s\n",
				strerror(errno));
			_exit(EX_OSERR);
		}
		p += got;
		n -= (size_t)got;
	}
}

static void pool_take(unsigned char *p, size_t n)
{
	unsigned char *from = pool.bytes + POOL_BYTES - pool.left;

	memcpy(p, from, n);
	explicit_bzero(from, n);
	pool.left -= n;
}

void rand_bytes(void *p, size_t n)
{
	unsigned forks = atomic_load_explicit(&fork_count, memory_order_relaxed);

	if (n == 0)
		return;
	if (n > POOL_BYTES / 4) {
		draw(p, n);
		return;
	}
	if (pool.left < n || pool.forks != forks) {
		draw(pool.bytes, POOL_BYTES);
		pool.left = POOL_BYTES;
		pool.forks = forks;
	}
	pool_take(p, n);
}

uint32_t rand_below(uint32_t bound)
{
	uint32_t v, skip;

	BUG_ON(bound == 0);
	/* 2^32 mod bound: so many of the lowest values would come up once too often. */
	skip = -bound % bound;
	do {
		rand_bytes(&v, sizeof(v));
	} while (v < skip);
	return v % bound;
}

void rand_stream_id(char out[STREAM_ID_LEN + 1])
{
	static const char symbols[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	unsigned char r[STREAM_ID_LEN];

	_Static_assert(sizeof(symbols) == 64 + 1, "six bits a symbol");
	rand_bytes(r, sizeof(r));
	for (unsigned i = 1; i < STREAM_ID_LEN; i++)
		out[i] = symbols[r[i] % 64];
	out[0] = symbols[rand_below(52)];
	out[STREAM_ID_LEN] = '\0';
}
