/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/intake.h"

#include <criterion/criterion.h>

#define ROOT                                                                                       \
	"<?xml version='1.0'?><stream:stream xmlns='jabber:server'"                                \
	" xmlns:stream='http://etherx.jabber.org/streams' xmlns:db='jabber:server:dialback'>"

static struct shapes shapes;
static struct intake *intake;
/* What was seen, a letter each: H header, S whole stanza, D damaged one, E end, first of a name. */
static char seen[200];
static uint32_t numbers;

static void see(char c)
{
	char text[2] = { c, '\0' };

	strcat(seen, text);
}

static void on_header(void *owner, const struct reader_element *e)
{
	(void)owner, (void)e;
	see('H');
}

static void on_element(void *owner, const struct reader_element *e)
{
	(void)owner;
	see(e->name[0]);
}

static void on_end(void *owner)
{
	(void)owner;
	see('E');
}

static void on_stanza(void *owner, const struct marker *m, struct text tag, bool whole)
{
	(void)owner;
	cr_expect_eq(m->number, numbers++);
	cr_expect(tag.len > 9 && memcmp(tag.p, "<message ", 9) == 0);
	cr_expect_not_null(memmem(tag.p, tag.len, "@h1.b.test", 10));
	see(whole ? 'S' : 'D');
}

static const struct intake_calls calls = { { on_header, on_element, on_end }, on_stanza };

static void set_up(void)
{
	shapes_init(&shapes, 296, 7);
	intake = intake_new(&shapes, &calls, NULL);
	numbers = 0;
	seen[0] = '\0';
}

static void tear_down(void)
{
	intake_free(intake);
	shapes_free(&shapes);
}

TestSuite(intake, .init = set_up, .fini = tear_down);

static char *stanza(char *to, uint32_t number)
{
	struct marker m = { .number = number, .time = 1, .shape = shapes_next(&shapes) };

	return shapes_write(&shapes, to, &m, (struct text){ "h1.b.test", 9 },
		(struct text){ "d1.o.test", 9 });
}

static bool feed(const char *p, size_t len, size_t chunk)
{
	for (size_t n; len; p += n, len -= n) {
		n = len < chunk ? len : chunk;
		if (!intake_feed(intake, p, n))
			return false;
	}
	return true;
}

static bool feed_text(const char *text)
{
	return feed(text, strlen(text), 10000);
}

Test(intake, stanzas_and_everything_else_in_any_chunks)
{
	static const size_t chunks[] = { 1, 2, 7, 41, 300, 100000 };

	for (size_t c = 0; c < sizeof(chunks) / sizeof(chunks[0]); c++) {
		char buf[8000], *to = buf + sprintf(buf, "%s", ROOT);
		uint32_t n = 0;

		to = stanza(to, n++);
		to += sprintf(to, "<db:result from='a' to='b'>k>k</db:result> \n");
		for (int i = 0; i < 8; i++)
			to = stanza(to, n++);
		to += sprintf(to,
			"<message from='x' id='~sb'/><message><body>~sb</body></message>");
		to = stanza(to, n++);
		to += sprintf(to, "<presence from='>'><a/></presence>");
		to = stanza(to, n++);
		to += sprintf(to, "</stream:stream>");
		cr_expect(feed(buf, (size_t)(to - buf), chunks[c]));
		cr_expect_str_eq(seen, "HSrSSSSSSSSmmSpSE", "%zu: %s", chunks[c], seen);
		tear_down();
		set_up();
	}
}

Test(intake, a_changed_body_is_seen_and_the_next_stanza_is_not_its_victim)
{
	char buf[2000], *to = buf + sprintf(buf, "%s", ROOT), *end = stanza(to, 0);

	*((char *)memmem(to, (size_t)(end - to), "</body>", 7) - 2) ^= 1;
	to = stanza(end, 1);
	cr_expect(feed(buf, (size_t)(to - buf), 100));
	cr_expect_str_eq(seen, "HDS");
}

Test(intake, a_marker_in_the_next_element_is_not_this_ones)
{
	char buf[2000], *to = buf + sprintf(buf, "%s<message from='x'><a/></message>", ROOT);

	to = stanza(to, 0);
	cr_expect(feed(buf, (size_t)(to - buf), 10000));
	cr_expect_str_eq(seen, "HmS");
}

Test(intake, what_is_not_well_formed_ends_it)
{
	cr_expect(feed_text(ROOT "<a><b></b></a>"));
	cr_expect_not(feed_text("<a></b>"));
}

Test(intake, what_never_ends_is_not_kept)
{
	char *big = bench_alloc(1, 70000);
	bool ok;

	memset(big, 'z', 69999);
	cr_expect(feed_text(ROOT "<message from='x'>"));
	ok = true;
	for (int i = 0; ok && i < 10; i++)
		ok = feed(big, 69999, 69999);
	cr_expect_not(ok);
	free(big);
}
