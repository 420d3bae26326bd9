/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/unit/core/stanzas.h"

#define STREAMS "http://etherx.jabber.org/streams"
#define DIALBACK "jabber:server:dialback"

const struct stanzas_root stanzas_roots[] = {
	{ "<stream:stream xmlns='jabber:server' xmlns:stream='" STREAMS "' xmlns:db='" DIALBACK
	  "' version='1.0'>",
		"</stream:stream>", "jabber:server", NULL,
		{ { "stream", STREAMS }, { "db", DIALBACK } }, false },
	{ "<?xml version='1.0'?>\n<stream:stream\n xmlns = \"jabber&#58;server\"\txmlns:stream='" STREAMS
	  "' xmlns:p=\"urn:p?a='1'&amp;b\" xmlns:q='urn:q' version='1.0' xml:lang='de-AT'>",
		"</stream:stream>", "jabber:server", "de-AT",
		{ { "stream", STREAMS }, { "p", "urn:p?a='1'&b" }, { "q", "urn:q" } }, false },
	{ "<stream xmlns='" STREAMS "' xmlns:db='" DIALBACK "' xmlns:q='urn:p' version='1.0'>",
		"</stream>", "jabber:server", NULL, { { "db", DIALBACK }, { "q", "urn:p" } },
		true },
	{ "<stream:stream xmlns='" STREAMS "' xmlns:stream='" STREAMS
	  "' xmlns:r='jabber:server' version='1.0' xml:lang='fr'>",
		"</stream:stream >", "jabber:server", "fr",
		{ { "stream", STREAMS }, { "r", "jabber:server" } }, true },
	{ "<stream:stream xmlns='jabber:component:accept' xmlns:stream='" STREAMS "' to='x.test'>",
		"</stream:stream>", "jabber:component:accept", NULL, { { "stream", STREAMS } },
		false },
	{ "<stream:stream xmlns='jabber:component:accept' xmlns:stream='" STREAMS
	  "' xmlns:p='jabber:component:accept' xmlns:q='urn:q\n1' xml:lang='en' to='x.test'>",
		"</stream:stream>", "jabber:component:accept", "en",
		{ { "stream", STREAMS }, { "p", "jabber:component:accept" }, { "q", "urn:q 1" } },
		false },
};
const unsigned stanzas_n_roots = ARRAY_LEN(stanzas_roots);
