/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/shapes.h"

/* Places in a template where parts end. */
#define ADDRESS '\1'
#define MARKER '\2'

static const char *const words[] = {
	"the",
	"river",
	"takes",
	"what",
	"the",
	"rain",
	"has",
	"left",
	"and",
	"carries",
	"it",
	"slowly",
	"down",
	"to",
	"a",
	"harbour",
	"where",
	"R&amp;D",
	"boats",
	"wait",
	"for",
	"wind",
	"caf\xc3\xa9",
	"42",
	"gr\xc3\xbc\xc3\x9f",
	"(again)",
	"no",
	"one",
	"knows",
	"why;",
};

#define N_WORDS (sizeof(words) / sizeof(words[0]))

/* count bytes of words; cut at a word and filled up with dots, never inside a character. */
static char *filler_print(char *to, size_t count, unsigned which)
{
	char *end = to + count;

	for (unsigned i = which * 7;; i += 1 + which % 5) {
		size_t len = strlen(words[i % N_WORDS]);

		if ((size_t)(end - to) < len + 1)
			break;
		memcpy(to, words[i % N_WORDS], len);
		to[len] = ' ';
		to += len + 1;
	}
	memset(to, '.', (size_t)(end - to));
	return end;
}

/* One attribute of <message>: 0 from, 1 to, 2 type, 3 id. */
static char *attr_print(char *to, unsigned attr, unsigned which)
{
	char q = which % 8 == 5 ? '"' : '\'';

	switch (attr) {
	case 0:
		return to +
			sprintf(to, which & 1 ? " from=%cu%u@%c/r%c" : " from=%cuser%u@%c%c", q,
				which % 10, ADDRESS, q);
	case 1:
		return to +
			sprintf(to, which & 2 ? " to=%cbob@%c/desk%c" : " to=%calice@%c%c", q,
				ADDRESS, q);
	case 2:
		return to + sprintf(to, " type=%cchat%c", q, q);
	default:
		to += sprintf(to, " id=%c", q);
		for (unsigned i = 0; i < 1 + which % 7; i++)
			*to++ = "kq3Zx8mB1vT0"[(which + i * (which % 11 + 1)) % 12];
		*to++ = q;
		return to;
	}
}

static const char *child_text(unsigned which)
{
	switch (which % 7) {
	case 2:
		return "<thread>t7</thread>";
	case 4:
		return "<x xmlns='urn:b:x'/>";
	default:
		return "";
	}
}

/* The template of one shape; body: bytes of its body, marker included. Returns its end. */
static char *shape_print(char *to, unsigned which, size_t body)
{
	static const unsigned char orders[8][4] = {
		{ 0, 1, 2, 3 },
		{ 1, 0, 3, 2 },
		{ 2, 0, 1, 3 },
		{ 3, 2, 1, 0 },
		{ 0, 2, 1, 3 },
		{ 3, 0, 1, 2 },
		{ 1, 3, 2, 0 },
		{ 2, 3, 0, 1 },
	};
	const unsigned char *order = orders[which / 3 % 8];
	bool child_first = which % 2;

	to += sprintf(to, "<message");
	for (unsigned i = 0; i < 4; i++)
		to = attr_print(to, order[i], which);
	to += sprintf(to, ">%s<body>%c", child_first ? child_text(which) : "", MARKER);
	to = filler_print(to, body - SHAPES_MARKER, which);
	to += sprintf(to, "</body>%s</message>", child_first ? "" : child_text(which));
	return to;
}

static void shape_cut(struct shape *sh, char *p, char *end)
{
	const char *to = memmem(p, (size_t)(end - p), " to=", 4);
	const char *from = memmem(p, (size_t)(end - p), " from=", 6);
	char *body;

	for (int i = 0; i < 4; i++) {
		char *stop = p;

		while (stop < end && *stop != ADDRESS && *stop != MARKER)
			stop++;
		sh->part[i] = (struct text){ p, (size_t)(stop - p) };
		p = stop + 1;
	}
	sh->to_first = to < from;
	body = memmem(sh->part[3].p, sh->part[3].len, "</body>", 7);
	sh->tail = (struct text){ sh->part[3].p, (size_t)(body + 7 - sh->part[3].p) };
}

void shapes_init(struct shapes *s, size_t size, uint64_t seed)
{
	size_t room = size + 256;
	/* Two addresses of a usual run: d1234.bench-origin.test and hosted.bench.test. */
	size_t addresses = 23 + 17;

	memset(s, 0, sizeof(*s));
	s->store = bench_alloc(SHAPES, room);
	s->random = seed * 0x9e3779b97f4a7c15ull | 1;
	for (unsigned i = 0; i < SHAPES; i++) {
		char *at = s->store + i * room;
		/* All but the body; in the template each address is one byte. */
		size_t around = (size_t)(shape_print(at, i, SHAPES_MARKER) - at) - 3 + addresses;
		char *end = shape_print(at, i, size - around + i % 5 - 2);

		shape_cut(&s->shape[i], at, end);
		if ((size_t)(end - at) + SHAPES_MARKER > s->longest)
			s->longest = (size_t)(end - at) + SHAPES_MARKER;
	}
}

void shapes_free(struct shapes *s)
{
	free(s->store);
	memset(s, 0, sizeof(*s));
}

static inline char *text_put(char *to, struct text t)
{
	memcpy(to, t.p, t.len);
	return to + t.len;
}

static inline void hex_put(char *to, uint64_t value, unsigned digits)
{
	while (digits--) {
		to[digits] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

char *shapes_write(const struct shapes *s, char *to, const struct marker *m, struct text sender,
	struct text target)
{
	const struct shape *sh = &s->shape[m->shape];

	to = text_put(to, sh->part[0]);
	to = text_put(to, sh->to_first ? target : sender);
	to = text_put(to, sh->part[1]);
	to = text_put(to, sh->to_first ? sender : target);
	to = text_put(to, sh->part[2]);
	memcpy(to, "~sb ", 4);
	hex_put(to + 4, m->pair, 8);
	to[12] = ' ';
	hex_put(to + 13, m->number, 8);
	to[21] = ' ';
	hex_put(to + 22, m->time, 16);
	to[38] = ' ';
	hex_put(to + 39, m->shape, 2);
	return text_put(to + SHAPES_MARKER, sh->part[3]);
}

static inline bool hex_get(const char *p, unsigned digits, uint64_t *value)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < digits; i++) {
		unsigned c = (unsigned char)p[i];
		unsigned d = c - '0' < 10 ? c - '0' : c - 'a' < 6 ? c - 'a' + 10 : 16;

		if (d > 15)
			return false;
		v = v << 4 | d;
	}
	*value = v;
	return true;
}

bool shapes_read(const char *p, struct marker *m)
{
	uint64_t pair, number, shape;

	if (memcmp(p, "~sb ", 4) != 0 || !hex_get(p + 4, 8, &pair) ||
		!hex_get(p + 13, 8, &number) || !hex_get(p + 22, 16, &m->time) ||
		!hex_get(p + 39, 2, &shape) || shape >= SHAPES)
		return false;
	m->pair = (uint32_t)pair;
	m->number = (uint32_t)number;
	m->shape = (uint32_t)shape;
	return true;
}
