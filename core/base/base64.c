/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "core/base/base64.h"

/* Less than 0: no letter of the alphabet. */
static int letter_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Two to four letters, which are one octet fewer. */
static bool group_decode(const char *text, unsigned letters, char *out)
{
	uint32_t bits = 0; /* 24, from the top */

	for (unsigned i = 0; i < letters; i++) {
		int value = letter_value(text[i]);

		if (value < 0)
			return false;
		bits |= (uint32_t)value << (18 - 6 * i);
	}
	for (unsigned i = 0; i < letters - 1; i++)
		out[i] = (char)(bits >> (16 - 8 * i));
	return (bits & 0xffffffu >> 8 * (letters - 1)) == 0;
}

bool base64_decode(struct span text, char *out, size_t cap, size_t *n)
{
	unsigned pad = 0;

	BUG_ON(cap < BASE64_ROOM(text.n));
	if (text.n % 4 != 0)
		return false;
	while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
		pad++;
	for (size_t i = 0; i < text.n; i += 4) {
		if (!group_decode(text.p + i, i + 4 == text.n ? 4 - pad : 4, out + i / 4 * 3))
			return false;
	}
	*n = BASE64_ROOM(text.n) - pad;
	return true;
}

/* One to three octets, which are one letter more, and padding. */
static void group_encode(const char *octets, size_t n, char *out)
{
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits = 0; /* 24, from the top */

	for (size_t i = 0; i < n; i++)
		bits |= (uint32_t)(unsigned char)octets[i] << (16 - 8 * i);
	for (size_t i = 0; i < 4; i++)
		out[i] = i <= n ? alphabet[bits >> (18 - 6 * i) & 63] : '=';
}

struct span base64_encode(struct span octets, char *out)
{
	for (size_t i = 0; i < octets.n; i += 3)
		group_encode(octets.p + i, octets.n - i < 3 ? octets.n - i : 3, out + i / 3 * 4);
	return span_of(out, BASE64_LETTERS(octets.n));
}
