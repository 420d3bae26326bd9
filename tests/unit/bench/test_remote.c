/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The remote server, and a router played by hand: a socket that opens streams to it, and the bench's
 * own authority, which says what that router's keys are worth.
 */
#include "bench/remote.h"

#include "bench/authority.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEADER                                                                                     \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server'"                                \
	" xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'"       \
	" from='h1.b.test' to='d0.o.test' version='1.0'>"

struct peer {
	int fd;
	char text[65536]; /* all that has come */
	size_t len;
	bool over;
	char id[64];
};

static struct loop loop;
static struct names names;
static struct shapes shapes;
static struct ledger ledger;
static struct flood flood;
static struct keys *keys;
static struct authority authority;
static struct remote remote;
static struct remote_opts opts;
static struct address at;

static void set_up(void)
{
	struct address judge;

	cr_assert(loop_init(&loop));
	/* h1, h2 and d0, d1, d2: six pairs; h3 is in none. d1 is elsewhere. */
	cr_assert(names_init(&names, "o.test", 6, 0, NULL, "b.test", 3, 1));
	names.n_targets = 2;
	names.n_outside = 3;
	names.n_endpoints = 2;
	names.outward = true;
	shapes_init(&shapes, 296, 7);
	ledger_init(&ledger, 6);
	flood_init(&flood, &names, &shapes, &ledger, NAMES_OUT);
	keys = keys_new();
	cr_assert(address_parse(&judge, "127.0.0.1:0"));
	cr_assert(authority_open(&authority, &loop, keys, &judge));
	opts = (struct remote_opts){ .names = &names, .flood = &flood, .server = judge };
	cr_assert(address_parse(&at, "127.0.0.1:0"));
}

static void tear_down(void)
{
	remote_close(&remote);
	authority_close(&authority);
	keys_free(keys);
	ledger_free(&ledger);
	shapes_free(&shapes);
	names_free(&names);
	loop_close(&loop);
}

TestSuite(remote, .init = set_up, .fini = tear_down);

static void turn(struct peer *p)
{
	ssize_t n;

	loop_turn(&loop, 10);
	remote_turn(&remote);
	n = p ? recv(p->fd, p->text + p->len, sizeof(p->text) - 1 - p->len, MSG_DONTWAIT) : -1;
	if (n > 0)
		p->len += (size_t)n;
	else if (p && (n == 0 || errno == ECONNRESET))
		p->over = true;
	if (p)
		p->text[p->len] = '\0';
}

/* Until the text came; nothing else ends it but the test's own time. */
static void expect(struct peer *p, const char *text)
{
	for (int i = 0; i < 500 && !strstr(p->text, text); i++)
		turn(p);
	cr_assert(strstr(p->text, text), "no %s in %s", text, p->text);
}

