/* SPDX-License-Identifier: GPL-2.0-or-later */
#if defined(__x86_64__)
#include "xml/skip_avx2.h"

#include "tests/unit/xml/skip_set.h"

static const char *mixed_text(const char *p, const char *end)
{
	return skip_mixed(p, end, skip_text_class());
}

static const char *mixed_value(const char *p, const char *end)
{
	return skip_mixed(p, end, skip_value_class());
}

const struct skip_set skip_set_avx2 = {
	.name = "avx2",
	.text = skip_text,
	.value = skip_value,
	.ascii_name = skip_name,
	.space = skip_space,
	.wide = skip_wide,
	.mixed_text = mixed_text,
	.mixed_value = mixed_value,
};
#endif
