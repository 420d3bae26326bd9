/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "core/base/limits.h"
#include "dialback/key.h"

#define A "router-cluster-secret-A"
#define B "router-cluster-secret-B"
#define ID "q7Zr0pD2mV8sK4xN"
#define V4 "ebcac7531258efda1f811cfeea7e6197cb03a2874f0c1b0b3f8f76cbdd4c63ad"
#define V5 "0d17843b3dc4de0c826f68dc2ac075a185d9186968fd6b232bcfd81cbe3ecf21"
#define V6 "f20d3b7eda1e349a686c1542784f94a6f710e03b620211a7811f7016a79f8b57"
#define V8 "6107c418a666c37c8e178ee1672a0734f82003065a2afa0e7c0c0f0a125d0bda"
#define V9 "121d39076be902c52ed3ca4ff1596205a64a063b050bebee271d1586dce7c951"

static struct secrets *secrets_of(const char *text)
{
	const char *why = NULL;
	struct secrets *s = secrets_parse(span_str(text), &why);

	cr_assert_not_null(s, "%s", why);
	return s;
}

static bool check(const struct secrets *s, const char *receiving, const char *originating,
	const char *id, const char *key)
{
	return key_check(s, span_str(receiving), span_str(originating), span_str(id),
		span_str(key));
}

Test(key, T_K1_T_K2_T_K3_T_K4_T_K5_T_K6_T_K7_T_K8_T_K9_vectors)
{
	static const struct {
		const char *secret, *receiving, *originating, *id, *key;
	} row[] = {
		{ "s3cr3tf0rd14lb4ck", "xmpp.example.com", "example.org", "D60000229F",
			"37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643" },
		{ "s3cr3tf0rd14lb4ck", "montague.example", "capulet.example", "D60000229F",
			"b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3" },
		{ "d14lb4ck43v3r", "capulet.example", "montague.example", "417GAF25",
			"225cc5aa6a071133249d25fef42ae516fc7a86c523aa1c6980a7f73e784c972d" },
		{ A, "rx.peer.test", "shop.hosted.test", ID, V4 },
		{ A, "rx.peer.test", "bank.hosted.test", ID, V5 },
		{ A, "muc.rx.peer.test", "shop.hosted.test", ID, V6 },
		{ A, "rx.peer.test", "shop.hosted.test", "++TR84Sm6A3hnt3Q065SnAbbk3Y=",
			"9efea9b94e9c5c77ba47436f78b81ab0fa3569356bea7a7c02de7df931d7d22d" },
		{ A, "rx.peer.test",
			"b\xc3\xbc"
			"cher.hosted.test",
			ID, V8 },
		{ B, "rx.peer.test", "shop.hosted.test", ID, V9 },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		struct secrets *s = secrets_of(row[i].secret);
		char key[KEY_HEX + 1];

		/* Twice: the precomputed state must not wear off. */
		for (int n = 0; n < 2; n++) {
			key_make(s, span_str(row[i].receiving), span_str(row[i].originating),
				span_str(row[i].id), key);
			cr_expect_str_eq(key, row[i].key, "V%zu", i + 1);
		}
		cr_expect(check(s, row[i].receiving, row[i].originating, row[i].id, row[i].key));
		secrets_free(s);
	}
}

/* T-K10: raw digest as HMAC key, upper case K, domain not canonical, A-label */
Test(key, T_K10_negative_vectors)
{
	static const char *const wrong[] = {
		"c1addbfb145748cecf12d897abaab550fa3c860f934787a96e8ffba8b676cab0",
		"b8d238ed9404d4856a5de4125b998c70118787db729985cf06dc03c9f747bdb1",
		"d4e1d0517587b713035af0430df037fc7ea012f3f54e9ea1b2800f427e14d3ce",
		"4114f4f012082a03ccec20150cc35f0d1272bb2bb1aa2cf204ec1d25f1348462",
	};
	struct secrets *s = secrets_of(A);

	cr_expect(check(s, "rx.peer.test", "shop.hosted.test", ID, V4));
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", ID, wrong[i]));
		cr_expect_not(check(s, "rx.peer.test",
			"b\xc3\xbc"
			"cher.hosted.test",
			ID, wrong[i]));
	}
	secrets_free(s);
}

