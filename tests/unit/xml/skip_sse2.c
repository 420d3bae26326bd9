/* SPDX-License-Identifier: GPL-2.0-or-later */
#if defined(__x86_64__)
#include "xml/skip_sse2.h"

#include "tests/unit/xml/skip_set.h"

const struct skip_set skip_set_sse2 = {
	.name = "sse2",
	.text = skip_text,
	.value = skip_value,
	.ascii_name = skip_name,
	.space = skip_space,
	.wide = skip_wide,
};
#endif
