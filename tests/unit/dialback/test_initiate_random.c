/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The initiator with everything at random, against a small model: each stanza is sent once, in the
 * order of its pair and on a stream on which that pair is valid, or given back once; windows and
 * numbers of streams are kept; all counts are what a recount says; at the end nothing is left.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"
#include "dialback/initiate_impl.h"
#include "initiate_net.h"

#define SENDERS 6
#define TARGETS 6
#define PAIRS (SENDERS * TARGETS)
#define STANZAS 4000
#define LINKS 4000

enum fate { NEVER, KEPT, SENT, RETURNED };

struct written {
	unsigned pair, seq;
};

static struct model {
	uint8_t fate[PAIRS][STANZAS];
	unsigned n[PAIRS], first_kept[PAIRS];
	bool valid[LINKS][PAIRS];
	bool proven[LINKS]; /* by certificate: the header's pair */
	bool claimless[LINKS]; /* and no other can be */
	bool full[LINKS]; /* takes nothing of what was kept */
	unsigned window[LINKS];
	struct written *written[LINKS];
	unsigned n_written[LINKS];
	uint64_t claimed_at[NET_MAX];
	unsigned n_claims;
	uint64_t dice;
	bool blocked[SENDERS];
	unsigned sent, returned, moved;
	unsigned taken; /* slots for look-ups, and as many for opening, that others have */
} m;

TestSuite(initiate_random, .timeout = 200);

static unsigned dice(unsigned sides)
{
	m.dice = m.dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((m.dice >> 33) % sides);
}

static const char *sender(unsigned n)
{
	static const char *const names[SENDERS] = { "l0.test", "l1.test", "l2.test", "l3.test",
		"l4.test", "foreign.test" };

	return names[n];
}

static const char *target(unsigned n)
{
	static const char *const names[TARGETS] = { "r0.test", "r1.test", "r2.test", "r3.test",
		"r4.test", "r5.test" };

	return names[n];
}

static unsigned pair_of(const char *from, const char *to)
{
	for (unsigned p = 0; p < PAIRS; p++)
		if (strcmp(sender(p / TARGETS), from) == 0 && strcmp(target(p % TARGETS), to) == 0)
			return p;
	cr_assert(false, "no such pair");
	return 0;
}

/* -- the model's view of what happens -- */

static struct written stanza_read(struct span stanza)
{
	struct written w;
	char text[32];

	cr_assert_lt(stanza.n, sizeof(text));
	memcpy(text, stanza.p, stanza.n);
	text[stanza.n] = '\0';
	cr_assert_eq(sscanf(text, "%u.%u", &w.pair, &w.seq), 2);
	return w;
}

static unsigned first_kept(unsigned p)
{
	while (m.first_kept[p] < m.n[p] && m.fate[p][m.first_kept[p]] != KEPT)
		m.first_kept[p]++;
	return m.first_kept[p];
}

static unsigned header_pair(unsigned link)
{
	return pair_of(net.links[link]->from, net.links[link]->to);
}

static void on_sent(unsigned link, struct span stanza)
{
	struct written w = stanza_read(stanza);

	cr_assert_lt(link, LINKS);
	cr_assert_eq(m.fate[w.pair][w.seq], KEPT, "sent twice, or given back before");
	cr_assert_eq(first_kept(w.pair), w.seq, "out of order");
	cr_assert(m.valid[link][w.pair] || (m.proven[link] && w.pair == header_pair(link)),
		"sent for a pair that is not valid there");
	m.fate[w.pair][w.seq] = SENT;
	m.written[link] = realloc(m.written[link], (m.n_written[link] + 1) * sizeof(w));
	m.written[link][m.n_written[link]++] = w;
	m.sent++;
}

static void on_returned(struct span stanza, const struct out_reason *why)
{
	struct written w = stanza_read(stanza);

	cr_assert_lt(why->how, OUT_FAILURES);
	cr_assert_eq(m.fate[w.pair][w.seq], KEPT, "given back twice, or sent before");
	m.fate[w.pair][w.seq] = RETURNED;
	m.returned++;
}

