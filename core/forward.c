/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/forward.h"

/* Bytes that the next parser might refuse, and with them the stream of everybody: names of the
 * fifth edition of XML only, content namespaces that cannot be cut out. */
#define FRAME_UNSAFE (FRAME_NAME_5E | FRAME_NS_OVERFLOW)

/* Declarations of our own headers: the content namespace, `stream` and `db`. */
#define HEADER_DECLS 3

static const struct forward_fault unsafe = { STANZA_POLICY_VIOLATION,
	"names or namespaces in it that other servers cannot read" };
static const struct forward_fault outgrown = { STANZA_POLICY_VIOLATION,
	"no room in it for what it takes from its stream's header" };
static const struct forward_fault no_type = { STANZA_BAD_REQUEST,
	"an iq needs a type that exists" };
static const struct forward_fault bad_address = { STANZA_JID_MALFORMED,
	"a localpart or resource that addresses cannot have" };

/* Never fewer than there are, in any place of the stanza: each is spelled so. */
static unsigned declarations_at_most(const struct frame *f)
{
	static const char word[] = "xmlns";
	const char *at = f->p, *end = f->p + f->len;
	unsigned n = 0;

	while ((at = memmem(at, (size_t)(end - at), word, sizeof(word) - 1))) {
		at += sizeof(word) - 1;
		n++;
	}
	return n;
}

/*
 * Would it break bounds that it kept as it came? The next scanner may have the same ones, and one
 * that does is ours: it reads what a dead link leaves, and would take all that follows for lost. A
 * stanza that takes no prefixes has no more declarations in scope there than where it came from.
 */
static bool outgrows(const struct splice *s)
{
	const struct frame *f = s->f;
	unsigned decls = HEADER_DECLS;

	if (f->attrs + s->n - f->n_redeclared > LIMIT_ATTRS)
		return true;
	if (likely(!f->root_prefixes))
		return false;
	decls += (unsigned)__builtin_popcount(f->root_prefixes) + declarations_at_most(f);
	return decls > LIMIT_PREFIXES;
}

const struct forward_fault *forward_fault(const struct splice *s, const struct jid *from,
	const struct jid *to)
{
	static const char *const iq[] = { "get", "set", "result", "error" };
	const struct frame *f = s->f;

	if (unlikely(f->flags & FRAME_UNSAFE))
		return &unsafe;
	if (unlikely(outgrows(s)))
		return &outgrown;
	if (f->kind == FRAME_IQ && !stanza_type_is(f, iq, ARRAY_LEN(iq)))
		return &no_type;
	if (unlikely(!jid_parts_valid(from) || !jid_parts_valid(to)))
		return &bad_address;
	return NULL;
}

void forward_begin(struct splice *s, const struct frame *f, const struct scan *in, struct span lang)
{
	splice_init(s, f);
	splice_lang(s, lang);
	if (unlikely(f->root_prefixes))
		splice_prefixes(s, in);
	if (unlikely(f->n_redeclared))
		splice_content_ns(s);
}

void forward_domains(struct splice *s, const struct jid *from, struct span from_domain,
	const struct jid *to, struct span to_domain)
{
	splice_value(s, from->domain, from_domain);
	splice_value(s, to->domain, to_domain);
}

/* A canonical address as the value of an attribute. */
static struct span address_value(struct writer *w, const struct address *a)
{
	char text[ADDRESS_TEXT];
	size_t start = w->n;

	writer_value(w, address_text(a, text));
	return span_of(w->p + start, w->n - start);
}

void forward_addresses(struct splice *s, struct writer *room, const struct address *from,
	const struct address *to)
{
	splice_value(s, s->f->from, address_value(room, from));
	splice_value(s, s->f->to, address_value(room, to));
	BUG_ON(room->overflow);
}
