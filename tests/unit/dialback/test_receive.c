/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>

#include "core/base/limits.h"
#include "dialback/receive.h"

static struct pairs *ps;

static const struct receive_facts good = { .to_hosted = true };

static void setup(void)
{
	ps = pairs_new(LIMIT_PAIRS_PER_STREAM);
	cr_assert_not_null(ps);
}

static void teardown(void)
{
	pairs_free(ps);
}

TestSuite(receive, .init = setup, .fini = teardown);
TestSuite(invalid, .init = setup, .fini = teardown);

static struct receive_step ask_key(const char *from, const char *key, const char *pending,
	const struct receive_facts *facts, uint64_t now)
{
	return receive_request(ps, span_str(from), SPAN_LIT("shop.hosted.test"), span_str(key),
		span_str(pending), facts, now);
}

static struct receive_step ask(const char *from, const struct receive_facts *facts)
{
	return ask_key(from, "key", NULL, facts, 0);
}

static void expect_error(struct receive_step s, enum db_condition c)
{
	cr_expect_eq(s.action, RECEIVE_ERROR);
	cr_expect_eq(s.condition, c, "%s", db_condition_name(s.condition));
}

/* -- requests, by row of 2.4 -- */

/* Row 2, T-R16 */
Test(receive, key_length)
{
	char key[LIMIT_KEY + 2];

	memset(key, 'k', sizeof(key));
	expect_error(ask_key("r", "", NULL, &good, 0), DB_BAD_REQUEST);
	expect_error(receive_request(ps, SPAN_LIT("r"), SPAN_LIT("l"), span_of(key, LIMIT_KEY + 1),
			     SPAN_NONE, &good, 0),
		DB_BAD_REQUEST);
	cr_expect_eq(pairs_total(ps), 0);
	cr_expect_eq(receive_request(ps, SPAN_LIT("r"), SPAN_LIT("l"), span_of(key, LIMIT_KEY),
			     SPAN_NONE, &good, 0)
			     .action,
		RECEIVE_VERIFY);
}

/* Rows 3 to 6, T-R5, T-R15, T-R24: no pair is made */
Test(receive, refused_without_a_pair)
{
	expect_error(ask("r", &(struct receive_facts){ .to_hosted = true, .tls_missing = true }),
		DB_POLICY_VIOLATION);
	expect_error(ask("r", &(struct receive_facts){ .to_hosted = true, .from_hosted = true }),
		DB_NOT_ACCEPTABLE);
	expect_error(ask("shop.hosted.test", &good), DB_NOT_ACCEPTABLE);
	expect_error(ask("r", &(struct receive_facts){ .to_hosted = false }), DB_ITEM_NOT_FOUND);
	expect_error(ask("r", &(struct receive_facts){ .to_hosted = true, .blocked = true }),
		DB_POLICY_VIOLATION);
	cr_expect_eq(pairs_total(ps), 0);
}

/* The first row that fits wins. */
Test(receive, order_of_rows)
{
	struct receive_facts f = { .tls_missing = true,
		.from_hosted = true,
		.blocked = true,
		.proven = true,
		.need_strong = true };
	struct pair *p = pairs_add(ps, SPAN_LIT("r"), SPAN_LIT("shop.hosted.test"), 0);

	pairs_set_state(ps, p, PAIR_VALID);
	expect_error(ask_key("r", "", NULL, &f, 0), DB_BAD_REQUEST);
	expect_error(ask("r", &f), DB_POLICY_VIOLATION);
	f.tls_missing = false;
	expect_error(ask("r", &f), DB_NOT_ACCEPTABLE);
	f.from_hosted = false;
	expect_error(ask("r", &f), DB_ITEM_NOT_FOUND);
	f.to_hosted = true;
	expect_error(ask("r", &f), DB_POLICY_VIOLATION);
	f.blocked = false;
	cr_expect_eq(ask("r", &f).action, RECEIVE_VALID);
	cr_expect_eq(p->state, PAIR_VALID, "a refusal of the request does not revoke");
}

/* Row 7, T-R25 */
Test(receive, bound)
{
	teardown();
	ps = pairs_new(2);
	cr_expect_eq(ask("r1", &good).action, RECEIVE_VERIFY);
	cr_expect_eq(ask("r2", &good).action, RECEIVE_VERIFY);
	expect_error(ask("r3", &good), DB_RESOURCE_CONSTRAINT);
	cr_expect_null(ask("r3", &good).pair);
	cr_expect_eq(ask_key("r1", "key", "key", &good, 0).action, RECEIVE_IGNORE);
}

