/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/reader.h"

#include <criterion/criterion.h>

struct seen {
	unsigned headers, elements, ends;
	char id[64], log[2048];
};

static void seen_header(void *owner, const struct reader_element *e)
{
	struct seen *s = owner;

	s->headers++;
	snprintf(s->id, sizeof(s->id), "%.60s", e->id);
}

static void seen_element(void *owner, const struct reader_element *e)
{
	struct seen *s = owner;
	size_t at = strlen(s->log);

	s->elements++;
	snprintf(s->log + at, sizeof(s->log) - at, "[%d %s %.100s>%.100s %s '%.100s' %s]",
		(int)e->ns, e->name, e->from, e->to, e->type, e->text, reader_condition(e));
}

static void seen_end(void *owner)
{
	((struct seen *)owner)->ends++;
}

static const struct reader_calls calls = { seen_header, seen_element, seen_end };

/* What servers really send: other prefixes, quotes, orders, ids, echoed keys. */
static const char stream[] =
	"<?xml version='1.0'?><stream:stream xmlns:db='jabber:server:dialback' id=\"a&amp;b&#33;\""
	" xmlns='jabber:server' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>"
	" <db:result type=\"valid\" id='x' to='d1.o.test' from=\"h.b.test\"> key\n</db:result>"
	"<d:result xmlns:d='jabber:server:dialback' from='h' to='d' type='error'><error type='auth'>"
	"<forbidden xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></d:result>"
	"<message from='a' to='b' type='error'><body>x<y/></body><error><text/><gone/></error>"
	"</message><db:verify from='q' to='r' id='1'/>"
	"<stream:error><host-gone xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>"
	"</stream:stream>";

static const char log_wanted[] =
	"[1 features >  '' starttls][2 result h.b.test>d1.o.test valid 'key'"
	" undefined-condition][2 result h>d error '' forbidden][0 message a>b error '' gone]"
	"[2 verify q>r  '' undefined-condition][1 error >  '' host-gone]";

static struct seen feed(size_t first, size_t chunk)
{
	struct seen s = { 0 };
	struct reader *r = reader_new(&calls, &s);
	size_t len = strlen(stream), at = first;

	cr_assert(!first || reader_feed(r, stream, first));
	while (at < len) {
		size_t n = len - at < chunk ? len - at : chunk;

		cr_assert(reader_feed(r, stream + at, n));
		at += n;
	}
	reader_free(r);
	return s;
}

static void check(const struct seen *s, size_t cut)
{
	cr_expect_eq(s->headers, 1);
	cr_expect_eq(s->ends, 1);
	cr_expect_str_eq(s->id, "a&b!");
	cr_expect_str_eq(s->log, log_wanted, "cut at %zu: %s", cut, s->log);
}

Test(reader, cut_anywhere)
{
	for (size_t cut = 0; cut < strlen(stream); cut++) {
		struct seen s = feed(cut, 100000);

		check(&s, cut);
	}
}

Test(reader, chunks_of_any_size)
{
	for (size_t chunk = 1; chunk < 40; chunk++) {
		struct seen s = feed(0, chunk);

		check(&s, chunk);
	}
}

/* An answer must be seen when its last byte has come, not with the next one. */
Test(reader, element_is_reported_at_its_end)
{
	static const char *const parts[] = {
		"<s:s xmlns:s='http://etherx.jabber.org/streams' id='1'>",
		"<a/>",
		"<b>t</b>",
		"<c from='x'><d/></c>",
	};
	struct seen s = { 0 };
	struct reader *r = reader_new(&calls, &s);

	for (unsigned i = 0; i < 4; i++) {
		reader_feed(r, parts[i], strlen(parts[i]));
		cr_expect_eq(s.elements, i);
		cr_expect_eq(s.headers, 1);
	}
	reader_free(r);
}

Test(reader, broken_stays_broken)
{
	struct seen s = { 0 };
	struct reader *r = reader_new(&calls, &s);

	cr_expect(reader_feed(r, "<s id='1'>", 10));
	cr_expect_not(reader_feed(r, "</t>", 4));
	cr_expect_not(reader_feed(r, "<a/>", 4));
	cr_expect_eq(s.elements, 0);
	reader_free(r);
}

Test(reader, long_values_are_cut)
{
	struct seen s = { 0 };
	struct reader *r = reader_new(&calls, &s);
	char *long_one = bench_alloc(1, 100001);

	memset(long_one, 'k', 100000);
	reader_feed(r, "<s id='1'><a from='", 19);
	reader_feed(r, long_one, 100000);
	reader_feed(r, "'>", 2);
	reader_feed(r, long_one, 100000);
	cr_expect(reader_feed(r, "</a>", 4));
	cr_expect_eq(s.elements, 1);
	reader_free(r);
	free(long_one);
}
