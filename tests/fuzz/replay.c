/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzz target without a fuzzer: gives it each file of the named folders, and each
 * file cut short at a few places. So every build, whatever its compiler, checks the
 * corpus and the inputs that once broke something.
 *
 *   fuzz_diff_replay FOLDER|FILE...      (a folder that is not there holds nothing)
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

static unsigned long files;

static void replay_file(const char *path)
{
	FILE *in = fopen(path, "rb");
	uint8_t *data = NULL;
	size_t n = 0, got;

	if (!in)
		fuzz_found(path);
	do {
		data = realloc(data, n + 4096);
		if (!data)
			fuzz_found("no memory");
		got = fread(data + n, 1, 4096, in);
		n += got;
	} while (got);
	fclose(in);
	fprintf(stderr, "%s\n", path);
	LLVMFuzzerTestOneInput(data, n);
	for (size_t part = 1; part < 4; part++)
		LLVMFuzzerTestOneInput(data, n * part / 4);
	free(data);
	files++;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void replay_folder(const char *path)
{
	struct dirent **entries;
	int n = scandir(path, &entries, NULL, by_name);

	if (n < 0 && errno == ENOTDIR)
		replay_file(path);
	for (int i = 0; i < n; i++) {
		char file[4096];

		snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			replay_file(file);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay_folder(argv[i]);
	printf("%lu files\n", files);
	return files ? 0 : 1;
}
