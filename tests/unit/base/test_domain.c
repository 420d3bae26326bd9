/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/domain.h"
#include "seeded.h"

#define BUECHER                                                                                    \
	"b\xc3\xbc"                                                                                \
	"cher"
#define UE "\xc3\xbc"

static struct domain parsed(struct span raw)
{
	struct domain d;

	cr_assert(domain_parse(raw, &d), "%.*s", (int)raw.n, raw.p);
	return d;
}

static bool refused(struct span raw)
{
	struct domain d;

	return !domain_parse(raw, &d);
}

/* What must hold of whatever is accepted. */
static void check_canonical(const struct domain *d)
{
	struct domain again;

	cr_assert(d->len >= 1 && d->len <= LIMIT_DOMAIN);
	cr_assert_eq(strlen(d->text), d->len);
	cr_assert_null(strpbrk(d->text, "@/ %:[]<>&'\"=\t\r\n\\?#!*"), "%s", d->text);
	cr_assert(domain_parse(domain_span(d), &again), "%s", d->text);
	cr_assert_str_eq(again.text, d->text);
	cr_assert_eq(again.len, d->len);
}

Test(domain, T_H3_case_and_trailing_dot)
{
	cr_assert_str_eq(parsed(SPAN_LIT("SHOP.Hosted.Test.")).text, "shop.hosted.test");
	cr_assert_str_eq(parsed(SPAN_LIT("RX.PEER.TEST")).text, "rx.peer.test");
	cr_assert_str_eq(parsed(SPAN_LIT(UE ".test.")).text, UE ".test");
	cr_assert(refused(SPAN_LIT("shop.hosted.test..")));
	cr_assert(refused(SPAN_LIT(".")));
}

Test(domain, T_K15_a_label)
{
	cr_assert_str_eq(parsed(SPAN_LIT("xn--bcher-kva.hosted.test")).text,
		BUECHER ".hosted.test");
	cr_assert_str_eq(parsed(SPAN_LIT("XN--BCHER-KVA.Hosted.test.")).text,
		BUECHER ".hosted.test");
}

Test(domain, T_Q16_upper_case_u_label)
{
	struct domain d = parsed(SPAN_LIT("B\xc3\x9c"
					  "CHER.peer.test"));
	char dns[LIMIT_DNS_NAME + 1];

	cr_assert_str_eq(d.text, BUECHER ".peer.test");
	cr_assert(domain_to_dns(domain_span(&d), dns));
	cr_assert_str_eq(dns, "xn--bcher-kva.peer.test");
}

/* "aaa...": 1023 octets in labels of `label` octets. */
static struct span long_name(char *out, size_t n, size_t label)
{
	for (size_t i = 0; i < n; i++)
		out[i] = i % (label + 1) == label ? '.' : 'a';
	out[n - 1] = 'a';
	return span_of(out, n);
}

Test(domain, T_Q17_length)
{
	char raw[LIMIT_DOMAIN + 2], dns[LIMIT_DNS_NAME + 1];
	struct domain d = parsed(long_name(raw, 1023, 63));

	cr_assert_eq(d.len, 1023);
	cr_assert(domain_is_plain(domain_span(&d)));
	cr_assert_not(domain_to_dns(domain_span(&d), dns));
	cr_assert(refused(long_name(raw, 1024, 63)));
	cr_assert_not(domain_is_plain(long_name(raw, 1024, 63)));
	/* The trailing dot is not counted, but only one. */
	long_name(raw, 1023, 63);
	raw[1023] = '.';
	cr_assert_eq(parsed(span_of(raw, 1024)).len, 1023);
	raw[1024] = '.';
	cr_assert(refused(span_of(raw, 1025)));
	cr_assert(refused(SPAN_LIT("")));
	cr_assert(refused(SPAN_NONE));
	cr_assert_not(domain_is_plain(SPAN_NONE));
}

Test(domain, T_Q17_label_of_64)
{
	char raw[LIMIT_DOMAIN], dns[LIMIT_DNS_NAME + 1];
	struct domain d = parsed(long_name(raw, 70, 64));

	cr_assert_eq(d.len, 70);
	cr_assert_not(domain_to_dns(domain_span(&d), dns));
	d = parsed(long_name(raw, 70, 63));
	cr_assert(domain_to_dns(domain_span(&d), dns));
	d = parsed(long_name(raw, 253, 63));
	cr_assert(domain_to_dns(domain_span(&d), dns));
	cr_assert_eq(strlen(dns), 253);
	d = parsed(long_name(raw, 254, 63));
	cr_assert_not(domain_to_dns(domain_span(&d), dns));
}

