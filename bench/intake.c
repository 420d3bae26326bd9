/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/intake.h"

static const char message_tag[] = "<message ", message_end[] = "</message>";

#define TAG_LEN (sizeof(message_tag) - 1)
#define END_LEN (sizeof(message_end) - 1)

struct intake {
	const struct shapes *shapes;
	const struct intake_calls *calls;
	void *owner;
	struct reader *reader;
	char *rest; /* of what was fed, the beginning of a message; on the heap */
	size_t len, cap;
};

struct intake *intake_new(const struct shapes *shapes, const struct intake_calls *calls,
	void *owner)
{
	struct intake *in = bench_alloc(1, sizeof(*in));

	in->shapes = shapes;
	in->calls = calls;
	in->owner = owner;
	in->reader = reader_new(&calls->reader, owner);
	return in;
}

void intake_free(struct intake *in)
{
	if (!in)
		return;
	reader_free(in->reader);
	free(in->rest);
	free(in);
}

/* Whether a message of ours is at p; then it is handed over. */
static bool stanza_take(struct intake *in, const char *p, size_t len)
{
	const char *mark = memchr(p, '~', len);
	const struct text *tail;
	struct marker m;
	size_t left;

	if (!mark || (size_t)(p + len - mark) < SHAPES_MARKER || !shapes_read(mark, &m))
		return false;
	tail = &in->shapes->shape[m.shape].tail;
	left = (size_t)(p + len - mark) - SHAPES_MARKER;
	in->calls->stanza(in->owner, &m, (struct text){ p, (size_t)(mark - p) },
		left >= tail->len && memcmp(mark + SHAPES_MARKER, tail->p, tail->len) == 0);
	return true;
}

/* A message from here on: how much of it was taken; 0: not whole yet; -1: it is the reader's. */
static ssize_t message_take(struct intake *in, const char *p, size_t len)
{
	const char *end = memmem(p, len, message_end, END_LEN);
	const char *tag_end = memchr(p, '>', len);

	/* <message .../> has no end tag of its own. */
	if (tag_end && tag_end[-1] == '/')
		return -1;
	if (!end)
		return 0;
	len = (size_t)(end - p) + END_LEN;
	return stanza_take(in, p, len) ? (ssize_t)len : -1;
}

/* Gives the reader what goes up to the next '>': only there can an element end. */
static ssize_t reader_take(struct intake *in, const char *p, size_t len)
{
	const char *end = memchr(p, '>', len);

	if (end)
		len = (size_t)(end - p) + 1;
	return reader_feed(in->reader, p, len) ? (ssize_t)len : -1;
}

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* What is taken of p; 0: more is needed; -1: not well-formed. */
static ssize_t piece_take(struct intake *in, const char *p, size_t len)
{
	size_t seen = len < TAG_LEN ? len : TAG_LEN;
	ssize_t n;

	if (!reader_is_between(in->reader))
		return reader_take(in, p, len);
	if (is_space(*p))
		return 1;
	if (memcmp(p, message_tag, seen) != 0)
		return reader_take(in, p, len);
	if (seen < TAG_LEN)
		return 0;
	n = message_take(in, p, len);
	return n < 0 ? reader_take(in, p, len) : n;
}

/* Returns how much of it was used, or -1. */
static ssize_t pieces_take(struct intake *in, const char *p, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = piece_take(in, p + done, len - done);

		if (n < 0)
			return -1;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static bool rest_keep(struct intake *in, const char *p, size_t len)
{
	if (len >= INTAKE_BUFFER)
		return false;
	if (len > in->cap) {
		in->cap = len < 1024 ? 1024 : 2 * len;
		in->rest = bench_grow(in->rest, in->cap);
	}
	if (len)
		memcpy(in->rest, p, len);
	in->len = len;
	return true;
}

/* The buffer that a stream's rest and what is read after it lie in, for one call. */
static char together[INTAKE_BUFFER];

static bool together_take(struct intake *in, const char *p, size_t len)
{
	ssize_t n = pieces_take(in, p, len);

	return n >= 0 && rest_keep(in, p + n, len - (size_t)n);
}

bool intake_feed(struct intake *in, const char *p, size_t len)
{
	while (len) {
		size_t n = INTAKE_BUFFER - in->len;

		if (n > len)
			n = len;
		memcpy(together, in->rest ? in->rest : "", in->len);
		memcpy(together + in->len, p, n);
		if (!together_take(in, together, in->len + n))
			return false;
		p += n;
		len -= n;
	}
	return true;
}

ssize_t intake_read(struct intake *in, struct wire *w)
{
	ssize_t n;

	memcpy(together, in->rest ? in->rest : "", in->len);
	n = wire_read(w, together + in->len, INTAKE_BUFFER - in->len);
	if (n > 0 && !together_take(in, together, in->len + (size_t)n))
		return -EBADMSG;
	return n;
}
