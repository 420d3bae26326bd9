/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a comparison found wrong, in words. The comparisons of this folder return
 * true when all is well and otherwise false, having said here why not.
 */
#ifndef ORACLE_COMPLAINT_H
#define ORACLE_COMPLAINT_H

#include <stdbool.h>

struct complaint {
	char text[1024]; /* NUL-terminated; bytes of the input stand in it as they are */
};

/* Always false, so that a comparison can return it. */
bool complain(struct complaint *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
