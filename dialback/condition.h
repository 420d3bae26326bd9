/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The error conditions that a dialback answer can carry (XEP-0220 section 2.5)
 * and the error type that goes with each (protocol rule O-27). Constants only:
 * any thread.
 */
#ifndef SLUICE_DIALBACK_CONDITION_H
#define SLUICE_DIALBACK_CONDITION_H

#include "core/base/span.h"

enum db_condition {
	DB_BAD_REQUEST,
	DB_POLICY_VIOLATION,
	DB_NOT_ACCEPTABLE,
	DB_ITEM_NOT_FOUND,
	DB_NOT_AUTHORIZED,
	DB_FORBIDDEN,
	DB_RESOURCE_CONSTRAINT,
	DB_REMOTE_SERVER_NOT_FOUND,
	DB_REMOTE_CONNECTION_FAILED,
	DB_REMOTE_SERVER_TIMEOUT,
	DB_INTERNAL_SERVER_ERROR,
	/* never said by us */
	DB_NOT_ALLOWED, /* ejabberd's word for item-not-found */
	DB_SERVICE_UNAVAILABLE,
	DB_CONDITION_COUNT,
};

const char *db_condition_name(enum db_condition c); /* element name: "item-not-found" */
/* DB_CONDITION_COUNT: none of this name. */
enum db_condition db_condition_parse(struct span name);
const char *db_condition_type(enum db_condition c); /* "cancel", "auth", "wait" or "modify" */

#endif
