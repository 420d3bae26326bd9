/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/base64.h"
#include "core/negotiate.h"
#include "core/sasl.h"

TestSuite(sasl, .timeout = 120);

#define NS " xmlns='" NS_SASL "'"
#define R1 "rx.peer.test"
#define R1_BASE64 "cngucGVlci50ZXN0"
#define R3_BASE64 "b3RoZXIucGVlci50ZXN0"
#define AUTH(text) "<auth" NS " mechanism='EXTERNAL'>" text "</auth>"
#define EMPTY "<auth" NS " mechanism='EXTERNAL'/>"
#define RESPONSE(text) "<response" NS ">" text "</response>"
#define ABORT "<abort" NS "/>"
#define SUCCESS "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
#define CHALLENGE "<challenge xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>"
#define FAILURE(condition)                                                                         \
	"<failure xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><" condition "/></failure>"

/* A stream, and what is true of it. */
struct peer {
	struct sasl sasl;
	struct sasl_facts facts;
	struct sasl_verdict v;
	const char *proven; /* the one domain that its certificate proves */
	bool undecided;
	unsigned asked; /* how often the certificate was asked */
	char said[SASL_ANSWER + 1];
};

static bool is_hosted(void *ctx, struct span domain)
{
	(void)ctx;
	return span_is(domain, "shop.hosted.test");
}

static enum sasl_proof is_proven(void *ctx, struct span domain, const char **why)
{
	struct peer *p = ctx;

	p->asked++;
	*why = "the certificate does not name the domain";
	if (p->undecided)
		return SASL_UNDECIDED;
	return span_is(domain, p->proven) ? SASL_PROVEN : SASL_UNPROVEN;
}

/* T-E1: over TLS, a certificate for R1, and a header from it. */
static struct peer *peer_new(void)
{
	static struct peer p;

	p = (struct peer){
		.proven = R1,
		.facts = {
			.tls = true,
			.from = SPAN_LIT(R1),
			.hosted = is_hosted,
			.proves = is_proven,
			.ctx = &p,
		},
	};
	return &p;
}

static enum sasl_next say(struct peer *p, const char *xml)
{
	struct element_parser *parser = element_parser_new();
	struct writer w = { p->said, SASL_ANSWER, 0, false };
	const char *why;
	const struct element *e = element_parse(parser, SPAN_LIT(""), span_str(xml), &why);
	enum sasl_next next;

	cr_assert(e, "%s: %s", xml, why);
	next = sasl_take(&p->sasl, &p->facts, e, &w, &p->v);
	cr_assert_not(w.overflow);
	p->said[w.n] = '\0';
	element_parser_free(parser);
	return next;
}

static void expect_success(struct peer *p, const char *xml, const char *domain)
{
	cr_assert_eq(say(p, xml), SASL_AUTHENTICATED, "%s: %s", xml, p->said);
	cr_assert_str_eq(p->said, SUCCESS);
	cr_assert_str_eq(p->v.domain.text, domain);
	cr_assert_eq(p->v.domain.len, strlen(domain));
	cr_assert_null(p->v.condition);
	cr_assert_null(p->v.why);
}

static void expect_failure(struct peer *p, const char *xml, const char *condition,
	enum sasl_next next)
{
	char failure[SASL_ANSWER];

	snprintf(failure, sizeof(failure), "<failure" NS "><%s/></failure>", condition);
	cr_assert_eq(say(p, xml), next, "%s: %s", xml, p->said);
	cr_assert_str_eq(p->said, failure, "%s", xml);
	cr_assert_str_eq(p->v.condition, condition);
	cr_assert_not_null(p->v.why);
}

static void expect_challenge(struct peer *p, const char *xml)
{
	cr_assert_eq(say(p, xml), SASL_GO_ON, "%s", xml);
	cr_assert_str_eq(p->said, CHALLENGE);
	cr_assert_null(p->v.condition);
}

/* One element by itself on a stream as in T-E1: that failure, and the stream is as good as new. */
static void refused(const char *xml, const char *condition)
{
	struct peer *p = peer_new();

	expect_failure(p, xml, condition, SASL_GO_ON);
	expect_success(p, AUTH(R1_BASE64), R1);
}

/* -- the offer -- */

static const char *offer(struct peer *p, const char **why)
{
	struct writer w = { p->said, SASL_ANSWER, 0, false };
	bool offered = sasl_offer(&p->sasl, &p->facts, &w, why);

	cr_assert_not(w.overflow);
	cr_assert_eq(offered, w.n > 0);
	cr_assert_eq(offered, *why == NULL);
	p->said[w.n] = '\0';
	return p->said;
}

