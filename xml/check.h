/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checks of the scanner by name (docs/xml.md has the checklist). A build with
 *
 *   -DSCAN_WITHOUT=ATTR_LT
 *
 * leaves that one check out, and the tests must notice: scripts/break_scanner.py
 * builds each such scanner and runs them. No other build defines SCAN_WITHOUT, and
 * then CHECKED() is a constant.
 */
#ifndef SLUICE_XML_CHECK_H
#define SLUICE_XML_CHECK_H

enum scan_check {
	CHECK_NOTHING,
	/* bytes */
	CHECK_UTF8, /* text and values: sequences are well formed */
	CHECK_UTF8_NAME, /* and in names */
	CHECK_UTF8_OVERLONG,
	CHECK_UTF8_SURROGATE,
	CHECK_UTF8_RANGE, /* nothing above U+10FFFF */
	CHECK_CHAR, /* no control characters, NUL, U+FFFE, U+FFFF */
	CHECK_ENCODING_MARK, /* UTF-16 and UTF-32 told at the first bytes */
	/* the XML declaration */
	CHECK_DECL_FORM,
	CHECK_DECL_VERSION,
	CHECK_DECL_ENCODING,
	CHECK_DECL_STANDALONE,
	/* markup */
	CHECK_COMMENT,
	CHECK_DOCTYPE,
	CHECK_PI,
	CHECK_BANG, /* nothing else behind "<!" */
	CHECK_CDATA_NAME,
	CHECK_CDATA_LEVEL, /* no CDATA section between elements */
	/* text and references */
	CHECK_CDATA_END, /* no "]]>" in text */
	CHECK_REF_NAME, /* the five entities only */
	CHECK_REF_DIGITS,
	CHECK_REF_LENGTH,
	CHECK_REF_CHAR, /* the value is a legal character */
	/* tags */
	CHECK_TAG_SPACE, /* white space before each attribute */
	CHECK_TAG_SLASH, /* '/' only directly before '>' */
	CHECK_END_NAME,
	CHECK_END_TAIL, /* nothing but white space behind it */
	CHECK_DEPTH,
	/* attributes */
	CHECK_ATTR_EQUALS,
	CHECK_ATTR_QUOTE,
	CHECK_ATTR_LT,
	CHECK_ATTR_TWICE, /* by qualified name */
	CHECK_ATTR_TWICE_NS, /* by namespace and local name */
	CHECK_ATTR_COUNT,
	CHECK_ATTR_LENGTH,
	/* names */
	CHECK_NAME_START,
	CHECK_NAME_CHAR,
	CHECK_NAME_EMPTY,
	CHECK_NAME_COLONS, /* one at most */
	CHECK_NAME_PARTS, /* something on both sides of it */
	CHECK_NAME_LENGTH,
	CHECK_NAME_4E, /* names of the fifth edition only are reported */
	CHECK_NAME_4E_TOP, /* and refused in a stanza's start tag */
	/* namespaces */
	CHECK_PREFIX_ELEMENT, /* declared */
	CHECK_PREFIX_ATTR,
	CHECK_NS_UNDECLARED, /* no xmlns:p='' */
	CHECK_NS_XML, /* the prefix and the URI go together */
	CHECK_NS_XMLNS, /* neither may be declared */
	CHECK_NS_COUNT,
	CHECK_NS_ROOT_COUNT,
	CHECK_NS_DECODE, /* URIs are compared as decoded */
	/* the stream */
	CHECK_STREAM_TEXT, /* white space only between elements */
	CHECK_STREAM_START, /* and before the root */
	CHECK_STREAM_END, /* the root's exact name closes it */
	CHECK_STREAM_AFTER, /* nothing behind its end */
	CHECK_STREAM_TWICE, /* no header inside the stream */
	CHECK_STREAM_EMPTY, /* <stream:stream/> */
	CHECK_SIZE, /* of an element */
	CHECK_SIZE_HEADER,
	/* what a frame tells of an element */
	CHECK_ADDR_DECODED,
	CHECK_ROOT_PREFIX,
	CHECK_REDECLARED,
	CHECK_LANG,
};

#ifndef SCAN_WITHOUT
#define SCAN_WITHOUT NOTHING
#endif
#define CHECK_NAMED(name) CHECK_##name
#define CHECK_OF(name) CHECK_NAMED(name)
#define CHECKED(name) (CHECK_##name != CHECK_OF(SCAN_WITHOUT))

#endif