static const struct {
	const char *raw, *canon;
} accepted[] = {
	{ "localhost", "localhost" },
	{ "a", "a" },
	{ "3com.test", "3com.test" },
	{ "1.2.3.4.test", "1.2.3.4.test" },
	{ "1.2.3.4a", "1.2.3.4a" },
	{ "0xg", "0xg" },
	{ "r3---sn.test", "r3---sn.test" },
	{ "ab--cd.test", "ab--cd.test" },
	{ "_xmpp-server._tcp.Peer.test", "_xmpp-server._tcp.peer.test" },
	{ "a_b.test", "a_b.test" },
	{ "xn-a.xn.test-x", "xn-a.xn.test-x" },
	{ "_x." UE ".test", "_x." UE ".test" },
	{ BUECHER ".hosted.test", BUECHER ".hosted.test" },
	/* u + combining diaeresis */
	{ "bu\xcc\x88"
	  "cher.test",
		BUECHER ".test" },
	{ "xn--bcher-kva." BUECHER ".test", BUECHER "." BUECHER ".test" },
	{ "xn--tda", UE },
	/* non-transitional: sharp s stays, and is another name than ss */
	{ "fa\xc3\x9f.test", "fa\xc3\x9f.test" },
	{ "xn--fa-hia.test", "fa\xc3\x9f.test" },
	{ "fass.test", "fass.test" },
	{ "FA\xe1\xba\x9e.test", "fass.test" },
	/* final sigma */
	{ "\xce\xb1\xcf\x82.test", "\xce\xb1\xcf\x82.test" },
	{ "\xce\x91\xce\xa3.test", "\xce\xb1\xcf\x83.test" },
	/* width: full-width letters, dot, hyphen-minus, underscore, an A-label */
	{ "\xef\xbd\x81\xef\xbd\x82.test", "ab.test" },
	{ "a\xef\xbc\x8e"
	  "b\xe3\x80\x82test",
		"a.b.test" },
	{ "\xef\xbc\xbfx.test", "_x.test" },
	{ "\xef\xbd\x98\xef\xbd\x8e\xef\xbc\x8d\xef\xbc\x8dtda.test", UE ".test" },
	/* Kelvin sign, ligature, soft hyphen, circled letter */
	{ "\xe2\x84\xaa.test", "k.test" },
	{ "\xef\xac\x81.test", "fi.test" },
	{ "a\xc2\xad"
	  "b.test",
		"ab.test" },
	{ "\xe2\x93\x90.test", "a.test" },
	/* Hebrew; Hangul from its parts; Thai; zero-width non-joiner where it belongs */
	{ "\xd7\x90\xd7\x91.test", "\xd7\x90\xd7\x91.test" },
	{ "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab.test", "\xed\x95\x9c.test" },
	{ "\xe0\xb8\x81.test", "\xe0\xb8\x81.test" },
	{ "xn--mgba3gch31f060k.test",
		"\xd9\x86\xd8\xa7\xd9\x85\xd9\x87\xe2\x80\x8c\xd8\xa7\xdb\x8c.test" },
};

Test(domain, accepted)
{
	for (size_t i = 0; i < ARRAY_LEN(accepted); i++) {
		struct domain d;

		if (!domain_parse(span_str(accepted[i].raw), &d)) {
			cr_expect(false, "%s is refused", accepted[i].raw);
			continue;
		}
		cr_expect_str_eq(d.text, accepted[i].canon);
		cr_expect_eq(d.len, strlen(accepted[i].canon));
		check_canonical(&d);
	}
}

