/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fuzz targets share. A target defines LLVMFuzzerTestOneInput and is linked
 * to libFuzzer, to AFL++'s driver or to replay.c: an input that breaks its property
 * ends the process with a message, whoever brought it.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline _Noreturn void fuzz_found(const char *what)
{
	fprintf(stderr, "FOUND: %s\n", what);
	abort();
}

#endif
