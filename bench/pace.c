/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/pace.h"

void pace_begin(struct pace *p, uint64_t count, uint64_t rate, bool staged, unsigned factor,
	uint64_t now)
{
	uint64_t third;

	*p = (struct pace){ .rate = rate, .factor = factor, .began = now, .total = count };
	p->middle = p->after = UINT64_MAX;
	if (!rate || !staged)
		return;
	third = (uint64_t)((double)count / (double)rate * 1e9 / 3);
	p->middle = now + third;
	p->after = p->middle + third;
	p->total = (uint64_t)((double)count * (2 + factor) / 3);
}

double pace_seconds(const struct pace *p)
{
	if (!p->rate)
		return 0;
	return (double)(pace_time(p, (double)p->total) - p->began) / 1e9;
}

/* Seconds between two times. */
static double seconds(uint64_t from, uint64_t to)
{
	return to > from ? (double)(to - from) / 1e9 : 0;
}

double pace_due(const struct pace *p, uint64_t now)
{
	double plain = seconds(p->began, now < p->middle ? now : p->middle);
	double middle = seconds(p->middle, now < p->after ? now : p->after);

	return (plain + middle * p->factor + seconds(p->after, now)) * (double)p->rate;
}

uint64_t pace_time(const struct pace *p, double n)
{
	double at = n / (double)p->rate; /* seconds at the plain rate */
	double first = seconds(p->began, p->middle), third = seconds(p->middle, p->after);

	if (p->middle != UINT64_MAX && at > first) {
		double inside = (at - first) / p->factor;

		at = inside < third ? first + inside : at - third * (p->factor - 1);
	}
	return p->began + (uint64_t)(at * 1e9);
}
