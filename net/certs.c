/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/certs.h"

#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "net/certs_impl.h"

#define DAY 86400

struct certs *certs_ref(struct certs *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
	return s;
}

void certs_unref(struct certs *s)
{
	if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	(void)close(s->dir);
	mem_free(s->text);
	mem_free(s->entries);
	mem_free(s->names);
	mem_free(s);
}

struct certs_counts certs_counts(const struct certs *s)
{
	return (struct certs_counts){ s->n_entries + s->broken, s->broken, s->n_names };
}

size_t certs_memory(const struct certs *s)
{
	return sizeof(*s) + s->text_n + s->n_entries * sizeof(*s->entries) +
		s->n_names * sizeof(*s->names);
}

static int find(const struct certs *s, struct span text, bool wildcard)
{
	uint32_t low = 0, high = s->n_names;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		const struct certs_row *n = &s->names[middle];
		int order = certs_order(text, wildcard, certs_row_text(s, n), n->wildcard);

		if (order == 0)
			return (int)n->entry;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

int certs_find(const struct certs *s, const struct certname *name)
{
	struct span text = certname_span(name), parent = certname_parent(text);
	int file = find(s, text, false);

	return file < 0 && parent.p ? find(s, parent, true) : file;
}

const char *certs_file_name(const struct certs *s, int file)
{
	BUG_ON(file < 0 || (uint32_t)file >= s->n_entries);
	return s->text + s->entries[file].file;
}

/* -- what ends soon -- */

static bool came_near(int64_t not_after, int64_t since, int64_t now)
{
	static const int days[] = { 30, 14, 7, 1, 0 };

	if (since == CERTS_FIRST_TIME && not_after < now)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(days); i++) {
		int64_t at = not_after - (int64_t)days[i] * DAY;

		if (since < at && at <= now)
			return true;
	}
	return false;
}

void certs_expiring(const struct certs *s, int64_t since, int64_t now, certs_expiry_fn *fn,
	void *ctx)
{
	for (uint32_t i = 0; i < s->n_entries; i++) {
		const struct certs_entry *e = &s->entries[i];
		struct certs_expiry report = { .file = s->text + e->file,
			.name = span_of(s->text + e->name, e->name_n),
			.not_after = e->not_after };
		int64_t left = e->not_after - now;

		if (e->used == 0 || !came_near(e->not_after, since, now))
			continue;
		report.days = (int)(left < 0 ? -((-left + DAY - 1) / DAY) : left / DAY);
		fn(ctx, &report);
	}
}

/* -- to the log -- */

void certs_log(void *ctx, const struct certs_report *r)
{
	(void)ctx;
	switch (r->grade) {
	case CERTS_BROKEN:
		LOG(LOG_ERROR, "certificate-broken", r->what, LF_STR("file", r->file),
			LF_STR("remedy", r->remedy));
		return;
	case CERTS_DOUBTFUL:
		LOG(LOG_WARN, "certificate-doubtful", r->what, LF_STR("file", r->file),
			LF_STR("remedy", r->remedy));
		return;
	case CERTS_SHADOWED:
		LOG(LOG_INFO, "certificate-shadowed", r->what, LF_STR("file", r->file),
			LF_SPAN("name", r->name), LF_STR("used", r->other),
			LF_INT("names", r->names));
	}
}

void certs_log_expiry(void *ctx, const struct certs_expiry *e)
{
	(void)ctx;
	LOG(LOG_WARN, "certificate-ends",
		"a certificate of ours ends soon, or is over: renew it and "
		"send SIGHUP",
		LF_STR("file", e->file), LF_SPAN("name", e->name), LF_INT("days", e->days));
}
