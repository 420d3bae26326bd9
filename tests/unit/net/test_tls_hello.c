/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "core/base/limits.h"
#include "net/tls_hello.h"
#include "tls_pair.h"
#include "zoo.h"

TestSuite(tls_hello, .timeout = 60);

static char name[TLS_NAME_MAX];
static size_t name_n;

/* In a block of just that size, so that the sanitizer sees a byte read beyond it. */
static enum tls_hello hello_read(struct span s)
{
	char *p = malloc(s.n ? s.n : 1);
	enum tls_hello r;

	if (s.n)
		memcpy(p, s.p, s.n);
	r = tls_hello_read(span_of(p, s.n), name, &name_n);
	free(p);
	return r;
}

/* What the engine itself sends first. */
static struct span hello_make(struct span server_name)
{
	static char out[4096];
	struct tls_io io = { .out = out, .out_room = sizeof(out) };
	struct tls_setup *s = setup_open(NULL, NULL);
	struct tls *t = tls_open(s, server_name, true, SPAN_NONE);

	cr_assert_eq(tls_handshake(t, &io), TLS_NEED_INPUT);
	tls_free(t);
	tls_setup_unref(s);
	return span_of(out, io.out_n);
}

Test(tls_hello, the_name_is_found)
{
	cr_assert_eq(hello_read(hello_make(SPAN_LIT("a.test"))), TLS_HELLO_WHOLE);
	cr_assert(span_is(span_of(name, name_n), "a.test"));
	cr_assert_eq(hello_read(hello_make(SPAN_NONE)), TLS_HELLO_WHOLE);
	cr_assert_eq(name_n, 0);
}

Test(tls_hello, every_beginning_is_a_part)
{
	struct span hello = hello_make(SPAN_LIT("a.test"));

	for (size_t i = 0; i < hello.n; i++)
		cr_assert_eq(hello_read(span_of(hello.p, i)), TLS_HELLO_PART, "%zu", i);
}

/* The message in records of that many bytes each. */
static struct span hello_split(struct span hello, size_t piece)
{
	static char out[65536];
	size_t n = 0;

	for (struct span s = span_skip(hello, 5); s.n;) {
		size_t k = s.n < piece ? s.n : piece;

		memcpy(out + n, "\x16\x03\x01", 3);
		out[n + 3] = (char)(k >> 8);
		out[n + 4] = (char)k;
		memcpy(out + n + 5, s.p, k);
		n += 5 + k;
		s = span_skip(s, k);
	}
	return span_of(out, n);
}

Test(tls_hello, in_many_records)
{
	static const size_t pieces[] = { 1, 2, 3, 4, 5, 50, 100 };
	struct span hello = hello_make(SPAN_LIT("a.test"));

	for (size_t i = 0; i < ARRAY_LEN(pieces); i++) {
		cr_assert_eq(hello_read(hello_split(hello, pieces[i])), TLS_HELLO_WHOLE);
		cr_assert(span_is(span_of(name, name_n), "a.test"), "%zu", pieces[i]);
	}
}

Test(tls_hello, what_is_no_hello)
{
	static const struct span others[] = {
		{ "<", 1 }, { "\x17", 1 }, { "\x16\x03\x01\0\0", 5 }, /* an empty record */
		{ "\x16\x03\x01\0\1\2", 6 }, /* a ServerHello */
		{ "\x16\x03\x01\xff\xff", 5 }, /* too long a record */
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		cr_assert_eq(hello_read(others[i]), TLS_HELLO_OTHER, "%zu", i);
	cr_assert_eq(hello_read(SPAN_LIT("\x16\x03\x01\0\4\1\xff\xff\xff\x16\x03\x01\x40\0")),
		TLS_HELLO_OTHER, "a message that announces more than there may be");
}

Test(tls_hello, changed_bytes)
{
	struct span hello = hello_make(SPAN_LIT("a.test"));
	char copy[4096];

	for (size_t i = 5; i < hello.n; i++) {
		for (unsigned value = 0; value < 256; value++) {
			memcpy(copy, hello.p, hello.n);
			copy[i] = (char)value;
			(void)hello_read(span_of(copy, hello.n));
			cr_assert_leq(name_n, sizeof(name));
		}
	}
}

/* Never a hash that is broken in what we offer to verify, nor a group or suite beyond the profile. */
Test(tls_hello, our_own_is_of_the_profile)
{
	struct span s = span_skip(hello_make(SPAN_NONE), 5 + 4 + 2 + 32), list;
	size_t n;

	s = span_skip(s, 1 + (size_t)(unsigned char)s.p[0]);
	n = (size_t)((unsigned char)s.p[0] << 8 | (unsigned char)s.p[1]);
	for (size_t i = 0; i < n; i += 2) {
		const unsigned char *suite = (const unsigned char *)s.p + 2 + i;
		bool tls13 = suite[0] == 0x13 && suite[1] >= 1 && suite[1] <= 3;
		bool gcm = suite[0] == 0xc0 &&
			(suite[1] == 0x2b || suite[1] == 0x2c || suite[1] == 0x2f ||
				suite[1] == 0x30);
		bool chacha = suite[0] == 0xcc && (suite[1] == 0xa8 || suite[1] == 0xa9);
		bool signal = suite[0] == 0 && suite[1] == 0xff; /* no renegotiation, RFC 5746 */

		cr_assert(tls13 || gcm || chacha || signal, "%02x%02x", suite[0], suite[1]);
	}
	s = span_skip(s, 2 + n);
	cr_assert_eq(s.p[0], 1, "one compression method");
	cr_assert_eq(s.p[1], 0, "which is none");
	for (s = span_skip(s, 4); s.n; s = span_skip(s, list.n)) {
		unsigned type = (unsigned)((unsigned char)s.p[0] << 8 | (unsigned char)s.p[1]);

		n = (size_t)((unsigned char)s.p[2] << 8 | (unsigned char)s.p[3]);
		list = span_of(s.p, 4 + n);
		for (size_t i = 6; type == 13 && i < list.n; i += 2)
			cr_assert((unsigned char)list.p[i] >= 4, "a signature with %02x%02x",
				(unsigned char)list.p[i], (unsigned char)list.p[i + 1]);
		for (size_t i = 6; type == 10 && i < list.n; i += 2)
			cr_assert(list.p[i] == 0 &&
				(list.p[i + 1] == 23 || list.p[i + 1] == 24 ||
					list.p[i + 1] == 29));
		cr_assert_neq(type, 42, "0-RTT");
		cr_assert_neq(type, 49, "post-handshake authentication");
	}
}
