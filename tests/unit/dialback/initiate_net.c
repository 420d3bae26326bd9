/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "initiate_net.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

struct net net;

static const char *const how_names[OUT_FAILURES] = {
	[OUT_NO_SERVICE] = "no-service",
	[OUT_NO_ANSWER_DNS] = "dns",
	[OUT_UNREACHABLE] = "unreachable",
	[OUT_NO_STREAM] = "no-stream",
	[OUT_NO_TLS] = "no-tls",
	[OUT_NO_AUTH] = "no-auth",
	[OUT_LOST] = "lost",
	[OUT_REFUSED] = "refused",
	[OUT_INVALID] = "invalid",
	[OUT_NO_ANSWER] = "no-answer",
	[OUT_EXPIRED] = "expired",
	[OUT_FULL] = "full",
	[OUT_BLOCKED] = "blocked",
	[OUT_DRAINING] = "draining",
};

static void copy(char out[NET_NAME], struct span s)
{
	cr_assert_lt(s.n, NET_NAME);
	memcpy(out, s.p, s.n);
	out[s.n] = '\0';
}

static void append(char out[NET_TEXT], const char *word)
{
	size_t n = strlen(out);

	snprintf(out + n, NET_TEXT - n, "%s%s", n ? " " : "", word);
}

static void append_span(char out[NET_TEXT], struct span s, const char *tail)
{
	char word[128];

	snprintf(word, sizeof(word), "%.*s%s", s.n < 40 ? (int)s.n : 40, s.p, tail);
	append(out, word);
}

static unsigned most(unsigned now, unsigned *max)
{
	if (now > *max)
		*max = now;
	return now;
}

/* -- places -- */

static unsigned places_read(const char *text, struct place *out)
{
	struct span rest = span_str(text);
	unsigned n = 0;
	uint8_t group = 0;

	while (rest.n) {
		size_t end = span_find(rest, ' ');
		struct span word = span_of(rest.p, end);
		bool direct = word.p[word.n - 1] == '!';

		rest = span_skip(rest, end < rest.n ? end + 1 : end);
		if (span_is(word, "|")) {
			group++;
			continue;
		}
		out[n] = (struct place){ .direct = direct, .group = group };
		cr_assert(addr_parse(span_of(word.p, word.n - direct), 0, &out[n].addr));
		n++;
	}
	return n;
}

/* -- ops -- */

static void lookup_end(struct net_lookup *k, enum out_resolution how, const char *places)
{
	struct place list[LIMIT_CANDIDATES + 4];
	unsigned n = places ? places_read(places, list) : 0;

	k->open = false;
	net.open_lookups--;
	initiator_resolved(net.i, k->cookie, how, list, n, net.now);
}

static void found_elsewhere(struct net_lookup *k)
{
	char place[40];

	snprintf(place, sizeof(place), "192.1.%u.%u:5269", net.n_lookups / 256,
		net.n_lookups % 256);
	lookup_end(k, OUT_FOUND, place);
}

static void on_resolve(void *ctx, struct span domain, uint64_t cookie)
{
	struct net_lookup *k = &net.lookups[net.n_lookups];

	(void)ctx;
	cr_assert_lt(net.n_lookups++, NET_MAX);
	copy(k->domain, domain);
	k->cookie = cookie;
	k->open = true;
	most(++net.open_lookups, &net.most_lookups);
	if (net.places)
		lookup_end(k, OUT_FOUND, net.places);
	else if (net.each_elsewhere)
		found_elsewhere(k);
}

static bool on_open(void *ctx, struct out_link *l, const struct place *places, unsigned n,
	struct span from, struct span to, enum out_proof proof)
{
	struct net_link *k = out_link_user(l);

	(void)ctx;
	cr_assert_null(k);
	cr_assert(n > 0 && n <= LIMIT_CANDIDATES);
	if (net.refuse_dials)
		return false;
	for (unsigned at = 0; at < net.n_links; at++)
		if (net.links[at]->l == l)
			k = net.links[at];
	if (!k) {
		cr_assert_lt(net.n_links, NET_MAX);
		k = net.links[net.n_links++] = calloc(1, sizeof(*k));
	}
	k->l = l;
	k->opened++;
	k->n = n;
	memcpy(k->places, places, n * sizeof(*places));
	k->proof = proof;
	k->dialling = true;
	copy(k->from, from);
	copy(k->to, to);
	out_link_set_user(l, k);
	most(++net.dialling, &net.most_dialling);
	return true;
}

