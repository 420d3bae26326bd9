/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dice.h"

uint64_t dice_state = 7;

uint32_t dice(uint32_t sides)
{
	dice_state = dice_state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((dice_state >> 33) % sides);
}
