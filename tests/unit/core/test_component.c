/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Backends that log in as components (XEP-0114, rule 6.7). */
#include "harness.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "dialback/key.h"

TestSuite(component, .fini = rig_stop, .timeout = 60);

#define COMPONENT_NS "xmlns='jabber:component:accept'" STREAM_NS

/* Logs in with a header of the test's own. */
static struct tap *logged_in(const char *header, const char *domain, const char *secret)
{
	struct tap *t = tap_dial(rig.component_port);

	tap_say(t, "%s", header);
	tap_expect(t, DECLARATION "<stream:stream " COMPONENT_NS " from='%s' id='", domain);
	tap_id(t);
	tap_expect(t, "'>");
	backend_handshake(t, secret);
	tap_expect(t, "<handshake/>");
	return t;
}

/* Our header in front of a refusal. */
static void refused(struct tap *t, const char *error)
{
	tap_expect(t, DECLARATION "<stream:stream " COMPONENT_NS " from='" ROUTER "' id='");
	tap_skip(t, STREAM_ID_LEN);
	tap_expect(t, "'>");
	tap_expect_last(t, error);
}

#define REFUSED(name, header, condition, logged)                                                   \
	Test(component, name)                                                                      \
	{                                                                                          \
		struct tap *t;                                                                     \
                                                                                                   \
		rig_start_plain();                                                                 \
		t = tap_dial(rig.component_port);                                                  \
		tap_say(t, header);                                                                \
		refused(t, STREAM_ERROR(condition));                                               \
		cr_assert_eq(STAT(components_refused), 1);                                         \
		cr_assert_eq(STAT(components_in), 0);                                              \
		cr_assert(rig_log_has(logged));                                                    \
		cr_assert(rig_log_has(" condition=" condition "\n"));                              \
	}

REFUSED(unknown_domain, "<stream:stream " COMPONENT_NS " to='" NOPE "'>", "host-unknown",
	"warn component-refused: the registry does not have this domain peer=127.0.0.1:")
REFUSED(domain_of_no_backend, "<stream:stream " COMPONENT_NS " to='" GONE "'>", "host-unknown",
	"component-refused: the registry says that this domain is gone peer=127.0.0.1:")
REFUSED(no_domain, "<stream:stream " COMPONENT_NS ">", "host-unknown",
	"component-refused: the registry does not have this domain peer=127.0.0.1:")
REFUSED(wrong_namespace, "<stream:stream xmlns='jabber:client'" STREAM_NS " to='" L1 "'>",
	"invalid-namespace", " domain=" L1 " condition=invalid-namespace\n")
REFUSED(server_on_the_wrong_door, "<stream:stream " HEADER_NS " from='" R1 "' to='" L1 "'>",
	"invalid-namespace", " domain=" L1 " condition=invalid-namespace\n")

Test(component, handshake_of_the_specification)
{
	char digest[HANDSHAKE_HEX + 1];
	struct tap *t;

	key_handshake(SPAN_LIT("c0mp5tr34m1d"), SPAN_LIT("backend-secret"), digest);
	cr_assert_str_eq(digest, "45bd42276ae6e16fc985da2e448004d4695dd122");
	rig_start_plain();
	t = backend_shop();
	cr_assert_eq(STAT(components_in), 1);
	cr_assert(tap_quiet(t));
}

Test(component, domain_in_another_spelling)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.component_port);
	tap_say(t, "<stream:stream " COMPONENT_NS " to='Shop.Hosted.Test'>");
	tap_expect(t, DECLARATION "<stream:stream " COMPONENT_NS " from='" L1 "' id='");
}

