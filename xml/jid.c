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

/* No control characters, which PRECIS forbids everywhere, and none of `refused`. */
static bool part_valid(struct span s, const char *refused)
{
	for (size_t at = 0; at < s.n;) {
		uint32_t c;
		int len = chars_decode(s.p + at, s.n - at, &c);

		if (len <= 0 || c < 0x20 || (c >= 0x7f && c <= 0x9f))
			return false;
		if (c < 0x80 && strchr(refused, (int)c))
			return false;
		at += (size_t)len;
	}
	return true;
}

bool jid_parts_valid(const struct jid *j)
{
	return part_valid(j->local, " \"&'/:<>@") && part_valid(j->resource, "");
}

bool jid_decode(struct span raw, char *out, size_t cap, size_t *len)
{
	return chars_decode_value(raw, out, cap, len);
}
