/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bench/corpus.h"

#define PARTS 12
#define NEST 63 /* elements inside the stanza: 64 with it */
#define ATTRS 64

/*
 * A piece of a stanza, there so many times in a hundred. Its text is one of several
 * between '|'; in it %a stands for an address, %i for an id, %b for the body's text,
 * %n for a nest of elements and %m for many attributes; quotes may come out double.
 */
struct part {
	unsigned percent;
	const char *text;
};

struct recipe {
	const char *name, *element;
	const struct part *attrs, *children; /* in any order */
	const char *words, *gap;
	size_t body_min, body_max; /* bytes, and at most a word more */
};

struct draft {
	FILE *out;
	uint64_t random;
	const struct recipe *recipe;
};

/* -- vocabulary: words with a space between them -- */

static const char latin[] =
	"the river takes what rain has left and carries it slowly down to a harbour where boats "
	"wait for wind; no one knows why (again), 42 of them, or tomorrow? see you at nine! ok "
	"https://www.example.org/photos/2026-11-04?size=2 really interesting, thanks";
static const char cyrillic[] =
	"река медленно несёт к морю то, что оставил дождь; никто не знает, почему лодки ждут "
	"ветра в гавани, а мы увидимся завтра в девять. Хорошо! спасибо большое, интересно";
static const char chinese[] =
	"河流 慢慢 把 雨水 带到 大海， 没有人 知道 为什么。 船 在 港口 等 风， 我们 明天 九点 "
	"见面！ 好的， 非常 感谢 你 的 帮助。 这个 很 有意思";
static const char emoji[] =
	"😀 😂😂😂 👍 👍🏽 ❤️ 🎉🎉 🙏 👩‍👩‍👧‍👦 🇩🇪 ok 🤷‍♀️ yes! 🚀 ☕ 🌧️ tomorrow? 🐟🐟 see you 🥳";
static const char escaped[] =
	"if a&lt;b &amp;&amp; b&lt;c then &quot;yes&quot; it&apos;s R&amp;D &gt;&gt; &#8364; 5 "
	"&#x20AC;9 &lt;b&gt; or &#x1F600; else x-&gt;y &#39;z&#39; &amp;c.";
/* Of elements and attributes. */
static const char names[] =
	"x item field value group options entry c description RESULT data-form y a.b _z";

/* -- recipes -- */

