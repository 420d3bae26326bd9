/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Streams to authoritative servers: what they answer, and what they do instead. */
#include "harness.h"

#include <criterion/criterion.h>

TestSuite(authlink, .fini = rig_stop, .timeout = 60);

#define VALID(from, to) "<db:result from='" to "' to='" from "' type='valid'/>"
#define ERROR(from, to, type, condition)                                                           \
	"<db:result from='" to "' to='" from "' type='error'><error type='" type "'><" condition   \
	" xmlns='" NS_ERRORS "'/></error></db:result>"
#define NOT_FOUND ERROR(EVIL, L1, "cancel", "remote-server-not-found")
#define FAILED ERROR(EVIL, L1, "wait", "remote-connection-failed")
#define TIMED_OUT ERROR(EVIL, L1, "wait", "remote-server-timeout")
#define NOT_ACCEPTABLE ERROR(EVIL, L1, "modify", "not-acceptable")

#define STARTTLS(inside)                                                                           \
	"<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'>" inside               \
	"</starttls></stream:features>"

static struct tap *backend;

/* A stream with a VALID pair, and a claim of EVIL, whose authority is `far`. */
static struct tap *claimed(void)
{
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, EVIL, L1);
	return t;
}

/* ... up to the question. */
static struct tap *asked(struct question *q)
{
	struct tap *t = claimed();

	sham_greet(&rig.far, L1, EVIL);
	sham_question(&rig.far, q);
	return t;
}

/* The pair fails alone. */
static void fails(struct tap *t, const char *answer)
{
	tap_expect(t, "%s", answer);
	remote_kept(t, R1, L1, backend);
	remote_sync(t);
}

/* The authority's stream is closed on both sides, and then its connection. */
static void hangs_up(struct tap *as)
{
	tap_expect(as, "</stream:stream>");
	tap_expect_end(as);
}

/* -- the conditions of 2.4 -- */

Test(authlink, T_R6_answer_is_an_error)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap,
		"<db:verify from='" EVIL "' to='" L1 "' id='%s' type='error'>"
		"<error type='cancel'><item-not-found xmlns='" NS_ERRORS "'/></error>"
		"</db:verify>",
		q.id);
	fails(t, NOT_FOUND);
}

Test(authlink, T_R7_host_unknown)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap, STREAM_ERROR("host-unknown"));
	hangs_up(rig.far.tap);
	fails(t, NOT_FOUND);
}

Test(authlink, T_R7_host_unknown_instead_of_features)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);

	sham_hello(as, L1, EVIL, STREAM_ERROR("host-unknown"));
	hangs_up(as);
	fails(t, NOT_FOUND);
}

Test(authlink, host_gone_counts_as_unknown)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap, STREAM_ERROR("host-gone"));
	hangs_up(rig.far.tap);
	fails(t, NOT_FOUND);
}

Test(authlink, T_R9_port_closed)
{
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	remote_claim(t, CLOSED, L1);
	fails(t, ERROR(CLOSED, L1, "wait", "remote-connection-failed"));
}

Test(authlink, T_R11_closes_the_stream_without_an_answer)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap, "</stream:stream>");
	hangs_up(rig.far.tap);
	fails(t, TIMED_OUT);
}

Test(authlink, T_R11_closes_the_connection_without_an_answer)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_close(rig.far.tap);
	fails(t, TIMED_OUT);
}

Test(authlink, T_R11_resets_the_connection)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_reset(rig.far.tap);
	fails(t, TIMED_OUT);
}

Test(authlink, T_R11_another_stream_error)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap, STREAM_ERROR("internal-server-error"));
	hangs_up(rig.far.tap);
	fails(t, TIMED_OUT);
}

/* 2.4: connected, but the stream was closed before the answer. */
Test(authlink, closes_before_its_header)
{
	struct tap *t = claimed();

	tap_close(sham_accept(&rig.far));
	fails(t, TIMED_OUT);
}

Test(authlink, stream_error_before_its_features)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);

	sham_hello(as, L1, EVIL, STREAM_ERROR("internal-server-error"));
	hangs_up(as);
	fails(t, TIMED_OUT);
}

Test(authlink, insists_on_tls)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);

	sham_hello(as, L1, EVIL, STARTTLS("<required/>"));
	tap_expect(as, "</stream:stream>");
	tap_close(as);
	fails(t, NOT_ACCEPTABLE);
}

Test(authlink, offers_tls_and_does_without)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);
	struct question q;

	sham_hello(as, L1, EVIL, STARTTLS(""));
	rig.far.tap = as;
	sham_question(&rig.far, &q);
	sham_answer(&rig.far, &q, "valid");
	fails(t, VALID(EVIL, L1));
}

Test(authlink, of_before_rfc_3920_sends_no_features)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);
	struct question q;

	tap_expect(as,
		DECLARATION "<stream:stream " HEADER_NS " from='" L1 "' to='" EVIL
			    "' version='1.0' xml:lang='en'>");
	tap_say(as, "<stream:stream " HEADER_NS " id='x'>");
	rig.far.tap = as;
	sham_question(&rig.far, &q);
	sham_answer(&rig.far, &q, "valid");
	fails(t, VALID(EVIL, L1));
}