Test(component, wrong_handshake)
{
	struct tap *t;

	rig_start_plain();
	t = tap_dial(rig.component_port);
	backend_header(t, L1);
	backend_handshake(t, "wrong");
	tap_expect_error(t, "not-authorized");
	t = tap_dial(rig.component_port);
	backend_header(t, L1);
	backend_handshake(t, BANK_SECRET);
	tap_expect_error(t, "not-authorized");
	t = tap_dial(rig.component_port);
	backend_header(t, L1);
	tap_say(t, "<handshake/>");
	tap_expect_error(t, "not-authorized");
	cr_assert_eq(STAT(components_refused), 3);
	cr_assert(rig_log_has("warn component-refused: wrong handshake: the component's secret "
			      "differs from secret-file peer=127.0.0.1:"));
	cr_assert(rig_log_has(" backend=shop condition=not-authorized\n"));
	(void)backend_shop();
}

/* Strangers are told the same for each reason; the operator is not. */
Test(component, address_that_may_not_log_in)
{
	struct tap *t;

	rig_start_plain();
	rig_reload("backend shop component secret-file=shop.secret from=192.0.2.1\n" L1 " shop\n",
		NULL);
	t = tap_dial(rig.component_port);
	tap_say(t, "<stream:stream " COMPONENT_NS " to='" L1 "'>");
	refused(t, STREAM_ERROR("host-unknown"));
	cr_assert(rig_log_has("component-refused: its address is not among from= of the domain's "
			      "backend peer=127.0.0.1:"));
	cr_assert(rig_log_has(" domain=" L1 " condition=host-unknown\n"));
	cr_assert_eq(STAT(components_refused), 1);
}

/* A whole line of the log that holds this; the caller frees it. */
static char *log_line(const char *part)
{
	char *log, *at, *end, *line;

	cr_assert(rig_log_has(part), "no %s", part);
	log = rig_log();
	for (at = strstr(log, part); at > log && at[-1] != '\n'; at--)
		;
	end = strchr(at, '\n');
	line = strndup(at, (size_t)(end - at));
	free(log);
	return line;
}

Test(component, no_room_for_another_connection)
{
	struct tap *t;
	char *line;

	rig_one_worker("each worker counts the strangers of an address by itself");
	rig_start("--max-unauth-per-ip", "1", NULL);
	t = tap_dial(rig.component_port);
	backend_header(t, L1);
	tap_expect_end(tap_dial(rig.component_port));
	STAT_BECOMES(refused_limit, 1);
	line = log_line("connection-refused");
	cr_assert(strstr(line,
			  "warn connection-refused: too many connections of this address have "
			  "not logged in (--max-unauth-per-ip) kind=component peer=127.0.0.1:"),
		"%s", line);
	free(line);
	backend_handshake(t, SHOP_SECRET); /* the first one does not mind */
	tap_expect(t, "<handshake/>");
}

Test(component, no_connection_left)
{
	char *line;

	rig_one_worker("--max-conns is divided among the workers");
	rig_start("--max-conns", "1", NULL);
	(void)backend_shop();
	tap_expect_end(tap_dial(rig.component_port));
	STAT_BECOMES(refused_limit, 1);
	line = log_line("connection-refused");
	cr_assert(strstr(line,
			  "warn connection-refused: the limit of connections is reached "
			  "(--max-conns) kind=component peer=127.0.0.1:"),
		"%s", line);
	free(line);
}

Test(component, stanza_before_the_handshake)
{
	struct tap *bank, *t;

	rig_start_plain();
	bank = backend_bank();
	t = tap_dial(rig.component_port);
	backend_header(t, L1);
	tap_say(t, "<message from='a@" L1 "' to='b@" L2 "'><body>x</body></message>");
	tap_expect_error(t, "not-authorized");
	cr_assert(tap_quiet(bank));
}

Test(component, second_login_is_a_conflict)
{
	struct tap *first, *t, *bank;

	rig_start_plain();
	first = backend_shop();
	t = tap_dial(rig.component_port);
	backend_header(t, L3); /* another domain of the same backend */
	backend_handshake(t, SHOP_SECRET);
	tap_expect_error(t, "conflict");
	cr_assert_eq(STAT(components_refused), 1);
	cr_assert(rig_log_has("component-refused: the backend has logged in already peer=127"));
	cr_assert(rig_log_has(" backend=shop condition=conflict\n"));
	bank = backend_bank(); /* the first one still works */
	tap_say(first, "<message from='a@" L1 "' to='b@" L2 "'><body>x</body></message>");
	tap_expect(bank, "<message from='a@" L1 "' to='b@" L2 "'><body>x</body></message>");
}