static unsigned link_number(const struct net_link *l)
{
	unsigned link = 0;

	while (net.links[link] != l)
		link++;
	return link;
}

static bool suits(struct net_link *l, const char *from, const char *to)
{
	if (m.claimless[link_number(l)] &&
		!(m.proven[link_number(l)] && strcmp(l->from, from) == 0 && strcmp(l->to, to) == 0))
		return false;
	return (strcmp(l->from, from) == 0 && strcmp(l->to, to) == 0) ||
		(from[1] + to[1] + l->to[1]) % 5 != 0;
}

static bool (*net_send)(void *ctx, struct out_link *l, struct span from, struct span to,
	struct span stanza);

static bool send(void *ctx, struct out_link *l, struct span from, struct span to,
	struct span stanza)
{
	bool *full = &m.full[link_number(out_link_user(l))];

	*full |= dice(10) == 0;
	return !*full && net_send(ctx, l, from, to, stanza);
}

static bool slow(void *ctx, struct out_link *l)
{
	(void)ctx;
	(void)l;
	return dice(20) == 0;
}

static bool permits(void *ctx, struct span from, struct span to)
{
	(void)ctx;
	(void)to;
	for (unsigned s = 0; s < SENDERS; s++)
		if (span_eq(from, span_str(sender(s))))
			return !m.blocked[s];
	return false;
}

static bool is_ours(void *ctx, const struct place *places, unsigned n)
{
	(void)ctx;
	return n > 0 && places[0].addr.ip[12] == 198;
}

/* Claims that were made since it was last looked. */
static void claims_note(void)
{
	for (; m.n_claims < net.n_claims; m.n_claims++) {
		const struct net_claim *c = &net.claims[m.n_claims];

		m.claimed_at[m.n_claims] = net.now;
		m.valid[c->link][pair_of(c->from, c->to)] = false;
	}
}

static void claims_check(void)
{
	static unsigned open[LINKS];

	claims_note();
	memset(open, 0, sizeof(open));
	for (unsigned at = 0; at < net.n_claims; at++)
		open[net.claims[at].link] += net.claims[at].open &&
			net.now < m.claimed_at[at] + TIMEOUT_DIALBACK_MS;
	for (unsigned link = 0; link < net.n_links; link++)
		cr_assert(open[link] <= LIMIT_OUT_WINDOW_MIN || open[link] <= m.window[link]);
}

/* -- a recount -- */

static void pairs_count(const struct list *pairs, const struct seat *s, unsigned *n)
{
	list_each(at, pairs)
	{
		const struct out_pair *p = container_of(at, struct out_pair, at);

		cr_assert_eq(p->seat, s);
		(*n)++;
	}
}

/* And not for its own time to come. */
static bool somebody_waits(const struct target *t)
{
	list_each(at, &t->waiting)
	{
		const struct out_pair *p = container_of(at, struct out_pair, at);

		if (list_empty(&p->due.link) || p->due.at > p->not_before)
			return true;
	}
	return false;
}

static void target_check(const struct target *t)
{
	unsigned n = 0, streams = 0;
	bool opens = false;

	pairs_count(&t->unsure, NULL, &n);
	pairs_count(&t->waiting, NULL, &n);
	pairs_count(&t->failed, NULL, &n);
	list_each(at, &t->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_target);

		pairs_count(&s->pairs, s, &n);
		cr_assert(!s->l->apart || s->l->pairs <= 1);
		opens |= s->l->state <= OUT_LINK_OPENING;
		streams += out_link_carries(s->l) && !s->l->claimless &&
			span_eq(out_link_to(s->l), target_name(t));
	}
	cr_assert_eq(t->pairs, n);
	cr_assert_leq(streams, net.opts.max_streams);
	/* It is in exactly one state from which something brings it on. */
	if (somebody_waits(t))
		cr_assert(!list_empty(&t->stirred) || !list_empty(&t->watching) ||
				!list_empty(&t->again.link) || t->names == NAMES_WAITING ||
				t->names == NAMES_ASKED || (t->claimless && opens),
			"nothing will ever happen to what waits");
}

