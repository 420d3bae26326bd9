/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/oracle/differ.h"

#include "core/base/mem.h"
#include "tests/oracle/agree.h"
#include "tests/oracle/expat.h"
#include "tests/oracle/libxml2.h"
#include "tests/oracle/tree.h"
#include "tests/oracle/walk.h"
#include "xml/element.h"

struct differ {
	struct element_parser *ep; /* the product's own use of libxml2 */
	struct oracle_expat *expat;
	struct guard guard;
	struct reading by_libxml2, by_expat;
	char *text, *doc; /* DIFFER_MOST each */
	struct differ_stats stats;
};

struct differ *differ_new(void)
{
	struct differ *d = mem_zalloc(sizeof(*d));

	d->ep = element_parser_new(); /* first: it sets libxml2's memory functions */
	d->expat = oracle_expat_new();
	guard_open(&d->guard, DIFFER_MOST);
	d->text = mem_alloc(DIFFER_MOST);
	d->doc = mem_alloc(DIFFER_MOST);
	return d;
}

void differ_free(struct differ *d)
{
	reading_free(&d->by_libxml2);
	reading_free(&d->by_expat);
	guard_close(&d->guard);
	oracle_expat_free(d->expat);
	element_parser_free(d->ep);
	mem_free(d->text);
	mem_free(d->doc);
	mem_free(d);
}

struct differ_stats differ_stats(const struct differ *d)
{
	return d->stats;
}

static bool refused(const char *by, const struct reading *r, struct complaint *c)
{
	return complain(c, "%s refuses what the scanner accepts: %s", by, r->why);
}

/* -- cuts -- */

static bool walk_again(struct differ *d, const struct walk *whole, const struct walk_way *way,
	struct complaint *c)
{
	struct complaint what;
	struct walk other;
	bool same = walk_take(&other, &d->guard, whole->input, way, &what) &&
		walk_same(whole, &other, &what);

	walk_free(&other);
	if (same)
		return true;
	return complain(c, "%s, cut %d (first %zu, seed %#llx): %s",
		walk_machine_name(way->machine), way->cut, way->first,
		(unsigned long long)way->seed, what.text);
}

/* from: no cut before it is of interest. */
static bool cuts_agree(struct differ *d, const struct walk *whole, uint32_t max, size_t from,
	uint64_t seed, struct complaint *c)
{
	struct walk_way way = { .max = max, .seed = seed };
	size_t n = whole->input.n;

	for (way.machine = 0; way.machine < walk_machines(); way.machine++) {
		way.cut = WALK_WHOLE;
		if (!walk_again(d, whole, &way, c))
			return false;
		way.cut = WALK_RANDOM;
		way.first = 1 + (seed >> 8 & 0x7f);
		if (!walk_again(d, whole, &way, c))
			return false;
	}
	/* What differs between the machines is the skips alone: one of them may do the rest. */
	way.machine = (unsigned)(seed % walk_machines());
	way.cut = WALK_BYTES;
	if (!walk_again(d, whole, &way, c))
		return false;
	way.cut = WALK_TWO;
	for (way.first = from + 1; n - from <= DIFFER_EVERY_CUT && way.first < n; way.first++)
		if (!walk_again(d, whole, &way, c))
			return false;
	return true;
}

/* -- elements -- */

/* Ends the document of which d->doc has n bytes as a stream ends. */
static struct span document_end(struct differ *d, size_t n, const struct walk *w)
{
	struct span root = scan_root_name(w->scan);

	memcpy(d->doc + n, "</", 2);
	memcpy(d->doc + n + 2, root.p, root.n);
	d->doc[n + 2 + root.n] = '>';
	return span_of(d->doc, n + root.n + 3);
}

/*
 * The stream as far as it was accepted, in d->doc. Elements that have a name of the
 * fifth edition are left out for expat: blanks, so that all offsets stay.
 */
static struct span document(struct differ *d, const struct walk *w, bool for_expat)
{
	memcpy(d->doc, w->input.p, w->consumed);
	for (unsigned i = 0; for_expat && i < w->n; i++) {
		const struct frame *f = &w->item[i].frame;

		if (w->item[i].result == SCAN_FRAME && f->flags & FRAME_NAME_5E)
			memset(d->doc + (f->p - w->input.p), ' ', f->len);
	}
	if (w->closed)
		return span_of(d->doc, w->consumed);
	return document_end(d, w->consumed, w);
}

/* Alone on the stream, the element is refused for a character in a name. */
static bool expat_refuses(struct differ *d, const struct walk *w, const struct frame *f,
	struct complaint *c)
{
	size_t header = w->item[0].frame.len;
	struct span doc;

	memcpy(d->doc, w->input.p, header);
	memcpy(d->doc + header, f->p, f->len);
	doc = document_end(d, header + f->len, w);
	oracle_expat_read(d->expat, doc, &d->by_expat);
	if (d->by_expat.accepted)
		return complain(c, "expat accepts an element flagged FRAME_NAME_5E");
	if (!oracle_expat_refused_5e(doc, &d->by_expat))
		return refused("expat", &d->by_expat, c);
	return true;
}

static bool events_agree(const struct differ *d, unsigned i, unsigned k, struct complaint *c)
{
	const struct reading_element *a = &d->by_libxml2.element[i], *b = &d->by_expat.element[k];
	struct span x = reading_events(&d->by_libxml2, i);
	struct span y = reading_events(&d->by_expat, k);
	char legible[400];
	struct complaint first;

	if (a->end != b->end)
		return complain(c, "libxml2 ends element %u at %zu, expat at %zu", i, a->end,
			b->end);
	if (span_eq(x, y))
		return true;
	events_print(x, legible, sizeof(legible));
	complain(&first, "libxml2: %s", legible);
	events_print(y, legible, sizeof(legible));
	return complain(c, "events of element %u: %s\nexpat: %s", i, first.text, legible);
}