#define LOGGED_IN(name, bytes, condition)                                                          \
	Test(component, name)                                                                      \
	{                                                                                          \
		struct tap *t, *bank;                                                              \
                                                                                                   \
		rig_start_plain();                                                                 \
		bank = backend_bank();                                                             \
		t = backend_shop();                                                                \
		tap_say(t, bytes);                                                                 \
		tap_expect_error(t, condition);                                                    \
		cr_assert(tap_quiet(bank));                                                        \
	}

LOGGED_IN(stanza_without_to, "<message from='a@" L1 "'><body>x</body></message>",
	"improper-addressing")
LOGGED_IN(stanza_without_from, "<message to='a@" L2 "'><body>x</body></message>",
	"improper-addressing")
LOGGED_IN(stanza_to_no_domain, "<message from='a@" L1 "' to='b@'><body>x</body></message>",
	"improper-addressing")
LOGGED_IN(stanza_of_another_namespace,
	"<message xmlns='jabber:client' from='a@" L1 "' to='b@" L2 "'/>", "invalid-namespace")
LOGGED_IN(comment, "<!-- x -->", "restricted-xml")

Test(component, stanza_with_a_prefix)
{
	struct tap *t, *bank;

	rig_start_plain();
	bank = backend_bank();
	t = logged_in("<stream:stream " COMPONENT_NS " xmlns:c='jabber:component:accept' to='" L1
		      "'>",
		L1, SHOP_SECRET);
	tap_say(t, "<c:message from='a@" L1 "' to='b@" L2 "'/>");
	tap_expect_error(t, "bad-namespace-prefix");
	cr_assert(tap_quiet(bank));
}

/* -- whom it may speak for: T-G28 -- */

Test(component, T_G28_from_a_domain_that_is_not_its_own)
{
	struct tap *t, *bank;

	rig_start_plain();
	bank = backend_bank();
	t = backend_shop(); /* has two domains: a slip of one tenant */
	tap_say(t, "<message from='a@" L2 "' to='b@" L2 "' id='1'><body>x</body></message>");
	tap_expect_with(t, "<message from='b@" L2 "' to='a@" L2 "' id='1' type='error'>",
		"<error type='cancel' by='" ROUTER "'><not-allowed xmlns='" NS_ERRORS "'/>");
	tap_say(t, "<iq type='get' from='a@" R1 "' to='b@" L2 "' id='2'><q xmlns='urn:q'/></iq>");
	tap_expect_with(t, "<iq from='b@" L2 "' to='a@" R1 "' id='2' type='error'>",
		"<not-allowed ");
	tap_say(t, "<message from='a@" L3 "' to='b@" L2 "'><body>x</body></message>");
	tap_expect(bank, "<message from='a@" L3 "' to='b@" L2 "'><body>x</body></message>");
	cr_assert(tap_quiet(t));
}

Test(component, T_G28_from_another_domain_on_a_link_for_one)
{
	struct tap *t, *shop;

	rig_start_plain();
	shop = backend_shop();
	t = backend_bank();
	tap_say(t, "<message from='a@" L1 "' to='b@" L1 "'><body>x</body></message>");
	tap_expect_error(t, "invalid-from");
	cr_assert(tap_quiet(shop));
}

/* -- local switching: T-G27 -- */

