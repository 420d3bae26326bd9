/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What we forward, and what we answer, read again by libxml2 and expat: below the
 * header of a link of any content namespace they find the tree that came, but for
 * what rules 7.6 and 8.6 change; and in an error nothing but what template B9 has.
 */
#include <criterion/criterion.h>

#include "core/forward.h"
#include "core/negotiate.h"
#include "tests/oracle/expat.h"
#include "tests/oracle/libxml2.h"
#include "tests/unit/core/stanzas.h"

#define ROUNDS 2000 /* for each stream that stanzas come on */
#define BY "edge.router.test"
#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

/* Headers of links on which stanzas leave. */
static const struct link {
	const char *header, *content;
} links[] = {
	{ "<stream:stream xmlns='" NS_COMPONENT "' xmlns:stream='" NS_STREAMS "'>", NS_COMPONENT },
	{ "<stream:stream xmlns='" NS_SERVER "' xmlns:stream='" NS_STREAMS
	  "' xmlns:db='" NS_DIALBACK "'>",
		NS_SERVER },
	{ "<stream:stream xmlns='jabber:client' xmlns:stream='" NS_STREAMS "'>", "jabber:client" },
};

struct bench {
	struct oracle_expat *expat;
	struct reading by_libxml2, by_expat;
	struct stanza stanza;
	char document[2 * STANZAS_MAX], bytes[2 * STANZAS_MAX], output[2 * STANZAS_MAX];
	unsigned forwarded, returned, answered, in_pieces;
};

static struct bench *bench_open(void)
{
	struct bench *b = calloc(1, sizeof(*b));

	b->expat = oracle_expat_new();
	return b;
}

static void bench_close(struct bench *b)
{
	oracle_expat_free(b->expat);
	reading_free(&b->by_libxml2);
	reading_free(&b->by_expat);
	stanzas_free(&b->stanza);
	free(b);
}

static void same_events(const struct reading *r, const struct events *want, const char *who,
	struct span document)
{
	static char got[65536], wanted[65536];

	cr_assert(r->accepted && !r->stray, "%s: %s\n%.*s", who, r->why, (int)document.n,
		document.p);
	cr_assert_eq(r->n, 1, "%s reads %u elements: %.*s", who, r->n, (int)document.n, document.p);
	if (r->events.n == want->n && memcmp(r->events.p, want->p, want->n) == 0)
		return;
	events_print(span_of(r->events.p, r->events.n), got, sizeof(got));
	events_print(span_of(want->p, want->n), wanted, sizeof(wanted));
	cr_assert_fail("%s: %.*s\nreads%s\nnot%s", who, (int)document.n, document.p, got, wanted);
}

/* Both parsers find just this between header and end. */
static void reads_as(struct bench *b, const char *header, struct span xml, const char *end,
	const struct events *want)
{
	struct writer w = WRITER(b->document);
	struct span document;

	writer_lit(&w, header);
	writer_raw(&w, xml);
	writer_lit(&w, end);
	cr_assert_not(w.overflow);
	document = writer_span(&w);
	oracle_libxml2_read(document, &b->by_libxml2);
	same_events(&b->by_libxml2, want, "libxml2", document);
	oracle_expat_read(b->expat, document, &b->by_expat);
	same_events(&b->by_expat, want, "expat", document);
}

/* -- forwarding -- */

/* Our own scanner takes it as well, below our own header, and it borrows nothing from that. */
static void is_context_free(struct bench *b, const struct link *to, size_t n)
{
	struct scan *s = scan_new(LIMIT_STANZA + FORWARD_GROWTH);
	size_t head = strlen(to->header);
	struct frame f;

	memset(b->output + n, 0, SCAN_PAD);
	memset(b->document, 0, head + SCAN_PAD);
	memcpy(b->document, to->header, head);
	cr_assert_eq(scan(s, b->document, head, &f), SCAN_HEADER);
	cr_assert_eq(scan(s, b->output, n, &f), SCAN_FRAME, "%s: %s", scan_reason(s), b->output);
	cr_assert_eq(f.len, n);
	cr_assert_eq(f.root_prefixes, 0, "%s", b->output);
	cr_assert_leq(f.kind, FRAME_IQ, "%s", b->output);
	scan_free(s);
}

