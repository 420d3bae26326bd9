/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The components that send, and a router played by hand, which takes their word for it. */
#include "bench/speaker.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER                                                                                     \
	"<stream:stream xmlns='jabber:component:accept'"                                           \
	" xmlns:stream='http://etherx.jabber.org/streams' id='1'>"

static const char *const logins[] = { "h1.b.test" };

static struct loop loop;
static struct names names;
static struct shapes shapes;
static struct ledger ledger;
static struct feed feed;
static struct flood flood;
static struct speaker speaker;
static int listener, fd;
static char buf[FLOOD_BUFFER];
static size_t len;

static void set_up(void)
{
	cr_assert(loop_init(&loop));
	/* Pairs 0 to 3 of h1 and h2 with d0 and d1; h3 is in none. */
	cr_assert(names_init(&names, "o.test", 4, 0, NULL, "b.test", 3, 1));
	names.n_targets = names.n_outside = 2;
	names.outward = true;
	shapes_init(&shapes, 296, 7);
	ledger_init(&ledger, 4);
	feed_init(&feed, &names, &shapes, &ledger, NAMES_OUT);
	flood_init(&flood, &names, &shapes, &ledger, NAMES_OUT);
	speaker_init(&speaker, &loop, &names, &feed);
	len = 0;
	fd = -1;
}

static void tear_down(void)
{
	speaker_free(&speaker);
	close(fd);
	close(listener);
	ledger_free(&ledger);
	shapes_free(&shapes);
	names_free(&names);
	loop_close(&loop);
}

TestSuite(speaker, .init = set_up, .fini = tear_down);

/* Books what the components have sent. */
static void turn(void)
{
	ssize_t n;

	loop_turn(&loop, 5);
	speaker_turn(&speaker);
	n = recv(fd, buf + len, sizeof(buf) - len - 1, MSG_DONTWAIT);
	if (n > 0)
		len = flood_scan(&flood, buf, len + (size_t)n, bench_now());
}

