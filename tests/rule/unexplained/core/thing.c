/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks docs/operations.md on purpose: see tests/CMakeLists.txt. */
#include "core/base/log.h"

void thing(int many)
{
	const char *event = many ? "one-of-two" : "two-of-two"; /* no section for the second */

	LOG(LOG_INFO, "good",
		"all, of \"it\" (yes)" /* LOG(LOG_INFO, "comment", "x") */
		" is there",
		LF_INT("n", many));
	LOG(LOG_WARN, event, "either");
	LOG(many ? LOG_ERROR : LOG_WARN, "wrong-level", "its section knows one level only");
	LOG(LOG_INFO, "wrong-text", "not what the section says");
}
