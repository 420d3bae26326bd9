/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of a PEM text (RFC 7468). Any thread.
 */
#ifndef SLUICE_NET_TLS_PEM_H
#define SLUICE_NET_TLS_PEM_H

#include "core/base/span.h"

/*
 * The first block with that label ("CERTIFICATE"), from its BEGIN line to its END line, and moves
 * *text behind it; p == NULL: there is none. A block without an end is none.
 */
struct span tls_pem_next(struct span *text, const char *label);
/* Its contents, into memory of the caller's (mem_free); p == NULL: not a PEM block. Start-up memory. */
struct span tls_pem_der(struct span block);

#endif