static const struct {
	const char *raw, *why;
} rejected[] = {
	{ ".test", "empty label" },
	{ "a..test", "empty label" },
	{ UE "..test", "empty label" },
	{ "\xef\xbc\x8e.test", "empty label after mapping" },
	{ UE ".test\xe3\x80\x82", "a trailing dot only after mapping" },
	{ "\xc2\xad.test", "nothing but a soft hyphen" },
	{ "\xc2\xad", "nothing but a soft hyphen" },
	{ "-a.test", "leading hyphen" },
	{ "a-.test", "trailing hyphen" },
	{ "-", "hyphen" },
	{ "a.-", "hyphen" },
	{ "-" UE ".test", "leading hyphen" },
	{ UE "-.test", "trailing hyphen" },
	{ "\xef\xbc\x8d"
	  "a.test",
		"full-width hyphen" },
	{ "a-\xc2\xad.test", "trailing hyphen after mapping" },
	{ "a b.test", "space" },
	{ "a.test ", "space" },
	{ " a.test", "space" },
	{ "a\tb.test", "control" },
	{ "a.test\n", "control" },
	{ "a\x7f.test", "control" },
	{ UE "\x7f.test", "control" },
	{ "a@b.test", "@" },
	{ "a/b.test", "/" },
	{ UE "@b.test", "@" },
	{ UE "/b.test", "/" },
	{ "a\xef\xbc\xa0"
	  "b.test",
		"full-width @" },
	{ "a\xef\xbc\x8f"
	  "b.test",
		"full-width /" },
	{ "a\xe2\x84\x80"
	  "b.test",
		"a/c" },
	{ "\xe2\x84\x85.test", "c/o" },
	{ "victim.test\xef\xbc\x8fx\xef\xbc\xa0"
	  "evil.test",
		"a JID after mapping" },
	{ "a\xef\xbc\x85.test", "full-width %" },
	{ "a\xef\xbc\x9a"
	  "1.test",
		"full-width colon" },
	{ "a\xe3\x80\x80"
	  "b.test",
		"ideographic space" },
	{ "a\xc2\xa0"
	  "b.test",
		"no-break space" },
	{ "a\xe2\x80\x82"
	  "b.test",
		"en space" },
	{ "a\xef\xbc\x9c"
	  "b.test",
		"full-width <" },
	{ "a!b.test", "!" },
	{ "a*.test", "*" },
	{ "*.test", "*" },
	{ "a=b." UE ".test", "=" },
	{ "a\xe2\x89\xa0"
	  "b.test",
		"not equal" },
	{ "a\xe2\x89\xae"
	  "b.test",
		"not less" },
	{ "a=\xcc\xb8"
	  "b.test",
		"not equal, of two characters" },
	{ "xn--ab-miv.test", "not equal, as A-label" },
	{ "1.2.3.4", "IPv4" },
	{ "1.2.3.4.", "IPv4" },
	{ "127.1", "IPv4 for inet_aton" },
	{ "2130706433", "IPv4 for inet_aton" },
	{ "0x7f.0.0.0x1", "IPv4 for inet_aton" },
	{ "0X7F000001", "IPv4 for inet_aton" },
	{ "256.1.1.1", "number at the top" },
	{ "peer.123", "number at the top" },
	{ "1\xef\xbc\x8e"
	  "2\xef\xbc\x8e"
	  "3\xef\xbc\x8e"
	  "4",
		"IPv4 after mapping" },
	{ "\xef\xbc\x91.\xef\xbc\x92.\xef\xbc\x93.\xef\xbc\x94", "IPv4 after mapping" },
	{ "\xe2\x91\xa0.\xe2\x91\xa1.\xe2\x91\xa2.\xe2\x91\xa3", "circled IPv4" },
	{ "::1", "IPv6" },
	{ "[::1]", "IPv6" },
	{ "xn--.test", "empty A-label" },
	{ "xn--a.test", "A-label" },
	{ "xn--bcher-.test", "A-label without letters beyond ASCII" },
	{ "xn--abc-.test", "A-label without letters beyond ASCII" },
	{ "xn--zz--.test", "A-label" },
	{ "xn--0.test", "A-label" },
	{ "xn--xn--bcher-kva.test", "A-label of an A-label" },
	{ "xn--bcher-kva8445.test", "A-label" },
	{ "xn--a-ecp.test", "A-label of a digit with full stop" },
	{ "xn--ls8h.test", "A-label of an emoji" },
	{ "xn--bcher-kva\xc2\xbc.test", "A-label with more than ASCII" },
	{ "xn--99999999999999999999.test", "A-label that overflows" },
	{ "\xe2\x98\x83.test", "symbol" },
	{ "\xf0\x9f\x92\xa9.test", "emoji" },
	{ "\xe2\x80\x8d"
	  "a.test",
		"zero-width joiner" },
	{ "\xcc\x88"
	  "a.test",
		"leading combining mark" },
	{ "\xd7\x90"
	  "a.test",
		"right-to-left with left-to-right" },
	{ "1\xd7\x90.test", "right-to-left after a digit" },
	{ "a\xe2\x80\xae"
	  "b.test",
		"override of direction" },
	{ "a\xe2\x80\xa4"
	  "b.test",
		"one-dot leader" },
	{ "\xe2\x92\x88.test", "digit with full stop" },
	{ "\xee\x80\x80.test", "private use" },
	{ "\xef\xbf\xbd.test", "replacement character" },
	{ "\xef\xbf\xbe.test", "no character" },
	{ "\xcd\xb8.test", "unassigned" },
	{ "\xff.test", "no UTF-8" },
	{ "\xc3.test", "no UTF-8" },
	{ "a\xc0\xae"
	  "b.test",
		"overlong dot" },
	{ "a\xc0\xaf"
	  "b.test",
		"overlong slash" },
	{ "\xed\xa0\x80.test", "surrogate" },
	{ "\xf4\x90\x80\x80.test", "beyond Unicode" },
	{ UE ".test\xc3", "cut sequence" },
};