static void goes_out(struct bench *b, const struct link *to, const struct splice *edits)
{
	struct span pieces[SPLICE_PIECES];
	unsigned n = splice_pieces(edits, pieces);
	struct writer w = WRITER(b->output);

	for (unsigned i = 0; i < n; i++)
		writer_raw(&w, pieces[i]);
	cr_assert_not(w.overflow);
	cr_assert_leq(w.n, edits->f->len + FORWARD_GROWTH);
	is_context_free(b, to, w.n);
	reads_as(b, to->header, writer_span(&w), "</stream:stream>", &b->stanza.arrives);
	b->forwarded++;
	b->in_pieces += n > 1;
}

static unsigned times(struct span in, const char *word)
{
	const char *at = in.p;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(in.p + in.n - at), word, strlen(word)))) {
		at++;
		n++;
	}
	return n;
}

/* The error that the rules have for it; STANZA_ERRORS: none. */
static enum stanza_error fault_wanted(const struct stanza *s)
{
	unsigned borrowed = (unsigned)__builtin_popcount(s->borrowed);

	if (s->odd_prefix || s->redeclared > FRAME_REDECLARED || s->attrs > LIMIT_ATTRS)
		return STANZA_POLICY_VIOLATION;
	if (borrowed && times(writer_span(&s->xml), "xmlns") + borrowed + 3 > LIMIT_PREFIXES)
		return STANZA_POLICY_VIOLATION;
	if (strcmp(s->kind, "iq") == 0 && (!s->type || strcmp(s->type, "bogus") == 0))
		return STANZA_BAD_REQUEST;
	return s->from.bad || s->to.bad ? STANZA_JID_MALFORMED : STANZA_ERRORS;
}

/* The ways of core/router.c: as it is, with other domains, with other addresses. */
static void forward(struct bench *b, const struct link *to, const struct scan *s, struct span lang,
	const struct frame *f)
{
	static char text[FORWARD_ROOM];
	const struct stanza *stanza = &b->stanza;
	enum stanza_error want = fault_wanted(stanza);
	struct writer room = WRITER(text);
	const struct forward_fault *fault;
	struct address a_from, a_to;
	struct jid from, j_to;
	struct splice edits;

	cr_assert(address_read(&a_from, f->from) && address_read(&a_to, f->to));
	forward_begin(&edits, f, s, lang);
	fault = forward_fault(&edits, &a_from.jid, &a_to.jid);
	cr_assert_eq(fault ? fault->error : STANZA_ERRORS, want, "%s: %.*s",
		fault ? fault->why : "no fault", (int)f->len, f->p);
	if (fault) {
		b->returned++;
		return;
	}
	forward_addresses(&edits, &room, &a_from, &a_to);
	goes_out(b, to, &edits);
	if (f->flags & FRAME_ADDR_DECODED)
		return;
	cr_assert(jid_split(f->from, &from) && jid_split(f->to, &j_to));
	forward_begin(&edits, f, s, lang);
	cr_assert_null(forward_fault(&edits, &from, &j_to));
	forward_domains(&edits, &from, domain_span(&a_from.domain), &j_to,
		domain_span(&a_to.domain));
	goes_out(b, to, &edits);
	if (stanza->from.spelled || stanza->to.spelled)
		return;
	forward_begin(&edits, f, s, lang);
	goes_out(b, to, &edits);
}

/* -- errors -- */

static bool is_one_of(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, list[i]) == 0)
			return true;
	return false;
}

/* 8.5: to whom and to what there is no answer. */
static bool answer_wanted(const struct stanza *s)
{
	static const char *const never[] = { "error", "result", "unavailable", "unsubscribed" };

	return !s->from.bad && !(s->type && is_one_of(s->type, never, ARRAY_LEN(never)));
}

static void attr(struct events *e, const char *name, const char *value)
{
	if (value)
		events_attr(e, SPAN_LIT(""), span_str(name), SPAN_LIT(""), span_str(value));
}

/* Template B9, by hand. */
static void answer_events(struct events *e, const struct stanza *s, const char *content,
	enum stanza_error error, const char *text)
{
	const struct span none = SPAN_LIT(""), ns = SPAN_LIT(NS_STANZAS);

	events_clear(e);
	events_start(e, span_str(content), span_str(s->kind), none);
	attr(e, "from", s->to.bad ? s->to.domain : s->to.canonical);
	attr(e, "to", s->from.canonical);
	attr(e, "id", s->id);
	attr(e, "type", "error");
	events_start(e, span_str(content), SPAN_LIT("error"), none);
	attr(e, "type", stanza_error_type(error));
	if (error != STANZA_TOO_BIG)
		attr(e, "by", BY);
	events_start(e, ns, span_str(stanza_error_name(error)), none);
	events_end(e);
	if (text) {
		events_start(e, ns, SPAN_LIT("text"), none);
		events_attr(e, SPAN_LIT("http://www.w3.org/XML/1998/namespace"), SPAN_LIT("lang"),
			SPAN_LIT("xml"), SPAN_LIT("en"));
		events_text(e, span_str(text));
		events_end(e);
	}
	events_end(e);
	events_end(e);
}

