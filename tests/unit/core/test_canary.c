/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/canary.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/mem.h"

#define STREAMS "http://etherx.jabber.org/streams"
#define HEAD                                                                                       \
	"<stream:stream xmlns='jabber:server' xmlns:stream='" STREAMS                              \
	"' xmlns:db='jabber:server:dialback' xmlns:p='urn:p' xmlns:q='urn:q&amp;r'>"
#define A " from='ann@rx.test' to='bob@shop.test'"

TestSuite(canary, .timeout = 200);

struct fixture {
	struct element_parser *ep;
	struct scan *scan;
	struct frame f;
	char *in;
	struct canary_finding found;
};

/* The stanza as scan() returns it; head: of its stream. */
static void setup(struct fixture *fx, const char *head, const char *stanza)
{
	size_t h = strlen(head), n = strlen(stanza);
	struct frame header;

	fx->ep = element_parser_new();
	fx->scan = scan_new(64 << 20);
	fx->in = calloc(1, h + n + SCAN_PAD);
	cr_assert(fx->scan && fx->in);
	memcpy(fx->in, head, h);
	memcpy(fx->in + h, stanza, n);
	cr_assert_eq(scan(fx->scan, fx->in, h, &header), SCAN_HEADER);
	cr_assert_eq(scan(fx->scan, fx->in + h, n, &fx->f), SCAN_FRAME, "%.200s: %s", stanza,
		scan_reason(fx->scan));
	cr_assert_leq(fx->f.kind, FRAME_IQ);
}

static void teardown(struct fixture *fx)
{
	scan_free(fx->scan);
	element_parser_free(fx->ep);
	free(fx->in);
}

static enum canary_verdict compare(struct fixture *fx)
{
	return canary_compare(fx->ep, fx->scan, &fx->f, &fx->found);
}

static void agrees(const char *head, const char *stanza)
{
	struct fixture fx;

	setup(&fx, head, stanza);
	cr_expect_eq(compare(&fx), CANARY_AGREES, "%.200s: %s: %s", stanza, fx.found.field,
		fx.found.why);
	cr_expect_null(fx.found.field);
	teardown(&fx);
}

/* The altered frame or bytes differ in this field. */
static void differs(struct fixture *fx, const char *field)
{
	cr_expect_eq(compare(fx), CANARY_DIFFERS, "%s", field);
	cr_expect_str_eq(fx->found.field ? fx->found.field : "none", field);
	cr_expect(fx->found.why && *fx->found.why);
	cr_expect_eq(fx->found.refusal.at == SIZE_MAX,
		strcmp(field, "bytes") != 0 && strcmp(field, "root_prefixes") != 0);
	teardown(fx);
}

/* Where the text stands for the first time; of the same length, it becomes another. */
static char *spot(struct fixture *fx, const char *text)
{
	char *at = strstr((char *)(uintptr_t)fx->f.p, text);

	cr_assert(at, "%s", text);
	return at;
}

static void alter(struct fixture *fx, const char *text, const char *to)
{
	cr_assert_eq(strlen(text), strlen(to));
	memcpy(spot(fx, text), to, strlen(to));
}

