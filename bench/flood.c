/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/flood.h"

#include <strings.h>

/* How much may lie between two markers before it is thrown away unread. */
#define STRAY (FLOOD_BUFFER / 2)
#define ADDRESS_CHECK_MASK 15

/* Whether an attribute in a start tag holds an address at this domain. */
static bool address_matches(struct text tag, const char *attr, struct text domain)
{
	const char *p = memmem(tag.p, tag.len, attr, strlen(attr));
	const char *end, *at, *slash;

	if (!p)
		return false;
	p += strlen(attr);
	end = memchr(p + 1, *p, (size_t)(tag.p + tag.len - p - 1));
	if (!end)
		return false;
	p++;
	slash = memchr(p, '/', (size_t)(end - p));
	if (slash)
		end = slash;
	at = memchr(p, '@', (size_t)(end - p));
	if (at)
		p = at + 1;
	return (size_t)(end - p) == domain.len && strncasecmp(p, domain.p, domain.len) == 0;
}

static bool addresses_match(const struct flood *f, uint32_t pair, struct text tag)
{
	char from[NAMES_TEXT], to[NAMES_TEXT];

	return address_matches(tag, " from=", names_from(f->names, f->way, pair, from)) &&
		address_matches(tag, " to=", names_to(f->names, f->way, pair, to));
}

void flood_init(struct flood *f, const struct names *names, const struct shapes *shapes,
	struct ledger *ledger, enum names_way way)
{
	memset(f, 0, sizeof(*f));
	f->names = names;
	f->shapes = shapes;
	f->ledger = ledger;
	f->way = way;
}

void flood_book(struct flood *f, const struct marker *m, struct text tag, bool whole, uint64_t now)
{
	enum arrival arrival = ledger_arrive(f->ledger, m->pair, m->number);

	f->damaged += !whole;
	f->last = now;
	if (arrival == ARRIVAL_ALIEN || arrival == ARRIVAL_DUPLICATE)
		return;
	latency_add(&f->latency, now > m->time ? now - m->time : 0);
	if (f->flows)
		flows_arrive(f->flows, m->pair, m->time, now);
	if ((m->number & ADDRESS_CHECK_MASK) == (m->pair & ADDRESS_CHECK_MASK) &&
		!addresses_match(f, m->pair, tag))
		f->misaddressed++;
}

size_t flood_scan(struct flood *f, char *buf, size_t len, uint64_t now)
{
	char *done = buf, *p = done, *end = buf + len;

	while ((p = memchr(p, '~', (size_t)(end - p)))) {
		const struct text *tail;
		struct marker m;
		bool whole;

		if (end - p < SHAPES_MARKER)
			break;
		if (!shapes_read(p, &m)) {
			p++;
			continue;
		}
		tail = &f->shapes->shape[m.shape].tail;
		if ((size_t)(end - p) < SHAPES_MARKER + tail->len)
			break;
		whole = memcmp(p + SHAPES_MARKER, tail->p, tail->len) == 0;
		flood_book(f, &m, (struct text){ done, (size_t)(p - done) }, whole, now);
		p += SHAPES_MARKER;
		if (whole)
			p += tail->len;
		done = p;
	}
	if ((size_t)(end - done) > STRAY)
		done = end - 4096;
	len = (size_t)(end - done);
	memmove(buf, done, len);
	return len;
}