static const struct part message_attrs[] = {
	{ 100, " from='%a'" },
	{ 100, " to='%a'" },
	{ 95, " id='%i'" },
	{ 90, " type='chat'" },
	{ 15, " xml:lang='en'| xml:lang='pt-BR'" },
	{ 0, NULL },
};
static const struct part message_children[] = {
	{ 100, "<body>%b</body>" },
	{ 50,
		"<active xmlns='http://jabber.org/protocol/chatstates'/>|"
		"<composing xmlns='http://jabber.org/protocol/chatstates'></composing>" },
	{ 35,
		"<request xmlns='urn:xmpp:receipts'/>|"
		"<received xmlns='urn:xmpp:receipts' id='%i'/>|"
		"<received id='%i' xmlns='urn:xmpp:receipts'/>" },
	{ 40,
		"<origin-id xmlns='urn:xmpp:sid:0' id='%i'/>|"
		"<origin-id id='%i' xmlns='urn:xmpp:sid:0'/>" },
	{ 20, "<markable xmlns='urn:xmpp:chat-markers:0'/>" },
	{ 15, "<thread>%i</thread>" },
	{ 10, "<store xmlns='urn:xmpp:hints' />|<no-copy\n xmlns='urn:xmpp:hints'/>" },
	{ 10, "<nick xmlns='http://jabber.org/protocol/nick'>Bob</nick>" },
	{ 0, NULL },
};
static const struct part presence_attrs[] = {
	{ 100, " from='%a'" },
	{ 100, " to='%a'" },
	{ 40, " id='%i'" },
	{ 25, " type='unavailable'| type='subscribe'| type='probe'" },
	{ 15, " xml:lang='en'" },
	{ 0, NULL },
};
static const struct part presence_children[] = {
	{ 40, "<show>away</show>|<show>dnd</show>|<show>xa</show>" },
	{ 30, "<status>%b</status>|<status/>" },
	{ 30, "<priority>5</priority>|<priority>-1</priority>" },
	{ 33,
		"<c xmlns='http://jabber.org/protocol/caps' hash='sha-1' "
		"node='https://client.example' ver='QgayPKawpkPSDYmwT/WM94uAlu0='/>|"
		"<c ver='9hb1zMQ+xQ==' node='http://c.example/' hash='sha-1' "
		"xmlns='http://jabber.org/protocol/caps'/>" },
	{ 20,
		"<x xmlns='vcard-temp:x:update'><photo/></x>|"
		"<x xmlns='vcard-temp:x:update'><photo>%i</photo></x>" },
	{ 0, NULL },
};
static const struct part iq_attrs[] = {
	{ 100, " from='%a'" },
	{ 100, " to='%a'" },
	{ 100, " id='%i'" },
	{ 100, " type='get'| type='set'| type='result'" },
	{ 10, " xml:lang='en'" },
	{ 0, NULL },
};
static const struct part iq_children[] = {
	{ 95,
		"<ping xmlns='urn:xmpp:ping'/>|<time xmlns='urn:xmpp:time'/>|"
		"<query xmlns='http://jabber.org/protocol/disco#info'/>|"
		"<query node='%i' xmlns='http://jabber.org/protocol/disco#info'/>|"
		"<query xmlns='http://jabber.org/protocol/disco#info'><identity name='%b' type='im' "
		"category='server'/><feature var='urn:xmpp:ping'/>"
		"<feature var='jabber:iq:version'/></query>|"
		"<query xmlns='http://jabber.org/protocol/disco#items'><item jid='%a'/>"
		"<item name='%b' jid='%a'/></query>|"
		"<query xmlns='jabber:iq:version'><name>%b</name><version>1.2</version></query>|"
		"<vCard xmlns='vcard-temp'><FN>%b</FN><N><FAMILY/></N></vCard>|"
		"<pubsub xmlns='http://jabber.org/protocol/pubsub'>"
		"<items node='urn:xmpp:avatar:data' max_items='1'/></pubsub>" },
	{ 0, NULL },
};
static const struct part deep_children[] = { { 100, "%n" }, { 0, NULL } };
static const struct part attrs_children[] = { { 100, "<x%m/>|<x%m>%b</x>" }, { 0, NULL } };

static const struct recipe recipes[] = {
	{ "chat", "message", message_attrs, message_children, latin, " ", 20, 210 },
	{ "presence", "presence", presence_attrs, presence_children, latin, " ", 4, 40 },
	{ "iq", "iq", iq_attrs, iq_children, latin, " ", 4, 30 },
	{ "message4k", "message", message_attrs, message_children, latin, " ", 4096, 4160 },
	{ "cyrillic", "message", message_attrs, message_children, cyrillic, " ", 300, 700 },
	{ "chinese", "message", message_attrs, message_children, chinese, "", 300, 700 },
	{ "emoji", "message", message_attrs, message_children, emoji, " ", 300, 700 },
	{ "escaped", "message", message_attrs, message_children, escaped, " ", 300, 700 },
	{ "deep", "message", message_attrs, deep_children, latin, " ", 4, 30 },
	{ "attrs", "message", message_attrs, attrs_children, latin, " ", 4, 30 },
};

_Static_assert(sizeof(recipes) / sizeof(recipes[0]) == CORPORA, "as many as bench/corpus.h says");

/* -- drawing lots -- */

static size_t below(struct draft *d, size_t n)
{
	return bench_below(&d->random, n);
}

static bool chance(struct draft *d, unsigned percent)
{
	return below(d, 100) < percent;
}