static void not_offered(struct peer *p, const char *because)
{
	const char *why;

	cr_assert_str_eq(offer(p, &why), "");
	cr_assert_str_eq(why, because);
}

Test(sasl, T_E1_offered)
{
	const char *why;

	cr_assert_str_eq(offer(peer_new(), &why),
		"<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>EXTERNAL"
		"</mechanism></mechanisms>");
}

Test(sasl, not_offered)
{
	struct peer *p = peer_new();

	p->facts.tls = false;
	not_offered(p, "the stream is not encrypted");
	p = peer_new();
	p->facts.from = SPAN_NONE;
	not_offered(p, "the header has no `from`");
	p = peer_new();
	p->facts.from = SPAN_LIT("shop.hosted.test");
	p->proven = "shop.hosted.test";
	not_offered(p, "the peer claims a domain that is hosted here");
	p = peer_new();
	p->facts.from = SPAN_LIT("other.peer.test");
	not_offered(p, "the certificate does not name the domain");
	p = peer_new();
	p->undecided = true;
	not_offered(p, "the certificate does not name the domain");
	p = peer_new();
	expect_success(p, AUTH("="), R1);
	not_offered(p, "the stream is authenticated already");
}

Test(sasl, T_E20_no_certificate)
{
	struct peer *p = peer_new();

	p->facts.unavailable = "the peer has no certificate";
	not_offered(p, "the peer has no certificate");
	expect_failure(p, AUTH("="), "invalid-mechanism", SASL_GO_ON);
	cr_assert_str_eq(p->v.why, "the peer has no certificate");
	cr_assert_eq(p->asked, 0);
}

/* Facts may change while the peer thinks about a challenge. */
Test(sasl, no_longer_available)
{
	struct peer *p = peer_new();

	expect_challenge(p, EMPTY);
	p->facts.unavailable = "the stream has proven a domain by dialback";
	expect_failure(p, RESPONSE("="), "not-authorized", SASL_GO_ON);
	cr_assert_str_eq(p->v.why, p->facts.unavailable);
}

/* -- success -- */

Test(sasl, T_E2_success)
{
	struct peer *p = peer_new();

	expect_success(p, AUTH(R1_BASE64), R1);
	cr_assert_eq(p->asked, 1);
}

/* Other spellings of the domain are that domain. */
Test(sasl, T_E2_spellings)
{
	struct peer *p = peer_new();

	expect_success(p, AUTH("UngucEVFUi50ZXN0"), R1); /* Rx.pEER.test */
	expect_success(peer_new(), AUTH("cngucGVlci50ZXN0Lg=="), R1); /* a dot at the end */
	p = peer_new();
	p->facts.from = SPAN_LIT("b\xc3\xbc"
				 "cher.peer.test");
	p->proven = "b\xc3\xbc"
		    "cher.peer.test";
	/* xn--bcher-kva.peer.test */
	expect_success(p, AUTH("eG4tLWJjaGVyLWt2YS5wZWVyLnRlc3Q="), p->proven);
}

Test(sasl, T_E3_empty_response)
{
	expect_success(peer_new(), AUTH("="), R1);
}

Test(sasl, T_E4_challenge)
{
	static const char *const answers[] = {
		RESPONSE(R1_BASE64),
		RESPONSE(""),
		RESPONSE("="),
		"<response" NS "/>",
	};

	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct peer *p = peer_new();

		expect_challenge(p, i % 2 ? AUTH("") : EMPTY);
		cr_assert_eq(p->asked, 0);
		expect_success(p, answers[i], R1);
	}
}

Test(sasl, T_E4_refused_after_a_challenge)
{
	static const struct {
		const char *xml, *condition;
	} table[] = {
		{ RESPONSE(R3_BASE64), "invalid-authzid" },
		{ RESPONSE("cng"), "incorrect-encoding" },
		{ RESPONSE("YW5uQHJ4LnBlZXIudGVzdA=="), "invalid-authzid" },
		{ RESPONSE("<x/>"), "malformed-request" },
		{ ABORT, "aborted" },
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct peer *p = peer_new();

		expect_challenge(p, EMPTY);
		expect_failure(p, table[i].xml, table[i].condition, SASL_GO_ON);
		/* The handshake is over. */
		expect_failure(p, RESPONSE(R1_BASE64), "malformed-request", SASL_GO_ON);
		expect_success(p, AUTH(R1_BASE64), R1);
	}
}