Test(domain, rejected)
{
	for (size_t i = 0; i < ARRAY_LEN(rejected); i++) {
		cr_expect(refused(span_str(rejected[i].raw)), "%s: %s", rejected[i].why,
			rejected[i].raw);
		cr_expect_not(domain_is_plain(span_str(rejected[i].raw)), "%s", rejected[i].why);
	}
}

Test(domain, every_ascii_character)
{
	for (int c = 0; c < 128; c++) {
		char plain[] = "aXa.test", mapped[] = "aXa." UE ".test";
		bool ok = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			(c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';

		plain[1] = mapped[1] = (char)c;
		cr_expect_eq(refused(span_of(plain, 8)), !ok, "0x%02x", c);
		cr_expect_eq(refused(span_of(mapped, sizeof(mapped) - 1)), !ok, "0x%02x", c);
		cr_expect_eq(domain_is_plain(span_of(plain, 8)), ok && !(c >= 'A' && c <= 'Z'),
			"0x%02x", c);
	}
}

Test(domain, nul_does_not_end_a_name)
{
	cr_assert(refused(span_of("a.test\0.evil", 12)));
	cr_assert(refused(span_of("a.test\0", 7)));
	cr_assert(refused(span_of(UE ".test\0", 8)));
	cr_assert_str_eq(parsed(span_of("a.testing", 6)).text, "a.test");
}

Test(domain, plain)
{
	static const char *const yes[] = { "a", "localhost", "rx.peer.test", "_x.a-b.test",
		"r3---sn.test", "xn-a.test", "axn--b.test" };
	static const char *const no[] = { "", ".", "a.", ".a", "a..b", "A.test", "rx.Peer.test",
		"xn--tda.test", "a.xn--tda", "xn--", (UE ".test"), "1.2.3.4", "-a", "a-.b", "a b" };

	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		cr_expect(domain_is_plain(span_str(yes[i])), "%s", yes[i]);
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		cr_expect_not(domain_is_plain(span_str(no[i])), "%s", no[i]);
}

Test(domain, to_dns)
{
	char dns[LIMIT_DNS_NAME + 1], raw[1024];
	size_t n = 0;

	cr_assert(domain_to_dns(SPAN_LIT("a.test"), dns));
	cr_assert_str_eq(dns, "a.test");
	cr_assert(domain_to_dns(SPAN_LIT("fa\xc3\x9f." BUECHER), dns));
	cr_assert_str_eq(dns, "xn--fa-hia.xn--bcher-kva");
	cr_assert_not(domain_to_dns(SPAN_LIT(""), dns));
	cr_assert_not(domain_to_dns(SPAN_NONE, dns));
	cr_assert_not(domain_to_dns(span_of(memset(raw, 'a', 1024), 1024), dns));
	/* Short as U-labels, too long as A-labels. */
	for (int i = 0; i < 20; i++)
		n += (size_t)sprintf(raw + n, "%s" BUECHER, i ? "." : "");
	cr_assert_leq(n, 253);
	cr_assert_not(domain_to_dns(span_of(raw, n), dns));
}

Test(domain, below)
{
	static const struct {
		const char *canon, *name;
		bool below;
	} row[] = {
		{ "shop.test", "shop.test", true },
		{ "a.shop.test", "shop.test", true },
		{ "b.a.shop.test", "shop.test", true },
		{ "ashop.test", "shop.test", false },
		{ "shop.test", "a.shop.test", false },
		{ "shop.test", "test", true },
		{ "shop.test", "est", false },
		{ "shop.tes", "shop.test", false },
		{ "shop.test", "", false },
		{ "", "", false },
		{ UE ".shop.test", "shop.test", true },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++)
		cr_expect_eq(domain_is_below(span_str(row[i].canon), span_str(row[i].name)),
			row[i].below, "%s below %s", row[i].canon, row[i].name);
}

/* -- properties -- */

static size_t utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		out[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (char)(0xc0 | c >> 6);
		out[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (char)(0xe0 | c >> 12);
		out[1] = (char)(0x80 | (c >> 6 & 0x3f));
		out[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | c >> 18);
	out[1] = (char)(0x80 | (c >> 12 & 0x3f));
	out[2] = (char)(0x80 | (c >> 6 & 0x3f));
	out[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

/* A canonical form is a fixed point, holds nothing that splits an address, and its DNS form
 * leads back to it. */
static unsigned check_any(struct span raw)
{
	char dns[LIMIT_DNS_NAME + 1];
	struct domain d, back;

	if (!domain_parse(raw, &d)) {
		cr_assert_not(domain_is_plain(raw));
		return 0;
	}
	check_canonical(&d);
	if (domain_is_plain(raw))
		cr_assert(span_eq(raw, domain_span(&d)));
	if (domain_to_dns(domain_span(&d), dns)) {
		cr_assert(domain_parse(span_str(dns), &back), "%s", dns);
		cr_assert_str_eq(back.text, d.text);
	}
	return 1;
}

Test(domain, every_character_alone, .timeout = 120)
{
	unsigned ok = 0;

	for (uint32_t c = 1; c < 0x110000; c += c < 0x3000 || c >= 0xf900 ? 1 : 17) {
		char raw[16] = "a";
		size_t n;

		/* Beyond the second plane there is little but unassigned space. */
		if (c >= 0x2000 + 0x10000 && c % 97 != 0)
			continue;
		n = 1 + utf8(raw + 1, c);
		memcpy(raw + n, ".test", sizeof(".test"));
		ok += check_any(span_of(raw, n + 5));
	}
	cr_assert_gt(ok, 5000);
}

Test(domain, random_names, .timeout = 120)
{
	static const uint32_t spice[] = { '.', '.', '-', 0xff0e, 0x3002, 0xad, 0x200c, 0x200d,
		0x308, 0x338, 0xdf, 0x3c2, 0x5d0, 0x627, 0xb7, 0x30fb, 0xff20, 0xff0f, '=', '@',
		'/', '%', 0 };
	uint64_t state = 20261122;
	unsigned ok = 0;

	for (int round = 0; round < 60000; round++) {
		size_t n = 0, chars = 1 + seeded(&state) % 12;
		char raw[128];

		if (seeded(&state) % 4 == 0)
			n = (size_t)sprintf(raw, "xn--");
		while (chars-- > 0) {
			uint64_t r = seeded(&state);

			if (r % 8 < 5)
				raw[n++] = "abcxyz0189kvaABZ"[r >> 8 & 15];
			else if (r % 8 == 5)
				n += utf8(raw + n, spice[(r >> 8) % ARRAY_LEN(spice)]);
			else if (r % 8 == 6)
				n += utf8(raw + n, 0x80 + (r >> 8) % 0x700);
			else
				n += utf8(raw + n, 0x800 + (r >> 8) % 0xd000);
		}
		ok += check_any(span_of(raw, n));
	}
	cr_assert_gt(ok, 3000);
}

/* Exact heap blocks: AddressSanitizer sees a byte read too far. */
Test(domain, random_bytes)
{
	uint64_t state = 7;

	for (int round = 0; round < 30000; round++) {
		size_t n = seeded(&state) % 24;
		char *raw = malloc(n ? n : 1);

		for (size_t i = 0; i < n; i++)
			raw[i] = (char)seeded(&state);
		check_any(span_of(raw, n));
		free(raw);
	}
}

static void overwrite(char *raw, const char *with)
{
	while (*with)
		*raw++ = *with++;
}

/* The longest input that libidn2 gets to see. */
Test(domain, long_names_beyond_ascii)
{
	char raw[LIMIT_DOMAIN];

	for (size_t n = 1000; n <= sizeof(raw); n++) {
		memset(raw, 'a', n);
		overwrite(raw, UE);
		check_any(span_of(raw, n));
		overwrite(raw, "xn--");
		check_any(span_of(raw, n));
		for (size_t i = 0; i + 1 < n; i += 2)
			overwrite(raw + i, UE);
		check_any(span_of(raw, n & ~(size_t)1));
	}
}