Test(canary, agrees_with_a_sound_scanner)
{
	static const char *const rows[] = {
		"<message" A "/>",
		"<message" A "></message >",
		"<presence" A " type='probe' id=''/>",
		"<iq" A " id='1' type='get'><query xmlns='urn:q'/></iq>",
		"<message" A " xml:lang='de'><body>h&#xe4;</body></message>",
		"<message\n" A "\tid = 'a'  ><body/></message\n>",
		/* references and white space in values */
		"<message from='a&#110;n@rx.test' to='bob@shop.test/&lt;&#x9;&amp;amp;'/>",
		"<message from='ann@rx.test/\t\n' to=\"bob@shop.test/'\" id='\r\n|\r|\n'/>",
		"<message" A " id='&quot;&apos;&gt;' type='&#101;rror'/>",
		/* CDATA */
		"<message" A
		"><body><![CDATA[</message><!-- ]] > &nope; ]]]]><![CDATA[>]]></body></message>",
		/* prefixes: of the header, of its own, of both, hidden */
		"<message" A "><p:x q:y='1'/></message>",
		"<message" A "><x xmlns='urn:x' p:y='1' q:y='1'/></message>",
		"<message" A " xmlns:p='urn:other'><p:x/><q:y xmlns:p='urn:p'/></message>",
		"<message" A "><x p:a='' xmlns:p='urn:p2'><p:b/></x><p:b/></message>",
		"<message" A "><stream:features/><db:result xmlns='u'/></message>",
		"<message" A " xmlns:xml='http://www.w3.org/XML/1998/namespace'/>",
		"<message" A " p:from='x' q:to='y' xmlns:z='urn:z'/>",
		/* the content namespace, said again */
		"<message xmlns='jabber:server'" A "/>",
		"<message" A
		"><body xmlns='jabber:server'/><body xmlns='jabber:server'><a/></body></message>",
		"<message" A "><x xmlns='urn:x'><y xmlns='jabber:server'/></x></message>",
		"<message" A "><x xmlns=''><y xmlns='jabber:server'/></x></message>",
		"<message" A " xmlns:s='jabber:server'><s:body/></message>",
		"<message" A
		"><body xmlns='jabber:server' xmlns:s='jabber:server'><s:b/></body></message>",
		/* names of the fifth edition, namespaces that are no URIs */
		"<message" A "><\xcd\xb0/></message>",
		"<message" A "><x xmlns='a b'/><y xmlns='urn:a|b&#10;'/><z xmlns='%'/></message>",
		"<message" A "><x xmlns='\xc3\xa9' xmlns:r='x'/></message>",
		/* what libxml2 warns of */
		"<message" A " xml:lang='no language!' xml:space='x' xml:id='1 2'/>",
		/* characters */
		"<message" A
		" id='\xf0\x9f\x98\x80\xc2\x85'><body>\xe2\x80\xa8]] >\x7f</body></message>",
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		agrees(HEAD, rows[i]);
}

Test(canary, agrees_on_other_streams)
{
	static const char component[] = "<stream:stream xmlns='jabber:component:accept' "
					"xmlns:stream='" STREAMS "'>";
	static const char prefix_free[] = "<stream xmlns='" STREAMS "' xmlns:p='jabber:server'>";

	agrees(component, "<message" A "><x xmlns='jabber:component:accept'/></message>");
	agrees(component, "<iq" A " xmlns='jabber:component:accept'><stream:x/></iq>");
	agrees(prefix_free, "<message xmlns='jabber:server'" A "><body/></message>");
	agrees(prefix_free, "<p:message" A "/>");
}

/* Nine ways to say the content namespace, one more than a frame has room for. */
Test(canary, agrees_on_overflow)
{
	char text[1024] = "<message" A ">";

	for (unsigned i = 0; i <= FRAME_REDECLARED; i++)
		strcat(text, "<body xmlns='jabber:server'/>");
	strcat(text, "</message>");
	agrees(HEAD, text);
}

static void repeated(const char *piece, size_t size)
{
	char *text = malloc(size + 128), *to = stpcpy(text, "<message" A "><x xmlns='u'>");

	for (size_t n = strlen(piece); to + n < text + size;)
		to = stpcpy(to, piece);
	stpcpy(to, "</x></message>");
	agrees(HEAD, text);
	free(text);
}

Test(canary, agrees_on_large_stanzas)
{
	repeated("<a/>", LIMIT_STANZA);
	repeated("text &amp; ", LIMIT_STANZA);
	repeated("<b c='' d='' e=''/>x", LIMIT_STANZA);
	repeated("<a/>text ", LIMIT_XML_CHECK - 256);
	repeated("text", LIMIT_XML_CHECK - 256);
}

static void one_text(const char *open, const char *close, size_t size, enum canary_verdict want)
{
	struct fixture fx;
	char *text = malloc(size + 128), *to = stpcpy(text, "<message" A "><body>");

	to = stpcpy(to, open);
	memset(to, 'x', (size_t)(text + size - to));
	to = stpcpy(text + size, close);
	stpcpy(to, "</body></message>");
	setup(&fx, HEAD, text);
	cr_expect_eq(compare(&fx), want, "%s%zu: %s", open, size, fx.found.field);
	cr_expect_null(fx.found.field);
	teardown(&fx);
	free(text);
}

/* libxml2 remembers each until the stanza is over. */
Test(canary, agrees_on_many_names)
{
	const size_t size = LIMIT_XML_CHECK;
	char *text = malloc(size), *to = stpcpy(text, "<message" A ">");

	for (unsigned i = 0; to < text + size - 256; i++)
		to += sprintf(to, "<name-%0200u/>", i);
	stpcpy(to, "</message>");
	agrees(HEAD, text);
	free(text);
}

/* libxml2 has bounds of its own, which say nothing about the scanner. */
Test(canary, larger_than_libxml2_reads)
{
	one_text("", "", LIMIT_XML_CHECK - 64, CANARY_AGREES);
	one_text("<![CDATA[", "]]>", LIMIT_XML_CHECK - 64, CANARY_AGREES);
	one_text("", "", LIMIT_XML_CHECK, CANARY_UNKNOWN);
	one_text("<![CDATA[", "]]>", 11000000, CANARY_UNKNOWN);
}

#define FULL                                                                                       \
	"<message" A " id='i' type='chat'><body>hello there</body><p:x/>"                          \
	"<y xmlns='urn:y'>bob@bank.test</y></message>"

/* A span of the frame that points elsewhere. */
Test(canary, addresses_id_and_type)
{
	struct fixture fx;

	setup(&fx, HEAD, FULL);
	fx.f.to = span_of(spot(&fx, "bob@bank.test"), 13);
	differs(&fx, "to");
	setup(&fx, HEAD, FULL);
	fx.f.from.n--;
	differs(&fx, "from");
	setup(&fx, HEAD, FULL);
	fx.f.from = SPAN_NONE;
	differs(&fx, "from");
	setup(&fx, HEAD, FULL);
	fx.f.id = SPAN_NONE;
	differs(&fx, "id");
	setup(&fx, HEAD, "<message" A "/>");
	fx.f.id = fx.f.from;
	differs(&fx, "id");
	setup(&fx, HEAD, FULL);
	fx.f.type = fx.f.id;
	differs(&fx, "type");
	setup(&fx, HEAD, "<message" A " id='&#38;lt;'/>");
	fx.f.id = span_of(spot(&fx, "lt;"), 3); /* as if decoded twice */
	differs(&fx, "id");
}

Test(canary, name_and_kind)
{
	struct fixture fx;

	setup(&fx, HEAD, FULL);
	fx.f.kind = FRAME_IQ;
	differs(&fx, "kind");
	setup(&fx, HEAD, "<iq" A " type='get' id='1'/>");
	fx.f.kind = FRAME_PRESENCE;
	differs(&fx, "kind");
	setup(&fx, HEAD, FULL);
	fx.f.name = span_of(fx.f.p + 1, 6);
	differs(&fx, "name");
	setup(&fx, HEAD, FULL);
	fx.f.name_end++; /* splices would go into the first attribute */
	differs(&fx, "name");
	/* Of another namespace than the scanner thought: what the bytes say. */
	setup(&fx, HEAD, "<message" A " xmlns='jabber:server'/>");
	alter(&fx, "jabber:server", "jabber:client");
	differs(&fx, "kind");
}

Test(canary, flags_and_counts)
{
	struct fixture fx;

	setup(&fx, HEAD, "<message" A " xml:lang='de'/>");
	fx.f.flags &= (uint8_t)~FRAME_HAS_LANG;
	differs(&fx, "lang");
	setup(&fx, HEAD, FULL);
	fx.f.flags |= FRAME_HAS_LANG;
	differs(&fx, "lang");
	setup(&fx, HEAD, "<message from='ann@rx.test' to='b&#111;b@shop.test'/>");
	fx.f.flags &= (uint8_t)~FRAME_ADDR_DECODED;
	differs(&fx, "addr_decoded");
	setup(&fx, HEAD, FULL);
	fx.f.flags |= FRAME_ADDR_DECODED;
	differs(&fx, "addr_decoded");
	setup(&fx, HEAD, FULL);
	fx.f.flags |= FRAME_EMPTY;
	differs(&fx, "empty");
	setup(&fx, HEAD, FULL);
	fx.f.attrs++;
	differs(&fx, "attrs");
	setup(&fx, HEAD, "<message" A " xmlns:z='u'/>");
	fx.f.attrs--;
	differs(&fx, "attrs");
}

Test(canary, what_is_borrowed_and_redeclared)
{
	struct fixture fx;

	setup(&fx, HEAD, FULL);
	cr_assert_eq(fx.f.root_prefixes, 1u << 2, "stream, db, p, q");
	fx.f.root_prefixes = 0;
	differs(&fx, "root_prefixes");
	setup(&fx, HEAD, "<message" A "><x xmlns='u' q:a=''/></message>");
	fx.f.root_prefixes = 1;
	differs(&fx, "root_prefixes");
	setup(&fx, HEAD, "<message" A "><body xmlns='jabber:server'/></message>");
	fx.f.n_redeclared = 0;
	differs(&fx, "redeclared");
	setup(&fx, HEAD, FULL);
	fx.f.n_redeclared = 1;
	differs(&fx, "redeclared");
	setup(&fx, HEAD, "<message" A " xmlns:s='jabber:server'><s:body/></message>");
	fx.f.flags &= (uint8_t)~FRAME_NS_OVERFLOW;
	differs(&fx, "redeclared");
	setup(&fx, HEAD, FULL);
	fx.f.flags |= FRAME_NS_OVERFLOW;
	differs(&fx, "redeclared");
}

/* What libxml2 refuses, in the place of what the scanner has accepted. */
Test(canary, bytes)
{
	static const struct {
		const char *was, *is;
	} rows[] = {
		{ "hello", "he]]>" },
		{ "hello", "<!--x" },
		{ "hello", "<?pi?" },
		{ "hello", "&nbs;" },
		{ "hello", "&#00;" },
		{ "hello", "\x01\x02llo" },
		{ "hello", "h\xff\xc0lo" },
		{ "hello", "<a/><" },
		{ "</body>", "</bodx>" },
		{ "id='i'", "to='i'" },
		{ "id='i'", "id='<'" },
		{ "id='i'", "z:d=''" },
		{ "</message>", "</messag>>" },
		{ "</message>", "</s>      " },
	};
	struct fixture fx;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		setup(&fx, HEAD, FULL);
		alter(&fx, rows[i].was, rows[i].is);
		cr_expect_eq(compare(&fx), CANARY_DIFFERS, "%s", rows[i].is);
		cr_expect_leq(fx.found.refusal.at, fx.f.len, "%s", rows[i].is);
		differs(&fx, "bytes");
	}
	setup(&fx, HEAD, FULL);
	fx.f.len -= 1; /* a frame too short, and one too long */
	differs(&fx, "bytes");
	setup(&fx, HEAD, FULL "<message" A "/>");
	fx.f.len = (uint32_t)strlen(fx.f.p);
	differs(&fx, "bytes");
}

