/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/bounce.h"

#include "core/stanza.h"

#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"

static const struct {
	const char *name, *type;
} errors[STANZA_ERRORS] = {
	[STANZA_BAD_REQUEST] = { "bad-request", "modify" },
	[STANZA_FORBIDDEN] = { "forbidden", "auth" },
	[STANZA_INTERNAL_SERVER_ERROR] = { "internal-server-error", "cancel" },
	[STANZA_JID_MALFORMED] = { "jid-malformed", "modify" },
	[STANZA_NOT_ALLOWED] = { "not-allowed", "cancel" },
	[STANZA_POLICY_VIOLATION] = { "policy-violation", "modify" },
	[STANZA_REMOTE_SERVER_NOT_FOUND] = { "remote-server-not-found", "cancel" },
	[STANZA_REMOTE_SERVER_TIMEOUT] = { "remote-server-timeout", "wait" },
	[STANZA_REMOTE_SERVER_TIMEOUT_CANCEL] = { "remote-server-timeout", "cancel" },
	[STANZA_RESOURCE_CONSTRAINT] = { "resource-constraint", "wait" },
	[STANZA_SERVICE_UNAVAILABLE] = { "service-unavailable", "cancel" },
	[STANZA_TOO_BIG] = { "policy-violation", "modify" },
};

const char *stanza_error_name(enum stanza_error e)
{
	BUG_ON(e >= STANZA_ERRORS);
	return errors[e].name;
}

const char *stanza_error_type(enum stanza_error e)
{
	BUG_ON(e >= STANZA_ERRORS);
	return errors[e].type;
}

bool bounce_wanted(const struct frame *f)
{
	static const char *const message[] = { "error" };
	static const char *const iq[] = { "error", "result" };
	static const char *const presence[] = { "error", "unavailable", "unsubscribed" };

	switch (f->kind) {
	case FRAME_MESSAGE:
		return !stanza_type_is(f, message, ARRAY_LEN(message));
	case FRAME_IQ:
		return !stanza_type_is(f, iq, ARRAY_LEN(iq));
	case FRAME_PRESENCE:
		return !stanza_type_is(f, presence, ARRAY_LEN(presence));
	default:
		return false;
	}
}

static const char *kind_name(const struct frame *f)
{
	return f->kind == FRAME_MESSAGE ? "message" : f->kind == FRAME_IQ ? "iq" : "presence";
}

/* The domain in canonical form (rule 7.6). */
static void write_address(struct writer *w, const char *name, const struct address *a)
{
	char text[ADDRESS_TEXT];

	writer_attr(w, name, address_text(a, text));
}

/*
 * The error comes from whom the stanza was for. An address that we must not
 * repeat (RFC 6120 section 8.3.1: no malformed one in an error) is cut down to
 * its domain, and without a domain it is the router itself that speaks.
 */
static void write_from(struct writer *w, struct span raw_to, struct span by)
{
	struct address to;

	if (!address_read(&to, raw_to))
		writer_attr_opt(w, "from", by);
	else if (!jid_parts_valid(&to.jid))
		writer_attr(w, "from", domain_span(&to.domain));
	else
		write_address(w, "from", &to);
}

/* False when the id is no id: it cannot be given back. */
static bool write_id(struct writer *w, struct span raw)
{
	char id[LIMIT_ATTR_VALUE];
	size_t len;

	if (!raw.p)
		return true;
	if (!jid_decode(raw, id, sizeof(id), &len))
		return false;
	writer_attr(w, "id", span_of(id, len));
	return true;
}

static void write_error(struct writer *w, enum stanza_error e, struct span by, struct span text)
{
	writer_lit(w, "<error");
	writer_attr(w, "type", span_str(errors[e].type));
	writer_attr_opt(w, "by", e == STANZA_TOO_BIG ? SPAN_NONE : by);
	writer_lit(w, "><");
	writer_lit(w, errors[e].name);
	writer_lit(w, " xmlns='" NS_STANZAS "'/>");
	if (text.p) {
		writer_lit(w, "<text xmlns='" NS_STANZAS "' xml:lang='en'>");
		writer_text(w, text);
		writer_lit(w, "</text>");
	}
	writer_lit(w, "</error>");
}

bool bounce_write(struct writer *w, const struct frame *f, enum stanza_error e, struct span by,
	struct span text)
{
	size_t start = w->n;
	struct address from;
	bool ok;

	BUG_ON(e >= STANZA_ERRORS);
	/* Nobody to answer, or the router itself: rule 8.5. */
	if (w->overflow || !bounce_wanted(f) || !address_read(&from, f->from) ||
		!jid_parts_valid(&from.jid) || span_eq(domain_span(&from.domain), by))
		return false;
	writer_lit(w, "<");
	writer_lit(w, kind_name(f));
	write_from(w, f->to, by);
	write_address(w, "to", &from);
	ok = write_id(w, f->id);
	writer_attr(w, "type", SPAN_LIT("error"));
	writer_lit(w, ">");
	write_error(w, e, by, text);
	writer_lit(w, "</");
	writer_lit(w, kind_name(f));
	writer_lit(w, ">");
	if (ok && !w->overflow)
		return true;
	w->n = start;
	return false;
}