static void give(struct peer *p, const char *text, size_t len)
{
	cr_assert_eq(send(p->fd, text, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void peer_open(struct peer *p)
{
	memset(p, 0, sizeof(*p));
	p->fd = address_connect(&at);
	cr_assert_geq(p->fd, 0);
	for (int i = 0; i < 500 && send(p->fd, HEADER, strlen(HEADER), MSG_NOSIGNAL) < 0; i++)
		turn(p);
	expect(p, "</stream:features>");
	cr_assert_not_null(strstr(p->text, "<errors/>"));
	cr_assert_eq(sscanf(strstr(p->text, " id='"), " id='%63[^']'", p->id), 1);
}

static void start(struct peer *p)
{
	cr_assert(remote_open(&remote, &loop, &opts, &at));
	peer_open(p);
}

/* A db:result with the key that the authority knows, or another one. */
static void assert_pair(struct peer *p, const char *from, const char *to, bool honest)
{
	struct text f = { from, strlen(from) }, t = { to, strlen(to) },
		    id = { p->id, strlen(p->id) };
	char key[KEYS_HEX + 1], text[600];

	keys_make(keys, t, f, id, key);
	if (!honest)
		key[0] = key[0] == '0' ? '1' : '0';
	give(p, text,
		(size_t)sprintf(text, "<db:result from='%s' to='%s'>%s</db:result>", from, to,
			key));
}

static void send_stanza(struct peer *p, uint32_t pair)
{
	struct marker m = { .pair = pair,
		.number = ledger_send(&ledger, pair),
		.time = bench_now(),
		.shape = shapes_next(&shapes) };
	char buf[600], from[NAMES_TEXT], to[NAMES_TEXT];
	char *end = shapes_write(&shapes, buf, &m, names_from(&names, NAMES_OUT, pair, from),
		names_to(&names, NAMES_OUT, pair, to));

	give(p, buf, (size_t)(end - buf));
}

/* Sends one and waits for it. */
static void expect_delivery(struct peer *p, uint32_t pair)
{
	uint64_t before = ledger.arrived, unproven = remote.counts.unproven;

	send_stanza(p, pair);
	for (int i = 0; i < 500 && ledger.arrived == before; i++)
		turn(p);
	cr_expect_eq(ledger.arrived, before + 1);
	cr_expect_eq(remote.counts.unproven, unproven);
}

static uint32_t pair_of(uint32_t hosted, uint32_t outside)
{
	uint32_t pair = UINT32_MAX;

	cr_assert(names_pair_of(&names, hosted, outside, &pair));
	return pair;
}

Test(remote, keys_are_verified_on_one_stream)
{
	struct peer p, q;

	start(&p);
	peer_open(&q);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	assert_pair(&p, "h2.b.test", "d2.o.test", true);
	assert_pair(&q, "h2.b.test", "d0.o.test", true);
	expect(&p, "from='d0.o.test' to='h1.b.test' type='valid'");
	expect(&p, "from='d2.o.test' to='h2.b.test' type='valid'");
	expect(&q, "from='d0.o.test' to='h2.b.test' type='valid'");
	cr_expect_eq(authority.counts.connections, 1);
	cr_expect_eq(authority.counts.verified, 3);
	cr_expect_eq(remote.counts.connections, 2);
	cr_expect_eq(remote.counts.carried, 2);
	cr_expect_eq(remote.counts.most, 2);
	cr_expect_eq(remote.counts.proven, 3);
	expect_delivery(&p, pair_of(0, 0));
	expect_delivery(&p, pair_of(1, 2));
	expect_delivery(&q, pair_of(1, 0));
	cr_expect_eq(flood.damaged + flood.misaddressed, 0);
	close(p.fd);
	close(q.fd);
}

Test(remote, a_wrong_key_is_invalid_and_others_go_on)
{
	struct peer p;

	start(&p);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	assert_pair(&p, "h2.b.test", "d0.o.test", false);
	expect(&p, "to='h2.b.test' type='invalid'");
	cr_expect_eq(remote.counts.key_invalid, 1);
	expect_delivery(&p, pair_of(0, 0));
	close(p.fd);
}

Test(remote, whom_it_does_not_serve_gets_an_error_and_others_go_on)
{
	struct peer p;

	start(&p);
	assert_pair(&p, "h1.b.test", "d1.o.test", true);
	expect(&p, "from='d1.o.test' to='h1.b.test' type='error'");
	cr_expect_not_null(strstr(p.text, "<item-not-found "));
	assert_pair(&p, "stranger.test", "d0.o.test", true);
	expect(&p, "to='stranger.test' type='error'");
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "to='h1.b.test' type='valid'");
	expect_delivery(&p, pair_of(0, 0));
	close(p.fd);
}

Test(remote, a_stanza_before_its_pair_is_valid_is_noticed)
{
	struct peer p;

	start(&p);
	send_stanza(&p, pair_of(0, 0));
	for (int i = 0; i < 500 && !ledger.arrived; i++)
		turn(&p);
	cr_expect_eq(remote.counts.unproven, 1);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "type='valid'");
	expect_delivery(&p, pair_of(0, 0));
	/* Another stream has to prove it again. */
	close(p.fd);
	peer_open(&p);
	send_stanza(&p, pair_of(0, 0));
	for (int i = 0; i < 500 && ledger.arrived < 3; i++)
		turn(&p);
	cr_expect_eq(remote.counts.unproven, 2);
	close(p.fd);
}

Test(remote, who_is_in_no_pair_is_called_invalid_and_what_it_sends_is_noticed)
{
	static const char stanza[] = "<message from='probe@h3.b.test' to='x@d0.o.test'/>";
	struct peer p;

	start(&p);
	assert_pair(&p, "h3.b.test", "d0.o.test", true);
	expect(&p, "to='h3.b.test' type='invalid'");
	cr_expect_eq(authority.counts.verified, 0);
	give(&p, stanza, strlen(stanza));
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "to='h1.b.test' type='valid'");
	cr_expect_eq(remote.counts.forbidden, 1);
	expect_delivery(&p, pair_of(0, 0));
	close(p.fd);
}

