/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "net/certs_file.h"
#include "net/certs_impl.h"
#include "net/tls_cert.h"

#define ENDING ".pem"

/* What a file lost to another. */
struct loss {
	uint32_t names, other, at, n; /* how many; to which file; one of them, its text */
};

struct loading {
	struct certs *s;
	int64_t now;
	certs_report_fn *report;
	void *ctx;
	char **files;
	uint32_t n_files, files_room, entries_room, names_room;
	size_t text_room;
};

static void tell(struct loading *l, enum certs_grade grade, const char *file,
	struct certs_fault fault)
{
	l->report(l->ctx,
		&(struct certs_report){ .grade = grade,
			.file = file,
			.what = fault.what,
			.remedy = fault.remedy });
}

/* Room for one more of `size` bytes. */
static void *grown(void *p, uint32_t n, uint32_t *room, size_t size)
{
	if (n < *room)
		return p;
	BUG_ON(*room > UINT32_MAX / 2);
	*room = *room ? 2 * *room : 64;
	return mem_realloc(p, *room * size);
}

static uint32_t text_add(struct loading *l, struct span text)
{
	struct certs *s = l->s;
	uint32_t at = s->text_n;

	BUG_ON(text.n > UINT32_MAX - 1 - s->text_n);
	if (s->text_n + text.n + 1 > l->text_room) {
		l->text_room = 2 * (s->text_n + text.n + 1);
		s->text = mem_realloc(s->text, l->text_room);
	}
	memcpy(s->text + at, text.p, text.n);
	s->text[at + text.n] = '\0';
	s->text_n += (uint32_t)text.n + 1;
	return at;
}

/* -- the folder -- */

static bool is_wanted(const char *file)
{
	size_t n = strlen(file), ending = strlen(ENDING);

	return file[0] != '.' && n > ending && strcmp(file + n - ending, ENDING) == 0;
}

static int compare_files(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* 0, or errno. */
static int list_files(struct loading *l, int fd)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;
	int err;

	if (!dir) {
		err = errno;
		(void)close(fd);
		return err;
	}
	for (errno = 0; (d = readdir(dir)); errno = 0) {
		if (!is_wanted(d->d_name))
			continue;
		l->files = grown(l->files, l->n_files, &l->files_room, sizeof(*l->files));
		l->files[l->n_files++] = mem_strdup(d->d_name);
	}
	err = errno;
	(void)closedir(dir);
	if (l->n_files)
		qsort(l->files, l->n_files, sizeof(*l->files), compare_files);
	return err;
}