static void shuffle(struct draft *d, unsigned *order, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		size_t j = below(d, i);
		unsigned other = order[j];

		order[j] = order[i - 1];
		order[i - 1] = other;
	}
}

/* One of the pieces that stand between separators. */
static struct text pick(struct draft *d, const char *list, char separator)
{
	size_t n = 1;
	const char *p = list;

	for (const char *at = strchr(p, separator); at; at = strchr(at + 1, separator))
		n++;
	for (n = below(d, n); n; n--)
		p = strchr(p, separator) + 1;
	return (struct text){ p, strcspn(p, (char[]){ separator, '\0' }) };
}

/* -- the parts of a stanza -- */

static void print_characters(struct draft *d, const char *alphabet, size_t n)
{
	size_t letters = strlen(alphabet);

	while (n--)
		fputc(alphabet[below(d, letters)], d->out);
}

static size_t print_word(struct draft *d, const char *list)
{
	struct text word = pick(d, list, ' ');

	return fwrite(word.p, 1, word.len, d->out);
}

static void print_id(struct draft *d)
{
	static const char hex[] = "0123456789abcdef";

	switch (below(d, 5)) {
	case 0: /* UUID */
		print_characters(d, hex, 8);
		for (int i = 0; i < 3; i++) {
			fputc('-', d->out);
			print_characters(d, hex, 4);
		}
		fputc('-', d->out);
		print_characters(d, hex, 12);
		break;
	case 1: /* counter */
		fprintf(d->out, "%zu", below(d, 100000));
		break;
	case 2:
		fprintf(d->out, "purple%zx", below(d, 1u << 28));
		break;
	case 3: /* base64 */
		print_characters(d, "ABCDEFabcdefghijklmnopqrstuvwxyz0123456789+/", 22);
		fputs("==", d->out);
		break;
	default:
		print_characters(d, "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz", 5);
		fprintf(d->out, "-%zu", below(d, 1000));
	}
}

static void print_address(struct draft *d)
{
	static const char domains[] =
		"a.test example.org im.example.com chat.example.net xmpp.university.example "
		"j.example jabber.some-provider.example mail.firm.co.example";

	if (chance(d, 95)) {
		print_word(d, "bob alice juliet.capulet o x_y support maria-jose kim Romeo");
		if (chance(d, 50))
			fprintf(d->out, "%zu", below(d, 3000));
		fputc('@', d->out);
	}
	print_word(d, domains);
	if (!chance(d, 60))
		return;
	fputc('/', d->out);
	print_word(d, "phone Conversations. laptop- Gajim. web desk r");
	if (chance(d, 60))
		print_characters(d, "ABCDEFabcdef0123456789", 1 + below(d, 10));
}

static void print_body(struct draft *d)
{
	const struct recipe *r = d->recipe;
	size_t want = r->body_min + below(d, r->body_max - r->body_min + 1);

	for (size_t n = 0; n < want;)
		n += print_word(d, r->words) + (size_t)fprintf(d->out, "%s", r->gap);
}

/* Text may stand anywhere in it and does in the innermost. */
static void print_nest(struct draft *d)
{
	struct text name[NEST];

	for (int i = 0; i < NEST; i++) {
		name[i] = pick(d, names, ' ');
		fprintf(d->out, "<%.*s", (int)name[i].len, name[i].p);
		if (chance(d, 20))
			fprintf(d->out, " xmlns='urn:example:%zu'", below(d, 20));
		if (chance(d, 30)) {
			fputs(" var=\"", d->out);
			print_id(d);
			fputc('"', d->out);
		}
		fputc('>', d->out);
		if (i == NEST - 1 || chance(d, 20))
			print_body(d);
	}
	for (int i = NEST; i-- > 0;)
		fprintf(d->out, "</%.*s>", (int)name[i].len, name[i].p);
}

