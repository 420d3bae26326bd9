/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/explain.h"

#include <stdio.h>

#include "core/base/hash.h"
#include "core/base/limits.h"
#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "dialback/table.h"

#define STAGE_TEXT 160
#define HEALTHY_TOLD 20 /* pairs that are valid */

struct attempt {
	uint64_t at[EXPLAIN_STAGES]; /* ms; 0: not reached */
	const char *detail[EXPLAIN_STAGES];
	struct place place; /* of the stream; port 0: none yet */
	struct place tried; /* with EXPLAIN_TRIED */
	const char *condition; /* that the other server gave */
	bool failed;
};

/* Of a pair, or with an empty `from` of a target. */
struct account {
	struct table_node node;
	struct list link; /* in explain->by_use, latest last */
	unsigned last; /* of attempts, the current one */
	struct attempt attempts[EXPLAIN_ATTEMPTS];
	uint16_t from_n, to_n;
	char text[]; /* from, to */
};

struct ledger {
	struct table table;
	struct list by_use;
};

struct explain {
	struct hash_key key;
	struct ledger pairs, targets;
};

static void ledger_init(struct ledger *l)
{
	table_init(&l->table);
	list_init(&l->by_use);
}

struct explain *explain_new(void)
{
	struct explain *x = mem_zalloc(sizeof(*x));

	hash_key_random(&x->key);
	ledger_init(&x->pairs);
	ledger_init(&x->targets);
	return x;
}

static void account_drop(struct table_node *n)
{
	mem_free(container_of(n, struct account, node));
}

void explain_free(struct explain *x)
{
	if (!x)
		return;
	table_free(&x->pairs.table, account_drop);
	table_free(&x->targets.table, account_drop);
	mem_free(x);
}

/* -- accounts -- */

static struct span account_from(const struct account *a)
{
	return span_of(a->text, a->from_n);
}

static struct span account_to(const struct account *a)
{
	return span_of(a->text + a->from_n, a->to_n);
}

static uint64_t account_hash(const struct explain *x, struct span from, struct span to)
{
	return hash_sip(&x->key, from) * 3 + hash_sip(&x->key, to);
}

static struct account *account_find(const struct explain *x, const struct ledger *l,
	struct span from, struct span to)
{
	struct table_node *n = table_first(&l->table, account_hash(x, from, to));

	for (; n; n = table_next(n)) {
		struct account *a = container_of(n, struct account, node);

		if (span_eq(account_from(a), from) && span_eq(account_to(a), to))
			return a;
	}
	return NULL;
}

static struct account *account_new(struct explain *x, struct ledger *l, struct span from,
	struct span to)
{
	struct account *a = mem_try_zalloc(sizeof(*a) + from.n + to.n);

	if (!a)
		return NULL;
	if (l->table.count >= LIMIT_EXPLAINED) {
		struct account *oldest = list_first(&l->by_use, struct account, link);

		list_del(&oldest->link);
		table_del(&l->table, &oldest->node);
		mem_free(oldest);
	}
	a->from_n = (uint16_t)from.n;
	a->to_n = (uint16_t)to.n;
	memcpy(a->text, from.p, from.n);
	memcpy(a->text + from.n, to.p, to.n);
	list_add_tail(&l->by_use, &a->link);
	table_add(&l->table, &a->node, account_hash(x, from, to));
	return a;
}

static struct account *account_use(struct explain *x, struct ledger *l, struct span from,
	struct span to)
{
	struct account *a = account_find(x, l, from, to);

	if (!a)
		return account_new(x, l, from, to);
	list_del(&a->link);
	list_add_tail(&l->by_use, &a->link);
	return a;
}

/* -- attempts -- */

static struct attempt *attempt_of(struct account *a)
{
	return &a->attempts[a->last];
}

static void attempt_note(struct attempt *t, enum explain_stage stage, const struct place *at,
	const char *detail, uint64_t now)
{
	t->at[stage] = now;
	t->detail[stage] = detail;
	if (at)
		*(stage == EXPLAIN_TRIED ? &t->tried : &t->place) = *at;
}

void explain_stream(struct explain *x, struct span to, enum explain_stage stage,
	const struct place *at, const char *detail, uint64_t now)
{
	struct account *a = account_use(x, &x->targets, SPAN_LIT(""), to);

	if (!a)
		return;
	if (stage == EXPLAIN_BEGUN)
		*attempt_of(a) = (struct attempt){
			.at = { [EXPLAIN_NAMES] = attempt_of(a)->at[EXPLAIN_NAMES] },
		};
	attempt_note(attempt_of(a), stage, at, detail, now);
}

/* A pair that is claimed, or that fails, has come as far as its stream has. */
static void attempt_take_over(const struct explain *x, struct attempt *t, struct span to,
	const struct place *at)
{
	struct account *target = account_find(x, &x->targets, SPAN_LIT(""), to);
	const struct attempt *stream = target ? attempt_of(target) : NULL;

	if (!stream || (at && !place_eq(&stream->place, at)))
		return;
	for (unsigned s = EXPLAIN_NAMES; s <= EXPLAIN_AUTH; s++) {
		t->at[s] = stream->at[s];
		t->detail[s] = stream->detail[s];
	}
	t->place = stream->place;
	t->tried = stream->tried;
}

void explain_pair(struct explain *x, struct span from, struct span to, enum explain_stage stage,
	const struct place *at, const char *detail, uint64_t now)
{
	struct account *a = account_use(x, &x->pairs, from, to);

	if (!a)
		return;
	if (stage == EXPLAIN_BEGUN) {
		a->last = (a->last + 1) % EXPLAIN_ATTEMPTS;
		*attempt_of(a) = (struct attempt){ .at = { 0 } };
	}
	attempt_of(a)->failed = false;
	attempt_of(a)->condition = NULL;
	if (stage == EXPLAIN_CLAIMED)
		attempt_take_over(x, attempt_of(a), to, at);
	attempt_note(attempt_of(a), stage, at, detail, now);
}

