/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a stranger sends first on a TLS port. */
#include "net/tls_hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[TLS_NAME_MAX];
	size_t n;
	enum tls_hello whole = tls_hello_read(span_of((const char *)data, size), name, &n);

	BUG_ON(n > sizeof(name) || (n > 0 && whole != TLS_HELLO_WHOLE));
	/* A beginning of a whole one is a part, or was whole already. */
	if (whole == TLS_HELLO_WHOLE && size > 0)
		BUG_ON(tls_hello_read(span_of((const char *)data, size - 1), name, &n) ==
			TLS_HELLO_OTHER);
	return 0;
}
