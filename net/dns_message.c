/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/dns_message.h"

#include "core/base/rand.h"

enum { RR_A = 1, RR_CNAME = 5, RR_SOA = 6, RR_AAAA = 28, RR_SRV = 33, RR_OPT = 41 };
enum { RCODE_OK = 0, RCODE_FORMERR = 1, RCODE_NXDOMAIN = 3 };

static const uint16_t rr_types[] = { [DNS_SRV] = RR_SRV, [DNS_A] = RR_A, [DNS_AAAA] = RR_AAAA };

struct message {
	const uint8_t *p;
	size_t n, at;
};

struct record {
	uint16_t type, class, len;
	uint32_t ttl;
	size_t data;
};

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint8_t *put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
	return p + 2;
}

static bool name_skip(struct message *m)
{
	while (m->at < m->n) {
		uint8_t c = m->p[m->at];

		if (c == 0 || (c & 0xc0) == 0xc0) {
			m->at += c ? 2 : 1;
			return m->at <= m->n;
		}
		if (c & 0xc0)
			return false;
		m->at += 1u + c;
	}
	return false;
}

/* Appends a label in lower case. A target that is no host name is of no use to anybody. */
static bool label_append(char *out, unsigned *len, const uint8_t *p, unsigned n)
{
	if (*len + (*len > 0) + n > LIMIT_DNS_NAME)
		return false;
	if (*len > 0)
		out[(*len)++] = '.';
	for (unsigned i = 0; i < n; i++) {
		char c = (char)p[i];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c | 0x20);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'))
			return false;
		out[(*len)++] = c;
	}
	return true;
}

/* Pointers must lead strictly backwards: that is what ends the loop. */
static bool name_read(const struct message *m, size_t at, char out[LIMIT_DNS_NAME + 1])
{
	size_t floor = at;
	unsigned len = 0;

	while (at < m->n && m->p[at] != 0) {
		uint8_t c = m->p[at];

		if ((c & 0xc0) == 0xc0) {
			if (at + 2 > m->n)
				return false;
			at = get16(m->p + at) & 0x3fff;
			if (at >= floor)
				return false;
			floor = at;
			continue;
		}
		if ((c & 0xc0) || at + 1 + c > m->n || !label_append(out, &len, m->p + at + 1, c))
			return false;
		at += 1u + c;
	}
	out[len] = '\0';
	return at < m->n;
}

static bool record_read(struct message *m, struct record *r)
{
	const uint8_t *p;

	if (!name_skip(m) || m->n - m->at < 10)
		return false;
	p = m->p + m->at;
	r->type = get16(p);
	r->class = get16(p + 2);
	r->ttl = get32(p + 4);
	r->len = get16(p + 8);
	if (r->ttl & 0x80000000u) /* RFC 2181 section 8 */
		r->ttl = 0;
	r->data = m->at + 10;
	if (r->len > m->n - r->data)
		return false;
	m->at = r->data + r->len;
	return true;
}

/* Appends one record; false when it is malformed. */
static bool record_pack(uint8_t *packed, uint32_t *used, const struct message *m,
	const struct record *r)
{
	const uint8_t *p = m->p + r->data;
	char target[LIMIT_DNS_NAME + 1];
	uint8_t *to = packed + *used;
	struct message rdata = { m->p, r->data + r->len, r->data + 6 };
	size_t len;

	if (r->type != RR_SRV) {
		if (r->len != (r->type == RR_A ? 4 : 16))
			return false;
		memset(to, 0, 10);
		memset(to + 10, 0xff, 2);
		memcpy(to + 16 - r->len, p, r->len);
		*used += 16;
		return true;
	}
	if (r->len < 7 || !name_read(&rdata, rdata.at, target))
		return false;
	len = strlen(target);
	memcpy(to, p, 6);
	to[6] = (uint8_t)len;
	memcpy(to + DNS_PACKED_SRV, target, len);
	*used += (uint32_t)(DNS_PACKED_SRV + len);
	return true;
}

void dns_records_unpack(enum dns_type type, const uint8_t *p, unsigned n, union dns_records *out)
{
	for (unsigned i = 0; type != DNS_SRV && i < n; i++, p += 16) {
		memcpy(out->addrs[i].ip, p, 16);
		out->addrs[i].port = 0;
	}
	for (unsigned i = 0; type == DNS_SRV && i < n; i++, p += DNS_PACKED_SRV + p[6]) {
		struct srv_record *r = &out->srv[i];

		r->priority = get16(p);
		r->weight = get16(p + 2);
		r->port = get16(p + 4);
		r->direct = false;
		memcpy(r->target, p + DNS_PACKED_SRV, p[6]);
		r->target[p[6]] = '\0';
	}
}