/* T-K11: the caller trims */
Test(key, T_K11_white_space_is_the_callers)
{
	struct secrets *s = secrets_of(A);
	const char *padded = " \n" V4 "\n ";

	cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", ID, padded));
	cr_expect(key_check(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"), SPAN_LIT(ID),
		span_trim(span_str(padded))));
	secrets_free(s);
}

Test(key, T_K12_case_matters)
{
	struct secrets *s = secrets_of(A);
	char upper[] = V4;

	for (char *p = upper; *p; p++)
		if (*p >= 'a')
			*p = (char)(*p - 32);
	cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", ID, upper));
	secrets_free(s);
}

Test(key, T_K13_other_tuples)
{
	struct secrets *s = secrets_of(A);

	cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", ID, V5));
	cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", ID, V6));
	cr_expect_not(check(s, "shop.hosted.test", "rx.peer.test", ID, V4));
	cr_expect_not(check(s, "rx.peer.test", "shop.hosted.test", "q7Zr0pD2mV8sK4xM", V4));
	secrets_free(s);
}

Test(key, presented_of_any_length)
{
	struct secrets *s = secrets_of(A);
	char text[] = V4 V4;

	for (size_t n = 0; n <= 2 * KEY_HEX; n++)
		cr_expect_eq(key_check(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"),
				     SPAN_LIT(ID), span_of(text, n)),
			n == KEY_HEX);
	cr_expect_not(key_check(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"),
		SPAN_LIT(ID), SPAN_NONE));
	for (size_t i = 0; i < KEY_HEX; i++) {
		text[i] ^= 1;
		cr_expect_not(key_check(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"),
			SPAN_LIT(ID), span_of(text, KEY_HEX)));
		text[i] ^= 1;
	}
	secrets_free(s);
}

/* CVE-2016-0756 */
Test(key, T_K17_separated)
{
	struct secrets *s = secrets_of(A);
	char a[KEY_HEX + 1], b[KEY_HEX + 1];

	key_make(s, SPAN_LIT("ab"), SPAN_LIT("c"), SPAN_LIT("i"), a);
	key_make(s, SPAN_LIT("a"), SPAN_LIT("bc"), SPAN_LIT("i"), b);
	cr_expect_str_neq(a, b);
	key_make(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"), SPAN_LIT("evil.test x"),
		a);
	key_make(s, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"), SPAN_LIT("x evil.test"),
		b);
	cr_expect_str_neq(a, b);
	secrets_free(s);
}

Test(key, T_K18_T_K19_rollover)
{
	struct secrets *both = secrets_of(B "\n" A "\n"), *only_b = secrets_of(B);
	char key[KEY_HEX + 1];

	cr_expect_eq(secrets_count(both), 2);
	cr_expect(check(both, "rx.peer.test", "shop.hosted.test", ID, V4));
	cr_expect(check(both, "rx.peer.test", "shop.hosted.test", ID, V9));
	key_make(both, SPAN_LIT("rx.peer.test"), SPAN_LIT("shop.hosted.test"), SPAN_LIT(ID), key);
	cr_expect_str_eq(key, V9);
	cr_expect_not(check(only_b, "rx.peer.test", "shop.hosted.test", ID, V4));
	secrets_free(both);
	secrets_free(only_b);
}

/* Nothing but the secret is needed. */
Test(key, T_K20_two_nodes)
{
	struct secrets *node1 = secrets_of(A), *node2 = secrets_of("  " A "\r\n");
	char key[KEY_HEX + 1];

	key_make(node1, SPAN_LIT("r.test"), SPAN_LIT("l.test"), SPAN_LIT("1"), key);
	cr_expect(check(node2, "r.test", "l.test", "1", key));
	secrets_free(node1);
	secrets_free(node2);
}

