/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict incremental XML scanner: finds where the next depth-1 element of a
 * stream ends, validates every byte of it (docs/xml.md has the checklist), and
 * extracts the addresses of its start tag. It accepts only what every namespace-
 * aware XML 1.0 parser reads the same way.
 *
 * Input is presented from the first byte of the current item on:
 *
 *   r = scan(s, p, n, &f);
 *
 * p[0..n) begins at the item's first byte, and what an earlier call has seen of
 * it must be there again, unchanged but perhaps moved: the scanner keeps offsets,
 * not pointers, and never looks at a byte twice but to compare names. After
 * SCAN_MORE the caller keeps p[0..n) and calls again with more bytes behind it;
 * after any other result it goes on at p + f.len. p[n .. n + SCAN_PAD) must be
 * readable (content does not matter), so that wide loads need no tail case.
 *
 * One scanner per stream and per restart of it; owner thread only. Cost is linear
 * in n whatever the chunking. After SCAN_ERROR the scanner is dead.
 */
#ifndef SLUICE_XML_SCAN_H
#define SLUICE_XML_SCAN_H

#include "core/base/limits.h"
#include "core/base/span.h"

#define SCAN_PAD 64

enum scan_result {
	SCAN_MORE, /* incomplete; f is not set */
	SCAN_SPACE, /* white space between items: f.len bytes of it */
	SCAN_HEADER, /* the root's start tag with what stood before it (BOM, XML declaration) */
	SCAN_FRAME, /* one whole depth-1 element */
	SCAN_CLOSE, /* the root's end tag */
	SCAN_ERROR, /* see scan_error() */
};

/* Named after the stream error that answers them (protocol rules 1.9 and 1.11). */
enum scan_error {
	SCAN_E_NONE,
	SCAN_E_NOT_WELL_FORMED,
	SCAN_E_RESTRICTED_XML, /* comment, PI, DOCTYPE, entity other than the five */
	SCAN_E_UNSUPPORTED_ENCODING, /* invalid UTF-8, UTF-16 BOM, declared encoding */
	SCAN_E_BAD_FORMAT, /* text at depth 1, XML 1.1, root in no shape */
	SCAN_E_LIMIT, /* depth, attributes, prefixes, name, value: policy-violation */
	SCAN_E_TOO_BIG, /* the element exceeds the limit: policy-violation + stanza-too-big */
	SCAN_E_NO_MEMORY,
};

enum frame_kind {
	FRAME_MESSAGE, /* the three stanzas: local name matched, in the content namespace */
	FRAME_PRESENCE,
	FRAME_IQ,
	FRAME_DIALBACK, /* any element in jabber:server:dialback */
	FRAME_STREAM, /* any element in the streams namespace (features, error) */
	FRAME_CONTENT, /* another element in the content namespace (handshake, ...) */
	FRAME_FOREIGN, /* any other namespace */
};

enum frame_flag {
	FRAME_ADDR_DECODED = 1 << 0, /* from or to holds a reference, TAB, CR or LF: decode as a
					whole before splitting (7.6); never look it up raw */
	FRAME_HAS_LANG = 1 << 1, /* xml:lang on the start tag */
	FRAME_PREFIXED = 1 << 2, /* the element's name carries a prefix */
	FRAME_CONTENT_NS =
		1 << 3, /* the element is in a content namespace other than the root's, by
				      declaration or by prefix: of another kind of stream (8.1) */
	FRAME_EMPTY = 1 << 4, /* <x/> */
	FRAME_NS_OVERFLOW = 1 << 5, /* the content namespace is named explicitly in more ways than
				       `redeclared` holds: too often, or by a prefix */
	FRAME_NAME_5E = 1 << 6, /* some name inside is legal in the fifth edition of XML 1.0 only:
				   expat (Prosody, ejabberd) closes the stream that brings it */
};

#define FRAME_REDECLARED 8

struct frame_ref {
	uint32_t off, len;
};

/* Spans point into the input and die with it. Values are raw: still escaped. */
struct frame {
	const char *p;
	uint32_t len; /* whole element (or header, white space, end tag) */
	uint32_t name_end; /* offset behind the element's name: attributes may be spliced in here */
	uint8_t kind; /* enum frame_kind */
	uint8_t flags; /* enum frame_flag */
	uint16_t attrs; /* number of attributes, declarations included */
	uint32_t root_prefixes; /* bit i: root prefix i is used inside, and bound only there */
	struct span name; /* qualified name */
	struct span from, to, id, type; /* un-prefixed attributes; absent: p == NULL */
	/*
	 * Where a content namespace is declared explicitly, on the start tag or on an element
	 * outside every extension element: the whole attribute with the white space before it.
	 * All of them name the root's content namespace. To forward towards a link with another
	 * content namespace cut them out.
	 */
	uint8_t n_redeclared;
	struct frame_ref redeclared[FRAME_REDECLARED];
};

struct scan;

/*
 * The inner loops that every scanner of this process uses: "avx2", "sse2" or
 * "scalar", the best that the processor has unless the environment variable
 * SLUICE_SCAN_LOOPS names another. NULL when it names one that is not to be had:
 * scan_new() must not be called then. Any thread; says the same each time.
 */
const char *scan_loops(void);

/* NULL when there is no memory. max: bytes of one depth-1 element (header: LIMIT_HEADER). */
struct scan *scan_new(uint32_t max);
void scan_free(struct scan *s);
/* Holds for the item that is being read as well, however much of it is there. */
void scan_set_max(struct scan *s, uint32_t max);

enum scan_result scan(struct scan *s, const char *p, size_t n, struct frame *f);

enum scan_error scan_error(const struct scan *s);
const char *scan_reason(const struct scan *s); /* in words, for the log; static */

/* After SCAN_HEADER. */
struct span scan_root_name(const struct scan *s); /* qualified name */
/* The default namespace, decoded; where that is the streams namespace itself ("prefix-free"
 * peers, RFC 6120 section 4.8.2), jabber:server, which each stanza then declares. */
struct span scan_root_content_ns(const struct scan *s);
/* All of the root's namespace declarations as they stood (" xmlns='...' xmlns:db='...'"). */
struct span scan_root_decls(const struct scan *s);
unsigned scan_root_prefix_count(const struct scan *s);
/* Declaration number i as " xmlns:p='uri'", for splicing into a start tag: a part of
 * scan_root_decls(), and number i stands before number i + 1. */
struct span scan_root_prefix_decl(const struct scan *s, unsigned i);

#endif