static void link_check(const struct out_link *l)
{
	unsigned pairs = 0, alive = 0, valid = 0, outstanding = 0;

	list_each(at, &l->seats)
	{
		const struct seat *s = container_of(at, struct seat, of_link);

		cr_assert(!s->pinned);
		list_each(in_seat, &s->pairs)
		{
			unsigned state = container_of(in_seat, struct out_pair, at)->state;

			cr_assert_neq(state, OUT_PAIR_WAITING);
			pairs++;
			alive += state != OUT_PAIR_FAILED;
			valid += state == OUT_PAIR_VALID;
			outstanding += state == OUT_PAIR_REQUESTED;
		}
	}
	cr_assert_eq(l->pairs, pairs);
	cr_assert_eq(l->alive, alive);
	cr_assert_eq(l->valid, valid);
	cr_assert_eq(l->outstanding, outstanding);
	cr_assert(!l->apart || pairs <= 1);
	list_each(at, &l->watchers)
		cr_assert_eq(container_of(at, struct target, watching)->watched_link, l);
	cr_assert(list_empty(&l->watchers) || l->state <= OUT_LINK_OPENING);
	cr_assert(l->state != OUT_LINK_TO_OPEN || !list_empty(&l->todo));
	cr_assert(l->state != OUT_LINK_OPENING || list_empty(&l->todo));
	cr_assert(l->state <= OUT_LINK_OPENING || l->opener == l->sender);
}

/* Who has which slots, and does it get its turn? */
static void sender_check(const struct sender *s)
{
	unsigned links = 0, opening = 0, looking = 0, waits = 0, in_turn = 0;

	list_each(at, &net.i->links)
	{
		const struct out_link *l = container_of(at, struct out_link, all);

		links += l->sender == s;
		opening += l->state == OUT_LINK_OPENING && l->opener == s;
	}
	list_each(at, &s->to_open)
	{
		const struct out_link *l = container_of(at, struct out_link, todo);

		cr_assert(l->state == OUT_LINK_TO_OPEN && l->opener == s);
		waits++;
	}
	list_each(at, &net.i->openers) in_turn += container_of(at, struct sender, open_turn) == s;
	cr_assert_eq(s->links, links);
	cr_assert_eq(s->opening, opening);
	cr_assert_eq(in_turn, !list_empty(&s->open_turn));
	list_each(at, &net.i->all_targets)
	{
		const struct target *t = container_of(at, struct target, link);

		looking += t->names == NAMES_ASKED && t->asker == s;
	}
	cr_assert_eq(s->looking, looking);
	cr_assert(list_empty(&s->lane) || !list_empty(&s->turn) || s->looking > 0,
		"nobody will ever look it up");
	if (waits == 0)
		cr_assert_eq(in_turn, 0);
	else if (!in_turn)
		cr_assert_gt(s->opening, 0, "nobody will ever open it");
}