static void on_close(void *ctx, struct out_link *l, const char *why)
{
	struct net_link *k = out_link_user(l);

	(void)ctx;
	cr_assert_not_null(why);
	cr_assert(!k->closing);
	k->closing = true;
	net.n_closed++;
}

static bool on_suits(void *ctx, struct out_link *l, struct span from, struct span to)
{
	char a[NET_NAME], b[NET_NAME];
	struct net_link *k = out_link_user(l);

	(void)ctx;
	cr_assert(k->up);
	copy(a, from);
	copy(b, to);
	return !net.suits || net.suits(k, a, b);
}

static void on_claim(void *ctx, struct out_link *l, struct span from, struct span to)
{
	struct net_link *k = out_link_user(l);
	struct net_claim *c = &net.claims[net.n_claims];

	(void)ctx;
	cr_assert(k->up && !k->closing, "claimed on a stream that is not up");
	cr_assert_lt(net.n_claims++, NET_MAX);
	for (c->link = 0; net.links[c->link] != k;)
		c->link++;
	copy(c->from, from);
	copy(c->to, to);
	c->open = true;
	k->claims++;
	most(++k->outstanding, &k->most_outstanding);
	cr_assert_leq(k->outstanding, LIMIT_OUT_WINDOW_MAX);
}

static void sent(struct net_link *k, struct span stanza)
{
	cr_assert(k->up && !k->closing, "sent on a stream that is not up");
	append_span(k->sent, stanza, "");
	net.n_sent++;
	if (!net.on_sent)
		return;
	for (unsigned at = 0; at < net.n_links; at++)
		if (net.links[at] == k)
			net.on_sent(at, stanza);
}

static bool on_send(void *ctx, struct out_link *l, struct span from, struct span to,
	struct span stanza)
{
	(void)ctx;
	(void)from;
	(void)to;
	for (unsigned at = 0; at < OUT_PAD; at++)
		cr_assert_eq(stanza.p[stanza.n + at], '\0');
	sent(out_link_user(l), stanza);
	return true;
}

static void on_give_back(void *ctx, struct span stanza, const struct out_reason *why)
{
	char tail[64];

	(void)ctx;
	snprintf(tail, sizeof(tail), ":%s%s%s", how_names[why->how], why->condition ? "/" : "",
		why->condition ? why->condition : "");
	append_span(net.returned, stanza, tail);
	net.n_returned++;
	if (net.on_returned)
		net.on_returned(stanza, why);
}

static bool on_permits(void *ctx, struct span from, struct span to)
{
	(void)ctx;
	(void)from;
	(void)to;
	return true;
}

static void on_step(void *ctx, struct span from, struct span to, enum out_step step,
	const struct place *at, const struct out_reason *why)
{
	(void)ctx;
	(void)from;
	(void)to;
	(void)at;
	cr_assert_eq(step == OUT_STEP_FAILED, why != NULL);
	net.steps[step]++;
}

static uint32_t on_below(uint32_t bound)
{
	cr_assert_gt(bound, 0);
	if (!net.dice)
		return net.least ? 0 : bound / 2;
	net.dice = net.dice * 1664525u + 1013904223u;
	return (net.dice >> 8) % bound;
}

const char *net_name(const char *format, unsigned n)
{
	static char text[NET_NAME];

	snprintf(text, sizeof(text), format, n);
	return text;
}

static bool is_open(const struct net_link *k)
{
	return k->l && out_link_user(k->l) == k;
}

void net_begin(void)
{
	if (!net.ops.resolve)
		net.ops = (struct initiate_ops){
			.resolve = on_resolve,
			.open = on_open,
			.close = on_close,
			.suits = on_suits,
			.claim = on_claim,
			.send = on_send,
			.give_back = on_give_back,
			.permits = on_permits,
			.step = on_step,
			.below = on_below,
		};
	if (!net.opts.max_pairs)
		net.opts = (struct initiate_opts){
			.max_pairs = 20000,
			.max_streams = 4,
			.invalid_received = RECEIVED_QUARANTINE,
			.max_kept = 64 << 20,
		};
	net.i = initiator_new(&net.ops, NULL, &net.opts);
	net.now = 1000000;
}

