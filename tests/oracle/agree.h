/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whether what the scanner says of an element is what an oracle has read: each
 * field of struct frame against its meaning as xml/scan.h has it.
 */
#ifndef ORACLE_AGREE_H
#define ORACLE_AGREE_H

#include "tests/oracle/complaint.h"
#include "tests/oracle/reading.h"
#include "xml/scan.h"

/* r: libxml2's reading of the stream, of which element number i is the frame. */
bool agree_frame(const struct frame *f, const struct scan *s, const struct reading *r, unsigned i,
	struct complaint *c);

/* What the scanner remembers of the root. */
bool agree_root(const struct scan *s, const struct reading *r, struct complaint *c);

#endif
