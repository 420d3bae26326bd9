/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Chance, the same in each run. */
#ifndef SLUICE_TESTS_DIALBACK_DICE_H
#define SLUICE_TESTS_DIALBACK_DICE_H

#include "core/base/base.h"

extern uint64_t dice_state; /* may be set, and noted, to have the same once more */

uint32_t dice(uint32_t sides); /* below sides */

#endif