/* All that is open ends, the time goes by, and nothing may be left: neither bytes nor names. */
void net_end(void)
{
	struct initiate_stats s;

	for (unsigned at = 0; at < net.n_lookups; at++)
		if (net.lookups[at].open)
			net_not_found(net.lookups[at].domain, OUT_NONE);
	/* Those that wait to be opened again end by themselves. */
	for (unsigned at = 0; at < net.n_links; at++)
		if (net.links[at]->l && !is_open(net.links[at]))
			net.links[at]->l = NULL;
	initiator_drain(net.i, net.now);
	net_turn(0);
	for (unsigned at = 0; at < net.n_links; at++)
		if (net.links[at]->l)
			net_down(at, OUT_LOSS_OURS, NULL);
	for (unsigned at = 0; at < net.n_lookups; at++)
		if (net.lookups[at].open)
			net_not_found(net.lookups[at].domain, OUT_NONE);
	net_wait(2 * HOLD_OUT_MAX_MS + 100000);
	s = net_stats();
	cr_expect_eq(s.kept, 0);
	cr_expect_eq(s.pairs, 0);
	cr_expect_eq(s.open_links, 0);
	initiator_free(net.i);
	net.i = NULL;
	for (unsigned at = 0; at < net.n_links; at++)
		free(net.links[at]);
}

/* -- stanzas -- */

static enum out_take net_take(const char *from, const char *to, struct span stanza, bool error)
{
	/* In pieces, as the router has it. */
	const struct span pieces[] = { span_of(stanza.p, stanza.n / 2),
		span_skip(stanza, stanza.n / 2), SPAN_NONE };
	struct out_link *l = NULL;
	struct out_reason why = { OUT_FAILURES, NULL };
	enum out_take take = initiator_stanza(net.i, span_str(from), span_str(to), pieces, 3, error,
		&l, &why, net.now);

	if (take == OUT_WRITE)
		sent(out_link_user(l), stanza);
	else if (take == OUT_RETURN)
		on_give_back(NULL, stanza, &why);
	return take;
}

enum out_take net_stanza(const char *from, const char *to, const char *text)
{
	return net_take(from, to, span_str(text), false);
}

enum out_take net_error(const char *from, const char *to, const char *text)
{
	return net_take(from, to, span_str(text), true);
}

enum out_take net_bytes(const char *from, const char *to, size_t n)
{
	char *bytes = malloc(n);
	enum out_take take;

	memset(bytes, 'x', n);
	take = net_take(from, to, span_of(bytes, n), false);
	free(bytes);
	return take;
}

/* -- time -- */

void net_turn(uint64_t ms)
{
	unsigned turns = 0;

	net.now += ms;
	do {
		unsigned before = net.n_claims;

		initiator_turn(net.i, net.now);
		cr_assert_leq(net.n_claims - before, LIMIT_OUT_CLAIMS_PER_TURN);
		cr_assert_lt(turns++, 10000, "turns for ever");
	} while (initiator_next(net.i, net.now, 1000) == 0);
}

void net_wait(uint64_t ms)
{
	net_turn(0);
	for (uint64_t end = net.now + ms; net.now < end;) {
		uint32_t step = initiator_next(net.i, net.now, (uint32_t)(end - net.now));

		net_turn(step ? step : 1);
	}
}

/* -- names -- */

static struct net_lookup *lookup_open(const char *domain)
{
	for (unsigned at = 0; at < net.n_lookups; at++)
		if (net.lookups[at].open && strcmp(net.lookups[at].domain, domain) == 0)
			return &net.lookups[at];
	return NULL;
}

bool net_is_asked(const char *domain)
{
	return lookup_open(domain) != NULL;
}

void net_found_if_asked(const char *domain, const char *places)
{
	if (net_is_asked(domain))
		net_found(domain, places);
}

void net_stanza_to(const char *from, const char *to, const char *text, const char *places)
{
	net_stanza(from, to, text);
	net_turn(0);
	net_found(to, places);
}

static void lookup_answer(const char *domain, enum out_resolution how, const char *places)
{
	struct net_lookup *k = lookup_open(domain);

	cr_assert_not_null(k, "%s was not looked up", domain);
	lookup_end(k, how, places);
	net_turn(0);
}

void net_found(const char *domain, const char *places)
{
	lookup_answer(domain, OUT_FOUND, places);
}

void net_not_found(const char *domain, enum out_resolution how)
{
	lookup_answer(domain, how, NULL);
}

/* -- links -- */

static struct net_link *link_at(unsigned link)
{
	cr_assert_lt(link, net.n_links, "there is no stream %u", link);
	cr_assert_not_null(net.links[link]->l, "stream %u is gone", link);
	return net.links[link];
}

void net_connected(unsigned link, unsigned which)
{
	initiator_link_connected(net.i, link_at(link)->l, which, net.now);
	net_turn(0);
}

