/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The second oracle: expat with namespaces, the parser of Prosody and ejabberd.
 * Comments, processing instructions and document type declarations count as
 * refusals. It reads names by the fourth edition of XML 1.0.
 *
 * One oracle per thread: the parser is made once and reset for each document.
 */
#ifndef ORACLE_EXPAT_H
#define ORACLE_EXPAT_H

#include "tests/oracle/reading.h"

struct oracle_expat;

struct oracle_expat *oracle_expat_new(void);
void oracle_expat_free(struct oracle_expat *x);

void oracle_expat_read(struct oracle_expat *x, struct span document, struct reading *out);

/*
 * Whether the document, which expat has refused, holds at that place a character
 * that names may have by the fifth edition only: the one difference that is known.
 */
bool oracle_expat_refused_5e(struct span document, const struct reading *r);

#endif
