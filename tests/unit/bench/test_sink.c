/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The judge is judged: what a router does wrong must be found. */
#include "bench/sink.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

static struct loop loop;
static struct names names;
static struct shapes shapes;
static struct ledger ledger;
static struct flood flood;
static struct sink sink;
static int fd;

static void set_up(void)
{
	struct address a;

	cr_assert(loop_init(&loop));
	cr_assert(names_init(&names, "o.test", 40, 0, NULL, "b.test", 2, 1));
	shapes_init(&shapes, 296, 7);
	ledger_init(&ledger, 40);
	flood_init(&flood, &names, &shapes, &ledger, NAMES_IN);
	sink_init(&sink, &loop, &flood);
	cr_assert(address_parse(&a, "127.0.0.1:0"));
	cr_assert(sink_listen(&sink, &a, 1));
	fd = address_connect(&a);
	cr_assert_geq(fd, 0);
	while (!sink.n_ready)
		loop_turn(&loop, 10);
}

static void tear_down(void)
{
	close(fd);
	sink_free(&sink);
	ledger_free(&ledger);
	shapes_free(&shapes);
	names_free(&names);
	loop_close(&loop);
}

TestSuite(sink, .init = set_up, .fini = tear_down);

static char *stanza(char *to, uint32_t pair, uint32_t number, struct text sender,
	struct text target)
{
	struct marker m = { .pair = pair,
		.number = number,
		.time = bench_now(),
		.shape = shapes_next(&shapes) };

	return shapes_write(&shapes, to, &m, sender, target);
}