static void link_up(unsigned link, struct out_facts facts)
{
	struct net_link *k = link_at(link);

	cr_assert(k->dialling);
	k->dialling = false;
	net.dialling--;
	k->up = true;
	if (!out_link_place(k->l))
		initiator_link_connected(net.i, k->l, 0, net.now);
	initiator_link_up(net.i, k->l, &facts, net.now);
	net_turn(0);
}

void net_up(unsigned link)
{
	link_up(link, (struct out_facts){ .errors = true });
}

void net_up_plain(unsigned link)
{
	link_up(link, (struct out_facts){ .errors = false });
}

void net_up_proven(unsigned link)
{
	link_up(link, (struct out_facts){ .errors = true, .proven = true });
}

void net_up_claimless(unsigned link)
{
	link_up(link, (struct out_facts){ .proven = true, .claimless = true });
}

void net_ending(unsigned link)
{
	initiator_link_ending(net.i, link_at(link)->l);
	net.links[link]->closing = true;
	net_turn(0);
}

void net_down(unsigned link, enum out_loss how, const char *condition)
{
	struct net_link *k = link_at(link);
	struct out_link *l = k->l;
	uint64_t before = net_stats().open_links;

	net.dialling -= k->dialling;
	k->up = k->dialling = k->closing = false;
	k->outstanding = 0;
	for (unsigned at = 0; at < net.n_claims; at++)
		net.claims[at].open &= net.claims[at].link != link;
	initiator_link_down(net.i, l, how, condition, net.now);
	if (net_stats().open_links < before)
		k->l = NULL;
	net_turn(0);
	cr_assert(!k->l || is_open(k) || net.refuse_dials || net.crowded, "it is opened again");
}

void net_slow(unsigned link)
{
	initiator_link_slow(net.i, link_at(link)->l, net.now);
	net_turn(0);
}

bool net_requeue(unsigned link, const char *from, const char *to, const char *text)
{
	return initiator_requeue(net.i, link_at(link)->l, span_str(from), span_str(to),
		span_str(text));
}

/* -- answers -- */

bool net_answer(unsigned link, const char *from, const char *to, enum answer answer,
	enum db_condition condition)
{
	struct net_link *k = link_at(link);
	bool taken;

	for (unsigned at = 0; at < net.n_claims; at++) {
		struct net_claim *c = &net.claims[at];

		if (!c->open || c->link != link || strcmp(c->from, from) != 0 ||
			strcmp(c->to, to) != 0)
			continue;
		c->open = false;
		k->outstanding--;
		break;
	}
	taken = initiator_answer(net.i, k->l, span_str(to), span_str(from), answer, condition,
		net.now);
	net_turn(0);
	return taken;
}

bool net_valid(unsigned link, const char *from, const char *to)
{
	return net_answer(link, from, to, ANSWER_VALID, 0);
}

bool net_invalid(unsigned link, const char *from, const char *to)
{
	return net_answer(link, from, to, ANSWER_INVALID, 0);
}

bool net_refuse(unsigned link, const char *from, const char *to, enum db_condition condition)
{
	return net_answer(link, from, to, ANSWER_ERROR, condition);
}

void net_valid_all(void)
{
	for (unsigned at = 0; at < net.n_claims; at++) {
		struct net_claim c = net.claims[at];

		if (!c.open)
			continue;
		net.claims[at].open = false;
		net.links[c.link]->outstanding--;
		cr_assert(initiator_answer(net.i, net.links[c.link]->l, span_str(c.to),
			span_str(c.from), ANSWER_VALID, 0, net.now));
		initiator_turn(net.i, net.now);
	}
	net_turn(0);
}

/* -- what came of it -- */

unsigned net_claims(unsigned link, const char *from, const char *to)
{
	unsigned n = 0;

	for (unsigned at = 0; at < net.n_claims; at++)
		n += net.claims[at].link == link && strcmp(net.claims[at].from, from) == 0 &&
			strcmp(net.claims[at].to, to) == 0;
	return n;
}

const char *net_sent(unsigned link)
{
	cr_assert_lt(link, net.n_links);
	return net.links[link]->sent;
}

const char *net_returned(void)
{
	static char last[NET_TEXT];

	memcpy(last, net.returned, sizeof(last));
	net.returned[0] = '\0';
	return last;
}

struct initiate_stats net_stats(void)
{
	struct initiate_stats s;

	initiator_stats(net.i, &s);
	return s;
}

void net_valid_pair(const char *from, const char *to)
{
	cr_assert_eq(net_stanza(from, to, "0"), OUT_KEPT);
	net_turn(0);
	net_found(to, PEER);
	net_up(0);
	cr_assert(net_valid(0, from, to));
	cr_assert_str_eq(net_sent(0), "0");
}