static void recount(void)
{
	size_t kept = 0;
	unsigned opening = m.taken;

	list_each(at, &net.i->all_targets) target_check(container_of(at, struct target, link));
	list_each(at, &net.i->links) link_check(container_of(at, struct out_link, all));
	for (unsigned c = 0; c <= net.i->senders.mask; c++) {
		for (struct table_node *n = net.i->senders.chains[c].first; n; n = n->next) {
			const struct sender *s = container_of(n, struct sender, node);
			unsigned pending = 0;
			size_t bytes = 0;

			list_each(at, &s->pairs)
			{
				const struct out_pair *p = container_of(at, struct out_pair,
					of_sender);

				pending += p->state != OUT_PAIR_VALID;
				bytes += p->bytes;
				cr_assert(p->stanzas == 0 || p->state != OUT_PAIR_FAILED);
				/* What has waited for a stream to end may be due by now. */
				cr_assert(p->stanzas == 0 || p->state == OUT_PAIR_VALID ||
					net.now < p->give_up + 200 ||
					initiator_next(net.i, net.now, 1000) <= WHEEL_TICK_MS);
				cr_assert(p->state == OUT_PAIR_VALID || !list_empty(&p->due.link));
			}
			sender_check(s);
			opening += s->opening;
			cr_assert_eq(s->pending, pending);
			cr_assert_eq(s->kept, bytes);
			kept += bytes;
		}
	}
	cr_assert_eq(net_stats().kept, kept);
	cr_assert_eq(net.i->opening, opening);
	cr_assert_eq(net.i->looking, net.open_lookups + m.taken);
	claims_check();
}

/* -- events -- */

static void do_stanza(void)
{
	/* Some pairs are busier than others. */
	unsigned p = dice(2) ? dice(PAIRS) : dice(5);
	unsigned seq = m.n[p];
	char text[32];

	if (seq == STANZAS)
		return;
	snprintf(text, sizeof(text), "%u.%u", p, seq);
	m.n[p]++;
	m.fate[p][seq] = KEPT;
	net_stanza(sender(p / TARGETS), target(p % TARGETS), text);
}

static void do_lookup(void)
{
	static const char *const places[] = { "192.0.2.1:5269", "192.0.2.1:5269 192.0.2.2:5269",
		"192.0.2.2:5269 | 192.0.2.3:5269", "192.0.2.3:5269" };

	for (unsigned at = net.n_lookups; at-- > 0 && at + 40 > net.n_lookups;) {
		const char *domain = net.lookups[at].domain;

		if (!net.lookups[at].open || dice(3) == 0)
			continue;
		if (dice(8) == 0)
			net_not_found(domain, (enum out_resolution)(OUT_NONE + dice(4)));
		else if (domain[0] == 'l')
			net_found(domain, "198.51.100.1:5269");
		else if (domain[0] == 'f')
			net_found(domain, "203.0.113.1:5269");
		else
			net_found(domain,
				places[dice(10) ? (unsigned)(domain[1] - '0') % 4 : dice(4)]);
		return;
	}
}

static void requeue_some(unsigned link)
{
	unsigned n = dice(6);

	if (n > m.n_written[link])
		n = m.n_written[link];
	for (unsigned at = m.n_written[link] - n; at < m.n_written[link]; at++) {
		const struct written *w = &m.written[link][at];

		m.fate[w->pair][w->seq] = KEPT;
		if (w->seq < m.first_kept[w->pair])
			m.first_kept[w->pair] = w->seq;
		m.sent--;
	}
	for (unsigned at = m.n_written[link] - n; at < m.n_written[link]; at++) {
		const struct written *w = &m.written[link][at];
		const struct out_reason lost = { OUT_LOST, NULL };
		char text[32];

		snprintf(text, sizeof(text), "%u.%u", w->pair, w->seq);
		if (net_requeue(link, sender(w->pair / TARGETS), target(w->pair % TARGETS), text))
			m.moved++;
		else
			on_returned(span_str(text), &lost);
	}
	m.n_written[link] = 0;
}

static void link_void(unsigned link)
{
	memset(m.valid[link], 0, sizeof(m.valid[link]));
	m.proven[link] = m.claimless[link] = m.full[link] = false;
	m.window[link] = LIMIT_OUT_WINDOW_MIN;
	m.n_written[link] = 0;
}

static void do_down(unsigned link)
{
	static const char *const conditions[] = { "host-unknown", "system-shutdown", "conflict",
		"policy-violation", "undefined-condition" };
	enum out_loss how = (enum out_loss)dice(OUT_LOSS_OVERLOAD + 1);

	requeue_some(link);
	claims_note();
	link_void(link);
	net_down(link, how, how == OUT_LOSS_ERROR ? conditions[dice(5)] : NULL);
}

