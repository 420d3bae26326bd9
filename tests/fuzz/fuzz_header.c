/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first bytes of a stream: byte order mark, XML declaration, root
 * (tests/oracle/differ.h has the property). Input: two bytes that decide where the
 * stream is cut, the stream.
 */
#include "tests/fuzz/fuzz.h"
#include "tests/oracle/differ.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct differ *differ;
	struct complaint c;
	uint64_t seed;

	if (size < 2 || size > DIFFER_MOST / 4)
		return 0;
	if (!differ)
		differ = differ_new();
	seed = (data[0] | (uint64_t)data[1] << 8) * UINT64_C(0x9e3779b97f4a7c15);
	if (!differ_header(differ, span_of((const char *)data + 2, size - 2), seed, &c))
		fuzz_found(c.text);
	return 0;
}