/* Sends in chunks and lets the sink see each of them on its own. */
static void give(const char *p, size_t len, size_t chunk)
{
	while (len) {
		size_t n = len < chunk ? len : chunk;
		uint64_t before = sink.bytes;

		cr_assert_eq(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
		while (sink.bytes < before + n)
			loop_turn(&loop, 10);
		p += n;
		len -= n;
	}
}

static struct text sender(uint32_t pair)
{
	static char name[NAMES_TEXT];

	return names_pair(&names, pair, name);
}

static char *honest(char *to, uint32_t pair)
{
	return stanza(to, pair, ledger_send(&ledger, pair), sender(pair),
		names_target(&names, pair));
}

Test(sink, all_is_well_in_any_chunks)
{
	static const size_t chunks[] = { 1, 7, 41, 300, 100000 };
	char buf[40 * 400];
	uint64_t sent = 0;

	for (size_t c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++) {
		char *to = buf;

		for (uint32_t pair = 0; pair < 40; pair++)
			to = honest(to, pair);
		sent += 40;
		give(buf, (size_t)(to - buf), chunks[c]);
		cr_expect_eq(ledger.arrived, sent);
	}
	cr_expect_eq(flood.damaged + flood.misaddressed + ledger.duplicated + ledger.reordered, 0);
	cr_expect_eq(flood.latency.count, sent);
}

Test(sink, changed_body)
{
	char buf[800], *end = honest(buf, 3);

	/* A byte near the end of the body. */
	*((char *)memmem(buf, (size_t)(end - buf), "</body>", 7) - 2) ^= 1;
	end = honest(end, 4);
	give(buf, (size_t)(end - buf), 100000);
	cr_expect_eq(flood.damaged, 1);
	cr_expect_eq(ledger.arrived, 2);
}

Test(sink, wrong_addresses)
{
	char buf[1600], *end = buf;

	/* Number 0 of pair 0 and 16 is among those looked at. */
	end = stanza(end, 0, ledger_send(&ledger, 0), sender(1), names_target(&names, 0));
	end = stanza(end, 16, ledger_send(&ledger, 16), sender(16), names.targets[(16 + 1) % 2]);
	end = honest(end, 32);
	give(buf, (size_t)(end - buf), 100000);
	cr_expect_eq(flood.misaddressed, 2);
	cr_expect_eq(ledger.arrived, 3);
}

Test(sink, twice_and_swapped_and_lost)
{
	char a[400], b[400], c[400];
	size_t la = (size_t)(honest(a, 5) - a), lb = (size_t)(honest(b, 5) - b);
	size_t lc = (size_t)(honest(c, 5) - c);

	give(b, lb, 100000);
	give(a, la, 100000);
	give(a, la, 100000);
	cr_expect_eq(ledger.reordered, 1);
	cr_expect_eq(ledger.duplicated, 1);
	cr_expect_eq(ledger_lost(&ledger), 1);
	give(c, lc, 100000);
	cr_expect_eq(ledger_lost(&ledger), 0);
}

Test(sink, foreign_stanzas_and_tildes_are_passed_over)
{
	static const char foreign[] = "<presence from='~x@o.test'/><message><body>~sb zz</body>"
				      "</message>";
	char buf[400], *end, *big = bench_alloc(1, 400000);

	give(foreign, strlen(foreign), 3);
	memset(big, 'z', 400000);
	give(big, 400000, 60000);
	end = honest(buf, 1);
	give(buf, (size_t)(end - buf), 100000);
	cr_expect_eq(ledger.arrived, 1);
	cr_expect_eq(flood.damaged, 0);
	free(big);
}

Test(sink, close_is_noticed)
{
	static const char error[] = "<stream:error><conflict/></stream:error></stream:stream>";

	give(error, strlen(error), 100);
	shutdown(fd, SHUT_RDWR);
	for (int i = 0; i < 100 && !sink.n_closed; i++)
		loop_turn(&loop, 10);
	cr_expect_eq(sink.n_closed, 1);
	cr_expect(strstr(sink.reason, "conflict"), "%s", sink.reason);
}

Test(sink, who_stalls_reads_later_and_loses_nothing)
{
	char buf[400], *end = honest(buf, 7);

	sink_stall(&sink, 0, true);
	cr_assert_eq(send(fd, buf, (size_t)(end - buf), MSG_NOSIGNAL), end - buf);
	for (int i = 0; i < 5; i++)
		loop_turn(&loop, 10);
	cr_expect_eq(ledger.arrived, 0);
	sink_stall(&sink, 0, false);
	for (int i = 0; i < 100 && !ledger.arrived; i++)
		loop_turn(&loop, 10);
	cr_expect_eq(ledger.arrived, 1);
}

Test(sink, who_vanishes_has_read_what_was_there_and_resets)
{
	char buf[400], *end = honest(buf, 7);

	cr_assert_eq(send(fd, buf, (size_t)(end - buf), MSG_NOSIGNAL), end - buf);
	sink_vanish(&sink, 0);
	cr_expect_eq(ledger.arrived, 1);
	cr_expect_eq(sink.n_ready, 0);
	cr_expect_eq(sink.n_closed, 0);
	cr_expect_lt(recv(fd, buf, sizeof(buf), 0), 0);
	cr_expect_eq(errno, ECONNRESET);
}

/* One end of a listener's connection is a server as small as can be. */
Test(sink, what_was_kept_and_follows_the_handshake_is_read)
{
	static const char *const logins[] = { "h1.b.test" };
	static const char header[] = "<stream:stream xmlns='jabber:component:accept'"
				     " xmlns:stream='http://etherx.jabber.org/streams' id='1'>"
				     "<handshake/>";
	char buf[6000], *end = buf + sprintf(buf, "%s", header);
	struct address a;
	struct sink comes;
	int listener, server;

	cr_assert(address_parse(&a, "127.0.0.1:0"));
	listener = address_listen(&a, 0);
	sink_init(&comes, &loop, &flood);
	cr_assert(sink_login(&comes, &a, logins, 1, "secret"));
	while ((server = address_accept(listener)) < 0)
		loop_turn(&loop, 10);
	for (uint32_t pair = 0; pair < 17; pair++)
		end = honest(end, pair);
	cr_assert_eq(send(server, buf, (size_t)(end - buf), MSG_NOSIGNAL), end - buf);
	for (int i = 0; i < 100 && ledger.arrived < 17; i++)
		loop_turn(&loop, 10);
	cr_expect_eq(ledger.arrived, 17);
	sink_free(&comes);
	close(server);
	close(listener);
}

Test(shapes, all_differ_and_are_as_long_as_asked)
{
	struct text sender = { "d1234.bench-origin.test", 23 },
		    target = { "hosted.bench.test", 17 };

	for (size_t size = SHAPES_SIZE_MIN; size < 3000; size += 397) {
		struct shapes s;
		char buf[4096], before[4096] = "";

		shapes_init(&s, size, 1);
		for (uint32_t i = 0; i < SHAPES; i++) {
			struct marker m = { 1, 2, 3, i }, got;
			char *end = shapes_write(&s, buf, &m, sender, target);
			char *mark = memchr(buf, '~', (size_t)(end - buf));

			*end = '\0';
			cr_assert(mark && shapes_read(mark, &got));
			cr_expect(got.pair == 1 && got.number == 2 && got.time == 3 &&
				got.shape == i);
			cr_expect_null(strchr(mark + 1, '~'));
			cr_expect_leq(labs((long)(end - buf) - (long)size), 2);
			cr_expect_str_neq(buf, before);
			strcpy(before, buf);
		}
		shapes_free(&s);
	}
}