static void do_link(void)
{
	unsigned link;

	if (net.n_links == 0)
		return;
	link = net.n_links - 1 - dice(net.n_links < 12 ? net.n_links : 12);
	if (!net.links[link]->l || !out_link_user(net.links[link]->l))
		return; /* it is gone, or waits to be opened again */
	if (!m.window[link])
		m.window[link] = LIMIT_OUT_WINDOW_MIN;
	if (net.links[link]->closing) {
		do_down(link);
	} else if (net.links[link]->dialling) {
		unsigned roll = dice(12);
		unsigned first = header_pair(link);

		if (roll == 0) {
			do_down(link);
		} else if (roll == 1) {
			net_connected(link, dice(net.links[link]->n));
		} else if (roll == 2) {
			net_up_plain(link);
		} else if (roll == 3) {
			m.valid[link][first] = m.proven[link] = true;
			net_up_proven(link);
		} else if (roll == 4) {
			m.claimless[link] = m.valid[link][first] = m.proven[link] = true;
			net_up_claimless(link);
		} else {
			net_up(link);
		}
	} else if (m.full[link] && dice(2) == 0) {
		m.full[link] = false;
		initiator_link_room(net.i, net.links[link]->l, net.now);
		net_turn(0);
	} else if (dice(25) == 0) {
		do_down(link);
	} else if (dice(40) == 0) {
		net_ending(link);
	} else if (dice(30) == 0) {
		net_slow(link);
	}
}

/* Is there anything on that stream that a peer could take back? */
static bool may_be_refused(unsigned link, unsigned p)
{
	const struct out_pair *pair = out_pair_find(net.i, span_str(sender(p / TARGETS)),
		span_str(target(p % TARGETS)));

	return pair && pair->seat && pair->seat->l == net.links[link]->l &&
		(pair->state == OUT_PAIR_REQUESTED || pair->state == OUT_PAIR_VALID);
}

static void model_answer(unsigned link, unsigned p, enum answer answer, enum db_condition condition)
{
	bool was = m.valid[link][p];
	unsigned *w = &m.window[link];

	claims_note();
	if (answer == ANSWER_VALID) {
		m.valid[link][p] = true;
	} else if (may_be_refused(link, p)) {
		m.valid[link][p] = false;
		m.proven[link] &= p != header_pair(link);
	}
	if (!net_answer(link, sender(p / TARGETS), target(p % TARGETS), answer, condition)) {
		m.valid[link][p] = was;
		return;
	}
	if (answer == ANSWER_VALID)
		*w += *w < LIMIT_OUT_WINDOW_MAX;
}

static void do_answer(void)
{
	for (unsigned at = net.n_claims; at-- > 0 && at + 60 > net.n_claims;) {
		const struct net_claim *c = &net.claims[at];
		unsigned roll = dice(12);

		if (!c->open || dice(3) == 0)
			continue;
		model_answer(c->link, pair_of(c->from, c->to),
			roll == 0	    ? ANSWER_INVALID
				: roll == 1 ? ANSWER_ERROR
					    : ANSWER_VALID,
			(enum db_condition)dice(DB_CONDITION_COUNT + 1));
		return;
	}
}

/* Out of the blue; a valid pair may be revoked so. */
static void do_unsolicited(void)
{
	unsigned link;

	if (net.n_links == 0)
		return;
	link = net.n_links - 1 - dice(net.n_links < 12 ? net.n_links : 12);
	if (net.links[link]->l && net.links[link]->up)
		model_answer(link, dice(PAIRS), (enum answer)dice(3), DB_FORBIDDEN);
}