/* Row 8, T-R18 */
Test(receive, valid_again)
{
	struct receive_step s = ask("r", &good);

	pairs_set_state(ps, s.pair, PAIR_VALID);
	s = ask_key("r", "another", NULL, &good, 0);
	cr_expect_eq(s.action, RECEIVE_VALID);
	cr_expect_eq(s.pair->state, PAIR_VALID);
}

/* Row 9, T-R19 */
Test(receive, asked_again)
{
	struct receive_step s = ask("r", &good);

	cr_expect_eq(s.action, RECEIVE_VERIFY);
	cr_expect_eq(s.pair->state, PAIR_VERIFYING);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(ask_key("r", "key", "key", &good, 0).action, RECEIVE_IGNORE);
	cr_expect_eq(ask_key("r", "key2", "key", &good, 0).action, RECEIVE_REVERIFY);
	cr_expect_eq(s.pair->state, PAIR_VERIFYING);
	expect_error(ask_key("r", "key3", "key2", &good, 0), DB_RESOURCE_CONSTRAINT);
	cr_expect_eq(s.pair->state, PAIR_VERIFYING, "the verification goes on");
	cr_expect_eq(ask_key("r", "key2", "key2", &good, 0).action, RECEIVE_IGNORE);
	/* A later verification has its own second chance. */
	receive_outcome(ps, s.pair, VERIFY_TIMEOUT, INVALID_XEP_1_1, 0);
	cr_expect_eq(ask_key("r", "key", NULL, &good, HOLD_TRANSIENT_MS).action, RECEIVE_VERIFY);
	cr_expect_eq(ask_key("r", "key2", "key", &good, 0).action, RECEIVE_REVERIFY);
}

/* Row 10, T-R20 */
Test(receive, refusal_repeated)
{
	struct receive_step s = ask("r", &good);

	receive_outcome(ps, s.pair, VERIFY_INVALID, INVALID_XEP_0_6, 1000);
	for (int i = 0; i < 10; i++)
		cr_expect_eq(ask_key("r", "key", NULL, &good, 1000 + HOLD_INVALID_MS - 1).action,
			RECEIVE_INVALID);
	cr_expect_eq(ask_key("r", "key", NULL, &good, 1000 + HOLD_INVALID_MS).action,
		RECEIVE_VERIFY);
	receive_outcome(ps, s.pair, VERIFY_INVALID, INVALID_FORBID, 1000);
	expect_error(ask_key("r", "key", NULL, &good, 1001), DB_FORBIDDEN);
	s = ask("r2", &good);
	receive_outcome(ps, s.pair, VERIFY_NOT_FOUND, INVALID_XEP_0_6, 1000);
	expect_error(ask_key("r2", "key", NULL, &good, 1001), DB_REMOTE_SERVER_NOT_FOUND);
	/* Not even a certificate shortens it: row 10 is above row 11. */
	expect_error(ask_key("r2", "key", NULL,
			     &(struct receive_facts){ .to_hosted = true, .proven = true }, 1001),
		DB_REMOTE_SERVER_NOT_FOUND);
}

/* Rows 11 and 12, T-R13, T-R12 */
Test(receive, certificate)
{
	struct receive_facts proven = { .to_hosted = true, .proven = true, .need_strong = true };
	struct receive_facts weak = { .to_hosted = true, .need_strong = true };
	struct receive_step s = ask("r1", &proven);

	cr_expect_eq(s.action, RECEIVE_VALID);
	cr_expect_eq(s.pair->state, PAIR_VALID, "before the answer is written");
	cr_expect(pairs_sender_valid(ps, SPAN_LIT("r1")));
	s = ask("r2", &weak);
	expect_error(s, DB_NOT_AUTHORIZED);
	cr_expect_eq(s.pair->state, PAIR_NONE);
	cr_expect_eq(ask("r2", &proven).action, RECEIVE_VALID);
}

/* -- outcomes -- */

static struct pair *verifying(const char *from)
{
	struct receive_step s = ask(from, &good);

	cr_assert_eq(s.action, RECEIVE_VERIFY);
	return s.pair;
}

Test(receive, outcome_valid)
{
	struct pair *p = verifying("r");
	struct receive_reply r = receive_outcome(ps, p, VERIFY_VALID, INVALID_XEP_1_1, 0);

	cr_expect_eq(r.type, REPLY_VALID);
	cr_expect_not(r.close || r.grace);
	cr_expect_eq(p->state, PAIR_VALID);
}