Test(component, T_G27_from_one_backend_to_another)
{
	struct tap *shop, *bank;

	rig_start_plain();
	shop = backend_shop();
	bank = backend_bank();
	tap_say(shop,
		"<message from='a@" L1 "/r' to='b@" L2 "' type='chat'><body>x</body></message>");
	tap_expect(bank,
		"<message from='a@" L1 "/r' to='b@" L2 "' type='chat'><body>x</body></message>");
	tap_say(shop, "<presence from='a@" L1 "' to='b@XN--BCHER-KVA.hosted.test'/>");
	tap_expect(shop, "<presence from='a@" L1 "' to='b@" L3 "'/>"); /* to itself */
	tap_say(bank, "<iq id='1' type='result' from='" L2 "' to='" L1 "'/>");
	tap_expect(shop, "<iq id='1' type='result' from='" L2 "' to='" L1 "'/>");
	cr_assert_eq(STAT(stanzas_local), 3);
	cr_assert(sham_idle(&rig.near) && sham_idle(&rig.far), "nobody was dialled");
}

Test(component, language_of_its_header_follows_the_stanza)
{
	struct tap *shop, *t;

	rig_start_plain();
	shop = backend_shop();
	t = logged_in("<stream:stream " COMPONENT_NS " xml:lang='de' to='" L2 "'>", L2,
		BANK_SECRET);
	tap_say(t,
		"<message from='" L2 "' to='" L1 "'/><message xml:lang='fr' from='" L2 "' to='" L1
		"'/>");
	tap_expect(shop, "<message xml:lang='de' from='" L2 "' to='" L1 "'/>");
	tap_expect(shop, "<message xml:lang='fr' from='" L2 "' to='" L1 "'/>");
}

/* What one tenant says in its header must not break the stream of another. */
Test(component, language_that_needs_much_escaping)
{
	char header[6 * LIMIT_LANG + 256] = "<stream:stream " COMPONENT_NS " to='" L2
					    "' xml:lang='";
	struct tap *shop, *t;

	for (unsigned i = 0; i < LIMIT_LANG; i++)
		strcat(header, "&amp;");
	strcat(header, "'>");
	rig_start_plain();
	shop = backend_shop();
	t = logged_in(header, L2, BANK_SECRET);
	tap_say(t, "<message from='" L2 "' to='" L1 "'/>");
	tap_peek(shop, 10);
	cr_assert(!strstr(shop->in, "xml:lang") || strstr(shop->in, "&amp;' from='"), "%s",
		shop->in);
}

/* -- bounces that a backend sees: template B9 -- */

#define BOUNCE(kind, rest, type, condition)                                                        \
	"<" kind " " rest " type='error'><error type='" type "' by='" ROUTER "'><" condition       \
	" xmlns='" NS_ERRORS "'/>"

Test(component, T_G10_T_G12_a_remote_domain_that_cannot_be_reached)
{
	struct tap *t;

	rig_start_plain();
	t = backend_shop();
	tap_say(t,
		"<message from='bob@" L1 "/desk' to='ann@" CLOSED "' id='m7'><body>x</body></message>");
	tap_expect_with(t,
		BOUNCE("message", "from='ann@" CLOSED "' to='bob@" L1 "/desk' id='m7'", "wait",
			"remote-server-timeout"),
		"</error></message>");
	tap_say(t,
		"<iq type='get' from='bob@" L1 "' to='" CLOSED "'><q xmlns='urn:q'/></iq>"); /* T-G10 */
	tap_expect_with(t,
		BOUNCE("iq", "from='" CLOSED "' to='bob@" L1 "'", "wait", "remote-server-timeout"));
	tap_say(t,
		"<presence type='subscribe' from='bob@" L1 "' to='ann@" GONE
		"' id='a&apos;/&gt;&lt;b'/>");
	tap_expect_with(t,
		BOUNCE("presence", "from='ann@" GONE "' to='bob@" L1 "' id='a&apos;/&gt;&lt;b'",
			"cancel", "remote-server-not-found")); /* T-G12 */
	cr_assert_eq(STAT(bounced), 3);
	cr_assert(sham_idle(&rig.near), "nobody was dialled");
}

