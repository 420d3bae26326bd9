/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For rule.includes_can_fail: net must not know xml. */
#include "xml/scan.h"
