/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is answered to a claim (db:result) or to a question about a key (db:verify): the answer's
 * attribute `type` (XEP-0220 sections 2.1.2, 2.2.2 and 2.5). Constants only: any thread.
 */
#ifndef SLUICE_DIALBACK_ANSWER_H
#define SLUICE_DIALBACK_ANSWER_H

#include "core/base/span.h"

enum answer { ANSWER_VALID, ANSWER_INVALID, ANSWER_ERROR };

const char *answer_type(enum answer a); /* "valid" */
/* False: dialback has no such type; *out is untouched then. */
bool answer_parse(struct span type, enum answer *out);

#endif