/* T-R6..T-R11 and how long the answer is repeated */
Test(receive, outcome_errors)
{
	static const struct {
		enum verify_outcome outcome;
		enum db_condition condition;
		uint64_t hold;
	} row[] = {
		{ VERIFY_NOT_FOUND, DB_REMOTE_SERVER_NOT_FOUND, HOLD_NOT_FOUND_MS },
		{ VERIFY_UNREACHABLE, DB_REMOTE_CONNECTION_FAILED, HOLD_TRANSIENT_MS },
		{ VERIFY_TIMEOUT, DB_REMOTE_SERVER_TIMEOUT, HOLD_TRANSIENT_MS },
		{ VERIFY_NOT_ACCEPTABLE, DB_NOT_ACCEPTABLE, HOLD_TRANSIENT_MS },
		{ VERIFY_INTERNAL, DB_INTERNAL_SERVER_ERROR, HOLD_TRANSIENT_MS },
	};

	for (size_t i = 0; i < ARRAY_LEN(row); i++) {
		char name[16];
		struct pair *p;
		struct receive_reply r;

		snprintf(name, sizeof(name), "r%zu", i);
		p = verifying(name);
		r = receive_outcome(ps, p, row[i].outcome, INVALID_XEP_1_1, 5);
		cr_expect_eq(r.type, REPLY_ERROR);
		cr_expect_eq(r.condition, row[i].condition);
		cr_expect_not(r.close || r.grace, "an error never closes");
		cr_expect_eq(p->state, PAIR_REFUSED);
		cr_expect_eq(p->refused_until, 5 + row[i].hold);
	}
}

Test(receive, outcome_overload)
{
	struct pair *p = verifying("r");
	struct receive_reply r = receive_outcome(ps, p, VERIFY_OVERLOAD, INVALID_XEP_1_1, 0);

	cr_expect_eq(r.type, REPLY_ERROR);
	cr_expect_eq(r.condition, DB_RESOURCE_CONSTRAINT);
	cr_expect_eq(p->state, PAIR_NONE);
	cr_expect_eq(ask("r", &good).action, RECEIVE_VERIFY, "no hold");
}

/* -- the invalid key: 2.8.2 -- */

/* T-I1..T-I8: with +0, +1 and +10000 other pairs that are VALID, or VERIFYING. */
static const struct cell {
	const char *row;
	enum invalid_policy policy;
	bool alive;
	int type;
	bool close, grace;
} matrix[] = {
	{ "T-I1", INVALID_RFC3920, false, REPLY_INVALID, true, false },
	{ "T-I2", INVALID_RFC3920, true, REPLY_INVALID, true, false },
	{ "T-I3", INVALID_XEP_0_6, false, REPLY_INVALID, false, false },
	{ "T-I4", INVALID_XEP_0_6, true, REPLY_INVALID, false, false },
	{ "T-I5", INVALID_XEP_1_1, false, REPLY_INVALID, true, false },
	{ "T-I6", INVALID_XEP_1_1, true, REPLY_ERROR, false, false },
	{ "T-I7", INVALID_FORBID, false, REPLY_ERROR, false, true },
	{ "T-I8", INVALID_FORBID, true, REPLY_ERROR, false, false },
};

static void others(unsigned n, enum pair_state state)
{
	for (unsigned i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%u", i);
		pairs_set_state(ps, pairs_add(ps, span_str(name), SPAN_LIT("l"), 0), state);
	}
}

static void cell_check(const struct cell *c, unsigned n, enum pair_state state)
{
	struct receive_reply r;
	struct pair *p;

	teardown();
	setup();
	others(n, state);
	p = verifying("evil.test");
	r = receive_outcome(ps, p, VERIFY_INVALID, c->policy, 7);
	cr_expect_eq((int)r.type, c->type, "%s +%u", c->row, n);
	cr_expect(r.type != REPLY_ERROR || r.condition == DB_FORBIDDEN, "%s", c->row);
	cr_expect_eq(r.close, c->close, "%s +%u", c->row, n);
	cr_expect_eq(r.grace, c->grace, "%s +%u", c->row, n);
	cr_expect_eq(p->state, PAIR_REFUSED);
	cr_expect_eq(p->refused_until, 7 + HOLD_INVALID_MS);
	cr_expect_eq(pairs_count(ps, state), n + (state == PAIR_REFUSED), "the others stand");
}

