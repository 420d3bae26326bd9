/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xml/skip_scalar.h"

#include "tests/unit/xml/skip_set.h"

const struct skip_set skip_set_scalar = {
	.name = "scalar",
	.text = skip_text,
	.value = skip_value,
	.ascii_name = skip_name,
	.space = skip_space,
	.wide = skip_wide,
};
