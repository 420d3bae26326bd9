/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/speaker.h"

#include "bench/intake.h"
#include "bench/login.h"
#include "bench/opening.h"

#define FILLS_PER_TURN 4
/* Who sends on what comes in reads no more of it meanwhile. */
#define RELAY_MAX (1u << 20)

enum link_state { LINK_LOGIN, LINK_READY, LINK_CLOSED };

struct speaker_link {
	struct wire wire; /* first: its source is what the loop hands us */
	struct speaker *speaker;
	struct intake *intake;
	struct opening opening; /* of a direct one */
	bool direct;
	enum link_state state;
	struct share share; /* its pairs, and of the stanzas */
	uint32_t begun; /* pairs whose first stanza is sent */
	uint32_t next_probe; /* the next of its hosted domains that are in no pair */
	char from[NAMES_TEXT]; /* of a direct one's stream */
	char error[64]; /* condition of a stream error */
	bool over;
};

void speaker_init(struct speaker *s, struct loop *l, const struct names *names, struct feed *feed)
{
	memset(s, 0, sizeof(*s));
	s->loop = l;
	s->names = names;
	s->feed = feed;
	s->timer.fd = -1;
}

void speaker_free(struct speaker *s)
{
	feed_timer_end(s->loop, &s->timer);
	for (uint32_t i = 0; i < s->n_links; i++) {
		wire_close(&s->links[i].wire);
		intake_free(s->links[i].intake);
		free(s->links[i].share.pairs);
	}
	free(s->links);
	s->links = NULL;
	s->n_links = 0;
}

static void link_close(struct speaker_link *link, const char *why)
{
	struct speaker *s = link->speaker;

	if (link->state == LINK_CLOSED)
		return;
	if (!s->reason[0])
		snprintf(s->reason, sizeof(s->reason), "%s%.100s",
			link->error[0] ? "stream error " : "", link->error[0] ? link->error : why);
	link->state = LINK_CLOSED;
	s->n_closed++;
	wire_close(&link->wire);
}

static void link_set_ready(struct speaker_link *link)
{
	if (link->state != LINK_LOGIN)
		return;
	link->state = LINK_READY;
	link->speaker->n_ready++;
}

/* --- what is sent --- */

static bool link_has_room(const struct speaker_link *link)
{
	return wire_pending(&link->wire) < SPEAKER_PENDING && feed_room(link->speaker->feed);
}

static bool begins_wanted(const struct speaker_link *link)
{
	return link->speaker->phase == SPEAKER_BEGINS && link->begun < link->share.n_pairs;
}

static void begins_fill(struct speaker_link *link)
{
	while (begins_wanted(link) && link_has_room(link))
		feed_append(link->speaker->feed, &link->wire, link->share.pairs[link->begun++], 1,
			bench_now());
}

static bool probes_wanted(const struct speaker_link *link)
{
	return link->speaker->phase == SPEAKER_SENDS && link->share.slot >= link->share.quota / 2 &&
		link->next_probe < link->speaker->names->n_hosted;
}

static void probes_fill(struct speaker_link *link)
{
	const struct names *n = link->speaker->names;

	while (probes_wanted(link) && wire_pending(&link->wire) < SPEAKER_PENDING) {
		uint32_t i = link->next_probe;
		char to[NAMES_TEXT];

		names_pair(n, i % n->n_outside, to);
		wire_printf(&link->wire,
			"<message from='probe@%s' to='someone@%s' type='chat' id='probe%u'>"
			"<body>invalid</body></message>",
			n->targets[i].p, to, i);
		link->speaker->counts.probes_asked++;
		link->next_probe += n->n_backends;
	}
}

static void stanzas_fill(struct speaker_link *link)
{
	uint64_t now, due;

	if (link->speaker->phase != SPEAKER_SENDS)
		return;
	do {
		now = bench_now();
		due = share_due(&link->share, now);
		if (due > FEED_BURST)
			due = FEED_BURST;
		if (due)
			share_append(&link->share, &link->wire, due, now);
		probes_fill(link);
	} while (due && wire_pending(&link->wire) < SPEAKER_PENDING);
}

