/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rows of accepted and refused input, named after the lines of docs/xml.md's
 * checklist (D3) and the rows of docs/protocol.md (T-X, T-P). Every row is run
 * at every cut.
 */
#include <criterion/criterion.h>

#include "tests/unit/xml/feed.h"

#define MAX LIMIT_STANZA

struct row {
	const char *id;
	const char *text;
	size_t n;
	enum scan_error error; /* SCAN_E_NONE: accepted */
	unsigned frames; /* complete ones, before the error if there is one */
};

#define ROW(id, text, error, frames)                                                               \
	{                                                                                          \
		id, text, sizeof(text) - 1, error, frames                                          \
	}
#define OK(id, text) ROW(id, text, SCAN_E_NONE, 1)
#define BAD(id, text) ROW(id, text, SCAN_E_NOT_WELL_FORMED, 0)
#define UTF(id, text) ROW(id, text, SCAN_E_UNSUPPORTED_ENCODING, 0)
#define RESTRICTED(id, text) ROW(id, text, SCAN_E_RESTRICTED_XML, 0)
#define FORMAT(id, text) ROW(id, text, SCAN_E_BAD_FORMAT, 0)

static void check(const struct row *row, const char *p, size_t n)
{
	struct feed f = feed_all(row->id, p, n, MAX);

	cr_expect_eq(f.error, row->error, "%s: error %d (%s), not %d", row->id, f.error, f.reason,
		row->error);
	cr_expect_eq(f.end == SCAN_ERROR, row->error != SCAN_E_NONE, "%s", row->id);
	cr_expect_eq(f.frames, row->frames, "%s: %u frames", row->id, f.frames);
	if (row->error == SCAN_E_NONE)
		cr_expect_eq(f.consumed, n, "%s: stopped at %zu", row->id, f.consumed);
	feed_free(&f);
}

static void check_all(const struct row *rows, size_t n_rows, const char *header)
{
	size_t head = strlen(header);
	char *p;

	for (size_t i = 0; i < n_rows; i++) {
		p = malloc(head + rows[i].n);
		memcpy(p, header, head);
		memcpy(p + head, rows[i].text, rows[i].n);
		check(&rows[i], p, head + rows[i].n);
		free(p);
	}
}

/* -- before the root -- */

#define ROOT "<s xmlns='jabber:server'>"