/* As T-H22, of a stream to an authority. */
Test(authlink, header_from_another_domain)
{
	struct tap *t = claimed(), *as = sham_accept(&rig.far);
	struct question q;

	tap_expect(as,
		DECLARATION "<stream:stream " HEADER_NS " from='" L1 "' to='" EVIL
			    "' version='1.0' xml:lang='en'>");
	tap_say(as,
		"<stream:stream " HEADER_NS " from='a b' to='" R3
		"' id='x' version='1.0'>" FEATURES);
	rig.far.tap = as;
	sham_question(&rig.far, &q);
	sham_answer(&rig.far, &q, "valid");
	fails(t, VALID(EVIL, L1));
}

Test(authlink, what_it_sends_is_no_xml)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap, "<!-- -->");
	tap_expect_error(rig.far.tap, "restricted-xml");
	fails(t, TIMED_OUT);
}

/* The verdict is known with the error; an authority that is slow to hang up must not delay it. */
Test(authlink, verdict_does_not_wait_for_the_connection_to_end)
{
	struct question q;
	struct tap *t = asked(&q);
	uint64_t begin = rig_now();

	tap_say(rig.far.tap, STREAM_ERROR("host-unknown"));
	fails(t, NOT_FOUND);
	cr_assert_lt(rig_now() - begin, TIMEOUT_CLOSE_MS, "it waited for the timer");
}

/* -- answers that do not count -- */

Test(authlink, T_U7_right_answer_on_the_wrong_stream)
{
	struct question near, far;
	struct tap *t = asked(&far);

	remote_claim(t, R2, L1);
	sham_question(&rig.near, &near);
	sham_answer(&rig.near, &far, "valid");
	sham_answer(&rig.far, &near, "valid");
	STAT_BECOMES(ignored_dialback, 2);
	remote_sync(t); /* no answer */
	sham_answer(&rig.far, &far, "error");
	tap_expect(t, NOT_FOUND);
	sham_answer(&rig.near, &near, "valid");
	fails(t, VALID(R2, L1));
	cr_assert_eq(STAT(pairs_valid), 2);
}

Test(authlink, T_U8_wrong_id_and_wrong_domains)
{
	struct question q, other;
	struct tap *t = asked(&q);

	other = q;
	strcpy(other.id, "wrong");
	sham_answer(&rig.far, &other, "valid");
	other = q;
	strcpy(other.to, R3);
	sham_answer(&rig.far, &other, "valid");
	other = q;
	strcpy(other.from, L2);
	sham_answer(&rig.far, &other, "valid");
	other = q;
	strcpy(other.from, q.to);
	strcpy(other.to, q.from);
	sham_answer(&rig.far, &other, "valid");
	STAT_BECOMES(ignored_dialback, 4);
	remote_sync(t);
	cr_assert_eq(STAT(pairs_valid), 1);
	sham_answer(&rig.far, &q, "valid");
	fails(t, VALID(EVIL, L1));
}

Test(authlink, what_else_comes_is_ignored)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap,
		"<db:result from='" EVIL "' to='" L1 "' type='valid'/>"
		"<db:result from='" EVIL "' to='" L1 "'>" KEY "</db:result>"
		"<message from='a@" EVIL "' to='b@" L1 "'><body>x</body></message>");
	tap_say(rig.far.tap, "<db:verify from='" EVIL "' to='" L1 "' id='%s'/>", q.id);
	tap_say(rig.far.tap, "<db:verify from='" EVIL "' to='" L1 "' id='%s' type='yes'/>", q.id);
	STAT_BECOMES(ignored_dialback, 4);
	cr_assert_eq(STAT(ignored_elements), 1);
	remote_sync(t);
	sham_answer(&rig.far, &q, "valid");
	fails(t, VALID(EVIL, L1));
	cr_assert_eq(STAT(stanzas_in), 1);
}

Test(authlink, answers_twice)
{
	struct question q;
	struct tap *t = asked(&q);

	sham_answer(&rig.far, &q, "valid");
	sham_answer(&rig.far, &q, "invalid");
	fails(t, VALID(EVIL, L1));
	STAT_BECOMES(ignored_dialback, 1);
	cr_assert_eq(STAT(pairs_invalid), 0);
	remote_kept(t, EVIL, L1, backend);
}

Test(authlink, spelling_of_the_answer_does_not_matter)
{
	struct question q;
	struct tap *t = asked(&q);

	tap_say(rig.far.tap,
		"<db:verify from='EVIL.Test' to='SHOP.hosted.test.' id='%s' type='valid'>" KEY
		"</db:verify>",
		q.id);
	fails(t, VALID(EVIL, L1));
}

/* -- one stream per endpoint -- */

Test(authlink, T_R26_shared_by_all_that_live_there)
{
	struct tap *t;

	rig_start_plain();
	t = remote_proven(R1, L1);
	remote_prove(t, R2, L1);
	remote_prove(t, R1, L2);
	remote_prove(remote_open(R1, L1), R1, L1);
	cr_assert(sham_idle(&rig.near), "one stream");
}

Test(authlink, dialled_anew_after_it_was_closed)
{
	struct tap *t;

	rig_start_plain();
	backend = backend_shop();
	t = remote_proven(R1, L1);
	tap_say(rig.near.tap, "</stream:stream>");
	tap_expect(rig.near.tap, "</stream:stream>");
	tap_expect_end(rig.near.tap);
	rig.near.tap = NULL;
	remote_prove(t, R2, L1);
	remote_kept(t, R2, L1, backend);
	remote_kept(t, R1, L1, backend);
}
