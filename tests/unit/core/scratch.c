/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "scratch.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/base.h"

#define PATHS 64

static char folder[64];
static char *paths[PATHS];
static unsigned n_paths;

void scratch_open(void)
{
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	BUG_ON(!mkdtemp(folder));
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
	(void)st;
	(void)kind;
	(void)at;
	return remove(path);
}

void scratch_close(void)
{
	(void)nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	while (n_paths)
		free(paths[--n_paths]);
}

const char *scratch_path(const char *name)
{
	BUG_ON(n_paths == PATHS);
	BUG_ON(asprintf(&paths[n_paths], "%s/%s", folder, name) < 0);
	return paths[n_paths++];
}

const char *scratch_bytes(const char *name, const void *p, size_t n, unsigned mode)
{
	const char *path = scratch_path(name);
	FILE *f = fopen(path, "we");

	BUG_ON(!f || fwrite(p, 1, n, f) != n);
	BUG_ON(fclose(f) != 0 || chmod(path, mode) != 0);
	return path;
}

const char *scratch_file(const char *name, const char *text, unsigned mode)
{
	return scratch_bytes(name, text, strlen(text), mode);
}

char *scratch_read(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text = NULL;
	size_t cap = 0;

	if (!f || getdelim(&text, &cap, '\0', f) < 0) {
		free(text);
		text = strdup("");
	}
	if (f)
		fclose(f);
	return text;
}
