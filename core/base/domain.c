/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/domain.h"

#include <idn2.h>

#define IDN_FLAGS (IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL)

/* -- labels -- */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Lower-case LDH, the underscore of remote names, or a byte of UTF-8 for libidn2 to judge. */
static bool is_label_byte(char c)
{
	return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_' ||
		(unsigned char)c >= 0x80;
}

static bool label_is_sound(struct span l)
{
	if (l.n == 0 || l.p[0] == '-' || l.p[l.n - 1] == '-')
		return false;
	for (size_t i = 0; i < l.n; i++) {
		if (!is_label_byte(l.p[i]))
			return false;
	}
	return true;
}

static bool label_is_ace(struct span l)
{
	return span_starts(l, SPAN_LIT("xn--"));
}

/* Decimal or 0x...: no top-level domain is a number, and inet_aton would take "127.1" or
 * "1.2.3.0x4" for an address. */
static bool label_is_number(struct span l)
{
	if (l.n >= 2 && l.p[0] == '0' && l.p[1] == 'x') {
		l = span_skip(l, 2);
		while (l.n > 0 && (is_digit(l.p[0]) || (l.p[0] >= 'a' && l.p[0] <= 'f')))
			l = span_skip(l, 1);
		return l.n == 0;
	}
	while (l.n > 0 && is_digit(l.p[0]))
		l = span_skip(l, 1);
	return l.n == 0;
}

/* Labels all sound, the last no number; *ace tells of A-labels. */
static bool name_is_sound(struct span name, bool *ace)
{
	*ace = false;
	if (name.n > LIMIT_DOMAIN)
		return false;
	for (;;) {
		struct span label = span_of(name.p, span_find(name, '.'));

		if (!label_is_sound(label))
			return false;
		*ace = *ace || label_is_ace(label);
		if (label.n == name.n)
			return !label_is_number(label);
		name = span_skip(name, label.n + 1);
	}
}

static bool is_ascii(struct span s)
{
	unsigned char all = 0;

	for (size_t i = 0; i < s.n; i++)
		all |= (unsigned char)s.p[i];
	return all < 0x80;
}

/* -- internationalised names -- */

/* Symbols that libidn2 lets pass because UTS 46 forbids them only to names with the ASCII
 * rules, which it would apply by leaving out characters. IDNA2008 forbids them. */
static bool has_forbidden_symbol(const char *name)
{
	return strstr(name, "\xe2\x89\xa0") || strstr(name, "\xe2\x89\xae") ||
		strstr(name, "\xe2\x89\xaf");
}

/*
 * What libidn2 made of a name is judged like any other name: mapping can yield
 * '@', '/', '%', empty labels and IPv4 addresses. And it must be a fixed point,
 * or two canonical forms of one name would be two tenants.
 */
static bool canon_is_stable(const char *canon, const char *ascii)
{
	uint8_t *again;
	bool ace, same;

	if (!name_is_sound(span_str(canon), &ace) || ace || has_forbidden_symbol(canon))
		return false;
	if (idn2_lookup_u8((const uint8_t *)canon, &again, IDN_FLAGS) != IDN2_OK)
		return false;
	same = strcmp((const char *)again, ascii) == 0;
	idn2_free(again);
	return same;
}

static bool take_canon(const char *ascii, struct domain *out)
{
	char *canon;
	bool ok;

	if (idn2_to_unicode_8z8z(ascii, &canon, 0) != IDN2_OK)
		return false;
	ok = canon_is_stable(canon, ascii);
	if (ok) {
		out->len = (uint16_t)strlen(canon);
		memcpy(out->text, canon, (size_t)out->len + 1);
	}
	idn2_free(canon);
	return ok;
}

/* By way of the A-label form: libidn2 checks a name only when it looks it up. */
static bool map_name(struct domain *d)
{
	uint8_t *ascii;
	bool ok;

	if (idn2_lookup_u8((const uint8_t *)d->text, &ascii, IDN_FLAGS) != IDN2_OK)
		return false;
	ok = take_canon((const char *)ascii, d);
	idn2_free(ascii);
	return ok;
}

/* -- public -- */

bool domain_parse(struct span raw, struct domain *out)
{
	bool ace;

	/* Before mapping: a full-width dot at the end leaves an empty label. */
	if (raw.n > 0 && raw.p[raw.n - 1] == '.')
		raw.n--;
	if (raw.n == 0 || raw.n > LIMIT_DOMAIN)
		return false;
	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i];

		out->text[i] = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
	}
	out->text[raw.n] = '\0';
	out->len = (uint16_t)raw.n;
	if (!name_is_sound(domain_span(out), &ace))
		return false;
	if (!ace && is_ascii(domain_span(out)))
		return true;
	return map_name(out);
}

bool domain_is_plain(struct span raw)
{
	bool ace;

	return raw.n > 0 && name_is_sound(raw, &ace) && !ace && is_ascii(raw);
}

static bool fits_dns(struct span name)
{
	if (name.n == 0 || name.n > LIMIT_DNS_NAME)
		return false;
	for (;;) {
		size_t label = span_find(name, '.');

		if (label > LIMIT_DNS_LABEL)
			return false;
		if (label == name.n)
			return true;
		name = span_skip(name, label + 1);
	}
}

bool domain_to_dns(struct span canon, char out[LIMIT_DNS_NAME + 1])
{
	char text[LIMIT_DOMAIN + 1];
	uint8_t *ascii;
	bool ok;

	if (canon.n == 0 || canon.n > LIMIT_DOMAIN)
		return false;
	memcpy(text, canon.p, canon.n);
	text[canon.n] = '\0';
	if (is_ascii(canon)) {
		ok = fits_dns(canon);
		if (ok)
			memcpy(out, text, canon.n + 1);
		return ok;
	}
	if (idn2_lookup_u8((const uint8_t *)text, &ascii, IDN_FLAGS) != IDN2_OK)
		return false;
	ok = fits_dns(span_str((const char *)ascii));
	if (ok)
		memcpy(out, ascii, strlen((const char *)ascii) + 1);
	idn2_free(ascii);
	return ok;
}

bool domain_is_below(struct span canon, struct span name)
{
	if (name.n == 0 || canon.n < name.n || !span_eq(span_skip(canon, canon.n - name.n), name))
		return false;
	return canon.n == name.n || canon.p[canon.n - name.n - 1] == '.';
}
