/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the index of certificates share: net/certs*.c include it, nobody else does.
 */
#ifndef SLUICE_NET_CERTS_IMPL_H
#define SLUICE_NET_CERTS_IMPL_H

#include <stdatomic.h>

#include "core/base/hash.h"
#include "net/certs.h"

/* Texts are offsets into one block, since that moves while it grows. */
struct certs_entry {
	struct hash128 leaf; /* of the certificate's DER */
	int64_t not_after; /* seconds since 1970 */
	uint32_t file; /* its name, NUL-terminated */
	uint32_t used; /* how many names it is used for */
	uint32_t name, name_n; /* one of them */
};

/* A name and the file that it is in. */
struct certs_row {
	uint32_t at; /* of its text */
	uint32_t entry;
	uint8_t n;
	uint8_t wildcard;
	uint8_t rank; /* of its file for this name: more is better */
};

struct certs {
	_Atomic unsigned refs;
	int dir;
	unsigned broken;
	struct hash_key key; /* of certs_entry.leaf */
	char *text;
	struct certs_entry *entries; /* in the order of the files' names */
	struct certs_row *names; /* sorted by certs_order, each once */
	uint32_t text_n, n_entries, n_names;
};

static inline struct span certs_row_text(const struct certs *s, const struct certs_row *n)
{
	return span_of(s->text + n->at, n->n);
}

/* The order of names for the search; any would do, this one seldom looks at the text. */
static inline int certs_order(struct span a, bool a_wildcard, struct span b, bool b_wildcard)
{
	if (a.n != b.n)
		return a.n < b.n ? -1 : 1;
	if (a_wildcard != b_wildcard)
		return a_wildcard ? -1 : 1;
	return memcmp(a.p, b.p, a.n);
}

#endif