void explain_verified(struct explain *x, struct span from, struct span to, const char *answer,
	uint64_t now)
{
	struct account *a = account_find(x, &x->pairs, from, to);

	if (a)
		attempt_note(attempt_of(a), EXPLAIN_VERIFIED, NULL, answer, now);
}

/* -- in words -- */

static const char *const stage_name[EXPLAIN_STAGES] = { "began", "names", "tried", "connected",
	"tls", "stream", "auth", "claimed", "verified", "result" };

static const struct place *stage_place(const struct attempt *t, unsigned stage)
{
	if (stage == EXPLAIN_TRIED)
		return &t->tried;
	return stage == EXPLAIN_CONNECTED && t->place.addr.port ? &t->place : NULL;
}

/* What the stage took: since the one before it that was reached. */
static uint64_t stage_ms(const struct attempt *t, unsigned stage)
{
	uint64_t before = 0;

	for (unsigned s = 0; s < stage; s++)
		if (t->at[s] > before && t->at[s] <= t->at[stage])
			before = t->at[s];
	return before ? t->at[stage] - before : 0;
}

static void stage_write(const struct attempt *t, unsigned stage, uint64_t now,
	char text[STAGE_TEXT])
{
	const struct place *at = stage_place(t, stage);
	char place[ADDR_TEXT] = "";

	if (at)
		addr_format(&at->addr, place);
	if (stage == EXPLAIN_BEGUN)
		(void)snprintf(text, STAGE_TEXT, "%.1f s ago", (double)(now - t->at[stage]) / 1e3);
	else
		(void)snprintf(text, STAGE_TEXT, "%lu ms%s%s%s%s%s",
			(unsigned long)stage_ms(t, stage), *place ? " " : "", place,
			at && at->direct ? " direct" : "", t->detail[stage] ? " " : "",
			t->detail[stage] ? t->detail[stage] : "");
}

/* The attempt as fields of an event, for one whose stages are written into `words`. */
struct tale {
	char words[EXPLAIN_STAGES][STAGE_TEXT];
	struct log_field fields[EXPLAIN_STAGES + 3];
	size_t n;
};

static void attempt_tell(const struct account *a, const struct attempt *t, uint64_t now,
	struct tale *tale)
{
	tale->n = 0;
	tale->fields[tale->n++] = LF_SPAN("from", account_from(a));
	tale->fields[tale->n++] = LF_SPAN("to", account_to(a));
	for (unsigned s = 0; s < EXPLAIN_STAGES; s++) {
		if (!t->at[s])
			continue;
		stage_write(t, s, now, tale->words[s]);
		tale->fields[tale->n++] = LF_STR(stage_name[s], tale->words[s]);
	}
	tale->fields[tale->n++] = LF_STR("condition", t->condition);
}

void explain_failed(struct explain *x, struct span from, struct span to, const char *why,
	const char *condition, uint64_t now)
{
	static struct log_site site;
	struct account *a = account_use(x, &x->pairs, from, to);
	struct attempt *t = a ? attempt_of(a) : NULL;
	struct tale tale;

	if (!t)
		return;
	if (!t->at[EXPLAIN_CLAIMED])
		attempt_take_over(x, t, to, NULL);
	attempt_note(t, EXPLAIN_RESULT, NULL, why, now);
	t->condition = condition;
	t->failed = true;
	if (!log_enabled(LOG_WARN))
		return;
	attempt_tell(a, t, now, &tale);
	log_event(&site, LOG_WARN, "pair-failed", why, tale.fields, tale.n);
}

/* One that waits for its stream is as far as that one is. */
static struct attempt attempt_so_far(const struct explain *x, const struct account *a,
	unsigned which)
{
	struct attempt t = a->attempts[which];

	if (which == a->last && !t.at[EXPLAIN_CLAIMED] && !t.at[EXPLAIN_RESULT])
		attempt_take_over(x, &t, account_to(a), NULL);
	return t;
}

/* How many attempts were told. */
static unsigned account_tell(const struct explain *x, const struct account *a, uint64_t now)
{
	unsigned told = 0;

	for (unsigned n = 1; n <= EXPLAIN_ATTEMPTS; n++) {
		struct attempt t = attempt_so_far(x, a, (a->last + n) % EXPLAIN_ATTEMPTS);
		struct log_site unlimited = { 0 }; /* it is asked for, and bounded */
		struct tale tale;

		if (!t.at[EXPLAIN_BEGUN])
			continue;
		attempt_tell(a, &t, now, &tale);
		log_event(&unlimited, LOG_INFO, "pair-explained",
			"an attempt to send for a domain pair", tale.fields, tale.n);
		told++;
	}
	return told;
}

void explain_all(const struct explain *x, uint64_t now)
{
	unsigned told = 0, healthy = 0, left = 0;

	if (!log_enabled(LOG_INFO))
		return;
	for (const struct list *l = x->pairs.by_use.prev; l != &x->pairs.by_use; l = l->prev) {
		const struct account *a = container_of(l, struct account, link);
		const struct attempt *t = &a->attempts[a->last];
		bool good = t->at[EXPLAIN_RESULT] && !t->failed;

		if (told >= LIMIT_EXPLAINED_AT_ONCE || (good && healthy >= HEALTHY_TOLD)) {
			left++;
			continue;
		}
		healthy += good;
		told += account_tell(x, a, now);
	}
	if (left)
		LOG(LOG_INFO, "pairs-not-explained",
			"more pairs are known: only a few that are valid, and those tried last, are "
			"told",
			LF_INT("pairs", left));
}
