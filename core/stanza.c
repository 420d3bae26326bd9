/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/stanza.h"

#define TYPE_MAX 16 /* bytes; longer than every type that matters */

bool address_read(struct address *a, struct span raw)
{
	size_t len;

	return raw.p && jid_decode(raw, a->text, sizeof(a->text), &len) &&
		jid_split(span_of(a->text, len), &a->jid) &&
		domain_parse(a->jid.domain, &a->domain);
}

struct span address_text(const struct address *a, char out[ADDRESS_TEXT])
{
	struct writer w = { out, ADDRESS_TEXT, 0, false };

	if (a->jid.local.p) {
		writer_raw(&w, a->jid.local);
		writer_lit(&w, "@");
	}
	writer_raw(&w, domain_span(&a->domain));
	if (a->jid.resource.p) {
		writer_lit(&w, "/");
		writer_raw(&w, a->jid.resource);
	}
	BUG_ON(w.overflow);
	return writer_span(&w);
}

bool stanza_type_is(const struct frame *f, const char *const *types, size_t n)
{
	char text[TYPE_MAX];
	size_t len;

	if (!f->type.p || !jid_decode(f->type, text, sizeof(text), &len))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (span_is(span_of(text, len), types[i]))
			return true;
	}
	return false;
}
