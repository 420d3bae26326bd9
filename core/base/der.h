/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DER, the encoding of certificates (X.690 sections 8, 10 and 11), read item by
 * item: tag, length, contents. Strict, because two readers that forgive
 * differently read two certificates: a length is definite and as short as it
 * can be, a BOOLEAN is 00 or FF, numbers and bit strings have their one form.
 * Tags of more than one octet, which certificates do not use, are refused.
 *
 * A reader is a span of what is left; what an item holds is a span within it, to
 * be read by the same functions. So nothing is allocated, nothing recurses, and
 * how deep a structure is followed is for its reader to say. Any thread; pure
 * functions of their arguments.
 */
#ifndef SLUICE_DER_H
#define SLUICE_DER_H

#include "core/base/span.h"

/* Identifier octets: class, 0x20 when constructed, number. */
enum der_tag {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_UTF8_STRING = 0x0c,
	DER_IA5_STRING = 0x16,
	DER_UTC_TIME = 0x17,
	DER_GENERALIZED_TIME = 0x18,
	DER_SEQUENCE = 0x30,
	DER_CONTEXT = 0x80, /* + number */
	DER_CONTEXT_CONSTRUCTED = 0xa0, /* + number */
};

struct der_item {
	uint8_t tag;
	struct span body; /* the contents */
	struct span whole; /* with tag and length */
};

/* The next item, which `left` is then without. False when there is none or it is not DER; `left`
 * is unchanged then. The contents of a constructed item are not looked at. */
bool der_next(struct span *left, struct der_item *item) MUST_CHECK;

/* The same, of an item that must have this tag. */
bool der_take(struct span *left, uint8_t tag, struct span *body) MUST_CHECK;
bool der_take_whole(struct span *left, uint8_t tag, struct span *whole) MUST_CHECK;

/* Does an item with this tag come next, if there is one? */
static inline bool der_is_next(struct span left, uint8_t tag)
{
	return left.n > 0 && (uint8_t)left.p[0] == tag;
}

/* -- contents; false when they are not DER -- */

bool der_bool(struct span body, bool *value) MUST_CHECK;
bool der_is_integer(struct span body) MUST_CHECK;

/* A BIT STRING of whole octets: signatures, keys. */
bool der_octets(struct span body, struct span *octets) MUST_CHECK;

/* A list of named bits, at most 16: bit 0 of the list is bit 0 of the value. */
bool der_named_bits(struct span body, uint16_t *bits) MUST_CHECK;

/*
 * UTCTime or GeneralizedTime in the one form of RFC 5280 section 4.1.2.5: to the
 * second, UTC. A GeneralizedTime may name a year before 2050, too: it cannot be
 * misread. Seconds since 1970, negative before.
 */
bool der_time(const struct der_item *item, int64_t *seconds) MUST_CHECK;

#endif
