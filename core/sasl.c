/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/sasl.h"

#include "core/base/base64.h"
#include "core/negotiate.h"

#define MECHANISM "EXTERNAL"

static const char authenticated[] = "the stream is authenticated already";

/* One element on its way through the rules. */
struct exchange {
	struct sasl *s;
	const struct sasl_facts *facts;
	struct writer *w;
	struct sasl_verdict *v;
};

static void say_failure(struct exchange *x, const char *condition, const char *why)
{
	writer_lit(x->w, "<failure xmlns='" NS_SASL "'><");
	writer_lit(x->w, condition);
	writer_lit(x->w, "/></failure>");
	x->v->condition = condition;
	x->v->why = why;
}

/* A failure that counts. */
static enum sasl_next refuse(struct exchange *x, const char *condition, const char *why)
{
	say_failure(x, condition, why);
	if (x->s->state == SASL_CHALLENGED)
		x->s->state = SASL_IDLE;
	return ++x->s->failures >= LIMIT_SASL_FAILURES ? SASL_EXHAUSTED : SASL_GO_ON;
}

/* -- who it is -- */

/* May this domain be authenticated? NULL: yes; else the condition. */
static const char *domain_fault(const struct sasl_facts *facts, struct span domain,
	const char **why)
{
	if (facts->hosted(facts->ctx, domain)) {
		*why = "the peer claims a domain that is hosted here";
		return "not-authorized";
	}
	switch (facts->proves(facts->ctx, domain, why)) {
	case SASL_PROVEN:
		return NULL;
	case SASL_UNDECIDED:
		return "temporary-auth-failure";
	default:
		return "not-authorized";
	}
}

/* v->domain is the one. */
static enum sasl_next authenticate(struct exchange *x)
{
	const char *why = NULL;
	const char *fault = domain_fault(x->facts, domain_span(&x->v->domain), &why);

	if (fault)
		return refuse(x, fault, why);
	writer_lit(x->w, "<success xmlns='" NS_SASL "'/>");
	x->s->state = SASL_DONE;
	return SASL_AUTHENTICATED;
}

/* No identity was given: it is what the header says. */
static enum sasl_next take_nobody(struct exchange *x)
{
	struct span from = x->facts->from;

	if (from.n == 0)
		return refuse(x, "not-authorized", "neither header nor identity names a domain");
	BUG_ON(from.n > LIMIT_DOMAIN);
	memcpy(x->v->domain.text, from.p, from.n);
	x->v->domain.text[from.n] = '\0';
	x->v->domain.len = (uint16_t)from.n;
	return authenticate(x);
}

/* The identity in base64. */
static enum sasl_next take_identity(struct exchange *x, struct span text)
{
	char raw[BASE64_ROOM(BASE64_LETTERS(LIMIT_AUTHZID))];
	size_t n;

	if (text.n > BASE64_LETTERS(LIMIT_AUTHZID))
		return refuse(x, "invalid-authzid", "the identity is longer than a domain can be");
	if (!base64_decode(text, raw, sizeof(raw), &n))
		return refuse(x, "incorrect-encoding", "the identity is not in base64");
	if (!domain_parse(span_of(raw, n), &x->v->domain)) {
		x->v->domain.len = 0;
		return refuse(x, "invalid-authzid", "the identity is not a domain");
	}
	if (x->facts->from.n > 0 && !span_eq(domain_span(&x->v->domain), x->facts->from))
		return refuse(x, "invalid-authzid", "the identity is not the header's `from`");
	return authenticate(x);
}

/* What <auth/> or <response/> holds: `=` stands for nothing at all (RFC 6120 section 6.4.2). */
static enum sasl_next take_answer(struct exchange *x, const struct element *e)
{
	if (e->child)
		return refuse(x, "malformed-request", "the identity has elements inside");
	if (e->text.n == 0 || span_is(e->text, "="))
		return take_nobody(x);
	return take_identity(x, e->text);
}

/* -- elements -- */

static enum sasl_next take_auth(struct exchange *x, const struct element *e)
{
	struct sasl *s = x->s;

	/* A handshake given up counts, or <auth/> could be sent for ever (RFC 6120 section 6.4.5). */
	if (s->state == SASL_CHALLENGED) {
		s->state = SASL_IDLE;
		if (s->failures >= LIMIT_SASL_FAILURES - 1)
			return refuse(x, "not-authorized", "too many handshakes were begun anew");
		s->failures++;
	}
	if (!span_is(element_attr(e, "mechanism"), MECHANISM))
		return refuse(x, "invalid-mechanism", "the mechanism is not " MECHANISM);
	if (s->state == SASL_DONE)
		return refuse(x, "invalid-mechanism", authenticated);
	if (x->facts->unavailable)
		return refuse(x, "invalid-mechanism", x->facts->unavailable);
	if (e->text.n > 0 || e->child)
		return take_answer(x, e);
	writer_lit(x->w, "<challenge xmlns='" NS_SASL "'/>");
	s->state = SASL_CHALLENGED;
	return SASL_GO_ON;
}

/* No handshake begins, so that there is nothing to be counted, and nothing that other elements
 * could belong to. */
static enum sasl_next take_clear(struct exchange *x, const struct element *e)
{
	if (!element_is(e, NS_SASL, "auth"))
		return SASL_FOREIGN;
	say_failure(x, "encryption-required", "the peer asked for SASL without TLS");
	return SASL_GO_ON;
}

enum sasl_next sasl_take(struct sasl *s, const struct sasl_facts *facts, const struct element *e,
	struct writer *w, struct sasl_verdict *v)
{
	struct exchange x = { s, facts, w, v };

	v->condition = v->why = NULL;
	v->domain.len = 0;
	if (!facts->tls)
		return take_clear(&x, e);
	if (element_is(e, NS_SASL, "auth"))
		return take_auth(&x, e);
	if (element_is(e, NS_SASL, "abort"))
		return refuse(&x, "aborted", "the peer gave up");
	if (!element_is(e, NS_SASL, "response"))
		return SASL_FOREIGN;
	if (s->state != SASL_CHALLENGED)
		return refuse(&x, "malformed-request", "a response without a challenge");
	if (facts->unavailable) /* since the challenge */
		return refuse(&x, "not-authorized", facts->unavailable);
	return take_answer(&x, e);
}

/* -- the offer -- */

/* Why it cannot be had, whatever the certificate says; NULL: it can. */
static const char *offer_obstacle(const struct sasl *s, const struct sasl_facts *facts)
{
	if (!facts->tls)
		return "the stream is not encrypted";
	if (s->state == SASL_DONE)
		return authenticated;
	return facts->from.n > 0 ? facts->unavailable : "the header has no `from`";
}

bool sasl_offer(const struct sasl *s, const struct sasl_facts *facts, struct writer *w,
	const char **why)
{
	*why = offer_obstacle(s, facts);
	if (*why || domain_fault(facts, facts->from, why))
		return false;
	*why = NULL;
	writer_lit(w,
		"<mechanisms xmlns='" NS_SASL "'><mechanism>" MECHANISM
		"</mechanism></mechanisms>");
	return true;
}