static uint32_t ttl_clamp(uint32_t ttl, uint32_t max)
{
	if (ttl < LIMIT_DNS_TTL_MIN_S)
		return LIMIT_DNS_TTL_MIN_S;
	return ttl < max ? ttl : max;
}

/* RFC 2308: the lesser of the SOA's own TTL and its last field; none: not for long. */
static uint32_t negative_ttl(struct message *m, unsigned n)
{
	struct record r;

	for (; n > 0 && record_read(m, &r); n--) {
		uint32_t minimum;

		if (r.type != RR_SOA || r.len < 22)
			continue;
		minimum = get32(m->p + r.data + r.len - 4);
		return r.ttl < minimum ? r.ttl : minimum;
	}
	return 0;
}

/* No match on owner names: what the resolver says answers this question, CNAMEs included, and
 * nothing is kept under another name. */
struct dns_parsed dns_message_parse(enum dns_type type, const uint8_t *p, size_t n,
	uint8_t packed[DNS_PACKED_MAX])
{
	const struct dns_parsed failed = { DNS_FAILED, 0, 0, LIMIT_DNS_FAILURE_S };
	struct dns_parsed out = failed;
	struct message m = { p, n, DNS_HEADER };
	unsigned rcode, answers, seen = 0;
	uint32_t ttl = UINT32_MAX;
	struct record r;

	if (n < DNS_HEADER || (p[2] & 0x02) || get16(p + 4) != 1 || !name_skip(&m))
		return failed;
	m.at += 4;
	rcode = p[3] & 0x0f;
	if (m.at > n || (rcode != RCODE_OK && rcode != RCODE_NXDOMAIN))
		return failed;
	answers = get16(p + 6);
	for (unsigned i = 0; i < answers; i++) {
		if (!record_read(&m, &r))
			return failed;
		if (r.class != 1 || (r.type != rr_types[type] && r.type != RR_CNAME))
			continue;
		ttl = r.ttl < ttl ? r.ttl : ttl;
		if (r.type == RR_CNAME || rcode != RCODE_OK)
			continue;
		seen++;
		if (out.n < LIMIT_DNS_RECORDS && record_pack(packed, &out.used, &m, &r))
			out.n++;
	}
	if (out.n > 0) {
		out.status = DNS_FOUND;
		out.ttl = ttl_clamp(ttl, LIMIT_DNS_TTL_MAX_S);
	} else if (seen == 0) { /* records of which none can be read are no "no record" */
		out.status = rcode == RCODE_NXDOMAIN ? DNS_NO_NAME : DNS_NO_DATA;
		out.ttl = ttl_clamp(negative_ttl(&m, get16(p + 8)), LIMIT_DNS_NEGATIVE_MAX_S);
	}
	return out;
}

unsigned dns_question_write(enum dns_type type, struct span name, bool edns,
	uint8_t out[DNS_QUESTION_MAX])
{
	const char *label = name.p, *end = name.p + name.n;
	uint8_t *p = out;

	if (name.n > LIMIT_DNS_NAME)
		return 0;
	memset(out, 0, DNS_HEADER);
	rand_bytes(out, 2);
	out[2] = 0x01; /* recursion desired */
	out[5] = 1;
	out[11] = edns;
	p += DNS_HEADER;
	while (label <= end) {
		size_t n = span_find(span_of(label, (size_t)(end - label)), '.');

		if (n == 0 || n > LIMIT_DNS_LABEL)
			return 0;
		*p++ = (uint8_t)n;
		memcpy(p, label, n);
		p += n;
		label += n + 1;
	}
	*p++ = 0;
	p = put16(p, rr_types[type]);
	p = put16(p, 1);
	if (edns) {
		*p++ = 0;
		p = put16(p, RR_OPT);
		p = put16(p, DNS_UDP_SIZE);
		memset(p, 0, 6);
		p += 6;
	}
	return (unsigned)(p - out);
}

bool dns_message_refuses_edns(const uint8_t *p, size_t n)
{
	return n >= DNS_HEADER && (p[3] & 0x0f) == RCODE_FORMERR && get16(p + 10) == 0;
}
