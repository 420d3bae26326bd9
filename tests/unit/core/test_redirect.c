/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/redirect.h"

/* "address:port", or "host port"; NULL: refused. */
static const struct {
	const char *text, *reads;
} rows[] = {
	{ "192.0.2.1", "192.0.2.1:5269" },
	{ "192.0.2.1:443", "192.0.2.1:443" },
	{ " \n192.0.2.1:5270\t", "192.0.2.1:5270" },
	{ "[2001:db8::1]", "[2001:db8::1]:5269" },
	{ "[2001:db8::1]:5270", "[2001:db8::1]:5270" },
	{ "[::ffff:127.0.0.1]", "127.0.0.1:5269" },
	{ "Other.Test", "other.test 5269" },
	{ "other.test.", "other.test 5269" },
	{ "other.test:1", "other.test 1" },
	{ "other.test:65535", "other.test 65535" },
	{ "B\xc3\x9c"
	  "cher.test",
		"b\xc3\xbc"
		"cher.test 5269" },
	{ "", NULL },
	{ " ", NULL },
	{ ":5269", NULL },
	{ "other.test:", NULL },
	{ "other.test:0", NULL },
	{ "other.test:65536", NULL },
	{ "other.test:4294967297", NULL },
	{ "other.test:+1", NULL },
	{ "other.test:5269:5269", NULL },
	{ "other.test 5269", NULL },
	{ "user@other.test", NULL },
	{ "other.test/path", NULL },
	{ "2001:db8::1", NULL },
	{ "::1", NULL },
	{ "[2001:db8::1", NULL },
	{ "[2001:db8::1]5269", NULL },
	{ "[2001:db8::1]:", NULL },
	{ "[2001:db8::1]:65536", NULL },
	{ "[192.0.2.1]", NULL },
	{ "[other.test]", NULL },
	{ "[]", NULL },
	{ "[fe80::1%eth0]", NULL },
	{ "192.0.2.1:65536", NULL },
	{ "192.0.2", NULL },
	{ "3221225985", NULL },
	{ "0x7f000001", NULL },
	{ "127.1", NULL },
};

static void read_as(const struct redirect *r, char text[LIMIT_DOMAIN + 16])
{
	if (r->n > 0)
		addr_format(&r->places[0].addr, text);
	else
		sprintf(text, "%s %u", r->host.text, r->port);
}

Test(redirect, where_to)
{
	char text[LIMIT_DOMAIN + 16];
	struct redirect r;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool ok = redirect_parse(span_str(rows[i].text), &r);

		cr_assert_eq(ok, rows[i].reads != NULL, "%s", rows[i].text);
		if (!ok)
			continue;
		read_as(&r, text);
		cr_expect_str_eq(text, rows[i].reads);
		cr_expect_eq(r.n > 0, r.host.len == 0, "one of the two");
		cr_expect_not(r.places[0].direct && r.n > 0, "within the stream");
	}
}
