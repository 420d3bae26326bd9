/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams behind a fixed header, read by the scanner, libxml2 and expat
 * (tests/oracle/differ.h has the property). Input: a byte that chooses the header
 * and the size limit, two that decide where the stream is cut, the stream.
 */
#include "core/base/limits.h"
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/differ.h"

#define STREAMS "http://etherx.jabber.org/streams"

static const struct span headers[] = {
	SPAN_LIT("<stream:stream xmlns='jabber:server' xmlns:stream='" STREAMS "' "
		 "xmlns:db='jabber:server:dialback' from='a.test' to='b.test' version='1.0'>"),
	SPAN_LIT("<stream:stream xmlns='jabber:component:accept' xmlns:stream='" STREAMS "' "
		 "to='c.test' xml:lang='de'>"),
	SPAN_LIT("<stream xmlns='" STREAMS "' xmlns:p='urn:p' version='1.0'>"),
	SPAN_LIT("\xef\xbb\xbf<?xml version='1.0' encoding='utf-8'?>\r\n<s:stream xmlns:s='" STREAMS
		 "'\txmlns = \"jabber&#58;server\" xmlns:p='urn:p' xmlns:q='urn:q' "
		 "xmlns:xml='http://www.w3.org/XML/1998/namespace' xmlns:o='urn:&#112;'>"),
	SPAN_LIT("<stream:stream xmlns:stream='" STREAMS "' xmlns:c='jabber:server' "
		 "xmlns:d='jabber:client'>"),
	SPAN_LIT("<s:s xmlns:s='" STREAMS "' xmlns='jabber:client' xmlns:c='jabber:client' "
		 "xmlns:long='urn:example:a:namespace:name:of:more:than:forty-eight:octets'>"),
};

#define SMALL 0x10 /* in the first byte: elements of at most SMALL_MAX bytes */
#define SMALL_MAX 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct differ *differ;
	struct complaint c;
	uint64_t seed;

	if (size < 3 || size > DIFFER_MOST / 4)
		return 0;
	if (!differ)
		differ = differ_new();
	seed = (data[1] | (uint64_t)data[2] << 8) * UINT64_C(0x9e3779b97f4a7c15);
	if (!differ_stream(differ, headers[(data[0] & 0xf) % ARRAY_LEN(headers)],
		    span_of((const char *)data + 3, size - 3),
		    data[0] & SMALL ? SMALL_MAX : LIMIT_STANZA, seed, &c))
		fuzz_found(c.text);
	return 0;
}
