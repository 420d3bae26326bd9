/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/stanza.h"

static const struct {
	const char *raw, *text; /* NULL: no address */
} addresses[] = {
	{ "ann@RX.Peer.Test/desk", "ann@rx.peer.test/desk" },
	{ "Rx.Peer.Test.", "rx.peer.test" },
	{ "rx.peer.test/a@b/c", "rx.peer.test/a@b/c" },
	{ "b@xn--bcher-kva.hosted.test",
		"b@b\xc3\xbc"
		"cher.hosted.test" },
	/* T-G32: decode, then split */
	{ "victim.test&#47;x@evil.test", "victim.test/x@evil.test" },
	{ "victim.test&#x2f;x@evil.test", "victim.test/x@evil.test" },
	{ "x&#64;victim.test", "x@victim.test" },
	{ "", NULL },
	{ "@rx.peer.test", NULL },
	{ "ann@", NULL },
	{ "rx.peer.test/", NULL },
	{ "ann@a b", NULL },
};

Test(stanza, addresses_are_decoded_then_split)
{
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		char text[ADDRESS_TEXT];
		struct address a;
		struct span got = SPAN_LIT("none");

		if (address_read(&a, span_str(addresses[i].raw)))
			got = address_text(&a, text);
		cr_expect(span_is(got, addresses[i].text ? addresses[i].text : "none"), "%s: %.*s",
			addresses[i].raw, (int)got.n, got.p);
	}
}

Test(stanza, absent_address)
{
	struct address a;

	cr_expect_not(address_read(&a, SPAN_NONE));
}

Test(stanza, type_is_decoded)
{
	static const char *const types[] = { "get", "error" };
	struct frame f = { .type = SPAN_LIT("&#101;rror") };

	cr_expect(stanza_type_is(&f, types, ARRAY_LEN(types)));
	f.type = SPAN_LIT("set");
	cr_expect_not(stanza_type_is(&f, types, ARRAY_LEN(types)));
	f.type = SPAN_LIT("a type that is longer than any");
	cr_expect_not(stanza_type_is(&f, types, ARRAY_LEN(types)));
	f.type = SPAN_NONE;
	cr_expect_not(stanza_type_is(&f, types, ARRAY_LEN(types)));
}
