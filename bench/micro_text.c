/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the router does with text that is no stanza: it writes answers, splits and
 * decodes addresses, and brings domains into canonical form. Addresses and stanzas
 * are those of the chat corpus; names are drawn from a seed.
 */
#include "bench/corpus.h"
#include "bench/trial.h"
#include "core/base/domain.h"
#include "core/bounce.h"
#include "xml/jid.h"
#include "xml/scan.h"

#define SEED 1
#define NAMES 16384
#define NAMES_IDN 4096 /* libidn2 takes long */
#define NAME_ROOM 128 /* more than the longest */

struct list {
	struct span *at;
	size_t n;
};

struct frames {
	struct corpus corpus;
	struct frame *at;
	struct span *addresses; /* from and to of each */
};

static _Noreturn void die(const struct trial *t, const char *what, struct span s)
{
	fprintf(stderr, "micro-text: %s %s: %s: %.*s\n", t->group, t->name, what, (int)s.n, s.p);
	exit(1);
}

/* -- the writer -- */

/* <db:result from='' to='' type='valid'/>, as to each claim. */
static void db_result_pass(const struct trial *t, void *state)
{
	const struct list *names = t->input;

	(void)state;
	for (size_t i = 0; i < names->n; i++) {
		char buf[1024];
		struct writer w = WRITER(buf);

		writer_lit(&w, "<db:result");
		writer_attr(&w, "from", SPAN_LIT("hosted.example"));
		writer_attr(&w, "to", names->at[i]);
		writer_attr(&w, "type", SPAN_LIT("valid"));
		writer_lit(&w, "/>");
		if (w.overflow)
			die(t, "too long", names->at[i]);
	}
}

static void bounce_pass(const struct trial *t, void *state)
{
	const struct frames *f = t->input;

	(void)state;
	for (size_t i = 0; i < f->corpus.count; i++) {
		char buf[BOUNCE_MAX];
		struct writer w = WRITER(buf);

		if (!bounce_write(&w, &f->at[i], STANZA_SERVICE_UNAVAILABLE,
			    SPAN_LIT("edge.example"), SPAN_LIT("The backend is down.")))
			die(t, "refused", span_of(f->at[i].p, f->at[i].len));
	}
}

/* -- addresses and domains -- */

static void jid_split_pass(const struct trial *t, void *state)
{
	const struct list *l = t->input;
	struct jid jid;

	(void)state;
	for (size_t i = 0; i < l->n; i++)
		if (!jid_split(l->at[i], &jid) || !jid_parts_valid(&jid))
			die(t, "refused", l->at[i]);
}

static void jid_domain_pass(const struct trial *t, void *state)
{
	const struct list *l = t->input;

	(void)state;
	for (size_t i = 0; i < l->n; i++)
		if (!jid_domain(l->at[i]).n)
			die(t, "refused", l->at[i]);
}

static void jid_decode_pass(const struct trial *t, void *state)
{
	const struct list *l = t->input;
	char text[LIMIT_JID];
	size_t len;

	(void)state;
	for (size_t i = 0; i < l->n; i++)
		if (!jid_decode(l->at[i], text, sizeof(text), &len))
			die(t, "refused", l->at[i]);
}

static void domain_parse_pass(const struct trial *t, void *state)
{
	const struct list *l = t->input;
	struct domain d;

	(void)state;
	for (size_t i = 0; i < l->n; i++)
		if (!domain_parse(l->at[i], &d))
			die(t, "refused", l->at[i]);
}

/* -- what they work on -- */

static struct frames frames_make(void)
{
	static const char header[sizeof(CORPUS_HEADER) + SCAN_PAD] = CORPUS_HEADER;
	struct scan *s = scan_new(LIMIT_STANZA);
	struct frame root;
	struct frames f;

	corpus_init(&f.corpus, 0, CORPUS_SIZE, SEED);
	f.at = bench_alloc(f.corpus.count, sizeof(*f.at));
	f.addresses = bench_alloc(2 * f.corpus.count, sizeof(*f.addresses));
	BUG_ON(!s || scan(s, header, sizeof(CORPUS_HEADER) - 1, &root) != SCAN_HEADER);
	for (size_t i = 0; i < f.corpus.count; i++) {
		size_t at = f.corpus.start[i];

		BUG_ON(scan(s, f.corpus.bytes + at, f.corpus.len - at, &f.at[i]) != SCAN_FRAME);
		f.addresses[2 * i] = f.at[i].from;
		f.addresses[2 * i + 1] = f.at[i].to;
	}
	scan_free(s);
	return f;
}

