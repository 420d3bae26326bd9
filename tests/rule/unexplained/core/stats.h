/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Breaks docs/operations.md on purpose: see tests/CMakeLists.txt. */
#define STATS_TABLE(X)                                                                             \
	X(explained, "has its row")                                                                \
	X(unexplained, "has none") /* X(comment, "is no row") */                                   \
	X(twice, "has two")
