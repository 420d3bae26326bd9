/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside the scanner: what its parts share. scan_machine.h has the states that a
 * stanza consists of and is compiled once for each set of inner loops; what is
 * rare is compiled once: scan_rare.c, scan_ref.c (references), scan_prolog.c (what
 * stands before the root), scan_scope.c (what a start tag means).
 *
 * A step function does as much as it can from w->pos on and leaves in w->pos and
 * w->state where to go on. It looks at no byte from r->end on. STEP_MORE means
 * that the byte at w->pos (or the rest of the character that begins there) is
 * missing. Whatever a step decides must depend on the bytes before w->pos only,
 * never on where the input happens to end: the tests cut it everywhere.
 */
#ifndef SLUICE_XML_SCAN_IMPL_H
#define SLUICE_XML_SCAN_IMPL_H

#include "xml/check.h"
#include "xml/ns.h"
#include "xml/scan.h"
#include "xml/skip.h"

_Static_assert(SKIP_PAD <= SCAN_PAD, "the skips read no further than callers allow");

#define FLATTEN __attribute__((flatten))

enum step {
	STEP_GO,
	STEP_MORE,
	STEP_HEADER,
	STEP_FRAME,
	STEP_CLOSE,
	STEP_ERROR,
};

enum scan_state {
	/* before the root */
	ST_START, /* at the very first byte */
	ST_PROLOG, /* white space or the root */
	ST_DECL_NAME, /* behind "<?" */
	ST_DECL, /* in the XML declaration */
	/* markup */
	ST_ITEM, /* at the first byte of something at stream level */
	ST_LT, /* behind '<' */
	ST_BANG, /* behind "<!" */
	ST_CDATA_NAME, /* behind "<![" */
	ST_NAME, /* in an element's name */
	ST_TAG, /* behind the name or behind an attribute */
	ST_SLASH, /* behind '/' in a start tag */
	ST_ATTR, /* in an attribute's name */
	ST_EQUALS, /* before '=' */
	ST_QUOTE, /* before the opening quote */
	ST_VALUE,
	ST_END_NAME, /* behind "</" */
	ST_END_TAIL, /* behind an end tag's name */
	/* content */
	ST_TEXT,
	ST_TEXT_BRACKET, /* behind one or more ']' */
	ST_CDATA,
	ST_CDATA_BRACKET,
	/* references */
	ST_REF, /* behind '&' */
	ST_REF_NAME,
	ST_REF_HASH, /* behind "&#" */
	ST_REF_DEC,
	ST_REF_HEX,
};

struct scan_attr {
	uint32_t space; /* offset of the white space before it */
	uint32_t name, value;
	uint16_t name_len;
	uint16_t prefix_len; /* 0: none */
	uint16_t value_len;
	uint8_t dirty; /* the value holds a reference, TAB, CR or LF */
	uint8_t decl; /* it is a namespace declaration */
};

struct scan_open {
	uint32_t name;
	uint16_t name_len;
	uint8_t n_ns; /* bindings in scope outside it */
	uint8_t default_ns; /* enum ns_id inside it */
};

/*
 * What is known of the item being read. It lives on the stack of scan() while
 * the item is there as a whole and is kept only for one that is not, so that an
 * idle stream costs nothing.
 */
