/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A certificate authority for one run: a root, an intermediate that signs, and any
 * number of leaves, all P-256 as on today's network, each leaf with a key of its own.
 * Good for a day. Made by OpenSSL.
 */
#ifndef SLUICE_BENCH_PKI_H
#define SLUICE_BENCH_PKI_H

#include "bench/bench.h"

struct pki;

/* NULL when OpenSSL refuses. */
struct pki *pki_new(void);
void pki_free(struct pki *p); /* NULL is allowed */

/* The root, PEM. false with errno set. */
bool pki_write_root(const struct pki *p, const char *path);

/*
 * A leaf for the name and, if `below`, for "*.name" as well, to be shown by servers and
 * clients; in the file: its key, it, the intermediate. false with errno set.
 */
bool pki_issue(struct pki *p, const char *name, bool below, const char *path);

#endif