static void frames_free(struct frames *f)
{
	corpus_free(&f->corpus);
	free(f->at);
	free(f->addresses);
}

/* One or two labels of letters, of `unit` bytes each in the alphabet, and a last label. */
static struct span name_print(char *to, const char *alphabet, size_t unit, const char *last,
	uint64_t *random)
{
	char *p = to;

	for (size_t labels = 1 + bench_below(random, 2); labels; labels--) {
		for (size_t n = 3 + bench_below(random, 10); n; n--) {
			memcpy(p, alphabet + unit * bench_below(random, strlen(alphabet) / unit),
				unit);
			p += unit;
		}
		*p++ = '.';
	}
	p = stpcpy(p, last);
	return span_of(to, (size_t)(p - to));
}

static struct list names_make(size_t n, const char *alphabet, size_t unit, const char *last)
{
	struct span *at = bench_alloc(n, sizeof(*at) + NAME_ROOM);
	char *bytes = (char *)(at + n);
	uint64_t random = 0x9e3779b97f4a7c15ull;

	for (size_t i = 0; i < n; i++) {
		at[i] = name_print(bytes, alphabet, unit, last, &random);
		bytes += at[i].n;
	}
	return (struct list){ at, n };
}

/* The same names as A-labels. */
static struct list names_encode(struct list names)
{
	struct span *at = bench_alloc(names.n, sizeof(*at) + LIMIT_DNS_NAME + 1);
	char *bytes = (char *)(at + names.n);

	for (size_t i = 0; i < names.n; i++) {
		BUG_ON(!domain_to_dns(names.at[i], bytes));
		at[i] = span_str(bytes);
		bytes += at[i].n;
	}
	return (struct list){ at, names.n };
}

static struct trial trial_over(const struct list *l, const char *group, const char *name,
	void (*pass)(const struct trial *t, void *state))
{
	struct trial t = { group, name, l, .units = l->n, .pass = pass };

	for (size_t i = 0; i < l->n; i++)
		t.bytes += l->at[i].n;
	return t;
}

static void measure(struct trials *ts)
{
	struct frames chat = frames_make();
	struct list addresses = { chat.addresses, 2 * chat.corpus.count };
	struct list lower = names_make(NAMES, "abcdefghijklmnopqrstuvwxyz", 1, "example");
	struct list upper = names_make(NAMES, "ABCDEFGHIJKLMNOPQRSTUVWXYZ", 1, "Example");
	struct list unicode = names_make(NAMES_IDN, "абвгдежзийклмнопрстуфхцчшщэюя", 2, "example");
	struct list ascii = names_encode(unicode);
	struct trial all[] = {
		{ "writer", "db:result", &lower, .units = lower.n, .pass = db_result_pass },
		{ "writer", "bounce", &chat, .units = chat.corpus.count, .pass = bounce_pass },
		trial_over(&addresses, "jid", "split", jid_split_pass),
		trial_over(&addresses, "jid", "domain", jid_domain_pass),
		trial_over(&addresses, "jid", "decode", jid_decode_pass),
		trial_over(&lower, "domain_parse", "lower", domain_parse_pass),
		trial_over(&upper, "domain_parse", "upper", domain_parse_pass),
		trial_over(&unicode, "domain_parse", "U-label", domain_parse_pass),
		trial_over(&ascii, "domain_parse", "A-label", domain_parse_pass),
	};

	ts->all = all;
	ts->n = ARRAY_LEN(all);
	trials_run(ts);
	trials_report(ts);
	trials_free(ts);
	frames_free(&chat);
	free(lower.at);
	free(upper.at);
	free(unicode.at);
	free(ascii.at);
}

int main(int argc, char **argv)
{
	struct trials ts = { .unit = "operation" };
	int exit_code = trials_options(&ts, argc, argv,
		"Answers written, addresses split and decoded, domains brought into canonical form.");

	if (exit_code >= 0)
		return exit_code;
	measure(&ts);
	return 0;
}