struct scan_work {
	uint32_t pos;
	uint8_t state; /* enum scan_state */
	uint8_t back; /* enum scan_state after a reference */
	uint8_t quote;
	uint8_t brackets; /* ']' directly before pos, at most 2 */
	uint8_t depth;
	uint8_t ext_depth; /* depth of the outermost open extension element, or 0 */
	uint8_t ref_digits;
	uint8_t n_attrs;
	bool has_decl, has_prefixed; /* in the current start tag */
	bool odd_name; /* a name that the fourth edition does not allow */
	uint32_t name, part; /* the name being read, and its part behind the colon */
	uint32_t mark; /* white space before an attribute; start of a reference */
	uint32_t match; /* bytes of an expected string that were there */
	uint32_t ref_value;
	uint16_t prefix_len; /* of the current element's name */
	uint64_t attr_seen; /* filter for duplicate names: one bit of each key */
	uint32_t root_prefixes;
	/* the depth-1 element; offsets, 0 when absent */
	struct frame_ref from, to, id, type;
	uint16_t first_attrs;
	uint8_t kind, flags, n_redeclared;
	struct frame_ref redeclared[FRAME_REDECLARED];
	struct scan_open open[LIMIT_DEPTH];
	struct ns_scope ns;
	struct scan_attr attrs[LIMIT_ATTRS];
	uint64_t attr_key[LIMIT_ATTRS]; /* scan_name_key() of their names */
};

struct scan_run;

/* scan_scalar.c, scan_sse2.c, scan_avx2.c: steps until something is complete. */
typedef enum step scan_machine(struct scan_run *r);
scan_machine scan_scalar, scan_sse2, scan_avx2;

struct scan {
	scan_machine *machine;
	uint32_t max;
	uint8_t error; /* enum scan_error */
	bool closed;
	const char *reason;
	struct ns_root *root; /* NULL before the header */
	struct scan_work *kept; /* of an item that is not complete */
};

struct scan_run {
	struct scan *s;
	struct scan_work *w;
	const char *p;
	uint32_t end;
	struct frame *f;
};

static inline uint64_t scan_load8(const char *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/*
 * Equal for equal names; different for different ones of up to eight bytes. Reads eight
 * bytes of the input from the name on.
 */
static inline uint64_t scan_name_key(const char *name, uint32_t len)
{
	if (len <= 8)
		return scan_load8(name) << (64 - 8 * len);
	return (scan_load8(name) ^ scan_load8(name + len - 8) * 31) + len;
}

/* scan_loops.c: which of the machines this process uses. */
struct scan_loops {
	const char *name;
	scan_machine *machine;
};
const struct scan_loops *scan_loops_chosen(void);

/* scan_rare.c */
enum step scan_fail(struct scan_run *r, enum scan_error e, const char *why);

/*
 * The character at w->pos fits nowhere: STEP_ERROR with the error of its encoding
 * if that is wrong, else with e; STEP_MORE while its bytes are not all there.
 */
enum step scan_refuse(struct scan_run *r, enum scan_error e, const char *why);

/* One character at w->pos that an inner loop of text or of a value stopped at. */
enum step scan_wide(struct scan_run *r);
/* The same in a name, >= 0x80. */
enum step scan_name_wide(struct scan_run *r);
enum step scan_colon(struct scan_run *r);
/* Whether the attribute's name is that of one before it. */
bool scan_attr_twice(const struct scan_work *w, const char *p, unsigned number);
/* The name that the end tag must have. Eight bytes of it can be read. */
struct span scan_end_wanted(const struct scan_run *r);
enum step scan_end_mismatch(struct scan_run *r, struct span want);
enum step scan_question(struct scan_run *r);
enum step scan_bang(struct scan_run *r);
enum step scan_cdata_name(struct scan_run *r);

/* scan_ref.c */
/* Passes the reference that begins at w->pos if it is there as a whole and legal. */
bool scan_ref_plain(struct scan_run *r);
enum step scan_ref(struct scan_run *r);
enum step scan_ref_name(struct scan_run *r);
enum step scan_ref_hash(struct scan_run *r);
enum step scan_ref_digits(struct scan_run *r, bool hex);

/* scan_prolog.c */
enum step scan_start(struct scan_run *r);
enum step scan_prolog(struct scan_run *r);
enum step scan_decl_name(struct scan_run *r);
enum step scan_decl(struct scan_run *r);

/* scan_scope.c: what a start tag means */
enum step scan_scope_open(struct scan_run *r);
void scan_frame_fill(const struct scan_run *r);

#endif
