/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes stanzas by the thousand, the same ones every time, and knows what each of
 * them means: as it comes, and as it must arrive on a stream of another content
 * namespace (protocol rules 7.6 and 8.6). What is special about XML names, quotes,
 * references, white space and namespace declarations occurs often in them. Knows
 * nothing of the product's code but the writer that it writes with. One thread.
 */
#ifndef TESTS_UNIT_CORE_STANZAS_H
#define TESTS_UNIT_CORE_STANZAS_H

#include "tests/oracle/events.h"
#include "xml/writer.h"

#define STANZAS_MAX 131072 /* bytes of one */
#define STANZAS_ROOT_PREFIXES 4

/* A stream that stanzas come on. */
struct stanzas_root {
	const char *header, *end;
	const char *content; /* namespace of its stanzas */
	const char *lang; /* NULL: none */
	struct {
		const char *prefix, *uri;
	} bound[STANZAS_ROOT_PREFIXES]; /* by its header */
	bool bare; /* each stanza must declare the content namespace */
};

extern const struct stanzas_root stanzas_roots[];
extern const unsigned stanzas_n_roots;

/* One address, in characters. */
struct stanzas_address {
	char came[512]; /* as it was written */
	char canonical[512]; /* with the domain in canonical form */
	const char *domain; /* that */
	bool spelled; /* the domain came in another form */
	bool bad; /* localpart or resource as RFC 7622 does not allow them */
};

struct stanza {
	/* its bytes, and its meaning */
	char text[STANZAS_MAX];
	struct writer xml;
	struct events came, arrives;
	const char *kind, *type, *id; /* type, id: characters; NULL: none */
	struct stanzas_address from, to;
	/* why it may not be forwarded */
	bool odd_prefix; /* a prefix stands for the content namespace outside extensions */
	unsigned redeclared; /* explicit declarations of it there */
	unsigned attrs; /* of its start tag, with what it takes from the header */

	/* the generator's own */
	uint64_t state;
	const struct stanzas_root *root;
	const char *content; /* where it arrives */
	uint32_t borrowed; /* prefixes of the root's that it uses */
};

/* s: zeroed before its first use. Stanza number `seed` on that stream, for that content namespace. */
void stanzas_make(struct stanza *s, uint64_t seed, const struct stanzas_root *root,
	const char *content);
void stanzas_free(struct stanza *s);

/* Inside the generator: chance, and an address. */
unsigned stanzas_below(struct stanza *s, unsigned n);
bool stanzas_once_in(struct stanza *s, unsigned n);
void stanzas_address(struct stanza *s, struct stanzas_address *a);

#endif
