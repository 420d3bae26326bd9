/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of an answer: nothing that is in them is believed, nothing beyond them is read. */
#include <criterion/criterion.h>

#include "core/base/limits.h"
#include "fake_dns.h"
#include "net/dns_message.h"

/* Parses an exact copy, so that the sanitizer sees every byte read beyond it. */
static struct dns_parsed parse(enum dns_type type, const uint8_t *p, size_t n,
	union dns_records *records)
{
	static uint8_t packed[DNS_PACKED_MAX];
	uint8_t *copy = malloc(n ? n : 1);
	struct dns_parsed out;

	cr_assert_not_null(copy);
	memcpy(copy, p, n);
	out = dns_message_parse(type, copy, n, packed);
	free(copy);
	cr_assert_leq(out.used, sizeof(packed));
	cr_assert_leq(out.n, LIMIT_DNS_RECORDS);
	cr_assert_eq(out.n > 0, out.status == DNS_FOUND);
	cr_assert(out.ttl >= LIMIT_DNS_TTL_MIN_S && out.ttl <= LIMIT_DNS_TTL_MAX_S);
	dns_records_unpack(type, packed, out.n, records);
	for (unsigned i = 0; type == DNS_SRV && i < out.n; i++)
		cr_assert_leq(strlen(records->srv[i].target), LIMIT_DNS_NAME);
	return out;
}

/* An answer of two service records, the second with a compressed target, and a SOA. */
static void message_build(struct fake_out *o)
{
	static const struct fake_row row = { "s.a.test", T_SRV, 0, 77, "1 2 5269 Host.A.test" };

	o->n = dns_question_write(DNS_SRV, SPAN_LIT("s.a.test"), false, o->p);
	cr_assert_eq(o->n, 12 + 10 + 4);
	o->p[2] = 0x81;
	o->p[7] = 2;
	o->p[9] = 1;
	fake_record(o, &row);
	fake_record(o, &row);
	o->n -= 13; /* "Host.A.test" and its end */
	fake_bytes(o, "\3two\300\016", 6); /* points at "a.test" of the question */
	o->p[o->n - 13] = 12; /* rdlength */
	fake_soa(o, 60);
}

Test(dns_message, with_compressed_target)
{
	static struct fake_out o;
	static union dns_records r;
	struct dns_parsed a;

	message_build(&o);
	a = parse(DNS_SRV, o.p, o.n, &r);
	cr_assert_eq(a.status, DNS_FOUND);
	cr_assert_eq(a.n, 2);
	cr_assert_eq(a.ttl, 77);
	cr_assert_str_eq(r.srv[0].target, "host.a.test");
	cr_assert_str_eq(r.srv[1].target, "two.a.test");
	cr_assert_eq(r.srv[1].port, 5269);
}

Test(dns_message, cut_anywhere_is_a_failure)
{
	static struct fake_out o;
	static union dns_records r;
	size_t soa;

	message_build(&o);
	soa = 2 + 10 + 22; /* a cut in the authority section loses no answer */
	for (size_t n = 0; n < o.n - soa; n++)
		cr_assert_eq(parse(DNS_SRV, o.p, n, &r).status, DNS_FAILED, "cut at %zu", n);
	for (size_t n = o.n - soa; n <= o.n; n++)
		cr_assert_eq(parse(DNS_SRV, o.p, n, &r).n, 2, "cut at %zu", n);
}

Test(dns_message, with_any_byte_changed_breaks_nothing)
{
	static struct fake_out o;
	static union dns_records r;

	message_build(&o);
	for (size_t at = 0; at < o.n; at++) {
		uint8_t was = o.p[at];

		for (unsigned v = 0; v < 256; v++) {
			o.p[at] = (uint8_t)v;
			parse(DNS_SRV, o.p, o.n, &r);
			parse(DNS_AAAA, o.p, o.n, &r);
		}
		o.p[at] = was;
	}
}

Test(dns_message, targets_that_are_no_host_names_are_dropped)
{
	static const char *const targets[] = { "a\\b.test", "a b.test", "a\xff.test", "a/b.test" };
	static union dns_records r;

	for (unsigned i = 0; i < ARRAY_LEN(targets); i++) {
		static struct fake_out o;
		struct fake_row row = { "s.a.test", T_SRV, 0, 77, "1 2 5269 good.test" };

		o.n = dns_question_write(DNS_SRV, SPAN_LIT("s.a.test"), false, o.p);
		o.p[7] = 2;
		fake_record(&o, &row);
		fake_record(&o, &row);
		o.n -= 11; /* "good.test" and its end */
		fake_name(&o, targets[i]);
		o.p[o.n - strlen(targets[i]) - 2 - 7] = (uint8_t)(6 + strlen(targets[i]) + 2);
		cr_assert_eq(parse(DNS_SRV, o.p, o.n, &r).n, 1, "%s", targets[i]);
		cr_assert_str_eq(r.srv[0].target, "good.test");
	}
}
