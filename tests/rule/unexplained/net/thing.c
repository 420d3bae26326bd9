/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks docs/operations.md on purpose: see tests/CMakeLists.txt. */
#include "core/base/log.h"

void thing(const char *name)
{
	log_event(0, LOG_INFO, name, "a name that cannot be read from here", 0, 0);
}