/* The number makes a name unique on its element. */
static void print_attrs(struct draft *d)
{
	static const char *const prefixes[] = { "", "", "p:", "q:" };
	unsigned order[ATTRS];

	for (unsigned i = 0; i < ATTRS; i++)
		order[i] = i;
	shuffle(d, order, ATTRS);
	for (unsigned i = 0; i < ATTRS; i++) {
		switch (order[i]) {
		case 0:
			fputs(" xmlns='urn:example:x'", d->out);
			continue;
		case 1:
			fputs(" xmlns:p='urn:example:p'", d->out);
			continue;
		case 2:
			fputs(" xmlns:q=\"urn:example:q\"", d->out);
			continue;
		}
		fprintf(d->out, " %s", prefixes[below(d, 4)]);
		print_word(d, names);
		fprintf(d->out, "%u='", order[i]);
		print_id(d);
		fputc('\'', d->out);
	}
}

/* -- a stanza -- */

static void print_part(struct draft *d, const char *alternatives)
{
	struct text text = pick(d, alternatives, '|');
	char quote = chance(d, 20) ? '"' : '\'';

	for (const char *p = text.p; p < text.p + text.len; p++) {
		if (*p != '%') {
			fputc(*p == '\'' ? quote : *p, d->out);
			continue;
		}
		switch (*++p) {
		case 'a':
			print_address(d);
			break;
		case 'b':
			print_body(d);
			break;
		case 'i':
			print_id(d);
			break;
		case 'm':
			print_attrs(d);
			break;
		case 'n':
			print_nest(d);
			break;
		}
	}
}

/* Which of the parts the lot takes, in the order that it gives. Returns how many. */
static unsigned draw(struct draft *d, const struct part *parts, unsigned order[PARTS])
{
	unsigned n = 0;

	for (unsigned i = 0; i < PARTS && parts[i].text; i++)
		if (chance(d, parts[i].percent))
			order[n++] = i;
	shuffle(d, order, n);
	return n;
}

static void print_parts(struct draft *d, const struct part *parts, const unsigned *order,
	unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		print_part(d, parts[order[i]].text);
}

static void print_stanza(struct draft *d)
{
	const struct recipe *r = d->recipe;
	unsigned order[PARTS], n = draw(d, r->attrs, order);

	fprintf(d->out, "<%s", r->element);
	print_parts(d, r->attrs, order, n);
	n = draw(d, r->children, order);
	if (!n) {
		fputs("/>", d->out);
		return;
	}
	fputc('>', d->out);
	print_parts(d, r->children, order, n);
	fprintf(d->out, "</%s>", r->element);
}

const char *corpus_name(unsigned which)
{
	return recipes[which].name;
}

/* Without memory there is nothing to measure. */
static void must(bool ok)
{
	if (ok)
		return;
	perror("corpus");
	abort();
}

void corpus_init(struct corpus *c, unsigned which, size_t size, uint64_t seed)
{
	struct draft d = { .random = (seed + which) * 0x9e3779b97f4a7c15ull | 1,
		.recipe = &recipes[which] };
	size_t cap = 1024;

	memset(c, 0, sizeof(*c));
	c->name = d.recipe->name;
	c->start = bench_alloc(cap, sizeof(*c->start));
	d.out = open_memstream(&c->bytes, &c->len);
	must(d.out != NULL);
	while (c->start[c->count] < size || c->count < CORPUS_STANZAS_MIN) {
		if (c->count + 1 == cap) {
			cap *= 2;
			c->start = bench_grow(c->start, cap * sizeof(*c->start));
		}
		print_stanza(&d);
		c->start[++c->count] = (size_t)ftell(d.out);
	}
	for (int i = 0; i < CORPUS_PAD; i++)
		fputc('\0', d.out);
	must(fclose(d.out) == 0);
	c->len -= CORPUS_PAD;
}

void corpus_free(struct corpus *c)
{
	free(c->bytes);
	free(c->start);
	memset(c, 0, sizeof(*c));
}