/* The first is gone: what is answered is the second (RFC 6120 section 6.4.2). */
Test(sasl, T_E4_auth_again)
{
	struct peer *p = peer_new();

	expect_challenge(p, EMPTY);
	expect_success(p, AUTH(R1_BASE64), R1);
	p = peer_new();
	expect_challenge(p, EMPTY);
	expect_failure(p, "<auth" NS " mechanism='PLAIN'/>", "invalid-mechanism", SASL_GO_ON);
	expect_failure(p, RESPONSE(R1_BASE64), "malformed-request", SASL_EXHAUSTED);
}

/* -- failures -- */

Test(sasl, T_E5_another_domain)
{
	refused(AUTH(R3_BASE64), "invalid-authzid");
}

/* Although the certificate would prove it, and not what the header says. */
Test(sasl, T_E5_another_domain_of_the_certificate)
{
	struct peer *p = peer_new();

	p->proven = "other.peer.test";
	expect_failure(p, AUTH(R3_BASE64), "invalid-authzid", SASL_GO_ON);
	cr_assert_eq(p->asked, 0);
	cr_assert_str_eq(p->v.domain.text, "other.peer.test", "for the log");
}

Test(sasl, T_E6_no_domain)
{
	refused(AUTH("YW5uQHJ4LnBlZXIudGVzdA=="), "invalid-authzid"); /* ann@rx.peer.test */
	refused(AUTH("cngucGVlci50ZXN0L2Rlc2s="), "invalid-authzid"); /* rx.peer.test/desk */
	refused(AUTH("QHJ4LnBlZXIudGVzdA=="), "invalid-authzid"); /* @rx.peer.test */
	refused(AUTH("cngucGVlci50ZXN0AA=="), "invalid-authzid"); /* a NUL at the end */
	refused(AUTH("cngucGVlci50ZXN0AC5ldmlsLnRlc3Q="), "invalid-authzid"); /* and inside */
	refused(AUTH("AA=="), "invalid-authzid"); /* nothing but a NUL */
	refused(AUTH("cnggcGVlci50ZXN0"), "invalid-authzid"); /* a space */
	refused(AUTH("MTkyLjAuMi4x"), "invalid-authzid"); /* 192.0.2.1 */
	refused(AUTH("//79/A=="), "invalid-authzid"); /* no UTF-8 */
	refused(AUTH("Lg=="), "invalid-authzid"); /* . */
}

/* What was tried on the way to that verdict is not told as a domain. */
Test(sasl, T_E6_no_domain_for_the_log)
{
	struct peer *p = peer_new();

	expect_failure(p, AUTH("YW5uQHJ4LnBlZXIudGVzdA=="), "invalid-authzid", SASL_GO_ON);
	cr_assert_eq(p->v.domain.len, 0);
}

Test(sasl, T_E7_bad_base64)
{
	refused(AUTH("cng=ucGVl"), "incorrect-encoding");
	refused(AUTH("cngucGVlci50ZXN0\n!"), "incorrect-encoding");
	refused(AUTH("cngucGVlci50ZXN0L1=="), "incorrect-encoding"); /* bits of no octet */
	refused(AUTH("cngucGVlci50ZXN"), "incorrect-encoding"); /* one letter is missing */
	refused(AUTH("cngucGVlci50ZXN0="), "incorrect-encoding");
	refused(AUTH(" cngucGVlci50ZXN0"), "incorrect-encoding");
	refused(AUTH("\ncngucGVlci50ZXN0\n"), "incorrect-encoding");
	refused(AUTH(" "), "incorrect-encoding");
	refused(AUTH(" ="), "incorrect-encoding");
	refused(AUTH("=="), "incorrect-encoding");
	refused(AUTH("===="), "incorrect-encoding");
	refused(AUTH(R1), "incorrect-encoding");
}

Test(sasl, malformed)
{
	refused(AUTH("<x xmlns=''/>"), "malformed-request");
	refused(AUTH("cngucGVl<x/>ci50ZXN0"), "malformed-request");
	refused(AUTH("=<x/>"), "malformed-request");
	refused(RESPONSE(R1_BASE64), "malformed-request");
	refused(RESPONSE(""), "malformed-request");
}

