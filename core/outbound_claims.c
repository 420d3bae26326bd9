/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/log.h"
#include "core/claims.h"
#include "core/outbound_impl.h"
#include "core/worker.h"
#include "dialback/key.h"

/* What is claimed on a stream for stanzas, and all that is read on it (rules 2.3, 2.11). */

#define NS_STANZA_ERRORS "urn:ietf:params:xml:ns:xmpp-stanzas"

/* -- claims and their answers -- */

bool outbound_suits(const struct outbound *o, struct span from, struct span to)
{
	const struct policy_rule rule = policy_pair(o->w->hosting->policy, to, from);
	bool own = span_is(from, o->opening.from) && span_is(to, o->opening.to);
	const char *why;

	if (!o->dialback && !(own && o->authenticated))
		return false;
	if (rule.tls == TLS_REQUIRED && !outbound_is_secure(o))
		return false;
	/* Where we were sent counts for the domain whose server did so. */
	if (o->redirect && !span_is(to, o->opening.to))
		return outbound_proves(o, to, &why);
	/* Whoever is trusted for one domain by certificate is not for another without (2.9.2). */
	if (outbound_strong(o, from, to) || outbound_proves(o, span_str(o->opening.to), &why))
		return outbound_proves(o, to, &why);
	return true;
}

void outbound_claim(struct outbound *o, struct span from, struct span to)
{
	char buf[2 * LIMIT_DOMAIN * 6 + KEY_HEX + 128], key[KEY_HEX + 1];
	struct writer w = WRITER(buf);

	key_make(o->w->secrets, to, from, o->id, key);
	writer_lit(&w, "<db:result");
	writer_attr(&w, "from", from);
	writer_attr(&w, "to", to);
	writer_lit(&w, ">");
	writer_raw(&w, span_of(key, KEY_HEX));
	writer_lit(&w, "</db:result>");
	o->last_output = o->w->now;
	stream_say(&o->s, writer_span(&w));
}

/* DB_CONDITION_COUNT: none that is known. Some write it in the dialback namespace. */
static enum db_condition answer_condition(const struct element *e)
{
	const struct element *error = element_child(e, NULL, "error");

	for (const struct element *c = error ? error->child : NULL; c; c = c->next) {
		enum db_condition known = db_condition_parse(c->name);

		if ((span_is(c->ns, NS_STANZA_ERRORS) || span_is(c->ns, NS_DIALBACK)) &&
			known != DB_CONDITION_COUNT)
			return known;
	}
	return DB_CONDITION_COUNT;
}

/* Is it one, to something that was claimed here? Then the initiator knows. */
static bool answer_counts(struct outbound *o, const struct element *e)
{
	enum answer answer;
	struct domain from, to;

	if (o->phase != OUTBOUND_UP || !element_is(e, NS_DIALBACK, "result") ||
		!answer_parse(element_attr(e, "type"), &answer) ||
		!domain_parse(element_attr(e, "from"), &from) ||
		!domain_parse(element_attr(e, "to"), &to))
		return false;
	if (!initiator_answer(o->w->initiator, o->link, domain_span(&from), domain_span(&to),
		    answer, answer_condition(e), o->w->now))
		return false;
	o->answered |= answer == ANSWER_VALID;
	return true;
}

static void outbound_dialback(struct outbound *o, const struct element *e)
{
	if (answer_counts(o, e))
		return;
	claims_ignored(&o->s, e, "answers no claim that was made on this stream");
	if (!claims_patience(&o->s) && !o->answered && !o->authenticated)
		stream_fail(&o->s, "policy-violation", NULL,
			"too many dialback elements that nobody asked for");
}

/* -- what else is read -- */

static const char *condition_known(struct span condition)
{
	static const char *const known[] = { "bad-format", "bad-namespace-prefix", "conflict",
		"connection-timeout", "host-gone", "host-unknown", "improper-addressing",
		"internal-server-error", "invalid-from", "invalid-namespace", "invalid-xml",
		"not-authorized", "not-well-formed", "policy-violation", "remote-connection-failed",
		"reset", "resource-constraint", "restricted-xml", "see-other-host",
		"system-shutdown", "unsupported-encoding", "unsupported-feature",
		"unsupported-stanza-type", "unsupported-version" };

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (span_is(condition, known[i]))
			return known[i];
	return "undefined-condition"; /* RFC 6120 section 4.9.2 */
}

static void outbound_error(struct outbound *o, const struct element *e)
{
	struct span condition = stream_error_condition(e);
	char peer[ADDR_TEXT];

	STATS_INC(&o->w->stats, stream_errors_received);
	addr_format(conn_peer(o->s.conn), peer);
	LOG(LOG_WARN, "stream-error-received", "the server ended our stream with an error",
		LF_STR("peer", peer), LF_SPAN("condition", condition),
		LF_STR("from", o->opening.from), LF_STR("to", o->opening.to));
	o->condition = condition_known(condition);
	if (span_is(condition, "see-other-host"))
		outbound_redirected(o, element_child(e, NULL, "see-other-host")->text);
	stream_end(&o->s, "the peer sent a stream error");
}

/* The peer has no right to send us stanzas here, nor anything that we do not know. */
void outbound_foreign(struct outbound *o)
{
	STATS_INC(&o->w->stats, ignored_elements);
	if (++o->foreign > LIMIT_UNKNOWN_ELEMENTS)
		stream_fail(&o->s, "policy-violation", NULL,
			"too many elements that nobody asked for");
}

void outbound_frame(struct stream *s, const struct frame *f)
{
	struct outbound *o = container_of(s, struct outbound, s);
	bool wanted = o->phase == OUTBOUND_TLS || o->phase == OUTBOUND_AUTH;
	const struct element *e;

	if (s->state != STREAM_OPEN)
		return;
	if (f->kind != FRAME_DIALBACK && f->kind != FRAME_STREAM &&
		!(wanted && f->kind == FRAME_FOREIGN)) {
		outbound_foreign(o);
		return;
	}
	e = stream_element(s, f);
	if (!e)
		return;
	if (f->kind == FRAME_DIALBACK)
		outbound_dialback(o, e);
	else if (element_is(e, NS_STREAMS, "features"))
		outbound_features(o, e);
	else if (element_is(e, NS_STREAMS, "error"))
		outbound_error(o, e);
	else if (!outbound_negotiates(o, e))
		outbound_foreign(o);
}