/* The place is good for a report: at the tag or the text that holds the fault. */
Test(canary, place_of_a_refusal)
{
	struct fixture fx;

	setup(&fx, HEAD, FULL);
	alter(&fx, "lo there", "lo ]]>re");
	cr_assert_eq(compare(&fx), CANARY_DIFFERS);
	cr_expect_eq(fx.found.refusal.at, (size_t)(spot(&fx, "hello") - fx.f.p));
	cr_expect_eq(fx.found.refusal.code, 62, "XML_ERR_MISPLACED_CDATA_END");
	teardown(&fx);
}

Test(canary, one_of_so_many)
{
	static const struct {
		uint64_t every;
		const char *due;
	} rows[] = { { 0, "......" }, { 1, "xxxxxx" }, { 2, ".x.x.x" }, { 3, "..x..x" } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct canary c;

		canary_init(&c, rows[i].every);
		for (const char *due = rows[i].due; *due; due++)
			cr_expect_eq(canary_due(&c), *due == 'x', "one of %zu", i);
	}
}

static void excerpt(const char *stanza, size_t at, const char *tag, const char *around)
{
	struct canary_excerpt x;

	canary_excerpt(&x, span_str(stanza), at);
	cr_expect(span_is(x.tag, tag), "%.*s", (int)x.tag.n, x.tag.p);
	cr_expect_eq(x.around.p == NULL, around == NULL);
	cr_expect(!around || span_is(x.around, around), "%.*s", (int)x.around.n, x.around.p);
}