Test(remote, who_believes_asks_nobody)
{
	struct peer p;

	opts.believe = true;
	start(&p);
	assert_pair(&p, "h1.b.test", "d0.o.test", false);
	expect(&p, "type='valid'");
	cr_expect_eq(authority.counts.connections, 0);
	expect_delivery(&p, pair_of(0, 0));
	close(p.fd);
}

Test(remote, it_vouches_for_its_own_keys_if_it_has_any)
{
	struct peer p;
	char key[KEYS_HEX + 1], text[400];
	size_t len;

	opts.keys = keys;
	start(&p);
	keys_make(keys, (struct text){ "h1.b.test", 9 }, (struct text){ "d0.o.test", 9 },
		(struct text){ "xyz", 3 }, key);
	len = (size_t)sprintf(text,
		"<db:verify from='h1.b.test' to='d0.o.test' id='xyz'>%s</db:verify>", key);
	give(&p, text, len);
	expect(&p, "id='xyz' type='valid'");
	text[strlen("<db:verify from='h1.b.test' to='d0.o.test' id='xyz'>")] ^= 1;
	give(&p, text, len);
	expect(&p, "id='xyz' type='invalid'");
	close(p.fd);
}

Test(remote, an_outage_resets_everything_and_the_return_is_timed)
{
	struct peer p, q;

	start(&p);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "type='valid'");
	send_stanza(&p, pair_of(0, 0));
	remote_vanish(&remote);
	/* What was there has arrived. */
	cr_expect_eq(ledger.arrived, 1);
	for (int i = 0; i < 500 && !p.over; i++)
		turn(&p);
	cr_expect(p.over);
	q.fd = address_connect(&at);
	for (int i = 0; i < 10; i++)
		loop_turn(&loop, 1);
	cr_expect_lt(send(q.fd, HEADER, 1, MSG_NOSIGNAL), 0);
	close(q.fd);
	cr_assert(remote_return(&remote));
	cr_expect_gt(remote.back, 0);
	cr_expect_eq(remote.heard, 0);
	peer_open(&q);
	assert_pair(&q, "h1.b.test", "d0.o.test", true);
	expect(&q, "type='valid'");
	expect_delivery(&q, pair_of(0, 0));
	cr_expect_geq(remote.heard, remote.back);
	cr_expect_eq(ledger.duplicated + ledger.reordered, 0);
	close(p.fd);
	close(q.fd);
}

Test(remote, a_verify_stream_that_ends_is_opened_again)
{
	struct address judge = { 0 };
	struct peer p;

	start(&p);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "to='h1.b.test' type='valid'");
	judge = opts.server;
	authority_close(&authority);
	for (int i = 0; i < 20; i++)
		turn(&p);
	cr_assert(authority_open(&authority, &loop, keys, &judge));
	assert_pair(&p, "h2.b.test", "d0.o.test", true);
	expect(&p, "to='h2.b.test' type='valid'");
	cr_expect_eq(remote.inquirer.streams, 2);
	close(p.fd);
}

Test(remote, without_an_authority_the_answer_is_an_error)
{
	struct peer p;

	start(&p);
	authority_close(&authority);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "to='h1.b.test' type='error'");
	cr_expect_eq(remote.counts.key_error, 1);
	close(p.fd);
}

Test(remote, who_is_throttled_reads_everything_in_the_end)
{
	struct peer p;

	opts.throttle = 20000;
	start(&p);
	assert_pair(&p, "h1.b.test", "d0.o.test", true);
	expect(&p, "type='valid'");
	for (int i = 0; i < 20; i++)
		send_stanza(&p, pair_of(0, 0));
	for (int i = 0; i < 500 && ledger.arrived < 20; i++)
		turn(&p);
	cr_expect_eq(ledger.arrived, 20);
	cr_expect_eq(ledger.reordered + remote.counts.unproven, 0);
	close(p.fd);
}
