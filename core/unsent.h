/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was queued on a connection that has died: stanza by stanza, in order, those that
 * the kernel had not taken. What it had taken of the last send is in doubt and counted
 * as such (stats.h, in_doubt); what earlier sends left with the kernel is not known.
 * Owner thread of the connection.
 */
#ifndef SLUICE_CORE_UNSENT_H
#define SLUICE_CORE_UNSENT_H

#include "xml/scan.h"

struct conn;
struct worker;

/* From ops->closed of its stream. SCAN_PAD bytes behind each stanza are readable. Without memory the log
 * says that they are lost; whose: for it. */
void unsent_each(struct worker *w, const struct conn *c, const char *whose,
	void (*fn)(void *ctx, const struct frame *f), void *ctx);

#endif
