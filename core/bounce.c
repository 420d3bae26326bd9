/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/bounce.h"

#include "core/base/domain.h"
#include "xml/jid.h"

#define NS_STANZAS "urn:ietf:params:xml:ns:xmpp-stanzas"
#define TYPE_MAX 16 /* bytes; longer than every type that matters */

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

/* Decoded first: type='&#101;rror' is an error too. */
static bool type_is(const struct frame *f, const char *const *types, size_t n)
{
	char text[TYPE_MAX];
	size_t len;

	if (!f->type.p || !jid_decode(f->type, text, sizeof(text), &len))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (span_is(span_of(text, len), types[i]))
			return true;
	}
	return false;
}

bool bounce_wanted(const struct frame *f)
{
	static const char *const message[] = { "error" };
	static const char *const iq[] = { "error", "result" };
	static const char *const presence[] = { "error", "unavailable", "unsubscribed" };

	switch (f->kind) {
	case FRAME_MESSAGE:
		return !type_is(f, message, ARRAY_LEN(message));
	case FRAME_IQ:
		return !type_is(f, iq, ARRAY_LEN(iq));
	case FRAME_PRESENCE:
		return !type_is(f, presence, ARRAY_LEN(presence));
	default:
		return false;
	}
}

static const char *kind_name(const struct frame *f)
{
	return f->kind == FRAME_MESSAGE ? "message" : f->kind == FRAME_IQ ? "iq" : "presence";
}

struct address {
	char text[LIMIT_JID + 1]; /* what the parts point into */
	struct jid jid;
	struct domain domain; /* canonical */
	bool parts_valid; /* localpart and resource are what RFC 7622 allows */
};

/* False when there is no address, or it has no valid domain. */
static bool address_read(struct address *a, struct span raw)
{
	size_t len;

	if (!raw.p || !jid_decode(raw, a->text, sizeof(a->text), &len) ||
		!jid_split(span_of(a->text, len), &a->jid) ||
		!domain_parse(a->jid.domain, &a->domain))
		return false;
	a->parts_valid = jid_parts_valid(&a->jid);
	return true;
}

/* local@domain/resource, the domain in canonical form (rule 7.6). */
static void address_write(struct writer *w, const char *name, const struct address *a)
{
	char text[LIMIT_JID + LIMIT_DOMAIN + 4];
	struct writer plain = WRITER(text);

	if (a->jid.local.p) {
		writer_raw(&plain, a->jid.local);
		writer_lit(&plain, "@");
	}
	writer_raw(&plain, domain_span(&a->domain));
	if (a->jid.resource.p) {
		writer_lit(&plain, "/");
		writer_raw(&plain, a->jid.resource);
	}
	BUG_ON(plain.overflow);
	writer_attr(w, name, writer_span(&plain));
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
	else if (!to.parts_valid)
		writer_attr(w, "from", domain_span(&to.domain));
	else
		address_write(w, "from", &to);
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
	writer_attr_opt(w, "by", by);
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
		!from.parts_valid || span_eq(domain_span(&from.domain), by))
		return false;
	writer_lit(w, "<");
	writer_lit(w, kind_name(f));
	write_from(w, f->to, by);
	address_write(w, "to", &from);
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