/* What the router would act upon if it were to act upon this element. */
static bool parser_agrees(struct differ *d, const struct walk *w, const struct frame *f, unsigned i,
	struct complaint *c)
{
	const char *why = NULL;
	const struct element *e = element_parse(d->ep, scan_root_decls(w->scan),
		span_of(f->p, f->len), &why);

	if (!e)
		return complain(c, "the element parser refuses: %s", why);
	return tree_agrees(e, reading_events(&d->by_libxml2, i), c);
}

static bool frames_agree(struct differ *d, const struct walk *w, struct complaint *c)
{
	const struct reading *r = &d->by_libxml2;
	unsigned i = 0, k = 0; /* elements of libxml2's reading, of expat's */

	for (unsigned item = 0; item < w->n; item++) {
		const struct frame *f = &w->item[item].frame;

		if (w->item[item].result != SCAN_FRAME)
			continue;
		if (i == r->n || r->element[i].end != (size_t)(f->p + f->len - w->input.p))
			return complain(c, "libxml2 does not end an element with frame %u", i);
		if (!agree_frame(f, w->scan, r, i, c) || !parser_agrees(d, w, f, i, c))
			return false;
		if (!(f->flags & FRAME_NAME_5E)) {
			if (k == d->by_expat.n)
				return complain(c, "expat reads %u elements only", k);
			if (!events_agree(d, i, k++, c))
				return false;
		}
		i++;
	}
	if (i != r->n || k != d->by_expat.n)
		return complain(c, "libxml2 reads %u elements, expat %u, the scanner %u", r->n,
			d->by_expat.n, i);
	return true;
}

static bool oracles_agree(struct differ *d, const struct walk *w, struct complaint *c)
{
	for (unsigned i = 0; i < w->n; i++) {
		if (w->item[i].result != SCAN_FRAME)
			continue;
		d->stats.frames++;
		if (w->item[i].frame.flags & FRAME_NAME_5E &&
			!expat_refuses(d, w, &w->item[i].frame, c))
			return false;
	}
	oracle_libxml2_read(document(d, w, false), &d->by_libxml2);
	if (!d->by_libxml2.accepted)
		return refused("libxml2", &d->by_libxml2, c);
	oracle_expat_read(d->expat, document(d, w, true), &d->by_expat);
	if (!d->by_expat.accepted)
		return refused("expat", &d->by_expat, c);
	if (d->by_libxml2.stray || d->by_expat.stray)
		return complain(c, "text between elements");
	return frames_agree(d, w, c);
}

/* Whatever came before, the same input is treated the same. */
static struct span input_begin(struct differ *d, struct span a, struct span b, uint64_t seed)
{
	d->guard.turn = (unsigned)(seed >> 32);
	BUG_ON(a.n + b.n > DIFFER_MOST / 2);
	memcpy(d->text, a.p, a.n);
	if (b.n)
		memcpy(d->text + a.n, b.p, b.n);
	return span_of(d->text, a.n + b.n);
}

bool differ_stream(struct differ *d, struct span header, struct span bytes, uint32_t max,
	uint64_t seed, struct complaint *c)
{
	struct span input = input_begin(d, header, bytes, seed);
	const struct walk_way way = { .cut = WALK_WHOLE, .max = max };
	struct walk whole;
	bool same = walk_take(&whole, &d->guard, input, &way, c);

	BUG_ON(same && (whole.n == 0 || whole.item[0].frame.len != header.n));
	d->stats.refused += whole.end == SCAN_ERROR;
	if (same && whole.consumed > header.n)
		same = oracles_agree(d, &whole, c);
	same = same && cuts_agree(d, &whole, max, header.n, seed, c);
	walk_free(&whole);
	return same;
}

/* -- headers -- */

static bool header_agrees(struct differ *d, const struct walk *w, struct complaint *c)
{
	struct span header = span_of(w->input.p, w->item[0].frame.len), doc;
	const struct reading *a = &d->by_libxml2, *b = &d->by_expat;
	const struct element *root;
	const char *why;

	d->stats.frames++;
	memcpy(d->doc, header.p, header.n);
	doc = document_end(d, header.n, w);
	oracle_libxml2_read(doc, &d->by_libxml2);
	if (!a->accepted)
		return refused("libxml2", a, c);
	oracle_expat_read(d->expat, doc, &d->by_expat);
	if (!b->accepted)
		return refused("expat", b, c);
	if (!span_eq(span_of(a->root.p, a->root.n), span_of(b->root.p, b->root.n)))
		return complain(c, "libxml2 and expat read the root differently");
	root = element_parse_header(d->ep, header, &why);
	if (!root)
		return complain(c, "the element parser refuses: %s", why);
	return tree_agrees_root(root, span_of(a->root.p, a->root.n), c) &&
		agree_root(w->scan, a, c);
}

bool differ_header(struct differ *d, struct span bytes, uint64_t seed, struct complaint *c)
{
	const struct walk_way way = { .cut = WALK_WHOLE, .max = LIMIT_STANZA };
	struct walk whole;
	bool same = walk_take(&whole, &d->guard, input_begin(d, SPAN_LIT(""), bytes, seed), &way,
		c);

	d->stats.refused += whole.end == SCAN_ERROR;
	same = same && cuts_agree(d, &whole, LIMIT_STANZA, 0, seed, c);
	if (same && whole.n)
		same = header_agrees(d, &whole, c);
	walk_free(&whole);
	return same;
}