/* Whether it would send more as soon as the socket takes it. */
static bool link_wants(const struct speaker_link *link)
{
	if (link->state != LINK_READY || !feed_room(link->speaker->feed))
		return false;
	return begins_wanted(link) || probes_wanted(link) ||
		(link->speaker->phase == SPEAKER_SENDS && share_wanted(&link->share));
}

static void link_pump(struct speaker_link *link)
{
	for (int i = 0; i < FILLS_PER_TURN; i++) {
		if (link->state == LINK_READY) {
			begins_fill(link);
			stanzas_fill(link);
		}
		if (!wire_flush(&link->wire)) {
			link_close(link, strerror(errno));
			return;
		}
		if (wire_pending(&link->wire) || !link_wants(link))
			break;
	}
	wire_set_hungry(&link->wire, link_wants(link));
}

static void links_pump(struct speaker *s)
{
	for (uint32_t i = 0; i < s->n_links; i++) {
		if (s->links[i].state == LINK_READY)
			link_pump(&s->links[i]);
	}
}

void speaker_turn(struct speaker *s)
{
	if (s->feed->window && s->phase != SPEAKER_SILENT && feed_room(s->feed))
		links_pump(s);
}

/* --- what comes --- */

static void link_header(void *owner, const struct reader_element *e)
{
	struct speaker_link *link = owner;

	if (!link->direct) {
		login_header(&link->wire, e, link->speaker->secret);
		return;
	}
	opening_header(&link->opening, e);
}

/* An error for a stanza of ours: from is whom that was for. */
static void link_bounce(struct speaker *s, const struct reader_element *e)
{
	uint32_t hosted, outside, pair;

	if (!names_find_hosted(s->names, names_domain(e->to), &hosted) ||
		names_find(s->names, names_domain(e->from), &outside) != NAME_PAIR) {
		s->counts.foreign++;
	} else if (hosted >= s->names->n_targets) {
		tally_add(&s->counts.probes, reader_condition(e));
	} else if (names_pair_of(s->names, hosted, outside, &pair)) {
		s->counts.bounced++;
		tally_add(&s->counts.bounces, reader_condition(e));
		ledger_bounce(s->feed->ledger, pair);
	} else {
		s->counts.foreign++;
	}
}

static void link_element(void *owner, const struct reader_element *e)
{
	struct speaker_link *link = owner;

	if (e->ns == READER_NS_STREAM && strcmp(e->name, "error") == 0) {
		snprintf(link->error, sizeof(link->error), "%s", reader_condition(e));
		link->over = true;
	} else if (link->direct && opening_element(&link->opening, e)) {
		link_set_ready(link);
	} else if (!link->direct && strcmp(e->name, "handshake") == 0) {
		link_set_ready(link);
	} else if (e->ns == READER_NS_OTHER && strcmp(e->type, "error") == 0) {
		link_bounce(link->speaker, e);
	} else if (e->ns == READER_NS_OTHER) {
		link->speaker->counts.foreign++;
	}
}

static void link_end(void *owner)
{
	((struct speaker_link *)owner)->over = true;
}

/* Came in: goes on, as it is but for its addresses. */
static void link_stanza(void *owner, const struct marker *m, struct text tag, bool whole)
{
	struct speaker_link *link = owner;
	struct speaker *s = link->speaker;
	const struct names *n = s->names;
	char from[NAMES_TEXT], to[NAMES_TEXT], *begin;

	(void)tag;
	if (n->outward || m->pair >= n->n_pairs) {
		s->counts.foreign++;
		return;
	}
	s->counts.relayed++;
	s->counts.damaged += !whole;
	begin = wire_reserve(&link->wire, s->feed->shapes->longest + 2 * NAMES_MAX);
	wire_commit(&link->wire,
		(size_t)(shapes_write(s->feed->shapes, begin, m,
				 names_from(n, NAMES_OUT, m->pair, from),
				 names_to(n, NAMES_OUT, m->pair, to)) -
			begin));
}

static const struct intake_calls link_calls = { { link_header, link_element, link_end },
	link_stanza };

static void link_ready(struct source *source, uint32_t events)
{
	struct speaker_link *link = (struct speaker_link *)source;
	ssize_t n = -EAGAIN;

	if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && wire_pending(&link->wire) < RELAY_MAX)
		n = intake_read(link->intake, &link->wire);
	if (n > 0)
		link->speaker->bytes += (size_t)n;
	if (n == 0 || link->over)
		link_close(link, "closed by the server");
	else if (n < 0 && n != -EAGAIN)
		link_close(link, strerror((int)-n));
	else
		link_pump(link);
}

