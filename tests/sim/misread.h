/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A scanner with a fault: scan() is wrapped, and where a text stands it sees
 * another of the same length, which nobody must send. The bytes themselves stay as they are, so that the
 * router forwards, and libxml2 reads, what the scanner has not seen.
 */
#ifndef TESTS_SIM_MISREAD_H
#define TESTS_SIM_MISREAD_H

#include "core/base/span.h"

/* From now on. Empty spans: the scanner is sound again. False: of different length, or too long. */
bool sim_misread(struct span text, struct span seen);

#endif