Test(scan, prolog)
{
	static const struct row rows[] = {
		ROW("plain root", ROOT, SCAN_E_NONE, 0),
		ROW("declaration", "<?xml version='1.0'?>" ROOT, SCAN_E_NONE, 0),
		ROW("encoding", "<?xml version=\"1.0\" encoding=\"UTF-8\"?>" ROOT, SCAN_E_NONE, 0),
		ROW("encoding case", "<?xml version='1.0' encoding='utf-8'?>" ROOT, SCAN_E_NONE, 0),
		ROW("spaced", "<?xml\tversion = '1.0'\n encoding\r= 'Utf-8' ?>\r\n \t" ROOT,
			SCAN_E_NONE, 0),
		ROW("standalone", "<?xml version='1.0' standalone='yes'?>" ROOT, SCAN_E_NONE, 0),
		ROW("standalone no", "<?xml version='1.0' encoding='UTF-8' standalone='no'?>" ROOT,
			SCAN_E_NONE, 0),
		ROW("space first", " \n" ROOT, SCAN_E_NONE, 0),
		ROW("T-X11 BOM", "\xef\xbb\xbf" ROOT, SCAN_E_NONE, 0),
		ROW("T-X11 BOM, declaration", "\xef\xbb\xbf<?xml version='1.0'?>" ROOT, SCAN_E_NONE,
			0),
		BAD("two BOMs", "\xef\xbb\xbf\xef\xbb\xbf" ROOT),
		BAD("BOM behind space", " \xef\xbb\xbf" ROOT),
		UTF("broken BOM", "\xef\xbb<s>"),
		BAD("other character", "\xef\xbc\x81" ROOT),
		UTF("T-X10 FE FF", "\xfe\xff\0<"),
		UTF("T-X10 FF FE", "\xff\xfe<\0"),
		UTF("UTF-16 BE without BOM", "\0<\0s"),
		UTF("UTF-16 LE without BOM", "<\0s\0"),
		UTF("T-X9", "<?xml version='1.0' encoding='ISO-8859-1'?>" ROOT),
		UTF("T-X9 UTF-16", "<?xml version='1.0' encoding='UTF-16'?>" ROOT),
		UTF("T-X9 nearly", "<?xml version='1.0' encoding='UTF\r8'?>" ROOT),
		FORMAT("T-X12", "<?xml version='1.1'?>" ROOT),
		FORMAT("version 2.0", "<?xml version='2.0'?>" ROOT),
		BAD("empty declaration", "<?xml?>" ROOT),
		BAD("no version", "<?xml encoding='UTF-8'?>" ROOT),
		BAD("order", "<?xml encoding='UTF-8' version='1.0'?>" ROOT),
		BAD("unquoted", "<?xml version=1.0?>" ROOT),
		BAD("unequal quotes", "<?xml version='1.0\"?>" ROOT),
		BAD("unknown attribute", "<?xml version='1.0' x='y'?>" ROOT),
		BAD("missing space", "<?xml version='1.0'encoding='UTF-8'?>" ROOT),
		BAD("end without ?", "<?xml version='1.0'>" ROOT),
		BAD("end with a space for ?", "<?xml version='1.0' >" ROOT),
		BAD("standalone maybe", "<?xml version='1.0' standalone='maybe'?>" ROOT),
		BAD("standalone case", "<?xml version='1.0' standalone='YES'?>" ROOT),
		BAD("markup in declaration", "<?xml version='1.0' <" ROOT),
		BAD("wide character in declaration", "<?xml version='1.0' \xc3\xa9?>" ROOT),
		UTF("broken UTF-8 in declaration", "<?xml version='1.0' \xc3(?>" ROOT),
		RESTRICTED("T-X13 declaration twice", "<?xml version='1.0'?><?xml version='1.0'?>"),
		RESTRICTED("declaration late", " <?xml version='1.0'?>" ROOT),
		RESTRICTED("T-X2 before root", "<?php x?>" ROOT),
		RESTRICTED("T-X2 target begins with xml", "<?xml-stylesheet href='x'?>" ROOT),
		RESTRICTED("T-X2 target xmlx", "<?xmlx?>" ROOT),
		RESTRICTED("T-X1 before root", "<!-- c -->" ROOT),
		RESTRICTED("T-X1 behind declaration", "<?xml version='1.0'?><!-- c -->" ROOT),
		RESTRICTED("T-X3", "<!DOCTYPE a [<!ENTITY x \"y\">]>" ROOT),
		RESTRICTED("T-X3 behind declaration", "<?xml version='1.0'?>\n<!DOCTYPE a>" ROOT),
		BAD("CDATA before root", "<![CDATA[x]]>" ROOT),
		BAD("other declaration", "<!ENTITY x 'y'>" ROOT),
		BAD("end tag first", "</s>"),
		BAD("text first", "hello" ROOT),
		BAD("reference first", "&lt;" ROOT),
		UTF("bad byte first", "\x80" ROOT),
		BAD("control first", "\x01" ROOT),
	};

	check_all(rows, ARRAY_LEN(rows), "");
}

Test(scan, root)
{
	static const struct row rows[] = {
		FORMAT("empty root", "<s/>"),
		FORMAT("empty root, declared", "<s xmlns='jabber:server' />"),
		BAD("unbound prefix", "<stream:stream xmlns='jabber:server'>"),
		BAD("unbound attribute prefix", "<s x:y='z'>"),
		BAD("attribute twice", "<s a='1' a='2'>"),
		BAD("xmlns:p empty", "<s xmlns:p=''>"),
		BAD("name of the fifth edition only", "<\xc4\xb2>"),
		BAD("name of the fifth edition only, attribute", "<s \xc4\xb2='x'>"),
		ROW("name of both editions", "<\xc3\xa9 \xc3\xa9='x'>", SCAN_E_NONE, 0),
		ROW("no namespace", "<s>", SCAN_E_NONE, 0),
		ROW("closed", "<s></s>", SCAN_E_NONE, 0),
		ROW("closed with space", " <s> \n</s \t>", SCAN_E_NONE, 0),
		BAD("closed by another name", "<s></t>"),
		BAD("closed by a longer name", "<s></ss>"),
		BAD("closed by a shorter name", "<ss></s>"),
		BAD("closed by another prefix", "<a:s xmlns:a='u' xmlns:b='u'></b:s>"),
		UTF("closed by broken UTF-8", "<\xc3\xa9></\xc3(>"),
	};

	check_all(rows, ARRAY_LEN(rows), "");
}

/* -- D3, line by line -- */

#define IN(text) "<m><b>" text "</b></m>"
#define INA(text) "<m><b a='" text "'/></m>"

