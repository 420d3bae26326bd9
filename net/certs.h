/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Our own certificates: the index of --cert-dir, which name is in which file, and, for each
 * worker, a cache of those that it has loaded (net/certs_cache.h).
 *
 * Every file of the folder with the ending .pem is read once and holds one certificate; hidden
 * files and all other endings are passed over. What a file covers is said by its certificate
 * alone (dNSName, SRVName of xmpp-server, XmppAddr; rule 4.3), never by the name of the file or
 * the common name; LIMIT_CERT_NAMES of its names are looked at. A broken file is reported and
 * left out: the others count. Where several cover a name, it belongs to
 *
 *   one that names it, before one with a wildcard for it;
 *   of those, one that is valid now, before one that is over or not valid yet;
 *   of those, the one that is named after it (shop.example.pem, for *.shop.example as well);
 *   of those, the one that ends last; of those, the first by the name of the file.
 *
 * An index does not change after it was loaded: for a reload, load another beside it. It is
 * counted, and shared by any number of threads. It keeps the folder open; files are found
 * there, not by the path anew.
 */
#ifndef SLUICE_NET_CERTS_H
#define SLUICE_NET_CERTS_H

#include "core/base/certname.h"

#define CERTS_WHY 512

struct certs;

enum certs_grade {
	CERTS_BROKEN, /* not used */
	CERTS_DOUBTFUL, /* used, but peers may refuse it, or it is not safe */
	CERTS_SHADOWED, /* another file is used for some of its names */
};

/* About one file; lives as long as the call. */
struct certs_report {
	enum certs_grade grade;
	const char *file; /* its name in the folder */
	const char *what, *remedy; /* in words that live for ever */
	const char *other; /* SHADOWED: the file that is used instead, for this name at least */
	struct span name; /* SHADOWED: it; a wildcard without "*." */
	unsigned names; /* SHADOWED: how many */
};
typedef void certs_report_fn(void *ctx, const struct certs_report *r);

struct certs_counts {
	unsigned files, broken; /* of the files */
	unsigned names;
};

/*
 * now: seconds since 1970. Reports come in the order of the files' names. NULL and `why` only
 * when the folder itself cannot be read. Start-up memory, any thread; reads every file. The
 * result holds one reference.
 */
struct certs *certs_load(const char *dir, int64_t now, certs_report_fn *report, void *ctx,
	char why[CERTS_WHY]) MUST_CHECK;
struct certs *certs_ref(struct certs *s);
void certs_unref(struct certs *s); /* NULL is allowed */

struct certs_counts certs_counts(const struct certs *s);
size_t certs_memory(const struct certs *s); /* bytes held */

/* The number of the file for that name, -1: none covers it. */
int certs_find(const struct certs *s, const struct certname *name);
const char *certs_file_name(const struct certs *s, int file);

/* -- what ends soon -- */

#define CERTS_FIRST_TIME INT64_MIN

struct certs_expiry {
	const char *file;
	struct span name; /* one that it is used for; a wildcard without "*." */
	int64_t not_after; /* seconds since 1970 */
	int days; /* whole days left; negative: it is over */
};
typedef void certs_expiry_fn(void *ctx, const struct certs_expiry *e);

/*
 * Calls fn for each certificate in use that came to be 30, 14, 7, 1 or 0 days from its end after
 * `since` and until `now`: called once an hour or a day with the time of the last call, each is
 * reported at these times and at no other, reloads or not. CERTS_FIRST_TIME: those that end
 * within 30 days; what was over at the time of certs_load has been reported by it.
 */
void certs_expiring(const struct certs *s, int64_t since, int64_t now, certs_expiry_fn *fn,
	void *ctx);

/* -- to the log, as docs/operations.md has it; ctx is not used -- */

void certs_log(void *ctx, const struct certs_report *r);
void certs_log_expiry(void *ctx, const struct certs_expiry *e);

#endif
