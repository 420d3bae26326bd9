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

	h->versioned = version.p != NULL;
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
	out->len = 0;
	return value.n == 0 || domain_parse(value, out);
}

const char *header_read(struct header *h, const struct element *e, const struct scan *scan,
	const char **why)
{
	const char *fault = header_shape(e, scan, NS_SERVER, why);

	if (fault)
		return fault;
	h->dialback = header_declares(scan, NS_DIALBACK);
	h->id = element_attr(e, "id");
	h->lang = element_lang(e);
	fault = header_version(h, e, why);
	if (fault)
		return fault;
	if (!header_domain(element_attr(e, "from"), &h->from) ||
		!header_domain(element_attr(e, "to"), &h->to)) {
		*why = "from or to of the header is not a domain";
		return "improper-addressing";
	}
	return NULL;
}

void header_write(struct writer *w, struct span from, struct span to, struct span id,
	bool versioned)
{
	writer_lit(w, "<?xml version='1.0'?><stream:stream xmlns='" NS_SERVER
		      "' xmlns:stream='" NS_STREAMS "' xmlns:db='" NS_DIALBACK "'");
	writer_attr(w, "from", from);
	if (to.n > 0)
		writer_attr(w, "to", to);
	writer_attr_opt(w, "id", id);
	if (versioned)
		writer_lit(w, " version='1.0' xml:lang='en'");
	writer_lit(w, ">");
}
