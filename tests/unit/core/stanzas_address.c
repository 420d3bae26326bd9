/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>

#include "tests/unit/core/stanzas.h"

/* The last ones are not allowed (RFC 7622 section 3.3). */
static const char *const locals[] = { NULL, "ann", "J\xc3\xbcrgen", "a.b+c=d", "a\\20b", "o'neil",
	"a b", "a>b" };
#define GOOD_LOCALS 5

static const char *const resources[] = { NULL, "desk", "a<b>&\"'c", "x  y", "@/a@b",
	"\xf0\x9f\x98\x80", "]]>", "'/><message to='x'/>", "tab\there", "\xc2\x85" };
#define GOOD_RESOURCES 8

/* The first ones are canonical. */
static const struct {
	const char *came, *canonical;
} domains[] = {
	{ "rx.peer.test", "rx.peer.test" }, { "a_b.test", "a_b.test" },
	{ "b\xc3\xbc.test", "b\xc3\xbc.test" }, { "RX.Peer.TEST", "rx.peer.test" },
	{ "rx.peer.test.", "rx.peer.test" }, { "xn--b-eha.test", "b\xc3\xbc.test" },
	{ "B\xc3\x9c.test", "b\xc3\xbc.test" }, { "bu\xcc\x88.test", "b\xc3\xbc.test" },
	{ "b\xc3\xbc\xe3\x80\x82test", "b\xc3\xbc.test" }, /* ideographic full stop */
	{ "rx\xef\xbc\x8epeer.test", "rx.peer.test" }, /* full-width full stop */
	{ "\xef\xbd\x92x.peer.test", "rx.peer.test" }, /* full-width r */
};
#define CANONICAL_DOMAINS 3

static void spell(char to[512], const char *local, const char *domain, const char *resource)
{
	snprintf(to, 512, "%s%s%s%s%s", local ? local : "", local ? "@" : "", domain,
		resource ? "/" : "", resource ? resource : "");
}

void stanzas_address(struct stanza *s, struct stanzas_address *a)
{
	unsigned l = stanzas_below(s, stanzas_once_in(s, 4) ? ARRAY_LEN(locals) : GOOD_LOCALS);
	unsigned r = stanzas_below(s,
		stanzas_once_in(s, 4) ? ARRAY_LEN(resources) : GOOD_RESOURCES);
	unsigned d = stanzas_below(s,
		stanzas_once_in(s, 2) ? ARRAY_LEN(domains) : CANONICAL_DOMAINS);

	spell(a->came, locals[l], domains[d].came, resources[r]);
	spell(a->canonical, locals[l], domains[d].canonical, resources[r]);
	a->domain = domains[d].canonical;
	a->spelled = d >= CANONICAL_DOMAINS;
	a->bad = l >= GOOD_LOCALS || r >= GOOD_RESOURCES;
}