Test(key, T_K21_random_secrets_differ)
{
	struct secrets *a = secrets_random(), *b = secrets_random();
	char ka[KEY_HEX + 1], kb[KEY_HEX + 1];

	cr_expect_eq(secrets_count(a), 1);
	key_make(a, SPAN_LIT("r.test"), SPAN_LIT("l.test"), SPAN_LIT("1"), ka);
	key_make(b, SPAN_LIT("r.test"), SPAN_LIT("l.test"), SPAN_LIT("1"), kb);
	cr_expect_str_neq(ka, kb);
	secrets_free(a);
	secrets_free(b);
}

Test(secrets, files)
{
	struct secrets *s = secrets_of("# the first signs\n\n  " B " \r\n#" A "\n\t\n" A);

	cr_expect_eq(secrets_count(s), 2);
	cr_expect(check(s, "rx.peer.test", "shop.hosted.test", ID, V9));
	cr_expect(check(s, "rx.peer.test", "shop.hosted.test", ID, V4));
	secrets_free(s);
}

Test(secrets, refused)
{
	char text[LIMIT_SECRET + 2];
	const char *why = NULL;
	struct secrets *s;

	cr_expect_null(secrets_parse(SPAN_LIT(""), &why));
	cr_expect_str_eq(why, "no secret in it: openssl rand -hex 32 makes one");
	cr_expect_null(secrets_parse(SPAN_NONE, &why));
	cr_expect_null(secrets_parse(SPAN_LIT(" \n# x\n\r\n"), &why));
	cr_expect_str_eq(why, "no secret in it: openssl rand -hex 32 makes one");
	cr_expect_null(secrets_parse(SPAN_LIT("# x\n\ngood\nb\0d\n"), &why));
	cr_expect_str_eq(why, "line 4: a secret holds a NUL byte: is this a text file?");
	memset(text, 'x', sizeof(text));
	cr_expect_null(secrets_parse(span_of(text, LIMIT_SECRET + 1), &why));
	cr_expect_str_eq(why, "line 1: a secret is longer than 512 bytes");
	s = secrets_parse(span_of(text, LIMIT_SECRET), &why);
	cr_expect_not_null(s);
	secrets_free(s);
	s = secrets_of("1\n2\n3\n4\n5\n6\n7\n8\n");
	cr_expect_eq(secrets_count(s), LIMIT_SECRETS);
	secrets_free(s);
	cr_expect_null(secrets_parse(SPAN_LIT("1\n2\n3\n4\n5\n6\n7\n8\n9"), &why));
	cr_expect_str_eq(why, "line 9: more than 8 secrets");
}

/* XEP-0114's own example has no digest to check against; this one is sha1("3BF96D32secret"). */
Test(key, T_B20_handshake)
{
	char out[HANDSHAKE_HEX + 1];

	key_handshake(SPAN_LIT("3BF96D32"), SPAN_LIT("secret"), out);
	cr_expect_str_eq(out, "b09ea9b3b7f586be8a08d0a3dd7466f110aeb136");
	key_handshake(SPAN_LIT(""), SPAN_NONE, out);
	cr_expect_str_eq(out, "da39a3ee5e6b4b0d3255bfef95601890afd80709");
}

/* The examples of FIPS 180-2. */
Test(key, digest)
{
	static const unsigned char abc[] = { 0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41,
		0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a,
		0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad };
	unsigned char out[KEY_DIGEST];

	key_digest(SPAN_LIT("abc"), out);
	cr_assert_arr_eq(out, abc, KEY_DIGEST);
	key_digest(SPAN_NONE, out);
	cr_assert_eq(out[0], 0xe3);
	cr_assert_eq(out[31], 0x55);
}

Test(key, equal)
{
	cr_expect(key_equal(SPAN_LIT(""), SPAN_LIT("")));
	cr_expect(key_equal(SPAN_LIT("abc"), SPAN_LIT("abc")));
	cr_expect_not(key_equal(SPAN_LIT("abc"), SPAN_LIT("abd")));
	cr_expect_not(key_equal(SPAN_LIT("abc"), SPAN_LIT("ab")));
	cr_expect_not(key_equal(SPAN_LIT("a\0b"), SPAN_LIT("a\0c")));
}
