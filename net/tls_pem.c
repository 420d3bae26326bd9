/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_pem.h"

#include <limits.h>
#include <stdio.h>

#include <wolfssl/options.h>

#include <wolfssl/ssl.h>
#include <wolfssl/wolfcrypt/coding.h>

#include "core/base/mem.h"

static const char *find(struct span text, const char *what)
{
	return text.n ? memmem(text.p, text.n, what, strlen(what)) : NULL;
}

struct span tls_pem_next(struct span *text, const char *label)
{
	char begin[64], end[64];
	const char *from, *to;
	struct span block;

	(void)snprintf(begin, sizeof(begin), "-----BEGIN %s-----", label);
	(void)snprintf(end, sizeof(end), "-----END %s-----", label);
	from = find(*text, begin);
	if (!from)
		return SPAN_NONE;
	*text = span_skip(*text, (size_t)(from - text->p));
	to = find(*text, end);
	if (!to)
		return SPAN_NONE;
	block = span_of(from, (size_t)(to - from) + strlen(end));
	*text = span_skip(*text, block.n);
	return block;
}

struct span tls_pem_der(struct span block)
{
	const char *line = find(block, "-----\n"), *end = find(block, "-----END ");
	word32 n;
	byte *der;

	if (!line)
		line = find(block, "-----\r");
	if (!line || !end || end < line + 6 || block.n > INT_MAX)
		return SPAN_NONE;
	line += 6;
	n = (word32)(end - line);
	der = mem_alloc(n);
	if (Base64_Decode((const byte *)line, (word32)(end - line), der, &n) != 0) {
		mem_wipe(der, n);
		mem_free(der);
		return SPAN_NONE;
	}
	return span_of((const char *)der, n);
}
