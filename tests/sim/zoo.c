/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sim/zoo.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

/* Debian's Python by its path: python3-cryptography is for no other. */
#define MAKER "/usr/bin/python3 tests/zoo/zoo.py"

static char own[] = "/tmp/sluice-zoo-XXXXXX";
static const char *dir = own;
static enum { NOT_MADE, MADE, FAILED } made;

static void zoo_remove(void)
{
	char command[128];

	(void)snprintf(command, sizeof(command), "rm -rf %s", dir);
	if (system(command) != 0)
		perror(dir);
}

static bool zoo_make(void)
{
	const char *given = getenv("SLUICE_ZOO");
	char command[256];

	if (made == NOT_MADE && given) {
		dir = given;
		made = MADE;
	} else if (made == NOT_MADE) {
		made = FAILED;
		if (!mkdtemp(own))
			return false;
		(void)atexit(zoo_remove);
		(void)snprintf(command, sizeof(command), MAKER " %s >/dev/null", dir);
		if (system(command) == 0)
			made = MADE;
	}
	return made == MADE;
}

bool zoo_read(struct span name, const char *suffix, struct buf *out, char why[TEXT_WHY])
{
	char path[256], piece[4096];
	FILE *f;
	size_t n;

	if (!zoo_make()) {
		(void)snprintf(why, TEXT_WHY, "%s failed, or is not found from here", MAKER);
		return false;
	}
	(void)snprintf(path, sizeof(path), "%s/%.*s.%s", dir, (int)name.n, name.p, suffix);
	f = fopen(path, "re");
	if (!f) {
		(void)snprintf(why, TEXT_WHY, "no such certificate: %.*s.%s", (int)name.n, name.p,
			suffix);
		return false;
	}
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		buf_add(out, span_of(piece, n));
	(void)fclose(f);
	return true;
}

static int64_t made_at;

/* Of the certificate whose age matters; each time they are made, all are. */
static void zoo_date(void)
{
	const char *given = getenv("SLUICE_ZOO");
	char path[256];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/ends-within-the-hour.pem", given ? given : dir);
	made_at = stat(path, &st) == 0 ? st.st_mtime : time(NULL);
}

int64_t zoo_time(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, zoo_date);
	return made_at;
}
