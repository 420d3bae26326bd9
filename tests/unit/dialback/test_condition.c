/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>

#include "dialback/condition.h"

/* Rule O-27. */
static const struct {
	enum db_condition c;
	const char *name, *type;
} table[] = {
	{ DB_BAD_REQUEST, "bad-request", "modify" },
	{ DB_POLICY_VIOLATION, "policy-violation", "modify" },
	{ DB_NOT_ACCEPTABLE, "not-acceptable", "modify" },
	{ DB_ITEM_NOT_FOUND, "item-not-found", "cancel" },
	{ DB_NOT_AUTHORIZED, "not-authorized", "auth" },
	{ DB_FORBIDDEN, "forbidden", "auth" },
	{ DB_RESOURCE_CONSTRAINT, "resource-constraint", "wait" },
	{ DB_REMOTE_SERVER_NOT_FOUND, "remote-server-not-found", "cancel" },
	{ DB_REMOTE_CONNECTION_FAILED, "remote-connection-failed", "wait" },
	{ DB_REMOTE_SERVER_TIMEOUT, "remote-server-timeout", "wait" },
	{ DB_INTERNAL_SERVER_ERROR, "internal-server-error", "cancel" },
	{ DB_NOT_ALLOWED, "not-allowed", "cancel" },
	{ DB_SERVICE_UNAVAILABLE, "service-unavailable", "cancel" },
};

Test(condition, names_and_types_O_27)
{
	cr_assert_eq(ARRAY_LEN(table), DB_CONDITION_COUNT, "each condition has a row");
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		cr_expect_str_eq(db_condition_name(table[i].c), table[i].name);
		cr_expect_str_eq(db_condition_type(table[i].c), table[i].type, "%s", table[i].name);
		cr_expect_eq(db_condition_parse(span_str(table[i].name)), table[i].c, "%s",
			table[i].name);
	}
}

/* Those of RFC 6120 that no dialback answer has, and what is none. */
Test(condition, of_other_names_none_is_read)
{
	static const char *const others[] = { "undefined-condition", "text", "Forbidden",
		"forbidden ", "forbidde", "" };

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		cr_expect_eq(db_condition_parse(span_str(others[i])), DB_CONDITION_COUNT, "%s",
			others[i]);
	cr_expect_eq(db_condition_parse(SPAN_NONE), DB_CONDITION_COUNT);
}
