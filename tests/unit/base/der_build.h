/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DER and certificates put together in memory, well-formed or not: each macro
 * takes spans and yields a span, of a pool that build_reset empties. The
 * certificates are unsigned (a few octets stand for key and signature), since
 * what reads them does not verify. Real ones are made by tests/zoo/zoo.py.
 */
#ifndef SLUICE_TEST_DER_BUILD_H
#define SLUICE_TEST_DER_BUILD_H

#include <string.h>

#include "core/base/der.h"

static char build_pool[4u << 20];
static size_t build_used;

static inline void build_reset(void)
{
	build_used = 0;
}

static inline char *build_take(size_t n)
{
	char *p = build_pool + build_used;

	BUG_ON(n > sizeof(build_pool) - build_used);
	build_used += n;
	return p;
}

static inline struct span build_join(const struct span *parts, size_t n)
{
	size_t total = 0, at = 0;
	char *p;

	for (size_t i = 0; i < n; i++)
		total += parts[i].n;
	p = build_take(total);
	for (size_t i = 0; i < n; i++) {
		if (parts[i].n)
			memcpy(p + at, parts[i].p, parts[i].n);
		at += parts[i].n;
	}
	return span_of(p, total);
}

static inline struct span build_tlv(uint8_t tag, struct span body)
{
	char head[5] = { (char)tag, (char)body.n };
	size_t n = 2;

	BUG_ON(body.n > 0xffffff);
	if (body.n >= 0x80) {
		size_t octets = body.n > 0xffff ? 3 : body.n > 0xff ? 2 : 1;

		head[1] = (char)(0x80 | octets);
		for (size_t i = octets; i-- > 0;)
			head[n++] = (char)(body.n >> 8 * i);
	}
	return build_join((struct span[]){ span_of(head, n), body }, 2);
}

#define JOIN(...)                                                                                  \
	build_join((const struct span[]){ __VA_ARGS__ },                                           \
		sizeof((const struct span[]){ __VA_ARGS__ }) / sizeof(struct span))
#define TLV(tag, ...) build_tlv(tag, JOIN(__VA_ARGS__))
#define SEQ(...) TLV(DER_SEQUENCE, __VA_ARGS__)
#define EXPLICIT(number, ...) TLV(DER_CONTEXT_CONSTRUCTED + (number), __VA_ARGS__)
#define BYTES(literal) SPAN_LIT(literal)
#define NOTHING SPAN_LIT("")
#define OID(literal) TLV(DER_OID, BYTES(literal))

/* -- names -- */

#define DNS(literal) TLV(DER_CONTEXT + 2, BYTES(literal))
#define OTHER_NAME(oid, value) EXPLICIT(0, OID(oid), EXPLICIT(0, value))
#define SRV(literal) OTHER_NAME(OID_SRV, TLV(DER_IA5_STRING, BYTES(literal)))
#define XMPP(literal) OTHER_NAME(OID_XMPP, TLV(DER_UTF8_STRING, BYTES(literal)))

#define OID_SRV "\x2b\x06\x01\x05\x05\x07\x08\x07"
#define OID_XMPP "\x2b\x06\x01\x05\x05\x07\x08\x05"

/* -- extensions -- */

#define CRITICAL TLV(DER_BOOLEAN, BYTES("\xff"))
#define EXTENSION(oid, ...) SEQ(OID(oid), TLV(DER_OCTET_STRING, __VA_ARGS__))
#define CRITICAL_EXTENSION(oid, ...) SEQ(OID(oid), CRITICAL, TLV(DER_OCTET_STRING, __VA_ARGS__))

#define OID_USAGE "\x55\x1d\x0f"
#define OID_NAMES "\x55\x1d\x11"
#define OID_BASIC "\x55\x1d\x13"
#define OID_EXTENDED "\x55\x1d\x25"
#define OID_SERVER_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x01"
#define OID_CLIENT_AUTH "\x2b\x06\x01\x05\x05\x07\x03\x02"
#define OID_ANY_USAGE OID_EXTENDED "\x00"

#define ALT_NAMES(...) EXTENSION(OID_NAMES, SEQ(__VA_ARGS__))
#define PURPOSES(...) EXTENSION(OID_EXTENDED, SEQ(__VA_ARGS__))
#define KEY_USAGE(bits) CRITICAL_EXTENSION(OID_USAGE, TLV(DER_BIT_STRING, BYTES(bits)))
#define BASIC(...) CRITICAL_EXTENSION(OID_BASIC, SEQ(__VA_ARGS__))

/* -- certificates -- */

#define ECDSA_SHA256 SEQ(OID("\x2a\x86\x48\xce\x3d\x04\x03\x02"))
#define COMMON_NAME(literal)                                                                       \
	SEQ(TLV(0x31, SEQ(OID("\x55\x04\x03"), TLV(DER_UTF8_STRING, BYTES(literal)))))
#define UTC(literal) TLV(DER_UTC_TIME, BYTES(literal))

/* Each field as it stands in the certificate; NOTHING leaves one out. */
struct build_certificate {
	struct span version, serial, inner_algorithm, issuer, validity, subject, key;
	struct span unique, extensions, behind_extensions;
	struct span algorithm, signature, behind;
};

static inline struct span build_extensions(struct span list)
{
	return EXPLICIT(3, SEQ(list));
}

static inline struct build_certificate build_plain(struct span extensions)
{
	return (struct build_certificate){
		.version = EXPLICIT(0, TLV(DER_INTEGER, BYTES("\x02"))),
		.serial = TLV(DER_INTEGER, BYTES("\x01\x02\x03")),
		.inner_algorithm = ECDSA_SHA256,
		.issuer = COMMON_NAME("an authority"),
		.validity = SEQ(UTC("260101000000Z"), UTC("270101000000Z")),
		.subject = COMMON_NAME("rx.peer.test"),
		.key = SEQ(SEQ(OID("\x2b\x65\x70")), TLV(DER_BIT_STRING, BYTES("\0key"))),
		.unique = NOTHING,
		.extensions = extensions.n ? build_extensions(extensions) : NOTHING,
		.behind_extensions = NOTHING,
		.algorithm = ECDSA_SHA256,
		.signature = TLV(DER_BIT_STRING, BYTES("\0signature")),
		.behind = NOTHING,
	};
}

static inline struct span build_whole(const struct build_certificate *c)
{
	struct span signed_part = SEQ(c->version, c->serial, c->inner_algorithm, c->issuer,
		c->validity, c->subject, c->key, c->unique, c->extensions, c->behind_extensions);

	return SEQ(signed_part, c->algorithm, c->signature, c->behind);
}

static inline struct span build_with(struct span extensions)
{
	struct build_certificate c = build_plain(extensions);

	return build_whole(&c);
}

#define CERTIFICATE(...) build_with(JOIN(__VA_ARGS__))

#endif