/* --- opening --- */

/* Link i speaks for the hosted domains i, i + count, ... */
static void links_make(struct speaker *s, uint32_t count)
{
	uint32_t *n;

	s->links = bench_alloc(count, sizeof(*s->links));
	s->n_links = count;
	n = bench_alloc(count, sizeof(*n));
	for (uint32_t p = 0; p < s->names->n_pairs; p++)
		n[names_target_number(s->names, p) % count]++;
	for (uint32_t i = 0; i < count; i++) {
		struct speaker_link *link = &s->links[i];

		link->wire.source.fd = -1;
		link->speaker = s;
		link->share.feed = s->feed;
		link->share.pairs = bench_alloc(n[i], sizeof(*link->share.pairs));
		link->next_probe = s->names->n_targets +
			(i + count - s->names->n_targets % count) % count;
	}
	free(n);
	for (uint32_t p = 0; p < s->names->n_pairs; p++) {
		struct share *share = &s->links[names_target_number(s->names, p) % count].share;

		share->pairs[share->n_pairs++] = p;
	}
}

static bool link_connect(struct speaker_link *link)
{
	struct speaker *s = link->speaker;
	int fd = address_connect(&s->server);

	link->intake = intake_new(s->feed->shapes, &link_calls, link);
	return fd >= 0 && wire_open(&link->wire, s->loop, fd, link_ready);
}

bool speaker_login(struct speaker *s, const struct address *server, const char *const *names,
	uint32_t count, const char *secret)
{
	s->server = *server;
	s->logins = names;
	s->secret = secret;
	links_make(s, count);
	for (uint32_t i = 0; i < count; i++) {
		if (!link_connect(&s->links[i]))
			return false;
		login_begin(&s->links[i].wire, names[i]);
		wire_set_hungry(&s->links[i].wire, false);
	}
	return true;
}

bool speaker_open_direct(struct speaker *s, const struct address *remote, uint32_t count)
{
	s->server = *remote;
	links_make(s, count);
	for (uint32_t i = 0; i < count; i++) {
		struct speaker_link *link = &s->links[i];

		link->direct = true;
		if (!link_connect(link) ||
			!opening_begin(&link->opening, &link->wire, NULL, NULL,
				s->names->targets[i % s->names->n_targets].p,
				names_pair(s->names, 0, link->from).p))
			return false;
		wire_set_hungry(&link->wire, false);
	}
	return true;
}

/* --- phases --- */

void speaker_begin(struct speaker *s, uint64_t window)
{
	s->phase = SPEAKER_BEGINS;
	s->feed->window = window;
	links_pump(s);
}

bool speaker_begun(const struct speaker *s)
{
	for (uint32_t i = 0; i < s->n_links; i++) {
		if (s->links[i].state == LINK_READY && begins_wanted(&s->links[i]))
			return false;
	}
	return true;
}

static void speaker_tick(struct source *source, uint32_t events)
{
	struct speaker *s = (struct speaker *)((char *)source - offsetof(struct speaker, timer));

	(void)events;
	if (feed_ticked(source))
		links_pump(s);
}

bool speaker_send(struct speaker *s, uint64_t window)
{
	struct share **shares = bench_alloc(s->n_links, sizeof(struct share *));

	s->phase = SPEAKER_SENDS;
	s->feed->window = window;
	for (uint32_t i = 0; i < s->n_links; i++)
		shares[i] = &s->links[i].share;
	feed_divide(s->feed, shares, s->n_links);
	free(shares);
	if (s->feed->pace.rate && !feed_timer(s->feed, s->loop, &s->timer, speaker_tick))
		return false;
	links_pump(s);
	return true;
}

bool speaker_sent(const struct speaker *s)
{
	for (uint32_t i = 0; i < s->n_links; i++) {
		const struct speaker_link *link = &s->links[i];

		if (link->state == LINK_READY &&
			(link->share.slot < link->share.quota || wire_pending(&link->wire) ||
				probes_wanted(link)))
			return false;
	}
	return tally_total(&s->counts.probes) >= s->counts.probes_asked;
}