static void do_review(void)
{
	unsigned s = dice(SENDERS);

	m.blocked[s] = !m.blocked[s] && dice(3) == 0;
	initiator_review(net.i, net.now);
	for (unsigned at = 0; at < net.n_claims; at++)
		if (m.blocked[s] && strcmp(net.claims[at].from, sender(s)) == 0 &&
			net.claims[at].open) {
			net.claims[at].open = false;
			net.links[net.claims[at].link]->outstanding--;
		}
	net_turn(0);
}

static void do_time(void)
{
	unsigned roll = dice(300);

	net_wait(roll > 20 ? dice(60) : roll > 5 ? dice(3000) : roll > 0 ? dice(40000) : 400000);
}

static void step(void)
{
	unsigned roll = dice(100);

	if (roll < 40)
		do_stanza();
	else if (roll < 55)
		do_lookup();
	else if (roll < 70)
		do_link();
	else if (roll < 88)
		do_answer();
	else if (roll < 89)
		do_unsolicited();
	else if (roll < 99)
		do_time();
	else if (dice(5) == 0)
		do_review();
	claims_note();
}

static void begin(unsigned seed)
{
	memset(&net, 0, sizeof(net));
	memset(&m, 0, sizeof(m));
	m.dice = seed;
	net.dice = seed | 1;
	net.on_sent = on_sent;
	net.on_returned = on_returned;
	net.suits = suits;
	net.opts = (struct initiate_opts){ .max_pairs = 6 + 4 * (seed % 2),
		.max_streams = 2,
		.invalid_received = (enum invalid_received)(seed % 4),
		.max_kept = seed % 3 ? 1 << 20 : 100 };
	net_begin();
	net.ops.permits = permits;
	if (seed % 2) {
		net_send = net.ops.send;
		net.ops.send = send;
		net.ops.slow = slow;
	}
	net.ops.is_ours = seed % 5 ? is_ours : NULL;
	/* Others leave few of the slots for opening, or next to none. */
	m.taken = seed % 3 ? LIMIT_OUT_OPENING - 1 - seed % 7 : 0;
	net.i->opening += m.taken;
	net.i->looking += m.taken;
	net.crowded = m.taken > 0;
}

static void end(void)
{
	unsigned left = 0;

	net.i->opening -= m.taken;
	net.i->looking -= m.taken;
	net_end();
	for (unsigned p = 0; p < PAIRS; p++)
		for (unsigned seq = 0; seq < m.n[p]; seq++)
			left += m.fate[p][seq] == KEPT;
	cr_assert_eq(left, 0);
	for (unsigned link = 0; link < LINKS; link++)
		free(m.written[link]);
}

Test(initiate_random, events)
{
	unsigned sent = 0, returned = 0, moved = 0;

	for (unsigned seed = 1; seed <= 200; seed++) {
		begin(seed);
		for (unsigned n = 0; n < 3000; n++) {
			step();
			recount();
		}
		end();
		sent += m.sent;
		returned += m.returned;
		moved += m.moved;
	}
	/* It was about something. */
	cr_expect_gt(sent, 30000);
	cr_expect_gt(returned, 15000);
	cr_expect_gt(moved, 1500);
}

#ifdef SLUICE_FAULT_INJECTION

Test(initiate_random, memory)
{
	for (unsigned seed = 1; seed <= 6; seed++) {
		for (unsigned k = 1; k < 400; k += 1 + k / 20) {
			begin(seed);
			for (unsigned n = 0; n < 250; n++) {
				if (n == 20)
					mem_fail_nth(k);
				step();
			}
			mem_fail_nth(0);
			recount();
			end();
		}
	}
}

/* There is none again and again. */
Test(initiate_random, no_memory)
{
	for (unsigned seed = 1; seed <= 30; seed++) {
		begin(seed);
		for (unsigned n = 0; n < 1000; n++) {
			if (mem_fail_nth(1 + dice(20)) == 0)
				recount();
			step();
		}
		mem_fail_nth(0);
		recount();
		end();
	}
}

#endif