Test(invalid, matrix)
{
	for (size_t i = 0; i < ARRAY_LEN(matrix); i++) {
		const struct cell *c = &matrix[i];

		if (!c->alive) {
			cell_check(c, 0, PAIR_VALID);
			/* Others that were refused are not alive. */
			cell_check(c, 3, PAIR_REFUSED);
			continue;
		}
		cell_check(c, 1, PAIR_VALID);
		cell_check(c, 10000, PAIR_VALID);
		cell_check(c, 1, PAIR_VERIFYING);
	}
}

/* T-I18 */
Test(invalid, first_answer_of_a_burst)
{
	struct pair *evil = verifying("evil.test"), *p[LIMIT_UNPROVEN_CLAIMS - 1];
	struct receive_reply r;

	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		char name[16];

		snprintf(name, sizeof(name), "r%u", i);
		p[i] = verifying(name);
	}
	r = receive_outcome(ps, evil, VERIFY_INVALID, INVALID_XEP_1_1, 0);
	cr_expect(r.type == REPLY_ERROR && r.condition == DB_FORBIDDEN && !r.close);
	for (unsigned i = 0; i < ARRAY_LEN(p); i++) {
		r = receive_outcome(ps, p[i], VERIFY_VALID, INVALID_XEP_1_1, 0);
		cr_assert(r.type == REPLY_VALID && !r.close);
	}
	cr_expect_eq(pairs_count(ps, PAIR_VALID), ARRAY_LEN(p));
}

/* 2.8.2: if all of them fail in the end, the last failure closes */
static struct receive_reply all_fail(enum invalid_policy policy, enum verify_outcome last)
{
	struct pair *a = verifying("a"), *b = verifying("b"), *c = verifying("c");
	struct receive_reply r = receive_outcome(ps, a, VERIFY_INVALID, policy, 0);

	cr_expect(!r.close && !r.grace);
	r = receive_outcome(ps, b, VERIFY_UNREACHABLE, policy, 0);
	cr_expect(!r.close && !r.grace, "c is alive");
	return receive_outcome(ps, c, last, policy, 0);
}

Test(invalid, last_failure_closes)
{
	static const enum verify_outcome last[] = { VERIFY_NOT_FOUND, VERIFY_UNREACHABLE,
		VERIFY_TIMEOUT, VERIFY_NOT_ACCEPTABLE, VERIFY_OVERLOAD, VERIFY_INTERNAL };
	struct receive_reply r;

	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		r = all_fail(INVALID_XEP_1_1, last[i]);
		cr_expect(r.type == REPLY_ERROR && r.close && !r.grace, "%zu", i);
		teardown();
		setup();
		r = all_fail(INVALID_FORBID, last[i]);
		cr_expect(r.type == REPLY_ERROR && !r.close && r.grace, "%zu", i);
		teardown();
		setup();
	}
	r = all_fail(INVALID_XEP_1_1, VERIFY_INVALID);
	cr_expect(r.type == REPLY_INVALID && r.close);
}

Test(invalid, last_failure_without_an_invalid_one_keeps)
{
	struct pair *a = verifying("a"), *b = verifying("b");

	cr_expect_not(receive_outcome(ps, a, VERIFY_TIMEOUT, INVALID_XEP_1_1, 0).close);
	cr_expect_not(receive_outcome(ps, b, VERIFY_TIMEOUT, INVALID_XEP_1_1, 0).close);
}

Test(invalid, a_valid_pair_keeps_it_open)
{
	struct pair *a = verifying("a"), *b = verifying("b"), *c = verifying("c");

	receive_outcome(ps, a, VERIFY_INVALID, INVALID_XEP_1_1, 0);
	receive_outcome(ps, b, VERIFY_VALID, INVALID_XEP_1_1, 0);
	cr_expect_not(receive_outcome(ps, c, VERIFY_TIMEOUT, INVALID_XEP_1_1, 0).close);
}

Test(invalid, xep_0_6_never_closes)
{
	struct receive_reply r = all_fail(INVALID_XEP_0_6, VERIFY_TIMEOUT);

	cr_expect(!r.close && !r.grace);
}

Test(invalid, names)
{
	static const char *const names[] = { "rfc3920", "xep-0.6", "xep-1.1", "forbid" };
	enum invalid_policy p;

	for (int i = 0; i < 4; i++) {
		cr_expect(invalid_policy_parse(span_str(names[i]), &p));
		cr_expect_eq((int)p, i);
		cr_expect_str_eq(invalid_policy_name(p), names[i]);
	}
	cr_expect_not(invalid_policy_parse(SPAN_LIT("xep-1.0"), &p));
	cr_expect_not(invalid_policy_parse(SPAN_LIT(""), &p));
}