Test(scan, bytes)
{
	static const struct row rows[] = {
		OK("2 bytes", IN("\xc2\x80\xdf\xbf")),
		OK("3 bytes", IN("\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbd")),
		OK("4 bytes", IN("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\xf0\x9f\xbf\xbf")),
		OK("in a value", INA("\xc2\x80 \xe0\xa0\x80 \xf0\x90\x80\x80")),
		OK("C1, DEL, FDD0", IN("\xc2\x85\x7f\xef\xb7\x90\xc2\x9f")),
		OK("T-P7 U+0085, U+2028 in text", IN("\xc2\x85\xe2\x80\xa8")),
		OK("BOM in text", IN("\xef\xbb\xbf")),
		OK("TAB LF CR", IN("\t\n\r\r\n")),
		OK("TAB LF CR in a value", INA("\t\n\r\r\n")),
		UTF("T-X8 C3 28", IN("\xc3\x28")),
		UTF("T-X8 ED A0 80", IN("\xed\xa0\x80")),
		UTF("T-X8 F4 90 80 80", IN("\xf4\x90\x80\x80")),
		UTF("T-X8 C0 AF", IN("\xc0\xaf")),
		UTF("T-X8 FF", IN("\xff")),
		UTF("C1", IN("\xc1\x81")),
		UTF("F5", IN("\xf5\x80\x80\x80")),
		UTF("overlong 3", IN("\xe0\x9f\xbf")),
		UTF("overlong 4", IN("\xf0\x8f\xbf\xbf")),
		UTF("surrogate", IN("\xed\xbf\xbf")),
		UTF("lone continuation", IN("\x80")),
		UTF("third byte missing", IN("\xe2\x82x")),
		UTF("fourth byte missing", IN("\xf0\x9f\x98x")),
		UTF("5-byte form", IN("\xf8\x88\x80\x80\x80")),
		BAD("T-P7 NUL", IN("\0")),
		BAD("C0", IN("\x08")),
		BAD("C0 0C", IN("\x0c")),
		BAD("C0 1F", IN("\x1f")),
		BAD("T-P7 U+FFFF", IN("\xef\xbf\xbf")),
		BAD("U+FFFE", IN("\xef\xbf\xbe")),
		BAD("NUL in a value", INA("\0")),
		BAD("C0 in a value", INA("\x1b")),
		BAD("U+FFFF in a value", INA("\xef\xbf\xbf")),
		BAD("NUL in a tag", "<m\0/>"),
		BAD("NUL in an end tag", "<m></m\0>"),
		BAD("NUL in CDATA", IN("<![CDATA[\0]]>")),
		UTF("T-P1 C0 BC in text", IN("\xc0\xbc")),
		UTF("T-P1 C0 BC in a value", INA("\xc0\xbc")),
		UTF("T-P1 C0 BC in a name", "<m\xc0\xbc/>"),
		UTF("T-P1 C0 BC begins a name", "<\xc0\xbc/>"),
		UTF("T-P1 C0 BC in a prefix", "<m\xc0\xbc:a/>"),
		UTF("T-P1 C0 BC in a namespace", "<m xmlns='\xc0\xbc'/>"),
		UTF("T-P1 C0 BC in an attribute's name", "<m a\xc0\xbc='1'/>"),
		UTF("T-P1 C0 BC in an end tag", "<m></m\xc0\xbc>"),
		UTF("T-P1 C0 BC instead of an end tag", "<m></\xc0\xbc>"),
		UTF("T-P1 E0 80 BC in text", IN("\xe0\x80\xbc")),
		UTF("T-P1 E0 80 BC in a value", INA("\xe0\x80\xbc")),
		UTF("T-P1 E0 80 BC in a name", "<m\xe0\x80\xbc/>"),
		UTF("T-P1 E0 80 BC in a prefix", "<m\xe0\x80\xbc:a/>"),
		UTF("T-P1 E0 80 BC in a namespace", "<m xmlns='\xe0\x80\xbc'/>"),
		UTF("T-P1 F0 80 80 BC in text", IN("\xf0\x80\x80\xbc")),
		UTF("T-P1 F0 80 80 BC in a value", INA("\xf0\x80\x80\xbc")),
		UTF("T-P1 F0 80 80 BC in a name", "<m\xf0\x80\x80\xbc/>"),
		UTF("T-P1 F0 80 80 BC in a prefix", "<m\xf0\x80\x80\xbc:a/>"),
		UTF("T-P1 F0 80 80 BC in a namespace", "<m xmlns='\xf0\x80\x80\xbc'/>"),
		UTF("T-P2 before <", "<m><b>\xe2\x82</b></m>"),
		UTF("T-P2 before >", "<m\xe2\x82>"),
		UTF("T-P2 before a quote", "<m a='\xe2\x82'/>"),
		UTF("T-P2 before ]]>", IN("<![CDATA[\xe2\x82]]>")),
		UTF("T-P2 before /", "<m\xc3/>"),
		UTF("T-P2 in an end tag", "<m\xc3\xa9></m\xc3>"),
		UTF("in CDATA", IN("<![CDATA[\xc3(]]>")),
		UTF("in white space", "<m \xc3(/>"),
		UTF("in a reference", IN("&\xc3(;")),
		UTF("in a character reference", IN("&#1\xc3(;")),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

Test(scan, markup)
{
	static const struct row rows[] = {
		RESTRICTED("T-X1 depth 1", "<!-- c --><m/>"),
		RESTRICTED("T-X1 depth 2", IN("<!-- c -->")),
		RESTRICTED("T-X2 depth 1", "<?php x?>"),
		RESTRICTED("T-X2 depth 2", IN("<?php x?>")),
		RESTRICTED("T-X13", "<?xml version='1.0'?>"),
		RESTRICTED("T-X13 in a stanza", IN("<?xml version='1.0'?>")),
		RESTRICTED("doctype depth 1", "<!DOCTYPE a>"),
		RESTRICTED("doctype depth 2", IN("<!DOCTYPE a>")),
		BAD("<!x", IN("<!x>")),
		BAD("<!d", IN("<!doctype a>")),
		BAD("<!ENTITY", IN("<!ENTITY a 'b'>")),
		UTF("<! and a bad byte", IN("<!\xc3(>")),
		OK("T-X6 CDATA", IN("<![CDATA[<b>&x;]]>")),
		OK("T-P10 CDATA", IN("<![CDATA[</message></stream:stream>]]>")),
		OK("T-P10 escaped", IN("&lt;/message&gt;&lt;/stream:stream&gt;")),
		OK("CDATA empty", IN("<![CDATA[]]>")),
		OK("CDATA ]", IN("<![CDATA[]]]]>")),
		OK("CDATA ends at the first ]]>", IN("<![CDATA[]] >]>]]]]>")),
		OK("CDATA twice", IN("<![CDATA[a]]><![CDATA[b]]>")),
		OK("CDATA directly in a stanza", "<m><![CDATA[a]]></m>"),
		OK("CDATA controls", IN("<![CDATA[\t\n\r]]>")),
		BAD("CDATA nested", IN("<![CDATA[<![CDATA[]]>]]>")),
		BAD("CDATA name", IN("<![CDAT[a]]>")),
		BAD("CDATA case", IN("<![cdata[a]]>")),
		BAD("conditional section", IN("<![INCLUDE[a]]>")),
		FORMAT("CDATA at depth 1", "<![CDATA[a]]>"),
		FORMAT("T-X15", "hello"),
		FORMAT("T-X15 ]", "]"),
		FORMAT("T-X15 &amp;", "&amp;"),
		FORMAT("T-X15 &nbsp;", "&nbsp;"),
		FORMAT("T-X15 wide", "\xc3\xa9"),
		FORMAT("BOM between stanzas", "\xef\xbb\xbf<m/>"),
		ROW("text behind a stanza", "<m/>x", SCAN_E_BAD_FORMAT, 1),
		BAD("NUL at depth 1", "\0"),
		UTF("bad byte at depth 1", "\xc3("),
		ROW("spaces", " \t\r\n<m/> \n<m/> ", SCAN_E_NONE, 2),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

Test(scan, text)
{
	static const struct row rows[] = {
		OK("T-X5", IN("&lt; &gt; &amp; &apos; &quot; &#65; &#x41;")),
		OK("T-X5 in a value", INA("&lt; &gt; &amp; &apos; &quot; &#65; &#x41;")),
		OK("T-P6 > in text", IN("a>b")),
		OK("T-P6 > in a value", INA("a>b")),
		OK("T-P6 < as a reference", IN("&#60;")),
		OK("T-P6 < as a reference in a value", INA("&#60;")),
		OK("]] alone", IN("]] ]]] ]> ] ]> ]]&gt; ]]&#62;")),
		OK("]] at the end", IN("]]")),
		OK("]] before CDATA", IN("]]<![CDATA[>]]>")),
		OK("]]> in a value", INA("]]>")),
		BAD("T-P6 ]]>", IN("]]>")),
		BAD("]]]>", IN("a]]]>b")),
		BAD("]]> behind CDATA", IN("<![CDATA[]]>]]>")),
		BAD("]]> behind a character", IN("\xc3\xa9]]>")),
		RESTRICTED("T-X4", IN("&nbsp;")),
		RESTRICTED("T-X4 in a value", INA("&nbsp;")),
		RESTRICTED("entity a", IN("&a;")),
		RESTRICTED("entity am", IN("&am;")),
		RESTRICTED("entity amps", IN("&amps;")),
		RESTRICTED("entity AMP", IN("&AMP;")),
		RESTRICTED("entity wide", IN("&\xc3\xa9;")),
		RESTRICTED("entity a:b", IN("&a:b;")),
		BAD("& alone", IN("& ")),
		BAD("&;", IN("&;")),
		BAD("&amp without ;", IN("&amp ")),
		BAD("&am<", IN("&am")),
		BAD("&1;", IN("&1;")),
		BAD("&-a;", IN("&-a;")),
		BAD("&\"", "<m a=\"&\"/>"),
		BAD("T-X7 0", IN("&#0;")),
		BAD("T-X7 1F", IN("&#x1F;")),
		BAD("T-X7 D800", IN("&#xD800;")),
		BAD("T-X7 DFFF", IN("&#57343;")),
		BAD("T-X7 FFFE", IN("&#xFFFE;")),
		BAD("T-X7 FFFF", IN("&#65535;")),
		BAD("T-X7 110000", IN("&#x110000;")),
		BAD("T-X7 in a value", INA("&#0;")),
		BAD("most digits", IN("&#xFFFFFFF;")),
		OK("highest", IN("&#x10FFFF;&#x10ffff;&#1114111;")),
		OK("D7FF, E000, FFFD", IN("&#xD7FF;&#xE000;&#xFFFD;")),
		OK("9 A D", IN("&#9;&#xA;&#13;")),
		OK("7 digits", IN("&#0000065;&#x0000041;")),
		ROW("8 digits", IN("&#00000065;"), SCAN_E_LIMIT, 0),
		ROW("8 hexadecimal digits", IN("&#x00000041;"), SCAN_E_LIMIT, 0),
		BAD("&#;", IN("&#;")),
		BAD("&#x;", IN("&#x;")),
		BAD("&#X41;", IN("&#X41;")),
		BAD("&#4A;", IN("&#4A;")),
		BAD("&#xG;", IN("&#xG;")),
		BAD("&#65 ", IN("&#65 ;")),
		BAD("&# 65;", IN("&# 65;")),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

Test(scan, attributes)
{
	static const struct row rows[] = {
		OK("both quotes", "<m a='\"' b=\"'\"/>"),
		OK("empty values", "<m a='' b=\"\"/>"),
		OK("T-P4 space around =", "<m a = '1' />"),
		OK("T-P4 all white space", "<m\ta\n=\r'1'\r\n b\t=\n'2'\t/>"),
		BAD("T-P4 no space", "<m x='1'y='2'/>"),
		BAD("T-P4 <", "<m x='1' x2='<'/>"),
		BAD("T-X14 twice", "<a b='1' b='2'/>"),
		BAD("twice, apart", "<a b='1' c='' d='' e='' b='2'/>"),
		BAD("twice, inside", "<m><a b='1' b='2'/></m>"),
		BAD("twice, first with a reference", "<a b='&lt;' b='2'/>"),
		BAD("twice, second with a reference", "<a b='1' b='&lt;'/>"),
		BAD("twice, second behind TAB", "<a b='1'\tb='2'/>"),
		BAD("twice, prefixed", "<a p:b='1' p:b='2' xmlns:p='u'/>"),
		BAD("twice, eight bytes", "<a abcdefgh='1' abcdefgh='2'/>"),
		BAD("twice, nine bytes", "<a abcdefghi='1' abcdefghi='2'/>"),
		OK("nine bytes that differ in the last", "<a abcdefghi='1' abcdefghj='2'/>"),
		/* names are compared by a key first, which these have in common */
		OK("equal keys", "<a abcdefgh1ijklmnop='' abcdefgh2ijklmnop=''/>"),
		OK("equal keys, short and long", "<a abcdefgh='' bhy4nYesmc2vcmk2=''/>"),
		BAD("equal keys, then twice", "<a abcdefgh='' bhy4nYesmc2vcmk2='' abcdefgh=''/>"),
		OK("nearly twice", "<a b='1' ba='2' ab='3' B='4'/>"),
		BAD("no value", "<m a/>"),
		BAD("no value, next", "<m a b='1'/>"),
		BAD("no name", "<m ='1'/>"),
		BAD("unquoted", "<m a=1/>"),
		BAD("unequal quotes", "<m a='1\"></m>"),
		BAD("two =", "<m a=='1'/>"),
		BAD("/ alone", "<m / >"),
		BAD("/ before an attribute", "<m / a='1'>"),
		BAD("value alone", "<m '1'/>"),
		BAD("T-P5", "<a p:x='1' q:x='2' xmlns:p='u' xmlns:q='u'/>"),
		BAD("T-P5 declared outside", "<m xmlns:p='u' xmlns:q='u'><a p:x='' q:x=''/></m>"),
		BAD("T-P5 spelled differently", "<a p:x='' q:x='' xmlns:p='&#117;' xmlns:q='u'/>"),
		BAD("T-P5 white space", "<a p:x='' q:x='' xmlns:p='u\r\nv' xmlns:q='u&#32;v'/>"),
		BAD("T-P5 with the root's", "<a db:x='' q:x='' xmlns:q='jabber:server:dialback'/>"),
		BAD("T-P5 third", "<a p:x='' q:x='' r:x='' xmlns:p='u' xmlns:q='v' xmlns:r='u'/>"),
		OK("equal local names", "<a x='' p:x='' q:x='' xmlns:p='u' xmlns:q='v'/>"),
		OK("equal namespaces", "<a p:x='' q:y='' xmlns:p='u' xmlns:q='u'/>"),
		OK("default namespace does not count", "<a x='' p:x='' xmlns='u' xmlns:p='u'/>"),
		OK("&amp;lt; is not <", "<a p:x='' q:x='' xmlns:p='&amp;lt;' xmlns:q='&lt;'/>"),
		OK("xml:lang and p:lang", "<m xml:lang='en' p:lang='de' xmlns:p='u'/>"),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

Test(scan, names)
{
	static const struct row rows[] = {
		OK("ASCII", "<_a-b.c9 _='' A.='' z-=''/>"),
		OK("T-P7 both editions", "<\xc3\xa9\xc3\xa9 \xc3\xa9='1'></\xc3\xa9\xc3\xa9>"),
		BAD("T-P7 fifth edition only, depth 1", "<\xc4\xb2/>"),
		BAD("T-P7 fifth edition only, depth 1, attribute", "<m \xc4\xb2='1'/>"),
		BAD("T-P7 fifth edition only, depth 1, prefix", "<m xmlns:\xc4\xb2='u'/>"),
		OK("T-P7 fifth edition only, inside", IN("<\xc4\xb2 \xf0\x90\x80\x80=''/>")),
		OK("combining character inside a name", IN("<a\xcc\x81\xc2\xb7/>")),
		BAD("T-P7 U+0085 in a name", IN("<a\xc2\x85/>")),
		BAD("T-P7 U+2028 in a name", IN("<a\xe2\x80\xa8/>")),
		BAD("T-P7 U+FFFF in a name", IN("<a\xef\xbf\xbf/>")),
		BAD("combining character begins a name", IN("<\xcc\x81/>")),
		BAD("U+00D7", IN("<\xc3\x97/>")),
		BAD("U+F0000", IN("<\xf3\xb0\x80\x80/>")),
		BAD("digit", "<1/>"),
		BAD("hyphen", "<-/>"),
		BAD("dot", "<./>"),
		BAD("nothing", "<>"),
		BAD("space", "< m/>"),
		BAD("<<", "<<m/>"),
		BAD("colon alone", "<:/>"),
		BAD("colon first", "<:a/>"),
		BAD("colon last", "<db:/>"),
		BAD("two colons", "<db:a:b/>"),
		BAD("digit behind the colon", "<db:1/>"),
		BAD("colon first, attribute", "<m :a=''/>"),
		BAD("colon last, attribute", "<m db:=''/>"),
		BAD("two colons, attribute", "<m db:a:b=''/>"),
		BAD("xmlns: alone", "<m xmlns:='u'/>"),
		BAD("xmlns:1", "<m xmlns:1='u'/>"),
		BAD("punctuation", "<m!/>"),
		OK("T-P9 </m >", "<message></message >"),
		OK("T-P9 </m\\n>", "<message></message\n>"),
		OK("T-P9 <m\\t", "<message\tfrom='a'/>"),
		BAD("</ m>", "<m></ m>"),
		BAD("</m x>", "<m></m x=''>"),
		BAD("</m/>", "<m></m/>"),
		BAD("</>", "<m></>"),
		BAD("</M>", "<m></M>"),
		BAD("</mm>", "<m></mm>"),
		BAD("eight bytes differ in the last", "<m><abcdefgh></abcdefgi></m>"),
		BAD("nine bytes differ in the last", "<m><abcdefghi></abcdefghj></m>"),
		BAD("nine bytes differ in the first", "<m><abcdefghi></bbcdefghi></m>"),
		BAD("</m> of <mm>", "<mm></m>"),
		BAD("other prefix", "<p:m xmlns:p='u' xmlns:q='u'></q:m>"),
		BAD("T-X14 crossed", "<message><b></a></message>"),
		BAD("wide end tag differs late", "<\xc3\xa9></\xc3\xa8>"),
		BAD("end tag longer by a wide character", "<m></m\xc3\xa9>"),
		ROW("end tag without start", "<m/></m>", SCAN_E_NOT_WELL_FORMED, 1),
		BAD("closes the stream from inside", "<m></stream:stream>"),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

#define XML_URI "http://www.w3.org/XML/1998/namespace"
#define XMLNS_URI "http://www.w3.org/2000/xmlns/"

Test(scan, namespaces)
{
	static const struct row rows[] = {
		OK("xmlns=''", "<m xmlns=''/>"),
		OK("own prefix", "<p:m xmlns:p='u' p:a=''/>"),
		OK("declared behind its use", "<p:m p:a='' xmlns:p='u'/>"),
		OK("outer prefix", "<m xmlns:p='u'><p:a><p:b p:c=''/></p:a></m>"),
		OK("root's prefix", "<db:result/>"),
		OK("root's prefix declared again", "<db:m xmlns:db='u'/>"),
		OK("xml:lang", "<m xml:lang='en'/>"),
		OK("xml: element", "<m><xml:a/></m>"),
		OK("xml declared as it is", "<m xmlns:xml='" XML_URI "' xml:lang='en'/>"),
		OK("xml declared, spelled differently",
			"<m xmlns:xml='http&#58;//www.w3.org/XML/1998/namespace'/>"),
		OK("prefix beginning with xml", "<m xmlns:xmlfoo='u' xmlfoo:a=''/>"),
		BAD("T-X14 unbound", "<x:a/>"),
		BAD("unbound inside", "<m><x:a/></m>"),
		BAD("unbound attribute", "<m x:a=''/>"),
		BAD("out of scope, sibling", "<m><a xmlns:p='u'/><p:b/></m>"),
		BAD("out of scope, sibling of an element with content",
			"<m><a xmlns:p='u'><c/></a><b p:x=''/></m>"),
		BAD("out of scope, parent", "<p:m><a xmlns:p='u'/></p:m>"),
		ROW("out of scope, next stanza", "<m xmlns:p='u'/><p:m/>", SCAN_E_NOT_WELL_FORMED,
			1),
		BAD("xmlns:p=''", "<m xmlns:p=''/>"),
		BAD("xmlns:p='' of a bound one", "<m xmlns:db=''/>"),
		BAD("prefix xmlns", "<m xmlns:xmlns='u'/>"),
		BAD("prefix xmlns with its own URI", "<m xmlns:xmlns='" XMLNS_URI "'/>"),
		BAD("element xmlns:a", "<xmlns:a/>"),
		BAD("prefix xml, other URI", "<m xmlns:xml='urn:evil'/>"),
		BAD("prefix xml, no URI", "<m xmlns:xml=''/>"),
		BAD("xml's URI as default", "<m xmlns='" XML_URI "'/>"),
		BAD("xmlns's URI", "<m xmlns:p='" XMLNS_URI "'/>"),
		BAD("xmlns's URI as default", "<m xmlns='" XMLNS_URI "'/>"),
		BAD("T-P8", "<m xmlns:x='" XML_URI "' xml:lang='a' x:lang='b'/>"),
		BAD("T-P8 spelled differently",
			"<m xmlns:x='http&#x3a;//www.w3.org/XML/1998/namespace'/>"),
		BAD("declared twice", "<m xmlns:p='u' xmlns:p='u'/>"),
		BAD("default declared twice", "<m xmlns='u' xmlns='u'/>"),
		OK("T-P3 &#10;", "<m><x xmlns='urn:a&#10;b'/></m>"),
		OK("T-P3 LF", "<m><x xmlns='urn:a\nb'/></m>"),
		OK("T-P3 |", "<m><x xmlns='urn:a|b'/></m>"),
		OK("T-P3 space", "<m><x xmlns='urn:a b'/></m>"),
		OK("T-P3 }", "<m><x xmlns='urn:a}b'/></m>"),
		BAD("T-P3 0C", "<m><x xmlns='urn:a\x0c'/></m>"),
		BAD("T-P3 01", "<m><x xmlns='urn:a\x01'/></m>"),
		OK("relative URI", "<m><x xmlns='a'/></m>"),
	};

	check_all(rows, ARRAY_LEN(rows), HEADER);
}

Test(scan, structure)
{
	static const struct row rows[] = {
		ROW("close", "<m/></stream:stream>", SCAN_E_NONE, 1),
		ROW("close with space", " </stream:stream\n>", SCAN_E_NONE, 0),
		BAD("close by local name", "</stream>"),
		BAD("close by another prefix", "</streams:stream>"),
		BAD("close by a longer name", "</stream:streams>"),
		BAD("close with an attribute", "</stream:stream a=''>"),
		ROW("several", "<a/><b></b><c>x</c>\n<d><e/></d>", SCAN_E_NONE, 4),
		ROW("T-X21", "<message from='a@b.test' to='c.test'><body>half", SCAN_E_NONE, 0),
	};
	const struct row *open = &rows[ARRAY_LEN(rows) - 1];
	char text[sizeof(HEADER) + 64];
	struct feed f;

	check_all(rows, ARRAY_LEN(rows) - 1, HEADER);
	snprintf(text, sizeof(text), "%s%s", HEADER, open->text);
	f = feed_all(open->id, text, strlen(text), MAX);
	cr_expect_eq(f.end, SCAN_MORE);
	cr_expect_eq(f.consumed, sizeof(HEADER) - 1);
	feed_free(&f);
}

/* Rule 9.2: nothing of the subset is read, and a comment is not waited for. */
Test(scan, decided_at_the_first_byte)
{
	static const struct {
		const char *text;
		size_t decided; /* bytes */
		bool header;
	} rows[] = {
		{ "<!DOCTYPE a [<!ENTITY x \"y\">]>", 3, false },
		{ "<?xml version='1.0'?><!DOCTYPE a>", 24, false },
		{ "<!-- c -->", 3, false },
		{ "<?php x?>", 3, false },
		{ "<?xmlx?>", 6, false },
		{ "<!DOCTYPE a>", 3, true },
		{ "<!-- c -->", 3, true },
		{ "<?xml version='1.0'?>", 2, true },
		{ "<m><!DOCTYPE a>", 6, true },
		{ "<m>&nbsp;", 5, true },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *header = rows[i].header ? HEADER : "";
		char text[512];
		struct feed f;

		snprintf(text, sizeof(text), "%s%s", header, rows[i].text);
		f = feed_cut(text, strlen(text), MAX, 1, 1);
		cr_expect_eq(f.error, SCAN_E_RESTRICTED_XML, "%s", rows[i].text);
		cr_expect_eq(f.arrived, strlen(header) + rows[i].decided, "%s: at %zu",
			rows[i].text, f.arrived);
		feed_free(&f);
	}
}

Test(scan, space_at_once)
{
	struct scan *s = scan_new(MAX);
	char buf[sizeof(HEADER) + 2 * SCAN_PAD] = HEADER;
	struct frame f;

	cr_assert_eq(scan(s, buf, sizeof(HEADER) - 1, &f), SCAN_HEADER);
	memcpy(buf, "  <", 3);
	cr_assert_eq(scan(s, buf, 1, &f), SCAN_SPACE);
	cr_assert_eq(f.len, 1);
	cr_assert_eq(scan(s, buf, 3, &f), SCAN_SPACE);
	cr_assert_eq(f.len, 2);
	cr_assert_eq(scan(s, buf + 2, 1, &f), SCAN_MORE);
	cr_assert_eq(scan(s, buf + 2, 0, &f), SCAN_MORE);
	scan_free(s);
}

Test(scan, dead_after_error_and_closed_after_close)
{
	struct scan *s = scan_new(MAX);
	char buf[sizeof(HEADER) + 2 * SCAN_PAD] = HEADER;
	struct frame f;

	cr_assert_eq(scan(s, buf, sizeof(HEADER) - 1, &f), SCAN_HEADER);
	memcpy(buf, "</stream:stream><m/>", 20);
	cr_assert_eq(scan(s, buf, 20, &f), SCAN_CLOSE);
	cr_assert_eq(f.len, 16);
	cr_assert_eq(scan(s, buf + 16, 4, &f), SCAN_ERROR);
	cr_assert_eq(scan_error(s), SCAN_E_NOT_WELL_FORMED);
	cr_assert_eq(scan(s, "                ", 1, &f), SCAN_ERROR);
	cr_assert_str_eq(scan_reason(s), "data after the stream's end");
	scan_free(s);
}
