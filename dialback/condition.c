/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dialback/condition.h"

static const struct {
	const char *name, *type;
} conditions[DB_CONDITION_COUNT] = {
	[DB_BAD_REQUEST] = { "bad-request", "modify" },
	[DB_POLICY_VIOLATION] = { "policy-violation", "modify" },
	[DB_NOT_ACCEPTABLE] = { "not-acceptable", "modify" },
	[DB_ITEM_NOT_FOUND] = { "item-not-found", "cancel" },
	[DB_NOT_AUTHORIZED] = { "not-authorized", "auth" },
	[DB_FORBIDDEN] = { "forbidden", "auth" },
	[DB_RESOURCE_CONSTRAINT] = { "resource-constraint", "wait" },
	[DB_REMOTE_SERVER_NOT_FOUND] = { "remote-server-not-found", "cancel" },
	/* No stanza error of RFC 6120 has this name, but XEP-0220 section 2.5 uses it as one. */
	[DB_REMOTE_CONNECTION_FAILED] = { "remote-connection-failed", "wait" },
	[DB_REMOTE_SERVER_TIMEOUT] = { "remote-server-timeout", "wait" },
	[DB_INTERNAL_SERVER_ERROR] = { "internal-server-error", "cancel" },
	[DB_NOT_ALLOWED] = { "not-allowed", "cancel" },
	[DB_SERVICE_UNAVAILABLE] = { "service-unavailable", "cancel" },
};

const char *db_condition_name(enum db_condition c)
{
	BUG_ON((unsigned)c >= DB_CONDITION_COUNT);
	return conditions[c].name;
}

enum db_condition db_condition_parse(struct span name)
{
	enum db_condition c = 0;

	while (c < DB_CONDITION_COUNT && !span_is(name, conditions[c].name))
		c++;
	return c;
}

const char *db_condition_type(enum db_condition c)
{
	BUG_ON((unsigned)c >= DB_CONDITION_COUNT);
	return conditions[c].type;
}
