/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Addresses: the first byte chooses what the others are.
 *
 * A raw attribute value: decoding never writes beyond its room, needs none beyond
 * the raw length, and refuses one byte less than it needs. An address: its parts
 * put together again are the address, and splitting them splits the same. A domain:
 * the canonical form is its own canonical form, so are its A-label form's and those
 * of other spellings of the same name.
 */
#include "core/base/domain.h"
#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"
#include "xml/jid.h"

/* -- attribute values -- */

static void value(struct span raw)
{
	char *room = mem_alloc(raw.n + 1); /* of that size, so that sanitizers see more */
	char *less;
	size_t n, again;

	if (!jid_decode(raw, room, raw.n, &n)) {
		/* A broken reference, then; the scanner lets none through. */
		if (span_find(raw, '&') == raw.n)
			fuzz_found("value refused");
		mem_free(room);
		return;
	}
	if (n > raw.n)
		fuzz_found("value longer than it was raw");
	less = mem_alloc(n + 1);
	if (!jid_decode(raw, less, n, &again) || again != n || memcmp(less, room, n) != 0)
		fuzz_found("value refused in the room that it needs");
	if (n && jid_decode(raw, less, n - 1, &again))
		fuzz_found("value in less room than it needs");
	mem_free(less);
	mem_free(room);
}

/* -- addresses -- */

static size_t put(char *to, size_t n, struct span s)
{
	memcpy(to + n, s.p, s.n);
	return n + s.n;
}

static void address(struct span s)
{
	char text[LIMIT_JID + 1];
	struct jid jid, again;
	size_t n = 0;

	if (!jid_split(s, &jid)) {
		if (jid_domain(s).n)
			fuzz_found("a domain of no address");
		return;
	}
	if (!span_eq(jid_domain(s), jid.domain))
		fuzz_found("jid_domain and jid_split differ");
	if (jid.local.p) {
		n = put(text, n, jid.local);
		text[n++] = '@';
	}
	n = put(text, n, jid.domain);
	if (jid.resource.p) {
		text[n++] = '/';
		n = put(text, n, jid.resource);
	}
	if (!span_eq(span_of(text, n), s))
		fuzz_found("the parts are not the address");
	if (span_find(jid.domain, '/') < jid.domain.n || span_find(jid.local, '/') < jid.local.n)
		fuzz_found("split behind the first '/'");
	if (!jid_split(span_of(text, n), &again) || !span_eq(again.domain, jid.domain) ||
		!span_eq(again.local, jid.local) || !span_eq(again.resource, jid.resource))
		fuzz_found("the same address splits differently");
	if (jid_parts_valid(&jid) && memchr(s.p, '\0', jid.local.p ? jid.local.n : 0))
		fuzz_found("NUL in a valid localpart");
}

/* -- domains -- */

static void same_domain(struct span raw, const struct domain *canon, const char *what)
{
	struct domain d;

	if (!domain_parse(raw, &d) || !span_eq(domain_span(&d), domain_span(canon)))
		fuzz_found(what);
}

static void domain(struct span raw)
{
	char dns[LIMIT_DNS_NAME + 1], *loud;
	struct domain canon;

	if (!domain_parse(raw, &canon)) {
		if (domain_is_plain(raw))
			fuzz_found("in canonical form, but refused");
		return;
	}
	if (canon.len == 0 || canon.len > LIMIT_DOMAIN || canon.text[canon.len] != '\0' ||
		memchr(canon.text, '\0', canon.len))
		fuzz_found("length of the canonical form");
	same_domain(domain_span(&canon), &canon, "the canonical form has another one");
	if (domain_is_plain(raw) && !span_eq(raw, domain_span(&canon)))
		fuzz_found("in canonical form, but changed");
	loud = mem_alloc(raw.n);
	for (size_t i = 0; i < raw.n; i++)
		loud[i] = raw.p[i] >= 'a' && raw.p[i] <= 'z' ? (char)(raw.p[i] - 32) : raw.p[i];
	same_domain(span_of(loud, raw.n), &canon, "case matters");
	mem_free(loud);
	if (domain_to_dns(domain_span(&canon), dns)) {
		if (strlen(dns) > LIMIT_DNS_NAME)
			fuzz_found("a name too long for DNS");
		same_domain(span_str(dns), &canon, "the A-label form is of another name");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const kinds[])(struct span) = { value, address, domain };
	char *copy;

	if (size < 2 || size > 2 * LIMIT_ATTR_VALUE)
		return 0;
	/* Exactly as long as it is, for the sanitizers. */
	copy = mem_alloc(size - 1);
	memcpy(copy, data + 1, size - 1);
	kinds[data[0] % ARRAY_LEN(kinds)](span_of(copy, size - 1));
	mem_free(copy);
	return 0;
}