/* Opened twice: a DIR closes its own. */
static bool open_folder(struct loading *l, const char *path, char why[CERTS_WHY])
{
	int fd, err = 0;

	l->s->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = l->s->dir < 0 ? -1 : openat(l->s->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? errno : list_files(l, fd);
	if (err)
		(void)snprintf(why, CERTS_WHY, "%s: cannot be read: %s", path,
			strerrordesc_np(err));
	return err == 0;
}

/* -- one file -- */

/* What makes peers refuse a certificate (rule 4.4), the end of its validity apart. */
static struct certs_fault usage_doubt(const struct x509 *cert)
{
	static const char remedy[] = "have a certificate made for a server";

	if (cert->ca)
		return CERTS_FAULT("it is the certificate of an authority: peers refuse it",
			"put the certificate of the server first into the file");
	if (cert->has_purposes && !(cert->purposes & (X509_PURPOSE_SERVER | X509_PURPOSE_ANY)))
		return CERTS_FAULT("it is not for servers (extKeyUsage): peers refuse it", remedy);
	if (cert->has_key_usage && !(cert->key_usage & X509_DIGITAL_SIGNATURE))
		return CERTS_FAULT("its key is not for signatures (keyUsage): peers refuse it",
			remedy);
	if (!cert->strong_signature)
		return CERTS_FAULT("its signature is not of an accepted algorithm: peers refuse it",
			remedy);
	return CERTS_NO_FAULT;
}

static void tell_doubts(struct loading *l, const char *file, const struct x509 *cert, bool exposed)
{
	struct certs_fault usage = usage_doubt(cert);

	if (exposed)
		tell(l, CERTS_DOUBTFUL, file,
			CERTS_FAULT("everybody may read or write the private key",
				"chmod 600 it; if others use the machine, have a new one made"));
	if (cert->not_after < l->now)
		tell(l, CERTS_DOUBTFUL, file,
			CERTS_FAULT("it is over: peers refuse it", "renew it"));
	if (cert->not_before > l->now)
		tell(l, CERTS_DOUBTFUL, file,
			CERTS_FAULT("it is not valid yet: peers refuse it",
				"look at the clock of this machine (date -u)"));
	if (usage.what)
		tell(l, CERTS_DOUBTFUL, file, usage);
}

/* The domain that a file is named after, without "*."; none: n is 0. */
static void file_domain(const char *file, struct certname *out)
{
	struct span stem = span_of(file, strlen(file) - strlen(ENDING));

	if (span_starts(stem, SPAN_LIT("*.")))
		stem = span_skip(stem, 2);
	if (!certname_asked(stem, out))
		out->n = 0;
}

static void name_add(struct loading *l, const struct certname *name, uint8_t rank)
{
	struct certs *s = l->s;

	s->names = grown(s->names, s->n_names, &l->names_room, sizeof(*s->names));
	s->names[s->n_names++] = (struct certs_row){
		.at = text_add(l, certname_span(name)),
		.entry = s->n_entries,
		.n = name->n,
		.wildcard = name->wildcard,
		.rank = rank,
	};
}

/* Of the entry that comes next. How many there were. */
static unsigned add_names(struct loading *l, const char *file, const struct x509 *cert)
{
	bool current = cert->not_before <= l->now && l->now <= cert->not_after;
	struct span left = cert->names;
	struct certname domain, name;
	struct x509_name read;
	unsigned taken = 0;

	file_domain(file, &domain);
	for (unsigned i = 0; i < LIMIT_CERT_NAMES && x509_name_next(&left, &read); i++) {
		bool named;

		if (!certname_of(&read, &name))
			continue;
		named = span_eq(certname_span(&name), certname_span(&domain));
		name_add(l, &name, (uint8_t)(2 * current + named));
		taken++;
	}
	return taken;
}

static void entry_add(struct loading *l, const char *file, struct span der, const struct x509 *cert)
{
	struct certs *s = l->s;

	s->entries = grown(s->entries, s->n_entries, &l->entries_room, sizeof(*s->entries));
	s->entries[s->n_entries++] = (struct certs_entry){
		.leaf = hash_sip128(&s->key, der),
		.not_after = cert->not_after,
		.file = text_add(l, span_str(file)),
	};
}

static struct certs_fault take_names(struct loading *l, const char *file, struct span der,
	const struct x509 *cert)
{
	if (add_names(l, file, cert) == 0)
		return CERTS_FAULT("it names no domain that a peer could ask for (subjectAltName)",
			"have a certificate made with the domain as a dNSName; the common name does "
			"not count");
	entry_add(l, file, der, cert);
	return CERTS_NO_FAULT;
}

/* What only the library can say. */
static struct certs_fault try_out(const struct certs_file *f)
{
	struct certs_fault fault = CERTS_NO_FAULT;
	struct tls_cert *c = tls_cert_new(f->chain, f->key, &fault.what);

	if (c) {
		tls_cert_unref(c);
		return CERTS_NO_FAULT;
	}
	fault.remedy =
		"openssl x509 -text -in FILE and openssl pkey -text -noout -in FILE show what "
		"is there";
	return fault;
}

static void load_file(struct loading *l, const char *file)
{
	struct span der = SPAN_NONE;
	struct certs_file f;
	struct certs_fault fault = certs_file_read(l->s->dir, file, &f);
	struct x509 cert;
	bool sure;

	if (!fault.what)
		fault = certs_file_check(&f, &der, &cert, &sure);
	if (!fault.what && !sure)
		fault = try_out(&f);
	if (!fault.what)
		fault = take_names(l, file, der, &cert);
	if (!fault.what) {
		tell_doubts(l, file, &cert, f.exposed);
	} else {
		l->s->broken++;
		tell(l, CERTS_BROKEN, file, fault);
	}
	mem_free((void *)der.p);
	certs_file_close(&f);
}

/* -- one file for each name -- */

static int compare_names(const void *a, const void *b, void *ctx)
{
	const struct certs_row *x = a, *y = b;
	const struct certs *s = ctx;
	const struct certs_entry *ex = &s->entries[x->entry], *ey = &s->entries[y->entry];
	int order = certs_order(certs_row_text(s, x), x->wildcard, certs_row_text(s, y),
		y->wildcard);

	if (order)
		return order;
	if (x->rank != y->rank)
		return x->rank > y->rank ? -1 : 1;
	if (ex->not_after != ey->not_after)
		return ex->not_after > ey->not_after ? -1 : 1;
	return x->entry < y->entry ? -1 : x->entry > y->entry;
}

static bool same_name(const struct certs *s, const struct certs_row *a, const struct certs_row *b)
{
	return a->wildcard == b->wildcard && span_eq(certs_row_text(s, a), certs_row_text(s, b));
}

/* The same certificate in another file: nothing is lost. */
static bool same_leaf(const struct certs_entry *a, const struct certs_entry *b)
{
	return a->leaf.lo == b->leaf.lo && a->leaf.hi == b->leaf.hi;
}

static void use(struct certs *s, const struct certs_row *n)
{
	struct certs_entry *e = &s->entries[n->entry];

	if (e->used++ == 0) {
		e->name = n->at;
		e->name_n = n->n;
	}
}

static void lose(const struct certs *s, const struct certs_row *n, const struct certs_row *winner,
	struct loss *lost)
{
	struct loss *loss = &lost[n->entry];

	if (same_leaf(&s->entries[n->entry], &s->entries[winner->entry]))
		return;
	if (loss->names++ == 0) {
		loss->other = winner->entry;
		loss->at = n->at;
		loss->n = n->n;
	}
}

/* The first of each name stays. */
static void settle(struct certs *s, struct loss *lost)
{
	uint32_t kept = 0;

	if (s->n_names)
		qsort_r(s->names, s->n_names, sizeof(*s->names), compare_names, s);
	for (uint32_t i = 0; i < s->n_names; i++) {
		const struct certs_row *n = &s->names[i];

		if (kept && same_name(s, &s->names[kept - 1], n)) {
			lose(s, n, &s->names[kept - 1], lost);
			continue;
		}
		use(s, n);
		s->names[kept++] = *n;
	}
	s->n_names = kept;
}

static void tell_losses(struct loading *l, const struct loss *lost)
{
	const struct certs *s = l->s;

	for (uint32_t i = 0; i < s->n_entries; i++) {
		bool useless = s->entries[i].used == 0;
		struct certs_report r = {
			.grade = CERTS_SHADOWED,
			.file = s->text + s->entries[i].file,
			.what = useless ? "another file is used for all of its names"
					: "another file is used for some of its names",
			.remedy = "remove it if it is out of date",
			.other = s->text + s->entries[lost[i].other].file,
			.name = span_of(s->text + lost[i].at, lost[i].n),
			.names = lost[i].names,
		};

		if (lost[i].names)
			l->report(l->ctx, &r);
	}
}

static void choose(struct loading *l)
{
	struct loss *lost = mem_array(l->s->n_entries + (size_t)1, sizeof(*lost));

	settle(l->s, lost);
	tell_losses(l, lost);
	mem_free(lost);
}

/* An index stays for days. */
static void trim(struct certs *s)
{
	s->text = mem_realloc(s->text, s->text_n + (size_t)1);
	s->entries = mem_realloc(s->entries, (s->n_entries + (size_t)1) * sizeof(*s->entries));
	s->names = mem_realloc(s->names, (s->n_names + (size_t)1) * sizeof(*s->names));
}

struct certs *certs_load(const char *dir, int64_t now, certs_report_fn *report, void *ctx,
	char why[CERTS_WHY])
{
	struct loading l = { .s = mem_zalloc(sizeof(*l.s)),
		.now = now,
		.report = report,
		.ctx = ctx };
	bool ok = open_folder(&l, dir, why);

	atomic_init(&l.s->refs, 1);
	hash_key_random(&l.s->key);
	for (uint32_t i = 0; i < l.n_files; i++) {
		if (ok)
			load_file(&l, l.files[i]);
		mem_free(l.files[i]);
	}
	mem_free(l.files);
	if (ok) {
		choose(&l);
		trim(l.s);
		return l.s;
	}
	if (l.s->dir >= 0)
		(void)close(l.s->dir);
	mem_free(l.s);
	return NULL;
}
