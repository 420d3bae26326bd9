/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/jid.h"

#include "xml/chars.h"

bool jid_split(struct span s, struct jid *out)
{
	struct span bare = s;
	size_t at;

	*out = (struct jid){ SPAN_NONE, SPAN_NONE, SPAN_NONE };
	if (s.n > LIMIT_JID)
		return false;
	at = span_find(s, '/');
	if (at < s.n) {
		out->resource = span_skip(s, at + 1);
		bare.n = at;
		if (out->resource.n == 0 || out->resource.n > LIMIT_JID_PART)
			return false;
	}
	out->domain = bare;
	at = span_find(bare, '@');
	if (at < bare.n) {
		out->local = span_of(bare.p, at);
		out->domain = span_skip(bare, at + 1);
		if (out->local.n == 0 || out->local.n > LIMIT_JID_PART)
			return false;
	}
	return out->domain.n > 0 && out->domain.n <= LIMIT_DOMAIN;
}

struct span jid_domain(struct span s)
{
	struct jid j;

	return jid_split(s, &j) ? j.domain : SPAN_NONE;
}

/* What a byte may not be, by part; WIDE: decode to know. Looked at for every stanza. */
enum { LOCAL = 1, RESOURCE = 2, WIDE = 4 };

static const uint8_t refused[256] = {
	[0 ... 0x1f] = LOCAL | RESOURCE,
	[' '] = LOCAL,
	['"'] = LOCAL,
	['&'] = LOCAL,
	['\''] = LOCAL,
	['/'] = LOCAL,
	[':'] = LOCAL,
	['<'] = LOCAL,
	['>'] = LOCAL,
	['@'] = LOCAL,
	[0x7f] = LOCAL | RESOURCE,
	[0x80 ... 0xff] = WIDE,
};

/* Control characters PRECIS forbids everywhere. */
static bool part_valid(struct span s, uint8_t part)
{
	for (size_t at = 0; at < s.n;) {
		uint8_t bad = refused[(uint8_t)s.p[at]];
		uint32_t c;
		int len = 1;

		if (bad & part)
			return false;
		if (bad & WIDE) {
			len = chars_decode(s.p + at, s.n - at, &c);
			if (len <= 0 || c <= 0x9f)
				return false;
		}
		at += (size_t)len;
	}
	return true;
}

bool jid_parts_valid(const struct jid *j)
{
	return part_valid(j->local, LOCAL) && part_valid(j->resource, RESOURCE);
}

bool jid_decode(struct span raw, char *out, size_t cap, size_t *len)
{
	return chars_decode_value(raw, out, cap, len);
}
