/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "certs_dir.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

struct reported reported[REPORTS];
unsigned n_reported;

static char folder[64];

void certs_dir_open(void)
{
	strcpy(folder, "/tmp/sluice-certs-XXXXXX");
	cr_assert(mkdtemp(folder) != NULL);
}

void certs_dir_run(const char *command)
{
	char line[1024];

	(void)snprintf(line, sizeof(line), "cd %s && %s", folder, command);
	cr_assert_eq(system(line), 0, "%s", line);
}

void certs_dir_close(void)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "rm -rf %s", folder);
	cr_assert_eq(system(line), 0);
}

const char *certs_dir_path(void)
{
	return folder;
}

void certs_dir_make(const char *lines)
{
	char line[128];
	FILE *f;

	(void)snprintf(line, sizeof(line), "/usr/bin/python3 tests/unit/net/certs_make.py %s",
		folder);
	f = popen(line, "we");
	cr_assert(f && fputs(lines, f) >= 0 && pclose(f) == 0, "certs_make.py failed");
}

void certs_dir_write(const char *file, const char *text, unsigned mode)
{
	char path[128];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, file);
	f = fopen(path, "we");
	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	cr_assert_eq(chmod(path, mode), 0);
}

static void on_report(void *ctx, const struct certs_report *r)
{
	struct reported *mine = &reported[n_reported++];

	cr_assert(ctx == reported && n_reported < REPORTS);
	*mine = (struct reported){ .grade = r->grade, .names = r->names };
	cr_assert(r->what && r->remedy && *r->what && *r->remedy);
	(void)snprintf(mine->file, sizeof(mine->file), "%s", r->file);
	(void)snprintf(mine->what, sizeof(mine->what), "%s", r->what);
	(void)snprintf(mine->other, sizeof(mine->other), "%s", r->other ? r->other : "");
	(void)snprintf(mine->name, sizeof(mine->name), "%.*s", (int)r->name.n, r->name.p);
}

struct certs *certs_dir_load_at(int64_t now)
{
	char why[CERTS_WHY] = "";
	struct certs *s;

	n_reported = 0;
	s = certs_load(folder, now, on_report, reported, why);
	cr_assert(s != NULL, "%s", why);
	return s;
}

struct certs *certs_dir_load(void)
{
	return certs_dir_load_at(time(NULL));
}

const struct reported *report_of(const char *file)
{
	for (unsigned i = 0; i < n_reported; i++) {
		if (strcmp(reported[i].file, file) == 0)
			return &reported[i];
	}
	cr_assert_fail("nothing was reported about %s", file);
	return NULL;
}

const char *found_file(const struct certs *s, const char *name)
{
	struct certname asked;
	int file = -1;

	if (certname_asked(span_str(name), &asked))
		file = certs_find(s, &asked);
	return file < 0 ? "-" : certs_file_name(s, file);
}

int serial_of(const struct tls_cert *c)
{
	struct x509 read;
	const char *why;

	if (!c)
		return 0;
	cr_assert(x509_parse(tls_cert_der(c), &read, &why));
	return (unsigned char)read.serial.p[read.serial.n - 1];
}
