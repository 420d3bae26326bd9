/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/splice.h"

void splice_init(struct splice *s, const struct frame *f)
{
	s->f = f;
	s->n = 0;
}

/* Keeps the edits in the order of their offsets; of two at one offset the earlier goes first. */
static void splice_add(struct splice *s, uint32_t off, uint32_t cut, struct span insert)
{
	unsigned i = s->n++;

	BUG_ON(i >= SPLICE_EDITS);
	while (i > 0 && s->edit[i - 1].off > off) {
		s->edit[i] = s->edit[i - 1];
		i--;
	}
	s->edit[i] = (struct splice_edit){ off, cut, insert };
}

void splice_lang(struct splice *s, struct span lang_attr)
{
	if (lang_attr.n > 0 && !(s->f->flags & FRAME_HAS_LANG))
		splice_add(s, s->f->name_end, 0, lang_attr);
}

void splice_prefixes(struct splice *s, const struct scan *from)
{
	uint32_t used = s->f->root_prefixes;

	while (used) {
		unsigned i = (unsigned)__builtin_ctz(used);

		splice_add(s, s->f->name_end, 0, scan_root_prefix_decl(from, i));
		used &= used - 1;
	}
}

void splice_content_ns(struct splice *s)
{
	for (unsigned i = 0; i < s->f->n_redeclared; i++)
		splice_add(s, s->f->redeclared[i].off, s->f->redeclared[i].len, SPAN_NONE);
}

void splice_value(struct splice *s, struct span part, struct span text)
{
	splice_add(s, (uint32_t)(part.p - s->f->p), (uint32_t)part.n, text);
}

unsigned splice_pieces(const struct splice *s, struct span pieces[SPLICE_PIECES])
{
	const struct frame *f = s->f;
	uint32_t at = 0;
	unsigned n = 0;

	for (unsigned i = 0; i < s->n; i++) {
		const struct splice_edit *e = &s->edit[i];

		BUG_ON(e->off < at);
		if (e->off > at)
			pieces[n++] = span_of(f->p + at, e->off - at);
		if (e->insert.n > 0)
			pieces[n++] = e->insert;
		at = e->off + e->cut;
	}
	pieces[n++] = span_of(f->p + at, f->len - at);
	return n;
}
