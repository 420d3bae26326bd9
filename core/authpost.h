/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What core/authcall, where a claim is, and core/authlink, at the home of the
 * authoritative endpoint, write to each other. Texts follow each other without
 * anything between them.
 */
#ifndef SLUICE_CORE_AUTHPOST_H
#define SLUICE_CORE_AUTHPOST_H

#include "core/base/place.h"
#include "core/post.h"
#include "dialback/verify.h"

struct post_dial { /* POST_DIAL */
	uint64_t call;
	struct place at;
	bool apart; /* nobody else may use the stream */
	uint16_t from_n, to_n; /* of the stream's header */
	char text[];
};

struct post_ask { /* POST_ASK */
	uint64_t call;
	uint16_t from_n, to_n, id_n, key_n;
	char text[];
};

struct post_call { /* POST_HANG_UP, POST_STRAY */
	uint64_t call;
};

enum link_event { LINK_CONNECTED, LINK_UP, LINK_DOWN };

struct post_link { /* POST_LINK */
	uint64_t call;
	enum link_event what;
	enum verify_loss loss; /* LINK_DOWN: the call is over ... */
	uint32_t sent; /* ... and so many of its questions were written */
};

struct post_answer { /* POST_ANSWER */
	uint64_t call;
	enum answer answer;
	uint16_t from_n, to_n, id_n;
	char text[];
};

/* Texts of a record, one after the other. */
static inline char *text_put(char *at, struct span s)
{
	memcpy(at, s.p, s.n);
	return at + s.n;
}

static inline struct span text_take(const char **at, uint16_t n)
{
	struct span s = span_of(*at, n);

	*at += n;
	return s;
}

#endif