static void answer(struct bench *b, const struct frame *f, unsigned round)
{
	static const char *const texts[] = { NULL, "the queue is full", "]]>&<'\"" };
	const char *text = texts[round % ARRAY_LEN(texts)];
	enum stanza_error error = (enum stanza_error)(round % STANZA_ERRORS);
	struct writer w = WRITER(b->output);
	bool answered = bounce_write(&w, f, error, SPAN_LIT(BY), span_str(text));
	struct events want = { 0 };

	cr_assert_eq(answered, answer_wanted(&b->stanza), "%.*s", (int)f->len, f->p);
	if (!answered)
		return;
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		answer_events(&want, &b->stanza, links[i].content, error, text);
		reads_as(b, links[i].header, writer_span(&w), "</stream:stream>", &want);
	}
	events_free(&want);
	b->answered++;
}

/* -- all of them -- */

/* What a stream's header says, as the router keeps it. */
static struct scan *stream_open(struct bench *b, const struct stanzas_root *root, struct lang *lang)
{
	struct scan *s = scan_new(LIMIT_STANZA);
	size_t n = strlen(root->header);
	struct frame f;

	memset(b->document, 0, n + SCAN_PAD);
	memcpy(b->document, root->header, n);
	cr_assert_eq(scan(s, b->document, n, &f), SCAN_HEADER, "%s", root->header);
	cr_assert(span_is(scan_root_content_ns(s), root->content), "%s", root->header);
	lang_keep(lang, span_str(root->lang));
	return s;
}

static void one_round(struct bench *b, struct scan *s, const struct stanzas_root *root,
	const struct lang *lang, unsigned round)
{
	const struct link *to = &links[round % ARRAY_LEN(links)];
	struct frame f;
	size_t n;

	stanzas_make(&b->stanza, round, root, to->content);
	n = b->stanza.xml.n;
	/* First of all, what the generator says of it must be so. */
	reads_as(b, root->header, writer_span(&b->stanza.xml), root->end, &b->stanza.came);
	memcpy(b->bytes, b->stanza.text, n);
	memset(b->bytes + n, '>', SCAN_PAD);
	cr_assert_eq(scan(s, b->bytes, n, &f), SCAN_FRAME, "%s: %.*s", scan_reason(s), (int)n,
		b->bytes);
	cr_assert_eq(f.len, n);
	forward(b, to, s, lang_span(lang), &f);
	answer(b, &f, round);
}

static void all_rounds(unsigned root)
{
	struct bench *b = bench_open();
	struct lang lang;
	struct scan *s = stream_open(b, &stanzas_roots[root], &lang);

	for (unsigned round = 0; round < ROUNDS; round++)
		one_round(b, s, &stanzas_roots[root], &lang, round);
	/* Each kind must be frequent, or this shows nothing. */
	cr_expect_gt(b->forwarded, ROUNDS / 2, "%u", b->forwarded);
	cr_expect_gt(b->in_pieces, ROUNDS / 4, "%u", b->in_pieces);
	cr_expect_gt(b->returned, ROUNDS / 50, "%u", b->returned);
	cr_expect_gt(b->answered, ROUNDS / 4, "%u", b->answered);
	scan_free(s);
	bench_close(b);
}

Test(splice_tree, all_roots_are_here)
{
	cr_assert_eq(stanzas_n_roots, 6);
}

Test(splice_tree, a_server_T_G16_T_G30, .timeout = 120)
{
	all_rounds(0);
}

Test(splice_tree, a_server_with_language_and_prefixes_T_G13_T_G18, .timeout = 120)
{
	all_rounds(1);
}

Test(splice_tree, a_server_without_prefix_T_G17, .timeout = 120)
{
	all_rounds(2);
}

Test(splice_tree, a_server_with_prefix_and_without_content_T_G17, .timeout = 120)
{
	all_rounds(3);
}

Test(splice_tree, a_component_T_G27, .timeout = 120)
{
	all_rounds(4);
}

Test(splice_tree, a_component_with_language_and_prefixes_T_G18, .timeout = 120)
{
	all_rounds(5);
}
