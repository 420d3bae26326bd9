/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/negotiate.h"

bool header_declares(const struct scan *scan, const char *ns)
{
	struct span uri = span_str(ns);

	for (unsigned i = 0; i < scan_root_prefix_count(scan); i++) {
		struct span d = scan_root_prefix_decl(scan, i); /* " xmlns:p='uri'" */

		if (d.n > uri.n + 2 && memcmp(d.p + d.n - 1 - uri.n, uri.p, uri.n) == 0 &&
			(d.p[d.n - 2 - uri.n] == '\'' || d.p[d.n - 2 - uri.n] == '"'))
			return true;
	}
	return false;
}

bool version_parse(struct span s, unsigned *major, unsigned *minor)
{
	size_t dot = span_find(s, '.');
	uint64_t a, b = 0;

	if (!span_u64(span_of(s.p, dot), 9999, &a))
		return false;
	if (dot < s.n && !span_u64(span_skip(s, dot + 1), 9999, &b))
		return false;
	*major = (unsigned)a;
	*minor = (unsigned)b;
	return true;
}

const char *header_shape(const struct element *e, const struct scan *scan, const char *content_ns,
	const char **why)
{
	struct span content = scan_root_content_ns(scan);
	bool bare = e->prefix.n == 0; /* <stream xmlns='...streams'>: stanzas name jabber:server */

	if (!span_is(e->ns, NS_STREAMS)) {
		*why = "the header is not in the streams namespace";
		return "invalid-namespace";
	}
	if (!span_is(e->name, "stream")) {
		*why = "the root element is not a stream";
		return "bad-format";
	}
	if (!bare && !span_is(e->prefix, "stream")) {
		*why = "the header's prefix is not `stream`";
		return "bad-namespace-prefix";
	}
	if (!span_is(content, content_ns)) {
		*why = "the header's default namespace is not that of this kind of stream";
		return "invalid-namespace";
	}
	return NULL;
}

static const char *header_version(struct header *h, const struct element *e, const char **why)
{
	struct span version = element_attr(e, "version");
	unsigned major, minor;

	if (!h->versioned && !h->dialback) {
		*why = "a header with neither a version nor the dialback namespace";
		return "unsupported-version";
	}
	if (h->versioned && (!version_parse(version, &major, &minor) || major != 1)) {
		*why = "a version of XMPP that we do not speak";
		return "unsupported-version";
	}
	return NULL;
}

/* An absent or empty address leaves len at 0. False: present, but no domain. */
static bool header_domain(struct span value, struct domain *out)
{
	if (value.n > 0 && domain_parse(value, out))
		return true;
	out->len = 0;
	return value.n == 0;
}

static bool is_tag(struct span s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
			c != '-')
			return false;
	}
	return s.n > 0 && s.n <= LIMIT_LANG;
}

void lang_keep(struct lang *l, struct span value)
{
	struct writer w = WRITER(l->text);

	_Static_assert(sizeof(l->text) <= UINT8_MAX, "len can hold it");
	l->len = 0;
	if (!is_tag(value))
		return;
	writer_attr(&w, "xml:lang", value);
	l->len = w.overflow ? 0 : (uint8_t)w.n;
}

const char *header_read(struct header *h, const struct element *e, const struct scan *scan,
	enum header_side side, const char **why)
{
	const char *fault = header_shape(e, scan, NS_SERVER, why);
	bool from, to;

	from = header_domain(element_attr(e, "from"), &h->from);
	to = header_domain(element_attr(e, "to"), &h->to);
	h->versioned = element_attr(e, "version").p != NULL;
	if (fault)
		return fault;
	h->dialback = header_declares(scan, NS_DIALBACK);
	h->lang = element_lang(e);
	fault = header_version(h, e, why);
	if (fault)
		return fault;
	if (side == HEADER_INITIAL && (!from || !to)) {
		*why = "from or to of the header is not a domain";
		return "improper-addressing";
	}
	return NULL;
}

void header_write(struct writer *w, struct span from, struct span to, struct span id,
	enum header_form form)
{
	writer_lit(w,
		"<?xml version='1.0'?><stream:stream xmlns='" NS_SERVER
		"' xmlns:stream='" NS_STREAMS "' xmlns:db='" NS_DIALBACK "'");
	writer_attr(w, "from", from);
	if (to.n > 0)
		writer_attr(w, "to", to);
	writer_attr_opt(w, "id", id);
	if (form != HEADER_LEGACY)
		writer_lit(w, " version='1.0'");
	if (form == HEADER_SPEAKING)
		writer_lit(w, " xml:lang='en'");
	writer_lit(w, ">");
}