Test(canary, excerpt)
{
	static const char iq[] = "<iq id='1'><query xmlns='jabber:iq:auth'><password>s3cr\xc3\xa9t"
				 "</password>]]></query></iq>";
	struct canary_excerpt x;
	char *text = malloc(5000);

	excerpt(iq, 0, "<iq id='1'>",
		"<xxxxx xxxxx='xxxxxx:xx:xxxx'><xxxxxxxx>xxxxxxx</xxxxxxxx>]]></xxxxx></xx>");
	excerpt(iq, SIZE_MAX, "<iq id='1'>", NULL);
	excerpt("<iq id='1'/>", 3, "<iq id='1'/>", NULL);
	excerpt("<iq id='1'", 3, "<iq id='1'", NULL);
	memset(text, 'a', 5000);
	text[1000] = '>';
	canary_excerpt(&x, span_of(text, 5000), 3000);
	cr_expect_eq(x.tag.n, CANARY_SHOWN);
	cr_expect_eq(x.around.n, CANARY_SHOWN);
	cr_expect_null(memchr(x.around.p, 'a', x.around.n));
	canary_excerpt(&x, span_of(text, 5000), 5000);
	cr_expect_eq(x.around.n, 64);
	free(text);
}

#ifdef SLUICE_FAULT_INJECTION
/* Without memory there is no verdict, and never a wrong one. */
Test(canary, no_memory)
{
	struct fixture fx;
	unsigned unknown = 0;
	uint64_t left = 0;

	setup(&fx, HEAD, FULL);
	for (uint64_t k = 1; left == 0; k++) {
		enum canary_verdict verdict;

		mem_fail_nth(k);
		verdict = compare(&fx);
		left = mem_fail_nth(0);
		cr_assert_neq(verdict, CANARY_DIFFERS, "allocation %lu: %s", (unsigned long)k,
			fx.found.why);
		unknown += verdict == CANARY_UNKNOWN;
	}
	cr_expect_gt(unknown, 0);
	teardown(&fx);
}
#endif