Test(sasl, T_E8_another_mechanism)
{
	refused("<auth" NS " mechanism='PLAIN'>AGEAYg==</auth>", "invalid-mechanism");
	refused("<auth" NS " mechanism='external'>=</auth>", "invalid-mechanism");
	refused("<auth" NS " mechanism='EXTERNAL '>=</auth>", "invalid-mechanism");
	refused("<auth" NS " mechanism=''>=</auth>", "invalid-mechanism");
	refused("<auth" NS ">=</auth>", "invalid-mechanism");
	refused("<auth" NS " xmlns:x='urn:x' x:mechanism='EXTERNAL'>=</auth>", "invalid-mechanism");
}

/* Whatever it says; and it may do so as often as it likes, which the caller bounds. */
Test(sasl, T_E9_auth_in_clear)
{
	struct peer *p = peer_new();

	p->facts.tls = false;
	for (int i = 0; i < 1000; i++) {
		expect_failure(p, AUTH("="), "encryption-required", SASL_GO_ON);
		expect_failure(p, EMPTY, "encryption-required", SASL_GO_ON);
		expect_failure(p, "<auth" NS "/>", "encryption-required", SASL_GO_ON);
		cr_assert_eq(say(p, RESPONSE("=")), SASL_FOREIGN);
		cr_assert_eq(say(p, ABORT), SASL_FOREIGN);
	}
	cr_assert_eq(p->asked, 0);
	p->facts.tls = true;
	expect_success(p, AUTH("="), R1);
}

Test(sasl, T_E10_three_failures)
{
	struct peer *p = peer_new();

	expect_failure(p, AUTH(R3_BASE64), "invalid-authzid", SASL_GO_ON);
	expect_failure(p, AUTH("!"), "incorrect-encoding", SASL_GO_ON);
	expect_failure(p, AUTH(R3_BASE64), "invalid-authzid", SASL_EXHAUSTED);
}

Test(sasl, T_E10_challenges_and_aborts)
{
	struct peer *p = peer_new();

	for (int i = 0; i < 3; i++) {
		expect_challenge(p, EMPTY);
		expect_failure(p, ABORT, "aborted", i < 2 ? SASL_GO_ON : SASL_EXHAUSTED);
	}
	p = peer_new();
	for (int i = 0; i < 3; i++)
		expect_failure(p, ABORT, "aborted", i < 2 ? SASL_GO_ON : SASL_EXHAUSTED);
}

/* Handshakes that are begun and never ended would have no bound otherwise. */
Test(sasl, T_E10_begun_anew)
{
	struct peer *p = peer_new();

	for (int i = 0; i < 3; i++)
		expect_challenge(p, EMPTY);
	expect_failure(p, AUTH(R1_BASE64), "not-authorized", SASL_EXHAUSTED);
	p = peer_new();
	for (int i = 0; i < 3; i++)
		expect_challenge(p, EMPTY);
	expect_success(p, RESPONSE(R1_BASE64), R1);
}

/* -- who may be authenticated -- */

Test(sasl, certificate_of_another_domain)
{
	struct peer *p = peer_new();

	p->proven = "other.peer.test";
	expect_failure(p, AUTH(R1_BASE64), "not-authorized", SASL_GO_ON);
	cr_assert_str_eq(p->v.why, "the certificate does not name the domain");
	cr_assert_str_eq(p->v.domain.text, R1);
	expect_failure(p, AUTH("="), "not-authorized", SASL_GO_ON);
	expect_challenge(p, EMPTY);
	expect_failure(p, RESPONSE(""), "not-authorized", SASL_EXHAUSTED);
}

Test(sasl, undecided)
{
	struct peer *p = peer_new();

	p->undecided = true;
	expect_failure(p, AUTH("="), "temporary-auth-failure", SASL_GO_ON);
	p->undecided = false;
	expect_success(p, AUTH("="), R1);
}

Test(sasl, hosted_domain)
{
	struct peer *p = peer_new();

	p->proven = "shop.hosted.test";
	p->facts.from = SPAN_LIT("shop.hosted.test");
	expect_failure(p, AUTH("="), "not-authorized", SASL_GO_ON);
	expect_failure(p, AUTH("c2hvcC5ob3N0ZWQudGVzdA=="), "not-authorized", SASL_GO_ON);
	p = peer_new();
	p->proven = "shop.hosted.test";
	p->facts.from = SPAN_NONE;
	expect_failure(p, AUTH("c2hvcC5ob3N0ZWQudGVzdA=="), "not-authorized", SASL_GO_ON);
	cr_assert_eq(p->asked, 0);
}

