/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fds.h"

#include <dirent.h>

unsigned fds_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}
