/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/tls_hello.h"

#include "core/base/limits.h"

#define RECORD_HEADER 5
#define RECORD_HANDSHAKE 22
#define MESSAGE_HEADER 4
#define MESSAGE_CLIENT_HELLO 1
#define EXTENSION_SERVER_NAME 0
#define NAME_TYPE_HOST 0

static unsigned byte_at(struct span s, size_t i)
{
	return (unsigned char)s.p[i];
}

/* Takes n bytes from the front; false when there are fewer. */
static bool take(struct span *s, size_t n, struct span *out)
{
	if (s->n < n)
		return false;
	*out = span_of(s->p, n);
	*s = span_skip(*s, n);
	return true;
}

/* A vector whose length is in its first `bytes` bytes. */
static bool vector(struct span *s, unsigned bytes, struct span *out)
{
	struct span length;
	size_t n = 0;

	if (!take(s, bytes, &length))
		return false;
	for (unsigned i = 0; i < bytes; i++)
		n = n << 8 | byte_at(length, i);
	return take(s, n, out);
}

static void name_find(struct span extension, char name[TLS_NAME_MAX], size_t *n)
{
	struct span list, type, host;

	if (!vector(&extension, 2, &list) || !take(&list, 1, &type) ||
		byte_at(type, 0) != NAME_TYPE_HOST || !vector(&list, 2, &host) ||
		host.n > TLS_NAME_MAX || host.n == 0)
		return;
	memcpy(name, host.p, host.n);
	*n = host.n;
}

static void body_read(struct span body, char name[TLS_NAME_MAX], size_t *n)
{
	struct span skipped, extensions, type, data;

	if (!take(&body, 2 + 32, &skipped) || !vector(&body, 1, &skipped) ||
		!vector(&body, 2, &skipped) || !vector(&body, 1, &skipped) ||
		!vector(&body, 2, &extensions))
		return;
	while (take(&extensions, 2, &type) && vector(&extensions, 2, &data)) {
		if (byte_at(type, 0) == 0 && byte_at(type, 1) == EXTENSION_SERVER_NAME) {
			name_find(data, name, n);
			return;
		}
	}
}

enum tls_hello tls_hello_read(struct span records, char name[TLS_NAME_MAX], size_t *n)
{
	char message[LIMIT_TLS_HELLO];
	size_t have = 0, need = MESSAGE_HEADER;
	struct span header, body;

	*n = 0;
	while (have < need) {
		if (records.n > 0 && byte_at(records, 0) != RECORD_HANDSHAKE)
			return TLS_HELLO_OTHER;
		if (!take(&records, RECORD_HEADER, &header))
			return TLS_HELLO_PART;
		body.n = byte_at(header, 3) << 8 | byte_at(header, 4);
		if (body.n == 0 || body.n > sizeof(message) - have)
			return TLS_HELLO_OTHER;
		if (!take(&records, body.n, &body))
			return TLS_HELLO_PART;
		memcpy(message + have, body.p, body.n);
		have += body.n;
		if (message[0] != MESSAGE_CLIENT_HELLO)
			return TLS_HELLO_OTHER;
		body = span_of(message + 1, 3);
		if (have >= MESSAGE_HEADER)
			need = MESSAGE_HEADER +
				(byte_at(body, 0) << 16 | byte_at(body, 1) << 8 | byte_at(body, 2));
	}
	body_read(span_of(message + MESSAGE_HEADER, need - MESSAGE_HEADER), name, n);
	return TLS_HELLO_WHOLE;
}
