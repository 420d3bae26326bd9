/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Base64 (RFC 4648 section 4), decoded as strictly as RFC 6120 section 13.9.1 wants
 * it: one text for each sequence of octets and no other. Refused are octets
 * outside the alphabet (white space is one), padding that is missing, in excess
 * or not at the end, and bits in the last letter that belong to no octet: what is
 * ignored there is a channel, and makes two texts of one name. Any thread; pure.
 */
#ifndef SLUICE_BASE64_H
#define SLUICE_BASE64_H

#include "core/base/span.h"

/* Octets that so many letters can stand for, at most. */
#define BASE64_ROOM(letters) ((letters) / 4 * 3)
/* Letters, padding among them, that stand for so many octets. */
#define BASE64_LETTERS(octets) (((octets) + 2) / 3 * 4)

/* out has room for BASE64_LETTERS(octets.n). Returns what it holds then. */
struct span base64_encode(struct span octets, char *out);

/* out has room for BASE64_ROOM(text.n) octets, cap says of how many; *n of them are the result.
 * False: this is not base64, and what out holds is unspecified. */
bool base64_decode(struct span text, char *out, size_t cap, size_t *n) MUST_CHECK;

#endif