Test(component, T_G9_what_must_not_be_answered)
{
	static const char *const stanzas[] = {
		"<iq type='result' id='1' from='" L1 "' to='" CLOSED "'/>",
		"<iq type='error' id='1' from='" L1 "' to='" CLOSED "'/>",
		"<message type='error' from='" L1 "' to='" CLOSED "'/>",
		"<message type='&#101;rror' from='" L1 "' to='" CLOSED "'/>",
		"<presence type='unavailable' from='" L1 "' to='" CLOSED "'/>",
		"<presence type='unsubscribed' from='" L1 "' to='" CLOSED "'/>",
		"<presence type='error' from='" L1 "' to='" CLOSED "'/>",
	};
	struct tap *t;

	rig_start_plain();
	t = backend_shop();
	for (size_t i = 0; i < ARRAY_LEN(stanzas); i++)
		tap_say(t, "%s", stanzas[i]);
	tap_say(t, "<message from='" L1 "' to='" CLOSED "' id='last'/>");
	tap_expect_with(t, " id='last' ");
	cr_assert_eq(STAT(bounce_suppressed), ARRAY_LEN(stanzas));
}

Test(component, malformed_localpart_from_a_backend)
{
	struct tap *t, *bank;

	rig_start_plain();
	bank = backend_bank();
	t = backend_shop();
	tap_say(t, "<message from='bob@" L1 "' to='a b@" L2 "' id='1'/>");
	tap_expect_with(t,
		BOUNCE("message", "from='" L2 "' to='bob@" L1 "' id='1'", "modify",
			"jid-malformed"));
	tap_say(t, "<iq type='subscribe' from='bob@" L1 "' to='" L2 "' id='2'/>");
	tap_expect_with(t,
		BOUNCE("iq", "from='" L2 "' to='bob@" L1 "' id='2'", "modify", "bad-request"));
	cr_assert(tap_quiet(bank));
}

/* -- its end -- */

Test(component, closes_in_order)
{
	struct tap *t;

	rig_start_plain();
	t = backend_shop();
	tap_say(t, "</stream:stream>");
	tap_expect(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert(rig_log_has("component-down"));
	(void)backend_shop();
}

Test(component, ends_with_an_error)
{
	struct tap *t;

	rig_start_plain();
	t = backend_shop();
	tap_say(t, STREAM_ERROR("system-shutdown"));
	tap_expect(t, "</stream:stream>");
	tap_expect_end(t);
	cr_assert_eq(STAT(stream_errors_received), 1);
	cr_assert(rig_log_has("component-down"));
	(void)backend_shop();
}

/* -- one that vanishes while stanzas flow -- */

/* Without a word. What was on its way is in doubt; all that came later waits, and comes in order. */
Test(component, vanishes_while_stanzas_flow)
{
	const unsigned n = 300;
	struct tap *shop, *bank;
	unsigned next;
	char *line;

	rig_start_plain();
	shop = backend_shop();
	bank = backend_bank();
	for (unsigned i = 0; i < n; i++) {
		tap_say(bank, "<message from='b@" L2 "' to='a@" L1 "' id='%u'/>", i);
		if (i == 100)
			tap_expect_with(shop, " id='0'");
		if (i == 150)
			tap_reset(shop);
	}
	line = log_line("warn component-down: ");
	cr_assert(strstr(line, "warn component-down: the peer reset the connection ") ||
			strstr(line, "warn component-down: the peer no longer reads "),
		"%s", line);
	cr_assert(strstr(line, " peer=127.0.0.1:") && strstr(line, " backend=shop "), "%s", line);
	free(line);
	tap_say(bank, "<message from='b@" L2 "' to='a@" L1 "' id='%u'/>", n);
	STAT_BECOMES(stanzas_from_backends, n + 1);
	cr_assert_gt(STAT(stanzas_parked), 0);
	shop = backend_again(L1, SHOP_SECRET);
	next = (unsigned)strtoul(strstr(tap_element(shop), " id='") + 5, NULL, 10);
	cr_assert(next > 0 && next <= n, "%s", shop->element);
	while (next < n) {
		char id[24];

		(void)snprintf(id, sizeof(id), " id='%u'", ++next);
		tap_expect_with(shop, id);
	}
	cr_assert(tap_quiet(shop));
	cr_assert_eq(STAT(bounced), 0);
	cr_assert_eq(STAT(components_in), 3);
}