static void give(const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void start(void)
{
	struct address a;

	cr_assert(address_parse(&a, "127.0.0.1:0"));
	listener = address_listen(&a, 0);
	cr_assert(speaker_login(&speaker, &a, logins, 1, "secret"));
	while ((fd = address_accept(listener)) < 0)
		loop_turn(&loop, 5);
	give(ANSWER);
	for (int i = 0; i < 500 && !memmem(buf, len, "</handshake>", 12); i++) {
		ssize_t n;

		loop_turn(&loop, 5);
		n = recv(fd, buf + len, sizeof(buf) - len - 1, MSG_DONTWAIT);
		len += n > 0 ? (size_t)n : 0;
	}
	cr_assert_not_null(memmem(buf, len, "to='h1.b.test'", 14));
	cr_assert_eq(speaker.n_ready, 0);
	len = 0;
	give("<handshake/>");
	for (int i = 0; i < 500 && !speaker.n_ready; i++)
		turn();
	cr_assert_eq(speaker.n_ready, 1);
}

static void bounce(const char *to, const char *from, const char *condition)
{
	char text[500];

	sprintf(text,
		"<message from='alice@%s' to='user1@%s/r' type='error' id='x'><error type='cancel'>"
		"<%s xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
		from, to, condition);
	give(text);
}

Test(speaker, first_one_stanza_of_each_pair_then_the_rest)
{
	start();
	speaker_begin(&speaker, 100);
	for (int i = 0; i < 500 && ledger.arrived < 4; i++)
		turn();
	cr_expect(speaker_begun(&speaker));
	for (uint32_t i = 0; i < 4; i++)
		cr_expect_eq(ledger.pairs[i].next, 1);
	pace_begin(&feed.pace, 1000, 0, false, 1, bench_now());
	cr_assert(speaker_send(&speaker, 0));
	for (int i = 0; i < 500 && ledger.arrived < 1004; i++)
		turn();
	cr_expect_eq(ledger.arrived, 1004);
	cr_expect_eq(ledger.reordered + ledger.duplicated + flood.damaged + flood.misaddressed, 0);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(ledger.pairs[i].sent, 251);
	cr_expect_not(speaker_sent(&speaker));
	bounce("h3.b.test", "d0.o.test", "remote-server-timeout");
	for (int i = 0; i < 500 && !speaker_sent(&speaker); i++)
		turn();
	cr_expect(speaker_sent(&speaker));
}

Test(speaker, no_more_are_on_their_way_than_the_window_has)
{
	start();
	speaker_begin(&speaker, 3);
	for (int i = 0; i < 20; i++)
		loop_turn(&loop, 1);
	cr_expect_eq(ledger.sent, 3);
	cr_expect_not(speaker_begun(&speaker));
	/* One that comes back makes room as well as one that arrives. */
	bounce("h1.b.test", "d0.o.test", "remote-server-not-found");
	for (int i = 0; i < 500 && !ledger.returned; i++) {
		loop_turn(&loop, 5);
		speaker_turn(&speaker);
	}
	cr_expect_eq(ledger.sent, 4);
	cr_expect(speaker_begun(&speaker));
}

Test(speaker, what_comes_back_is_booked_for_its_pair)
{
	uint32_t pair;

	start();
	speaker_begin(&speaker, 100);
	for (int i = 0; i < 500 && ledger.arrived < 4; i++)
		turn();
	bounce("h2.b.test", "d0.o.test", "remote-server-timeout");
	bounce("h2.b.test", "d9.o.test", "remote-server-timeout");
	give("<presence from='a@d0.o.test' to='h1.b.test'/>");
	for (int i = 0; i < 500 && speaker.counts.foreign < 2; i++)
		turn();
	cr_assert(names_pair_of(&names, 1, 0, &pair));
	cr_expect_eq(speaker.counts.bounced, 1);
	cr_expect_eq(tally_count(&speaker.counts.bounces, "remote-server-timeout"), 1);
	cr_expect_eq(ledger.bounced[pair], 1);
	/* It had arrived already. */
	cr_expect_eq(ledger_both(&ledger), 1);
	cr_expect_eq(speaker.counts.foreign, 2);
}

Test(speaker, half_way_those_in_no_pair_send_one_each)
{
	start();
	pace_begin(&feed.pace, 100, 0, false, 1, bench_now());
	cr_assert(speaker_send(&speaker, 20));
	for (int i = 0; i < 500 && ledger.arrived < 100; i++)
		turn();
	cr_expect_eq(ledger.arrived, 100);
	cr_expect_eq(speaker.counts.probes_asked, 1);
	cr_expect_not(speaker_sent(&speaker));
	bounce("h3.b.test", "d0.o.test", "remote-server-not-found");
	for (int i = 0; i < 500 && !speaker_sent(&speaker); i++)
		turn();
	cr_expect(speaker_sent(&speaker));
	cr_expect_eq(tally_total(&speaker.counts.probes), 1);
	cr_expect_eq(ledger.returned, 0);
}

Test(speaker, what_comes_in_is_sent_on)
{
	char text[600], from[NAMES_TEXT], to[NAMES_TEXT], *end;

	names_free(&names);
	cr_assert(names_init(&names, "o.test", 4, 0, NULL, "b.test", 1, 1));
	start();
	for (uint32_t pair = 0; pair < 4; pair++) {
		struct marker m = { pair, ledger_send(&ledger, pair), bench_now(), pair };

		end = shapes_write(&shapes, text, &m, names_from(&names, NAMES_IN, pair, from),
			names_to(&names, NAMES_IN, pair, to));
		*end = '\0';
		give(text);
	}
	for (int i = 0; i < 500 && ledger.arrived < 4; i++)
		turn();
	cr_expect_eq(ledger.arrived, 4);
	cr_expect_eq(speaker.counts.relayed, 4);
	cr_expect_eq(flood.damaged + flood.misaddressed + speaker.counts.damaged, 0);
}

Test(speaker, a_stream_error_is_told)
{
	start();
	give("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
	for (int i = 0; i < 500 && !speaker.n_closed; i++)
		turn();
	cr_expect_eq(speaker.n_closed, 1);
	cr_expect_str_eq(speaker.reason, "stream error conflict");
}