/* Nothing is offered, and an identity that the certificate proves is taken all the same. */
Test(sasl, header_without_from)
{
	struct peer *p = peer_new();

	p->facts.from = SPAN_NONE;
	expect_failure(p, AUTH(R3_BASE64), "not-authorized", SASL_GO_ON);
	cr_assert_eq(p->asked, 1);
	expect_failure(p, AUTH("="), "not-authorized", SASL_GO_ON);
	cr_assert_eq(p->v.domain.len, 0);
	cr_assert_eq(p->asked, 1, "nobody is asked about nothing");
	expect_success(p, AUTH(R1_BASE64), R1);
}

Test(sasl, after_success)
{
	struct peer *p = peer_new();

	expect_success(p, AUTH("="), R1);
	expect_failure(p, AUTH("="), "invalid-mechanism", SASL_GO_ON);
	expect_failure(p, RESPONSE("="), "malformed-request", SASL_GO_ON);
	expect_failure(p, ABORT, "aborted", SASL_EXHAUSTED);
	cr_assert_eq(p->sasl.state, SASL_DONE);
}

/* -- elements of others, and lengths -- */

Test(sasl, elements_that_no_peer_sends)
{
	static const char *const foreign[] = {
		SUCCESS,
		CHALLENGE,
		FAILURE("not-authorized"),
		"<mechanisms" NS "/>",
		"<Auth" NS " mechanism='EXTERNAL'>=</Auth>",
		"<auth xmlns='urn:xmpp:sasl:2' mechanism='EXTERNAL'>=</auth>",
		"<auth mechanism='EXTERNAL'>=</auth>",
	};
	struct peer *p = peer_new();

	expect_challenge(p, EMPTY);
	for (size_t i = 0; i < ARRAY_LEN(foreign); i++) {
		cr_assert_eq(say(p, foreign[i]), SASL_FOREIGN, "%s", foreign[i]);
		cr_assert_str_eq(p->said, "");
		cr_assert_null(p->v.condition);
	}
	expect_success(p, RESPONSE("="), R1);
}

/* "aaaa" is 0x69 0xa6 0x9a: no domain, whatever its length. YWFh is "aaa". */
static char *auth_of(const char *group, size_t groups, const char *end)
{
	char *xml = malloc(sizeof(AUTH("")) + 4 * groups + strlen(end)), *at;

	at = xml + sprintf(xml, "<auth" NS " mechanism='EXTERNAL'>");
	for (size_t i = 0; i < groups; i++, at += 4)
		memcpy(at, group, 4);
	sprintf(at, "%s</auth>", end);
	return xml;
}

static void long_refused(const char *group, size_t groups, const char *end, const char *condition)
{
	char *xml = auth_of(group, groups, end);

	refused(xml, condition);
	free(xml);
}

Test(sasl, the_longest_domain)
{
	struct peer *p = peer_new();
	char domain[LIMIT_DOMAIN + 1] = { 0 };
	char *xml;

	_Static_assert(LIMIT_DOMAIN % 3 == 0, "it is made of whole groups");
	memset(domain, 'a', LIMIT_DOMAIN);
	p->facts.from = span_of(domain, LIMIT_DOMAIN);
	p->proven = domain;
	xml = auth_of("YWFh", LIMIT_DOMAIN / 3, "Lg=="); /* with a dot at its end */
	expect_success(p, xml, domain);
	free(xml);
	p->sasl = (struct sasl){ 0 };
	expect_success(p, AUTH("="), domain);
	p->sasl = (struct sasl){ 0 };
	xml = auth_of("YWFh", LIMIT_DOMAIN / 3, "YQ=="); /* another a */
	expect_failure(p, xml, "invalid-authzid", SASL_GO_ON);
	free(xml);
}

Test(sasl, lengths)
{
	size_t most = BASE64_LETTERS(LIMIT_AUTHZID) / 4;

	long_refused("aaaa", most, "", "invalid-authzid");
	long_refused("YWFh", most, "", "invalid-authzid");
	long_refused("!!!!", most, "", "incorrect-encoding");
	/* Longer than what is looked at: it cannot be a domain, and need not be decoded. */
	long_refused("YWFh", most + 1, "", "invalid-authzid");
	long_refused("YWFh", most, "Y", "invalid-authzid");
	long_refused("!!!!", LIMIT_STANZA_UNAUTH / 4 - 30, "", "invalid-authzid");
}
