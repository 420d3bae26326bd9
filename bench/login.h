/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a component logs in (XEP-0114), for those who have the wire and a reader: header, then the
 * handshake that the answer's id asks for. The server answers it with an element "handshake".
 */
#ifndef SLUICE_BENCH_LOGIN_H
#define SLUICE_BENCH_LOGIN_H

#include "bench/reader.h"
#include "bench/wire.h"

/* Both write, and flush nothing. */
void login_begin(struct wire *w, const char *name);
void login_header(struct wire *w, const struct reader_element *e, const char *secret);

#endif
