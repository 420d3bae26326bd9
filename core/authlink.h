/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A stream that we open to an authoritative server to have keys verified: one per
 * endpoint, shared by all questions (protocol rule 2.5). Carries db:verify and
 * nothing else. TLS from the first byte where the place asks for it (rule 6.4), by
 * STARTTLS wherever else it is offered. Belongs to the worker whose verifier asked for it.
 */
#ifndef SLUICE_CORE_AUTHLINK_H
#define SLUICE_CORE_AUTHLINK_H

#include "core/base/place.h"
#include "dialback/verify.h"

/* verify_ops; ctx is the worker. */
bool authlink_dial(void *ctx, struct verify_link *link, const struct place *to,
	struct span header_from, struct span header_to);
bool authlink_ask(void *ctx, struct verify_link *link, struct span from, struct span to,
	struct span id, struct span key);
void authlink_hang_up(void *ctx, struct verify_link *link);

#endif
